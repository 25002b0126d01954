"""How good is a synthetic table of raw values? Held against the real rows, outside every guarantee.

    raw = load_raw(Dataset(name="adult", schema="adult.toml"), folder=Path("benchmarks/schemas"))
    scores = score(model.sample(), raw)

Tables are compared on the values that they hold, not on the bins of whoever made them.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.bench import metrics
from dpsynth.bench.raw import RawTable
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

QUANTILE_BINS = 10  # that numbers are compared in, cut by the real rows
_ROUNDS = 100  # of boosting, as scikit-learn has it where nothing else is said
_ITERATIONS = 300  # of the logistic regression at most
_NUMBERS = ("integer", "continuous")


def score(synthetic: "pd.DataFrame", real: RawTable) -> dict[str, float]:
    """Hold a synthetic table against the rows it was learnt from, and against others.

    Args:
        synthetic: any number of rows above 0, with the columns of the schema in any order, as the
            schema decodes them: text where values are text.
        real: training rows; test rows too where the target is to be predicted.

    Returns:
        ``tvd1``, ``tvd2`` and ``tvd3``: mean total variation distances over all columns, pairs and
        triples (of more than 1,000 triples a fixed choice), in [0, 1], lower is better. Numbers
        are compared in the ten quantile bins of the real rows (equal quantiles are one, so that a
        column that is nearly always 0 has a single bin), values as they are, missing ones as a
        value of their own, and values that the real rows do not have as one more. With test rows
        and a target ``auc`` and ``auc_logistic``: area under the ROC curve on the test rows, of
        gradient boosting and of a logistic regression that learnt from the synthetic rows.

    Raises:
        UsageError: the synthetic table lacks a column or has no row.
    """
    yard = Yardstick.of(real)
    return yard.distances(synthetic) | yard.areas(synthetic)


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """What tables are held against: made once from the real rows, used for many tables.

    Attributes:
        real: the tables.
        edges: by number column, inner edges of the quantile bins.
        levels: by other column, the values of the training rows, sorted as text.
    """

    real: RawTable = field(repr=False)
    edges: dict[str, NDArray[np.float64]]
    levels: dict[str, list[str]]

    @classmethod
    def of(cls, real: RawTable) -> "Yardstick":
        """Cut the columns of the training rows."""
        edges, levels = {}, {}
        shares = np.linspace(0, 1, QUANTILE_BINS + 1)
        for column in real.schema.modeled:
            held = real.train[column.name]
            if column.kind in _NUMBERS:
                values = _numbers(held, column.missing_codes)
                edges[column.name] = np.unique(np.nanquantile(values, shares))[1:-1]
            else:
                levels[column.name] = sorted(set(_texts(held, column.missing_codes)) - {""})
        return cls(real=real, edges=edges, levels=levels)

    def codes(self, table: "pd.DataFrame") -> dict[str, NDArray[np.int64]]:
        """Return what is compared: bins and places of values, then unknown ones, then missing."""
        found = {}
        for column in self.real.schema.modeled:
            held = table[column.name]
            if column.kind in _NUMBERS:
                values = _numbers(held, column.missing_codes)
                places = np.searchsorted(self.edges[column.name], values, side="right")
                absent = np.isnan(values)
            else:
                texts = _texts(held, column.missing_codes)
                places, absent = _places(texts, self.levels[column.name]), texts == ""
            found[column.name] = np.where(absent, self._size(column.name) - 1, places)
        return found

    def distances(self, synthetic: "pd.DataFrame") -> dict[str, float]:
        """Return the mean distances; see ``score``."""
        self._check(synthetic)
        sizes = {column.name: self._size(column.name) for column in self.real.schema.modeled}
        return metrics.distances(self.codes(self.real.train), self.codes(synthetic), sizes)

    def areas(self, synthetic: "pd.DataFrame") -> dict[str, float]:
        """Return the areas under the ROC curve; empty without a target or test rows."""
        self._check(synthetic)
        test, target = self.real.test, self.real.schema.target
        if test is None or target is None:
            return {}
        learnt, asked = self._features(synthetic), self._features(test)
        label, truth = self._label(synthetic), self._label(test)
        if label.all() or not label.any():
            return {"auc": 0.5, "auc_logistic": 0.5}
        return {
            "auc": _boosting(learnt, label, asked, truth),
            "auc_logistic": _logistic(learnt, label, asked, truth, numbers=self._numbers_first()),
        }

    def _check(self, table: "pd.DataFrame") -> None:
        missing = [c.name for c in self.real.schema.modeled if c.name not in table.columns]
        if missing:
            raise UsageError(f"the synthetic table has no column {missing[0]!r}")
        if not len(table):
            raise UsageError("the synthetic table has no row")

    def _size(self, name: str) -> int:
        """Bins or levels, one for values that the real rows do not have, one for missing."""
        known = len(self.edges[name]) + 1 if name in self.edges else len(self.levels[name])
        return known + 2

    def _numbers_first(self) -> int:
        return sum(name != self.real.schema.target for name in self.edges)

    def _features(self, table: "pd.DataFrame") -> NDArray[np.float64]:
        """Numbers as they are, then others as places in the sorted list; unknown ones are -1."""
        columns = {c.name: c for c in self.real.schema.modeled if c.name != self.real.schema.target}
        made = [
            _numbers(table[name], columns[name].missing_codes)
            for name in self.edges
            if name in columns
        ]
        for name, levels in self.levels.items():
            if name in columns:
                texts = _texts(table[name], columns[name].missing_codes)
                places = _places(texts, levels)
                made.append(np.where(places < len(levels), places, -1).astype(np.float64))
        return np.column_stack(made)

    def _label(self, table: "pd.DataFrame") -> NDArray[np.bool_]:
        target = self.real.schema.target
        return np.asarray(table[target].astype(str) == self.real.positive)


def _places(texts: NDArray[np.object_], levels: list[str]) -> NDArray[np.int64]:
    import pandas as pd

    places = pd.Index(levels, dtype=object).get_indexer(pd.Index(texts, dtype=object))
    return np.where(places < 0, len(levels), places).astype(np.int64)


def _numbers(held: "pd.Series", missing: tuple[Any, ...]) -> NDArray[np.float64]:
    """Return numbers, NaN where a cell is missing or no number."""
    import pandas as pd

    cells = held.where(~held.astype(str).isin([str(code) for code in missing])) if missing else held
    found = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def _texts(held: "pd.Series", missing: tuple[Any, ...]) -> NDArray[np.object_]:
    """Return values as text, empty where a cell is missing; 1.0 and 1 are the same."""
    import pandas as pd

    cells = held
    if pd.api.types.is_float_dtype(held.dtype) and not (held.dropna() % 1).any():
        cells = held.astype("Int64")
    texts = cells.astype(str).where(held.notna(), "").to_numpy(dtype=object)
    return np.where(np.isin(texts.astype(str), [str(code) for code in missing]), "", texts)


def _boosting(
    learnt: NDArray[np.float64],
    label: NDArray[np.bool_],
    asked: NDArray[np.float64],
    truth: NDArray[np.bool_],
) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=_ROUNDS, random_state=0, categorical_features=None
    )
    # On a busy machine, threads that wait for each other take many times longer than one.
    with threadpool_limits(limits=1):
        shares = model.fit(learnt, label).predict_proba(asked)[:, 1]
    return float(roc_auc_score(truth, shares))


def _logistic(
    learnt: NDArray[np.float64],
    label: NDArray[np.bool_],
    asked: NDArray[np.float64],
    truth: NDArray[np.bool_],
    *,
    numbers: int,
) -> float:
    """Numbers centered and scaled, missing ones at the center; other values as indicators."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    known = [np.unique(column) for column in learnt.T[numbers:]]
    center, spread = _scales(learnt[:, :numbers])

    def design(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = np.nan_to_num((rows[:, :numbers] - center) / spread)
        held = zip(rows.T[numbers:], known, strict=True)
        return np.hstack([scaled, *(column[:, None] == values for column, values in held)])

    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=_ITERATIONS).fit(design(learnt), label)
        shares = model.predict_proba(design(asked))[:, 1]
    return float(roc_auc_score(truth, shares))


def _scales(
    numbers: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation by column; 0 and 1 where nothing is there or varies."""
    known = ~np.isnan(numbers)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, numbers, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, numbers - center, 0) ** 2).sum(axis=0) / count)
    return center, np.where(spread > 0, spread, 1.0)
