"""Training on rows that are held narrow, or on disk: the same batches, gradients and digests."""

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install dpsynth[deep]")

from torch import nn

from dpsynth.privacy.dpsgd import batches as kernel_batches
from dpsynth.privacy.dpsgd.batches import PoissonBatches
from dpsynth.privacy.dpsgd.engines import BookKeeping
from dpsynth.privacy.dpsgd.state import digest_of_rows
from dpsynth.privacy.dpsgd.step import PrivateGradients, StepRule
from dpsynth.privacy.dpsgd.stream import BATCH, KeyedStream
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.source import UnitRows

ROWS, MOST = 300, 4
RULE = StepRule(
    rate=Fraction(1, 4), noise_multiplier=Fraction(1), clip=0.5, steps=20, expected_units=120
)


def held():
    """Rows and units as numpy holds them, narrow, and on disk."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 200, (ROWS, 4))
    units = rng.permutation(np.arange(ROWS) // 2 % 120)
    return codes, np.unique(units, return_inverse=True)[1]


def ways(folder):
    codes, units = held()
    mapped = np.memmap(folder / "codes", dtype=np.uint8, mode="w+", shape=codes.shape)
    mapped[:] = codes
    return {
        "memory": UnitRows(codes=codes, units=units),
        "narrow": UnitRows(codes=codes.astype(np.uint8), units=units),
        "disk": UnitRows(codes=mapped, units=units),
    }


def trained(rows):
    """Weights after a training with one seed."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    stream = KeyedStream.fresh(SeededRandom(1))
    private = PrivateGradients(
        rows, max_rows=MOST, rule=RULE, engine=BookKeeping(), stream=stream, most_rows=64
    )
    while private.left:
        sums = private.release(model, lambda net, part: net(part.float() / 200).sum(1))
        with torch.no_grad():
            for name, each in model.named_parameters():
                each -= 0.1 * sums[name]
    return torch.cat([each.flatten() for each in model.parameters()]).detach().numpy()


def test_a_training_is_bit_equal_wherever_the_rows_are(tmp_path):
    rows = ways(tmp_path)
    expected = trained(rows["memory"])
    for name in ("narrow", "disk"):
        assert np.array_equal(trained(rows[name]), expected)
        assert digest_of_rows(rows[name]) == digest_of_rows(rows["memory"])
    changed = ways(tmp_path)["narrow"].codes.copy()
    changed[0, 0] += 1
    other = UnitRows(codes=changed, units=rows["memory"].units)
    assert digest_of_rows(other) != digest_of_rows(rows["memory"])
    assert not np.array_equal(trained(other), expected)


def test_coins_are_the_same_however_many_are_held_at_once(monkeypatch):
    def drawn():
        stream = KeyedStream.fresh(SeededRandom(1))
        coins = PoissonBatches(held()[1], max_rows=MOST, rate=Fraction(1, 3), stream=stream)
        return [coins.draw(step) for step in range(30)]

    whole = drawn()
    monkeypatch.setattr(kernel_batches, "_AT_ONCE", 14)
    for one, other in zip(drawn(), whole, strict=True):
        assert one.dtype == np.int64
        assert np.array_equal(one, other)


def test_later_words_of_a_stream_are_those_of_the_whole():
    stream = KeyedStream.fresh(SeededRandom(1))
    whole = stream.words(41, purpose=BATCH, step=3)
    for start in (0, 2, 18, 40):
        part = stream.words(41 - start, purpose=BATCH, step=3, start=start)
        assert np.array_equal(part, whole[start:])


def test_a_batch_reads_its_own_rows_alone():
    """What is not in a batch is not touched: a table larger than memory stays on its disk."""

    class Watched(np.ndarray):
        def __getitem__(self, key):
            if isinstance(key, np.ndarray):
                touched.append(key.size)
                return np.asarray(self)[key]
            return super().__getitem__(key)

    touched = []
    codes, units = held()
    trained(UnitRows(codes=codes.view(Watched), units=units))
    assert touched
    assert max(touched) <= 64
    # A quarter of the units a step: five standard deviations of the binomial number of rows.
    assert sum(touched) < RULE.steps * ROWS / 4 + 5 * (RULE.steps * ROWS * MOST / 4) ** 0.5
