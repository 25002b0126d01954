"""Which pairs of columns a generator of marginals has looked at, as its release shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from attacks.membership.coarse import Coarse

Pair = tuple[int, int]
Table = NDArray[np.float64]

_FEW = 0.2  # rows expected in a cell, in either table, below which it says nothing of dependence


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A tree of pairs, the other pairs, and how much of each the release has kept.

    Args:
        tree: the spanning forest of the release's largest mutual informations; any sample of a
            tree model shows that model's own tree, since information is lost along its paths.
        others: all other pairs.
        kept: the share of the tree pairs' dependence in the population that the release shows as
            well, 0 to 1. Near 1 where pair tables were learned precisely, near 0 where columns
            were drawn apart.
        kept_beyond: likewise of the other pairs' dependence that the tree does not explain: near 0
            where nothing but a tree was learned.
    """

    tree: tuple[Pair, ...]
    others: tuple[Pair, ...]
    kept: float
    kept_beyond: float


def recovered(tables: Coarse) -> Structure:
    """Recover the structure from the release, compared with the population."""
    places = range(len(tables.widths))
    pairs = list(combinations(places, 2))
    information = {pair: _information(_released(tables, pair)) for pair in pairs}
    tree = spanning_tree(information, columns=len(places))
    others = tuple(pair for pair in pairs if pair not in tree)
    return Structure(
        tree=tree,
        others=others,
        kept=_kept(tables, _apart(tables, tree)),
        kept_beyond=_kept(tables, _along(tables, tree, others)),
    )


def spanning_tree(weights: dict[Pair, float], *, columns: int) -> tuple[Pair, ...]:
    """Return the pairs of a spanning tree of largest total weight, in the order of columns.

    Source:
        Kruskal (1956). With mutual informations as weights: Chow and Liu (1968).
    """
    part = list(range(columns))
    chosen = []
    for pair in sorted(weights, key=lambda each: (-weights[each], each)):
        first, second = part[pair[0]], part[pair[1]]
        if first != second:
            chosen.append(pair)
            part = [first if one == second else one for one in part]
    return tuple(sorted(chosen))


def _released(tables: Coarse, pair: Pair) -> Table:
    return _shaped(tables, tables.released(pair), pair)


def _sampled(tables: Coarse, pair: Pair) -> Table:
    cells = np.bincount(tables.cells(tables.population, pair), minlength=tables.size(pair))
    return _shaped(tables, cells, pair)


def _shaped(tables: Coarse, cells: NDArray[np.int64], pair: Pair) -> Table:
    return cells.reshape(tables.widths[pair[0]], tables.widths[pair[1]]).astype(np.float64)


def _information(counts: Table) -> float:
    """Return the mutual information of a table of counts, in nats."""
    joint = counts / max(1.0, counts.sum())
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    held = joint > 0
    return float((joint[held] * np.log(joint[held] / apart[held])).sum())


# For one pair: the tables of release and population, as probabilities, and what is expected of
# them without the dependence in question.
_Four = tuple[Table, Table, Table, Table]


def _apart(tables: Coarse, pairs: tuple[Pair, ...]) -> Iterator[_Four]:
    """Yield pairs beside their independence."""
    for pair in pairs:
        release, population = _both(tables, pair)
        yield release, population, _product(release), _product(population)


def _product(joint: Table) -> Table:
    return np.outer(joint.sum(axis=1), joint.sum(axis=0))


def _both(tables: Coarse, pair: Pair) -> tuple[Table, Table]:
    release = _released(tables, pair) / max(1, len(tables.release))
    return release, _sampled(tables, pair) / max(1, len(tables.population))


def _along(tables: Coarse, tree: tuple[Pair, ...], pairs: tuple[Pair, ...]) -> Iterator[_Four]:
    """Yield pairs beside what the pair tables along their path in the tree imply."""
    links: dict[int, dict[int, tuple[Table, Table]]] = {}
    for first, second in tree:
        release, population = _both(tables, (first, second))
        there = _conditional(release), _conditional(population)
        back = _conditional(release.T), _conditional(population.T)
        links.setdefault(first, {})[second] = there
        links.setdefault(second, {})[first] = back
    for start in range(len(tables.widths)):
        mine = [pair for pair in pairs if pair[0] == start]
        if not mine:
            continue
        implied = _from(tables, start, links)
        for pair in mine:
            yield (*_both(tables, pair), *implied[pair[1]])


def _conditional(joint: Table) -> Table:
    """Return the distribution of the column of a table given its row."""
    rows = joint.sum(axis=1, keepdims=True)
    given: Table = np.divide(joint, rows, out=np.zeros_like(joint), where=rows > 0)
    return given


def _from(
    tables: Coarse, start: int, links: dict[int, dict[int, tuple[Table, Table]]]
) -> dict[int, tuple[Table, Table]]:
    """Return the tables of ``start`` with every column that the tree implies."""
    sampled = np.bincount(tables.population.codes[:, start], minlength=tables.widths[start])
    found: dict[int, tuple[Table, Table]] = {
        start: (
            np.diag(tables.released((start,))) / max(1, len(tables.release)),
            np.diag(sampled) / max(1, len(tables.population)),
        )
    }
    waiting = [start]
    while waiting:
        place = waiting.pop()
        for after, (release, population) in links.get(place, {}).items():
            if after not in found:
                held = found[place]
                found[after] = held[0] @ release, held[1] @ population
                waiting.append(after)
    return found


def _kept(tables: Coarse, pairs: Iterator[_Four]) -> float:
    """Return the slope of the release's dependence on the population's, over all cells.

    The population's own sampling error is taken off the denominator; it is independent of the
    release, and so leaves the numerator alone.
    """
    rows = max(1, len(tables.release)), max(1, len(tables.population))
    together, alone = 0.0, 0.0
    for release, population, expected, reference in pairs:
        usual = (expected + reference) / 2
        told = np.minimum(expected * rows[0], reference * rows[1]) > _FEW
        if not told.any():
            continue
        there = (release - expected)[told] / np.sqrt(usual[told])
        here = (population - reference)[told] / np.sqrt(usual[told])
        noise = float(told.sum()) / rows[1]
        together += float(there @ here)
        alone += max(0.0, float(here @ here) - noise)
    return float(np.clip(together / alone, 0, 1)) if alone > 0 else 0.0
