"""Which columns does a classifier lean on? Permutation importance on held-out rows."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility.downstream.measures import measure
from dpsynth.utility.downstream.models import Predictor
from dpsynth.utility.downstream.task import Labels

if TYPE_CHECKING:
    import pandas as pd

REPEATS = 2  # shuffles of each column
MOST_ROWS = 3_000  # held-out rows that are asked


def importances(
    predictor: Predictor, asked: "pd.DataFrame", labels: Labels, *, seed: int
) -> NDArray[np.float64]:
    """Return how much AUROC falls when a column is shuffled among held-out rows.

    Args:
        predictor: trained on any table.
        asked: held-out rows, of which the first 3,000 are asked; in random order.
        labels: their true classes, none of them missing.
        seed: of the shuffles.

    Returns:
        Mean over two shuffles by column of ``predictor.features``; 0 where AUROC is undetermined.

    Source:
        Breiman (2001), "Random Forests", Machine Learning 45.
    """
    rng = np.random.default_rng(seed)
    rows = predictor.features.coded(asked.iloc[:MOST_ROWS])
    truth = labels[:MOST_ROWS]
    whole = measure(predictor.share_of(rows), truth)["auroc"]
    found = np.zeros(rows.shape[1])
    for place in range(rows.shape[1]):
        for _ in range(REPEATS):
            shuffled = rows.copy()
            shuffled[:, place] = rng.permutation(shuffled[:, place])
            found[place] += whole - measure(predictor.share_of(shuffled), truth)["auroc"]
    return np.nan_to_num(found / REPEATS)


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation, in [-1, 1]; 0 where one does not vary."""
    from scipy.stats import rankdata

    ranks = [rankdata(each) for each in (first, second)]
    spreads = [each.std() for each in ranks]
    if len(first) < 2 or not all(spreads):
        return 0.0
    one, other = (each - each.mean() for each in ranks)
    return float((one * other).mean() / (spreads[0] * spreads[1]))
