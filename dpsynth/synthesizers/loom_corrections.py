"""What a sample is re-weighted to: all measured tables, as far as their noise allows."""

from collections.abc import Sequence

import numpy as np

from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.models.graphical.triangulation import GrowingGraph

ANCHOR = 0.1  # of the stddev of a table in the tree: the tree has drawn on all of them


def corrections(
    model: GraphicalModel, pairs: Sequence[NoisyTable], graph: GrowingGraph
) -> list[Correction]:
    """Hold what the tree has fitted where it is, and bring the other tables in."""
    found = []
    for table in pairs:
        stddev = float(np.sqrt(table.variance.max())) / model.total
        if graph.holds(table.clique):
            shares = model.marginal(table.clique) / model.total
            found.append(Correction(clique=table.clique, shares=shares, stddev=stddev * ANCHOR))
        else:
            values = table.values - (table.values.sum() - model.total) / table.values.size
            shares = values / model.total
            found.append(Correction(clique=table.clique, shares=shares, stddev=stddev))
    return found
