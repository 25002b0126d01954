"""All that a game says follows from its counts: known answers, and a planted lack of noise."""

import json

import numpy as np
import pytest
from scipy import stats

from attacks.conformance.game.rates import noised
from attacks.conformance.game.result import GameResult, judged, status_of

GAUSSIAN = {
    "kind": "discrete_gaussian/v1",
    "sigma_squared": "100",
    "l2_sensitivity_squared": "1",
}
LAPLACE = {"kind": "discrete_laplace/v1", "scale": "12", "l1_sensitivity": "3"}
CHOICE = {"kind": "exponential_selection/v1", "epsilon": "1/10"}


def result(false_positives, false_negatives, *, runs=3_000, events=(GAUSSIAN,) * 6, **more):
    given = {
        "name": "game/transcript",
        "score": "log-likelihood ratio above 0",
        "world": "one person unlike all others",
        "runs_out": runs,
        "false_positives": false_positives,
        "runs_in": runs,
        "false_negatives": false_negatives,
        "events": tuple(events),
        "delta": "1/1000000000",
        "level": 0.01,
        **more,
    }
    return GameResult(**given)


def test_perfect_separation_fails_and_shows_as_much_as_so_many_runs_can():
    found = result(0, 0)
    assert found.status == "failed"
    exact, gaussian = found.bounds
    assert exact.value == exact.ceiling == pytest.approx(6.70, abs=0.01)
    assert gaussian.value == gaussian.ceiling > exact.value


def test_pure_chance_passes_and_shows_nothing():
    found = result(1_500, 1_500)
    assert (found.p_value, found.status) == (1.0, "passed")
    assert [bound.value for bound in found.bounds] == [0.0, 0.0]


def test_what_could_not_have_been_seen_is_no_pass():
    assert result(30, 30, runs=60).status == "inconclusive"
    assert result(30, 30, runs=60).detectable > 2
    assert result(1_500, 1_500, reach=0.2).status == "inconclusive"
    assert result(1_500, 1_500, reach=0.0).detectable is None
    assert result(1_500, 1_500, events=[CHOICE]).status == "inconclusive"
    assert result(0, 0, runs=0).status == "inconclusive"


def test_everything_is_worked_out_again_from_the_stored_counts():
    found = result(1_200, 1_250)
    stored = json.loads(json.dumps(found.to_dict()))
    assert GameResult.from_dict(stored) == found
    assert json.dumps(GameResult.from_dict(stored).summary()) == json.dumps(found.summary())
    assert not stored.keys() & {"p_value", "status", "epsilon_lower_bound"}


@pytest.mark.parametrize("change", [{"false_positives": 4_000}, {"events": []}, {"level": 0.0}])
def test_counts_that_cannot_be_are_refused(change):
    with pytest.raises(ValueError, match=r"must|needs"):
        GameResult.from_dict({**result(10, 10).to_dict(), **change})


def test_several_games_share_one_level():
    # Below 1 % alone, above half of it.
    close = result(1_275, 1_275)
    assert 0.005 < close.p_value < 0.01
    assert judged([close]) == (True,)
    assert judged([close, close]) == (False, False)
    assert judged([close, result(0, 0)]) == (True, True), "Holm: the rest share what is left"
    assert status_of([close, close]) == "passed"
    assert status_of([]) == "inconclusive"


@pytest.mark.parametrize("events", [(GAUSSIAN,) * 6, (LAPLACE,) * 4, (LAPLACE,) * 4 + (CHOICE,)])
def test_the_smallest_factor_is_where_power_reaches_its_level(events):
    found = result(1_500, 1_500, events=events, runs=5_000)
    assert 1 < found.detectable < 2
    assert found.power >= 0.95


def test_rates_of_pure_noise_are_those_of_draws():
    events = [LAPLACE, LAPLACE, {**LAPLACE, "scale": "30"}]
    rng = np.random.default_rng(0)
    out, within = np.zeros(100_000), np.zeros(100_000)
    for event in events:
        scale = int(event["scale"])
        noise = stats.dlaplace(2 / scale).rvs(100_000, random_state=rng)
        out += (np.abs(noise) - np.abs(noise - 3)) / scale
        within += (np.abs(noise + 3) - np.abs(noise)) / scale
    drawn = (out > 1e-9).mean(), (within <= 1e-9).mean()
    assert noised(events, factor=2, reach=1) == pytest.approx(drawn, abs=0.01)
