"""Can synthetic rows be told from real ones? A propensity score, and a classifier's area.

pMSE: a logistic regression predicts which table a row is of; the mean squared difference of its
propensities from the share of synthetic rows is 0 where it learns nothing. Woo, Reiter, Oganian and
Karr (2009); its expectation for correct synthesis, which it is divided by: Snoke, Raab, Nowok,
Dibben and Slavkovic (2018), "General and specific utility measures for synthetic data", Journal of
the Royal Statistical Society A 181(3), 663-688.
"""

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.utility import bootstrap
from dpsynth.utility.normal_scores import normal_scores
from dpsynth.utility.scores import Score, Section

if TYPE_CHECKING:
    from dpsynth.utility.tables import Tables

MOST_ROWS = 20_000  # of each table that a logistic regression sees
MOST_ROWS_BOOSTED = 10_000  # of each table that gradient boosting sees
MOST_PRODUCTS = 300  # of two columns that the logistic regression has terms for
FOLDS = 5
_STEPS = 50
_RIDGE = 1e-12  # keeps the fit finite where the tables part completely, and moves no digit
_SEED_OF_PRODUCTS = 0
_REPEATED = 1e-9  # of the largest variance: less is rounding


def propensity(tables: "Tables", *, seed: int = 0) -> Section | None:
    """Tell synthetic from real rows, by logistic regression and by gradient boosting.

    Two scores. The ratio of pMSE to its expectation for a perfect synthesis: about 1 then, larger
    the more there is to tell the tables apart by. And the area under the ROC curve of gradient
    boosting, cross-validated: 0.5 where it cannot tell, 1 where it always can.

    Tables:
        roc: the curves of gradient boosting: ``synthetic`` rows, and those of ``holdout`` and
            ``floor``, told from real ones.
        null: ``pmse`` expectation, and ``area`` with its standard deviation where no row can be
            told from another.
    """
    size = min(tables.compared, len(tables.real), MOST_ROWS)
    few = rows_told_apart(tables)
    of = {name: held[:size] for name, held in normal_scores(tables).items()}
    scores: list[Score] = []
    expected = None
    if of["real"].shape[1]:
        score, expected = pmse(of, seed=seed)
        scores.append(score)
    areas = told_apart(tables, seed=seed)
    scores.append(area_score(areas, seed=seed + 1))
    spread = null_deviation(few, few)
    return Section(
        key="propensity",
        title="Telling synthetic from real rows",
        scores=tuple(scores),
        tables={
            "roc": {"told from real rows": {name: curve(*held) for name, held in areas.items()}},
            "null": {"pmse": expected, "area": 0.5, "deviation": spread},
        },
        notes=(
            "pMSE: logistic regression on normal scores, their squares and products (of at most "
            f"{MOST_PRODUCTS} pairs), {size} rows of each table; divided by what it would be for a "
            "perfect synthesis.",
            f"Area: gradient boosting, {FOLDS}-fold cross-validation, {few} rows of each table. "
            f"Where nothing tells the tables apart it is 0.5, give or take {1.96 * spread:.3f}.",
            "Intervals: 95 %, from 200 Poisson bootstrap replicates of the rows. In each of them "
            "the logistic regression moves on by one step; the chances that boosting gave the rows "
            "are held fixed.",
        ),
    )


_COMPARED = ("synthetic", "holdout", "floor")

Told = tuple[NDArray[np.float64], NDArray[np.bool_]]


def told_apart(tables: "Tables", *, seed: int) -> dict[str, Told]:
    """Return what ``area`` finds for each table; asked again of the same tables, the same."""
    key = f"told apart, seed {seed}"
    if key not in tables.kept:
        rows = rows_told_apart(tables)
        tables.kept[key] = {name: area(tables, name, rows, seed=seed) for name in _COMPARED}
    return dict(tables.kept[key])


def rows_told_apart(tables: "Tables") -> int:
    """Return how many rows of each table gradient boosting sees."""
    return min(tables.compared, len(tables.real), MOST_ROWS_BOOSTED)


