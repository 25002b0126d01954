"""What a fit asks of an engine, and what that takes: estimated from public facts alone.

The constants were measured by ``python benchmarks/scale/rows.py``, on one core, and are kept here
and nowhere else. What is measured on a file of persons never comes back here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from dpsynth.domain import Domain
from dpsynth.synthesizers.base import Step

STATEMENT_TABLES = 256  # that an engine counts in one statement at most
STATEMENT_CELLS = 1 << 24  # of them together
BYTES_A_VALUE = 8  # that a file's reader hands on, about
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
    """What holding the rows in one way takes, on one core.

    Attributes:
        seconds_a_value: to read, code and bound a cell of the table.
        seconds_a_count: to put a row into its cell of a table that is counted.
        mebibytes: of memory, beside the rows.
        bytes_a_value: of memory for a cell of the table.
        bytes_a_row: of memory for a row, beside its cells.
    """

    seconds_a_value: float
    seconds_a_count: float
    mebibytes: float
    bytes_a_value: float
    bytes_a_row: float


FRAME = Costs(
    seconds_a_value=3.2e-7,
    seconds_a_count=0.0,  # too little to tell from the rest
    mebibytes=0.0,
    bytes_a_value=48.0,
    bytes_a_row=0.0,
)
FILES = Costs(
    seconds_a_value=3.2e-7,
    seconds_a_count=1.8e-9,
    mebibytes=350.0,
    bytes_a_value=0.0,
    bytes_a_row=6.0,
)
FILE_READS = 2  # once for the codes, once for the persons that an audit may attack


@dataclass(frozen=True, kw_only=True)
class EngineEstimate:
    """What a fit takes where the rows are held by one engine.

    Attributes:
        engine: "frame" in memory; "files" read from disk, coded there and counted from there;
            "database" counts by itself, be it a server or Spark.
        minutes: of one core, for fit and sample; None where a server of unknown speed counts.
        mebibytes: peak memory of the process.
        statements: that read or count rows; a database is asked a few more, once, that bound its
            rows and digest them.
        bytes_moved: from the engine to the process: the cells of files; of a database, at most,
            cells of tables with their counts.
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
    values = rows * columns
    method = max(60 * minutes - values * FRAME.seconds_a_value, 0.0)
    left = max(mebibytes - values * FRAME.bytes_a_value / 2**20, 0.0)
    seconds = values * FILES.seconds_a_value + rows * tables * FILES.seconds_a_count
    held = (values * FILES.bytes_a_value + rows * FILES.bytes_a_row) / 2**20
    return (
        EngineEstimate(
            engine="frame", minutes=minutes, mebibytes=mebibytes, statements=0, bytes_moved=0
        ),
        EngineEstimate(
            engine="files",
            minutes=round((method + seconds) / 60, 3),
            mebibytes=round(left + FILES.mebibytes + held),
            statements=FILE_READS,
            bytes_moved=FILE_READS * BYTES_A_VALUE * values,
        ),
        EngineEstimate(
            engine="database",
            minutes=None,
            mebibytes=round(left),
            statements=sum(read.statements for read in reads),
            bytes_moved=BYTES_A_CELL * sum(min(c, rows) for read in reads for c in read.cells),
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
