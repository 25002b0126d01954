"""A hidden column of all targets at once, solved for from the counts that the release shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, minimize

from attacks import games
from attacks.attribute.marginals import Floats, Linear, Marginals, Records
from attacks.base import Evidence, TooLittle
from attacks.engine.released import pieces
from attacks.engine.table import Codes
from attacks.observed import Observed, Stage, View
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

_FEWEST_ROWS = 20


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
            games.grouped_codes(evidence, stage.one_row.codes, view.known),
            depth=attack.depth,
            rng=evidence.rng(attack.name),
        )
        for secret in view.secrets:
            columns = [*view.known, secret]
            groups = games.groups_of(evidence, columns)
            counts = np.bincount(groups[secret], games.released_counts(evidence, secret))
            truth = games.grouped_codes(evidence, stage.one_row.codes, [secret])[:, 0]
            if np.count_nonzero(counts) > 1:
                found = recover(
                    marginals,
                    partial(pieces, evidence.release.regrouped(groups), columns),
                    sizes=[int(groups[name].max()) + 1 for name in view.known],
                    counts=counts.astype(np.int64),
                    most=attack.codes,
                )
                common = int(np.argmax(counts))
                lines += _lines(attack, view, secret, found, truth=truth, common=common)
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
    common: int,
) -> list[Observed]:
    name = games.secret_name(attack.name, secret, view=view)
    model = attack.threat_model.knowing(*view.known, secret=secret)
    naive = float((truth == common).mean()) if truth.size else None
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


def recover(
    marginals: Marginals,
    records: Records,
    *,
    sizes: Sequence[int],
    counts: NDArray[np.int64],
    most: int,
) -> Recovered:
    """Solve for the most common values of a hidden column, one against the rest.

    Args:
        marginals: of the known columns.
        records: the release.
        sizes: number of codes of each known column.
        counts: released rows that hold each hidden value, two of them or more.
        most: values solved for.
    """
    common = np.argsort(-counts, kind="stable")[:most]
    common = common[counts[common] > 0]
    # Of two values, what one gains the other loses.
    solved = common[:1] if (counts > 0).sum() == 2 else common
    linear = Linear(records, sizes, solved.tolist())
    seen = marginals.sums(records, solved.tolist(), linear)
    before = linear.chances(marginals.targets)
    after = np.empty_like(before)
    for place in range(solved.size):
        mine = before[:, place]
        matrix, right = marginals.equations(seen, place, mine)
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
