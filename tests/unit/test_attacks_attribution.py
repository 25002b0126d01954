"""Correct attribution, worked by hand and against the cross-tables that the papers write."""

import numpy as np
import pytest

from attacks.attribute.attribution import CONTROLS, MEMBERS, Attribution, Held, keyed, play, tables
from attacks.base import Evidence, TooLittle
from attacks.engine.counts import record_words
from attacks.engine.table import by_row
from attacks.observed import Stage, View

# Key and value of persons and of released records.
PERSONS = ["Ax", "Ax", "Bx", "By", "Cy", "Dx", "Fy"]
RECORDS = ["Ax", "Ax", "By", "Cx", "Dx", "Dy", "Ey"]


def of(texts):
    codes = np.array([[ord(key), "xy".index(value)] for key, value in texts], dtype=np.int32)
    return Held(words=record_words(codes[:, :1]), values=codes[:, 1])


def figures(persons, records, is_member):
    return {
        (f.group, f.name.partition(":")[0]): f
        for f in tables(persons, keyed(persons, [records]), is_member)
    }


def test_by_hand():
    twice = of(PERSONS + PERSONS)
    found = figures(twice, of(RECORDS), np.repeat([True, False], 7))
    for group in (MEMBERS, CONTROLS):
        values = {name: f.value for (of_group, name), f in found.items() if of_group == group}
        assert values == {
            "iS": pytest.approx(6 / 7),  # all but F
            "DiS": pytest.approx(5 / 7),  # A A B B C; D says both
            "DiSCO": pytest.approx(3 / 7),  # A A and the B of y
            "TCAP": pytest.approx(3 / 5),
            "DCAP": pytest.approx(3.5 / 7),  # 1 1 0 1 0 1/2 0
            "CAP": pytest.approx(3.5 / 6),
            "UiO": pytest.approx(3 / 7),  # C D F
            "repU": pytest.approx(1 / 7),  # C
            "Dorig": pytest.approx(5 / 7),  # all but B B
            "DiSDiO": pytest.approx(2 / 7),  # A A
            "baseCAP": pytest.approx((4**2 + 3**2) / 7**2),
            "CAPd": pytest.approx(6 / 7),
        }


def cross_table(keys, values):
    made = np.zeros((8, 4))
    np.add.at(made, (keys, values), 1)
    return made


@pytest.mark.parametrize("seed", range(5))
def test_against_the_cross_tables_of_synthpop(seed):
    rng = np.random.default_rng(seed)
    draw = lambda n: (rng.integers(0, 8, n), np.minimum(rng.geometric(0.5, n) - 1, 3))  # noqa: E731
    (keys, values), (released_keys, released) = draw(30), draw(12)
    d, s = cross_table(keys, values), cross_table(released_keys, released)
    d_q, s_q = d.sum(axis=1, keepdims=True), s.sum(axis=1, keepdims=True)
    pd, ps = d / np.maximum(d_q, 1), s / np.maximum(s_q, 1)
    n = d.sum()
    expected = {
        "iS": d[s_q[:, 0] > 0].sum() / n,
        "DiS": d[(ps == 1).any(axis=1)].sum() / n,
        "DiSCO": d[ps == 1].sum() / n,
        "TCAP": d[ps == 1].sum() / max(1, (d_q * (ps == 1).sum(axis=1, keepdims=True)).sum()),
        "DCAP": (ps * d).sum() / n,
        "UiO": (d_q == 1).sum() / n,
        "repU": ((d_q == 1) & (s_q == 1)).sum() / n,
        "Dorig": d[pd == 1].sum() / n,
        "DiSDiO": d[(ps == 1) & (pd == 1)].sum() / n,
        "baseCAP": ((d.sum(axis=0) / n) ** 2).sum(),
        "CAPd": (pd**2 * d_q).sum() / n,
    }
    persons = Held(words=record_words(keys[:, None]), values=values.astype(np.int32))
    records = Held(words=record_words(released_keys[:, None]), values=released.astype(np.int32))
    one_more = Held(
        words=np.append(persons.words, persons.words), values=np.tile(persons.values, 2)
    )
    found = figures(one_more, records, np.arange(60) < 30)
    for name, value in expected.items():
        assert found[MEMBERS, name].value == pytest.approx(value), name


