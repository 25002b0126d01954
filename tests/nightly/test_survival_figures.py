"""Survival on a real table, flchain, against scipy, statsmodels and the partial likelihood.

The table is found under DPSYNTH_DATA (default: ../shared/data beside the repository).
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import dpsynth
from dpsynth.utility import cox
from dpsynth.utility.survival import Followed, kaplan_meier, log_rank, p_value

ROOT = Path(dpsynth.__file__).parent.parent
DATA = Path(os.environ.get("DPSYNTH_DATA", ROOT.parent / "shared" / "data"))
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not (DATA / "flchain.parquet").is_file(), reason="no shared data folder"),
]


@pytest.fixture(scope="module")
def people():
    return pd.read_parquet(DATA / "flchain.parquet")


def followed(frame):
    time, event = frame["futime"].to_numpy(dtype=float), frame["death"].to_numpy(dtype=bool)
    return Followed(time=time, event=event, known=np.ones(len(frame), dtype=bool))


def censored(held):
    return stats.CensoredData.right_censored(held.time, ~held.event)


@pytest.mark.parametrize("sex", ["F", "M"])
def test_curves(people, sex):
    from statsmodels.duration.survfunc import SurvfuncRight

    held = followed(people[people["sex"] == sex])
    at = np.unique(held.time)
    theirs = stats.ecdf(censored(held)).sf.evaluate(at)
    assert np.abs(kaplan_meier(held.time, held.event, at) - theirs).max() < 1e-12
    other = SurvfuncRight(held.time, held.event)
    mine = kaplan_meier(held.time, held.event, other.surv_times)
    assert np.abs(mine - other.surv_prob).max() < 1e-12


def test_log_rank(people):
    from statsmodels.duration.survfunc import survdiff

    women, men = (followed(people[people["sex"] == sex]) for sex in ("F", "M"))
    mine = log_rank(women, men)
    theirs = stats.logrank(censored(women), censored(men))
    assert mine == pytest.approx(float(theirs.statistic) ** 2, rel=1e-9)
    assert p_value(mine) == pytest.approx(float(theirs.pvalue), rel=1e-9)
    statistic, _ = survdiff(
        people["futime"].to_numpy(),
        people["death"].to_numpy(dtype=int),
        (people["sex"] == "M").to_numpy(dtype=int),
    )
    assert mine == pytest.approx(float(statistic), rel=1e-9)


def test_cox_coefficients_minimize_the_partial_likelihood(people):
    held = followed(people)
    age = (people["age"] - people["age"].mean()) / people["age"].std()
    covariates = np.column_stack([age, people["sex"] == "M", people["mgus"]]).astype(float)
    order = np.argsort(-held.time, kind="stable")
    time, event, rows = held.time[order], held.event[order], covariates[order]
    spans = [
        (int(np.searchsorted(-time, -at, "left")), int(np.searchsorted(-time, -at, "right")))
        for at in np.unique(time[event])
    ]

    def loss(beta):
        score = rows @ beta
        hazard = np.exp(score)
        risk = np.cumsum(hazard)
        found = 0.0
        for first, last in spans:  # the ties of Efron (1977)
            dead = np.flatnonzero(event[first:last]) + first
            part = np.arange(dead.size) / dead.size
            found += np.log(risk[last - 1] - part * hazard[dead].sum()).sum() - score[dead].sum()
        return found

    best = optimize.minimize(loss, np.zeros(3), tol=1e-9)
    fitted = cox.fit(covariates, held)
    assert fitted.values == pytest.approx(best.x, abs=1e-4)
