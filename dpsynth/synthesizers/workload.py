"""Which tables a synthesizer should answer well, and how much each candidate matters for them."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import comb, gcd

from dpsynth.domain import Domain
from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.models.graphical.tree import Clique

MOST_WIDE = 2_000  # tables of three and more columns to weigh in every round


def read_workload(given: object) -> tuple[Clique, ...] | None:
    """Return cliques from lists of column names, from the same as JSON text, or from None.

    Raises:
        TypeError: it is none of these.
    """
    if given is None:
        return None
    error = TypeError('workload must list cliques of column names, as in [["age", "income"]]')
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise error from None
    if not isinstance(given, Sequence) or not given:
        raise error
    for clique in given:
        listed = isinstance(clique, Sequence) and not isinstance(clique, str) and clique
        if not listed or not all(isinstance(name, str) for name in clique):
            raise error
    return tuple(tuple(clique) for clique in given)


def workload_cliques(
    domain: Domain, columns: Sequence[str], *, given: Sequence[Clique] | None, degree: int
) -> tuple[Clique, ...]:
    """Return the workload: the given cliques, or all of ``degree`` columns, less what cannot vary.

    Args:
        domain: the columns, as planned.
        columns: those of more than one code.
        given: cliques that were asked for, or None.
        degree: width of all cliques where none were asked for.

    Raises:
        UnknownNameError: a clique names a column that the domain does not have.
        UsageError: there are too many wide cliques.
    """
    if given is None:
        width = min(degree, len(columns))
        if width > 2 and comb(len(columns), width) > MOST_WIDE:
            raise _too_many()
        return tuple(combinations(columns, width)) if width else ()
    for clique in given:
        for name in clique:
            if name not in domain.sizes:
                raise UnknownNameError(f"workload names no column: {name!r}")
    kept = (tuple(name for name in columns if name in clique) for clique in given)
    return tuple(dict.fromkeys(clique for clique in kept if clique))


def candidates(
    domain: Domain,
    workload: Sequence[Clique],
    *,
    target: str | None = None,
    target_weight: int = 1,
    most_cells: int,
) -> dict[Clique, int]:
    """Return the tables that may be measured, the narrow ones first, each with its weight.

    Every part of two or more columns of a workload clique is a candidate; of three or more only
    where its table has at most ``most_cells`` cells. Its weight is the number of columns that it
    shares with the cliques of the workload, summed over them, times ``target_weight`` where it
    holds ``target``, and divided by what all weights have in common.

    Raises:
        UnknownNameError: ``target`` names no column.
        UsageError: there are too many wide candidates.

    Source:
        McKenna, Miklau, Mullins and Sheldon (2022), arXiv:2201.12677, section 4: the downward
        closure of the workload and its weights.
    """
    if target is not None and target not in domain.sizes:
        raise UnknownNameError(f"target names no column: {target!r}")
    found: dict[Clique, None] = {}
    for width in range(2, max(map(len, workload), default=0) + 1):
        wider = [clique for clique in workload if len(clique) >= width]
        if width > 2 and sum(comb(len(clique), width) for clique in wider) > 10 * MOST_WIDE:
            raise _too_many()
        parts = dict.fromkeys(part for clique in wider for part in combinations(clique, width))
        found |= {p: None for p in parts if width == 2 or domain.size(p) <= most_cells}
    if sum(len(part) > 2 for part in found) > MOST_WIDE:
        raise _too_many()
    times = Counter(name for clique in workload for name in clique)
    weights = {part: sum(times[name] for name in part) for part in found}
    common = gcd(*weights.values())
    return {
        part: weight // common * (target_weight if target in part else 1)
        for part, weight in weights.items()
    }


def _too_many() -> UsageError:
    return UsageError(
        f"the workload has more than {MOST_WIDE} tables of three and more columns; choose a "
        "smaller degree, or name fewer or narrower cliques in workload"
    )
