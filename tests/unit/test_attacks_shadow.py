"""Shadow runs find who was planted, find nobody where there is nothing, and keep to their time."""

from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

import dpsynth
from attacks import games
from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.engine.generators import Coded, Planned
from attacks.engine.queries import agreeing, subsets
from attacks.engine.table import CodedTable, by_row, record_words
from attacks.membership.shadow import Shadow
from attacks.observed import Stage
from attacks.stats import ranking
from dpsynth.schema import Schema

COLUMNS = ("a", "b", "c", "d", "e")
CODES = 12
SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": name, "kind": "categorical", "values": list("mnopqrstuvwx")}
            for name in COLUMNS
        ]
    }
)
PLANTED = 6  # on each side


def usual(count, rng):
    """Draw people whose columns nearly all agree."""
    first = rng.integers(0, CODES, count)
    codes = np.repeat(first[:, None], len(COLUMNS), axis=1)
    odd = rng.random(codes.shape) < 0.02
    codes[odd] = rng.integers(0, CODES, int(odd.sum()))
    return codes.astype(np.int32)


def outliers(count, rng):
    """Draw people none of whose columns agree."""
    order = [rng.permutation(CODES)[: len(COLUMNS)] for _ in range(count)]
    return np.array(order, dtype=np.int32)


def near_copies(table, *, rows, seed):
    """Release every row with one of its cells drawn anew."""
    rng = np.random.default_rng(seed)
    made = np.resize(table[rng.permutation(len(table))], (rows, table.shape[1])).copy()
    made[np.arange(rows), rng.integers(0, table.shape[1], rows)] = rng.integers(0, CODES, rows)
    return made


def mst(epsilon):
    plan = dpsynth.synthesizer("mst").plan(SCHEMA, epsilon=epsilon, delta="1e-9").to_dict()
    return Coded(generator=Planned(plan=plan, schema=SCHEMA), schema=SCHEMA)


def attacked(generator, *, seed, attack):
    """Return scores of the outliers who were members, of those who were not, and all that."""
    rng = np.random.default_rng(seed)
    members = np.concatenate([outliers(PLANTED, rng), usual(290, rng)])
    controls = np.concatenate([outliers(PLANTED, rng), usual(290, rng)])
    evidence = Evidence(
        release=by_row(COLUMNS, generator(members, rows=300, seed=seed)),
        population=by_row(COLUMNS, usual(400, rng)),
        sizes=dict.fromkeys(COLUMNS, CODES),
        ordered=dict.fromkeys(COLUMNS, False),
        seed=seed,
        generator=generator,
    )
    targets = by_row(COLUMNS, np.concatenate([members, controls]))
    said = attack.score(evidence, targets)
    chosen = said.scored
    assert chosen is not None
    half = len(members)
    return said.targets[:half][chosen[:half]], said.targets[half:][chosen[half:]], said


FEW = Shadow(targets=2 * PLANTED, runs=48, queries=40)


def test_planted_outliers_of_a_generator_without_privacy_are_found():
    inside, outside, said = attacked(near_copies, seed=11, attack=FEW)
    assert inside.size == outside.size == PLANTED  # the most isolated are the planted ones
    assert ranking.auc(members=inside, controls=outside) > 0.95
    # How targets score in runs without them is how controls score.
    assert (inside > np.quantile(said.population, 0.99)).mean() > 0.5
    assert (outside > np.quantile(said.population, 0.9)).mean() < 0.5


def test_planted_outliers_of_a_tree_with_hardly_any_noise_are_found():
    inside, outside, _ = attacked(mst(1000), seed=12, attack=FEW)
    assert ranking.auc(members=inside, controls=outside) > 0.9


def test_noise_that_hides_a_person_hides_outliers_too():
    """The area has a standard error of 0.18 under no leak; two of them are allowed."""
    inside, outside, _ = attacked(mst("0.1"), seed=13, attack=FEW)
    assert abs(ranking.auc(members=inside, controls=outside) - 0.5) < 0.4


