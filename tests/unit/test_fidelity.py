"""Fidelity is 0 on the table itself, near its ceiling on a fresh sample, and at its floor apart."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.utility.fidelity import LEVELS, _groups, fidelity, total_variation

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


def test_the_table_itself_is_at_distance_zero():
    found = measured(people(0))
    assert found["single columns"]["value"] == found["pairs of columns"]["value"] == 0
    assert found["pairs of columns"]["ceiling"] > 0


def test_a_fresh_sample_is_no_worse_than_half_against_half():
    found = measured(people(1))
    for item in found.values():
        assert 0 < item["value"] <= item["ceiling"]


def test_columns_drawn_on_their_own_are_at_the_floor():
    rng = np.random.default_rng(2)
    apart = people(0).apply(lambda column: rng.permutation(column))
    pairs = measured(apart)["pairs of columns"]
    assert measured(apart)["single columns"]["value"] == 0
    assert pairs["floor"] == pytest.approx(0.25 / 3, abs=0.01)  # of three pairs one depends
    assert pairs["value"] == pytest.approx(pairs["floor"], abs=0.02)
    assert pairs["value"] > 2 * pairs["ceiling"]


def test_wide_columns_are_grouped_and_shares_add_up():
    (sex, age, sick) = fidelity(people(1), people(0), SCHEMA)["columns"]
    assert (sex["labels"], sick["labels"]) == (["f", "m"], ["no", "yes"])
    assert len(age["labels"]) <= LEVELS
    for column in (sex, age, sick):
        assert sum(column["real"]) == pytest.approx(1, abs=1e-4)
        assert sum(column["synthetic"]) == pytest.approx(1, abs=1e-4)
        assert len(column["real"]) == len(column["synthetic"]) == len(column["labels"])


def test_rare_codes_of_an_unordered_column_share_a_group():
    codes = np.repeat(np.arange(100), np.arange(100, 0, -1))
    groups, labels = _groups(codes, [f"c{code}" for code in range(100)], ordered=False)
    assert labels == [*(f"c{code}" for code in range(LEVELS - 1)), "all others"]
    assert groups.tolist() == [*range(LEVELS - 1)] + [LEVELS - 1] * (100 - LEVELS + 1)


def test_an_empty_table_and_a_single_column_end_normally():
    empty = people(0).head(0)
    assert fidelity(empty, people(0), SCHEMA)["measures"][0]["value"] > 0
    assert fidelity(people(0), empty, SCHEMA)["measures"][0]["ceiling"] == 0
    alone = dpsynth.Schema.from_dict({"columns": [SCHEMA.columns[0].model_dump()]})
    assert len(fidelity(people(1), people(0), alone)["measures"]) == 1


def test_total_variation_is_half_the_l1_distance():
    assert total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    assert total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == 0.25
