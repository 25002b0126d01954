"""What a fit asks of an engine, and what that takes: estimated from public facts alone.

The constants were measured by ``python benchmarks/scale/costs.py``, on one core, and are kept here
and nowhere else. What is measured on a file of persons never comes back here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from dpsynth.domain import Domain
from dpsynth.synthesizers.base import Step

STATEMENT_TABLES = 256  # that an engine counts in one statement at most
STATEMENT_CELLS = 1 << 24  # of them together
BYTES_A_CELL = 16  # its number and its count; cells that hold no row do not travel


@dataclass(frozen=True, kw_only=True)
class Read:
    """One question to the rows: tables that are counted together.

    Attributes:
        cells: of each table, as declared. Where noisy answers merge codes before the question,
            there will be fewer.
    """

    cells: tuple[int, ...]

    @classmethod
    def of(cls, domain: Domain, cliques: Iterable[Sequence[str]]) -> "Read":
        """Return the question for these tables."""
        return cls(cells=tuple(domain.size(tuple(clique)) for clique in cliques))

    @classmethod
    def likely(cls, domain: Domain, *, pairs: int) -> "Read":
        """Return the question for so many pairs of columns, chosen later: of middling size."""
        sizes = sorted(domain.size(pair) for pair in combinations(domain.columns, 2))
        return cls(cells=(sizes[len(sizes) // 2],) * pairs if sizes else ())

    @classmethod
    def pairs(cls, domain: Domain) -> "Read":
        """Return the question for all pairs of columns that vary."""
        varied = [name for name in domain.columns if domain.sizes[name] > 1]
        return cls.of(domain, combinations(varied, 2))

    @property
    def statements(self) -> int:
        """How many an engine needs."""
        found, tables, held = 0, 0, 0
        for cells in self.cells:
            if not found or tables == STATEMENT_TABLES or held + cells > STATEMENT_CELLS:
                found, tables, held = found + 1, 0, 0
            tables, held = tables + 1, held + cells
        return found


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What an engine takes, on one core.

    Attributes:
        name: of the engine.
        seconds: to open it, once.
        seconds_a_value: to code and bound a cell of the table.
        seconds_a_count: to put a row into its cell of a table.
        seconds_a_statement: beside what its rows take.
        mebibytes: of memory beside the rows.
        bytes_a_value: of memory for a cell of the table.
        statements: to open the table and bound its rows.
    """

    name: str
    seconds: float
    seconds_a_value: float
    seconds_a_count: float
    seconds_a_statement: float
    mebibytes: float
    bytes_a_value: float
    statements: int


FRAME = Costs(
    name="frame",
    seconds=0.0,
    seconds_a_value=3.2e-7,
    seconds_a_count=0.0,
    seconds_a_statement=0.0,
    mebibytes=0.0,
    bytes_a_value=48.0,
    statements=0,
)
DUCKDB = Costs(
    name="duckdb",
    seconds=0.5,
    seconds_a_value=1.5e-7,
    seconds_a_count=2.5e-8,
    seconds_a_statement=0.01,
    mebibytes=300.0,
    bytes_a_value=0.0,
    statements=0,
)


@dataclass(frozen=True, kw_only=True)
class EngineEstimate:
    """What a fit takes where the rows are held by one engine.

    Attributes:
        engine: its name.
        minutes: of one core, for fit and sample; None where a server of unknown speed counts.
        mebibytes: peak memory of the process.
        statements: that count rows; those that open the table and bound its rows come on top.
        bytes_moved: from the engine to the process, at most: cells with their counts.
    """

    engine: str
    minutes: float | None
    mebibytes: float
    statements: int
    bytes_moved: int


def engine_estimates(
    reads: Sequence[Read], *, rows: int, columns: int, minutes: float, mebibytes: float
) -> tuple[EngineEstimate, ...]:
    """Estimate a fit by engine.

    Args:
        reads: the questions, in order.
        rows: declared, as ``expected_rows``.
        columns: that are modeled.
        minutes: with the rows in memory.
        mebibytes: likewise.
    """
    tables = sum(len(read.cells) for read in reads)
    moved = BYTES_A_CELL * sum(min(cells, rows) for read in reads for cells in read.cells)
    statements = sum(read.statements for read in reads)
    values = rows * columns
    rest = 60 * minutes - values * FRAME.seconds_a_value
    seconds = (
        max(rest, 0.0)
        + DUCKDB.seconds
        + values * DUCKDB.seconds_a_value
        + rows * tables * DUCKDB.seconds_a_count
        + statements * DUCKDB.seconds_a_statement
    )
    left = mebibytes - values * FRAME.bytes_a_value / 2**20
    held = max(left, 0.0) + DUCKDB.mebibytes + values * DUCKDB.bytes_a_value / 2**20
    return (
        EngineEstimate(
            engine=FRAME.name,
            minutes=minutes,
            mebibytes=mebibytes,
            statements=0,
            bytes_moved=0,
        ),
        EngineEstimate(
            engine=DUCKDB.name,
            minutes=round(seconds / 60, 3),
            mebibytes=round(held),
            statements=statements,
            bytes_moved=moved,
        ),
        EngineEstimate(
            engine="database",
            minutes=None,
            mebibytes=round(max(left, 0.0)),
            statements=statements,
            bytes_moved=moved,
        ),
    )


def one_way_reads(domain: Domain, steps: Sequence[Step], phase: str) -> tuple[Read, ...]:
    """Return the questions of histograms: columns that share a scale are counted together."""
    named = {f"{kind}({name})": name for name in domain.columns for kind in ("marginal", "bins")}
    by_event: dict[object, list[tuple[str]]] = {}
    for step in steps:
        if step.phase == phase and step.label in named:
            by_event.setdefault(step.event, []).append((named[step.label],))
    return tuple(Read.of(domain, cliques) for cliques in by_event.values())
