"""The predicate engine against plain slow code."""

import numpy as np
import pytest

from attacks.engine import predicates as engine
from attacks.engine.counts import record_words
from attacks.engine.predicates import NOBODY, SEVERAL, Predicates, isolated
from attacks.engine.table import CodedTable, by_row

COLUMNS = ("a", "b", "c", "d")
SIZES = (40, 5, 3, 1)


def codes_of(rows, *, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, size, rows) for size in SIZES]
    return np.column_stack(drawn).astype(np.int32)


def several_rows_each(rows, persons, *, seed):
    codes = codes_of(rows, seed=seed)
    whose = np.random.default_rng(seed).integers(0, persons, rows)
    whose[:persons] = np.arange(persons)
    return CodedTable(
        columns=COLUMNS, codes=codes, words=record_words(codes), persons=whose, size=persons
    )


def random_predicates(count, conditions, *, seed):
    rng = np.random.default_rng(seed)
    columns = rng.permuted(np.tile(np.arange(len(COLUMNS)), (count, 1)), axis=1)[:, :conditions]
    ends = rng.integers(0, np.array(SIZES)[columns], size=(2, count, conditions))
    return Predicates(
        columns=columns.astype(np.int32),
        low=ends.min(axis=0).astype(np.int32),
        high=ends.max(axis=0).astype(np.int32),
    )


def slowly(asked, table):
    found = []
    for columns, low, high in zip(asked.columns, asked.low, asked.high, strict=True):
        codes = table.codes[:, columns]
        met = ((codes >= low) & (codes <= high)).all(axis=1)
        persons = set(table.persons[met].tolist())
        found.append(persons.pop() if len(persons) == 1 else SEVERAL if persons else NOBODY)
    return found


@pytest.mark.parametrize("conditions", [1, 2, 4])
def test_the_one_person_is_found_as_by_plain_code(conditions):
    for table in (by_row(COLUMNS, codes_of(60, seed=1)), several_rows_each(60, 25, seed=2)):
        asked = random_predicates(400, conditions, seed=3)
        said = isolated(asked, table).tolist()
        assert said == slowly(asked, table)
        assert len({min(number, 0) for number in said}) == 3


def test_blocks_of_rows_change_nothing(monkeypatch):
    table, asked = several_rows_each(700, 250, seed=4), random_predicates(300, 3, seed=5)
    whole = isolated(asked, table).tolist()
    monkeypatch.setattr(engine, "_BYTES", 1)  # 64 rows at a time
    assert isolated(asked, table).tolist() == whole == slowly(asked, table)


def test_whole_values_are_looked_up_alike():
    for table in (by_row(COLUMNS, codes_of(60, seed=1)), several_rows_each(60, 25, seed=2)):
        codes = np.concatenate([table.codes, codes_of(200, seed=3)])[:, [1, 0, 2]]
        asked = Predicates(
            columns=np.tile(np.array([1, 0, 2], dtype=np.int32), (260, 1)), low=codes, high=codes
        )
        said = isolated(asked, table).tolist()
        assert said == slowly(asked, table)
        assert len({min(number, 0) for number in said}) == 3


def test_rows_of_one_person_do_not_hide_them():
    codes = np.array([[7, 1, 1, 0], [7, 1, 1, 0], [3, 1, 1, 0]], dtype=np.int32)
    table = CodedTable(
        columns=COLUMNS,
        codes=codes,
        words=record_words(codes),
        persons=np.array([1, 1, 0]),
        size=2,
    )
    seven = Predicates(
        columns=np.array([[0]], dtype=np.int32),
        low=np.array([[7]], dtype=np.int32),
        high=np.array([[7]], dtype=np.int32),
    )
    assert isolated(seven, table).tolist() == [1]


def test_nobody_and_nothing():
    empty = by_row(COLUMNS, codes_of(0, seed=0))
    assert isolated(random_predicates(5, 2, seed=1), empty).tolist() == [NOBODY] * 5
    assert not isolated(random_predicates(0, 2, seed=1), by_row(COLUMNS, codes_of(9, seed=0))).size


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200])
def test_rows_in_any_number_of_words(rows):
    table = by_row(COLUMNS, codes_of(rows, seed=rows))
    predicates = random_predicates(300, 2, seed=4)
    assert isolated(predicates, table).tolist() == slowly(predicates, table)


def test_conditions_that_have_no_room_together(monkeypatch):
    table = several_rows_each(150, 70, seed=5)
    predicates = random_predicates(400, 3, seed=6)
    expected = slowly(predicates, table)
    monkeypatch.setattr(engine, "_BYTES", 40 * 24)
    monkeypatch.setattr(engine, "_CELLS", 400)
    assert isolated(predicates, table).tolist() == expected
