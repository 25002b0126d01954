"""How far is a synthetic table from a real one? Means of table distances, and a prediction task.

All distances are total variation: half the L1 distance of two normalised tables, from 0 to 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from dpsynth.bench.coded import CodedTable, Codes
from dpsynth.utility.marginals import cliques

_BATCH = 1 << 18  # entries counted at once: small tables go in batches, large ones one by one
_DENSE_CELLS = 1 << 22  # a table of more cells is compared on its occupied cells only


def distances(real: Codes, synthetic: Codes, sizes: Mapping[str, int]) -> dict[str, float]:
    """Return tvd1, tvd2 and tvd3: means over columns, pairs and triples.

    Args:
        real: codes by column; the columns of ``sizes``.
        synthetic: likewise, with any number of rows above 0.
        sizes: number of codes by column: the domain that the tables stand on.

    Returns:
        Each in [0, 1], lower is better; a width that the table has no columns for is left out.
        Triples are all there are, or 1,000 distinct ones drawn with a fixed seed.
    """
    return {
        f"tvd{width}": mean_distance(real, synthetic, sizes, chosen)
        for width in (1, 2, 3)
        if (chosen := cliques(tuple(sizes), width))
    }


def mean_distance(
    real: Codes, synthetic: Codes, sizes: Mapping[str, int], chosen: Sequence[tuple[str, ...]]
) -> float:
    """Return the mean total variation distance over the tables of ``chosen``."""
    total = 0.0
    for batch in _batches(chosen, sizes, rows=max(_rows(real), _rows(synthetic))):
        cells = [prod(sizes[name] for name in clique) for clique in batch]
        first, second = _places(real, sizes, batch), _places(synthetic, sizes, batch)
        if sum(cells) > _DENSE_CELLS:
            occupied, at = np.unique(np.concatenate([first, second]), return_inverse=True)
            first, second = at[: first.size], at[first.size :]
            cells = [occupied.size]  # more than _DENSE_CELLS stand alone in their batch
        difference = np.bincount(first, minlength=sum(cells)) / _rows(real)
        difference -= np.bincount(second, minlength=sum(cells)) / _rows(synthetic)
        total += float(np.abs(difference).sum()) / 2
    return total / len(chosen)


def _batches(
    chosen: Sequence[tuple[str, ...]], sizes: Mapping[str, int], *, rows: int
) -> Iterator[list[tuple[str, ...]]]:
    batch: list[tuple[str, ...]] = []
    entries = 0
    for clique in chosen:
        here = max(rows, prod(sizes[name] for name in clique))
        if batch and entries + here > _BATCH:
            yield batch
            batch, entries = [], 0
        batch.append(clique)
        entries += here
    if batch:
        yield batch


def _places(
    codes: Codes, sizes: Mapping[str, int], batch: Sequence[tuple[str, ...]]
) -> NDArray[np.int64]:
    """Return the cell of every row in every table of the batch, the tables laid end to end."""
    rows = _rows(codes)
    places = np.empty((len(batch), rows), dtype=np.int64)
    offset = 0
    for line, clique in zip(places, batch, strict=True):
        line[:] = codes[clique[0]]
        for name in clique[1:]:
            line *= sizes[name]
            line += codes[name]
        line += offset
        offset += prod(sizes[name] for name in clique)
    return places.ravel()


def _rows(codes: Codes) -> int:
    return len(next(iter(codes.values())))


def target_auc(synthetic: Codes, test: CodedTable) -> float:
    """Train on synthetic rows, test on real ones: area under the ROC curve of the target.

    Gradient boosting with scikit-learn's settings and a fixed seed. Ordered columns enter as
    numbers, the others as categories where they have few enough codes.

    Args:
        synthetic: codes by column.
        test: real rows that the synthesizer has not seen.

    Returns:
        In [0, 1], higher is better; 0.5 where the synthetic rows are all of one class.

    Raises:
        ValueError: the table has no target with a positive code.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    if test.target is None or test.positive is None:
        raise ValueError("the data set names no target with a positive code")
    features = [name for name in test.codes if name != test.target]
    label = np.asarray(synthetic[test.target]) == test.positive
    if label.all() or not label.any():
        return 0.5
    few = HistGradientBoostingClassifier().max_bins
    model = HistGradientBoostingClassifier(
        random_state=0,
        categorical_features=[
            name not in test.ordered and 2 < test.sizes[name] <= few for name in features
        ],
    )
    learnt = np.column_stack([synthetic[name] for name in features]).astype(np.float64)
    rows = np.column_stack([test.codes[name] for name in features]).astype(np.float64)
    # On a busy machine, threads that wait for each other take many times longer than one.
    with threadpool_limits(limits=1):
        score = model.fit(learnt, label).predict_proba(rows)[:, 1]
    return float(roc_auc_score(np.asarray(test.codes[test.target]) == test.positive, score))
