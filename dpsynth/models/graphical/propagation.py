"""Belief propagation on a junction tree whose every step was planned beforehand.

A fit evaluates the same tree a hundred times, so the order in which small tables are multiplied
and large ones are summed is worked out once. Products are taken of numbers up to 1; where those
would vanish, the same plan runs on logarithms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import log, prod

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.models.graphical.tables import Array
from dpsynth.models.graphical.tree import Clique, Node, junction_tree

_PLANS = 1_024  # kept, of how to multiply or sum within one clique
_VANISHED = 1e-250  # below, products may have lost what matters

Columns = tuple[int, ...]


def canonical_order(domain: Domain, columns: Sequence[str]) -> Clique:
    """Return ``columns`` from the smallest to the largest: long last axes make numpy fast."""
    place = {name: at for at, name in enumerate(domain.columns)}
    return tuple(sorted(columns, key=lambda name: (domain.sizes[name], place[name])))


@dataclass(frozen=True, kw_only=True)
class _Merge:
    """Multiply two tables into one: slots, and the shapes that make them line up."""

    first: int
    second: int
    first_shape: tuple[int, ...]
    second_shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _Sum:
    """Sum one axis out of a table: (before, axis, after) is the shape that it is seen in."""

    source: int
    split: tuple[int, int, int]
    shape: tuple[int, ...]


class _Product:
    """The product of tables over subsets of one clique, the smallest first."""

    def __init__(self, shape: tuple[int, ...], factors: Sequence[Columns]) -> None:
        self._shape = shape
        held: dict[int, Columns] = dict(enumerate(factors))
        self._merges: list[_Merge] = []
        slots = len(factors)
        while len(held) > 1:
            first, second = min(
                ((a, b) for a in held for b in held if a < b),
                key=lambda pair: self._cells({*held[pair[0]], *held[pair[1]]}),
            )
            union = tuple(sorted({*held[first], *held[second]}))
            self._merges.append(
                _Merge(
                    first=first,
                    second=second,
                    first_shape=self._seen(held.pop(first), union),
                    second_shape=self._seen(held.pop(second), union),
                )
            )
            held[slots] = union
            slots += 1
        full = tuple(range(len(shape)))
        self._last = [(slot, self._seen(columns, full)) for slot, columns in held.items()]
        self._complete = [columns == full for columns in held.values()] == [True]

    def _cells(self, columns: set[int]) -> int:
        return prod(self._shape[at] for at in columns)

    def _seen(self, columns: Columns, within: Columns) -> tuple[int, ...]:
        return tuple(self._shape[at] if at in columns else 1 for at in within)

    def run(self, factors: Sequence[Array], *, combine: "np.ufunc", neutral: float) -> Array:
        """Return a fresh table of the clique's shape."""
        slots = list(factors)
        for merge in self._merges:
            first = slots[merge.first].reshape(merge.first_shape)
            second = slots[merge.second].reshape(merge.second_shape)
            slots.append(combine(first, second))
        if self._complete and self._merges:
            return slots[-1]
        table = np.full(self._shape, neutral)
        for slot, seen in self._last:
            combine(table, slots[slot].reshape(seen), out=table)
        return table


class _Sums:
    """Margins of one table, each from the smallest margin that was made before it."""

    def __init__(self, shape: tuple[int, ...], targets: Sequence[Columns]) -> None:
        made: dict[Columns, int] = {tuple(range(len(shape))): 0}
        self._sums: list[_Sum] = []
        for target in sorted(set(targets), key=lambda columns: -prod(shape[at] for at in columns)):
            holders = [columns for columns in made if set(target) <= set(columns)]
            columns = min(holders, key=lambda held: prod(shape[at] for at in held))
            while columns != target:
                # The longest axis first: what is left is smallest, and serves others too.
                out = max(set(columns) - set(target), key=lambda at: (shape[at], -at))
                at = columns.index(out)
                sizes = [shape[each] for each in columns]
                rest = columns[:at] + columns[at + 1 :]
                if rest not in made:
                    split = (prod(sizes[:at]), sizes[at], prod(sizes[at + 1 :]))
                    left = tuple(shape[each] for each in rest)
                    self._sums.append(_Sum(source=made[columns], split=split, shape=left))
                    made[rest] = len(made)
                columns = rest
        self._slots = [made[target] for target in targets]

    def run(self, table: Array, *, add: Callable[[Array], Array]) -> list[Array]:
        """Return one table a target."""
        made = [table]
        for step in self._sums:
            made.append(add(made[step.source].reshape(step.split)).reshape(step.shape))
        return [made[slot] for slot in self._slots]


