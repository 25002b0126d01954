"""Is the game fair, sharp, and awake? Seeded games of whole synthesizers and their own noise.

Fair: p-values of a correct mechanism are uniform or larger; of 120 games with one and a half times
the noise none is lost at 1 %, where 1.2 may be on average. Sharp: the worst neighbors of every kind
of synthesizer come to 0.95 of the claimed mu; runs are so many that the estimate's standard error
is below 1 %, so that chance alone fails it less than once in a million. Awake: half the noise, and
noise that is never below zero, are seen. Seeds are fixed.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import dpsynth
from attacks.conformance.game import judged
from attacks.conformance.game.play import games, of_path, worlds
from attacks.conformance.game.result import GameResult
from attacks.conformance.game.tightness import tightness
from attacks.mutants.base import replaced
from dpsynth.schema import Schema

SCHEMA = Schema.from_dict(
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
BUDGET = {"epsilon": "4", "delta": "1/1000000000"}
GAUSSIAN = "dpsynth.privacy.mechanisms:DiscreteGaussian.release"
GAMES, RUNS = 120, 1_500


def planned(name):
    synthesizer = dpsynth.synthesizer(name)
    return synthesizer, synthesizer.plan(SCHEMA, **BUDGET)


def with_variance(factor):
    def make(original):
        def release(self, counts, *, rng):
            noisy = replace(self, sigma_squared=self.sigma_squared * factor)
            return original(noisy, counts, rng=rng)

        return release

    return make


def played(factor, seed):
    """Return results of many games on one frozen path of independent histograms."""
    synthesizer, plan = planned("independent")
    found = worlds(synthesizer, plan, SCHEMA, seed=0)
    with replaced(GAUSSIAN, with_variance(Fraction(factor))):
        return [
            of_path(
                found,
                seed=seed + number,
                delta=BUDGET["delta"],
                level=0.01,
                draws=RUNS * found.path.cells,
            )
            for number in range(GAMES)
        ]


@pytest.mark.parametrize("factor", ["1", "9/4"])  # of the variance: one and a half times the noise
def test_correct_mechanisms_win_no_game(factor):
    results = played(factor, 100)
    for at in range(2):  # both scores
        p_values = np.sort([each[at].p_value for each in results])
        assert not any(each[at].rejected for each in results)
        # Uniform or larger: at no level more than chance allows, at one in a hundred thousand.
        for level in (0.01, 0.05, 0.1, 0.2, 0.5):
            spread = (level * (1 - level) * GAMES) ** 0.5
            assert (p_values <= level).sum() <= level * GAMES + 4.3 * spread + 1


def test_half_the_noise_wins_every_game():
    results = played("1/4", 500)
    assert all(each[0].rejected for each in results)
    assert results[0][0].power > 0.95


def one_sided(original):
    def release(self, counts, *, rng):
        return counts + np.abs(original(self, np.zeros_like(counts), rng=rng))

    return release


def test_noise_of_another_kind_is_seen_by_a_score_that_was_learned():
    synthesizer, plan = planned("independent")
    found = worlds(synthesizer, plan, SCHEMA, seed=0)
    with replaced(GAUSSIAN, one_sided):
        by_law, by_sight = of_path(found, seed=1, delta=BUDGET["delta"], level=0.01, draws=60_000)
    assert by_sight.rejected
    assert by_sight.false_positives + by_sight.false_negatives < by_law.false_positives


@pytest.mark.parametrize("name", ["independent", "direct", "mst", "aim", "privbayes", "auto"])
def test_the_worst_neighbors_come_to_the_claim(name):
    synthesizer, plan = planned(name)
    found = tightness(synthesizer, plan, SCHEMA, paths=6, runs=120_000, seed=0)
    assert 0.95 < found.ratio < 1.05
    assert found.choices_reached <= found.choices_claimed * (1 + 1e-9)
    if found.choices_claimed:
        assert found.choices_reached > 0.3 * found.choices_claimed


def test_games_of_real_fits_are_fair():
    synthesizer, plan = planned("independent")
    results = [
        each
        for seed in range(6)
        for each in games(synthesizer, plan, SCHEMA, runs=16, seed=seed, draws=8_000)
    ]
    assert {each.name for each in results} >= {"game/transcript", "game/end to end"}
    assert not any(judged(results, level=0.01))
    assert all(isinstance(each, GameResult) for each in results)
