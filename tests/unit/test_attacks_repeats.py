"""Randomness that repeats in a process, in another, or in a copy of one is seen.

False alarms: four choices among 4,096 come up again once in 2**48; all else is rarer.
"""

import json
import sys

import numpy as np
import pytest

import dpsynth
from attacks.conformance import repeats
from attacks.conformance.trial import CHILD, Trial
from dpsynth.privacy.mechanisms import DiscreteGaussian, DiscreteLaplace, ExponentialSelection
from dpsynth.privacy.randomness import PrivacyRandom
from dpsynth.testing import noise
from dpsynth.testing.enrolled import enrolled


def found(child=CHILD):
    each = enrolled()[0]
    trial = Trial(
        synthesizer=dpsynth.Independent(),
        schema=each.schema,
        epsilon="1",
        delta="1/1000000000",
        fits=2,
        child=tuple(child),
    )
    return [check.name for check in repeats.audit(trial) if check.status == "failed"]


def test_a_sound_source_passes():
    assert not found()


@pytest.mark.parametrize(
    ("kind", "name"),
    [(DiscreteGaussian, "gaussian"), (DiscreteLaplace, "laplace")],
)
def test_a_mechanism_with_a_source_of_its_own_is_seen(monkeypatch, kind, name):
    monkeypatch.setattr(kind, "release", lambda self, counts, *, rng: counts + 7)
    assert any(f"a mechanism drew the same twice ({name}" in each for each in found())


def test_choices_that_are_always_the_same_are_seen(monkeypatch):
    monkeypatch.setattr(ExponentialSelection, "select", lambda *_, **__: 5)
    assert any("same twice (choices)" in each for each in found())


def test_noise_that_every_process_draws_alike_is_seen():
    held = {"words": [1, 2], "gaussian": [3], "laplace": [4], "choices": [5], "values": [6]}
    said = json.dumps(held)
    child = (sys.executable, "-c", f"print({said!r})")
    assert any("another process drew the same" in each for each in found(child))


def test_words_that_a_copy_of_a_process_shares_are_seen(monkeypatch):
    class Buffered(PrivacyRandom):
        def __init__(self):
            self._held = list(np.frombuffer(super().words(64).tobytes(), dtype=np.uint64))

        def words(self, count):
            return np.array([self._held.pop() for _ in range(count)], dtype=np.uint64)

    first, copied = noise.forked_words(4)
    assert first != copied
    monkeypatch.setattr(noise, "PrivacyRandom", Buffered)
    first, copied = noise.forked_words(4)
    monkeypatch.undo()
    assert first == copied
    held = {**json.loads(repeats.words()), "after": first, "forked": copied}
    child = (sys.executable, "-c", f"print({json.dumps(held)!r})")
    assert any("a copy of a process drew the same words" in each for each in found(child))
