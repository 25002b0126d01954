"""A synthetic table that is not held: counted whole, and a fair part of it kept."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import UsageError
from dpsynth.sources import reading, streams
from dpsynth.utility.fidelity import fidelity
from dpsynth.utility.part import part_of
from dpsynth.utility.tables import Tables

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            {"name": "age", "kind": "integer", "bounds": [0, 199]},
            {"name": "town", "kind": "categorical", "open": True},
        ]
    }
)


def people(rows, *, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sex": rng.choice(["f", "m"], rows),
            "age": np.sort(rng.integers(0, 200, rows)),  # in an order that a part must not follow
            "town": rng.choice(["a", "b"], rows),
        }
    )


SYNTHETIC, REAL, HOLDOUT = (people(rows, seed=rows) for rows in (5000, 400, 300))


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(streams.FileTable, "rows_at_once", 271)
    monkeypatch.setattr(reading, "LARGE_CELLS", 3 * 4999)
    SYNTHETIC.to_parquet(tmp_path / "synthetic.parquet")
    return tmp_path / "synthetic.parquet"


def test_a_part_is_drawn_evenly_from_all_blocks_and_all_rows_are_counted(path):
    part = part_of(dpsynth.open_rows(path, SCHEMA), SCHEMA, most=400, seed=0)
    assert (part.rows, len(part.frame)) == (5000, 400)
    assert part.counts["sex"].tolist() == [(SYNTHETIC["sex"] == each).sum() for each in ("f", "m")]
    assert part.counts["age"].sum() == 5000
    assert part.frame["age"].is_monotonic_increasing
    # 400 rows of ages spread evenly: five deviations of their mean.
    assert abs(part.frame["age"].astype(int).mean() - SYNTHETIC["age"].mean()) < 5 * 58 / 20
    merged = part.frame.astype(str).merge(SYNTHETIC.astype(str).drop_duplicates(), how="inner")
    assert len(merged) == 400
    assert set(part.schema.column("town").values) == {"a", "b"}
    again = part_of(dpsynth.open_rows(path, SCHEMA), SCHEMA, most=400, seed=0)
    pd.testing.assert_frame_equal(again.frame, part.frame)


def test_a_part_of_all_rows_is_the_table(path):
    part = part_of(dpsynth.open_rows(path, SCHEMA), SCHEMA, most=10**6, seed=0)
    assert part.frame["age"].astype(int).tolist() == SYNTHETIC["age"].tolist()


def test_an_evaluation_counts_columns_in_all_rows_and_says_what_it_drew(path):
    sections = ["marginals", "hellinger"]
    held = dpsynth.evaluate(SYNTHETIC, REAL, HOLDOUT, SCHEMA, sections=sections)
    found = dpsynth.evaluate(path, REAL, HOLDOUT, SCHEMA, sections=sections)
    assert held.notes == ()
    assert found.notes == (
        "Single columns were counted in all 5,000 rows of the synthetic table; all else was "
        "computed from 400 of them, drawn at random.",
    )
    assert found.rows["synthetic"] == held.rows["synthetic"] == 5000
    for mine, theirs in zip(
        found.sections[0].tables["columns"], held.sections[0].tables["columns"], strict=True
    ):
        assert np.array_equal(mine["synthetic"], theirs["synthetic"])
    document = found.to_dict()
    assert document["notes"] == list(found.notes)
    assert "notes" not in held.to_dict()
    assert type(found).from_dict(document).notes == found.notes


def test_real_persons_are_drawn_and_said(path):
    found = dpsynth.evaluate(path, REAL, HOLDOUT, SCHEMA, sections=["marginals"], persons=200)
    assert sum(found.rows[name] for name in ("real", "holdout")) < 400
    assert "different rows of the real table and" in found.notes[0]
    assert found.notes[1].startswith("Single columns were counted in all 5,000 rows")
    with pytest.raises(UsageError, match="persons must be at least 1"):
        dpsynth.evaluate(path, REAL, HOLDOUT, SCHEMA, persons=0)


def test_fidelity_counts_single_columns_in_the_whole_file(path):
    held, found = (fidelity(table, REAL, SCHEMA) for table in (SYNTHETIC, path))
    assert "notes" not in held
    assert "all 5,000 rows" in found["notes"][0]
    for mine, theirs in zip(found["columns"], held["columns"], strict=True):
        assert mine["synthetic"] == theirs["synthetic"]


def test_some_rows_are_not_known_by_what_is_known_of_the_whole_file(path):
    part = part_of(dpsynth.open_rows(path, SCHEMA), SCHEMA, most=400, seed=0)
    tables = Tables.of(part, REAL, HOLDOUT, SCHEMA)
    assert tables.rows["synthetic"] == 5000
    women = {name: np.flatnonzero(codes["sex"] == 0) for name, codes in tables.codes.items()}
    group = tables.part(women, ["sex", "age"])
    assert group.whole is None
    assert group.rows == {name: len(rows) for name, rows in women.items()}
