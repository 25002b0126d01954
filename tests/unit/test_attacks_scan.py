"""The raw-value scan: copies of records, real identifiers, values outside the domain."""

import numpy as np
import pytest

from attacks.base import Evidence, NotApplicable, TooLittle
from attacks.engine.counts import record_words
from attacks.engine.table import CodedTable, by_row, joined
from attacks.observed import Stage
from attacks.scan.copies import Copies, NearCopies, scan

SIZES = {"age": 60, "sex": 2, "dose": 30, "arm": 4}
COLUMNS = tuple(SIZES)


def codes_of(rows, *, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, size, rows) for size in SIZES.values()]
    return np.column_stack(drawn).astype(np.int32).reshape(rows, len(SIZES))


def table(rows, *, seed):
    return by_row(COLUMNS, codes_of(rows, seed=seed))


def evidence(release):
    return Evidence(
        release=release,
        population=by_row(release.columns, release.codes[:0]),
        sizes=SIZES,
        ordered=dict.fromkeys(COLUMNS, False),
    )


def hits(attack, release, targets):
    stage = Stage(targets=targets, one_row=targets, views=())
    (seen,) = scan(attack, evidence(release), stage)
    return seen.hits


def slow_copies(targets, release, dropped):
    """Whose rows, without a column, are nobody else's and stand in the release."""
    kept = [place for place in range(targets.codes.shape[1]) if place != dropped]
    held = {tuple(row) for row in release.codes[:, kept].tolist()}
    owners = {}
    for row, person in zip(targets.codes[:, kept].tolist(), targets.persons.tolist(), strict=True):
        owners.setdefault(tuple(row), set()).add(person)
    found = np.zeros(targets.size, dtype=bool)
    for row, persons in owners.items():
        if len(persons) == 1 and row in held:
            found[persons.pop()] = True
    return found


def several_rows_each(rows, persons, *, seed):
    codes = codes_of(rows, seed=seed)
    whose = np.random.default_rng(seed).integers(0, persons, rows)
    return CodedTable(
        columns=COLUMNS, codes=codes, words=record_words(codes), persons=whose, size=persons
    )


def test_copies_are_those_of_plain_code():
    for targets in (table(900, seed=1), several_rows_each(900, 300, seed=2)):
        release = table(2000, seed=3)
        found = hits(Copies(), release, targets)
        assert found.tolist() == slow_copies(targets, release, None).tolist()
        near = hits(NearCopies(), release, targets)
        slow = np.logical_or.reduce([slow_copies(targets, release, place) for place in range(4)])
        assert near.tolist() == slow.tolist()
        assert 0.02 < found.mean() < 0.5
        assert near.mean() < 0.98


def test_a_copied_table_is_found_whole():
    members, controls = table(800, seed=1), table(800, seed=2)
    found = hits(Copies(), members, joined(members, controls))
    assert found[:800].mean() > 0.85  # the others share their record
    assert not found[800:].any()


def test_digits_count_where_codes_stand_for_ranges():
    codes = codes_of(50, seed=1)
    member = CodedTable(
        columns=COLUMNS,
        codes=codes,
        words=record_words(codes) ^ np.uint64(1),  # other digits under the same codes
        persons=np.arange(50),
        size=50,
    )
    assert not hits(Copies(), by_row(COLUMNS, codes), member).any()
    assert hits(Copies(), member, member).mean() > 0.9


def test_a_record_that_two_persons_have_gives_neither_away():
    codes = codes_of(1, seed=1)
    twice = by_row(COLUMNS, np.concatenate([codes, codes]))
    assert not hits(Copies(), twice, twice).any()
    both_his = CodedTable(
        columns=COLUMNS,
        codes=twice.codes,
        words=twice.words,
        persons=np.zeros(2, dtype=np.int64),
        size=1,
    )
    assert hits(Copies(), twice, both_his).all()


def test_small_and_odd_tables():
    for attack in (Copies(), NearCopies()):
        assert hits(attack, table(1, seed=1), table(3, seed=2)).shape == (3,)
        assert hits(attack, table(1, seed=1), table(0, seed=2)).size == 0
        with pytest.raises(TooLittle):
            hits(attack, table(0, seed=1), table(3, seed=2))
    narrow = by_row(("age", "sex"), codes_of(5, seed=1)[:, :2])
    with pytest.raises(NotApplicable):
        hits(NearCopies(), narrow, narrow)
