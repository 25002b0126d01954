"""Bugs of the kernel of a training."""

from dataclasses import replace
from fractions import Fraction
from typing import Any
from attacks.mutants.base import Maker
from attacks.mutants.planting import planted

_ENGINES = "dpsynth.privacy.dpsgd.engines"
_STEP = "dpsynth.privacy.dpsgd.step"
_GRADIENTS = f"{_STEP}:PrivateGradients"
_NOISY = f"{_GRADIENTS}._PrivateGradients__noisy"
_BATCHES = "dpsynth.privacy.dpsgd.batches:PoissonBatches"
_NORMALS = f"{_STEP}:standard_normals"
_TRAIN = "dpsynth.models.neural.training:train"
_FACTORS = f"{_ENGINES}:_factors"
_SUMS = f"{_ENGINES}:BookKeeping.clipped_sums"
_RULE = "dpsynth.privacy.dpsgd.rule:StepRule"


def _always(value: Any) -> Maker:
    return lambda original: value



def _one_factor(original: Any) -> Any:
    def factors(squares: list[Any], clip: float) -> Any:
        import torch

        norms = torch.stack(squares).sum(0).sqrt()
        return torch.full_like(norms, min(1.0, clip / max(float(norms.mean()), 1e-9))).float()

    return factors



def _largest_layer(original: Any) -> Any:
    def factors(squares: list[Any], clip: float) -> Any:
        import torch

        return original([torch.stack(squares).amax(0)], clip)

    return factors



def _adaptive(original: Any) -> Any:
    def factors(squares: list[Any], clip: float) -> Any:
        import torch

        norms = torch.stack(squares).sum(0).sqrt()
        return original(squares, max(clip, float(norms.median()))) if norms.numel() else norms

    return factors



def _rows_as_units(original: Any) -> Any:
    def clipped_sums(self: Any, model: Any, loss: Any, units: Any, *, clip: float) -> Any:
        apart = replace(units, present=units.present.reshape(-1, 1))
        return original(self, model, loss, apart, clip=clip)

    return clipped_sums



def _by_mean(original: Any) -> Any:
    def clipped_sums(self: Any, model: Any, loss: Any, units: Any, *, clip: float) -> Any:
        sums = original(self, model, loss, units, clip=clip)
        count = max(units.present.shape[0], 1)
        return {name: each * (8 / count) for name, each in sums.items()}

    return clipped_sums



def _bare_biases(original: Any) -> Any:
    def noisy(self: Any, sums: Any, step: int) -> Any:
        found = original(self, sums, step)
        for name, each in sums.items():
            if each.ndim == 1:
                found[name] = each / self.rule.divisor
        return found

    return noisy



