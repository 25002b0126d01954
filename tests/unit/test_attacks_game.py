"""The game on real fits: worst neighbors, exact scores, and planted faults that it must see."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import dpsynth
from attacks.conformance import audits, game
from attacks.conformance.game.path import path_of
from attacks.conformance.game.play import worlds
from attacks.conformance.game.score import transcript_score
from attacks.conformance.trial import Trial
from attacks.mutants.base import replaced
from attacks.stats.trade_off import gaussian_shift
from dpsynth.schema import Schema
from dpsynth.testing import neighbors

PERSONS = Schema.from_dict(
    {
        "columns": [
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 4},
            {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
            {"name": "ward", "kind": "categorical", "values": list("abc"), "nullable": True},
            {"name": "pid", "kind": "identifier"},
        ],
        "unit": {"kind": "person", "column": "pid", "max_rows": 3},
    }
)
OPENED = Schema.from_dict(
    {
        **PERSONS.to_dict(),
        "columns": [
            *PERSONS.to_dict()["columns"],
            {"name": "town", "kind": "categorical", "open": True},
        ],
    }
)
BUDGET = {"epsilon": "2", "delta": "1/1000000000"}


def trial(name="independent", schema=PERSONS, **more):
    synthesizer = dpsynth.synthesizer(name)
    return Trial(synthesizer=synthesizer, schema=schema, **{**BUDGET, "games": 40, **more})


def found(subject):
    return worlds(subject.synthesizer, subject.plan, subject.schema, seed=subject.seed)


@pytest.mark.parametrize("name", ["independent", "direct", "mst", "aim", "privbayes", "auto"])
def test_the_kit_moves_every_noisy_answer_as_far_as_a_person_may(name):
    subject = trial(name)
    best = found(subject)
    assert best.path.reach == pytest.approx(1.0)
    moved = [np.abs(part.held - part.out) for part in best.path.parts if part.counts]
    assert {tuple(each.tolist()) for each in moved} == {(3,)}, "all rows of a person in one cell"


def test_values_of_open_columns_move_by_all_that_a_person_holds():
    subject = trial("mst", OPENED)
    *_, pair = neighbors.kit(subject.schema, subject.plan)
    heard, _ = neighbors.fit_world(subject.synthesizer, subject.plan, pair, within=True, seed=1)
    released = heard.answered[0]
    assert (released.exact - released.beside).sum() == 3
    assert np.isfinite(transcript_score(heard, within=True))


@pytest.mark.parametrize("name", ["mst", "auto"])
def test_scores_of_many_runs_have_the_law_that_follows_from_the_events(name):
    path = found(trial(name)).path
    shift = gaussian_shift(path.events)
    out, within = (
        path.ratios(path.released(within=each, runs=20_000, seed=3)) for each in (False, True)
    )
    # Of a log-likelihood ratio between unit normals a distance apart; 5 standard errors.
    assert within.mean() == pytest.approx(shift**2 / 2, abs=5 * shift / 20_000**0.5)
    assert out.mean() == pytest.approx(-(shift**2) / 2, abs=5 * shift / 20_000**0.5)
    assert within.std() == pytest.approx(shift, rel=0.03)


def test_a_transcript_and_its_frozen_path_are_scored_alike():
    subject = trial()
    pair = found(subject).pair
    heard, _ = neighbors.fit_world(subject.synthesizer, subject.plan, pair, within=True, seed=5)
    path = path_of(heard, within=True)
    # Without a choice the score is that of the cells that moved.
    expected = 0.0
    for noted, part in zip(heard.answered, path.parts, strict=True):
        at = noted.exact != noted.beside
        away = (noted.released - noted.beside)[at] ** 2
        near = (noted.released - noted.exact)[at] ** 2
        expected += float(int((away - near).sum()) / (2 * Fraction(part.event["sigma_squared"])))
    assert transcript_score(heard, within=True) == pytest.approx(expected)


@pytest.mark.parametrize(("name", "delta"), [("mst", "1/1000000000"), ("privbayes", "0")])
def test_correct_synthesizers_pass(name, delta):
    results = game.played(trial(name, games=24, delta=delta))
    assert [each.name.removeprefix("game/") for each in results] == [
        "transcript",
        "frozen path",
        "frozen path, learned",
        "end to end",
    ]
    assert game.status_of(results) == "passed"
    assert results[1].detectable < 1.3


def halved(original):
    def release(self, counts, *, rng):
        return original(replace(self, sigma_squared=self.sigma_squared / 4), counts, rng=rng)

    return release


def test_half_the_noise_is_seen():
    with replaced("dpsynth.privacy.mechanisms:DiscreteGaussian.release", halved):
        (check,) = [
            each
            for each in audits.run(trial(), names=["game"])[0].checks
            if each.name == "game/frozen path"
        ]
    assert check.status == "failed"
    assert check.component == "claim"


def test_the_audit_raises_no_alarm_about_a_correct_mechanism():
    (one,) = audits.run(trial("mst"), names=["game"])
    assert one.error is None
    assert one.alarms == ()
    assert {each.kind for each in one.checks} == {"game"}
