"""The model: consistent tables over the cliques of a junction tree, and what follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError
from dpsynth.models.graphical.sampling import draw_in_groups
from dpsynth.models.graphical.tables import Array
from dpsynth.models.graphical.tree import Clique, Node, junction_tree

FORMAT = "dpsynth-graphical/1"
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

    Raises:
        ValueError: the tables do not describe one distribution.
    """

    domain: Domain
    total: float
    probabilities: Mapping[Clique, Array]
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
        object.__setattr__(self, "probabilities", dict(self.probabilities))
        object.__setattr__(self, "_nodes", nodes)
        for node in nodes:
            if node.parent is not None:
                above = _onto(self.probabilities, nodes[node.parent].clique, node.separator)
                here = _onto(self.probabilities, node.clique, node.separator)
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
        """
        wanted = tuple(clique)
        if not wanted or len(set(wanted)) != len(wanted):
            raise ValueError("clique must name at least one column, each once")
        for name in wanted:
            if name not in self.domain.sizes:
                raise KeyError(f"not in the domain: {name!r}")
        return self.total * self._eliminate(wanted)

    def sample(self, rows: int, rng: np.random.Generator) -> dict[str, NDArray[np.unsignedinteger]]:
        """Draw rows, their marginals as close to the model's as rounding to whole rows allows.

        Args:
            rows: how many, at least 0.
            rng: post-processing randomness; the same generator state gives the same rows.

        Returns:
            Codes by column, in the domain's order, in the narrowest unsigned type.
        """
        if rows < 0:
            raise ValueError("rows must be at least 0")
        drawn: dict[str, NDArray[np.unsignedinteger]] = {}
        for node in self._nodes:
            shape = self.domain.shape(node.separator)
            groups: NDArray[np.integer] = np.zeros(rows, np.uint8)
            if node.separator:
                parts = tuple(drawn[name] for name in node.separator)
                groups = parts[0] if len(parts) == 1 else np.ravel_multi_index(parts, shape)
            table = self.probabilities[node.clique].transpose(
                [node.clique.index(name) for name in (*node.separator, *node.new)]
            )
            codes = draw_in_groups(table.reshape(int(np.prod(shape)), -1), groups, rng)
            drawn.update(_split(codes, node.new, self.domain))
        return {name: drawn[name] for name in self.domain.columns}

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return a JSON-able header and the arrays it names; ``from_arrays`` reads both."""
        header = {
            "format": FORMAT,
            "total": float(self.total),
            "sizes": [[name, size] for name, size in self.domain.sizes.items()],
            "cliques": [list(clique) for clique in self.cliques],
        }
        tables = enumerate(self.probabilities.values())
        return header, {f"table_{index}": table for index, table in tables}

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """Read what ``to_arrays`` wrote.

        Raises:
            IntegrityError: the header or an array is not that of a model.
        """
        if header.get("format") != FORMAT:
            raise IntegrityError(f"the model is not in the format {FORMAT}")
        try:
            domain = Domain(sizes={str(name): int(size) for name, size in header["sizes"]})
            cliques = [tuple(str(name) for name in clique) for clique in header["cliques"]]
            if set(arrays) != {f"table_{index}" for index in range(len(cliques))}:
                raise ValueError("the arrays are not those that the header names")
            return cls(
                domain=domain,
                total=float(header["total"]),
                probabilities={
                    clique: np.asarray(arrays[f"table_{index}"], dtype=np.float64)
                    for index, clique in enumerate(cliques)
                },
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"the model does not describe a distribution: {error}") from error

    def _eliminate(self, wanted: Clique) -> Array:
        """Sum everything but ``wanted`` out of the smallest subtree that holds it.

        Leaves first, every node sends its parent a table over their separator and the wanted
        columns beneath: its own conditional given the separator, times what it was sent.
        """
        home = {name: at for at, node in enumerate(self._nodes) for name in node.new}
        pending = {home[name] for name in wanted}
        sent: dict[int, list[tuple[Clique, Array]]] = {}
        while True:
            at = max(pending)  # parents stand before children
            pending.remove(at)
            node = self._nodes[at]
            factors = [(node.clique, self.probabilities[node.clique]), *sent.pop(at, [])]
            present = {name for columns, _ in factors for name in columns}
            if not pending:
                return _product(factors, keep=wanted)
            assert node.parent is not None, "the root is the smallest position, so it comes last"
            beneath = tuple(n for n in wanted if n in present and n not in node.separator)
            keep = (*node.separator, *beneath)
            message = _product(factors, keep=keep)
            margin = _onto(self.probabilities, node.clique, node.separator)
            margin = margin.reshape(margin.shape + (1,) * len(beneath))
            conditional = np.divide(message, margin, out=np.zeros_like(message), where=margin > 0)
            sent.setdefault(node.parent, []).append((keep, conditional))
            pending.add(node.parent)


def _product(factors: Sequence[tuple[Clique, Array]], *, keep: Clique) -> Array:
    """Multiply tables and sum out every column that is not kept."""
    number: dict[str, int] = {}
    operands: list[Any] = []
    for columns, values in factors:
        operands += [values, [number.setdefault(name, len(number)) for name in columns]]
    product = np.einsum(*operands, [number[name] for name in keep], optimize=True)
    return np.asarray(product, dtype=np.float64)


def _onto(tables: Mapping[Clique, Array], clique: Clique, columns: Clique) -> Array:
    return _product([(clique, tables[clique])], keep=columns)


def _split(
    codes: NDArray[np.unsignedinteger], columns: Clique, domain: Domain
) -> dict[str, NDArray[np.unsignedinteger]]:
    """Take joint codes over ``columns`` apart."""
    if len(columns) == 1:
        return {columns[0]: codes}
    parts = np.unravel_index(codes, domain.shape(columns))
    return {
        name: part.astype(np.min_scalar_type(domain.sizes[name] - 1))
        for name, part in zip(columns, parts, strict=True)
    }