def test_groups_are_cut_to_one_size():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 50, 300)
    persons = Held(words=record_words(keys[:, None]), values=np.zeros(300, dtype=np.int32))
    is_member = np.arange(300) < 250
    found = figures(persons, persons, is_member)
    alone = {group: found[group, "UiO"].value for group in (MEMBERS, CONTROLS)}
    # 50 of each are as often alone, 250 would hardly ever be.
    assert alone[MEMBERS] == pytest.approx(alone[CONTROLS], abs=0.3)
    assert min(alone.values()) > 0.1


def test_intervals_are_exact_where_persons_are_looked_up_one_by_one():
    found = figures(of(PERSONS * 2), of(RECORDS), np.repeat([True, False], 7))
    disco = found[MEMBERS, "DiSCO"]
    assert (disco.low, disco.high) == (pytest.approx(0.0989883), pytest.approx(0.8159477))
    assert found[MEMBERS, "DCAP"].low < 0.5 < found[MEMBERS, "DCAP"].high
    assert found[MEMBERS, "repU"].low is None


COLUMNS = ("age", "sex", "ill")
SIZES = {"age": 200, "sex": 3, "ill": 3}
ORDERED = {"age": True, "sex": False, "ill": False}
VIEWS = (View(name="", known=("age", "sex"), secrets=("ill",)),)


def table(count, rng):
    codes = np.column_stack([rng.integers(0, size, count) for size in SIZES.values()])
    return by_row(COLUMNS, codes.astype(np.int32))


def evidence(release):
    return Evidence(
        release=release,
        population=release.take(np.arange(0)),
        sizes=SIZES,
        ordered=ORDERED,
        missing={"age": 199, "sex": 2, "ill": 2},
    )


def lines(release, targets):
    stage = Stage(targets=targets, one_row=targets, views=VIEWS)
    return {line.name: line for line in play(Attribution(), evidence(release), stage)}


def test_lines_count_the_disclosive_and_sum_the_share():
    rng = np.random.default_rng(1)
    members, controls = table(90, rng), table(90, rng)
    found = lines(members, members)
    exact = found["attribute/attribution(ill)@disclosive and correct"]
    graded = found["attribute/attribution(ill)@most records correct"]
    assert graded.weights.min() > 0  # everybody's own record is there
    assert exact.hits.sum() > 2 * lines(members, controls)[exact.name].hits.sum()
    assert exact.hits.sum() == exact.weights.sum()
    described = exact.describe(np.arange(90) < 45)
    assert {figure.group for figure in described} == {MEMBERS, CONTROLS}
    assert len(described) == 24


def test_a_missing_value_is_a_level_as_key_and_as_secret():
    codes = np.array([[199, 0, 2], [199, 0, 2], [5, 2, 2]], dtype=np.int32)
    both = by_row(COLUMNS, codes)
    assert lines(both, both)["attribute/attribution(ill)@disclosive and correct"].hits.all()
    close = by_row(COLUMNS, np.array([[198, 0, 2]], dtype=np.int32))
    assert not lines(both, close)["attribute/attribution(ill)@disclosive and correct"].hits.any()


def test_nobody_found():
    rng = np.random.default_rng(2)
    release, targets = table(20, rng), table(10, rng)
    release.codes[:, 1] = 0
    targets.codes[:, 1] = 1
    found = keyed(of(["Ax", "By"]), [of(["Cx"])])
    assert not found.settled.any()
    assert found.share.tolist() == [0, 0]
    assert not lines(release, targets)["attribute/attribution(ill)@most records correct"].hits.any()


def test_an_empty_release_is_too_little_and_one_person_is_enough():
    rng = np.random.default_rng(3)
    with pytest.raises(TooLittle):
        lines(table(0, rng), table(5, rng))
    exact = lines(table(9, rng), table(1, rng))["attribute/attribution(ill)@disclosive and correct"]
    assert exact.describe(np.array([True])) == ()


def test_records_that_come_in_blocks_say_what_they_say_together():
    rng = np.random.default_rng(3)
    records = ["ABCDEFGH"[key] + "xy"[value] for key, value in rng.integers(0, (8, 2), (12, 2))]
    records += ["Ix", "Iy", "Jy", "Jx", "Kx", "Kx"]
    persons = [key + value for key in "ABCDEFGHIJKL" for value in "xy"]
    whole = keyed(of(persons), [of(records)])
    parts = keyed(of(persons), [of([record]) for record in records])
    for key, settled in (("I", False), ("J", False), ("K", True), ("L", False)):
        assert parts.settled[persons.index(f"{key}x")] == settled
    assert np.array_equal(parts.settled, whole.settled)
    assert np.array_equal(parts.records, whole.records)
    assert np.array_equal(parts.right, whole.right)
