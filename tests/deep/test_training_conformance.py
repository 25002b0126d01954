"""Batches and noise of a training on trial at the scales of a plan, and planted faults are seen."""

from fractions import Fraction

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from attacks.conformance import training
from dpsynth.errors import UnfitEnvironmentError
from dpsynth.privacy.dpsgd import batches, step
from dpsynth.privacy.events import SampledGaussianEvent, event_to_dict


def plan_of(rate, multiplier):
    event = SampledGaussianEvent(rate=rate, noise_multiplier=multiplier, steps=300)
    return {"steps": [{"event": event_to_dict(event)}]}


PLAN = plan_of(Fraction(1, 7), Fraction(11))


def statuses(plan=PLAN, seed=0):
    return [check.status for check in training.check(plan, seed=seed)]


@pytest.mark.parametrize(
    ("rate", "multiplier"), [("1/7", "11"), ("1", "88"), ("1/100", "7/10"), ("99/100", "1/2")]
)
def test_a_right_training_passes(rate, multiplier):
    checks = training.check(plan_of(Fraction(rate), Fraction(multiplier)), seed=1)
    assert [check.status for check in checks] == ["passed"] * 3
    assert checks[0].detectable > 0.97


def test_without_torch_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda package: None)
    with pytest.raises(UnfitEnvironmentError, match=r"dpsynth\[deep\]"):
        training.check(PLAN, seed=0)


def test_a_plan_that_trains_nothing_is_not_on_trial():
    assert training.check({"steps": []}, seed=0) == []


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_a_wrong_scale_is_seen(factor, monkeypatch):
    normals = step.standard_normals
    monkeypatch.setattr(step, "standard_normals", lambda *a, **k: factor * normals(*a, **k))
    assert statuses()[0] == "failed"


def test_another_law_is_seen(monkeypatch):
    generator = torch.Generator().manual_seed(0)

    def uniform(count, *_, **__):
        return 12**0.5 * (torch.rand(count, generator=generator, dtype=torch.float64) - 0.5)

    monkeypatch.setattr(step, "standard_normals", uniform)
    assert statuses()[1] == "failed"


@pytest.mark.parametrize("by", [Fraction(9, 10), Fraction(11, 10)])
def test_a_wrong_rate_is_seen(by, monkeypatch):
    started = batches.PoissonBatches.__init__

    def other(self, *args, rate, **more):
        started(self, *args, rate=rate * by, **more)

    monkeypatch.setattr(batches.PoissonBatches, "__init__", other)
    assert statuses() == ["passed", "passed", "failed"]
