"""Identity risk by the convention of 0.09, worked by hand."""

import numpy as np
import pytest

from attacks.attribute.identity import MATCHED, RISK, conventions, may_exceed, risk
from attacks.base import Evidence
from attacks.engine.table import by_row
from attacks.observed import View

COLUMNS = ("age", "sex", "ill")
VIEW = View(name="", known=("age", "sex"), secrets=("ill",))
# Three share (1, 0), one stands alone with each of (2, 0), (3, 1) and (4, 1).
TABLE = [(1, 0, 1), (1, 0, 0), (1, 0, 0), (2, 0, 1), (3, 1, 0), (4, 1, 1)]
# What is common is 0: only a right 1 is new.
RELEASE = [(1, 0, 1), (2, 0, 1), (2, 0, 1), (2, 0, 0), (3, 1, 0), *[(5, 1, 0)] * 6]


def table(rows):
    return by_row(COLUMNS, np.array(rows, dtype=np.int32).reshape(-1, 3))


def evidence(release):
    return Evidence(
        release=table(release),
        population=table([]),
        sizes={"age": 10, "sex": 2, "ill": 2},
        ordered={"age": True, "sex": False, "ill": False},
    )


def told(members, controls, *, release=RELEASE, **more):
    found = conventions(evidence(release), table(members), table(controls), views=[VIEW], **more)
    return {(figure.name, figure.group): figure for figure in found}


def test_by_hand():
    matched, learnt = risk(evidence(RELEASE), table(TABLE), table(TABLE), [VIEW], own=True)
    assert matched == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 1, 0])
    # The first by a third; the fourth for certain; of the fifth what is common anyway.
    assert learnt == pytest.approx([1 / 3, 0, 0, 1, 0, 0])
    found = told(TABLE, TABLE)
    assert found[MATCHED, "members"].value == pytest.approx(3 / 6)
    assert found[RISK, "members"].value == pytest.approx((4 / 3) / 6)


def test_controls_are_counted_as_if_they_had_been_in_the_table():
    matched, learnt = risk(
        evidence(RELEASE), table([(1, 0, 1), (2, 0, 1), (9, 0, 1)]), table(TABLE), [VIEW], own=False
    )
    assert matched == pytest.approx([1 / 4, 1 / 2, 0])
    assert learnt == pytest.approx([1 / 4, 1 / 2, 0])


def test_a_tie_between_records_teaches_nothing():
    tied = [(2, 0, 1), (2, 0, 0), *[(5, 1, 0)] * 3]
    _, learnt = risk(evidence(tied), table([(2, 0, 1)]), table(TABLE), [VIEW], own=True)
    assert learnt.tolist() == [0.0]


def test_verification_is_a_factor():
    once, half = told(TABLE, TABLE), told(TABLE, TABLE, verified=0.5)
    assert half[RISK, "members"].value == pytest.approx(once[RISK, "members"].value / 2)
    with pytest.raises(ValueError, match="verified"):
        told(TABLE, TABLE, verified=1.5)


def test_the_flag_is_raised_by_the_upper_end():
    rng = np.random.default_rng(0)
    many = np.column_stack([rng.integers(0, 10, 3000), rng.integers(0, 2, 3000), np.zeros(3000)])
    safe = told(many.astype(int), many[:900].astype(int))
    assert not may_exceed(safe[RISK, "members"])
    assert safe[RISK, "members"].high < 0.01
    few = told(many[:5].astype(int), many[:5].astype(int))
    assert few[RISK, "members"].value == 0.0
    assert may_exceed(few[RISK, "members"])  # five persons cannot show a risk below 0.09


def test_copies_of_unique_persons_are_well_above_and_their_controls_are_not():
    rng = np.random.default_rng(1)
    wide = ("a", "b", "c", "ill")
    codes = np.column_stack(
        [*(rng.integers(0, 30, 800) for _ in range(3)), rng.integers(0, 5, 800)]
    )
    members, controls = (by_row(wide, part.astype(np.int32)) for part in (codes[:400], codes[400:]))
    found = conventions(
        Evidence(
            release=members,
            population=controls,
            sizes={"a": 30, "b": 30, "c": 30, "ill": 5},
            ordered=dict.fromkeys(wide, False),
        ),
        members,
        controls,
        views=[View(name="insurer", known=("a", "b", "c"), secrets=("ill",))],
    )
    values = {(figure.name, figure.group): figure for figure in found}
    assert values[f"{RISK}, by insurer", "members"].value > 0.6
    assert values[f"{RISK}, by insurer", "controls"].value < 0.05
    assert may_exceed(values[f"{RISK}, by insurer", "members"])


def test_nobody_nothing_and_an_empty_release():
    assert conventions(evidence(RELEASE), table(TABLE), table(TABLE), views=[]) == ()
    assert all(key[1] == "members" for key in told(TABLE, []))
    assert told([], []) == {}
    empty = told(TABLE, TABLE, release=[])
    assert empty[RISK, "members"].value == empty[MATCHED, "members"].value == 0.0
