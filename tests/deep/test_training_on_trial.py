"""The checks of a certificate see a training whose noise or batches are not what was paid for."""

from importlib.util import find_spec

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from attacks import conformance
from dpsynth.privacy.dpsgd import batches, step
from dpsynth.testing import noise

EVENT = {"kind": "sampled_gaussian/v1", "rate": "1/8", "noise_multiplier": "33/4", "steps": "300"}
TABLE = {"kind": "discrete_gaussian/v1", "sigma_squared": "9", "l2_sensitivity_squared": "1"}
PLAN = {"steps": [{"event": TABLE}, {"event": EVENT}], "unit": {"max_rows": 1}}


def found(plan=PLAN):
    checks = conformance.laws(plan)
    return {
        check.name.split(" of ")[0].split(" at ")[0]: check
        for check in checks
        if "sampled_gaussian" in check.name or "batches" in check.name
    }


def test_a_training_as_paid_for_passes():
    checks = found()
    kinds = {"scale", "shape", "grid", "batches", "spread", "batches, one by one,"}
    assert set(checks) == {f"noise/{kind}" for kind in kinds}
    assert {check.status for check in checks.values()} == {"passed"}
    assert checks["noise/scale"].detectable < 1 / 0.95
    assert checks["noise/batches"].bound - 1 < 0.05
    assert conformance.laws(PLAN) == conformance.laws(PLAN)


@pytest.mark.parametrize("multiplier", ["3/5", "1567/1024", "3"])
def test_noise_on_the_grid_of_any_rule_passes(multiplier):
    event = {**EVENT, "noise_multiplier": multiplier}
    checks = found({**PLAN, "steps": [{"event": event}]})
    assert {check.status for check in checks.values()} == {"passed"}


@pytest.mark.parametrize("factor", [0.95, 1.05, 0.0])
def test_noise_of_another_scale_fails(monkeypatch, factor):
    right = step.standard_normals
    monkeypatch.setattr(
        step, "standard_normals", lambda *args, **named: right(*args, **named).mul_(factor)
    )
    assert found()["noise/scale"].status == "failed"


def test_noise_of_another_shape_fails(monkeypatch):
    right = step.standard_normals
    monkeypatch.setattr(
        step, "standard_normals", lambda *args, **named: right(*args, **named).sign()
    )
    assert found()["noise/shape"].status == "failed"


@pytest.mark.parametrize("factor", ["11/10", "9/10", "8"])
def test_batches_at_another_rate_fail(monkeypatch, factor):
    from fractions import Fraction

    right = batches.PoissonBatches.__init__

    def wrong(self, units, *, max_rows, rate, stream):
        right(self, units, max_rows=max_rows, rate=rate * Fraction(factor), stream=stream)

    monkeypatch.setattr(batches.PoissonBatches, "__init__", wrong)
    assert found()["noise/batches"].status == "failed"


def test_batches_of_one_size_fail(monkeypatch):
    def draw(self, step):
        return self._slots[step % 8 :: 8]

    monkeypatch.setattr(batches.PoissonBatches, "draw", draw)
    checks = found({**PLAN, "steps": [{"event": {**EVENT, "steps": "8"}}]})
    assert checks["noise/spread"].status == "failed"
    assert checks["noise/batches"].status == "passed"


def test_without_torch_the_training_is_skipped_and_that_is_no_pass(monkeypatch):
    from attacks.conformance import noise as trial

    monkeypatch.setattr(
        trial, "find_spec", lambda name: None if name == "torch" else find_spec(name)
    )
    (check,) = [c for c in conformance.laws(PLAN) if c.name == "noise/training"]
    assert check.status == "skipped"


def test_what_a_step_releases_over_nobody_is_noise():
    drawn = noise.trained(EVENT, size=40_000, seed=3)
    assert drawn.shape == (40_000,)
    assert abs(drawn.std() / 8.25 - 1) < 0.02
