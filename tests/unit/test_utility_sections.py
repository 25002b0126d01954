"""Every metric by other code than its own, and in the order that it must have."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dpsynth
from dpsynth.utility import bootstrap, hellinger, propensity, strengths, support
from dpsynth.utility.association import association
from dpsynth.utility.marginals import marginals
from dpsynth.utility.normal_scores import group_scores, normal_scores
from dpsynth.utility.tables import Tables

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "age", "kind": "integer", "bounds": [0, 100]},
            {"name": "size", "kind": "continuous", "bounds": [0, 300], "missing_codes": [-1]},
            {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            {"name": "ward", "kind": "categorical", "values": ["a", "b", "c", "d"]},
            {"name": "ill", "kind": "boolean"},
        ]
    }
)
ROWS = 800


def people(seed: int, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 101, rows)
    size = 100 + age + rng.normal(0, 15, rows).round(1)
    ward = np.array(list("abcd"))[np.clip(age // 30 + rng.integers(0, 2, rows), 0, 3)]
    return pd.DataFrame(
        {
            "age": age,
            "size": np.where(rng.random(rows) < 0.1, -1, size),
            "sex": np.array(["f", "m"])[rng.integers(0, 2, rows)],
            "ward": ward,
            "ill": rng.random(rows) < age / 120,
        }
    )


def apart(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return people(seed).apply(lambda column: rng.permutation(column))


@pytest.fixture(scope="module")
def near() -> Tables:
    return Tables.of(people(0), people(1), people(2), SCHEMA)


@pytest.fixture(scope="module")
def far() -> Tables:
    return Tables.of(apart(0), people(1), people(2), SCHEMA)


# -- all of them -----------------------------------------------------------------------------------

KEYS = ("hellinger", "association", "propensity", "support")


@pytest.fixture(scope="module")
def scores() -> dict[str, dict[str, object]]:
    made = {}
    for which, table in (("near", people(0)), ("far", apart(0))):
        found = dpsynth.evaluate(table, people(1), people(2), SCHEMA, sections=KEYS)
        made[which] = {score.name: score for section in found.sections for score in section.scores}
    return made


def test_a_fresh_sample_is_at_the_ceiling_and_independent_columns_at_the_floor(scores):
    assert len(scores["near"]) == len(scores["far"]) == 10
    for name, good in scores["near"].items():
        bad, sign = scores["far"][name], 1 if good.better == "higher" else -1
        if name.startswith("authenticity"):
            continue
        width = abs(good.ceiling - good.floor)
        assert sign * good.ceiling > sign * good.floor
        assert abs(good.value - good.ceiling) < width / 3, name
        assert abs(bad.value - bad.floor) < width / 3, name
        for score in (good, bad):
            assert score.low <= score.value <= score.high
            assert score.low < score.high


def test_authenticity_says_that_it_is_no_evidence(scores):
    score = next(held for name, held in scores["near"].items() if "authenticity" in name)
    assert "no evidence of privacy" in score.name
    assert "says nothing about privacy" in score.note


# What others make of these tables, as benchmarks/utility/against_others.py asks them: SDMetrics
# 0.32.0 (distances of columns and pairs, correlations), dython 0.7.12 (Cramer's V, correlation
# ratio), numpy's determinants (Hellinger), scikit-learn 1.9.1 (pMSE, nearest rows).
OTHERS = {
    "mean total variation, single columns": 0.053,
    "mean total variation, pairs of columns": 0.142625,
    "mean difference of Pearson correlations, pairs of numbers": 0.02018869155554226,
    "mean difference of Spearman correlations, pairs of numbers": 0.018097045574445803,
    "mean difference of Cramer's V, pairs of categories": 0.020843991495180163,
    "mean difference of correlation ratios, a category and a number": 0.01353299151824437,
    "multivariate Hellinger distance": 0.06855455366199213,
    "pMSE, as a multiple of its expectation for a perfect synthesis": 2.0324227963213276,
    "alpha-precision": 0.9810969084423306,
    "beta-recall": 0.5763793103448276,
    "authenticity, no evidence of privacy": 0.32625,
}


def test_values_are_those_of_other_peoples_code(scores, near):
    section = marginals(near, widths=(1, 2))
    ours = {name: score.value for name, score in scores["near"].items()}
    ours |= {score.name: score.value for score in section.scores}
    found = {name: ours[name] for name in OTHERS}
    assert found == pytest.approx(OTHERS, abs=1e-6)


# -- intervals -------------------------------------------------------------------------------------


def test_weighted_counts_are_those_of_repeated_rows():
    codes = np.array([0, 2, 2, 1, 0, 2])
    weigh = bootstrap.weights(6, seed=0)
    for place in range(5):
        repeated = np.repeat(codes, weigh[:, place].astype(int))
        by_hand = np.bincount(repeated, minlength=3)
        assert (bootstrap.counts(codes, 3, weigh)[:, place] == by_hand).all()
    assert weigh.mean() == pytest.approx(1, abs=0.15)  # 5 standard errors of 1,200 draws


def test_an_interval_is_cut_at_what_the_figure_can_be():
    low, high = bootstrap.interval(0.01, np.random.default_rng(0).normal(0.05, 0.02, 200))
    assert low == 0
    assert high == pytest.approx(0.01 + 1.96 * 0.02, rel=0.2)


# -- Hellinger -------------------------------------------------------------------------------------


def test_normal_scores_are_quantiles_of_middle_ranks():
    ordered = group_scores(np.array([10, 0, 30, 60]), ordered=True)
    assert ordered == pytest.approx(stats.norm.ppf([0.05, 0.10, 0.25, 0.70]))
    by_count = group_scores(np.array([10, 0, 30, 60]), ordered=False)
    assert by_count == pytest.approx(stats.norm.ppf([0.95, 0.995, 0.75, 0.30]))


def test_the_distance_of_two_normal_distributions_is_the_integral_of_its_definition():
    first = (np.array([[0.3]]), np.array([[[1.0]]]))
    second = (np.array([[-0.4]]), np.array([[[2.25]]]))
    grid = np.linspace(-20, 20, 200_001)
    densities = stats.norm.pdf(grid, 0.3, 1), stats.norm.pdf(grid, -0.4, 1.5)
    overlap = np.trapezoid(np.sqrt(densities[0] * densities[1]), grid)
    assert hellinger.distance(first, second) == pytest.approx(np.sqrt(1 - overlap), abs=1e-9)


def test_moments_are_those_of_repeated_rows(near):
    rows = normal_scores(near)["real"][:400]
    weigh = bootstrap.weights(400, seed=1)
    mean, covariance = hellinger.moments(rows, weigh)
    repeated = np.repeat(rows, weigh[:, 7].astype(int), axis=0)
    by_hand = np.cov(repeated.T, bias=True) + hellinger.RIDGE * np.eye(5)
    assert mean[7] == pytest.approx(repeated.mean(axis=0), abs=1e-5)
    assert covariance[7] == pytest.approx(by_hand, abs=1e-5)
    alone = hellinger.moments(rows)[1][0]
    assert alone == pytest.approx(np.cov(rows.T, bias=True) + 0.01 * np.eye(5), abs=1e-12)


def test_constant_columns_have_no_distance():
    schema = dpsynth.Schema.from_dict({"columns": [{"name": "ill", "kind": "boolean"}]})
    table = pd.DataFrame({"ill": [True] * 10})
    assert hellinger.hellinger(Tables.of(table, table, table, schema)) is None
    found = dpsynth.evaluate(table, table, table, schema, sections=KEYS)
    assert [section.key for section in found.sections] == ["propensity"]


# -- associations ----------------------------------------------------------------------------------


def test_associations_are_those_of_scipy(near):
    section = association(near)
    held = section.tables["associations"]
    matrix = dict(zip(held["columns"], held["real"], strict=True))
    real = near.real
    both = real[real["size"] >= 0]
    pearson = stats.pearsonr(both["age"], both["size"]).statistic
    assert matrix["age"][1] == pytest.approx(pearson, abs=1e-10)
    groups = [part["age"].to_numpy() for _, part in real.groupby("ward")]
    between = sum(len(each) * (each.mean() - real["age"].mean()) ** 2 for each in groups)
    ratio = np.sqrt(between / ((real["age"] - real["age"].mean()) ** 2).sum())
    assert matrix["ward"][0] == pytest.approx(ratio, abs=1e-10)
    table = pd.crosstab(real["ward"], real["ill"]).to_numpy()
    squared = stats.chi2_contingency(table, correction=False).statistic / len(real)
    squared -= (3 * 1) / (len(real) - 1)
    least = min(4 - 9 / (len(real) - 1), 2 - 1 / (len(real) - 1)) - 1
    assert matrix["ward"][4] == pytest.approx(np.sqrt(squared / least), abs=1e-10)


def test_spearman_is_that_of_pandas_which_ranks_each_pair_anew(near):
    pair = next(
        each for each in association(near).tables["pairs"] if each["kind"].startswith("Spear")
    )
    held = near.real.assign(size=near.real["size"].mask(near.real["size"] < 0))
    by_hand = held[["age", "size"]].corr(method="spearman").iloc[0, 1]
    assert pair["real"] == pytest.approx(by_hand, abs=1e-10)


def test_a_weighted_association_is_that_of_repeated_rows(near):
    weigh = bootstrap.weights(ROWS, seed=3)
    again = np.repeat(np.arange(ROWS), weigh[:, 0].astype(int))
    ward, ill = near.codes["real"]["ward"], near.codes["real"]["ill"]
    counts = bootstrap.counts(ward * 2 + ill, 8, weigh).reshape(4, 2, -1)
    by_hand = np.bincount((ward * 2 + ill)[again], minlength=8).reshape(4, 2, 1)
    assert strengths.cramers_v(counts)[0] == pytest.approx(
        strengths.cramers_v(by_hand.astype(float))[0], abs=1e-6
    )
    values = np.column_stack([near.values["real"]["age"], ward]) / 100
    there = np.ones_like(values)
    weighted = strengths.correlations(values, there, weigh[:, 0])[0, 1]
    assert weighted == pytest.approx(np.corrcoef(values[again].T)[0, 1], abs=1e-6)


def test_a_constant_column_has_no_association():
    alone = np.array([[5, 5], [0, 0]])[:, :, None].astype(float)
    assert strengths.cramers_v(alone) == 0
    assert strengths.correlation_ratio(np.array([[3.0]]), np.array([[6.0]]), np.array([12.0])) == 0
    flat = np.column_stack([np.zeros(9), np.arange(9.0)])
    assert strengths.correlations(flat, np.ones_like(flat), np.ones(9))[0, 1] == 0


# -- propensity ------------------------------------------------------------------------------------


def test_propensities_are_those_of_scikit_learn(far):
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    of = normal_scores(far)
    rows = propensity.terms(np.vstack([of["real"], of["synthetic"]]))
    label = np.arange(len(rows)) >= ROWS
    theirs = LogisticRegression(C=1e6, fit_intercept=False, tol=1e-10, max_iter=2_000)
    chance = theirs.fit(rows, label).predict_proba(rows)[:, 1]
    ours = expit(rows @ propensity.fitted(rows, label))
    assert ours == pytest.approx(chance, abs=1e-4)


def test_pmse_of_correct_synthesis_has_its_expectation():
    """Rows drawn from the very distribution: ratios of mean 1 and variance 2 / 9."""
    rng = np.random.default_rng(0)
    grid = stats.norm.ppf((np.arange(2_000) + 0.5) / 2_000)
    real = np.column_stack([np.ones(2_000), *(rng.permutation(grid) for _ in range(9))])
    ratios = []
    for _ in range(60):
        drawn = np.column_stack([np.ones(2_000), rng.choice(real[:, 1:], 2_000)])
        rows, label = np.vstack([real, drawn]), np.arange(4_000) >= 2_000
        chance = 1 / (1 + np.exp(-rows @ propensity.fitted(rows, label)))
        ratios.append(((chance - 0.5) ** 2).mean() / propensity.expected_pmse(10, 2_000, 2_000))
    # Standard error of the mean is sqrt(2 / 9 / 60) = 0.061: 4 of them, one alarm in 16,000.
    assert np.mean(ratios) == pytest.approx(1, abs=0.25)


def test_the_area_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    label = rng.random(500) < 0.4
    chance = np.round(rng.random(500) + 0.3 * label, 2)  # with ties
    weigh = bootstrap.weights(500, seed=2)
    plain = propensity.weighted_area(chance, label, np.ones((500, 1)))
    assert plain == pytest.approx(roc_auc_score(label, chance), abs=1e-12)
    ours = propensity.weighted_area(chance, label, weigh)[:3]
    theirs = [roc_auc_score(label, chance, sample_weight=weigh[:, at]) for at in range(3)]
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_the_area_of_chance_varies_as_its_null_says():
    rng = np.random.default_rng(0)
    label = np.arange(300) < 120
    drawn = [
        propensity.weighted_area(rng.random(300), label, np.ones((300, 1)))[0] for _ in range(400)
    ]
    # A standard deviation of 400 values errs by 3.5 %: 5 of them.
    assert np.std(drawn) == pytest.approx(propensity.null_deviation(120, 180), rel=0.18)


# -- support ---------------------------------------------------------------------------------------


def test_precision_and_recall_by_other_code():
    """The definitions, row by row."""
    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(60, 3)), rng.normal(0.5, 1, size=(60, 3))
    found = support.Support.of(real, other)
    between = np.linalg.norm(real[:, None] - other[None], axis=2)
    among = np.linalg.norm(real[:, None] - real[None], axis=2)
    np.fill_diagonal(among, np.inf)
    own = among.min(axis=1)
    for at, alpha in enumerate(support.LEVELS):
        center = real.mean(axis=0)
        radius = np.quantile(np.linalg.norm(real - center, axis=1), alpha)
        by_hand = [np.linalg.norm(point - center) <= radius for point in other]
        assert found.inside[:, at].tolist() == by_hand
    assert found.covered[:, -1].tolist() == (between.min(axis=1) <= own).tolist()
    home = between.argmin(axis=0)
    assert found.apart.tolist() == [between[home[at], at] > own[home[at]] for at in range(60)]


def test_copies_are_not_authentic_and_cover_everything():
    real = np.random.default_rng(0).normal(size=(200, 3))
    found = support.Support.of(real, real.copy())
    assert not found.apart.any()
    assert support.faithfulness(found.inside.mean(axis=0)) > 0.99
    assert support.faithfulness(found.covered.mean(axis=0)) > 0.99


def test_rows_in_the_middle_alone_are_neither_precise_nor_do_they_cover():
    rng = np.random.default_rng(0)
    found = support.Support.of(rng.normal(size=(400, 4)), rng.normal(scale=0.1, size=(400, 4)))
    assert support.faithfulness(found.inside.mean(axis=0)) < 0.3
    assert support.faithfulness(found.covered.mean(axis=0)) < 0.3
