"""The model: consistent tables over the cliques of a junction tree, and what follows from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.graphical.blocks import drawn_alone, drawn_in_blocks
from dpsynth.models.graphical.elimination import cells_on_the_way, eliminate, onto, product
from dpsynth.models.graphical.raking import Correction, candidates_for, corrected
from dpsynth.models.graphical.tables import Array, NoisyTable
from dpsynth.models.graphical.tree import Clique, Node, junction_tree
from dpsynth.models.protocol import CORRECTED_ROWS, Codes, in_parts, joined

FORMAT = "dpsynth-graphical/1"
_ANSWER = ("measured", "variance")  # the arrays of one noisy answer
_TOLERANCE = 1e-6  # by which probabilities read from a file may disagree


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphicalModel:
    """A distribution over all columns, written as tables over cliques of few columns.

    Columns are independent given the columns that their cliques share. Holds noisy, released
    numbers only: it may be saved, published and sampled without end.

    Args:
        domain: columns and sizes.
        total: number of rows, estimated with noise; above 0.
        probabilities: table by clique, each summing to 1, agreeing on what cliques share, and
            together covering every column.
        corrections: tables that the cliques do not express, which whole samples are re-weighted
            to. Marginals, likelihoods and conditional samples come from the cliques alone.
        measured: the noisy answers that the model was made from, with their known noise: what
            ``posterior.redrawn`` needs to tell how far off the model may be.

    Raises:
        ValueError: the tables do not describe one distribution.
    """

    kind: ClassVar[str] = "graphical"
    domain: Domain
    total: float
    probabilities: Mapping[Clique, Array]
    corrections: Sequence[Correction] = ()
    measured: Sequence[NoisyTable] = ()
    _nodes: tuple[Node, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.total) and self.total > 0):
            raise ValueError("total must be a number above 0")
        nodes = junction_tree(tuple(self.probabilities))
        if {name for node in nodes for name in node.clique} != set(self.domain.columns):
            raise ValueError("the cliques must cover exactly the columns of the domain")
        for clique, table in self.probabilities.items():
            if table.shape != self.domain.shape(clique):
                raise ValueError(f"the table over {', '.join(clique)} does not fit the domain")
            if not (np.isfinite(table).all() and (table >= 0).all()):
                raise ValueError("probabilities must be finite and non-negative")
            if abs(float(table.sum()) - 1) > _TOLERANCE:
                raise ValueError("probabilities must sum to 1 in every table")
        for correction in self.corrections:
            if correction.shares.shape != self.domain.shape(correction.clique):
                raise ValueError("a correction does not fit the domain")
        for answer in self.measured:
            if answer.values.shape != self.domain.shape(answer.clique):
                raise ValueError("a measured table does not fit the domain")
        object.__setattr__(self, "measured", tuple(self.measured))
        object.__setattr__(self, "corrections", tuple(self.corrections))
        object.__setattr__(self, "probabilities", dict(self.probabilities))
        object.__setattr__(self, "_nodes", nodes)
        for node in nodes:
            if node.parent is not None:
                above = onto(self.probabilities, nodes[node.parent].clique, node.separator)
                here = onto(self.probabilities, node.clique, node.separator)
                if float(np.abs(above - here).sum()) > _TOLERANCE:
                    raise ValueError("cliques must agree on the columns that they share")

    @property
    def cliques(self) -> tuple[Clique, ...]:
        """Columns of each table."""
        return tuple(self.probabilities)

    def marginal(self, clique: Sequence[str]) -> Array:
        """Return expected rows per cell over any columns, whether or not in one clique.

        Args:
            clique: one or more columns, each once. Time and memory grow with the cells of
                ``clique`` times the columns between its members: pairs and triples are cheap.

        Returns:
            Shape ``domain.shape(clique)``, non-negative, of sum ``total``.

        Raises:
            KeyError: a column that the domain does not have.
            UsageError: a table on the way would be too large to make; none was made.
        """
        wanted = tuple(clique)
        if not wanted or len(set(wanted)) != len(wanted):
            raise ValueError("clique must name at least one column, each once")
        for name in wanted:
            if name not in self.domain.sizes:
                raise KeyError(f"not in the domain: {name!r}")
        tables = self.probabilities
        return self.total * eliminate(self.domain, self._nodes, tables, wanted)

    def cells_on_the_way(self, clique: Sequence[str]) -> int:
        """Return the cells of the largest table that ``marginal`` would make for these columns."""
        return cells_on_the_way(self.domain, self._nodes, tuple(clique))

    def sample(
        self,
        rows: int,
        rng: np.random.Generator,
        *,
        given: Mapping[str, int] | None = None,
        likelihood: Mapping[Clique, Array] | None = None,
    ) -> Codes:
        """Draw rows, their marginals as close to the model's as rounding to whole rows allows.

        Where there are corrections, more rows than wanted are drawn from the cliques, weighted to
        the corrections, and taken by weight; rows are then exchanged until the corrected tables
        and all columns are met up to what whole rows leave.

        Args:
            rows: how many, at least 0.
            rng: post-processing randomness; the same generator state gives the same rows.
            given: codes that all rows must have, by column. The rows then follow the conditional
                distribution of the cliques exactly, however rare that is; corrections, which
                are tables of whole samples, have no part in it.
            likelihood: tables over columns of one clique each, in [0, 1]: the chance that a row
                with these codes is to be kept. The rows follow the distribution of what is kept.

        Returns:
            Codes by column, in the domain's order, in the narrowest unsigned type.

        Raises:
            KeyError: ``given`` names a column that the domain does not have.
            ValueError: a given code is not in its column's domain, no clique holds the columns of
                a likelihood, or the model holds all of them together impossible.
        """
        return joined(self.blocks(rows, rng, given=given, likelihood=likelihood))

    def blocks(
        self,
        rows: int,
        rng: np.random.Generator,
        *,
        given: Mapping[str, int] | None = None,
        likelihood: Mapping[Clique, Array] | None = None,
    ) -> Iterator[Codes]:
        """Yield the rows of ``sample`` in parts, without ever holding all of them; the same rows.

        Every table of the cliques is met as closely as whole rows allow in all blocks together,
        or, beyond that many, in every 2**29 rows. Corrections are followed in every 2**20 rows by
        themselves.
        """
        if rows < 0:
            raise ValueError("rows must be at least 0")
        if given or likelihood:
            tables, chance = self._conditioned(self._evidence(given or {}), likelihood or {})
            if not np.isfinite(chance):
                raise ValueError("the model holds what is given impossible")
        else:
            tables = [self.probabilities[node.clique] for node in self._nodes]
            if self.corrections and rows:
                return self._corrected(tables, rows, rng)
        return drawn_in_blocks(self._nodes, tables, self.domain, rows, rng)

    def _corrected(
        self, tables: Sequence[Array], rows: int, rng: np.random.Generator
    ) -> Iterator[Codes]:
        """Yield parts of a sample, each held against the corrections."""
        columns = {name: self.marginal((name,)) / self.total for name in self.domain.columns}
        held, others = self._held_first()
        for part in in_parts(rows, CORRECTED_ROWS):
            wanted = candidates_for(part)
            candidates = joined(drawn_in_blocks(self._nodes, tables, self.domain, wanted, rng))
            taken = corrected(
                candidates,
                self.domain,
                [*held, *others],
                columns,
                total=self.total,
                rows=part,
                rng=rng,
                held=len(held),
            )
            yield {name: codes[taken] for name, codes in candidates.items()}

    def draw_independent(self, rows: int, rng: np.random.Generator) -> Codes:
        """Draw every row on its own from the cliques, as persons come from a population.

        ``sample`` keeps marginals closer to the model's than independent rows would be, which is
        what a table to look at is wanted for. The errors of such a table are smaller than what
        formulas for independent rows expect; combining rules over several copies need these.

        Args:
            rows: how many, at least 0.
            rng: post-processing randomness.
        """
        tables = [self.probabilities[node.clique] for node in self._nodes]
        return drawn_alone(self._nodes, tables, self.domain, rows, rng)

    def _held_first(self) -> tuple[list[Correction], list[Correction]]:
        """Return the corrections that some clique holds, and the others."""
        held: list[Correction] = []
        others: list[Correction] = []
        for each in self.corrections:
            inside = any(set(each.clique) <= set(node.clique) for node in self._nodes)
            (held if inside else others).append(each)
        return held, others

    def check_held(self, likelihood: Mapping[Clique, Array]) -> None:
        """Refuse a condition that bears on more columns together than a clique holds.

        Raises:
            UsageError: in one sentence.
        """
        for names in likelihood:
            if not any(set(names) <= set(clique) for clique in self.cliques):
                raise UsageError(
                    f"the rules order {', '.join(map(repr, names))} among each other, and the "
                    "model cannot weigh a part of a bin of one of them exactly: give whole bins, "
                    "or none"
                )

    def log_chance(self, likelihood: Mapping[Clique, Array]) -> float:
        """Return the natural logarithm of the share of rows kept; see ``sample``.

        Raises:
            ValueError: no clique holds the columns of a likelihood.
        """
        return self._conditioned({}, likelihood)[1]

    def _evidence(self, given: Mapping[str, int]) -> dict[Clique, Array]:
        """Write given codes as tables that are 1 there and 0 elsewhere."""
        found: dict[Clique, Array] = {}
        for name, code in given.items():
            if name not in self.domain.sizes:
                raise KeyError(f"not in the domain: {name!r}")
            if not 0 <= code < self.domain.sizes[name]:
                raise ValueError(f"the column {name!r} has no code {code}")
            found[name,] = (np.arange(self.domain.sizes[name]) == code).astype(np.float64)
        return found

    def _conditioned(
        self, evidence: Mapping[Clique, Array], likelihood: Mapping[Clique, Array]
    ) -> tuple[list[Array], float]:
        """Return each node's table given what bears on it and beneath it, up to a factor.

        With it comes the logarithm of the share of rows that is left, minus infinity if none is.
        """
        tables = [self.probabilities[node.clique] for node in self._nodes]
        for clique, table in [*evidence.items(), *likelihood.items()]:
            if table.shape != self.domain.shape(clique):
                raise ValueError(f"a likelihood over {', '.join(clique)} does not fit the domain")
            homes = [at for at, node in enumerate(self._nodes) if set(clique) <= set(node.clique)]
            if not homes:
                raise ValueError(f"no clique of the model holds {', '.join(clique)} together")
            at = min(homes, key=lambda home: tables[home].size)
            home = self._nodes[at].clique
            tables[at] = product([(home, tables[at]), (clique, table)], keep=home)
        log_chance = 0.0
        for at in range(len(self._nodes) - 1, 0, -1):
            node = self._nodes[at]
            assert node.parent is not None, "only the first node has no parent"
            if tables[at] is self.probabilities[node.clique]:
                continue  # nothing bears on it: it leaves its parent as it is
            parent = self._nodes[node.parent].clique
            beneath = product([(node.clique, tables[at])], keep=node.separator)
            margin = onto(self.probabilities, node.clique, node.separator)
            kept = np.divide(beneath, margin, out=np.zeros_like(beneath), where=margin > 0)
            table = product([(parent, tables[node.parent]), (node.separator, kept)], keep=parent)
            top = float(table.max())
            if not top > 0:
                return tables, -np.inf
            log_chance += float(np.log(top))
            tables[node.parent] = table / top
        left = float(tables[0].sum())
        return tables, log_chance + float(np.log(left)) if left > 0 else -np.inf

    def log_likelihood(self, codes: Mapping[str, NDArray[np.integer]]) -> Array:
        """Return the natural logarithm of every record's probability under the cliques.

        Args:
            codes: by column of the domain, each of shape ``(records,)``.

        Returns:
            Shape ``(records,)``; minus infinity where the model holds a record impossible.
        """
        with np.errstate(divide="ignore"):
            found = np.zeros(next(iter(codes.values())).size)
            for node in self._nodes:
                held = self.probabilities[node.clique][tuple(codes[name] for name in node.clique)]
                found += np.log(held)
                if node.separator:
                    margin = onto(self.probabilities, node.clique, node.separator)
                    below = np.log(margin[tuple(codes[name] for name in node.separator)])
                    found -= np.where(np.isfinite(below), below, 0.0)
        return found

    def with_zeros(self, domain: Domain) -> Self:
        """Return the model over ``domain``, the same columns with structural zeros.

        Raises:
            ValueError: it gives something forbidden a chance.
        """
        from dpsynth.models.graphical.zeros import keeps_zeros

        ruled = replace(self, domain=domain)
        if not keeps_zeros(ruled):
            raise ValueError("the model breaks a rule of its schema")
        return ruled

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return a JSON-able header and the arrays it names; ``from_arrays`` reads both."""
        header: dict[str, Any] = {
            "format": FORMAT,
            "total": float(self.total),
            "sizes": [[name, size] for name, size in self.domain.sizes.items()],
            "cliques": [list(clique) for clique in self.cliques],
        }
        arrays = {
            f"table_{index}": table for index, table in enumerate(self.probabilities.values())
        }
        # Written only where there are any, so that models of before and without read alike.
        if self.domain.ordered:
            header["ordered"] = sorted(self.domain.ordered)
        if self.corrections:
            header["corrections"] = [
                {"clique": list(each.clique), "stddev": float(each.stddev)}
                for each in self.corrections
            ]
            arrays |= {
                f"correction_{index}": each.shares for index, each in enumerate(self.corrections)
            }
        if self.measured:
            header["measured"] = [list(each.clique) for each in self.measured]
            for index, each in enumerate(self.measured):
                arrays |= {f"measured_{index}": each.values, f"variance_{index}": each.variance}
        return header, arrays

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """Read what ``to_arrays`` wrote.

        Raises:
            IntegrityError: the header or an array is not that of a model.
        """
        if header.get("format") != FORMAT:
            raise IntegrityError(f"the model is not in the format {FORMAT}")
        try:
            domain = Domain(
                sizes={str(name): int(size) for name, size in header["sizes"]},
                ordered=frozenset(str(name) for name in header.get("ordered", ())),
            )
            cliques = [tuple(str(name) for name in clique) for clique in header["cliques"]]
            corrections = header.get("corrections", ())
            named = {f"table_{index}" for index in range(len(cliques))}
            named |= {f"correction_{index}" for index in range(len(corrections))}
            measured = header.get("measured", ())
            named |= {f"{part}_{n}" for part in _ANSWER for n in range(len(measured))}
            if set(arrays) != named:
                raise ValueError("the arrays are not those that the header names")
            return cls(
                domain=domain,
                total=float(header["total"]),
                probabilities={
                    clique: np.asarray(arrays[f"table_{index}"], dtype=np.float64)
                    for index, clique in enumerate(cliques)
                },
                corrections=[
                    Correction(
                        clique=tuple(str(name) for name in each["clique"]),
                        shares=np.asarray(arrays[f"correction_{index}"], dtype=np.float64),
                        stddev=float(each["stddev"]),
                    )
                    for index, each in enumerate(corrections)
                ],
                measured=[
                    NoisyTable(
                        clique=tuple(str(name) for name in clique),
                        values=np.asarray(arrays[f"measured_{index}"], dtype=np.float64),
                        variance=np.asarray(arrays[f"variance_{index}"], dtype=np.float64),
                    )
                    for index, clique in enumerate(measured)
                ],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"the model does not describe a distribution: {error}") from error
