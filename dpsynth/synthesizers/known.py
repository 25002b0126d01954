"""What a noisy histogram says of one column: smooth counts, and which codes are worth telling."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from dpsynth.encoding.coarsening import Coarsening
from dpsynth.models.graphical.denoise import smooth_histogram, smooth_ordered, smoothing_factor
from dpsynth.models.graphical.estimation import project_to_simplex
from dpsynth.models.graphical.tables import Array, NoisyTable, regrouped
from dpsynth.synthesizers.compression import merge_rare
from dpsynth.zeros import Alike


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownColumn:
    """One column after its histogram was smoothed and its rare codes were merged.

    Attributes:
        coarsening: how the codes were merged, and how rows spread within a group.
        table: the merged histogram, as a model is fitted to it.
        rows: expected rows of each group, non-negative.
        in_order: how many leading groups stand in the order of their codes.
    """

    coarsening: Coarsening
    table: NoisyTable
    rows: Array
    in_order: int

    @classmethod
    def of(
        cls,
        table: NoisyTable,
        total: float,
        *,
        ordered: bool,
        rare_below: float,
        levels: int,
        alike: Alike | None,
    ) -> Self:
        """Smooth and merge one histogram; post-processing.

        Args:
            table: noisy rows per code of one column.
            total: number of rows.
            ordered: neighboring codes mean similar things.
            rare_below: a code is merged below this many standard deviations of its noise.
            levels: groups that may be left; see ``merge_rare``.
            alike: codes that declared rules let be merged; see ``merge_rare``.
        """
        stddev = float(np.sqrt(table.variance.max()))
        raw = table.values
        smooth = smooth_ordered(raw, stddev) if ordered else smooth_histogram(raw, stddev)
        factor = smoothing_factor(raw, smooth)
        rows = project_to_simplex(smooth, np.ones(raw.size), total=total)
        groups = merge_rare(table, threshold=rare_below, levels=levels, alike=alike).groups
        clean = NoisyTable(clique=table.clique, values=rows, variance=table.variance * factor)
        merged = regrouped(clean, groups)
        size = merged.values.size
        return cls(
            coarsening=Coarsening(groups=groups, weights=rows),
            table=merged,
            rows=merged.values,
            in_order=size - int(size < raw.size),
        )
