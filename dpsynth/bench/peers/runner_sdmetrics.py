"""Measure two tables by SDMetrics, dython, scikit-learn and scipy.

Executed by its own Python, through the harness. A job's rows are those of two tables, told apart
by the column ``PART``: "real" and "synthetic". Each column is there as codes, ``c:NAME``, and each
number as it is, too, ``v:NAME``. Answers come back as records of a measure's name and its value.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

PART = "_part"
RIDGE = 0.01
LEVELS = np.linspace(0, 1, 30)
Parts = tuple[pd.DataFrame, pd.DataFrame]


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    del name
    for module in ("dython.nominal", "sdmetrics.column_pairs", "sdmetrics.single_column"):
        import_module(module)
    packages = ("sdmetrics", "dython", "scikit-learn", "scipy", "numpy", "pandas")
    return {package: version(package) for package in packages}


def measure(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Compute what the job asks for."""
    if job["name"] == "area":
        from sklearn.metrics import roc_auc_score

        found = [("area", float(roc_auc_score(frame["label"], frame["chance"])))]
    else:
        part = frame.pop(PART)
        both = tuple(frame[part == name].reset_index(drop=True) for name in ("real", "synthetic"))
        found = list(_measured(job["settings"], both))  # type: ignore[arg-type]  # there are two
    return pd.DataFrame(found, columns=["measure", "value"])


def _measured(settings: Mapping[str, Any], both: Parts) -> Iterator[tuple[str, float]]:
    columns, numbers = settings["columns"], settings["numbers"]
    codes = tuple(part[[f"c:{name}" for name in columns]].astype(str) for part in both)
    yield from _marginals(codes, columns)  # type: ignore[arg-type]  # there are two
    yield from _associations(both, columns, numbers)
    points = _points(settings, both)
    yield "hellinger", _hellinger(*points)
    size = settings["regression"]
    yield "pmse", _pmse(points[0][:size], points[1][:size])
    size = settings["points"]
    yield from _support(points[0][:size], points[1][:size])


def _marginals(codes: Parts, columns: list[str]) -> Iterator[tuple[str, float]]:
    from sdmetrics.column_pairs import ContingencySimilarity
    from sdmetrics.single_column import TVComplement

    real, synthetic = codes
    each = [1 - TVComplement.compute(real[f"c:{n}"], synthetic[f"c:{n}"]) for n in columns]
    yield "single columns", float(np.mean(each))
    far = []
    for first, second in combinations(columns, 2):
        pair = [f"c:{first}", f"c:{second}"]
        far.append(1 - ContingencySimilarity.compute(real[pair], synthetic[pair]))
    yield "pairs of columns", float(np.mean(far))


def _associations(
    both: Parts, columns: list[str], numbers: list[str]
) -> Iterator[tuple[str, float]]:
    from dython.nominal import correlation_ratio
    from sdmetrics.column_pairs import CorrelationSimilarity

    real, synthetic = both
    for kind in ("Pearson", "Spearman"):
        apart = [
            2 * (1 - CorrelationSimilarity.compute(real[pair], synthetic[pair], coefficient=kind))
            for pair in ([f"v:{a}", f"v:{b}"] for a, b in combinations(numbers, 2))
        ]
        yield kind, float(np.mean(apart))
    categories = [f"c:{name}" for name in columns if name not in numbers]
    apart = [
        abs(_cramer(real[a], real[b]) - _cramer(synthetic[a], synthetic[b]))
        for a, b in combinations(categories, 2)
    ]
    yield "Cramer", float(np.mean(apart))
    apart = [
        abs(
            correlation_ratio(real[a], real[b], nan_strategy="drop")
            - correlation_ratio(synthetic[a], synthetic[b], nan_strategy="drop")
        )
        for a, b in product(categories, [f"v:{name}" for name in numbers])
    ]
    yield "ratio", float(np.mean(apart))


def _cramer(first: "pd.Series[Any]", second: "pd.Series[Any]") -> float:
    """Return the corrected V of two columns by dython, and by scipy where both have two codes.

    There dython leaves Yates' correction on, which ours does not have.
    """
    from dython.nominal import cramers_v
    from scipy.stats.contingency import association

    table = pd.crosstab(first, second).to_numpy()
    if table.shape != (2, 2):
        return float(cramers_v(first, second))
    bias = 1 / (table.sum() - 1)
    squared = float(association(table, correction=False)) ** 2
    return float(np.sqrt(max(0.0, squared - bias) / (1 - bias)))


