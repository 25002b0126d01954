"""A small table, its schema and a program to run, all made here."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dpsynth.cli.app import main

SCHEMA = """
format = "dpsynth-schema/1"
expected_rows = 500
target = "ill"
quasi_identifiers = ["age", "sex"]
sensitive = ["ill"]

[[columns]]
name = "age"
kind = "integer"
bounds = [0, 100]
bins = [0, 20, 40, 60, 80, 100]

[[columns]]
name = "sex"
kind = "categorical"
values = ["f", "m"]

[[columns]]
name = "ill"
kind = "boolean"
"""
ROWS = 457  # a number that occurs nowhere else, so that a leak of it can be looked for


@dataclass(frozen=True)
class Run:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass(frozen=True)
class World:
    """A folder with a table, a schema, a key and a ledger."""

    folder: Path
    table: Path
    schema: Path
    ledger: Path
    key: Path
    run: object

    def release(self, *more, out="release", table=None, **changed):
        options = {
            "schema": self.schema,
            "synthesizer": "mst",
            "epsilon": "1",
            "delta": "1e-9",
            "ledger": self.ledger,
            "out": self.folder / out,
            "key": self.key,
        } | changed
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return self.run("release", str(table or self.table), *words, *more)

    def fit(self, *more, out="model", table=None, **changed):
        options = {
            "schema": self.schema,
            "synthesizer": "independent",
            "epsilon": "1",
            "delta": "1e-9",
            "ledger": self.ledger,
            "out": self.folder / out,
        } | changed
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return self.run("fit", str(table or self.table), *words, *more)

    def names(self):
        """Return every file and folder below the world."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


@pytest.fixture
def run(capfd):
    """Run the program in this process."""

    def run(*arguments):
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Run(code=code, out=said.out, err=said.err)

    return run


def write_world(folder, run):
    rng = np.random.default_rng(20261122)
    age = rng.integers(0, 100, size=ROWS)
    sex = rng.choice(["f", "m"], size=ROWS)
    ill = rng.random(ROWS) < 0.1 + 0.5 * (age > 60)
    lines = [
        "age,sex,ill",
        *(f"{a},{s},{str(i).lower()}" for a, s, i in zip(age, sex, ill, strict=True)),
    ]
    table, schema = folder / "people.csv", folder / "people.toml"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    schema.write_text(SCHEMA, encoding="utf-8")
    ledger, key = folder / "people.sqlite", folder / "key.pem"
    made = run("ledger", "init", ledger, "--cap-epsilon", "2", "--cap-delta", "1e-9")
    assert made.code == 0, made.err
    assert run("keys", "new", "--out", key).code == 0
    return World(folder=folder, table=table, schema=schema, ledger=ledger, key=key, run=run)


@pytest.fixture
def world(tmp_path, run, monkeypatch):
    """A world of one's own; nothing is kept in the user's home."""
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "work"
    folder.mkdir()
    return write_world(folder, run)
