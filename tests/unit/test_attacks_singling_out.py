"""Singling out: conditions from the release, judged on persons it knows nothing of."""

import numpy as np
import pytest

from attacks.base import Evidence, TooLittle
from attacks.engine.counts import record_words
from attacks.engine.predicates import isolated
from attacks.engine.table import CodedTable, by_row, joined
from attacks.observed import Stage
from attacks.singling_out.base import distinct_records, stated
from attacks.singling_out.game import random_predicates, singled_out, singling_out
from attacks.singling_out.multivariate import Multivariate
from attacks.singling_out.univariate import Univariate
from attacks.singling_out.whole_record import WholeRecord

SIZES = {"age": 91, "site": 6, "dose": 41, "arm": 3, "constant": 1}
ORDERED = {"age": True, "site": False, "dose": True, "arm": False, "constant": True}
MISSING = {"dose": 40, "arm": 2}
COLUMNS = tuple(SIZES)
ATTACKS = (Univariate(), Multivariate(), WholeRecord())


def codes_of(rows, *, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, size, rows) for size in SIZES.values()]
    return np.column_stack(drawn).astype(np.int32).reshape(rows, len(SIZES))


def table(rows, *, seed):
    return by_row(COLUMNS, codes_of(rows, seed=seed))


def evidence(release, *, seed=0):
    return Evidence(
        release=release,
        population=table(0, seed=0),
        sizes=SIZES,
        ordered=ORDERED,
        missing=MISSING,
        seed=seed,
    )


def stage(targets):
    return Stage(targets=targets, one_row=targets, views=())


def shares(attack, release, members, controls):
    seen = singling_out(attack, evidence(release), stage(joined(members, controls)))
    assert len(seen) == 1
    hits = seen[0].hits
    return hits[: members.size].mean(), hits[members.size :].mean()


def test_a_copied_table_gives_every_record_away_and_no_control():
    members, controls = table(400, seed=1), table(400, seed=2)
    mine, others = shares(WholeRecord(), members, members, controls)
    assert mine > 0.98
    assert others == 0  # the member whose record it is meets the condition as well
    mine, others = shares(Multivariate(), members, members, controls)
    assert mine > 0.15  # few columns of few codes: most persons share their corner with others
    assert others == 0


def test_a_fresh_sample_singles_out_members_no_more_than_controls():
    for seed in range(5):
        members, controls = table(800, seed=10 + seed), table(800, seed=20 + seed)
        mine, others = shares(Multivariate(), table(800, seed=30 + seed), members, controls)
        # Four standard errors of a difference of two rates: a false alarm in 3,000 runs of five.
        assert abs(mine - others) < 4 * (mine * (1 - mine) * 2 / 800) ** 0.5 + 1 / 800


def test_each_condition_is_met_by_one_released_record():
    release = table(300, seed=1)
    for attack in ATTACKS:
        made = attack.predicates(evidence(release))
        assert len(made) > 10 or isinstance(attack, Univariate)
        assert (isolated(made, distinct_records(evidence(release))) >= 0).all()


def test_a_record_that_is_released_twice_is_still_singled_out():
    members = table(60, seed=1)
    twice = by_row(COLUMNS, np.concatenate([members.codes, members.codes]))
    mine, _ = shares(WholeRecord(), twice, members, table(60, seed=2))
    assert mine > 0.98


def test_rare_and_extreme_values():
    codes = np.array(
        # age, site, dose (40 is missing), arm (2 is missing), constant
        [[5, 0, 40, 0, 0], [9, 0, 7, 0, 0], [9, 1, 7, 0, 0], [30, 2, 7, 1, 0], [30, 2, 9, 1, 0]],
        dtype=np.int32,
    )
    made = Univariate().predicates(evidence(by_row(COLUMNS, codes)))
    found = sorted(zip(made.columns[:, 0], made.low[:, 0], made.high[:, 0], strict=True))
    assert [tuple(map(int, each)) for each in found] == [
        (0, 0, 5),  # at most the least age
        (0, 5, 5),  # the one record of that age
        (1, 1, 1),  # the one record of that site
        (2, 9, 9),  # the greatest dose, alone
        (2, 9, 39),  # at least the greatest: a missing dose is not large
        (2, 40, 40),  # the one missing dose
    ]


def test_above_the_median_looks_up_and_missing_is_neither_large_nor_small():
    codes = np.array([[10, 3, 40, 1, 0], [60, 3, 5, 0, 0], [20, 3, 5, 0, 0]], dtype=np.int32)
    release = by_row(COLUMNS, codes)
    made = Multivariate(conditions=5).predicates(evidence(release))
    order = np.argsort(made.columns, axis=1)
    low, high = (np.take_along_axis(ends, order, axis=1) for ends in (made.low, made.high))
    stated_by = {
        tuple(map(tuple, np.stack(ends, axis=1).tolist())) for ends in zip(low, high, strict=True)
    }
    # Medians of the release: age 20, dose 5.
    assert stated_by == {
        ((0, 10), (3, 3), (40, 40), (1, 1), (0, 0)),
        ((60, 90), (3, 3), (0, 5), (0, 0), (0, 0)),
        ((0, 20), (3, 3), (0, 5), (0, 0), (0, 0)),
    }