def _points(settings: Mapping[str, Any], both: Parts) -> tuple[Any, Any]:
    """Return normal scores: quantiles of the mean rank among the real rows, of unit variance."""
    from scipy.stats import norm

    made: tuple[list[Any], list[Any]] = ([], [])
    for name in settings["columns"]:
        held = [part[f"c:{name}"] for part in both]
        if name not in settings["ordered"]:
            counts = held[0].value_counts()
            ranked = sorted(
                set(held[0]) | set(held[1]), key=lambda code: (-counts.get(code, 0), code)
            )
            place = {code: at for at, code in enumerate(ranked)}
            held = [part.map(place) for part in held]
        known, rows = np.sort(held[0].to_numpy()), len(held[0])
        scores = []
        for part in held:
            below, upto = (np.searchsorted(known, part, side=side) for side in ("left", "right"))
            middle = np.clip((below + upto) / (2 * rows), 0.5 / rows, 1 - 0.5 / rows)
            scores.append(norm.ppf(middle))
        for into, score in zip(made, scores, strict=True):
            into.append(score / np.std(scores[0]))
    return np.column_stack(made[0]), np.column_stack(made[1])


def _hellinger(real: Any, synthetic: Any) -> float:
    means = real.mean(axis=0) - synthetic.mean(axis=0)
    first, second = (
        np.cov(part, rowvar=False, bias=True) + RIDGE * np.eye(part.shape[1])
        for part in (real, synthetic)
    )
    half = (first + second) / 2
    overlap = np.linalg.det(first) ** 0.25 * np.linalg.det(second) ** 0.25
    overlap /= np.sqrt(np.linalg.det(half))
    overlap *= np.exp(-means @ np.linalg.inv(half) @ means / 8)
    return float(np.sqrt(1 - overlap))


def _pmse(real: Any, synthetic: Any) -> float:
    from scipy.linalg import qr
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import PolynomialFeatures

    found = PolynomialFeatures(2).fit_transform(np.vstack([real, synthetic]))
    turned, triangle, _ = qr(found, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    rank = int((size > 1e-8 * size[0]).sum())
    terms = turned[:, :rank] * np.sqrt(len(turned))
    label = np.repeat([0.0, 1.0], [len(real), len(synthetic)])
    model = LogisticRegression(
        C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-10, max_iter=1000
    )
    chance = model.fit(terms, label).predict_proba(terms)[:, 1]
    expected = (rank - 1) * (1 - label.mean()) ** 2 * label.mean() / len(label)
    return float(((chance - label.mean()) ** 2).mean() / expected)


def _support(real: Any, synthetic: Any) -> Iterator[tuple[str, float]]:
    from sklearn.neighbors import NearestNeighbors

    center, other = real.mean(axis=0), synthetic.mean(axis=0)
    radii = np.quantile(np.linalg.norm(real - center, axis=1), LEVELS)
    far = np.linalg.norm(synthetic - center, axis=1)
    inside = np.array([(far <= radius).mean() for radius in radii])
    yield "alpha-precision", 1 - 2 * np.abs(LEVELS - inside).sum() * (LEVELS[1] - LEVELS[0])
    own = NearestNeighbors(n_neighbors=2, algorithm="kd_tree").fit(real).kneighbors(real)[0][:, 1]
    to_other, which = _nearest(real, synthetic)
    reached = np.linalg.norm(synthetic[which] - other, axis=1)
    covered = np.array(
        [
            ((to_other <= own) & (reached <= radius)).mean()
            for radius in np.quantile(reached, LEVELS)
        ]
    )
    yield "beta-recall", 1 - 2 * np.abs(LEVELS - covered).sum() * (LEVELS[1] - LEVELS[0])
    to_real, home = _nearest(synthetic, real)
    yield "authenticity", float((to_real > own[home]).mean())


def _nearest(points: Any, others: Any) -> tuple[Any, Any]:
    from sklearn.neighbors import NearestNeighbors

    far, which = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(others).kneighbors(points)
    return far[:, 0], which[:, 0]