def quick(table, *, rows, seed):
    return near_copies(table, rows=rows, seed=seed)


def small(generator=quick, **more):
    rng = np.random.default_rng(4)
    return Evidence(
        release=by_row(COLUMNS, usual(200, rng)),
        population=by_row(COLUMNS, usual(150, rng)),
        sizes=dict.fromkeys(COLUMNS, CODES),
        ordered=dict.fromkeys(COLUMNS, False),
        generator=generator,
        **more,
    )


TINY = Shadow(targets=4, runs=8, queries=10)


def test_without_a_generator_there_is_nothing_to_run():
    with pytest.raises(NotApplicable, match="no synthesizer"):
        TINY.score(small(generator=None), by_row(COLUMNS, usual(9, np.random.default_rng(5))))


def test_a_small_population_sample_is_too_little():
    few = by_row(COLUMNS, usual(99, np.random.default_rng(6)))
    with pytest.raises(TooLittle, match="more controls"):
        TINY.score(replace(small(), population=few), few)


def test_a_time_limit_leaves_nobody_half_scored():
    targets = by_row(COLUMNS, usual(9, np.random.default_rng(7)))
    ran = []

    def slow(table, *, rows, seed):
        ran.append(seed)
        until = monotonic() + 0.05
        while monotonic() < until:
            pass
        return quick(table, rows=rows, seed=seed)

    with pytest.raises(TooLittle, match="time limit"):
        TINY.score(small(slow, deadline=monotonic() + 0.2), targets)
    assert 0 < len(ran) < TINY.runs
    with pytest.raises(TooLittle, match="time limit"):
        TINY.score(small(deadline=monotonic() - 1), targets)


def test_every_run_is_reported():
    said = []
    targets = by_row(COLUMNS, usual(9, np.random.default_rng(8)))
    TINY.score(small(say=said.append), targets)
    assert said[-1] == "shadow runs of the synthesizer: 8 of 8"
    assert len(said) == 8


def test_only_the_isolated_are_asked_and_the_same_seed_says_the_same():
    rng = np.random.default_rng(9)
    codes = usual(60, rng)
    codes[[7, 30]] = outliers(2, rng)
    several = CodedTable(
        columns=COLUMNS,
        codes=codes,
        words=record_words(codes),
        persons=np.repeat(np.arange(30), 2),
        size=30,
    )
    first, second = (TINY.score(small(), several) for _ in range(2))
    assert first.scored is not None
    assert first.scored.sum() == 4
    assert first.scored[3]
    assert first.scored[15]
    assert (first.targets[~first.scored] == 0).all()
    assert first.targets.tolist() == second.targets.tolist()
    lines = games.membership(TINY, small(), Stage(targets=several, one_row=several, views=()))
    for line in lines:
        assert line.asked is not None
        assert line.asked.tolist() == first.scored.tolist()
        # Who was not asked adds nothing to any sum, and neither does being asked.
        assert (line.weights[~line.asked] == 0).all()
        assert line.weights.sum() == pytest.approx(0)


def test_agreement_against_plain_counting():
    rng = np.random.default_rng(10)
    release, records = (rng.integers(0, 3, (n, 5)).astype(np.int32) for n in (80, 4))
    masks = subsets(5, count=25, rng=rng)
    assert masks.size == 25
    assert set(masks[:5]) == {1, 2, 4, 8, 16}
    found = agreeing(release, records, masks)
    for place, record in enumerate(records):
        for number, mask in enumerate(masks):
            columns = [column for column in range(5) if mask >> column & 1]
            same = (release[:, columns] == record[columns]).all(axis=1)
            assert found[place, number] == same.sum()
    assert subsets(1, count=9, rng=rng).tolist() == [1]
    assert subsets(62, count=100, rng=rng).min() > 0
