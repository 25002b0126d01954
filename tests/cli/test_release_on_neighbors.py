"""The whole command on neighboring files, with its own noise: how it ends and what it says.

What is public and drawn anew is compared by shape alone; with frozen answers all bytes are, in
tests/unit/test_testing_releasing.py.
"""

import json
import re
import sys
from fractions import Fraction

import pandas as pd
import pytest

import dpsynth
from dpsynth.release import pipeline
from dpsynth.schema import Schema
from dpsynth.testing import kit
from dpsynth.testing.releasing import ReadingGate


class Gate(ReadingGate):
    """Finds no fault, so that the command ends as it does on a good day."""

    def certify_public(self, directory, **given):
        super().certify_public(directory, **given)
        return type("Said", (), {"verdict": "PASS"})()


def seen(world, table, number, monkeypatch):
    gate = Gate()
    monkeypatch.setattr(pipeline, "find_gate", lambda: gate)
    path, out = world.folder / f"table-{number}.csv", f"release-{number}"
    table.to_csv(path, index=False)
    ledger = world.folder / f"ledger-{number}"
    dpsynth.Ledger.create(ledger, cap_epsilon=Fraction(4), cap_delta=Fraction(1, 10**8)).close()
    run = world.release(table=path, out=out, ledger=ledger, synthesizer="independent")
    said = [re.sub(rf"(release|ledger|table)-{number}", "#", each) for each in (run.out, run.err)]
    public = world.folder / out / "public"
    columns = list(pd.read_parquet(public / "synthetic.parquet").dtypes.items())
    fixed = {name: gate.files[name] for name in ("schema.toml", "plan.json")}
    shape = {name: shape_of(json.loads(gate.files[name])) for name in ("ledger.json",)}
    return run.code, said, sorted(gate.files), columns, fixed, shape


def shape_of(document):
    """Names and types, at every depth."""
    if isinstance(document, dict):
        return {name: shape_of(each) for name, each in document.items()}
    if isinstance(document, list):
        return [shape_of(each) for each in document]
    return type(document).__name__


@pytest.mark.parametrize(
    "which",
    ["unlike all others", "in an empty table", "of missing cells", "of odd cells 1", "beside"],
)
def test_neighboring_files_end_alike_and_say_the_same(world, monkeypatch, which):
    schema = Schema.read(world.schema)
    plan = dpsynth.Independent().plan(schema, epsilon="1", delta="1/1000000000")
    pair = next(
        each
        for each in (*kit.far_pairs(schema, plan), *kit.odd_pairs(schema, plan))
        if which in each.world
    )
    first, second = (
        seen(world, table, number, monkeypatch)
        for number, table in enumerate((pair.table, pair.neighbor))
    )
    assert first == second
    assert first[0] == 0
    assert "public verdict" in first[1][0]


def test_a_word_about_the_rows_is_seen(world, monkeypatch):
    from dpsynth.sources import files

    right = files.read_table

    def read(path, schema):
        frame = right(path, schema)
        sys.stderr.write(f"{len(frame)} rows\n")
        return frame

    monkeypatch.setattr(files, "read_table", read)
    table = pd.read_csv(world.table)
    first, second = (
        seen(world, each, number, monkeypatch) for number, each in enumerate((table, table[1:]))
    )
    assert first[1] != second[1]
    assert first[2:] == second[2:]
