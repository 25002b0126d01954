"""Real rows stay as they are, synthetic ones are as many as was asked, and each says what it is."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UnknownNameError, UsageError
from dpsynth.utility.augmentation.rows import RealRows

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "pid", "kind": "identifier"},
            {"name": "sex", "kind": "categorical", "values": ["F", "M"], "missing_codes": ["?"]},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
            {"name": "dose", "kind": "continuous", "bounds": [0, 10], "bins": 4, "nullable": True},
            {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"], "bins": 4},
            {"name": "ill", "kind": "boolean", "nullable": True},
            {"name": "ward", "kind": "ordinal", "values": [1, 2, 3]},
        ]
    }
)
ROWS = 200


def people(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), unit="D")
    return pd.DataFrame(
        {
            "pid": [f"P{n}" for n in range(rows)],
            "sex": rng.choice(["F", "M", "?"], rows),
            "age": rng.integers(0, 100, rows),
            "dose": np.where(rng.random(rows) < 0.2, np.nan, rng.random(rows) * 10),
            "seen": days.strftime("%Y-%m-%d"),
            "ill": rng.random(rows) < 0.1,
            "ward": rng.choice([1, 2, 3], rows, p=[0.6, 0.2, 0.2]),
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "people.sqlite"
    ledger = dpsynth.Ledger.create(path, cap_epsilon=20, cap_delta="1e-6")
    return dpsynth.MST().fit(
        people(2000, seed=1), schema=SCHEMA, epsilon=10, delta="1e-6", ledger=ledger
    )


def test_real_rows_come_first_and_keep_every_value(model):
    real = people()
    mixed = dpsynth.augment(real, model, rows=50, seed=1, origin="from")
    assert list(mixed.columns) == ["sex", "age", "dose", "seen", "ill", "ward", "from"]
    assert mixed["from"].tolist() == ["real"] * ROWS + ["synthetic"] * 50
    kept = mixed.iloc[:ROWS]
    assert kept["age"].tolist() == real["age"].tolist()
    np.testing.assert_array_equal(kept["dose"].to_numpy(), real["dose"].to_numpy())
    assert kept["seen"].astype(str).str[:10].tolist() == real["seen"].tolist()
    assert kept["sex"].tolist() == real["sex"].tolist()
    assert kept["ill"].tolist() == real["ill"].tolist()


def test_text_of_a_file_and_typed_cells_give_the_same_rows(model, tmp_path):
    real = people()
    real.to_csv(tmp_path / "people.csv", index=False)
    read = dpsynth.read_table(tmp_path / "people.csv", SCHEMA)
    one, other = (dpsynth.augment(each, model, rows=10, seed=3) for each in (real, read))
    pd.testing.assert_frame_equal(one, other)


def test_dtypes_are_those_of_synthetic_rows(model):
    mixed = dpsynth.augment(people(), model, rows=5, seed=1)
    assert mixed.dtypes.to_dict() == model.sample(5, seed=1)[mixed.columns].dtypes.to_dict()


@pytest.mark.parametrize(("share", "added"), [(0, 0), (0.5, ROWS), (0.75, 3 * ROWS), (0.1, 22)])
def test_a_share_is_of_the_result(model, share, added):
    assert len(dpsynth.augment(people(), model, share=share, seed=1)) == ROWS + added


def test_balancing_brings_every_class_that_occurs_to_the_most_frequent(model):
    real = people()
    real["ill"] = real["ill"].astype("boolean").where(real.index > 2)
    counts = real["ill"].value_counts()
    mixed = dpsynth.augment(real, model, balance="ill", seed=1, origin="from")
    found = mixed["ill"].value_counts()
    assert found[True] == found[False] == counts[False]
    added = mixed[mixed["from"] == "synthetic"]
    assert added["ill"].all()
    assert mixed["ill"].isna().sum() == 3
    half = dpsynth.augment(real, model, balance="ill", balance_to=0.5, seed=1)
    assert half["ill"].sum() == -(-counts[False] // 2)
    well = real[~real["ill"].fillna(False).astype(bool)]
    assert len(dpsynth.augment(well, model, balance="ill", seed=1)) == len(well)


def test_every_synthetic_row_is_of_the_group(model):
    group = {"sex": "F", "age": [80, 89], "ill": True}
    mixed = dpsynth.augment(people(), model, rows=40, given=group, seed=1, origin="from")
    added = mixed[mixed["from"] == "synthetic"]
    assert len(added) == 40
    assert set(added["sex"]) == {"F"}
    assert added["age"].between(80, 89).all()
    assert added["ill"].all()


@pytest.mark.parametrize("group", [{"age": [90, None]}, {"sex": None, "dose": [5, 10]}])
def test_a_group_reaches_its_share(model, group):
    mixed = dpsynth.augment(people(), model, given=group, group_share=0.4, seed=1)
    low, high = group.get("age", (0, 99))
    inside = mixed["age"].between(low, high or 99)
    if "sex" in group:
        inside = (mixed["sex"] == "?") & mixed["dose"].between(5, 10)
    assert 0.4 <= inside.mean() < 0.4 + 1 / len(mixed) + 1e-9
    have = inside[:ROWS].mean()
    assert len(dpsynth.augment(people(), model, given=group, group_share=have / 2)) == ROWS


def test_a_seed_makes_it_reproducible(model):
    one, same, other = (dpsynth.augment(people(), model, rows=30, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)
    drawn = [dpsynth.augment(people(), model, rows=30) for _ in range(2)]
    assert not drawn[0].equals(drawn[1])


def test_classes_are_not_drawn_from_one_seed(model):
    """Rows of two classes from one seed could be twins in all other columns."""
    seeds = []

    class Listening:
        full_schema = SCHEMA

        def sample(self, rows, *, seed, given):
            seeds.append(seed)
            return model.sample(rows, seed=seed, given=given)

    mixed = dpsynth.augment(people(), Listening(), balance="ward", seed=1)
    assert mixed["ward"].value_counts().nunique() == 1
    assert len(seeds) == len(set(seeds)) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "one of rows"),
        ({"rows": 1, "share": 0.5}, "one of rows"),
        ({"rows": -1}, "whole number"),
        ({"rows": 1.5}, "whole number"),
        ({"share": 1.0}, "from 0 to below 1"),
        ({"share": 1 - 1e-15}, "too many rows"),
        ({"group_share": 0.5}, "needs the group"),
        ({"group_share": 1.0, "given": {"sex": "F"}}, "between 0 and 1"),
        ({"share": 0.5, "given": {"sex": "F"}}, "rows or group_share"),
        ({"balance": "sex", "given": {"sex": "F"}}, "every class"),
        ({"balance": "age"}, "holds numbers"),
        ({"balance": "ill", "balance_to": 0}, "balance_to"),
        ({"rows": 1, "origin": "sex"}, "new column"),
        ({"rows": 1, "origin": "pid"}, "new column"),
        ({"rows": 1, "seed": -1}, "seed"),
    ],
)
def test_what_makes_no_sense_is_refused(model, asked, words):
    with pytest.raises(UsageError, match=words):
        dpsynth.augment(people(), model, **asked)


def test_unknown_names_are_refused(model):
    with pytest.raises(UnknownNameError, match="'smoker'"):
        dpsynth.augment(people(), model, balance="smoker")
    with pytest.raises(UnknownNameError, match="'X'"):
        dpsynth.augment(people(), model, rows=1, given={"sex": "X"})
    with pytest.raises(DataError, match="no column 'dose'"):
        dpsynth.augment(people().drop(columns="dose"), model, rows=1)


def test_undeclared_values_follow_the_schemas_rules():
    odd = people(4)
    odd["age"] = ["130", "-5", "7.0", "x"]
    odd["dose"] = ["99", "", "2.5", "x"]
    read = RealRows.of(odd, SCHEMA).table
    assert read["age"].tolist()[:3] == [99, 0, 7]
    assert read["dose"].tolist()[:1] == [10]
    assert read["dose"].isna().tolist() == [False, True, False, True]
