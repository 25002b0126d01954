"""Rows of a network held against noisy tables that are paid for already.

A network trained by noisy gradients drifts off the shares of single codes, and off pairs that were
measured. Of more rows than are wanted, those are taken whose tables come closest. Nothing is read
but released numbers: free of charge, and no row appears that the network has not drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.denoise import smooth_histogram, smooth_ordered
from dpsynth.models.graphical.estimation import pooled, project_to_simplex
from dpsynth.models.graphical.fusing import Codes
from dpsynth.models.graphical.raking import Correction, corrected
from dpsynth.models.graphical.reconciling import reconciled
from dpsynth.models.graphical.tables import Array, NoisyTable

_TIMES = 2  # as many candidates as rows
_MORE_TIMES = 4  # where there are more tables of several columns than columns
_FEWEST = 8_000  # candidates
_MOST = 150_000  # candidates, unless more rows are wanted
_DOUBT = 2.0  # times the squared distance that noise alone brings about, that is left as it is


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What whole samples are to follow: released numbers, as public as the network.

    Args:
        total: number of rows that the noise refers to, above 0.
        tables: shares over one column or several, each clique once, with their noise. Those of
            one column are met, the others followed as far as their noise lets them be believed.

    Raises:
        ValueError: the total is not above 0, or a clique comes twice.
    """

    total: float
    tables: Sequence[Correction]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.total) and self.total > 0):
            raise ValueError("total must be a number above 0")
        cliques = [frozenset(each.clique) for each in self.tables]
        if len(set(cliques)) < len(cliques):
            raise ValueError("targets hold each clique once")
        # As precise as the file: a model that was read again draws the same rows.
        rounded = [replace(each, shares=_as_saved(each.shares)) for each in self.tables]
        object.__setattr__(self, "tables", tuple(rounded))

    @classmethod
    def of(cls, measured: Sequence[NoisyTable], domain: Domain, *, total: float) -> Self:
        """Make targets of noisy tables.

        Tables are brought to agree on every column by least squares. What is left of the noise in
        single columns is smoothed: along their order where they have one, else toward where most
        of their codes lie.

        Args:
            measured: tables of one column, and of pairs of these columns; a clique measured twice
                counts twice.
            domain: of the codes.
            total: number of rows, estimated with noise.

        Raises:
            ValueError: a table does not fit the domain, is over three columns or more, or over
                a column without histogram.
        """
        for table in measured:
            if table.values.shape != domain.shape(table.clique):
                raise ValueError(f"the table over {', '.join(table.clique)} does not fit")
        by_clique: dict[tuple[str, ...], list[NoisyTable]] = {}
        for table in measured:
            by_clique.setdefault(table.clique, []).append(table)
        joined = [pooled(tables) for tables in by_clique.values()]
        histograms = {table.clique[0]: table for table in joined if len(table.clique) == 1}
        pairs = [table for table in joined if len(table.clique) > 1]
        for table in pairs:
            if len(table.clique) > 2 or not set(table.clique) <= set(histograms):
                raise ValueError("tables must be over two columns, each with a histogram")
        alone = {name: np.arange(domain.sizes[name]) for name in histograms}
        histograms, pairs = reconciled(histograms, alone, pairs)
        columns = [
            _column(table, total, ordered=table.clique[0] in domain.ordered)
            for table in histograms.values()
        ]
        return cls(total=total, tables=[*columns, *(_pair(table, total) for table in pairs)])

    @property
    def columns(self) -> dict[str, Array]:
        """Shares of every code, by column that was measured alone."""
        return {each.clique[0]: each.shares for each in self.tables if len(each.clique) == 1}

    def candidates_for(self, rows: int) -> int:
        """Return how many rows to draw from a network in order to leave ``rows`` of them.

        The more, the closer the result can come to all tables; a network draws slower than a tree.
        """
        columns = len(self.columns)
        times = _TIMES if len(self.tables) <= 2 * columns else _MORE_TIMES
        return max(rows, _FEWEST, min(times * rows, _MOST))

    def require_fits(self, domain: Domain) -> None:
        """Raise ValueError unless every table is over columns of ``domain`` and their codes."""
        for each in self.tables:
            if not set(each.clique) <= set(domain.sizes):
                raise ValueError("a table is over a column that the domain does not have")
            if each.shares.shape != domain.shape(each.clique):
                raise ValueError(f"the table over {', '.join(each.clique)} does not fit the domain")

    def taken(
        self, codes: Codes, domain: Domain, *, rows: int, rng: np.random.Generator
    ) -> NDArray[np.intp]:
        """Return which of the rows to take, some more than once, in random order.

        Rows are weighted, drawn by weight, and exchanged for others while that lessens the error
        of all tables together. A column is moved only as far as its distance from what was
        measured exceeds what noise explains; where the weights that pairs ask for would add more
        noise to other pairs than they move in these, columns alone are followed.

        Args:
            codes: candidates, by column; ``candidates_for(rows)`` many of them.
            domain: of the codes.
            rows: how many to take; at least 1 where there are candidates.
            rng: post-processing randomness.

        Source:
            Of the columns: James and Stein (1961), "Estimation with quadratic loss", shrinking
            what was measured toward what the network says.
        """
        columns = {}
        for name, size in domain.sizes.items():
            own = np.bincount(codes[name], minlength=size) / codes[name].size
            columns[name] = own
            for each in self.tables:
                if each.clique == (name,):
                    columns[name] = _between(own, each)
        pairs = [each for each in self.tables if len(each.clique) > 1]
        return corrected(codes, domain, pairs, columns, total=self.total, rows=rows, rng=rng)

    def header(self) -> dict[str, Any]:
        """Return what the arrays are made by, JSON-able; their shapes follow with the domain's."""
        tables = [{"columns": list(t.clique), "stddev": float(t.stddev)} for t in self.tables]
        return {"total": float(self.total), "tables": tables}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays, by name."""
        return {f"table_{at}": t.shares.astype(np.float32) for at, t in enumerate(self.tables)}

    @classmethod
    def shapes(
        cls, header: Mapping[str, Any], sizes: Mapping[str, int]
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array of a header; makes no array.

        Raises:
            KeyError: the header lacks something, or names a column that ``sizes`` does not.
        """
        return {
            f"table_{at}": tuple(sizes[name] for name in each["columns"])
            for at, each in enumerate(header["tables"])
        }

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what ``header`` and ``arrays`` wrote.

        Raises:
            KeyError: something is missing.
            ValueError: the numbers are no targets.
        """
        tables = [
            Correction(
                clique=tuple(str(name) for name in each["columns"]),
                shares=arrays[f"table_{at}"].astype(np.float64),
                stddev=float(each["stddev"]),
            )
            for at, each in enumerate(header["tables"])
        ]
        return cls(total=float(header["total"]), tables=tables)


def _as_saved(shares: Array) -> Array:
    return shares.astype(np.float32).astype(np.float64)


def _column(table: NoisyTable, total: float, *, ordered: bool) -> Correction:
    stddev = float(np.sqrt(table.variance.max()))
    smooth = (smooth_ordered if ordered else smooth_histogram)(table.values, stddev)
    rows = project_to_simplex(smooth, np.ones(smooth.size), total=total)
    return Correction(clique=table.clique, shares=rows / rows.sum(), stddev=stddev / total)


def _pair(table: NoisyTable, total: float) -> Correction:
    stddev = float(np.sqrt(table.variance.max())) / total
    return Correction(clique=table.clique, shares=table.values / total, stddev=stddev)


def _between(own: Array, measured: Correction) -> Array:
    """Return shares between a network's own and the measured ones: these, if they are clear."""
    apart = measured.shares - own
    squares = float(apart @ apart)
    chance = _DOUBT * own.size * measured.stddev**2
    part = max(1 - chance / squares, 0.0) if squares > 0 else 0.0
    shares = np.maximum(own + part * apart, 0.0)
    return np.asarray(shares / shares.sum())
