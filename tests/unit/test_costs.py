"""What a plan says that an engine will be asked, against counters of what it was asked."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.domain import Domain
from dpsynth.privacy.ledger import Ledger
from dpsynth.sources import engine as engines
from dpsynth.sources.frame import prepare
from dpsynth.synthesizers import costs
from dpsynth.synthesizers.costs import Read

ROWS = 4_000
SIZES = {"a": 3, "b": 4, "c": 6, "d": 6, "e": 8, "f": 12}
SCHEMA = dpsynth.Schema.from_dict(
    {
        "expected_rows": ROWS,
        "columns": [
            {"name": name, "kind": "categorical", "values": [f"{name}{n}" for n in range(size)]}
            for name, size in SIZES.items()
        ],
    }
)


def table():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 12, ROWS)
    return pd.DataFrame(
        {
            name: [f"{name}{n}" for n in (first + rng.integers(0, 2, ROWS)) % size]
            for name, size in SIZES.items()
        }
    )


class Counting:
    """DuckDB with the codes of a table in it; counts statements and the bytes of their answers."""

    form = "sets"

    def __init__(self, codes):
        duckdb = pytest.importorskip("duckdb")
        self.statements = self.moved = 0
        self.connection = duckdb.connect()
        frame = pd.DataFrame(codes)
        self.connection.register("given", frame)
        self.connection.execute("CREATE TABLE coded AS SELECT * FROM given")

    def rows(self, statement):
        self.statements += 1
        found = self.connection.execute(statement).fetchall()
        self.moved += costs.BYTES_A_CELL * len(found)
        return found

    def text(self, value):
        return f"'{value}'"


def counted(name, folder):
    """Fit over the engine, and return its counters."""
    method = dpsynth.synthesizer(name)
    plan = method.plan(SCHEMA, epsilon=10, delta="1e-9")
    with Ledger.create(folder / "l.sqlite", cap_epsilon=20, cap_delta="1e-6") as book:
        account = plan.open(book)
        prepared = prepare(table(), SCHEMA, key=book.keyed)
        rows = prepared.source.unit_rows()
        held = dict(zip(SIZES, rows.codes.T.astype(np.int64), strict=True))
        engine = Counting(held)
        columns = {
            each: engines.CodedColumn(code=each, now=np.arange(size))
            for each, size in prepared.source.domain.sizes.items()
        }
        source = engines.EngineSource(
            engine, relation="coded", columns=columns, unit="0", domain=prepared.source.domain
        )
        object.__setattr__(prepared, "source", source)
        method.fit_prepared(prepared, schema=SCHEMA, plan=plan, account=account)
    return plan.estimate, engine


@pytest.mark.parametrize("name", ["independent", "mst", "auto", "direct"])
def test_statements_and_bytes_are_those_planned_within_a_factor_of_two(name, tmp_path):
    estimate, engine = counted(name, tmp_path)
    planned = {each.engine: each for each in estimate.engines}
    assert planned["frame"].statements == planned["frame"].bytes_moved == 0
    told = planned["database"]
    assert told.statements / 2 <= engine.statements <= 2 * told.statements
    assert engine.moved <= 2 * told.bytes_moved
    if name != "direct":  # most cells of a table over all columns hold no row
        assert told.bytes_moved <= 2 * engine.moved


def test_a_statement_holds_what_an_engine_takes_at_once():
    assert engines._STATEMENT_SETS == costs.STATEMENT_TABLES
    assert engines._STATEMENT_CELLS == costs.STATEMENT_CELLS
    cliques = [("a",)] * 600
    domain = Domain(sizes={"a": 10})
    assert Read.of(domain, cliques).statements == len(list(engines._shares(cliques, domain))) == 3
    big = Domain(sizes={"a": costs.STATEMENT_CELLS // 2 + 1})
    few = cliques[:3]
    assert Read.of(big, few).statements == len(list(engines._shares(few, big))) == 3


def test_a_method_whose_questions_hang_on_answers_says_none():
    plan = dpsynth.synthesizer("aim").plan(SCHEMA, epsilon=1, delta="1e-9")
    assert plan.estimate.engines == ()
    assert plan.estimate.minutes > 0


def test_more_declared_rows_take_longer_on_every_engine():
    def planned(rows):
        plan = dpsynth.synthesizer("mst").plan(
            dpsynth.Schema.from_dict({**SCHEMA.to_dict(), "expected_rows": rows}),
            epsilon=1,
            delta="1e-9",
        )
        return {each.engine: each for each in plan.estimate.engines}

    few, many = planned(10_000), planned(100_000_000)
    for name in ("frame", "files"):
        assert many[name].minutes > 20 * few[name].minutes
    assert many["database"].minutes is None
    assert many["database"].statements == few["database"].statements
    assert many["files"].mebibytes < many["frame"].mebibytes / 20


def test_the_bill_shows_what_each_engine_is_asked():
    from dpsynth.cli.plan import render

    plan = dpsynth.synthesizer("mst").plan(SCHEMA, epsilon=1, delta="1e-9")
    engines = [asdict(each) for each in plan.estimate.engines]
    lines = render({**plan.to_dict(), "engines": engines}).splitlines()
    shown = {line.split()[0]: line.split() for line in lines if line}
    planned = {each.engine: each for each in plan.estimate.engines}
    assert int(shown["files"][-2]) == planned["files"].statements == costs.FILE_READS
    assert int(shown["database"][-2]) == planned["database"].statements
    assert shown["database"][1:4] == ["by", "the", "server"]
