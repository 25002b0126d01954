"""Linkage: two halves of a record, looked up apart, against plain slow code."""

from typing import ClassVar

import numpy as np
import pytest

from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.engine.distances import between, closest, space
from attacks.engine.table import by_row, joined
from attacks.linkage.base import Halves
from attacks.linkage.closest import ClosestRows
from attacks.linkage.game import REACHES, chance, halves_of, linkage, links
from attacks.observed import Stage, View

SIZES = {"age": 60, "sex": 2, "dose": 30, "arm": 4, "code": 300}
ORDERED = {"age": True, "sex": False, "dose": True, "arm": False, "code": False}
MISSING = {"dose": 29}
COLUMNS = tuple(SIZES)
HALVES = Halves(first=("age", "sex"), second=("dose", "arm", "code"))
DECLARED = (View(name="", known=("sex", "age"), secrets=("code",)),)


def codes_of(rows, *, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, size, rows) for size in SIZES.values()]
    return np.column_stack(drawn).astype(np.int32).reshape(rows, len(SIZES))


def table(rows, *, seed):
    return by_row(COLUMNS, codes_of(rows, seed=seed))


def evidence(release):
    return Evidence(
        release=release,
        population=table(0, seed=0),
        sizes=SIZES,
        ordered=ORDERED,
        missing=MISSING,
    )


def stage(targets, views=DECLARED):
    return Stage(targets=targets, one_row=targets, views=views)


def rates(release, members, controls):
    seen = linkage(ClosestRows(), evidence(release), stage(joined(members, controls)))
    return [(s.hits[: members.size].mean(), s.hits[members.size :].mean()) for s in seen]


def slow_distance(row, released, known):
    total = 0.0
    for name in known:
        place = COLUMNS.index(name)
        mine, theirs = int(row[place]), int(released[place])
        missing = MISSING.get(name, -1)
        if mine == theirs:
            continue
        if not ORDERED[name] or missing in (mine, theirs):
            total += 1
        else:
            total += abs(mine - theirs) / (SIZES[name] - (missing >= 0) - 1)
    return total


def slow_links(targets, release, reach):
    linked = []
    for row in targets.codes:
        apart = [
            np.array([slow_distance(row, other, known) for other in release.codes])
            for known in (HALVES.first, HALVES.second)
        ]
        nearest = [np.argsort(far.round(6), kind="stable")[:reach] for far in apart]
        limit = [far[rows].max() + 1e-6 for far, rows in zip(apart, nearest, strict=True)]
        linked.append(
            bool((apart[1][nearest[0]] <= limit[1]).any())
            or bool((apart[0][nearest[1]] <= limit[0]).any())
        )
    return linked


def test_links_are_those_of_plain_code():
    targets, release = table(60, seed=1), table(80, seed=2)
    found = links(ClosestRows(), evidence(release), stage(targets), HALVES)
    for place, reach in enumerate(REACHES):
        assert found[:, place].tolist() == slow_links(targets, release, reach)
    assert 0 < found.mean() < 1


def test_chosen_distances_are_those_of_the_search():
    targets, release = codes_of(50, seed=1), codes_of(70, seed=2)
    where = space(SIZES, ORDERED, COLUMNS, missing=MISSING)
    found = closest(targets, release, where, k=7)
    assert between(targets, release, where, rows=found.index).tobytes() == found.distance.tobytes()
    assert np.isinf(between(targets, release, where, rows=np.full((50, 1), -1))).all()


def test_a_copied_table_links_every_member():
    members, controls = table(1000, seed=1), table(1000, seed=2)
    # The own row is among the rows at distance 0 of either half, few of which have more than one
    # in the half that holds the code.
    (one, one_control), (five, _), _ = rates(members, members, controls)
    assert one > 0.98
    assert five == 1
    assert one_control < 0.1


def test_a_fresh_sample_links_members_no_more_than_controls():
    for seed in range(5):
        members, controls = table(1000, seed=10 + seed), table(1000, seed=20 + seed)
        for mine, others in rates(table(1000, seed=30 + seed), members, controls):
            # Four standard errors of a difference of two rates: 15 of them, so a false alarm in
            # 1,000 runs.
            assert abs(mine - others) < 4 * (0.25 * 2 / 1000) ** 0.5


def test_a_half_that_tells_nothing_apart_links_everybody_alike():
    codes = codes_of(300, seed=1)
    codes[:, [0, 1]] = 0
    targets = table(200, seed=2)
    found = links(ClosestRows(), evidence(by_row(COLUMNS, codes)), stage(targets), HALVES)
    assert found.all()


class Spy:
    """Notes what it is handed."""

    name: ClassVar[str] = "linkage/spy"
    threat_model: ClassVar = ClosestRows.threat_model
    first = ()

    def __init__(self):
        self.handed = []

    def candidates(self, evidence, half, known, *, most):
        self.handed.append((known, half.shape))
        return ClosestRows().candidates(evidence, half, known, most=most)

    def misfit(self, evidence, half, known, rows):
        self.handed.append((known, half.shape))
        return ClosestRows().misfit(evidence, half, known, rows)


def test_the_attacker_sees_one_half_at_a_time():
    spy = Spy()
    linkage(spy, evidence(table(30, seed=1)), stage(table(9, seed=2)))
    assert {known for known, _ in spy.handed} == {HALVES.first, HALVES.second}
    assert all(shape == (9, len(known)) for known, shape in spy.handed)


def test_which_halves():
    preset = View(name="insurer", known=("code",), secrets=())
    assert halves_of(COLUMNS, first=(), views=(*DECLARED, preset)) == HALVES
    given = halves_of(COLUMNS, first=("code", "age"), views=DECLARED)
    assert given.first == ("age", "code")
    every_second = Halves(first=("age", "dose", "code"), second=("sex", "arm"))
    everything = (View(name="", known=COLUMNS, secrets=()),)
    assert halves_of(COLUMNS, first=(), views=()) == every_second
    assert halves_of(COLUMNS, first=(), views=everything) == every_second


def test_the_chance_of_a_random_link():
    assert chance(4, 1) == pytest.approx(1 / 4)
    assert chance(4, 2) == pytest.approx(5 / 6)
    assert chance(3, 2) == 1
    rng = np.random.default_rng(0)
    drawn = [set(rng.permutation(50)[:5]) & set(rng.permutation(50)[:5]) for _ in range(4000)]
    assert np.mean([bool(both) for both in drawn]) == pytest.approx(chance(50, 5), abs=0.04)


def test_small_and_odd_tables():
    for rows in (1, 2, 7):
        seen = linkage(ClosestRows(), evidence(table(rows, seed=1)), stage(table(3, seed=2)))
        assert [line.hits.shape for line in seen] == [(3,)] * 3
    with pytest.raises(TooLittle):
        linkage(ClosestRows(), evidence(table(0, seed=1)), stage(table(3, seed=2)))
    nobody = linkage(ClosestRows(), evidence(table(9, seed=1)), stage(table(0, seed=2)))
    assert nobody[0].hits.size == 0
    single = by_row(("age",), codes_of(9, seed=1)[:, :1])
    with pytest.raises(NotApplicable):
        linkage(ClosestRows(), evidence(single), stage(single, views=()))
