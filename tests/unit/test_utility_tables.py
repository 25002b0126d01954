"""Tables of an evaluation: coded together, rows shuffled, a floor of independent columns."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, SchemaError
from dpsynth.utility.tables import LEVELS, NAMES, Tables, grouped

SCHEMA = dpsynth.Schema.from_dict(
    {
        "quasi_identifiers": ["sex"],
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "missing_codes": [-1]},
        ],
    }
)


def frame(rows: int, seed: int) -> pd.DataFrame:
    """Sex says whether the age is above 50, and one age in ten is missing."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 120, rows)  # some beyond the bounds
    sex = np.where(age > 50, "m", "f")
    return pd.DataFrame({"sex": sex, "age": np.where(rng.random(rows) < 0.1, -1, age)})


def test_codes_and_values_follow_their_rows_through_the_shuffle():
    tables = Tables.of(frame(300, 0), frame(500, 1), frame(200, 2), SCHEMA)
    assert tables.rows == {"synthetic": 300, "real": 500, "holdout": 200, "floor": 300}
    assert tables.compared == 200
    for name in NAMES:
        held = getattr(tables, name)
        assert (tables.codes[name]["sex"] == (held["sex"] == "m")).all()
        missing = (held["age"] == -1).to_numpy()
        values = tables.values[name]["age"]
        assert (np.isnan(values) == missing).all()
        assert (values[~missing] == held["age"].clip(0, 99)[~missing]).all()
    assert set(tables.alike("real", most=50)["sex"].shape) == {50}
    assert not tables.real["age"].equals(frame(500, 1)["age"])
    assert sorted(tables.real["age"]) == sorted(frame(500, 1)["age"])


def test_the_floor_keeps_columns_and_loses_their_relation():
    real = frame(4_000, 1)
    floor = Tables.of(frame(4_000, 0), real, frame(200, 2), SCHEMA).floor
    assert set(floor["age"]) <= set(real["age"])
    assert (floor["sex"] == "m").mean() == pytest.approx((real["sex"] == "m").mean(), abs=0.04)
    known = floor[floor["age"] >= 0]
    agree = ((known["age"] > 50) == (known["sex"] == "m")).mean()
    assert agree == pytest.approx(0.5, abs=0.05)  # 5 standard deviations of 4,000 coins is 0.04


def test_the_seed_says_everything_that_is_drawn():
    given = frame(300, 0), frame(500, 1), frame(200, 2), SCHEMA
    first, again, other = (Tables.of(*given, seed=seed) for seed in (3, 3, 4))
    assert first.floor.equals(again.floor)
    assert first.real.equals(again.real)
    assert not first.floor.equals(other.floor)


def test_subgroups_are_the_quasi_identifiers_where_nobody_asked():
    given = frame(30, 0), frame(50, 1), frame(20, 2), SCHEMA
    assert Tables.of(*given).subgroups == ("sex",)
    assert Tables.of(*given, subgroups=("age",)).subgroups == ("age",)
    with pytest.raises(SchemaError, match="no column is called 'site'"):
        Tables.of(*given, time="site")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="the holdout table has no column 'age'"):
        Tables.of(frame(30, 0), frame(50, 1), frame(20, 2)[["sex"]], SCHEMA)
    with pytest.raises(DataError, match="at least two rows"):
        Tables.of(frame(30, 0), frame(1, 1), frame(20, 2), SCHEMA)


def test_rare_codes_of_an_unordered_column_share_a_group():
    codes = np.repeat(np.arange(100), np.arange(100, 0, -1))
    groups, labels = grouped(codes, [f"c{code}" for code in range(100)], ordered=False)
    assert labels == [*(f"c{code}" for code in range(LEVELS - 1)), "all others"]
    assert groups.tolist() == [*range(LEVELS - 1)] + [LEVELS - 1] * (100 - LEVELS + 1)


def test_an_ordered_column_is_cut_at_the_quantiles_of_the_real_rows():
    codes = np.arange(1_000) % 100
    groups, labels = grouped(codes, [str(code) for code in range(100)], ordered=True)
    assert len(labels) == groups.max() + 1 == LEVELS
    assert (np.diff(groups) >= 0).all()
    assert labels[0] == "0 to 3"
    assert np.bincount(groups[codes]).max() <= 40
