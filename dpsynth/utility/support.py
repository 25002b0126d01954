"""Do synthetic rows lie where real rows lie, and the other way round? Alpha-precision, beta-recall.

Alaa, van Breugel, Saveliev and van der Schaar (2022), "How Faithful is your Synthetic Data?
Sample-level Metrics for Evaluating and Auditing Generative Models", ICML, PMLR 162, 290-306. Rows
are points: the normal scores of their columns.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility import bootstrap
from dpsynth.utility.normal_scores import normal_scores
from dpsynth.utility.scores import Score, Section

if TYPE_CHECKING:
    from dpsynth.utility.tables import Tables

MOST_ROWS = 5_000  # of each table: every row is held against every other
LEVELS = np.linspace(0, 1, 30)
_NO_EVIDENCE = (
    "says nothing about privacy: copies of half of the rows, or one patient's rare value, do not "
    "show here; the claim and the attacks do that"
)

Points = NDArray[np.float64]


def support(tables: "Tables", *, seed: int = 0) -> Section | None:
    """Compare where the rows of the tables lie.

    Three scores. Alpha-precision: how well the synthetic rows follow the real ones from the most
    typical to the most unusual; 1 where of every share of the real rows nearest their center the
    ball holds the same share of the synthetic rows. Beta-recall: how well the synthetic rows cover
    the real ones. Authenticity: the share of synthetic rows that are farther from their nearest
    real row than that row is from its own nearest. It is **no evidence of privacy**.

    Tables:
        precision: for each alpha, the share of each table's rows in that ball.
        recall: for each beta, the share of the real rows that each table covers.
    """
    size = min(tables.compared, len(tables.real), MOST_ROWS)
    of = {name: held[:size] for name, held in normal_scores(tables).items()}
    if size < 3 or not of["real"].shape[1]:
        return None
    found = {name: Support.of(of["real"], of[name]) for name in ("synthetic", "holdout", "floor")}
    weigh = bootstrap.weights(size, seed=seed)
    return Section(
        key="support",
        title="Where rows lie",
        scores=(
            _score("alpha-precision", {k: s.inside for k, s in found.items()}, weigh),
            _score("beta-recall", {k: s.covered for k, s in found.items()}, weigh),
            _authenticity(found, weigh),
        ),
        tables={
            "precision": {"alpha": LEVELS}
            | {name: held.inside.mean(axis=0) for name, held in found.items()},
            "recall": {"beta": LEVELS}
            | {name: held.covered.mean(axis=0) for name, held in found.items()},
        },
        notes=(
            f"{size} rows of each table, as normal scores of their columns.",
            f"Authenticity {_NO_EVIDENCE}.",
            "Intervals: 95 %, from 200 Poisson bootstrap replicates of the rows; balls and nearest "
            "rows are held fixed.",
        ),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Support:
    """How the rows of another table lie to the real rows.

    Attributes:
        inside: shape ``(rows, levels)``, whether each row of the other table lies in the ball
            around the real rows' center that holds a share alpha of them.
        covered: likewise, whether each real row has a row of the other table nearer than its own
            nearest real row, that lies in the other table's ball of beta.
        apart: shape ``(rows,)``, whether each row of the other table is farther from its nearest
            real row than that one is from its own nearest.
    """

    inside: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    apart: NDArray[np.bool_]

    @classmethod
    def of(cls, real: Points, other: Points) -> "Support":
        """Compare two tables of points of as many rows."""
        to_center = _lengths(real - real.mean(axis=0))
        radii = np.quantile(to_center, LEVELS)
        inside = _lengths(other - real.mean(axis=0))[:, None] <= radii
        among, _ = nearest(real, real, own=True)
        to_other, which = nearest(real, other)
        to_real, home = nearest(other, real)
        reached = _lengths(other - other.mean(axis=0))[which]
        within = reached[:, None] <= np.quantile(reached, LEVELS)
        return cls(
            inside=inside,
            covered=(to_other <= among)[:, None] & within,
            apart=to_real > among[home],
        )


def nearest(
    points: Points, others: Points, *, own: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return each point's distance to the nearest of ``others``, and which that is.

    Args:
        points: shape ``(points, columns)``.
        others: shape ``(others, columns)``.
        own: that both are the same, and a point is not its own nearest.
    """
    from scipy.spatial.distance import cdist

    far = np.empty(len(points))
    which = np.empty(len(points), dtype=np.int64)
    for begin in range(0, len(points), _BLOCK):
        block = slice(begin, min(begin + _BLOCK, len(points)))
        between = cdist(points[block], others)
        if own:
            between[np.arange(len(between)), np.arange(block.start, block.stop)] = np.inf
        which[block] = between.argmin(axis=1)
        far[block] = between.min(axis=1)
    return far, which


_BLOCK = 512


def faithfulness(shares: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 1 minus twice the area between a curve and the diagonal, over the last axis."""
    step = LEVELS[1] - LEVELS[0]
    return np.asarray(1 - 2 * step * np.abs(LEVELS - shares).sum(axis=-1))


def _score(name: str, found: dict[str, NDArray[np.bool_]], weigh: bootstrap.Weights) -> Score:
    held = found["synthetic"]
    shares = (weigh.T @ held) / weigh.sum(axis=0)[:, None]
    values = {key: float(faithfulness(each.mean(axis=0))) for key, each in found.items()}
    low, high = bootstrap.interval(values["synthetic"], faithfulness(shares), least=-1.0)
    return Score(
        name=name,
        value=values["synthetic"],
        ceiling=values["holdout"],
        floor=values["floor"],
        low=low,
        high=high,
        better="higher",
    )


def _authenticity(found: dict[str, Support], weigh: bootstrap.Weights) -> Score:
    values = {name: float(held.apart.mean()) for name, held in found.items()}
    low, high = bootstrap.interval(
        values["synthetic"], (found["synthetic"].apart @ weigh) / weigh.sum(axis=0)
    )
    return Score(
        name="authenticity, no evidence of privacy",
        value=values["synthetic"],
        ceiling=values["holdout"],
        floor=values["floor"],
        low=low,
        high=high,
        better="higher",
        note=_NO_EVIDENCE,
    )


def _lengths(points: Points) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((points**2).sum(axis=1)))
