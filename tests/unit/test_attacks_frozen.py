"""Noise at frozen inputs: what is right passes, and what is done to few cells alone is seen.

False alarms: at most one in a million a call of ``frozen.check``, over all of its tests, by bounds
that hold at every sample size; seeds are fixed here, so red means that something changed.
"""

from fractions import Fraction
from itertools import count

import numpy as np
import pytest

from attacks.conformance import frozen
from attacks.mutants.catalogue import find
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace

SIGMA = 30
GAUSSIAN = {
    "kind": "discrete_gaussian/v1",
    "sigma_squared": str(SIGMA**2),
    "l2_sensitivity_squared": "1",
}
LAPLACE = {"kind": "discrete_laplace/v1", "scale": "21", "l1_sensitivity": "1"}
RIGHT = {each: each.release for each in (DiscreteGaussian, DiscreteLaplace)}


def found(event=GAUSSIAN, *, wider=True, seed=0):
    checks = frozen.check({"steps": [{"event": event}]}, seed=seed, wider=wider)
    return {check.component: check.detail for check in checks if check.status == "failed"}


def planted(monkeypatch, change, kind=DiscreteGaussian):
    """Let ``change(self, counts, noise, draw)`` give the noise in place of the right one."""

    def release(self, counts, *, rng):
        def draw(size=None, factor=Fraction(1)):
            other = (
                kind(sigma_squared=self.sigma_squared * factor**2)
                if kind is DiscreteGaussian
                else kind(scale=self.scale * factor)
            )
            zeros = np.zeros(counts.size if size is None else size, dtype=np.int64)
            return RIGHT[kind](other, zeros, rng=rng)

        return counts + change(self, counts, draw(), draw)

    monkeypatch.setattr(kind, "release", release)


@pytest.mark.parametrize("wider", [False, True])
@pytest.mark.parametrize(
    ("kind", "parameter"),
    [
        ("sigma_squared", "1/10000"),
        ("sigma_squared", "1/3"),
        ("sigma_squared", "900"),
        ("sigma_squared", "10000000000"),
        ("scale", "1/9"),
        ("scale", "21"),
        ("scale", "1000000"),
    ],
)
def test_what_is_right_passes(kind, parameter, wider):
    event = {**(GAUSSIAN if kind == "sigma_squared" else LAPLACE), kind: parameter}
    for seed in range(2):
        assert not found(event, wider=wider, seed=seed)