def test_a_person_with_several_rows_is_one_person():
    codes = codes_of(40, seed=3)
    persons = np.repeat(np.arange(20), 2)
    several = CodedTable(
        columns=COLUMNS,
        codes=np.repeat(codes[:20], 2, axis=0),
        words=record_words(np.repeat(codes[:20], 2, axis=0)),
        persons=persons,
        size=20,
    )
    seen = singling_out(WholeRecord(), evidence(by_row(COLUMNS, codes[:20])), stage(several))
    assert seen[0].hits.shape == (20,)
    assert seen[0].hits.mean() > 0.98


def test_two_persons_with_one_record_hide_each_other():
    codes = codes_of(30, seed=4)
    doubled = by_row(COLUMNS, np.concatenate([codes, codes[:1]]))
    made = WholeRecord().predicates(evidence(by_row(COLUMNS, codes)))
    hits = singled_out(made, doubled)
    assert not hits[0]
    assert not hits[30]


def test_the_conditions_never_depend_on_the_targets_and_repeat_with_the_seed():
    release = table(200, seed=1)
    for attack in ATTACKS:
        first, again = (attack.predicates(evidence(release, seed=7)) for _ in range(2))
        assert first.low.tobytes() == again.low.tobytes()
        assert first.columns.tobytes() == again.columns.tobytes()


def test_random_conditions_keep_the_columns():
    release = table(200, seed=1)
    made = Multivariate().predicates(evidence(release))
    random = random_predicates(made, evidence(release), rng=np.random.default_rng(0))
    assert random.columns.tobytes() == made.columns.tobytes()
    assert (random.low <= random.high).all()
    assert (singled_out(random, table(200, seed=2))).mean() < 0.5


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.point)
def test_small_and_odd_tables(attack):
    for rows in (1, 2):
        seen = singling_out(attack, evidence(table(rows, seed=1)), stage(table(3, seed=2)))
        assert seen[0].hits.shape == (3,)
    with pytest.raises(TooLittle):
        singling_out(attack, evidence(table(0, seed=1)), stage(table(3, seed=2)))
    assert (
        singling_out(attack, evidence(table(9, seed=1)), stage(table(0, seed=2)))[0].hits.size == 0
    )
    same = by_row(COLUMNS, np.repeat(codes_of(1, seed=5), 50, axis=0))
    assert not singling_out(attack, evidence(same), stage(same))[0].hits.any()


def test_a_hundred_columns():
    columns = tuple(f"x{place}" for place in range(100))
    rng = np.random.default_rng(0)
    members = by_row(columns, rng.integers(0, 4, (300, 100)).astype(np.int32))
    controls = by_row(columns, rng.integers(0, 4, (300, 100)).astype(np.int32))
    held = Evidence(
        release=members,
        population=by_row(columns, np.empty((0, 100), dtype=np.int32)),
        sizes=dict.fromkeys(columns, 4),
        ordered=dict.fromkeys(columns, False),
    )
    for attack in (Multivariate(conditions=8), WholeRecord()):
        hits = singling_out(attack, held, stage(joined(members, controls)))[0].hits
        assert hits[:300].mean() > 0.95
        assert not hits[300:].any()


def test_stated_keeps_the_missing_level_to_itself():
    last = np.array([9], dtype=np.int32)
    yes = np.ones((1, 1), dtype=bool)
    made = stated(
        np.zeros((1, 1), dtype=np.int32),
        np.full((1, 1), 10, dtype=np.int32),
        upward=yes,
        downward=yes,
        last=last,
    )
    assert (made.low.item(), made.high.item()) == (10, 10)


def test_conditions_are_counted_among_as_many_members_as_controls():
    members, controls = table(300, seed=1), table(120, seed=2)
    together = joined(members, controls)
    (seen,) = singling_out(WholeRecord(), evidence(members), stage(together))
    is_member = np.arange(420) < 300
    figures = {(f.name, f.group): f.value for f in seen.describe(is_member)}
    share = "share of conditions that one of 120 meets"
    assert figures["conditions that one released record meets", ""] > 295
    # 120 of the 300 members are counted among, and each has a condition of their own.
    assert figures[share, "members"] == pytest.approx(0.4, abs=0.02)
    assert figures[share, "controls"] < 0.03  # by chance
    assert figures["share of random conditions that one of 120 meets", "members"] < 0.25
    assert len(seen.describe(np.zeros(420, dtype=bool))) == 1