@lru_cache(maxsize=_PLANS)
def _product(shape: tuple[int, ...], factors: tuple[Columns, ...]) -> _Product:
    """Return a plan; refits of the same tables find it ready."""
    return _Product(shape, factors)


@lru_cache(maxsize=_PLANS)
def _sums(shape: tuple[int, ...], targets: tuple[Columns, ...]) -> _Sums:
    """Return a plan; refits of the same tables find it ready."""
    return _Sums(shape, targets)


def _add(table: Array) -> Array:
    """Sum the middle of three axes."""
    before, middle, after = table.shape
    if after == 1:
        return table.reshape(before, middle) @ _ones(middle)
    if before == 1:
        return _ones(middle) @ table.reshape(middle, after)
    return np.asarray(table.sum(1))


@lru_cache(maxsize=1_024)
def _ones(size: int) -> Array:
    found = np.ones(size)
    found.setflags(write=False)
    return found


def _log_add(table: Array) -> Array:
    top = table.max(1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(table - top).sum(1)) + top[:, 0])


class Propagation:
    """Beliefs and margins of ``exp`` of a sum of log-factors.

    Args:
        domain: the columns.
        cliques: of a junction tree that covers them.
        factors: columns of the log-factors, each within one clique.
        targets: columns of the margins that are asked for, each within one clique.
    """

    def __init__(
        self,
        domain: Domain,
        cliques: Sequence[Clique],
        factors: Sequence[Clique],
        targets: Sequence[Clique],
    ) -> None:
        self.nodes: tuple[Node, ...] = junction_tree(
            [canonical_order(domain, clique) for clique in cliques]
        )
        cells = [domain.size(node.clique) for node in self.nodes]
        homes = [set(node.clique) for node in self.nodes]
        by_column: dict[str, list[int]] = {}
        for at, home in enumerate(homes):
            for name in home:
                by_column.setdefault(name, []).append(at)

        def home_of(columns: Clique) -> int:
            found = [at for at in by_column[columns[0]] if set(columns) <= homes[at]]
            return min(found, key=cells.__getitem__)

        self._factor_shapes = [domain.shape(columns) for columns in factors]
        self._factor_sizes = [prod(shape) for shape in self._factor_shapes]
        self._factor_bounds = [0, *accumulate(self._factor_sizes)]
        self._factors_at: list[list[int]] = [[] for _ in self.nodes]
        for number, columns in enumerate(factors):
            self._check(domain, columns)
            self._factors_at[home_of(columns)].append(number)
        self._targets_at: list[list[int]] = [[] for _ in self.nodes]
        for number, columns in enumerate(targets):
            self._check(domain, columns)
            self._targets_at[home_of(columns)].append(number)
        self._targets = len(targets)
        self._children: list[list[int]] = [[] for _ in self.nodes]
        for at, node in enumerate(self.nodes):
            if node.parent is not None:
                self._children[node.parent].append(at)
        self._products, self._up, self._down = [], [], []
        self._seen: list[tuple[int, ...]] = []
        for at, node in enumerate(self.nodes):
            place = {name: axis for axis, name in enumerate(node.clique)}
            shape = domain.shape(node.clique)
            inner = [factors[number] for number in self._factors_at[at]]
            inner += [self.nodes[child].separator for child in self._children[at]]
            self._products.append(_product(shape, tuple(_axes(each, place) for each in inner)))
            own = _axes(node.separator, place)
            self._up.append(_sums(shape, (own,)))
            asked = [targets[number] for number in self._targets_at[at]]
            asked += [self.nodes[child].separator for child in self._children[at]]
            self._down.append(_sums(shape, tuple(_axes(each, place) for each in asked)))
            self._seen.append(tuple(k if axis in own else 1 for axis, k in enumerate(shape)))
        self._possible: list[NDArray[np.bool_] | None] = [None] * len(self.nodes)

    def rule_out(self, barriers: Mapping[int, Array]) -> None:
        """Say which log-factors hold minus infinity, in the same cells in every run.

        Args:
            barriers: 0 or minus infinity, by number of the factor. Sums that this makes 0 are then
                told from sums that vanished.

        Raises:
            ValueError: nothing is left possible.
        """
        sent: list[Array] = [np.empty(0)] * len(self.nodes)
        for at in reversed(range(len(self.nodes))):
            inner = [
                barriers.get(number, np.zeros(self._factor_shapes[number]))
                for number in self._factors_at[at]
            ]
            inner += [sent[child] for child in self._children[at]]
            table = self._products[at].run(inner, combine=np.add, neutral=0.0)
            (sent[at],) = self._up[at].run(table, add=_log_add)
            possible = np.isfinite(sent[at])
            self._possible[at] = None if possible.all() else possible
        if not np.isfinite(sent[0]).all():
            raise ValueError("the declared rules leave no combination that can occur")

    @staticmethod
    def _check(domain: Domain, columns: Clique) -> None:
        if columns != canonical_order(domain, columns):
            raise ValueError("factors and targets must have their columns in canonical order")

    def run(self, log_factors: Sequence[Array]) -> tuple[float, list[Array], list[Array]]:
        """Return (log of the normalising constant, beliefs by node, margins by target)."""
        found = self._run_plain(log_factors)
        return found if found is not None else self._run_in_logs(log_factors)

    def _run_plain(
        self, log_factors: Sequence[Array]
    ) -> tuple[float, list[Array], list[Array]] | None:
        # Most factors are small: all of them in one vector take fewer calls.
        flat = np.concatenate([factor.ravel() for factor in log_factors])
        tops = np.maximum.reduceat(flat, self._factor_bounds[:-1])
        flat -= np.repeat(tops, self._factor_sizes)
        np.exp(flat, out=flat)
        factors = [
            flat[low:high].reshape(shape)
            for (low, high), shape in zip(
                pairwise(self._factor_bounds), self._factor_shapes, strict=True
            )
        ]
        log_total = sum(tops.tolist())
        beliefs: list[Array] = [np.empty(0)] * len(self.nodes)
        sent: list[Array] = [np.empty(0)] * len(self.nodes)
        for at in reversed(range(len(self.nodes))):
            inner = [factors[number] for number in self._factors_at[at]]
            inner += [sent[child] for child in self._children[at]]
            table = self._products[at].run(inner, combine=np.multiply, neutral=1.0)
            (message,) = self._up[at].run(table, add=_add)
            top = float(message.max())
            possible = self._possible[at]
            least = float(message.min() if possible is None else message[possible].min())
            if not top > _VANISHED or not least > _VANISHED * top:
                return None
            log_total += log(top)
            sent[at] = message / top
            table *= 1 / top
            beliefs[at] = table
        margins: list[Array] = [np.empty(0)] * self._targets
        wanted: list[Array] = [np.empty(0)] * len(self.nodes)
        for at, node in enumerate(self.nodes):
            table = beliefs[at]
            if node.parent is not None:
                possible = self._possible[at]
                below = sent[at] if possible is None else np.where(possible, sent[at], 1.0)
                table *= (wanted[at] / below).reshape(self._seen[at])
            self._share(at, self._down[at].run(table, add=_add), margins, wanted)
        return log_total, beliefs, margins

    def _run_in_logs(self, log_factors: Sequence[Array]) -> tuple[float, list[Array], list[Array]]:
        logs: list[Array] = [np.empty(0)] * len(self.nodes)
        sent: list[Array] = [np.empty(0)] * len(self.nodes)
        for at in reversed(range(len(self.nodes))):
            inner = [log_factors[number] for number in self._factors_at[at]]
            inner += [sent[child] for child in self._children[at]]
            logs[at] = self._products[at].run(inner, combine=np.add, neutral=0.0)
            (sent[at],) = self._up[at].run(logs[at], add=_log_add)
        log_total = float(sent[0])
        logs[0] = logs[0] - log_total
        beliefs: list[Array] = []
        margins: list[Array] = [np.empty(0)] * self._targets
        wanted: list[Array] = [np.empty(0)] * len(self.nodes)
        for at, node in enumerate(self.nodes):
            table = logs[at]
            if node.parent is not None:
                below = np.where(np.isfinite(sent[at]), sent[at], 0.0)
                with np.errstate(divide="ignore"):
                    change = np.log(wanted[at]) - below
                table = table + change.reshape(self._seen[at])
            table = np.exp(table)
            beliefs.append(table)
            self._share(at, self._down[at].run(table, add=_add), margins, wanted)
        return log_total, beliefs, margins

    def _share(
        self, at: int, found: list[Array], margins: list[Array], wanted: list[Array]
    ) -> None:
        asked = len(self._targets_at[at])
        for number, margin in zip(self._targets_at[at], found[:asked], strict=True):
            margins[number] = margin
        for child, margin in zip(self._children[at], found[asked:], strict=True):
            wanted[child] = margin


def _axes(columns: Clique, place: dict[str, int]) -> Columns:
    return tuple(sorted(place[name] for name in columns))
