"""The internal report's fidelity: near its ceiling on a fresh sample, and at its floor apart."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.utility.fidelity import fidelity
from dpsynth.utility.tables import LEVELS

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            {"name": "age", "kind": "integer", "bounds": [0, 199]},
            {"name": "sick", "kind": "categorical", "values": ["no", "yes"]},
        ]
    }
)
ROWS = 20_000


def people(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 200, ROWS)
    return pd.DataFrame(
        {
            "sex": np.array(["f", "m"])[rng.integers(0, 2, ROWS)],
            "age": age,
            "sick": np.array(["no", "yes"])[(rng.random(ROWS) < age / 200).astype(int)],
        }
    )


def measured(synthetic: pd.DataFrame) -> dict[str, dict[str, float]]:
    found = fidelity(synthetic, people(0), SCHEMA)
    return {item["name"].rpartition(", ")[2]: item for item in found["measures"]}


def test_a_fresh_sample_is_about_as_far_as_half_from_half():
    found = measured(people(1))
    assert list(found) == ["single columns", "pairs of columns"]
    for item in found.values():
        assert item["lower_is_better"]
        assert item["low"] < item["value"] < item["high"]
        assert item["value"] == pytest.approx(item["ceiling"], rel=0.5)
    pairs = found["pairs of columns"]
    assert pairs["value"] < pairs["floor"] / 2


def test_columns_drawn_on_their_own_are_at_the_floor():
    rng = np.random.default_rng(2)
    apart = people(0).apply(lambda column: rng.permutation(column))
    pairs = measured(apart)["pairs of columns"]
    assert pairs["floor"] == pytest.approx(0.25 / 3, abs=0.02)  # of three pairs one depends
    assert pairs["value"] == pytest.approx(pairs["floor"], abs=0.01)
    assert pairs["value"] > 2 * pairs["ceiling"]


def test_wide_columns_are_grouped_and_shares_add_up():
    (sex, age, sick) = fidelity(people(1), people(0), SCHEMA)["columns"]
    assert (sex["labels"], sick["labels"]) == (["f", "m"], ["no", "yes"])
    assert len(age["labels"]) <= LEVELS
    for column in (sex, age, sick):
        assert sum(column["real"]) == pytest.approx(1, abs=1e-4)
        assert sum(column["synthetic"]) == pytest.approx(1, abs=1e-4)
        assert len(column["real"]) == len(column["synthetic"]) == len(column["labels"])


def test_the_columns_are_those_of_all_real_rows():
    sex = fidelity(people(1), people(0), SCHEMA)["columns"][0]
    assert sex["real"][0] == pytest.approx((people(0)["sex"] == "f").mean(), abs=1e-6)
    assert sex["synthetic"][0] == pytest.approx((people(1)["sex"] == "f").mean(), abs=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_table_that_is_too_small_is_not_measured(rows):
    few = people(0).head(rows)
    assert fidelity(people(0), few, SCHEMA)["measures"] == []
    if rows < 2:
        assert fidelity(few, people(0), SCHEMA)["columns"] == []


def test_a_single_column_has_one_measure():
    alone = dpsynth.Schema.from_dict({"columns": [SCHEMA.columns[0].model_dump()]})
    assert len(fidelity(people(1), people(0), alone)["measures"]) == 1
