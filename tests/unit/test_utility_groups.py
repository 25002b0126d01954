"""Missing cells, rows that cannot be, and subgroups: each sees what was planted for it alone."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.utility import bootstrap, propensity
from dpsynth.utility.group_metrics import (
    ALL_COLUMNS,
    ASSOCIATIONS,
    BOOSTING,
    MISSING,
    REGRESSION,
    RULES,
    SMALL,
    SUPPORT,
    SURVIVAL,
    TABLES,
    TRIPLES,
)
from dpsynth.utility.missingness import missingness
from dpsynth.utility.rule_violations import BROKEN, SUSPECT, UNSEEN, rule_violations
from dpsynth.utility.subgroups import DRIFT, SHARES, TARGET, grouping, subgroups
from dpsynth.utility.tables import Tables

ROWS = 2000
DOCUMENT = {
    "quasi_identifiers": ["sex"],
    "target": "ill",
    "columns": [
        {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
        {"name": "pregnant", "kind": "boolean", "nullable": True},
        {"name": "age", "kind": "integer", "bounds": [0, 199], "nullable": True},
        {"name": "seen", "kind": "integer", "bounds": [0, 300], "missing_codes": [-1]},
        {"name": "site", "kind": "categorical", "values": [f"s{at}" for at in range(40)]},
        {"name": "ill", "kind": "boolean"},
    ],
    "rules": [
        {"forbid": {"sex": "m", "pregnant": True}, "reason": "men are not pregnant"},
        {"order": ["age", "seen"]},
    ],
}
SCHEMA = dpsynth.Schema.from_dict(DOCUMENT)


def people(seed, *, rows=ROWS):
    """Return rows in which no man is pregnant and ages are missing at the second site alone."""
    rng = np.random.default_rng(seed)
    men = rng.random(rows) < 0.5
    age = rng.integers(0, 120, rows).astype(float)
    site = np.minimum(rng.geometric(0.3, rows) - 1, 39)
    seen = age + rng.integers(0, 100, rows)
    gone = (site == 1) & (rng.random(rows) < 0.5)
    return pd.DataFrame(
        {
            "sex": np.where(men, "m", "f"),
            "pregnant": pd.array(np.where(men, False, rng.random(rows) < 0.3), dtype="boolean"),
            "age": np.where(gone, np.nan, age),
            "seen": np.where(gone, -1, seen),
            "site": [f"s{at}" for at in site],
            "ill": rng.random(rows) < age / 150,
        }
    )


def tables_of(synthetic, **changed):
    return Tables.of(synthetic, people(1), people(2), SCHEMA, seed=3, **changed)


def scores(section, *, group=""):
    return {score.name: score for score in section.scores if score.group == group}


RATES = "mean difference of the missing rates"
PATTERNS = "total variation, patterns of missing cells"
AREA = "area under the ROC curve of telling synthetic from real rows"
ELSEWHERE = "mean total variation, missing or not by the value of another column"


# -- missing cells ---------------------------------------------------------------------------------


def test_another_sample_misses_the_right_cells():
    found = scores(missingness(tables_of(people(5)), seed=0))
    for score in found.values():
        assert score.value < 2 * score.ceiling + 0.01
        assert score.low <= score.value <= score.high
    assert found[ELSEWHERE].floor > 2.5 * found[ELSEWHERE].ceiling


def test_the_right_rate_in_the_wrong_rows_is_seen_by_the_other_columns():
    synthetic = people(5)
    rng = np.random.default_rng(0)
    order = rng.permutation(ROWS)
    for name in ("age", "seen"):
        synthetic[name] = synthetic[name].to_numpy()[order]
    found = scores(missingness(tables_of(synthetic), seed=0))
    assert found[RATES].value < 0.02
    assert found[PATTERNS].value < 0.03
    assert found[ELSEWHERE].low > 1.5 * found[ELSEWHERE].ceiling


def test_cells_that_miss_apart_are_seen_by_the_patterns():
    synthetic = people(5)
    synthetic["seen"] = np.random.default_rng(0).permutation(synthetic["seen"])
    section = missingness(tables_of(synthetic), seed=0)
    found = scores(section)
    assert found[RATES].value < 0.02
    assert found[PATTERNS].low > 3 * found[PATTERNS].ceiling
    rows = {row[0]: row[1:] for row in section.tables["patterns"]["rows"]}
    assert rows["age, seen"][0] > 4 * rows["age, seen"][1]
    assert sum(row[0] for row in rows.values()) == pytest.approx(1)


def test_rates_are_those_of_the_rows():
    synthetic = people(5)
    synthetic.loc[:999, "age"] = np.nan
    section = missingness(tables_of(synthetic), seed=0)
    rows = {row[0]: row[1:] for row in section.tables["rates"]["rows"]}
    assert set(rows) == {"age", "seen"}  # no pregnancy is unknown in any table
    for place, frame in enumerate((people(1), synthetic, people(2))):
        assert rows["age"][place] == pytest.approx(frame["age"].isna().mean())
        assert rows["seen"][place] == pytest.approx((frame["seen"] == -1).mean())
    score = scores(section, group="age")["difference of the missing rate"]
    assert score.value == pytest.approx(
        abs(synthetic["age"].isna().mean() - people(1)["age"].isna().mean())
    )
    # A difference of two shares of 2,000 rows has a standard error of about 0.0125.
    assert score.high - score.value == pytest.approx(1.96 * 0.0125, rel=0.25)


def test_the_missing_code_of_a_long_list_is_found():
    schema = dpsynth.Schema.from_dict(
        {
            "columns": [
                {
                    "name": "code",
                    "kind": "categorical",
                    "values": [f"v{at}" for at in range(60)],
                    "nullable": True,
                },
                {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            ]
        }
    )

    def frame(seed, gone):
        rng = np.random.default_rng(seed)
        code = np.array([f"v{at}" for at in rng.integers(0, 60, 600)], dtype=object)
        code[:gone] = None
        return pd.DataFrame({"code": code, "sex": rng.choice(["f", "m"], 600)})

    tables = Tables.of(frame(0, 30), frame(1, 3), frame(2, 3), schema)
    score = scores(missingness(tables, seed=0))[RATES]
    assert score.value == pytest.approx(27 / 600)


def test_tables_without_missing_cells_have_no_such_section():
    frames = [people(seed).assign(age=3.0, seen=5) for seed in (5, 1, 2)]
    assert missingness(Tables.of(*frames, SCHEMA), seed=0) is None


# -- rows that cannot be ---------------------------------------------------------------------------


def test_rows_that_break_a_rule_are_counted_exactly():
    synthetic = people(5)
    men = np.flatnonzero(synthetic["sex"] == "m")[:37]
    synthetic.loc[men, "pregnant"] = True
    late = np.flatnonzero(synthetic["age"].notna() & (synthetic["age"] > 60))
    late = np.setdiff1d(late, men)[:11]
    synthetic.loc[late, "seen"] = synthetic.loc[late, "age"] - 1
    section = rule_violations(tables_of(synthetic), seed=0)
    rows = {row[0]: row[1:] for row in section.tables["rules"]["rows"]}
    assert rows["rule 1: men are not pregnant"][:3] == [37, 0, 0]
    assert rows["rule 2: age is never above seen"][:3] == [11, 0, 0]
    whole = scores(section)[BROKEN]
    assert whole.value == pytest.approx(48 / ROWS)
    assert whole.ceiling == 0 < whole.floor
    assert whole.low < whole.value < whole.high
    # The interval of Wilson (1927), as scipy has it.
    from scipy.stats import binomtest

    assert (whole.low, whole.high) == pytest.approx(
        tuple(binomtest(48, ROWS).proportion_ci(method="wilson"))
    )


def test_a_missing_cell_breaks_no_order():
    synthetic = people(5).assign(age=100.0, seen=-1)
    section = rule_violations(tables_of(synthetic), seed=0)
    assert {row[0]: row[1] for row in section.tables["rules"]["rows"]}[
        "rule 2: age is never above seen"
    ] == 0


def test_a_pair_never_seen_in_real_rows_is_named():
    synthetic = people(5)
    men = np.flatnonzero(synthetic["sex"] == "m")[:20]
    synthetic.loc[men, "pregnant"] = True
    section = rule_violations(tables_of(synthetic), seed=0)
    told = {row[0]: row[1:] for row in section.tables["pairs"]["rows"]}
    expected, seen, held_out = told["sex = m with pregnant = True"]
    assert (seen, held_out) == (20, 0)
    real = people(1)
    assert expected == pytest.approx(
        (real["sex"] == "m").mean() * real["pregnant"].astype(float).mean() * ROWS, abs=0.06
    )
    found = scores(section)
    assert found[SUSPECT].value >= 20 / ROWS
    assert found[SUSPECT].ceiling < 0.02 < found[SUSPECT].floor
    assert found[UNSEEN].value >= found[SUSPECT].value


def test_the_real_table_itself_holds_no_pair_never_seen():
    found = scores(rule_violations(tables_of(people(1)), seed=0))
    assert found[UNSEEN].value == found[SUSPECT].value == found[BROKEN].value == 0
    assert found[UNSEEN].ceiling > 0


def test_a_value_that_no_real_row_holds_makes_no_pair():
    real = people(1)
    assert not (real["site"] == "s39").any()
    synthetic = real.copy()
    synthetic.loc[:29, "site"] = "s39"
    found = scores(rule_violations(tables_of(synthetic), seed=0))
    assert found[UNSEEN].value == found[SUSPECT].value == 0


def test_real_rows_that_break_a_rule_are_told():
    real = people(1)
    real.loc[np.flatnonzero(real["sex"] == "m")[:3], "pregnant"] = True
    section = rule_violations(Tables.of(people(5), real, people(2), SCHEMA), seed=0)
    assert any("Real rows break" in note for note in section.notes)


# -- subgroups -------------------------------------------------------------------------------------


def test_shares_of_groups_are_those_of_the_rows():
    synthetic = pd.concat([people(5).query("sex == 'm'"), people(6).query("sex == 'f'")[:300]])
    section = subgroups(tables_of(synthetic), seed=0)
    records = {record["label"]: record for record in section.tables["groups"]}
    share = (synthetic["sex"] == "f").mean()
    # The first rows of a shuffled table stand for it where the holdout has fewer.
    assert records["f"]["shares"]["synthetic"] == pytest.approx(share, abs=1e-9)
    drift = scores(section, group="sex = f")[DRIFT]
    assert drift.value == pytest.approx(abs(share - (people(1)["sex"] == "f").mean()))
    assert drift.low > drift.ceiling
    assert drift.low < drift.value < drift.high
    assert not records["f"]["small"]


def test_a_group_that_is_worse_than_the_others_stands_out():
    synthetic = people(5)
    women = (synthetic["sex"] == "f").to_numpy()
    synthetic.loc[women, "ill"] = ~synthetic.loc[women, "ill"]
    section = subgroups(tables_of(synthetic), seed=0)
    worse, same = (scores(section, group=f"sex = {label}") for label in ("f", "m"))
    assert worse[TARGET].low > 0.1 > same[TARGET].value
    pairs = "mean total variation, pairs of columns"
    assert worse[pairs].low > same[pairs].high
    assert worse[pairs].floor is not None
    assert worse[pairs].ceiling is not None


def test_small_groups_are_marked_and_not_hidden():
    synthetic = people(5)
    section = subgroups(tables_of(synthetic, subgroups=("site",)), seed=0)
    records = section.tables["groups"]
    assert len(records) <= 12
    assert records[-1]["label"] == "all others"
    counted = people(1)["site"].value_counts()
    assert any(record["small"] for record in records)
    for record in records[:-1]:
        assert record["rows"]["real"] == counted[record["label"]]
        few = min(record["rows"]["real"], record["rows"]["synthetic"]) < SMALL
        assert record["small"] == few
        notes = [s.note for s in section.scores if s.group == record["group"] and s.name == DRIFT]
        assert bool(notes[0]) == few


def test_a_group_that_the_synthetic_table_lost_is_shown():
    synthetic = people(5)
    synthetic.loc[synthetic["site"] == "s2", "site"] = "s0"
    section = subgroups(tables_of(synthetic, subgroups=("site",)), seed=0)
    (lost,) = [r for r in section.tables["groups"] if r["label"] == "s2"]
    assert lost["rows"]["synthetic"] == 0
    assert lost["small"]
    found = scores(section, group="site = s2")
    assert set(found) == {DRIFT}
    assert "too few rows" in found[DRIFT].note


def test_bands_of_an_ordered_column_are_quarters_of_the_real_rows():
    tables = tables_of(people(5), subgroups=("age",))
    made = grouping(tables, "age")
    assert made.labels[-1] == "(missing)"
    assert len(made.labels) == 5
    shares = np.bincount(made.groups["real"], minlength=5) / ROWS
    gone = people(1)["age"].isna().mean()
    assert shares[4] == pytest.approx(gone)
    assert shares[:4] == pytest.approx((1 - gone) / 4, abs=0.04)
    values = tables.values["real"]["age"]
    tops = [values[made.groups["real"] == band].max() for band in range(4)]
    assert tops == sorted(tops)
    assert np.isnan(values[made.groups["real"] == 4]).all()


EVERY = {
    TABLES: {"mean total variation, single columns", "mean total variation, pairs of columns"},
    TRIPLES: {"mean total variation, triples of columns"},
    ALL_COLUMNS: {"multivariate Hellinger distance"},
    ASSOCIATIONS: {
        "mean difference of Pearson correlations, pairs of numbers",
        "mean difference of Spearman correlations, pairs of numbers",
        "mean difference of Cramer's V, pairs of categories",
        "mean difference of correlation ratios, a category and a number",
    },
    REGRESSION: {"pMSE, as a multiple of its expectation for a perfect synthesis"},
    BOOSTING: {AREA},
    SUPPORT: {"alpha-precision", "beta-recall", "authenticity, no evidence of privacy"},
    MISSING: {RATES, PATTERNS, ELSEWHERE},
    RULES: {BROKEN, UNSEEN, SUSPECT},
}


def test_every_metric_is_measured_in_every_group_that_has_the_rows():
    section = subgroups(tables_of(people(5)), seed=0)
    told = {each["title"]: set(each["names"]) for each in section.tables["metrics"]}
    assert told == {SHARES: {DRIFT, TARGET}} | EVERY
    for label in ("f", "m"):
        found = scores(section, group=f"sex = {label}")
        assert set(found) == set().union(*told.values())
        for score in found.values():
            assert score.ceiling is not None
            assert score.floor is not None
            assert score.low <= score.value <= score.high
            assert score.low < score.high or score.value in (0, 1)
        assert not [r for r in section.tables["groups"] if r["instead"]]


def test_columns_that_come_apart_in_one_group_are_seen_by_each_metric_there():
    synthetic = people(5)
    women = np.flatnonzero(synthetic["sex"] == "f")
    order = np.random.default_rng(0).permutation(women)
    for name in ("seen", "ill"):
        synthetic.loc[women, name] = synthetic[name].to_numpy()[order]
    section = subgroups(tables_of(synthetic), seed=0)
    worse, same = (scores(section, group=f"sex = {label}") for label in ("f", "m"))
    for name in (
        "multivariate Hellinger distance",
        "mean difference of Pearson correlations, pairs of numbers",
        "mean difference of Spearman correlations, pairs of numbers",
        "pMSE, as a multiple of its expectation for a perfect synthesis",
        AREA,
        BROKEN,
    ):
        assert worse[name].low > max(same[name].high, worse[name].ceiling), name
        assert same[name].value < worse[name].floor, name


def test_the_associations_of_a_group_are_those_of_its_rows():
    real, synthetic, holdout = people(1), people(5), people(2)
    few = synthetic["sex"] == "m"
    synthetic = pd.concat([synthetic[few], synthetic[~few][:600]])  # fewest women: all are used
    tables = Tables.of(synthetic, real, holdout, SCHEMA, seed=3)
    found = scores(subgroups(tables, seed=0), group="sex = f")

    def pearson(frame):
        women = frame[frame["sex"] == "f"].replace({"seen": {-1: np.nan}})
        return women[["age", "seen"]].corr().iloc[0, 1]

    score = found["mean difference of Pearson correlations, pairs of numbers"]
    assert score.value == pytest.approx(abs(pearson(synthetic) - pearson(real)), abs=1e-9)


def test_the_area_of_a_group_is_that_of_its_rows_among_those_told_apart():
    from sklearn.metrics import roc_auc_score

    synthetic = people(5)
    synthetic["seen"] = np.random.default_rng(0).permutation(synthetic["seen"])
    tables = tables_of(synthetic)
    section = subgroups(tables, seed=0)
    chance, label = propensity.told_apart(tables, seed=0)["synthetic"]
    rows = propensity.rows_told_apart(tables)
    which = np.concatenate(
        [getattr(tables, name)["sex"].iloc[:rows] == "f" for name in ("real", "synthetic")]
    )
    ours = scores(section, group="sex = f")[AREA]
    assert ours.value == pytest.approx(roc_auc_score(label[which], chance[which]))
    assert 0.65 < ours.low < ours.high < 0.99
    assert ours.ceiling < 0.6


def test_what_so_few_rows_cannot_tell_is_said_in_words():
    section = subgroups(tables_of(people(5), subgroups=("site",)), seed=0)
    asked = 0
    for record in section.tables["groups"]:
        rows = min(record["rows"].values())
        found = set(scores(section, group=record["group"]))
        for title, least in ((ALL_COLUMNS, 100), (ASSOCIATIONS, 100), (TABLES, 10)):
            if rows < 10:
                assert found == {DRIFT}
            elif rows < least:
                asked += 1
                assert not found & EVERY[title]
                said = record["instead"][title]
                assert said == f"not measured: fewer than {least} rows of the group in a table"
            else:
                assert found & EVERY[title]
                assert title not in record["instead"]
        if 10 <= rows < 50:
            assert "that were told apart" in record["instead"][BOOSTING]
    assert asked > 3
    # 5 other columns make 1 + 5 + 5 + 10 terms, of which each needs ten rows.
    few = [r for r in section.tables["groups"] if 100 <= min(r["rows"].values()) < 210]
    assert few
    for record in few:
        assert "fewer than 210 rows" in record["instead"][REGRESSION]


def test_survival_is_compared_within_groups():
    rng = np.random.default_rng(4)

    def followed(seed):
        frame = people(seed)
        time = rng.exponential(np.where(frame["sex"] == "f", 60, 30))
        return frame.assign(seen=np.minimum(time, 300).astype(int), age=frame["age"].fillna(50.0))

    synthetic = followed(5)
    women = synthetic["sex"] == "f"
    synthetic.loc[women, "seen"] = synthetic.loc[women, "seen"] // 3
    tables = Tables.of(
        synthetic, followed(1), followed(2), SCHEMA, seed=3, time="seen", event="ill"
    )
    section = subgroups(tables, seed=0)
    gap = "Kaplan-Meier gap: mean difference of the curves"
    worse, same = (scores(section, group=f"sex = {label}")[gap] for label in ("f", "m"))
    assert worse.low > same.high
    assert SURVIVAL in {each["title"] for each in section.tables["metrics"]}


def test_a_long_list_has_one_group_of_all_others():
    schema = dpsynth.Schema.from_dict(
        {
            "columns": [
                {"name": "code", "kind": "categorical", "values": [f"v{at}" for at in range(60)]},
                {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            ]
        }
    )
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "code": [f"v{at}" for at in rng.integers(0, 60, 600)],
                "sex": rng.choice(["f", "m"], 600),
            }
        )
        for _ in range(3)
    ]
    tables = Tables.of(*frames, schema, subgroups=("code",))
    made = grouping(tables, "code")
    assert made.labels.count("all others") == 1
    shares = np.bincount(made.groups["real"], minlength=len(made.labels)) / 600
    assert shares.sum() == pytest.approx(1)
    assert shares[-1] > 0.6  # most of sixty values, not the rest of the long list's groups alone


def test_few_rows_are_never_resampled_to_none():
    for rows in (3, 10, 30):
        held = bootstrap.weights(rows, seed=1)
        assert held.shape == (rows, bootstrap.REPLICATES)
        assert held.any(axis=0).all()
    plain = np.random.default_rng(5).poisson(1.0, size=(3_000, bootstrap.REPLICATES))
    np.testing.assert_array_equal(bootstrap.weights(3_000, seed=5), plain)


def test_without_columns_there_are_no_subgroups():
    assert subgroups(tables_of(people(5), subgroups=()), seed=0) is None