NARROW = {
    "none on a single cell": lambda self, n, z, draw: z * (n.size > 1),
    "none on two cells": lambda self, n, z, draw: z * (n.size != 2),
    "none on tables of 64 or more": lambda self, n, z, draw: z * (n.size < 64),
    "none beyond 65536 cells": lambda self, n, z, draw: z * (np.arange(n.size) < 2**16),
    "none on empty cells": lambda self, n, z, draw: z * (n != 0),
    "none on one row": lambda self, n, z, draw: z * (n != 1),
    "half on a thousand rows": lambda self, n, z, draw: np.where(n == 1000, z // 2, z),
    "half on large counts": lambda self, n, z, draw: np.where(n >= 2**40, z // 2, z),
    "half on negative scores": lambda self, n, z, draw: np.where(n < 0, z // 2, z),
    "none on the first cell": lambda self, n, z, draw: z * (np.arange(n.size) > 0),
    "none on the last cell": lambda self, n, z, draw: z * (np.arange(n.size) < n.size - 1),
    "none in one draw of fifty": lambda self, n, z, draw: z * (draw() % 50 != 0),
    "cut off at three deviations": lambda self, n, z, draw: np.clip(z, -3 * SIGMA, 3 * SIGMA),
    "redrawn beyond three deviations": (
        lambda self, n, z, draw: np.where(np.abs(z) > 3 * SIGMA, z // 3, z)
    ),
    "on multiples of seven": lambda self, n, z, draw: 7 * draw(factor=Fraction(1, 7)),
    "one-sided": lambda self, n, z, draw: np.abs(z),
    "two points": lambda self, n, z, draw: SIGMA * np.sign(z + (z == 0)),
    "zeros under heavy tails": (
        lambda self, n, z, draw: np.where(draw() % 4 == 0, 0, draw(factor=Fraction(6, 5)))
    ),
    "15 percent too small": lambda self, n, z, draw: draw(factor=Fraction(17, 20)),
    "in floating point": lambda self, n, z, draw: z + 0.25,
}


@pytest.mark.parametrize("bug", NARROW)
def test_noise_of_another_law_anywhere_is_seen(monkeypatch, bug):
    planted(monkeypatch, NARROW[bug])
    assert "noise" in found()


@pytest.mark.parametrize("factor", [Fraction(19, 20), Fraction(21, 20)])
@pytest.mark.parametrize("kind", [DiscreteGaussian, DiscreteLaplace])
def test_a_wrong_scale_is_seen_on_both_sides(monkeypatch, kind, factor):
    planted(monkeypatch, lambda self, n, z, draw: draw(factor=factor), kind)
    event = GAUSSIAN if kind is DiscreteGaussian else LAPLACE
    assert "noise" in found(event, wider=False)
    assert ("noise" in found(event, wider=True)) == (factor < 1)


@pytest.mark.parametrize("factor", [Fraction(5, 4), Fraction(3)])
@pytest.mark.parametrize("kind", [DiscreteGaussian, DiscreteLaplace])
def test_wider_noise_of_the_family_is_no_fault_of_privacy(monkeypatch, kind, factor):
    planted(monkeypatch, lambda self, n, z, draw: draw(factor=factor), kind)
    assert not found(GAUSSIAN if kind is DiscreteGaussian else LAPLACE, wider=True)


@pytest.mark.parametrize("calls", [range(1), range(5, 6), range(100, 10**6), range(300, 10**6)])
def test_calls_without_noise_are_seen(monkeypatch, calls):
    number = count()
    planted(monkeypatch, lambda self, n, z, draw: z * (next(number) not in calls))
    assert "noise" in found()


HELD: dict[int, np.ndarray] = {}
REPEATED = {
    "every 256 cells": lambda self, n, z, draw: np.resize(z[:256], n.size),
    "mirrored in a vector": (
        lambda self, n, z, draw: np.concatenate([z[: (n.size + 1) // 2], z[: n.size // 2][::-1]])
    ),
    "with the other sign": (
        lambda self, n, z, draw: np.concatenate([z[: (n.size + 1) // 2], -z[: n.size // 2]])
    ),
    "one number for all cells": lambda self, n, z, draw: np.resize(z[:1], n.size),
    "kept for every size": lambda self, n, z, draw: HELD.setdefault(n.size, z),
    "of one size, with another sign": (
        lambda self, n, z, draw: np.abs(np.resize(z[:256], n.size)) * np.sign(draw())
    ),
}


@pytest.mark.parametrize("bug", REPEATED)
def test_noise_that_comes_back_is_seen(monkeypatch, bug):
    HELD.clear()
    planted(monkeypatch, REPEATED[bug])
    assert "independence" in found()


def test_what_a_curator_does_to_the_last_of_several_tables_is_seen(monkeypatch):
    from dataclasses import replace

    right = Curator.measure

    def measure(self, queries, mechanism, *, labels=None):
        answers = right(self, queries, mechanism, labels=labels)
        source = self._Curator__source
        exact = source.count(answers[-1].clique)
        return (*answers[:-1], replace(answers[-1], values=exact))

    monkeypatch.setattr(Curator, "measure", measure)
    assert "noise" in found()


def test_scores_that_a_curator_releases_bare_are_seen(monkeypatch):
    def score(self, query, mechanism, *, label):
        exact = self._Curator__scores(query)
        return (exact + right(self, query, mechanism, label=label)) // 2

    right = Curator.score
    monkeypatch.setattr(Curator, "score", score)
    assert "the first of that" in found()["noise"]


def test_answers_cut_off_at_zero_are_no_fault(monkeypatch):
    """What anybody may do to a noisy answer is not held against its noise."""
    from dataclasses import replace

    right = Curator.measure

    def measure(self, queries, mechanism, *, labels=None):
        answers = right(self, queries, mechanism, labels=labels)
        return tuple(replace(each, values=np.maximum(each.values, 0)) for each in answers)

    monkeypatch.setattr(Curator, "measure", measure)
    assert not found()


def test_many_scales_are_thinned_out_and_none_give_nothing():
    many = [{"event": {**GAUSSIAN, "sigma_squared": str(each)}} for each in range(1, 30)]
    checks = frozen.check({"steps": many}, seed=0, wider=True)
    assert len(checks) == 2 * frozen.SCALES
    assert not frozen.check({"steps": []}, seed=0, wider=True)


@pytest.mark.parametrize(
    ("name", "component", "words"),
    [
        ("later-calls-quieter", "noise", "later calls of a curator"),
        ("last-table-bare", "noise", "what a curator answers"),
        ("noise-redrawn-until-plausible", "independence", "cancels out"),
        ("noise-antithetic", "independence", "cancels out"),
        ("noise-sums-to-zero", "independence", "cancels out"),
    ],
)
def test_noise_that_hangs_on_its_call_or_on_its_sum_is_found(name, component, words):
    with find(name).patch():
        assert words in found()[component]
