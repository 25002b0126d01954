"""What a noisy histogram says of one column: which codes to tell apart, and the rows of each."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.coarsening import Coarsening
from dpsynth.models.graphical.denoise import smooth_histogram, smooth_ordered, smoothing_factor
from dpsynth.models.graphical.estimation import project_to_simplex
from dpsynth.models.graphical.tables import Array, NoisyTable, regrouped
from dpsynth.synthesizers.compression import merge_rare
from dpsynth.synthesizers.prior import PublicPrior, informed
from dpsynth.zeros import Alike


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What a histogram says of one column: its merged codes, and the rows of each.

    Attributes:
        coarsening: from the curator's codes to merged ones.
        table: the denoised histogram over merged codes.
        in_order: how many leading merged codes stand in order; 0 where codes have no order.
        kept: share of the noise's variance that denoising left, about.
    """

    coarsening: Coarsening
    table: NoisyTable
    in_order: int
    kept: float

    @property
    def rows(self) -> Array:
        """Rows expected of each merged code."""
        return self.table.values

    def in_blocks(self, most: int) -> NDArray[np.int64]:
        """Return a grouping of merged codes: neighbors in at most ``most`` blocks of like weight.

        Codes without order stay alone. A code that holds more than a block's share has a block
        to itself.
        """
        size, ordered = self.rows.size, self.in_order
        if ordered <= most:
            return np.arange(size, dtype=np.int64)
        rows = np.maximum(self.rows[:ordered], 0.0)
        middle = np.cumsum(rows) - rows / 2
        block = np.minimum((middle * (most / max(float(rows.sum()), 1e-9))).astype(np.int64), most)
        _, places = np.unique(block, return_inverse=True)
        alone = places.max() + 1 + np.arange(size - ordered, dtype=np.int64)
        return np.concatenate([places.astype(np.int64), alone])

    def merged(self, groups: NDArray[np.int64]) -> "Known":
        """Return the same with its merged codes grouped once more."""
        ordered = int(groups[: self.in_order].max()) + 1 if self.in_order else 0
        within = Coarsening(groups=groups, weights=self.rows)
        return Known(
            coarsening=self.coarsening.then(within),
            table=regrouped(self.table, groups),
            in_order=ordered,
            kept=self.kept,
        )

    def again(
        self,
        table: NoisyTable,
        total: float,
        *,
        ordered: bool,
        prior: PublicPrior | None = None,
    ) -> "Known":
        """Return the same codes with the rows that a better histogram tells."""
        groups, in_order = self.coarsening.groups, self.in_order
        return _over(groups, table, total, ordered=ordered, in_order=in_order, prior=prior)


def known(
    table: NoisyTable,
    total: float,
    *,
    ordered: bool,
    rare: float,
    levels: int,
    merging: Alike | None = None,
    prior: PublicPrior | None = None,
) -> Known:
    """Denoise a histogram and merge its rare codes.

    Args:
        table: noisy rows per code.
        total: number of rows.
        ordered: whether neighboring codes mean similar things.
        rare: standard deviations below which a code is rare.
        levels: merged codes that may be left.
        merging: which codes the declared rules let be merged; all where not given.
        prior: what was known before, joined with the histogram.
    """
    heard = informed(prior, table, total=total)
    groups = merge_rare(heard, threshold=rare, levels=levels, alike=merging).groups
    size = int(groups.max()) + 1
    in_order = size - int(size < groups.size) if ordered and merging is None else 0
    return _over(groups, table, total, ordered=ordered, in_order=in_order, prior=prior)


def rare_below(rho: Fraction) -> float:
    """Return the standard deviations below which a code is rare."""
    return 1.0 if rho < Fraction(1, 1000) else 3.0


def denoised(table: NoisyTable, total: float, *, ordered: bool) -> tuple[Array, float]:
    """Return the rows of each code, and about which share of the noise's variance is left."""
    stddev = float(np.sqrt(table.variance.max()))
    raw = table.values
    smooth = smooth_ordered(raw, stddev) if ordered else smooth_histogram(raw, stddev)
    rows = project_to_simplex(smooth, np.ones(raw.size), total=total)
    return rows, smoothing_factor(raw, smooth)


def _over(
    groups: NDArray[np.int64],
    table: NoisyTable,
    total: float,
    *,
    ordered: bool,
    in_order: int,
    prior: PublicPrior | None,
) -> Known:
    rows, kept = denoised(table, total, ordered=ordered)
    clean = NoisyTable(clique=table.clique, values=rows, variance=table.variance * kept)
    clean = informed(prior, clean, total=total)
    return Known(
        coarsening=Coarsening(groups=groups, weights=clean.values),
        table=regrouped(clean, groups),
        in_order=in_order,
        kept=kept,
    )
