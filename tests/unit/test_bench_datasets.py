"""Tables come in codes, inside their domain, or not at all."""

import json
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

from dpsynth.bench import packaged
from dpsynth.bench.datasets import Dataset, load
from dpsynth.bench.measure import inside_domain, split
from dpsynth.errors import UnfitEnvironmentError, UsageError

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


def test_some_rows_of_a_metadata_table_are_taken(tmp_path, monkeypatch):
    frame = write_metadata(tmp_path, official_split={"train": [0, 40], "test": [40, 50]})
    monkeypatch.setenv("DPSYNTH_DATA", str(tmp_path))
    table = load(Dataset(name="women", table="people", only="sex=f"), folder=tmp_path)
    assert (table.rows, list(table.sizes)) == (int((frame["sex"] == "f").sum()), ["age", "ill"])
    assert table.split is None
    for only, said in (("six=f", "no column 'six'"), ("sex=x", "no row with sex=x")):
        with pytest.raises(UsageError, match=said):
            load(Dataset(name="people", only=only), folder=tmp_path)


def mutual_information(table, one, other):
    joint = np.zeros((table.sizes[one], table.sizes[other]))
    np.add.at(joint, (table.codes[one], table.codes[other]), 1 / table.rows)
    apart = np.outer(joint.sum(1), joint.sum(0))
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / apart[seen])).sum())


def test_a_chain_is_the_same_every_time_and_neighbors_in_it_depend(tmp_path):
    listed = Dataset(name="a chain", made="chain", rows=4_000, columns=6, values=5)
    table, again = (load(listed, folder=tmp_path) for _ in range(2))
    assert (table.rows, list(table.sizes.values()), table.ordered) == (4_000, [5] * 6, ())
    assert all(np.array_equal(table.codes[name], again.codes[name]) for name in table.codes)
    names = list(table.sizes)
    linked = [mutual_information(table, *pair) for pair in pairwise(names)]
    assert np.mean(linked) > 0.2
    assert mutual_information(table, names[0], names[5]) < np.mean(linked) / 3


def test_a_survey_has_twenty_questions_that_depend(tmp_path):
    table = load(Dataset(name="s", made="survey", rows=20_000), folder=tmp_path)
    assert (table.rows, len(table.sizes), max(table.sizes.values())) == (20_000, 20, 32)
    assert table.ordered == tuple(name for name, size in table.sizes.items() if size > 2)
    assert all(held.max() < table.sizes[name] for name, held in table.codes.items())
    by_chance = {
        (one, other): (table.sizes[one] - 1) * (table.sizes[other] - 1) / (2 * table.rows)
        for one, other in combinations(table.sizes, 2)
    }
    linked = [mutual_information(table, *pair) > 5 * part for pair, part in by_chance.items()]
    assert np.mean(linked) > 0.7
    shares = np.bincount(table.codes["c018"]) / table.rows
    assert 0.55 < shares[0] < 0.65  # most people answer "none"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"made": "chain"}, "how many rows"),
        ({"made": "chain", "rows": 9}, "needs columns and values"),
        ({"made": "survey", "rows": 9, "columns": 3, "values": 2}, "has its own"),
        ({"made": "ring", "rows": 9}, "no made-up table is called 'ring'"),
        ({"made": "survey", "rows": 9, "package": "statsmodels"}, "one place"),
        ({"made": "survey", "rows": 9, "only": "a=1"}, "needs a table with metadata"),
        ({"made": "survey", "rows": 9, "table": "t"}, "named in a package"),
        ({"columns": 3}, "belong to made"),
        ({"made": "chain", "rows": 9, "columns": 0, "values": 2}, "columns must be at least 1"),
    ],
)
def test_a_made_up_table_says_what_it_needs(more, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        load(Dataset(name="t", **more), folder=tmp_path)


def test_packaged_tables_are_coded_by_what_is_in_them():
    frame = pd.DataFrame(
        {
            "row": range(100),
            "amount": np.append(np.linspace(0, 80, 99), np.nan),
            "kind": ["x", "y"] * 50,
            "constant": [3] * 100,
            "visits": [7] * 98 + [0, 2],
        }
    )
    about = packaged._Packaged(
        read=lambda: frame, target="kind", positive="y", without=("row",), capped={"visits": 2}
    )
    table = packaged._table(frame, about, bins=8)
    assert dict(table.sizes) == {"amount": 9, "kind": 2, "visits": 3}
    assert table.ordered == ("amount", "visits")
    assert (table.target, table.positive) == ("kind", 1)
    assert table.codes["amount"][[0, 10, 98, 99]].tolist() == [0, 0, 7, 8]  # the last: missing
    assert np.bincount(table.codes["visits"]).tolist() == [1, 0, 99]
    assert table.codes["kind"].tolist() == [0, 1] * 50
    with pytest.raises(UsageError, match="too many texts"):
        packaged._table(frame.assign(kind=[f"t{at}" for at in range(100)]), about, bins=8)


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    def absent():
        raise ImportError

    monkeypatch.setitem(packaged.PACKAGED, "nowhere", {"t": packaged._Packaged(read=absent)})
    with pytest.raises(UnfitEnvironmentError, match="pip install nowhere"):
        packaged.from_package("nowhere", "t", bins=4)


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package, held in packaged.PACKAGED.items() for name in held],
)
def test_every_packaged_table_stays_in_its_domain(package, name):
    pytest.importorskip({"scikit-learn": "sklearn"}.get(package, package))
    table = packaged.from_package(package, name, bins=16)
    assert table.rows > 500
    assert all(held.max() < table.sizes[name] for name, held in table.codes.items())
    assert all(len(np.unique(held)) > 1 for held in table.codes.values())
    assert (table.target is None) == (table.positive is None)
