"""Tables come in codes, inside their domain, or not at all."""

import json

import numpy as np
import pandas as pd
import pytest

from dpsynth.bench.datasets import Dataset, load
from dpsynth.bench.measure import inside_domain, split
from dpsynth.errors import UsageError

FRAME = pd.DataFrame({"a": [0, 1, 2, 1], "b": [1, 0, 1, 1]})
COLUMNS = [
    {"name": "age", "type": "integer", "bounds": [0, 999], "domain_source": "codebook"},
    {
        "name": "sex",
        "type": "categorical",
        "values": ["f", "m"],
        "domain_source": "codebook",
        "nullable": False,
    },
    {"name": "ill", "type": "categorical", "values": ["no", "yes"], "domain_source": "data"},
    {"name": "note", "type": "text"},
]


@pytest.fixture
def files(tmp_path):
    FRAME.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.json").write_text('{"a": 3, "b": 2}', encoding="utf-8")
    return tmp_path


def listed(**more):
    return Dataset(name="t", codes="t.parquet", sizes="t.json", **more)


def test_codes_and_sizes_are_read_from_files(files):
    table = load(listed(ordered=("a",), target="b", positive=1), folder=files)
    assert table.codes["a"].tolist() == [0, 1, 2, 1]
    assert table.codes["a"].dtype == np.uint8
    assert (dict(table.sizes), table.ordered, table.target) == ({"a": 3, "b": 2}, ("a",), "b")


def test_columns_are_dropped_and_rows_drawn(files):
    table = load(listed(drop=("b",), rows=1_000), folder=files)
    again = load(listed(drop=("b",), rows=1_000), folder=files)
    assert table.rows == 1_000
    assert list(table.sizes) == ["a"]
    assert np.array_equal(table.codes["a"], again.codes["a"])


@pytest.mark.parametrize(
    ("sizes", "more", "said"),
    [
        ({"a": 2, "b": 2}, {}, "column 'a' must hold codes from 0 to 1"),
        ({"a": 3}, {}, "same columns"),
        ({"a": 3, "b": 2}, {"drop": ("c",)}, "no column 'c'"),
        ({"a": 3, "b": 2}, {"target": "z"}, "no column 'z'"),
    ],
)
def test_what_does_not_fit_is_refused(files, sizes, more, said):
    (files / "t.json").write_text(json.dumps(sizes), encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        load(listed(**more), folder=files)


def test_missing_files_and_names_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("DPSYNTH_DATA", raising=False)
    for dataset, said in (
        (Dataset(name="adult"), "set DPSYNTH_DATA"),
        (listed(), "cannot read"),
        (Dataset(name="iris", package="statsmodels"), "no table 'iris'"),
        (Dataset(name="iris", package="seaborn"), "no table is known from package 'seaborn'"),
    ):
        with pytest.raises(UsageError, match=said):
            load(dataset, folder=tmp_path)


def write_metadata(folder, **more):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "age": rng.integers(0, 1000, 50),
            "sex": rng.choice(["f", "m"], 50),
            "ill": rng.choice(["no", "yes"], 50),
            "note": ["free text"] * 50,
        }
    )
    frame.to_parquet(folder / "people.parquet")
    about = {
        "kind": "single_table",
        "file": "people.parquet",
        "target": "ill",
        "positive_value": "yes",
        "columns": COLUMNS,
        **more,
    }
    (folder / "people.json").write_text(json.dumps(about), encoding="utf-8")
    return frame


def test_a_metadata_folder_is_coded_by_its_public_facts(tmp_path, monkeypatch):
    frame = write_metadata(tmp_path, official_split={"train": [0, 40], "test": [40, 50]})
    monkeypatch.setenv("DPSYNTH_DATA", str(tmp_path))
    table = load(Dataset(name="people", bins=8), folder=tmp_path)
    assert dict(table.sizes) == {"age": 9, "sex": 2, "ill": 3}  # two columns may be missing
    assert table.ordered == ("age",)
    assert (table.target, table.positive) == ("ill", 1)
    assert np.array_equal(table.codes["ill"] == 1, frame["ill"] == "yes")
    learnt, held_out = split(table, "target", seed=0)
    assert (learnt.rows, held_out.rows) == (40, 10)


def test_metadata_of_something_else_is_refused(tmp_path, monkeypatch):
    (tmp_path / "many.json").write_text('{"kind": "multi_table", "tables": []}', encoding="utf-8")
    monkeypatch.setenv("DPSYNTH_DATA", str(tmp_path))
    with pytest.raises(UsageError, match="does not describe a single table"):
        load(Dataset(name="many"), folder=tmp_path)


def test_a_table_that_is_in_codes_already_stays_as_it_is(tmp_path, monkeypatch):
    FRAME.to_parquet(tmp_path / "t.parquet")
    about = {
        "file": "t.parquet",
        "domain": {"a": 3, "b": 2},
        "columns": [{"name": "a", "type": "ordinal"}, {"name": "b", "type": "categorical"}],
        "target": "b",
        "positive_value": 1,
    }
    (tmp_path / "t.json").write_text(json.dumps(about), encoding="utf-8")
    monkeypatch.setenv("DPSYNTH_DATA", str(tmp_path))
    table = load(Dataset(name="t"), folder=tmp_path)
    assert (table.ordered, table.target, table.positive) == (("a",), "b", 1)


def test_the_packaged_table_is_the_one_of_the_literature(tmp_path):
    pytest.importorskip("statsmodels")
    table = load(Dataset(name="randhie", package="statsmodels"), folder=tmp_path)
    assert table.rows == 20_190
    assert list(table.sizes.values()) == [32, 5, 2, 32, 32, 11, 31, 2, 2, 2]
    assert all(held.max() < table.sizes[name] for name, held in table.codes.items())


def test_halves_are_new_for_every_seed_and_training_rows_the_same(files):
    table = load(listed(rows=101), folder=files)
    for protocol, size in (("half", 50), ("target", 81)):
        fitted, held_out = split(table, protocol, seed=1)
        assert (fitted.rows, held_out.rows) == (size, 101 - size)
        other, _ = split(table, protocol, seed=2)
        same = all(np.array_equal(fitted.codes[name], other.codes[name]) for name in table.codes)
        assert same == (protocol == "target")
    assert split(table, "whole", seed=1) == (table, None)


def test_what_leaves_the_domain_counts_as_an_error():
    made = pd.DataFrame({"a": [0.0, 2.0, 3.0, None], "b": [1, 0, -1, 1]})
    codes, sizes, strays = inside_domain(made, {"a": 3, "b": 2})
    assert codes["a"].tolist() == [0, 2, 3, 3]
    assert codes["b"].tolist() == [1, 0, 2, 1]
    assert (sizes, strays) == ({"a": 4, "b": 3}, 2)
