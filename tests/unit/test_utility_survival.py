"""Survival: curves, test and Cox model against scipy, statsmodels and the formulas themselves."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import dpsynth
from dpsynth.errors import DataError
from dpsynth.utility import cox
from dpsynth.utility.survival import (
    Followed,
    gap,
    kaplan_meier,
    log_rank,
    p_value,
    points,
    survival,
)
from dpsynth.utility.tables import Tables

ROWS = 700
SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "days", "kind": "integer", "bounds": [0, 400], "nullable": True},
            {"name": "died", "kind": "boolean"},
            {"name": "dose", "kind": "continuous", "bounds": [-5, 5]},
            {"name": "arm", "kind": "categorical", "values": ["a", "b", "c"]},
            {"name": "cause", "kind": "categorical", "values": ["heart", "none"]},
        ]
    }
)


def people(seed, *, rows=ROWS, hazard=0.01, effect=0.6):
    """Return rows with ties, censoring, a dose that kills, and an arm that does nothing."""
    rng = np.random.default_rng(seed)
    dose = rng.normal(size=rows).round(2)
    until = rng.exponential(1 / (hazard * np.exp(effect * dose)))
    censored = rng.uniform(0, 400, rows)
    died = until <= censored
    return pd.DataFrame(
        {
            "days": np.minimum(np.minimum(until, censored), 400).round(),
            "died": died,
            "dose": np.clip(dose, -5, 5),
            "arm": rng.choice(["a", "b", "c"], rows),
            "cause": np.where(died, "heart", "none"),
        }
    )


def rows_of(frame):
    time, event = frame["days"].to_numpy(dtype=float), frame["died"].to_numpy(dtype=bool)
    return Followed(time=time, event=event, known=np.ones(len(frame), dtype=bool))


def tables_of(synthetic, **changed):
    options = {"time": "days", "event": "died", "seed": 3}
    return Tables.of(synthetic, people(1), people(2), SCHEMA, **{**options, **changed})


def scores(section):
    return {score.name.split(" (")[0].split(":")[0]: score for score in section.scores}


def censored(held):
    return stats.CensoredData.right_censored(held.time, ~held.event)


def test_curves_are_those_of_scipy_and_of_statsmodels():
    from statsmodels.duration.survfunc import SurvfuncRight

    held = rows_of(people(1))
    at = np.unique(held.time)
    mine = kaplan_meier(held.time, held.event, at)
    theirs = stats.ecdf(censored(held)).sf
    assert np.abs(mine - theirs.evaluate(at)).max() < 1e-12
    other = SurvfuncRight(held.time, held.event)
    assert np.abs(kaplan_meier(held.time, held.event, other.surv_times) - other.surv_prob).max() < (
        1e-12
    )


def test_a_curve_by_hand():
    # 5 rows: event at 1 (5 at risk), event and censoring at 2 (4), events at 3 (2 of 2).
    time = np.array([1.0, 2.0, 2.0, 3.0, 3.0])
    event = np.array([True, True, False, True, True])
    assert kaplan_meier(time, event, np.array([0.5, 1.0, 2.0, 2.5, 3.0])) == pytest.approx(
        [1, 0.8, 0.6, 0.6, 0]
    )


def test_the_gap_is_the_area_between_the_curves_over_the_time():
    first = Followed(
        time=np.array([2.0, 4.0]), event=np.array([True, True]), known=np.ones(2, bool)
    )
    later = Followed(
        time=np.array([3.0, 4.0]), event=np.array([True, True]), known=np.ones(2, bool)
    )
    assert gap(first, later, until=4.0) == pytest.approx(0.5 / 4)
    assert gap(first, later, until=2.5) == pytest.approx(0.25 / 2.5)
    assert gap(first, first, until=4.0) == 0
    a, b = rows_of(people(1)), rows_of(people(2, hazard=0.02))
    fine = np.linspace(0, 300, 300_001)
    curves = [stats.ecdf(censored(held)).sf.evaluate(fine) for held in (a, b)]
    assert gap(a, b, until=300.0) == pytest.approx(np.abs(curves[0] - curves[1]).mean(), abs=1e-4)


def test_the_log_rank_statistic_is_that_of_scipy_and_of_statsmodels():
    from statsmodels.duration.survfunc import survdiff

    first, second = rows_of(people(1)), rows_of(people(2, hazard=0.013))
    mine = log_rank(first, second)
    theirs = stats.logrank(censored(first), censored(second))
    assert mine == pytest.approx(float(theirs.statistic) ** 2, rel=1e-9)
    assert p_value(mine) == pytest.approx(float(theirs.pvalue), rel=1e-6)
    assert mine == pytest.approx(log_rank(second, first))
    group = np.repeat([0, 1], [len(first), len(second)])
    statistic, p = survdiff(
        np.concatenate([first.time, second.time]),
        np.concatenate([first.event, second.event]).astype(int),
        group,
    )
    assert (mine, p_value(mine)) == pytest.approx((float(statistic), float(p)), rel=1e-9)


def negative_log_likelihood(beta, covariates, time, event):
    """The partial likelihood with the ties of Efron (1977), term by term."""
    score = covariates @ beta
    found = 0.0
    for at in np.unique(time[event]):
        dead, risk = event & (time == at), time >= at
        whole, tied = np.exp(score[risk]).sum(), np.exp(score[dead]).sum()
        found += score[dead].sum()
        found -= sum(np.log(whole - k / dead.sum() * tied) for k in range(dead.sum()))
    return -found


def hessian(beta, *world, step=1e-3):
    """Second derivatives, by central differences."""
    basis = step * np.eye(len(beta))
    return np.array(
        [
            [
                sum(
                    one * two * negative_log_likelihood(beta + one * a + two * b, *world)
                    for one in (1, -1)
                    for two in (1, -1)
                )
                / (4 * step**2)
                for b in basis
            ]
            for a in basis
        ]
    )


def test_cox_coefficients_minimize_the_partial_likelihood():
    held = rows_of(people(1, rows=300))
    table = people(1, rows=300)
    covariates = np.column_stack([table["dose"], table["arm"] == "b"]).astype(float)
    fitted = cox.fit(covariates, held)
    best = optimize.minimize(
        negative_log_likelihood, np.zeros(2), args=(covariates, held.time, held.event), tol=1e-10
    )
    assert fitted.values == pytest.approx(best.x, abs=1e-4)
    curvature = np.linalg.inv(hessian(best.x, covariates, held.time, held.event))
    assert fitted.covariance == pytest.approx(curvature, rel=1e-3, abs=1e-6)
    # The world's own effect, four standard errors wide: a false alarm in 16,000.
    low, high = fitted.intervals()[0]
    assert pytest.approx(fitted.values[0], abs=2.1 * (high - low) / 2) == 0.6


@pytest.fixture(scope="module")
def near():
    return survival(tables_of(people(5)), seed=0)


def test_another_sample_is_near_its_ceiling(near):
    found = scores(near)
    curve, rank = found["Kaplan-Meier gap"], found["log-rank statistic"]
    assert curve.value < 3 * curve.ceiling + 0.03
    assert curve.low <= curve.value <= curve.high
    assert 0 <= rank.value < 15  # above 15: p < 1e-4
    overlap = found["mean overlap of the intervals of Cox coefficients"]
    assert overlap.floor < overlap.value <= 1
    assert overlap.low <= overlap.value <= overlap.high
    names = [record["name"] for record in near.tables["coefficients"]]
    assert names[0] == "dose, per SD"
    assert len(names) == 3  # and two arms against the most frequent one


def test_faster_death_is_seen_by_curve_and_test():
    found = scores(survival(tables_of(people(5, hazard=0.02)), seed=0))
    assert found["Kaplan-Meier gap"].low > found["Kaplan-Meier gap"].ceiling
    assert found["log-rank statistic"].value > 50


def test_an_effect_turned_round_is_seen_by_the_cox_model():
    section = survival(tables_of(people(5, effect=-0.6)), seed=0)
    found = scores(section)
    (dose,) = [row for row in section.tables["coefficients"] if row["name"] == "dose, per SD"]
    assert dose["real"][0] == pytest.approx(0.6, abs=0.25)
    assert dose["synthetic"][0] == pytest.approx(-0.6, abs=0.25)
    overlap = found["mean overlap of the intervals of Cox coefficients"]
    assert overlap.value < overlap.ceiling - 0.1
    agree = found["share of Cox coefficients that agree in sign and significance"]
    assert agree.value <= 2 / 3 + 1e-9


def test_a_column_that_is_the_event_has_no_coefficient(near):
    assert not [row for row in near.tables["coefficients"] if row["name"].startswith("cause")]


def test_rows_without_a_time_are_left_out_and_said_to_be():
    synthetic = people(5)
    synthetic.loc[:174, "days"] = np.nan
    section = survival(tables_of(synthetic), seed=0)
    assert any("25.0 % of the synthetic rows lack" in note for note in section.notes)
    assert section.scores[0].value < 0.05


def test_points_fall_from_one_and_are_few():
    held = rows_of(people(1))
    found = np.array(points(held))
    assert found[0].tolist() == [0.0, 1.0]
    assert len(found) <= 301
    assert (np.diff(found[:, 0]) >= 0).all()
    assert (np.diff(found[:, 1]) <= 0).all()


def test_without_time_and_event_there_is_no_section():
    assert survival(tables_of(people(5), time=None, event=None), seed=0) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"time": "arm"}, "holds no numbers"),
        ({"event": "arm"}, "does not say which value is the event"),
        ({"event": "dose"}, "does not say which value is the event"),
    ],
)
def test_what_cannot_be_time_or_event_is_refused(changed, said):
    with pytest.raises(DataError, match=said):
        survival(tables_of(people(5), **changed), seed=0)


def test_a_table_without_events_is_not_compared():
    section = survival(tables_of(people(5).assign(died=False)), seed=0)
    assert section.scores == ()
    assert "no event" in section.notes[0]


def test_same_seed_same_section(near):
    assert survival(tables_of(people(5)), seed=0).to_dict() == near.to_dict()
