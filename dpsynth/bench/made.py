"""Tables that are made up, the same ones every time: of any shape, and free for all to use."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dpsynth.bench.coded import CodedTable
from dpsynth.errors import UsageError

_SEED = 20_261_123
_COPIED = 0.6  # share of the cells of a chain that follow from the column before
_ONE_BEFORE = 0.7  # share of its columns that follow one column; the others follow two

# A health survey by telephone: the number of answers of each question, and whether they rise.
_QUESTIONS = (2,) * 13 + (3, 5, 6, 8, 13, 31, 32)
_MANY_ANSWERS = 31  # questions of so many answers ask for days, and most people answer "none"
_NO_DAYS = 0.6
_CAUSES = 3  # what the answers have in common


def make(kind: str, *, rows: int, columns: int | None, values: int | None) -> CodedTable:
    """Make a table.

    Args:
        kind: "chain" or "survey".
        rows: how many.
        columns: of a chain.
        values: of each column of a chain.

    Raises:
        UsageError: no such kind, or a size is missing or has no meaning for it.
    """
    makers: dict[str, Callable[[int], CodedTable]] = {"survey": survey}
    if columns is not None and values is not None:
        makers = {"chain": partial(chain, columns=columns, values=values)}
    if kind not in ("chain", "survey"):
        raise UsageError(f"no made-up table is called {kind!r}; there are: chain, survey")
    if kind not in makers or (kind == "survey" and (columns, values) != (None, None)):
        raise UsageError("a chain needs columns and values, and a survey has its own")
    return makers[kind](rows)


def chain(rows: int, *, columns: int, values: int) -> CodedTable:
    """Return columns that follow from the one before, some from that and another one.

    Three cells in five are a fixed function of the columns before, the others are drawn by chance
    from a distribution of their own.
    """
    rng = np.random.default_rng(_SEED)
    held = np.empty((columns, rows), dtype=np.int64)
    for at in range(columns):
        held[at] = rng.choice(values, size=rows, p=rng.dirichlet(np.ones(values)))
        if at:
            before = held[at - 1].copy()
            if at >= 3 and rng.random() > _ONE_BEFORE:
                before += held[at - 3]
            follows = rng.permutation(2 * values - 1)[before] % values
            held[at] = np.where(rng.random(rows) < _COPIED, follows, held[at])
    return _table(held, (values,) * columns, ordered=())


def survey(rows: int) -> CodedTable:
    """Return 20 questions, most of them with two answers, whose answers share three causes."""
    from scipy.special import ndtri

    rng = np.random.default_rng(_SEED)
    causes = rng.standard_normal((rows, _CAUSES), dtype=np.float32)
    held = np.empty((len(_QUESTIONS), rows), dtype=np.int64)
    for at, answers in enumerate(_QUESTIONS):
        shares = rng.dirichlet([8, 2] if answers == 2 else [1] * answers)  # few say yes
        if answers == _MANY_ANSWERS:
            shares = np.append(_NO_DAYS, (1 - _NO_DAYS) * rng.dirichlet(np.ones(answers - 1)))
        weights = rng.normal(0, 0.5, _CAUSES)
        leaning = causes @ weights + rng.standard_normal(rows)
        cuts = ndtri(np.cumsum(shares)[:-1]) * np.sqrt(1 + weights @ weights)
        held[at] = np.searchsorted(cuts, leaning)
    rising = [at for at, answers in enumerate(_QUESTIONS) if answers > 2]
    return _table(held, _QUESTIONS, ordered=rising)


def _table(held: NDArray[np.int64], sizes: Sequence[int], *, ordered: Sequence[int]) -> CodedTable:
    names = [f"c{at:03}" for at in range(len(sizes))]
    return CodedTable(
        codes={
            name: line.astype(np.min_scalar_type(size - 1))
            for name, line, size in zip(names, held, sizes, strict=True)
        },
        sizes=dict(zip(names, sizes, strict=True)),
        ordered=tuple(names[at] for at in ordered),
    )
