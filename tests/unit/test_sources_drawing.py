"""Persons drawn by a keyed hash: whoever is drawn is drawn whole, whatever else stands there."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError
from dpsynth.schema import Schema
from dpsynth.sources import streams

COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99]},
    {"name": "code", "kind": "categorical", "values": ["x", "y"], "nullable": True},
    {"name": "pid", "kind": "identifier"},
]
PERSONS = Schema.from_dict(
    {"columns": COLUMNS, "unit": {"kind": "person", "column": "pid", "max_rows": 3}}
)
ROWS = Schema.from_dict({"columns": COLUMNS[:2]})


def people(count, *, seed, first=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(0, 100, 2 * count),
            "code": rng.choice(["x", "y", None], 2 * count),
            "pid": [f"p{first + row % count}" for row in range(2 * count)],
        }
    )


MEMBERS, CONTROLS = people(900, seed=1), people(100, seed=2, first=5000)


def draw(*tables, schema=PERSONS, persons=200, seed=0):
    return dpsynth.draw_persons(tables, schema, persons=persons, seed=seed)


def who(frame):
    return set(frame["pid"])


def test_so_many_persons_of_both_tables_together_each_with_all_rows():
    found = draw(MEMBERS, CONTROLS)
    inside, outside = found.frames
    assert found.persons == (len(who(inside)), len(who(outside)))
    assert sum(found.persons) == 200
    assert found.thinned
    # One threshold for both: so many controls as their share, about. Five deviations.
    assert abs(found.persons[1] - 20) < 5 * np.sqrt(200 * 0.1 * 0.9)
    assert (inside["pid"].value_counts() == 2).all()
    expected = MEMBERS[MEMBERS["pid"].isin(who(inside))].reset_index(drop=True)
    pd.testing.assert_frame_equal(inside, expected)


def test_a_person_is_drawn_whatever_the_order_and_the_others():
    first = draw(MEMBERS, CONTROLS).frames
    order = np.random.default_rng(3).permutation(len(MEMBERS))
    second = draw(MEMBERS.iloc[order], CONTROLS).frames
    assert [who(frame) for frame in first] == [who(frame) for frame in second]
    swapped = draw(CONTROLS, MEMBERS).frames
    assert [who(frame) for frame in swapped] == [who(frame) for frame in first[::-1]]
    fewer = draw(MEMBERS, CONTROLS, persons=50).frames
    assert who(fewer[0]) < who(first[0])
    assert who(draw(MEMBERS, CONTROLS, seed=1).frames[0]) != who(first[0])


def test_a_file_is_drawn_from_as_a_frame_is_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(streams.FileTable, "rows_at_once", 23)
    MEMBERS.to_parquet(tmp_path / "members.parquet")
    CONTROLS.to_csv(tmp_path / "controls.csv", index=False)
    files = [
        dpsynth.open_rows(tmp_path / name, PERSONS) for name in ("members.parquet", "controls.csv")
    ]
    held, read = draw(MEMBERS, CONTROLS), draw(*files)
    assert read.persons == held.persons
    for mine, theirs in zip(held.frames, read.frames, strict=True):
        assert mine["pid"].tolist() == theirs["pid"].tolist()
        assert mine["age"].astype(str).tolist() == theirs["age"].astype(str).tolist()


def test_all_are_drawn_where_there_are_no_more():
    found = draw(MEMBERS, CONTROLS, persons=1000)
    assert not found.thinned
    assert found.persons == (900, 100)
    assert draw(MEMBERS, CONTROLS, persons=999).thinned


def test_a_row_without_a_person_is_nobodys():
    nameless = MEMBERS.assign(pid=MEMBERS["pid"].where(MEMBERS.index % 7 > 0, None))
    found = draw(nameless, CONTROLS, persons=5000)
    assert found.frames[0]["pid"].notna().all()
    assert len(found.frames[0]) == nameless["pid"].notna().sum()


def test_rows_of_one_content_are_drawn_together():
    rows = MEMBERS[["age", "code"]]
    found = draw(rows, rows.iloc[::-1], schema=ROWS, persons=40)
    inside, outside = found.frames
    assert found.persons == (40, 40)
    assert set(map(tuple, inside.fillna("").to_numpy())) == set(
        map(tuple, outside.fillna("").to_numpy())
    )
    assert len(inside) == len(rows.merge(inside.drop_duplicates(), how="inner"))


def test_nobody_to_draw_is_refused_and_an_empty_table_is_empty():
    with pytest.raises(ValueError, match="persons must be above 0"):
        draw(MEMBERS, persons=0)
    found = draw(MEMBERS[:0], MEMBERS[:4])
    assert found.persons == (0, 4)
    assert list(found.frames[0].columns) == list(MEMBERS.columns)


def test_a_synthetic_table_needs_no_persons(tmp_path):
    unread = [*COLUMNS[:2], {"name": "pid", "kind": "excluded"}]
    unit = {"kind": "person", "column": "pid", "max_rows": 3}
    schema = Schema.from_dict({"columns": unread, "unit": unit})
    MEMBERS.drop(columns="pid").to_parquet(tmp_path / "s.parquet")
    with pytest.raises(DataError, match="lacks the column 'pid'"):
        dpsynth.open_rows(tmp_path / "s.parquet", schema)
    rows = dpsynth.open_rows(tmp_path / "s.parquet", schema, persons=False)
    assert [len(frame) for frame in rows.frames()] == [len(MEMBERS)]
    assert list(rows.frame().columns) == ["age", "code"]


def test_an_empty_file_is_one_frame_without_rows(tmp_path):
    MEMBERS[:0].to_csv(tmp_path / "empty.csv", index=False)
    rows = dpsynth.open_rows(tmp_path / "empty.csv", PERSONS)
    (frame,) = rows.frames()
    assert list(frame.columns) == list(MEMBERS.columns)
    assert not len(frame)