def _tiled(original: Any) -> Any:
    def normals(count: int, stream: Any, *, step: int) -> Any:
        half = original((count + 1) // 2, stream, step=step)
        return half.repeat(2)[:count].clone()

    return normals



def _eighth_step(original: Any) -> Any:
    return lambda count, stream, *, step: original(count, stream, step=step % 8)



def _real_rate(original: Any) -> Any:
    def begin(self: Any, units: Any, *, max_rows: int, rate: Fraction, stream: Any) -> None:
        count = int(units.max()) + 1 if units.size else 1
        kept = min(Fraction(1), Fraction(64, count))
        original(self, units, max_rows=max_rows, rate=kept, stream=stream)

    return begin



def _row_coins(original: Any) -> Any:
    def begin(self: Any, units: Any, *, max_rows: int, rate: Fraction, stream: Any) -> None:
        import numpy as np

        original(self, np.arange(units.size), max_rows=max_rows, rate=rate, stream=stream)

    return begin



def _never_empty(original: Any) -> Any:
    def draw(self: Any, step: int) -> Any:
        found = original(self, step)
        return found if len(found) else self._slots[:1]

    return draw



def _same_twice(original: Any) -> Any:
    return lambda self, step: original(self, step // 2)



def _real_divisor(original: Any) -> Any:
    def begin(self: Any, rows: Any, *, rule: Any, **more: Any) -> None:
        count = int(rows.units.max()) + 1 if rows.units.size else 1
        original(self, rows, rule=replace(rule, expected_units=count), **more)

    return begin



def _eight_bits(original: Any) -> Any:
    def fresh(cls: Any, rng: Any) -> Any:
        return cls(int(rng.words(4)[0] & 0xFFFF).to_bytes(32, "big"))

    return fresh



def _starts_again(original: Any) -> Any:
    def release(self: Any, model: Any, loss: Any) -> Any:
        if not self.left:
            self._PrivateGradients__used = 0
        return original(self, model, loss)

    return release



def _twice_as_long(original: Any) -> Any:
    def train(model: Any, gradients: Any, schedule: Any, **more: Any) -> None:
        original(model, gradients, replace(schedule, steps=2 * schedule.steps), **more)

    return train



KERNEL = (
    planted(
        "clipped-by-mean-norm",
        "all units of a batch are scaled by their mean norm",
        "sensitivity",
        "neighbors",
        "made",
        (_FACTORS, _one_factor),
    ),
    planted(
        "clipped-by-largest-layer",
        "the norm is that of the largest layer alone",
        "sensitivity",
        "neighbors",
        "made",
        (_FACTORS, _largest_layer),
    ),
    planted(
        "clip-follows-median",
        "the clip rises to the median norm of the batch, unpaid",
        "sensitivity",
        "neighbors",
        "made",
        (_FACTORS, _adaptive),
    ),
    planted(
        "rows-clipped-apart",
        "each row of a person is clipped for itself",
        "sensitivity",
        "neighbors",
        "made",
        (_SUMS, _rows_as_units),
    ),
    planted(
        "mean-of-the-real-batch",
        "sums are divided by the real batch before the noise",
        "sensitivity",
        "neighbors",
        "made",
        (_SUMS, _by_mean),
    ),
    planted(
        "biases-without-noise",
        "vectors of parameters are released without noise",
        "noise",
        "released",
        "made",
        (_NOISY, _bare_biases),
    ),
    planted(
        "noise-used-for-two-tensors",
        "the second half of the noise repeats the first",
        "independence",
        "law",
        "made",
        (_NORMALS, _tiled),
    ),
    planted(
        "noise-repeats-after-eight",
        "the noise of a step comes again eight steps later",
        "independence",
        "law",
        "made",
        (_NORMALS, _eighth_step),
    ),
    planted(
        "coins-are-the-noise",
        "noise is made of the same words as the batches",
        "independence",
        "law",
        "made",
        ("dpsynth.privacy.dpsgd.noise:NOISE", _always(1)),
    ),
    planted(
        "key-of-sixteen-bits",
        "the key of a training has sixteen random bits",
        "randomness",
        "law",
        "made",
        ("dpsynth.privacy.dpsgd.stream:KeyedStream.fresh", _eight_bits),
    ),
    planted(
        "noise-of-sixteen-bits",
        "a draw is one of 65,536 values, so that tails are cut",
        "noise",
        "law",
        "made",
        ("dpsynth.privacy.dpsgd.noise:_BITS", _always(16)),
    ),
    planted(
        "rate-of-the-real-table",
        "the rate keeps the batch at 64 of the real units",
        "batches",
        "law",
        "made",
        (f"{_BATCHES}.__init__", _real_rate),
    ),
    planted(
        "coins-of-rows",
        "each row of a person has a coin of its own",
        "sensitivity",
        "neighbors",
        "made",
        (f"{_BATCHES}.__init__", _row_coins),
    ),
    planted(
        "batch-never-empty",
        "an empty batch takes the first unit",
        "sensitivity",
        "neighbors",
        "made",
        (f"{_BATCHES}.draw", _never_empty),
    ),
    planted(
        "batches-come-in-pairs",
        "two steps in a row have the same batch",
        "batches",
        "law",
        "made",
        (f"{_BATCHES}.draw", _same_twice),
    ),
    planted(
        "divisor-of-the-real-table",
        "noisy sums are divided by a share of the real units",
        "post-processing",
        "neighbors",
        "made",
        (f"{_GRADIENTS}.__init__", _real_divisor),
    ),
    planted(
        "steps-begin-again",
        "a training goes on after its last step, from the first",
        "charges",
        "neighbors",
        "made",
        (f"{_GRADIENTS}.release", _starts_again),
        (_TRAIN, _twice_as_long),
    ),
    planted(
        "off-the-grid",
        "noisy sums keep the last bits of their floats",
        "noise",
        "law",
        "made",
        (f"{_RULE}.grid", lambda original: lambda self: original(self) * 2.0**-40),
    ),
    planted(
        "multiplier-rounded-down",
        "the noise multiplier is cut to halves",
        "noise",
        "law",
        "made",
        (
            f"{_RULE}.stddev",
            lambda original: lambda self: max(int(2 * self.noise_multiplier), 1) / 2 * self.clip,
        ),
    ),
    planted(
        "noise-forgets-the-clip",
        "noise has the multiplier for its stddev, whatever the clip",
        "noise",
        "released",
        "gan",
        (f"{_RULE}.stddev", lambda original: lambda self: float(self.noise_multiplier)),
    ),
)
