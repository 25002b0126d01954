"""Named analyses: what a file may hold, how copies are combined, and what the report says."""

import json

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UsageError
from dpsynth.utility.replication import analyses as named
from dpsynth.utility.replication.analyses import Analysis, prepared, run
from dpsynth.utility.replication.coverage import Coverage, binomial_interval, in_words
from dpsynth.utility.replication.formulas import checked, columns_of
from dpsynth.utility.replication.report import replicate
from dpsynth.utility.replication.worlds import simulate

statsmodels = pytest.importorskip("statsmodels.api")

COLUMNS = ["smoker", "band", "ill", "years", "died"]
SCHEMA = dpsynth.Schema.from_dict(
    {
        "format": "dpsynth-schema/1",
        "expected_rows": 2_000,
        "columns": [
            {"name": "smoker", "kind": "boolean"},
            {"name": "band", "kind": "categorical", "values": ["low", "mid", "high"]},
            {"name": "ill", "kind": "boolean"},
            {"name": "years", "kind": "continuous", "bounds": [0, 50], "bins": 10},
            {"name": "died", "kind": "boolean"},
        ],
    }
)
ILLNESS = Analysis(name="illness", formula="ill ~ smoker + band", family="binomial")
DEATH = Analysis(name="death", formula="years ~ smoker", model="cox", event="died")


ROWS = 400  # of a copy: a Cox model of many takes long


def people(seed, rows=2_000):
    rng = np.random.default_rng(seed)
    smoker = rng.random(rows) < 0.4
    band = rng.choice(["low", "mid", "high"], rows)
    ill = rng.random(rows) < np.where(smoker, 0.5, 0.2)
    years = np.minimum(rng.exponential(np.where(smoker, 5, 10)), 50)
    return pd.DataFrame(
        {"smoker": smoker, "band": band, "ill": ill, "years": years, "died": rng.random(rows) < 0.8}
    )


@pytest.mark.parametrize(
    "formula",
    [
        "ill ~ __import__('os').system('true')",
        "ill ~ smoker.__class__",
        "ill ~ np.log(years)",
        "ill ~ open(years)",
        "ill ~ C(smoker)[0]",
        "ill ~ smoker, years",
        "ill ~ lambda smoker : years",
        "ill ~ {years}",
        "smoker + years",
        "ill ~ smoker ~ years",
        "ill ~ age",
        "log ~ smoker",
        "ill ~ years(smoker)",
    ],
)
def test_a_formula_holds_columns_and_operators_only(formula):
    with pytest.raises(UsageError):
        checked(formula, COLUMNS, analysis="x")


def test_what_is_let_through_is_translated():
    found = checked("ill ~ C(band) + log(years)^2 - 1", COLUMNS, analysis="x")
    assert found.replace(" ", "") == "ill~C(band)+np.log(years)**2-1"
    assert columns_of("C(band)[T.years]:np.log(years)", COLUMNS) == ("band", "years")


def test_a_file_of_analyses_reads_as_toml_and_json(tmp_path):
    entry = {"name": "death", "model": "cox", "formula": "years ~ smoker", "event": "died"}
    (tmp_path / "a.json").write_text(json.dumps({"format": named.FORMAT, "analyses": [entry]}))
    (tmp_path / "a.toml").write_text(
        f'format = "{named.FORMAT}"\n[[analyses]]\nname = "death"\nmodel = "cox"\n'
        'formula = "years ~ smoker"\nevent = "died"\n'
    )
    assert named.read_analyses(tmp_path / "a.json") == named.read_analyses(tmp_path / "a.toml")
    assert named.read_analyses(tmp_path / "a.json") == (DEATH,)


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "x"},
        {"name": "x", "formula": "ill ~ smoker", "link": "logit"},
        {"name": "x", "formula": "ill ~ smoker", "family": "cauchy"},
        {"name": "x", "formula": "ill ~ smoker", "model": "cox"},
        {"name": "x", "formula": "ill ~ smoker", "event": "died"},
        {"name": "x", "formula": 3},
        "ill ~ smoker",
    ],
)
def test_an_incomplete_analysis_is_refused(entry):
    with pytest.raises(UsageError):
        named.analyses_of({"format": named.FORMAT, "analyses": [entry]})


def test_distinct_rows_with_counts_are_the_same_regression():
    table = people(1)
    found = run(ILLNESS, prepared(table, SCHEMA, ["smoker", "band", "ill"]))
    exog = pd.DataFrame(
        {
            "Intercept": 1.0,
            "band[T.mid]": (table.band == "mid").astype(float),
            "band[T.high]": (table.band == "high").astype(float),
            "smoker": table.smoker.astype(float),
        }
    )
    known = statsmodels.GLM(
        table.ill.astype(float), exog, family=statsmodels.families.Binomial()
    ).fit()
    for name in exog:
        assert found.of(name) == pytest.approx((known.params[name], known.bse[name] ** 2), rel=1e-6)


