"""The shared test of sources: it makes what it says, and sees what it should."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from dpsynth.sources.frame import FrameSource, prepare
from dpsynth.testing.nasty_tables import CROWD, CROWDED, nasty_table
from dpsynth.testing.same_counts import differences


def key(purpose):
    return hashlib.blake2b(purpose.encode(), digest_size=32).digest()


def source(frame, schema):
    return prepare(frame, schema, key=key, control=Fraction(1, 10)).source


def test_a_number_makes_one_table():
    for seed in range(40):
        one, two = nasty_table(seed), nasty_table(seed)
        assert repr(one.table.to_pylist()) == repr(two.table.to_pylist())  # a NaN is no NaN
        assert one.table.schema == two.table.schema
        assert one.schema == two.schema
        assert one.table.num_rows <= 60
        one.schema.require_closed()
    assert "table" not in repr(one)


def test_one_table_in_a_hundred_has_a_person_of_ten_thousand_rows():
    made = nasty_table(CROWDED - 1)
    ids = made.frame()[made.schema.unit.column]
    assert ids.value_counts().max() >= CROWD * 9 // 10
    assert made.table.num_rows == CROWD + 7


def test_between_them_the_tables_hold_all_that_is_promised():
    found = set()
    for seed in range(200):
        made = nasty_table(seed)
        found.add("no row" if not made.table.num_rows else "rows")
        found.update({"rule"} if made.schema.rules else ())
        found.update(column.kind for column in made.schema.columns)
        found.update({"person"} if made.schema.unit.column else ())
        for name in made.table.column_names:
            column = made.table[name]
            found.add(str(column.type))
            found.update({"null"} if column.null_count else ())
            for cell in column.to_pylist():
                if isinstance(cell, float):
                    found.add(repr(cell))
                if isinstance(cell, int) and abs(cell) > 2**53:
                    found.add("huge")
                if cell == "":
                    found.add("empty")
                if isinstance(cell, str) and cell.endswith(" ") and cell.strip():
                    found.add("trailing")
        for column in made.schema.modeled:
            found.update({"open"} if column.learns_values else ())
            found.update({"code"} if column.missing_codes else ())
    assert found >= {
        "no row", "rows", "rule", "person", "null", "nan", "-0.0", "inf", "huge", "empty",
        "trailing", "open", "code", "string", "int64", "double", "bool", "date32[day]",
        "timestamp[us]", "timestamp[us, tz=UTC]", "decimal128(20, 4)", "categorical", "ordinal",
        "integer", "continuous", "boolean", "date", "identifier", "excluded",
    }  # fmt: skip


def test_shuffled_tables_are_the_same():
    for seed in range(60):
        made = nasty_table(seed)
        frame = made.frame()
        shuffled = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
        one, two = source(frame, made.schema), source(shuffled, made.schema)
        assert differences(one, two, made.schema, seed=seed) == []


def closed_table(wanted):
    """The first table with rows and without open columns that is as wanted."""
    return next(
        each
        for each in map(nasty_table, range(1, 300))
        if each.table.num_rows > 20
        and not any(column.learns_values for column in each.schema.modeled)
        and wanted(each)
    )


class Wrong(FrameSource):
    """Counts as ``FrameSource``, with one fault."""

    fault = ""

    def count_many(self, cliques):
        for clique, counts in zip(cliques, super().count_many(cliques), strict=True):
            if self.fault == "one more":
                counts[-1] += 1
            elif self.fault == "turned" and len(clique) == 2:
                counts = counts.reshape(self.domain.shape(clique)).T.ravel()
            elif self.fault == "floats":
                counts = counts.astype(float)
            yield counts


@pytest.mark.parametrize("fault", ["one more", "turned", "floats"])
def test_a_wrong_count_is_seen(fault, monkeypatch):
    monkeypatch.setattr(Wrong, "fault", fault)
    made = closed_table(lambda each: len(each.schema.modeled) > 2)
    good = source(made.frame(), made.schema)
    rows = good.unit_rows()
    codes = {name: rows.codes[:, at] for at, name in enumerate(good.domain.columns)}
    bad = Wrong(codes, good.domain, units=rows.units)
    assert any("counts over" in each for each in differences(good, bad, made.schema))


def test_one_row_of_another_person_is_seen():
    made = closed_table(lambda each: each.schema.unit.column)
    good = source(made.frame(), made.schema)
    rows = good.unit_rows()
    codes = {name: rows.codes[:, at] for at, name in enumerate(good.domain.columns)}
    bad = FrameSource(codes, good.domain, units=np.arange(len(rows.units)))
    assert "the rows of the units differ" in differences(good, bad, made.schema)
