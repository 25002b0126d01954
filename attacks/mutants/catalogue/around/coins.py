"""Bugs of the batches and the noise of a training."""

from fractions import Fraction
from typing import Any

from attacks.mutants.base import Maker
from attacks.mutants.planting import planted

_STEP = "dpsynth.privacy.dpsgd.step"
_BATCHES = "dpsynth.privacy.dpsgd.batches:PoissonBatches"
_NORMALS = f"{_STEP}:standard_normals"


def _always(value: Any) -> Maker:
    return lambda original: value


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


def _eight_bits(original: Any) -> Any:
    def fresh(cls: Any, rng: Any) -> Any:
        return cls(int(rng.words(4)[0] & 0xFFFF).to_bytes(32, "big"))

    return fresh


COINS = (
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
)