def count_of_terms(columns: int) -> int:
    """Return how many terms ``terms`` makes of so many columns, where none repeats another."""
    return 1 + 2 * columns + min(columns * (columns - 1) // 2, MOST_PRODUCTS)


def terms(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a logistic regression sees: 1, columns, squares and products, decorrelated.

    Args:
        scores: of both tables, one below the other, shape ``(rows, columns)``.

    Returns:
        Shape ``(rows, terms)``, of full rank: what repeats other terms is none of its own.
    """
    width = scores.shape[1]
    pairs = list(combinations(range(width), 2))
    if len(pairs) > MOST_PRODUCTS:
        rng = np.random.default_rng(_SEED_OF_PRODUCTS)
        some = np.sort(rng.choice(len(pairs), size=MOST_PRODUCTS, replace=False))
        pairs = [pairs[place] for place in some.tolist()]
    pairs = [*((place, place) for place in range(width)), *pairs]
    products = [scores[:, first] * scores[:, second] for first, second in pairs]
    raw = np.column_stack([scores, *products])
    raw -= raw.mean(axis=0)
    values, vectors = np.linalg.eigh(raw.T @ raw / len(raw))
    kept = values > _REPEATED * values[-1]
    return np.column_stack([np.ones(len(raw)), raw @ (vectors[:, kept] / np.sqrt(values[kept]))])


def expected_pmse(terms: int, synthetic: int, real: int) -> float:
    """Return the expectation of pMSE for correct synthesis: (k - 1)(1 - c)^2 c / N.

    Correct is a table drawn from the very distribution that the real rows have; their own sampling
    error is not counted. A fresh sample of the population has it too: its ratio is 1 / (1 - c).

    Args:
        terms: of the logistic regression, the intercept among them (k).
        synthetic: rows of that table; c is its share of all N.
        real: rows of the other.
    """
    whole = synthetic + real
    share = synthetic / whole
    return (terms - 1) * (1 - share) ** 2 * share / whole


def fitted(rows: NDArray[np.float64], label: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weights of a logistic regression that says how likely a row is synthetic.

    Newton's method, with halved steps where a full one would lose likelihood.

    Args:
        rows: terms, of full rank, the intercept among them; shape ``(rows, terms)``.
        label: which are synthetic.
    """
    from scipy.special import expit

    wanted = label.astype(np.float64)
    weight = np.zeros(rows.shape[1])
    loss = _loss(rows @ weight, wanted, weight)
    for _ in range(_STEPS):
        chance = expit(rows @ weight)
        slope = rows.T @ (wanted - chance) - _RIDGE * weight
        step = np.linalg.solve(_curvature(rows, chance), slope)
        for _ in range(_STEPS):
            tried = weight + step
            after = _loss(rows @ tried, wanted, tried)
            if after <= loss:
                break
            step /= 2
        else:
            break
        gained, weight, loss = loss - after, tried, after
        if gained < 1e-10 * (1 + loss):
            break
    return weight


def refitted(
    rows: NDArray[np.float64],
    label: NDArray[np.bool_],
    weight: NDArray[np.float64],
    weigh: bootstrap.Weights,
) -> NDArray[np.float64]:
    """Return pMSE in each replicate, its regression one step of Newton's method further."""
    from scipy.special import expit

    chance = expit(rows @ weight)
    slopes = rows.T @ ((label - chance)[:, None] * weigh)
    moved = weight[:, None] + np.linalg.solve(_curvature(rows, chance), slopes)
    total = weigh.sum(axis=0)
    share = weigh[label].sum(axis=0) / total
    found = np.empty(weigh.shape[1])
    for begin in range(0, len(found), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        apart = expit(rows @ moved[:, part]) - share[part]
        found[part] = (weigh[:, part] * apart**2).sum(axis=0) / total[part]
    return found


_AT_ONCE = 20  # replicates


def _curvature(rows: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    weighted = rows * (chance * (1 - chance))[:, None]
    return np.asarray(weighted.T @ rows + _RIDGE * np.eye(rows.shape[1]))


def _loss(
    linear: NDArray[np.float64], wanted: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    lost = np.logaddexp(0, linear).sum() - linear @ wanted
    return float(lost + _RIDGE * (weight @ weight) / 2)


def pmse(of: dict[str, NDArray[np.float64]], *, seed: int) -> tuple[Score, float]:
    """Return the score, and what pMSE is expected to be.

    Args:
        of: by table, normal scores of as many rows as of the others.
        seed: of the bootstrap.
    """
    from scipy.special import expit

    size = len(of["real"])
    label = np.arange(2 * size) >= size
    value, expected = {}, {}
    for name in _COMPARED:
        rows = terms(np.vstack([of["real"], of[name]]))
        expected[name] = expected_pmse(rows.shape[1], size, size)
        weight = fitted(rows, label)
        value[name] = float(((expit(rows @ weight) - 0.5) ** 2).mean()) / expected[name]
        if name == "synthetic":
            weigh = bootstrap.weights(len(rows), seed=seed)
            replicates = refitted(rows, label, weight, weigh) / expected[name]
    low, high = bootstrap.interval(value["synthetic"], replicates, most=np.inf)
    score = Score(
        name="pMSE, as a multiple of its expectation for a perfect synthesis",
        value=value["synthetic"],
        ceiling=value["holdout"],
        floor=value["floor"],
        low=low,
        high=high,
        better="lower",
        note="a fresh sample of the same population reads 2: it errs as well as the real rows do",
    )
    return score, expected["synthetic"]


def area(tables: "Tables", name: str, size: int, *, seed: int) -> Told:
    """Return cross-validated chances to be of table ``name``, not real, and which rows are.

    Numbers enter as they are, with missing ones as such, other columns as codes.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    rows = np.vstack([_features(tables, each, size) for each in ("real", name)])
    label = np.arange(len(rows)) >= size
    folds = StratifiedKFold(min(FOLDS, size), shuffle=True, random_state=seed)
    model = HistGradientBoostingClassifier(random_state=0, categorical_features=None)
    # On a busy machine, threads that wait for each other take many times longer than one.
    with threadpool_limits(limits=1):
        chance = cross_val_predict(model, rows, label, cv=folds, method="predict_proba")
    return np.asarray(chance[:, 1]), label


def _features(tables: "Tables", name: str, size: int) -> NDArray[np.float64]:
    values, codes = tables.values[name], tables.codes[name]
    return np.column_stack([values.get(column, codes[column])[:size] for column in tables.sizes])


def area_score(found: dict[str, Told], *, seed: int) -> Score:
    """Return the area under the ROC curve of chances and labels, by table."""
    areas = {
        name: float(weighted_area(*held, np.ones((len(held[0]), 1)))[0])
        for name, held in found.items()
    }
    weigh = bootstrap.weights(len(found["synthetic"][0]), seed=seed)
    replicates = weighted_area(*found["synthetic"], weigh)
    low, high = bootstrap.interval(areas["synthetic"], replicates)
    return Score(
        name="area under the ROC curve of telling synthetic from real rows",
        value=areas["synthetic"],
        ceiling=areas["holdout"],
        floor=areas["floor"],
        low=low,
        high=high,
        better="lower",
        note="0.5 where nothing tells the tables apart",
    )


def weighted_area(
    chance: NDArray[np.float64], label: NDArray[np.bool_], weight: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the area under the ROC curve for each column of weights; ties count half."""
    levels, places = np.unique(chance, return_inverse=True)
    positive, negative = (
        bootstrap.sums(places[kept], len(levels), weight[kept], np.ones(int(kept.sum()))).astype(
            np.float64
        )
        for kept in (label, ~label)
    )
    below = np.cumsum(negative, axis=0) - negative / 2
    pairs = positive.sum(axis=0) * negative.sum(axis=0)
    return np.asarray((positive * below).sum(axis=0) / pairs)


def curve(chance: NDArray[np.float64], label: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return points of the ROC curve, at most 101 of them: false alarms, and found."""
    order = np.argsort(-chance, kind="stable")
    found = np.append(0, np.cumsum(label[order])) / label.sum()
    alarms = np.append(0, np.cumsum(~label[order])) / (~label).sum()
    kept = np.unique(np.linspace(0, len(chance), 101).astype(int))
    return list(zip(alarms[kept].tolist(), found[kept].tolist(), strict=True))


def null_deviation(first: int, second: int) -> float:
    """Return the standard deviation of the area where no row can be told from another."""
    return float(np.sqrt((first + second + 1) / (12 * first * second)))
