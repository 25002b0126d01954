"""Bugs of clipping, dividing and counting steps of a training."""

from dataclasses import replace
from typing import Any

from attacks.mutants.planting import planted

_ENGINES = "dpsynth.privacy.dpsgd.engines"
_STEP = "dpsynth.privacy.dpsgd.step"
_GRADIENTS = f"{_STEP}:PrivateGradients"
_NOISY = f"{_GRADIENTS}._PrivateGradients__noisy"
_TRAIN = "dpsynth.models.neural.training:train"
_FACTORS = f"{_ENGINES}:_factors"
_SUMS = f"{_ENGINES}:BookKeeping.clipped_sums"
_RULE = "dpsynth.privacy.dpsgd.rule:StepRule"


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


def _real_divisor(original: Any) -> Any:
    def begin(self: Any, rows: Any, *, rule: Any, **more: Any) -> None:
        count = int(rows.units.max()) + 1 if rows.units.size else 1
        original(self, rows, rule=replace(rule, expected_units=count), **more)

    return begin


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