def test_a_cox_model_finds_the_hazard():
    """Hazards 1/5 against 1/10: log 2. Of 320 deaths, 128 among smokers, the standard error is
    about the root of 1/128 + 1/192, or 0.114; five of them, below 1e-6."""
    found = run(DEATH, prepared(people(2, ROWS), SCHEMA, ["smoker", "years", "died"]))
    estimate, variance = found.of("smoker")
    assert estimate == pytest.approx(np.log(2), abs=5 * 0.114)
    assert variance == pytest.approx(0.114**2, rel=0.4)


def test_rows_that_tell_nothing_give_no_estimate():
    table = people(3).assign(smoker=False)
    assert run(ILLNESS, prepared(table, SCHEMA, ["smoker", "band", "ill"])).of("smoker") is None
    with pytest.raises(DataError, match="no column 'ill'"):
        prepared(table.drop(columns="ill"), SCHEMA, ["ill"])


def section(**options):
    # Samples of one law, not of models drawn anew: the rule that adds the variances up.
    copies = [people(seed, ROWS) for seed in range(10, 14)]
    return replicate([ILLNESS, DEATH], copies, SCHEMA, rule="partially", **options)


def cells(found, coefficient):
    table = found.tables["coefficients"]
    (row,) = (each for each in table["rows"] if each[1] == coefficient and each[0] == "illness")
    return dict(zip(table["columns"], row, strict=True))


def test_the_report_stands_between_holdout_and_independent_columns():
    found = section(real=people(20, ROWS), holdout=people(21, ROWS), seed=4)
    assert found.key == "replication"
    scores = {(each.group, each.name.split(",")[0]): each for each in found.scores}
    overlap = scores["illness", "mean overlap of 95 % intervals"]
    assert 0 <= overlap.floor < overlap.ceiling <= 1
    assert scores["death", "share of coefficients with the same sign"].value == 1
    smoker = cells(found, "smoker")
    # log-odds of 0.5 against 0.2 are log 4; the standard error of four copies is 0.11
    assert smoker["estimate"] == pytest.approx(np.log(4), abs=0.55)
    assert smoker["same sign"] is True
    assert smoker["same significance"] is True
    assert any("for the custodian alone" in note for note in found.notes)


def test_an_estimate_of_the_other_sign_is_seen():
    turned = [people(seed).assign(smoker=lambda t: ~t.smoker) for seed in range(10, 14)]
    found = replicate([ILLNESS], turned, SCHEMA, rule="partially", real=people(20))
    smoker = cells(found, "smoker")
    assert smoker["same sign"] is False
    assert smoker["same significance"] is False
    assert smoker["overlap"] < 0
    assert found.scores[1].value < 1


def test_without_real_rows_nothing_is_compared_and_it_says_what_was_not_measured():
    def supports(*columns):
        return set(columns) != {"ill", "smoker"} and set(columns) != {"band", "smoker"}

    found = section(supports=supports)
    assert found.scores == ()
    assert cells(found, "smoker")["measured"] is False
    assert cells(found, "band[T.mid]")["measured"] is True
    assert any("illness, smoker: the release did not measure" in note for note in found.notes)
    assert any("smoker and band go together; coefficients" in note for note in found.notes)
    assert not any("custodian" in note for note in found.notes)


def test_warnings_are_said_where_coverage_fails_beyond_chance():
    common = {"analysis": "a", "coefficient": "b", "truth": 1.0, "held_alone": 0, "width": 1.0}
    good = Coverage(**common, worlds=100, held=93, nulls=100, alarms=6, alarms_alone=50)
    narrow = Coverage(**common, worlds=100, held=70, nulls=100, alarms=30, alarms_alone=50)
    assert in_words(good) == ()
    said = " ".join(in_words(narrow))
    assert "70%" in said
    assert "30%" in said
    low, high = binomial_interval(93, 100)
    assert low == pytest.approx(0.8625, abs=1e-3)  # Wilson's interval, by hand
    assert high == pytest.approx(0.9657, abs=1e-3)


def test_worlds_are_released_again_and_counted(tmp_path):
    columns = ["smoker", "band", "ill"]
    small = dpsynth.Schema.from_dict(
        {
            **SCHEMA.to_dict(),
            "columns": [each for each in SCHEMA.to_dict()["columns"] if each["name"] in columns],
        }
    )
    path = tmp_path / "people.ledger"
    dpsynth.Ledger.create(path, cap_epsilon=1, cap_delta="1e-6").close()
    model = dpsynth.synthesizer("direct").fit(
        people(5)[columns], schema=small, epsilon=1, delta="1e-6", ledger=path
    )
    told = []
    found = simulate(
        model, [ILLNESS], worlds=4, copies=8, seed=1, progress=lambda *at: told.append(at)
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {each.coefficient for each in found} == {"band[T.mid]", "band[T.high]", "smoker"}
    smoker = next(each for each in found if each.coefficient == "smoker")
    assert smoker.truth == pytest.approx(np.log(4), abs=0.5)
    assert smoker.worlds == smoker.nulls == 4
    # An interval that missed the truth in 3 of 4 worlds would be seen; at 95 % that is 5e-4.
    assert smoker.held >= 2
    assert smoker.alarms <= 2
    assert json.dumps(smoker.to_dict())
    with pytest.raises(UsageError, match="cannot be run"):
        simulate(model, [Analysis(name="x", formula="band ~ smoker")], worlds=1, copies=2)
