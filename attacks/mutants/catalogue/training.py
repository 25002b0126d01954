"""Planted bugs in training by noisy gradients: batches, clipping, noise. All of them need torch."""

from fractions import Fraction
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant, Patch, patches

_DPSGD = "dpsynth.privacy.dpsgd"
_NORMALS = f"{_DPSGD}.step:standard_normals"
_CLIPPED = f"{_DPSGD}.engines:BookKeeping.clipped_sums"


def _shuffled(_: Any) -> Any:
    """Cut a shuffled table into batches of one size, an epoch at a time."""

    def draw(self: Any, step: int) -> Any:
        size = max(1, round(self._units * float(self._rate)))
        epoch, place = divmod(step * size, max(self._units, 1))
        order = np.random.default_rng((epoch, 7)).permutation(self._units)
        again = np.random.default_rng((epoch + 1, 7)).permutation(self._units)
        return self._slots[np.concatenate([order, again])[place : place + size]]

    return draw


def _fixed_size(_: Any) -> Any:
    """Draw a batch of one size anew in every step, without replacement."""

    def draw(self: Any, step: int) -> Any:
        size = max(1, round(self._units * float(self._rate)))
        return self._slots[np.random.default_rng((step, 5)).permutation(self._units)[:size]]

    return draw


def _twice_as_often(original: Any) -> Any:
    def init(self: Any, units: Any, *, rate: Any, **named: Any) -> None:
        original(self, units, rate=min(2 * Fraction(rate), Fraction(1)), **named)

    return init


def _rate_understated(original: Any) -> Any:
    """Claim amplification by sampling that does not take place."""
    from dataclasses import replace

    def event(self: Any, unit: Any) -> Any:
        return replace(original(self, unit), rate=Fraction(self.rate) / 8)

    return event


def _bill_understated(original: Any) -> Any:
    from dataclasses import replace

    def event(training: Any, budget: Any, others: Any) -> Any:
        return original(replace(training, rate=training.rate / 8), budget, others)

    return event


def _real_batch(original: Any) -> Any:
    """Divide by the number of units that are in the batch."""

    def noisy(self: Any, sums: Any, step: int) -> Any:
        held = len(self._PrivateGradients__batches.draw(step))
        found = original(self, sums, step)
        return {name: each * self.rule.divisor / max(held, 1) for name, each in found.items()}

    return noisy


def _batch_clipped(_: Any) -> Any:
    """Clip the sum of a batch, and no unit's part of it."""
    import torch

    def clipped_sums(self: Any, model: Any, loss: Any, units: Any, *, clip: float) -> Any:
        del self
        named = {name: each for name, each in model.named_parameters() if each.requires_grad}
        rows = units.rows[units.present.flatten()]
        if not len(rows):
            return {name: torch.zeros_like(each) for name, each in named.items()}
        gradients = torch.autograd.grad(loss(model, rows).sum(), list(named.values()))
        norm = float(torch.sqrt(sum((each.double() ** 2).sum() for each in gradients)))
        factor = min(1.0, clip * len(units.present) / max(norm, 1e-9))
        return {name: each * factor for name, each in zip(named, gradients, strict=True)}

    return clipped_sums


def _clipped_by_layer(_: Any) -> Any:
    """Clip every parameter by itself, each with the whole clip."""
    import torch

    def clipped_sums(self: Any, model: Any, loss: Any, units: Any, *, clip: float) -> Any:
        del self
        named = {name: each for name, each in model.named_parameters() if each.requires_grad}
        sums = {name: torch.zeros_like(each) for name, each in named.items()}
        slots = units.present.shape[1]
        for number, present in enumerate(units.present):
            rows = units.rows[number * slots : (number + 1) * slots][present]
            gradients = torch.autograd.grad(loss(model, rows).sum(), list(named.values()))
            for name, each in zip(named, gradients, strict=True):
                sums[name] += each * min(1.0, clip / max(float(each.norm()), 1e-12))
        return sums

    return clipped_sums


def _units_by_rows(original: Any) -> Any:
    """Clip rows in place of persons."""

    def init(self: Any, rows: Any, *, max_rows: int, **named: Any) -> None:
        from dataclasses import replace

        del max_rows
        alone = np.arange(len(rows.units))
        original(self, replace(rows, units=alone), max_rows=1, **named)

    return init


def _small(original: Any) -> Any:
    return lambda count, stream, *, step: original(count, stream, step=step).mul_(0.8)


def _same_every_step(original: Any) -> Any:
    return lambda count, stream, *, step: original(count, stream, step=0)


def _last_number_bare(original: Any) -> Any:
    """Leave the last parameters without noise, as where a layer is added later."""

    def normals(count: int, stream: Any, *, step: int) -> Any:
        found = original(count, stream, step=step)
        if 8 < count < 10_000:
            found[-4:] = 0
        return found

    return normals


def _mutant(name: str, sentence: str, patch: Patch, **more: str) -> Mutant:
    named = {"component": "batches", "audit": "law", "subject": "made", **more}
    return Mutant(name=name, sentence=sentence, patch=patch, **named)


TRAINING = (
    _mutant(
        "shuffled-batches",
        "A shuffled table is cut into batches, and Poisson sampling is charged.",
        patches((f"{_DPSGD}.batches:PoissonBatches.draw", _shuffled)),
    ),
    _mutant(
        "batches-of-one-size",
        "Every batch has the same size, and Poisson sampling is charged.",
        patches((f"{_DPSGD}.batches:PoissonBatches.draw", _fixed_size)),
    ),
    _mutant(
        "batches-twice-as-large",
        "Units are drawn twice as often as is charged.",
        patches((f"{_DPSGD}.batches:PoissonBatches.__init__", _twice_as_often)),
    ),
    _mutant(
        "amplification-claimed",
        "An eighth of the rate is charged at which units are drawn.",
        patches(
            (f"{_DPSGD}.rule:StepRule.event", _rate_understated),
            ("dpsynth.synthesizers.deep:_event", _bill_understated),
        ),
        audit="released",
    ),
    _mutant(
        "divisor-from-the-batch",
        "Noisy sums are divided by the number of units in the batch.",
        patches((f"{_DPSGD}.step:PrivateGradients._PrivateGradients__noisy", _real_batch)),
        audit="neighbors",
        component="post-processing",
    ),
    _mutant(
        "batch-clipped",
        "The sum of a batch is clipped, and nobody's part of it.",
        patches((_CLIPPED, _batch_clipped)),
        audit="neighbors",
        component="sensitivity",
    ),
    _mutant(
        "clipped-layer-by-layer",
        "Every layer is clipped by itself, each with the whole clip.",
        patches((_CLIPPED, _clipped_by_layer)),
        audit="neighbors",
        component="sensitivity",
    ),
    _mutant(
        "rows-clipped-for-persons",
        "Rows are clipped, and persons are promised to be.",
        patches((f"{_DPSGD}.step:PrivateGradients.__init__", _units_by_rows)),
        audit="neighbors",
        component="sensitivity",
    ),
    _mutant(
        "steps-20-percent-small",
        "The noise of a step has four fifths of its standard deviation.",
        patches((_NORMALS, _small)),
        component="noise",
    ),
    _mutant(
        "steps-share-their-noise",
        "Every step gets the noise of the first.",
        patches((_NORMALS, _same_every_step)),
        audit="released",
        component="independence",
    ),
    _mutant(
        "last-layer-bare",
        "The last numbers of a step get no noise.",
        patches((_NORMALS, _last_number_bare)),
        audit="released",
        component="noise",
    ),
)
