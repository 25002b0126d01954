"""Statements for engines that were not run here: they parse, and change when somebody means it.

`DPSYNTH_WRITE_GOLDEN=1` writes the files anew.
"""

import os
from fractions import Fraction
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from dpsynth.schema import Schema
from dpsynth.sources.bounded import PURPOSES, bounded_rows, keyed
from dpsynth.sources.engine import counting
from dpsynth.sources.sql.engine import Kind
from dpsynth.sources.sql.unrun import WORDS

FOLDER = Path(__file__).with_name("sql")
SCHEMA = Schema.from_dict(
    {
        "unit": {"kind": "person", "column": "pid", "max_rows": 2},
        "columns": [
            {"name": "pid", "kind": "identifier"},
            {"name": "age", "kind": "integer", "bounds": [0, 100], "bins": [0, 18, 65, 100]},
            {"name": "bmi", "kind": "continuous", "bins": [10, 18.5, 25, 60], "nullable": True},
            {"name": "ward", "kind": "categorical", "values": [1, 2, 3], "missing_codes": [9]},
            {"name": "ill", "kind": "boolean"},
        ],
    }
)
KINDS = {
    "pid": Kind.INTEGER,
    "age": Kind.INTEGER,
    "bmi": Kind.FLOAT,
    "ward": Kind.FLOAT,
    "ill": Kind.INTEGER,
}


def statements(name):
    words = WORDS[name]()
    bounded = bounded_rows(
        exp.to_table("people"),
        SCHEMA,
        kinds=KINDS,
        engine=words,
        control=Fraction(1, 10),
    )
    keyed(bounded.query, {each: exp.column(f"key_of_{each}") for each in PURPOSES})
    coded = words.sql(bounded.query, pretty=True)
    return [coded, counting(["c0 + 0", "c1 + 3", "c0 * 4 + c1 + 6"], "dpsynth_rows", form="sets")]


@pytest.mark.parametrize("name", sorted(WORDS))
def test_statements_parse_and_are_the_golden_ones(name):
    found = statements(name)
    for statement in found:
        (parsed,) = sqlglot.parse(statement, read=WORDS[name].dialect)
        assert isinstance(parsed, exp.Select)
    text = ";\n\n".join(found) + ";\n"
    path = FOLDER / f"{name}.sql"
    if os.environ.get("DPSYNTH_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert text.count("key_of_") >= 4
