"""Do two sources of one table say the same? The shared test of everything that counts rows."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dpsynth.privacy.source import TableSource
    from dpsynth.schema import Schema

_CLIQUES = 6  # of two or three columns, drawn a table
_RELEASED = 3  # values of an open column that get a code
_CELLS = 1 << 21  # a clique of more cells is left out


def differences(
    one: "TableSource", other: "TableSource", schema: "Schema", *, seed: int = 0
) -> list[str]:
    """Return what two sources of one table do not agree on, as sentences; none where they do.

    Compares domains, counts of all single columns and of some pairs and triples, alone and many
    at once, what open columns hold, codes given to some of that, regrouped codes, and the rows of
    the units. Names public facts only: no count, no value.

    Args:
        one: the source to hold the other against.
        other: the source on trial.
        schema: of the table.
        seed: of the cliques, values and groups that are tried.
    """
    return list(_differences(one, other, schema, np.random.default_rng(seed)))


def _differences(
    one: "TableSource", other: "TableSource", schema: "Schema", rng: np.random.Generator
) -> Iterator[str]:
    if one.domain != other.domain:
        yield "the domains differ"
        return
    yield from _counted(one, other, rng, "")
    if _units(one) != _units(other):
        yield "the rows of the units differ"
    released = {}
    for column in (each.name for each in schema.modeled if each.learns_values):
        texts, counts = one.values(column)
        found, numbers = other.values(column)
        if list(texts) != list(found) or counts.tolist() != np.asarray(numbers).tolist():
            yield f"the values of {column!r} differ"
        held = [*texts, "held by nobody"]
        chosen = rng.permutation(len(held))[:_RELEASED]
        released[column] = [held[int(at)] for at in chosen]
    if released:
        sizes = {name: one.domain.sizes[name] + len(held) for name, held in released.items()}
        domain = one.domain.replace(sizes)
        one, other = one.closed(released, domain), other.closed(released, domain)
        yield from _counted(one, other, rng, " with released values")
    groups = {
        name: np.unique(rng.integers(0, 4, size), return_inverse=True)[1]
        for name, size in one.domain.sizes.items()
        if rng.random() < 0.7
    }
    if groups:
        yield from _counted(one.coarsened(groups), other.coarsened(groups), rng, " in groups")


def _counted(
    one: "TableSource", other: "TableSource", rng: np.random.Generator, when: str
) -> Iterator[str]:
    if one.domain != other.domain:
        yield f"the domains differ{when}"
        return
    cliques = _cliques(one, rng)
    expected = [one.count(clique) for clique in cliques]
    for clique, counts, found in zip(cliques, expected, other.count_many(cliques), strict=True):
        if found.dtype != np.int64 or found.shape != (one.domain.size(clique),):
            yield f"counts over {clique} have another shape or type{when}"
        elif counts.tolist() != found.tolist():
            yield f"counts over {clique} differ{when}"
    last = cliques[-1]
    if other.count(last).tolist() != expected[-1].tolist():
        yield f"counts over {last} alone differ{when}"


def _cliques(source: "TableSource", rng: np.random.Generator) -> list[tuple[str, ...]]:
    names = source.domain.columns
    several = [each for size in (2, 3) for each in combinations(names, size)]
    drawn: Sequence[int] = rng.permutation(len(several))[:_CLIQUES].tolist()
    turned = [tuple(rng.permutation(several[at]).tolist()) for at in drawn]
    fitting = [each for each in turned if source.domain.size(each) <= _CELLS]
    return [*((name,) for name in names), *fitting]


def _units(source: "TableSource") -> list[list[tuple[int, ...]]]:
    """Return the rows of every unit, sorted, whatever the units are numbered."""
    held = source.unit_rows()
    rows: dict[int, list[tuple[int, ...]]] = {}
    for unit, codes in zip(held.units.tolist(), held.codes.tolist(), strict=True):
        rows.setdefault(unit, []).append(tuple(codes))
    return sorted(sorted(each) for each in rows.values())
