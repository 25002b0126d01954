"""A training on neighboring rows: what is right passes, and planted faults are seen."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install dpsynth[deep]")

from torch import nn

from attacks.conformance import neighbors
from dpsynth.domain import PrivacyUnit
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.dpsgd import engines
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.schema import Schema
from dpsynth.synthesizers.base import Step
from dpsynth.testing.recording import Entry as Charged
from dpsynth.testing.recording import Reading, Replay, replay

EVENT = {
    "kind": "sampled_gaussian/v1",
    "rate": "1/2",
    "noise_multiplier": "5/4",
    "steps": "3",
}


def replayed(here, there, *, steps="3"):
    charged = (Charged(label="training", event={**EVENT, "steps": steps}),)
    return Replay(
        world="made up",
        max_rows=1,
        charged=charged,
        charged_again=charged,
        here=here,
        there=there,
        diverged=None,
        same_model=True,
    )


def taken(*sums):
    empty = np.zeros(0, dtype=np.int64)
    return tuple(
        Reading(clique=("a",), shape=(2,), counts=empty, paid=1, sums=np.array(each, dtype=float))
        for each in sums
    )


def faults(found):
    return [one.fault for one in neighbors.movements(found)]


def test_a_step_moves_by_the_clip_at_most():
    here, there = taken([0, 0], [1, 1]), taken([0.6, 0.8], [1, 2.01])
    assert faults(replayed(here, there)) == ["", "a training step moved further than the clip"]
    lost = taken([0, 0], [np.nan, 1])
    assert "further than the clip" in faults(replayed(here, lost))[1]


def test_more_steps_than_were_paid_are_a_fault():
    here = taken([0, 0], [1, 1])
    assert faults(replayed(here, here, steps="1")) == [
        "",
        "more training steps were taken than were paid",
    ]


def test_counting_is_not_paid_by_training():
    counted = replace(taken([0, 0])[0], sums=None, counts=np.array([1, 2]))
    assert faults(replayed((counted,), (counted,))) == [
        "rows were counted, and a training was paid"
    ]


DECLARED = {
    "columns": [
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "pid", "kind": "identifier"},
    ],
    "unit": {"kind": "person", "column": "pid", "max_rows": 3},
}


class Trained:
    """What a made-up training learned."""

    def __init__(self, weights):
        self.model = self
        self.coarsenings = {}
        self.values = {}
        self.weights = weights

    def to_arrays(self):
        return {}, {"weights": self.weights}


@dataclass(frozen=True)
class Planned:
    """The one charge of a trainer."""

    unit: PrivacyUnit
    rho: Fraction = Fraction(8)
    reserved_delta: Fraction = Fraction(0)

    @property
    def steps(self):
        return (Step(phase="train", label="training", event=RULE.event(self.unit)),)

    def open(self, ledger, *, seeded):
        return ledger.open_release(rho=Fraction(0), trained=[RULE.event(self.unit)], seeded=seeded)


@dataclass(frozen=True)
class Trainer:
    """Trains for three steps on whatever it is given."""

    name: ClassVar[str] = "trainer"
    engine: str = "book_keeping"

    def plan(self, schema, *, epsilon, delta):
        return Planned(unit=schema.privacy_unit)

    def fit_prepared(self, prepared, *, schema, plan, account, rng, curator_of=Curator):
        curator = curator_of(prepared.source, unit=plan.unit, account=account, rng=rng)
        gradients = curator.train(RULE, label="training", engine=self.engine)
        torch.manual_seed(0)
        net = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 2))
        for _ in range(RULE.steps):
            found = gradients.release(net, lambda model, rows: model(rows).flatten(1).sum(1))
            with torch.no_grad():
                for name, each in net.named_parameters():
                    each -= found[name]
        weights = torch.cat([each.detach().flatten() for each in net.parameters()])
        return Trained(weights.numpy())


RULE = StepRule(
    rate=Fraction(1, 2), noise_multiplier=Fraction(5, 4), clip=0.5, steps=3, expected_units=50
)


def replays():
    return replay(Trainer(), Schema.from_dict(DECLARED), epsilon="1", delta="1e-6")


def test_neighbors_meet_the_same_coins_and_noise():
    """Each pair is asked the same, is told the same, and ends in the same weights."""
    found = replays()
    assert len(found) > 10
    for each in found:
        assert each.diverged is None
        assert each.same_model
        assert [reading.sums is None for reading in each.here] == [False] * 3
        assert set(faults(each)) == {""}
    moved = [float(one.moved) for each in found for one in neighbors.movements(each)]
    assert max(moved) > 0.99, "a person who is in the batch moves a sum by the clip"
    assert min(moved) == 0, "and one who is not moves nothing"


def test_a_step_that_clips_rows_and_not_persons_is_caught(monkeypatch):
    right = engines.BookKeeping.clipped_sums

    def by_row(self, model, loss, units, *, clip):
        alone = units.present.reshape(-1, 1)
        return right(self, model, loss, engines.Units(rows=units.rows, present=alone), clip=clip)

    monkeypatch.setattr(engines.BookKeeping, "clipped_sums", by_row)
    found = [fault for each in replays() for fault in faults(each)]
    assert "a training step moved further than the clip" in found


def test_a_step_that_divides_by_the_real_batch_is_caught(monkeypatch):
    right = engines.BookKeeping.clipped_sums

    def mean(self, model, loss, units, *, clip):
        sums = right(self, model, loss, units, clip=clip)
        return {name: 50 * each / max(len(units.present), 1) for name, each in sums.items()}

    monkeypatch.setattr(engines.BookKeeping, "clipped_sums", mean)
    found = [fault for each in replays() for fault in faults(each)]
    assert "a training step moved further than the clip" in found
