"""Rows of a tree of tables, block by block: the same law as all at once, in bounded memory."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.fusing import places_of
from dpsynth.models.graphical.sampling import Urn, apportioned, draw_each_alone
from dpsynth.models.graphical.tables import Array
from dpsynth.models.graphical.tree import Clique, Node
from dpsynth.models.protocol import Codes, in_parts

BLOCK_ROWS = 1 << 17  # of one draw: its codes stay in a processor's cache
SECTION_ROWS = 1 << 29  # that are rounded together; what counts them is exact below 10**9


def drawn_in_blocks(
    nodes: Sequence[Node],
    tables: Sequence[Array],
    domain: Domain,
    rows: int,
    rng: np.random.Generator,
) -> Iterator[Codes]:
    """Yield blocks of rows of a junction tree, in the order of its nodes.

    In every section of 2**29 rows, and so in every smaller sample, each table is met as closely
    as whole rows allow, whatever the blocks: see ``Urn``.

    Args:
        nodes: of the tree, each after its parent.
        tables: weights over each node's clique.
        domain: the columns and their sizes.
        rows: in all, at least 0.
        rng: post-processing randomness.
    """
    for section in in_parts(rows, SECTION_ROWS):
        draw = _Draw(nodes, tables, domain, section)
        for block in in_parts(section, BLOCK_ROWS):
            yield draw.block(block, rng)


def drawn_alone(
    nodes: Sequence[Node],
    tables: Sequence[Array],
    domain: Domain,
    rows: int,
    rng: np.random.Generator,
) -> Codes:
    """Return rows of a junction tree, each drawn on its own; see ``drawn_in_blocks``."""
    drawn: Codes = {}
    for node, table in zip(nodes, tables, strict=True):
        groups = _groups(node, drawn, domain, rows)
        codes = draw_each_alone(_by_separator(node, table), groups, rng)
        drawn.update(_split(codes, node.new, domain))
    return {name: drawn[name] for name in domain.columns}


class _Draw:
    """One section: how often each cell comes is settled when the first block asks."""

    def __init__(
        self, nodes: Sequence[Node], tables: Sequence[Array], domain: Domain, rows: int
    ) -> None:
        self._nodes = nodes
        self._domain = domain
        self._rows = rows
        self._weights = [
            _by_separator(node, table) for node, table in zip(nodes, tables, strict=True)
        ]
        self._counts: list[NDArray[np.int64]] = []
        self._urns: list[Urn] = []

    def block(self, rows: int, rng: np.random.Generator) -> Codes:
        drawn: Codes = {}
        for at, node in enumerate(self._nodes):
            if at == len(self._urns):
                self._settle(at, rng)
            groups = _groups(node, drawn, self._domain, rows)
            drawn.update(_split(self._urns[at].draw(groups, rng), node.new, self._domain))
        return {name: drawn[name] for name in self._domain.columns}

    def _settle(self, at: int, rng: np.random.Generator) -> None:
        node, sizes = self._nodes[at], np.array([self._rows])
        if node.parent is not None and node.separator:
            above = self._nodes[node.parent]
            columns = (*above.separator, *above.new)
            counts = self._counts[node.parent].reshape(self._domain.shape(columns))
            others = tuple(axis for axis, name in enumerate(columns) if name not in node.separator)
            left = [name for name in columns if name in node.separator]
            summed = counts.sum(axis=others)
            sizes = summed.transpose([left.index(name) for name in node.separator]).ravel()
        counts = apportioned(self._weights[at], sizes, rng)
        self._counts.append(counts)
        self._urns.append(Urn(counts))


def _groups(node: Node, drawn: Codes, domain: Domain, rows: int) -> NDArray[np.integer]:
    """Return which line of its node's table each row is drawn from."""
    return places_of(drawn, domain, node.separator) if node.separator else np.zeros(rows, np.uint8)


def _by_separator(node: Node, table: Array) -> Array:
    """Return a table as lines, one for each cell of the separator."""
    turned = table.transpose([node.clique.index(name) for name in (*node.separator, *node.new)])
    lines = int(np.prod(turned.shape[: len(node.separator)], dtype=np.int64))
    return turned.reshape(lines, -1)


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
