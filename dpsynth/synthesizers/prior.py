"""Public knowledge about a table: of a type of its own, so that nothing private passes for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import combinations
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.models.graphical.answers import expected_tables
from dpsynth.models.graphical.convex import fit_cliques
from dpsynth.models.graphical.estimation import pooled, project_to_simplex
from dpsynth.models.graphical.propagation import canonical_order
from dpsynth.models.graphical.tables import Array, NoisyTable
from dpsynth.models.graphical.tree import Clique, SpanningForest
from dpsynth.models.graphical.triangulation import GrowingGraph

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.encoding.codec import Codec
    from dpsynth.schema import Schema

Groups = NDArray[np.int64]

MOST_STRENGTH = 1_000  # private rows that a public table counts for, where nobody says more
_DOUBT = 0.1  # of an even share, that no prior is sure of
_LEAST_RATIO = 0.01  # of what independence expects, that a relation leaves of a cell
_TOLERANCE = 1e-6  # by which given shares may miss a sum of 1


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PublicPrior:
    """What was known of the columns before any private row was read, and who says so.

    Made by ``from_table`` or ``from_shares``, never from the table that is to be protected: what a
    prior holds enters the model with no noise and no charge. Its source is a required statement,
    which the plan, the model and the certificate repeat.

    Attributes:
        source: where the knowledge was published, in words.
        strength: how many private rows it counts for, at least 1, where columns are concerned;
            relations are what private tables are shrunk toward, and give way to them.
        rows: public rows that it was counted on; None for a rule.
        columns: share of every declared code, by column.
        pairs: share of every combination of codes, by two columns.
    """

    source: str
    strength: int
    rows: int | None
    columns: Mapping[str, Array]
    pairs: Mapping[Clique, Array]
    _table: "ReferenceType[Any] | None" = field(default=None)

    def __post_init__(self) -> None:
        _require_stated(self.source, self.strength)

    @classmethod
    def from_table(
        cls,
        table: "pd.DataFrame",
        schema: "Schema",
        *,
        source: str,
        strength: int | None = None,
        pairs: bool = True,
    ) -> "PublicPrior":
        """Count a public table in the codes of ``schema``.

        Columns that the table lacks are left out, and so are those whose bins or categories are
        learned privately. Pairs are shrunk toward the product of their columns as far as chance
        alone explains them.

        Args:
            table: public rows, none of them about a person of the private table unless it was
                published for everybody to read.
            schema: of the private table.
            source: where the table was published.
            strength: how many private rows it counts for; as many as it has, but at most 1,000,
                where not given.
            pairs: whether relations of columns are taken over, or each column alone.

        Raises:
            UsageError: no source is named, the strength is below 1, or the table shares no column.
            SchemaError: something in the schema is guessed or not declared.
        """
        tools = _declared(schema)
        found = {n: tool.encode(table[n]).codes for n, tool in tools.items() if n in table.columns}
        if not found or not len(table):
            raise UsageError(
                "the prior has no row or shares no column with the schema whose codes are declared"
            )
        sizes = {name: tools[name].size for name in found}
        counts = {n: np.bincount(codes, minlength=sizes[n]) for n, codes in found.items()}
        columns = {n: (each + 0.5) / (each.sum() + each.size / 2) for n, each in counts.items()}
        joint: dict[Clique, Array] = {
            (a, b): _toward_product(
                np.bincount(
                    found[a].astype(np.int64) * sizes[b] + found[b], minlength=sizes[a] * sizes[b]
                )
                .astype(np.int64)
                .reshape(sizes[a], sizes[b]),
                np.outer(columns[a], columns[b]),
            )
            for a, b in combinations(found if pairs else (), 2)
        }
        return cls(
            source=source,
            strength=min(len(table), MOST_STRENGTH) if strength is None else strength,
            rows=len(table),
            columns=columns,
            pairs=joint,
            _table=ref(table),
        )

    @classmethod
    def from_shares(
        cls,
        shares: Mapping[str | Clique, Sequence[Any] | Array],
        schema: "Schema",
        *,
        source: str,
        strength: int = MOST_STRENGTH,
    ) -> "PublicPrior":
        """Take published shares, or a rule, over the declared codes.

        Args:
            shares: by column, the share of each code in the order of ``schema``; by two columns, a
                table of shares. A column of a pair that is not given itself follows from the pair.
            schema: of the private table.
            source: where the shares were published, or what the rule rests on.
            strength: how many private rows they count for.

        Raises:
            UnknownNameError: a name is not that of a column with declared codes.
            UsageError: shares are negative, of the wrong shape or do not sum to 1; or as above.
        """
        sizes = {name: tool.size for name, tool in _declared(schema).items()}
        columns: dict[str, Array] = {}
        pairs: dict[Clique, Array] = {}
        for key, given in shares.items():
            clique = (key,) if isinstance(key, str) else tuple(key)
            table = _checked(clique, given, sizes)
            if len(clique) == 1:
                columns[clique[0]] = table
            else:
                pairs[clique] = table
        for (first, second), table in pairs.items():
            columns.setdefault(first, table.sum(1))
            columns.setdefault(second, table.sum(0))
        if not columns:
            raise UsageError("a prior must say something of at least one column")
        return cls(source=source, strength=strength, rows=None, columns=columns, pairs=pairs)

    @property
    def summary(self) -> dict[str, object]:
        """What plan, model and certificate say of the prior, JSON-able."""
        digest = sha256()
        for names, table in [*self.columns.items(), *self.pairs.items()]:
            digest.update(f"{names}{table.shape}".encode())
            digest.update(np.ascontiguousarray(table, dtype="<f8").tobytes())
        return {
            "source": self.source,
            "strength": self.strength,
            "rows": self.rows,
            "columns": list(self.columns),
            "pairs": len(self.pairs),
            "sha256": digest.hexdigest(),
        }

    def require_public(self, table: object) -> None:
        """Refuse the very object that the prior was made from as the private table.

        Raises:
            UsageError: it is the same object. A copy cannot be told: the source is a statement.
        """
        if self._table is not None and self._table() is table:
            raise UsageError(
                "the prior was made from the private table itself; a prior must come from public "
                "data, or nothing that it holds is protected"
            )

    def require_fits(self, domain: Domain) -> None:
        """Refuse a domain with other codes than those that the prior was made for.

        Raises:
            UsageError: a column is missing, or has another number of codes.
        """
        for name, shares in self.columns.items():
            if domain.sizes.get(name) != shares.size:
                raise UsageError(
                    f"the prior was made for other codes of {name!r} than the schema declares; "
                    "make it again with this schema"
                )

    def column(self, name: str, *, total: float) -> NoisyTable | None:
        """Return what is known of a column, as if counted on ``strength`` of ``total`` rows."""
        shares = self.columns.get(name)
        if shares is None:
            return None
        variance = (shares + _DOUBT / shares.size) * total**2 / self.strength
        return NoisyTable(clique=(name,), values=total * shares, variance=variance)

    def forest(self) -> list[Clique]:
        """Return the pairs that say most, the strongest first, without a circle."""
        strength = {
            pair: float(np.abs(table - np.outer(table.sum(1), table.sum(0))).sum())
            for pair, table in self.pairs.items()
        }
        forest = SpanningForest(self.columns)
        found = []
        for pair in sorted(strength, key=lambda pair: -strength[pair]):
            if forest.joins(pair):
                forest.join(pair)
                found.append(pair)
        return found

    def __repr__(self) -> str:
        return f"PublicPrior({', '.join(self.columns)}; source={self.source!r})"


def informed(prior: PublicPrior | None, table: NoisyTable, *, total: float) -> NoisyTable:
    """Return a histogram over declared codes joined with what the prior says of its column."""
    known = None if prior is None else prior.column(table.clique[0], total=total)
    if known is None:
        return table
    joined = pooled([table, known])
    rows = project_to_simplex(joined.values, joined.variance, total=total)
    return NoisyTable(clique=table.clique, values=rows, variance=joined.variance)


def plant(prior: PublicPrior | None, graph: GrowingGraph) -> None:
    """Join the pairs that the prior says most of, before any others, as far as they fit."""
    for pair in [] if prior is None else prior.forest():
        graph.join(pair)


def relations(
    prior: PublicPrior | None, graph: GrowingGraph, domain: Domain, groups: Mapping[str, Groups]
) -> dict[Clique, Array]:
    """Return the log-factors of a base measure that follows the prior along its forest.

    With them the product of the columns becomes the tree of Chow and Liu (1968) over the prior.

    Args:
        prior: what is known, or None.
        graph: whose cliques hold the pairs of the forest, where they fitted.
        domain: columns of merged codes.
        groups: by column, the merged code of each declared one.
    """
    found: dict[Clique, Array] = {}
    if prior is None:
        return found
    for pair in prior.forest():
        if graph.holds(pair):
            table = prior.pairs[pair]
            for axis, name in enumerate(pair):
                table = _merged(table, groups[name], axis) if name in groups else table
            product = np.outer(table.sum(1), table.sum(0))
            ratio = np.divide(table, product, out=np.ones(table.shape), where=product > 0)
            clique = canonical_order(domain, pair)
            factor = np.log(np.maximum(ratio, _LEAST_RATIO))
            found[clique] = factor if clique == pair else factor.T
    return found


def expected_pairs(
    prior: PublicPrior | None,
    pairs: Sequence[Clique],
    columns: Mapping[str, NoisyTable],
    groups: Mapping[str, Groups],
    domain: Domain,
    *,
    total: float,
) -> list[Array]:
    """Return rows expected of pairs: by the prior's forest, or by independence.

    Args:
        prior: what is known, or None.
        pairs: two columns each.
        columns: rows expected of every merged code.
        groups: by column, the merged code of each declared one.
        domain: of the merged codes.
        total: number of rows.
    """
    if prior is None:
        return [np.outer(columns[a].values, columns[b].values) / total for a, b in pairs]
    cells = sum(domain.sizes.values()) + sum(domain.size(pair) for pair in prior.pairs)
    graph = GrowingGraph(domain, most_cells=cells, most_clique_cells=cells)
    plant(prior, graph)
    even = {name: np.full(size, total / size) for name, size in domain.sizes.items()}
    model = fit_cliques(
        domain,
        list(columns.values()),
        cliques=graph.cliques,
        base=even | {name: table.values for name, table in columns.items()},
        total=total,
        relations=relations(prior, graph, domain, groups),
    )
    found = expected_tables(model, pairs)
    return [found[pair] for pair in pairs]


def require_prior(prior: object) -> None:
    """Raise TypeError unless ``prior`` is one, or None: no table of rows will do."""
    if prior is None or isinstance(prior, PublicPrior):
        return
    raise TypeError(
        "prior must be made by dpsynth.PublicPrior from public data, with source= naming where "
        "they were published"
    )


def _require_stated(source: object, strength: object) -> None:
    if not (isinstance(source, str) and any(map(str.isalpha, source))):
        raise UsageError(
            "a prior needs source='where it was published': words that the certificate repeats"
        )
    if isinstance(strength, bool) or not isinstance(strength, int) or strength < 1:
        raise UsageError("strength must be a whole number of rows, at least 1")


def _toward_product(counts: NDArray[np.int64], product: Array) -> Array:
    """Shrink counted pairs to independence by as much as chance alone explains."""
    rows = float(counts.sum())
    expected = rows * product
    apart = float(((counts - expected) ** 2 / expected).sum())
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    chance = min(1.0, freedom / apart) if apart > 0 else 1.0
    return np.asarray((1 - chance) * counts / rows + chance * product)


def _declared(schema: "Schema") -> dict[str, "Codec"]:
    """Return the codecs of the columns whose codes are all declared."""
    from dpsynth.encoding.codec import codecs

    tools = codecs(schema)
    learns = {column.name for column in schema.modeled if column.learns_values}
    return {n: tool for n, tool in tools.items() if not (tool.needs_bins or n in learns)}


def _merged(table: Array, groups: Groups, axis: int) -> Array:
    shape = list(table.shape)
    shape[axis] = int(groups.max()) + 1
    found = np.zeros(shape)
    at: list[Any] = [slice(None)] * table.ndim
    at[axis] = groups
    np.add.at(found, tuple(at), table)
    return found


def _checked(clique: Clique, given: object, sizes: Mapping[str, int]) -> Array:
    for name in clique:
        if name not in sizes:
            raise UnknownNameError(f"a prior cannot speak of {name!r}: it has no declared codes")
    shown = " and ".join(clique)
    if len(clique) not in (1, 2) or len(set(clique)) != len(clique):
        raise UsageError(f"a prior speaks of one column or of two different ones, not of {shown}")
    shape = tuple(sizes[name] for name in clique)
    try:
        table = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        table = np.empty(0)
    if table.shape != shape:
        sides = " times ".join(map(str, shape))
        raise UsageError(f"the shares of {shown} must be {sides} numbers, one for every code")
    if not np.isfinite(table).all() or (table < 0).any() or abs(table.sum() - 1) > _TOLERANCE:
        raise UsageError(f"the shares of {shown} must not be negative and must sum to 1")
    return table
