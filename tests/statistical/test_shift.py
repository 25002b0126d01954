"""Does the comparison of members with controls find what differs, and nothing else?

False alarms: 100 audits whose two groups are one population, tested at 5 %; 5 alarms on average,
and more than 16 less than once in a hundred thousand runs. Seeds are fixed.
"""

import numpy as np
import pytest

from attacks.engine.table import CodedTable, by_row, record_words
from attacks.stats import shift as module
from attacks.stats.shift import shift

COLUMNS = tuple(f"c{number}" for number in range(6))
ORDERED = {name: number % 2 == 0 for number, name in enumerate(COLUMNS)}
SIZES = {name: 32 if ORDERED[name] else 6 for name in COLUMNS}


def population(count, rng, *, moved=0.0, leaning=0.5):
    """Make codes that lean on each other; ``moved`` is by how many deviations the first differs."""
    shared, columns = rng.normal(size=count), []
    for number in range(len(COLUMNS)):
        place = (leaning * shared + rng.normal(size=count)) / (1 + leaning**2) ** 0.5
        place += moved * (number == 0)
        code = 5 * place + 16 if ORDERED[COLUMNS[number]] else 3 * np.abs(place)
        columns.append(np.clip(code, 0, SIZES[COLUMNS[number]] - 1).astype(np.int32))
    return np.column_stack(columns)


def families(codes, rng):
    """Give every person one to thirty nearly equal rows."""
    rows = rng.integers(1, 31, len(codes))
    repeated = np.repeat(codes, rows, axis=0)
    repeated[:, 1] = rng.integers(0, 6, len(repeated))
    return CodedTable(
        columns=COLUMNS,
        codes=repeated,
        words=record_words(repeated),
        persons=np.repeat(np.arange(len(codes)), rows),
        size=len(codes),
    )


def found(table, members, rng, permutations=199):
    return shift(
        table,
        np.arange(table.size) < members,
        ordered=ORDERED,
        sizes=SIZES,
        permutations=permutations,
        rng=rng,
    )


@pytest.mark.parametrize("made", [lambda codes, _: by_row(COLUMNS, codes), families])
def test_two_halves_of_one_population_are_alike(made, monkeypatch):
    monkeypatch.setattr(module, "_MOST_TESTS", 80)
    rng = np.random.default_rng(1)
    alarms = sum(
        found(made(population(160, rng), rng), 100, rng).p_value <= 0.05 for _ in range(100)
    )
    assert alarms <= 16


def test_the_classifier_raises_no_alarm_either(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_FOR_A_CLASSIFIER", 40)
    monkeypatch.setattr(module, "_means", lambda *_, **__: [])
    monkeypatch.setattr(module, "_shares", lambda *_, **__: [])
    monkeypatch.setattr(module, "_shares_of_pairs", lambda *_, **__: [])
    rng = np.random.default_rng(2)
    results = [found(by_row(COLUMNS, population(240, rng)), 120, rng) for _ in range(20)]
    assert all(result.classified and result.tests == 0 for result in results)
    # 1 of 20 on average at 5 %; 8 or more less than once in a hundred thousand.
    assert sum(result.p_value <= 0.05 for result in results) < 8


def test_each_way_of_looking_pays_its_part_of_the_error(monkeypatch):
    rng = np.random.default_rng(3)
    codes = np.vstack([population(500, rng), population(500, rng, moved=4.0)])
    # The least p-value of 10 times 99 draws, times four ways; of two halves by one way, times two.
    assert found(by_row(COLUMNS, codes), 500, rng, permutations=99).p_value == 4 / 991
    for part in ("_means", "_shares", "_shares_of_pairs"):
        monkeypatch.setattr(module, part, lambda *_, **__: [])
    assert found(by_row(COLUMNS, codes), 500, rng, permutations=99).p_value == 8 / 991


@pytest.mark.parametrize("seed", range(3))
def test_a_shift_of_three_tenths_of_a_deviation_is_found_at_a_thousand_persons(seed):
    rng = np.random.default_rng(seed)
    codes = np.vstack([population(1000, rng), population(1000, rng, moved=0.3)])
    result = found(by_row(COLUMNS, codes), 1000, rng, permutations=999)
    assert result.p_value <= 0.001  # below what 999 draws can show by themselves
    assert result.columns == ("c0",)
    assert result.classified


def test_a_relation_that_differs_is_found_where_no_column_does():
    rng = np.random.default_rng(3)
    codes = np.vstack([population(400, rng, leaning=0.0), population(400, rng, leaning=2.0)])
    result = found(by_row(COLUMNS, codes), 400, rng, permutations=999)
    assert result.p_value <= 0.01
    assert len(result.columns) == 2


def test_a_group_that_only_controls_have_is_found():
    rng = np.random.default_rng(4)
    codes = population(900, rng)
    codes[600:630, 3] = 5
    codes[:600, 3] = np.minimum(codes[:600, 3], 4)
    assert found(by_row(COLUMNS, codes), 600, rng, permutations=999).p_value <= 0.01


def test_a_person_with_many_rows_counts_once():
    rng = np.random.default_rng(9)
    table = families(population(80, rng), rng)
    cells = module._cells(table, table.codes[:, 1], 6)
    assert len(cells) == 6
    assert np.sum(cells, axis=0) == pytest.approx(np.ones(80))


def test_nothing_to_compare_says_nothing():
    rng = np.random.default_rng(5)
    flat = by_row(COLUMNS, np.zeros((50, 6), dtype=np.int32))
    assert found(flat, 20, rng).p_value == 1.0
    assert found(flat, 50, rng).tests == 0
    assert found(by_row((), np.zeros((9, 0), dtype=np.int32)), 3, rng).p_value == 1.0
    assert found(by_row(COLUMNS, population(1, rng)), 1, rng).p_value == 1.0
    assert found(by_row(COLUMNS, population(2, rng)), 1, rng).p_value == 1.0


def test_many_persons_and_columns_stay_within_memory(monkeypatch):
    monkeypatch.setattr(module, "MOST_PERSONS", 300)
    monkeypatch.setattr(module, "_MOST_WEIGHTS", 9000)
    rng = np.random.default_rng(6)
    result = found(by_row(COLUMNS, population(2000, rng)), 1000, rng)
    assert result.persons == 300
    assert result.tests <= 3 + 2 * 30


def test_same_seed_same_answer():
    table = by_row(COLUMNS, population(500, np.random.default_rng(7)))
    first, again = (found(table, 200, np.random.default_rng(8)) for _ in range(2))
    assert first == again
