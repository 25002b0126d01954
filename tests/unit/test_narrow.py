"""A narrowed schema keeps what plans depend on."""

import pytest

from attacks.conformance.narrow import narrowed
from dpsynth.schema import Schema

COLUMNS = [
    *({"name": f"c{at}", "kind": "categorical", "values": ["a", "b"]} for at in range(12)),
    {"name": "age", "kind": "integer", "bounds": [0, 99]},
    {"name": "weight", "kind": "continuous", "bounds": [0, 200]},
]
RULE = {"forbid": {"c9": "a", "c10": "b"}}


def schema_of(**more: object) -> Schema:
    return Schema.from_dict({"columns": COLUMNS, "expected_rows": 1_000, **more})


def test_the_target_is_kept_and_so_are_columns_that_rules_and_settings_name():
    schema = schema_of(target="c11", rules=[RULE], sensitive=["c8", "c5"])
    found = narrowed(schema, most=6, settings={"first": ["c8"]})
    names = {column.name for column in found.modeled}
    assert names == {"c8", "c9", "c10", "c11", "c0", "age"}
    assert found.target == "c11"
    assert found.rules == schema.rules
    assert tuple(found.sensitive) == ("c8",)


@pytest.mark.parametrize("most", [2, 3, 5])
def test_kinds_take_turns(most):
    found = narrowed(schema_of(), most=most, settings={})
    kinds = {column.kind for column in found.modeled}
    assert len(found.modeled) == most
    assert len(kinds) == min(most, 3)


def test_a_narrow_schema_stays_as_it_is():
    schema = schema_of()
    assert narrowed(schema, most=14, settings={}) is schema
