"""Who is in which batch, and the noise of every step: what is right passes, planted faults do not.

False alarms: at most one in a million a call of ``members.check``; seeds are fixed here.
"""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from attacks.conformance import members
from dpsynth.privacy.dpsgd import step as steps
from dpsynth.privacy.dpsgd.batches import PoissonBatches

EVENT = {"kind": members.KIND, "rate": "1/8", "noise_multiplier": "33/4", "steps": "300"}
DRAW, NORMALS = PoissonBatches.draw, steps.standard_normals


def found(event=EVENT, *, wider=True, seed=0):
    checks = members.check({"steps": [{"event": event}]}, seed=seed, wider=wider)
    return {check.component: check.detail for check in checks if check.status == "failed"}


@pytest.mark.parametrize("rate", ["1/8", "1/2", "1", "1/100"])
def test_a_training_as_paid_for_passes(rate):
    assert not found({**EVENT, "rate": rate}, wider=False)


def shuffled(self, step):
    size = max(1, round(self._units / 8))
    epoch, place = divmod(step * size, max(self._units, 1))
    order = [np.random.default_rng(epoch + at).permutation(self._units) for at in range(2)]
    return self._slots[np.concatenate(order)[place : place + size]]


def of_one_size(self, step):
    order = np.random.default_rng(step).permutation(self._units)
    return self._slots[order[: max(1, round(self._units / 8))]]


def never_empty(self, step):
    drawn = DRAW(self, step)
    return drawn if len(drawn) else self._slots[:1]


def in_pairs(self, step):
    drawn = np.isin(self._slots[:, 0], DRAW(self, step)[:, 0])
    return self._slots[np.repeat(drawn[::2], 2)[: self._units]]


def every_batch_twice(self, step):
    return DRAW(self, step // 2)


def the_first_always(self, step):
    drawn = np.isin(self._slots[:, 0], DRAW(self, step)[:, 0])
    drawn[:1] = True
    return self._slots[drawn]


def the_last_never(self, step):
    drawn = DRAW(self, step)
    return drawn[drawn[:, 0] != self._units - 1]


def by_the_real_number(self, step):
    """Batches of as many units as were expected, whoever is there."""
    chance = min(1.0, 60 / 8 / max(self._units, 1))
    return self._slots[np.random.default_rng(step).random(self._units) < chance]


def never_when_alone(self, step):
    drawn = DRAW(self, step)
    return drawn[: 0 if self._units == 1 else None]


@pytest.mark.parametrize(
    "draw",
    [
        shuffled,
        of_one_size,
        never_empty,
        in_pairs,
        every_batch_twice,
        the_first_always,
        the_last_never,
        by_the_real_number,
        never_when_alone,
    ],
)
def test_other_batches_than_coins_make_are_seen(monkeypatch, draw):
    monkeypatch.setattr(PoissonBatches, "draw", draw)
    assert "batches" in found()


def bare(where):
    def made(size, stream, *, step):
        noise = NORMALS(size, stream, step=step)
        noise[where(size, step)] = 0
        return noise

    return made


@pytest.mark.parametrize(
    "normals",
    [
        bare(lambda size, step: slice(size - 1, None)),
        bare(lambda size, step: slice(0, 1)),
        bare(lambda size, step: slice(0, None if size == 1 else 0)),
        bare(lambda size, step: slice(0, None if step == 0 else 0)),
        bare(lambda size, step: slice(4_096, None)),
        lambda size, stream, *, step: NORMALS(size, stream, step=step).mul_(0.9),
        lambda size, stream, *, step: NORMALS(size, stream, step=step).sign(),
        lambda size, stream, *, step: NORMALS(size, stream, step=step).clamp_(-2, 2),
        lambda size, stream, *, step: NORMALS(size, stream, step=0),
        lambda size, stream, *, step: NORMALS(1, stream, step=step).expand(size).clone(),
    ],
    ids=[
        "last number",
        "first number",
        "one number",
        "first step",
        "many numbers",
        "small",
        "two points",
        "cut off",
        "every step alike",
        "one draw a step",
    ],
)
def test_other_noise_in_any_step_is_seen(monkeypatch, normals):
    monkeypatch.setattr(steps, "standard_normals", normals)
    assert "noise" in found()


@pytest.mark.parametrize(("wider", "seen"), [(True, False), (False, True)])
def test_wider_noise_is_no_fault_of_privacy_and_not_the_law(monkeypatch, wider, seen):
    monkeypatch.setattr(
        steps,
        "standard_normals",
        lambda size, stream, *, step: NORMALS(size, stream, step=step).mul_(1.3),
    )
    assert ("noise" in found(wider=wider)) == seen
