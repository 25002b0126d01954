"""A hidden column of all targets at once, solved for from the counts that the release shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, minimize
from scipy.sparse.linalg import lsqr

from attacks import games
from attacks.base import Evidence, TooLittle
from attacks.engine.table import Codes
from attacks.observed import Observed, Stage, View
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

Floats = NDArray[np.float64]
_FEWEST_ROWS = 20
_CELLS = 6_000_000  # of targets and marginals together, held at once
_MARGINALS = 150
_LIMITS = (0.01, 0.99)  # of a chance before the marginals are looked at


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Solve for the hidden column of all targets together, by least squares over marginals.

    **Model.** Let ``x`` be 1 where a target holds the hidden value and 0 elsewhere. The columns
    one by one give each record a chance ``p`` of it (a linear model, fitted to the release). What
    a marginal of one or two known columns shows beyond that, in a cell, is the sum of ``x - p``
    over the persons in that cell of the private table. Targets in the cell are some of them: each
    is taken to be a member with chance one half, the persons whom the attacker does not know add
    variance ``p (1 - p)`` each, and so do the released rows, which are drawn. So cells in which
    the targets are a large part of the persons weigh most; where they are all of them, the
    equation is exact. The most probable ``x``, a normal prior about ``p`` and bounds of 0 and 1
    given, is found by a projected quasi-Newton method.

    A target who was never in the table stands in the same cells, but moved none of them. Two lines
    come of it: who is guessed right by the most probable value, and of whom the right value is the
    one that the marginals make likelier (*direction*), which the columns one by one do not help
    with: of strangers that is right as far as pairs of columns matter in the population.

    Args:
        depth: known columns of a marginal, at most; the hidden one is always in it.
        codes: hidden values that are solved for, one against the rest, the most common ones.

    Source:
        Annamalai, Gadotti and Rocher (2024), A linear reconstruction approach for attribute
        inference attacks against synthetic data; Dinur and Nissim (2003) for the principle. There
        the attacker knows everybody in the table; here the targets may be a sample of it, with
        strangers among them.
    """

    depth: int = 2
    codes: int = 6

    name: ClassVar[str] = "attribute/reconstruction"
    threat_model: ClassVar[ThreatModel] = ThreatModel(
        goal=Goal.ATTRIBUTE,
        generator=GeneratorAccess.NO_BOX,
        data=DataKnowledge.NOTHING,
    )


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What the marginals say of one hidden column.

    Args:
        codes: shape ``(codes,)``, the hidden values that were solved for.
        before: shape ``(targets, codes)``, the chance of each by the columns one by one.
        after: the same once the marginals are taken in.
    """

    codes: NDArray[np.int64]
    before: Floats
    after: Floats

    @property
    def push(self) -> Floats:
        """Shape ``(targets, codes)``: by how much the marginals raise a chance, in deviations."""
        return np.asarray((self.after - self.before) / np.sqrt(self.before * (1 - self.before)))


def play(attack: Reconstruction, evidence: Evidence, stage: Stage) -> list[Observed]:
    """Play the attribute game for all targets together, for every view and secret.

    Raises:
        TooLittle: the release has too few rows, or shows one value of every secret.
    """
    if len(evidence.release) < _FEWEST_ROWS:
        raise TooLittle(f"the release has fewer than {_FEWEST_ROWS} rows to count")
    lines: list[Observed] = []
    asked = [view for view in stage.views if view.known and view.secrets]
    for view in asked:
        marginals = Marginals(
            games.grouped_codes(evidence, evidence.release.codes, view.known),
            games.grouped_codes(evidence, stage.one_row.codes, view.known),
            depth=attack.depth,
            rng=evidence.rng(attack.name),
        )
        for secret in view.secrets:
            released = games.grouped_codes(evidence, evidence.release.codes, [secret])[:, 0]
            truth = games.grouped_codes(evidence, stage.one_row.codes, [secret])[:, 0]
            if np.ptp(released):
                found = recover(marginals, released, most=attack.codes)
                lines += _lines(attack, view, secret, found, truth=truth, released=released)
    if asked and not lines:
        raise TooLittle("the release shows no more than one value of any sensitive column")
    return lines


def _lines(
    attack: Reconstruction,
    view: View,
    secret: str,
    found: Recovered,
    *,
    truth: Codes,
    released: Codes,
) -> list[Observed]:
    name = games.secret_name(attack.name, secret, view=view)
    model = attack.threat_model.knowing(*view.known, secret=secret)
    naive = float((truth == np.argmax(np.bincount(released))).mean()) if truth.size else None
    own = truth[:, None] == found.codes
    likeliest = found.codes[np.argmax(found.after, axis=1)]
    pushed = found.codes[np.argmax(found.push, axis=1)]
    return [
        Observed(
            name=f"{name}@all targets",
            threat_model=model,
            hits=likeliest == truth,
            baseline_rate=naive,
        ),
        Observed(
            name=f"{name}@direction",
            threat_model=model,
            hits=pushed == truth,
            values=np.where(own, found.push, 0.0).sum(axis=1),
            baseline_rate=naive,
        ),
    ]


class Marginals:
    """The cells of all marginals in which a target stands, and the released rows in them.

    Args:
        released: shape ``(rows, known columns)``.
        targets: shape ``(targets, known columns)``.
        depth: columns of a marginal, at most.
        rng: draws which marginals are used where there are too many.
    """

    def __init__(
        self, released: Codes, targets: Codes, *, depth: int, rng: np.random.Generator
    ) -> None:
        self.released, self.targets = released, targets
        self._rows: list[Codes] = []
        self._cells: list[Codes] = []
        for columns in self._chosen(depth, rng):
            mine, theirs = _numbers(targets, columns), _numbers(released, columns)
            cells, place = np.unique(mine, return_inverse=True)
            row = np.minimum(np.searchsorted(cells, theirs), cells.size - 1)
            self._rows.append(np.where(cells[row] == theirs, row, cells.size).astype(np.int32))
            self._cells.append(place.ravel().astype(np.int32))

    def _chosen(self, depth: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
        places = range(self.released.shape[1])
        every = [
            columns
            for width in range(1, min(depth, len(places)) + 1)
            for columns in combinations(places, width)
        ]
        most = max(1, min(_MARGINALS, _CELLS // max(1, len(self.targets))))
        if len(every) <= most:
            return every
        return [every[number] for number in np.sort(rng.permutation(len(every))[:most])]

    def equations(
        self, hidden: Floats, before_rows: Floats, before: Floats
    ) -> tuple["sparse.csr_array", Floats]:
        """Return the weighted equations ``matrix @ (x - before) = right side``.

        Args:
            hidden: shape ``(rows,)``, 1 where a released row holds the value.
            before_rows: shape ``(rows,)``, its chance by the columns one by one.
            before: shape ``(targets,)``, the same of the targets.
        """
        spread, spread_rows = before * (1 - before), before_rows * (1 - before_rows)
        right: list[Floats] = []
        weights: list[Floats] = []
        numbers: list[Codes] = []
        start = 0
        for row, cell in zip(self._rows, self._cells, strict=True):
            count = int(cell.max()) + 1
            size = np.bincount(row, minlength=count + 1)[:count]
            beyond = np.bincount(row, weights=hidden - before_rows, minlength=count + 1)[:count]
            noise = np.bincount(row, weights=spread_rows, minlength=count + 1)[:count]
            known = np.bincount(cell)
            chance = np.minimum(0.5, size / known)  # no more members than there are persons
            theirs = np.bincount(cell, weights=spread)
            # Persons of the cell whom the attacker does not know, targets who may be strangers,
            # and the draw of the released rows; at least a rounding of the count.
            unknown = np.maximum(noise - chance * theirs, 0.0)
            variance = unknown + chance * (1 - chance) * theirs + _DRAWN * noise + 1 / 12
            # A cell without released rows says nothing of how many members stand in it.
            weight = np.where(size > 0, 1 / np.sqrt(variance), 0.0)
            right.append(np.asarray(beyond * weight, dtype=np.float64))
            weights.append((chance * weight)[cell])
            numbers.append(cell + start)
            start += count
        targets = np.tile(np.arange(len(self.targets)), len(numbers))
        matrix = sparse.csr_array(
            (np.concatenate(weights), (np.concatenate(numbers), targets)),
            shape=(start, len(self.targets)),
        )
        return matrix, np.concatenate(right)


_DRAWN = 0.25  # of the variance of a drawn count: releases that match counts have less than all


def recover(marginals: Marginals, released: Codes, *, most: int) -> Recovered:
    """Solve for the most common values of a hidden column, one against the rest.

    Args:
        marginals: of the known columns.
        released: shape ``(rows,)``, the hidden column of the release, with two values or more.
        most: values solved for.
    """
    counts = np.bincount(released)
    common = np.argsort(-counts, kind="stable")[:most]
    common = common[counts[common] > 0]
    # Of two values, what one gains the other loses.
    solved = common[:1] if (counts > 0).sum() == 2 else common
    before = np.empty((len(marginals.targets), solved.size))
    after = np.empty_like(before)
    linear = Linear(marginals.released, marginals.targets)
    for place, code in enumerate(solved):
        hidden = (released == code).astype(np.float64)
        rows, mine = linear.chances(hidden)
        matrix, right = marginals.equations(hidden, rows, mine)
        before[:, place] = mine
        after[:, place] = mine + shift(matrix, right, mine)
    if solved.size < common.size:
        before, after = np.hstack([before, 1 - before]), np.hstack([after, 1 - after])
    return Recovered(codes=common.astype(np.int64), before=before, after=after)


def shift(matrix: "sparse.csr_array", right: Floats, before: Floats) -> Floats:
    """Return the most probable ``x - before``, where ``x`` lies between 0 and 1.

    Minimizes ``|matrix @ d - right|^2 + sum(d^2 / (before (1 - before)))``, which is convex.
    """
    spread = before * (1 - before)
    transposed = matrix.T.tocsr()

    def value(moved: Floats) -> tuple[float, Floats]:
        left = matrix @ moved - right
        pulled = moved / spread
        return 0.5 * float(left @ left + moved @ pulled), transposed @ left + pulled

    objective: Any = value  # the stubs have no name for a function that returns its gradient too
    found = minimize(
        objective,
        np.zeros(before.size),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(-before, 1 - before),
        options={"maxiter": 200, "maxcor": 15},
    )
    solution: Floats = found.x
    return solution


class Linear:
    """Chances of a value by the known columns one by one: what cells of pairs are held against.

    Args:
        released: shape ``(rows, known columns)``.
        targets: shape ``(targets, known columns)``.
    """

    def __init__(self, released: Codes, targets: Codes) -> None:
        sizes = [
            int(max(released[:, place].max(), targets[:, place].max(initial=0))) + 1
            for place in range(released.shape[1])
        ]
        self._rows, self._targets = (_indicators(codes, sizes) for codes in (released, targets))

    def chances(self, hidden: Floats) -> tuple[Floats, Floats]:
        """Return the chance of each released row and of each target."""
        mean = float(hidden.mean())
        weights = lsqr(self._rows, hidden - mean, damp=1.0, iter_lim=100)[0]
        rows, targets = (
            np.clip(mean + table @ weights, *_LIMITS) for table in (self._rows, self._targets)
        )
        return rows, targets


def _indicators(codes: Codes, sizes: Sequence[int]) -> "sparse.csr_array":
    rows, columns = codes.shape
    places = codes + np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    return sparse.csr_array(
        (
            np.ones(codes.size),
            places.ravel(),
            np.arange(0, codes.size + 1, columns, dtype=np.int32),
        ),
        shape=(rows, int(np.sum(sizes))),
    )


def _numbers(codes: Codes, columns: tuple[int, ...]) -> NDArray[np.int64]:
    """Return one number a row for its cell of a marginal."""
    numbers = np.zeros(len(codes), dtype=np.int64)
    for place in columns:
        numbers = numbers * (1 << 20) + codes[:, place]
    return numbers
