"""A black box is run as a release is, by a seed, and speaks the audit's codes."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from attacks.engine.encode import encode
from attacks.engine.generators import Coded, Planned, planned_synthesizer
from dpsynth.errors import DataError
from dpsynth.schema import Schema

DECLARED = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99]},
        {"name": "ward", "kind": "categorical", "values": list("abc"), "nullable": True},
        {"name": "score", "kind": "continuous", "bounds": [0, 10], "bins": 20},
        {"name": "pid", "kind": "identifier"},
    ],
}
ROWS = Schema.from_dict(DECLARED)
PERSONS = Schema.from_dict({**DECLARED, "unit": {"kind": "person", "column": "pid", "max_rows": 2}})


def people(count, seed=1):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, count)
    return pd.DataFrame(
        {
            "age": age,
            "ward": rng.choice(["a", "b", "c", None], count),
            "score": np.clip(age / 10 + rng.normal(0, 0.5, count), 0, 10),
            "pid": [f"p{row}" for row in range(count)],
        }
    )


def coded(frame, schema):
    return encode(frame, schema, name="table", persons=False).codes


@pytest.mark.parametrize("schema", [ROWS, PERSONS], ids=["row", "person"])
@pytest.mark.parametrize("name", ["mst", "auto"])
def test_a_plan_can_be_run_again_by_a_seed(name, schema):
    plan = dpsynth.synthesizer(name).plan(schema, epsilon=50, delta="1e-9").to_dict()
    generator = Coded(generator=Planned(plan=plan, schema=schema), schema=schema)
    table = coded(people(800), schema)
    first, again, other = (generator(table, rows=500, seed=seed) for seed in (3, 3, 4))
    assert first.shape == (500, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    # At this epsilon the relation of age and score is in the release.
    assert np.corrcoef(first[:, 0], first[:, 2])[0, 1] > 0.4


def test_settings_of_the_plan_are_kept():
    made = dpsynth.synthesizer("mst", rare_below=7, one_way_share="1/3")
    plan = made.plan(ROWS, epsilon=1, delta="1e-9").to_dict()
    assert planned_synthesizer(plan) == made


def test_another_tool_is_handed_frames_and_may_be_anything():
    handed = []

    def tool(table, *, rows, seed):
        handed.append((table, rows, seed))
        return table.sample(rows, replace=True, random_state=seed)

    table = coded(people(100), PERSONS)
    made = Coded(generator=tool, schema=PERSONS)(table, rows=40, seed=5)
    frame, rows, seed = handed[0]
    assert (rows, seed) == (40, 5)
    assert frame["pid"].is_unique
    # Cells are values again, and code as what they came from; one without a value stays without.
    assert np.array_equal(coded(frame, PERSONS), table)
    assert frame["ward"].isna().sum() == people(100)["ward"].isna().sum()
    assert set(map(tuple, made)) <= set(map(tuple, table))


def test_a_generator_that_returns_another_table_is_refused():
    def few(table, *, rows, seed):
        return table.head(rows - 1)

    def narrow(table, *, rows, seed):
        return table.head(rows)[["age"]]

    table = coded(people(50), ROWS)
    with pytest.raises(DataError, match="as many rows"):
        Coded(generator=few, schema=ROWS)(table, rows=20, seed=0)
    with pytest.raises(DataError, match="generated table lacks the column 'ward'"):
        Coded(generator=narrow, schema=ROWS)(table, rows=20, seed=0)
