"""The training step: the law of its batches, the scale of its noise, what one person moves."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

torch = pytest.importorskip("torch", reason="needs torch: pip install dpsynth[deep]")

from torch import nn

from dpsynth.privacy.dpsgd.batches import PoissonBatches
from dpsynth.privacy.dpsgd.engines import BookKeeping
from dpsynth.privacy.dpsgd.noise import standard_normals
from dpsynth.privacy.dpsgd.step import PrivateGradients, StepRule
from dpsynth.privacy.dpsgd.stream import KeyedStream
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.source import UnitRows
from dpsynth.schema import Schema
from dpsynth.sources.frame import prepare

FALSE_ALARM = 1e-6  # of every statistical test here


def rule(**changed):
    return StepRule(
        **{
            "rate": Fraction(1, 4),
            "noise_multiplier": Fraction(2),
            "clip": 0.5,
            "steps": 400,
            "expected_units": 40,
            **changed,
        }
    )


def stream(seed):
    return KeyedStream.fresh(SeededRandom(seed))


def loss(model, rows):
    return model(rows.float()).sum(1) * rows[:, 0]


def gradients(rows, units, *, max_rows, seed=1, **changed):
    return PrivateGradients(
        UnitRows(codes=rows, units=units),
        max_rows=max_rows,
        rule=rule(**changed),
        engine=BookKeeping(),
        stream=stream(seed),
    )


def flat(sums):
    return torch.cat([each.flatten() for each in sums.values()]).double().numpy()


def test_normals_have_the_normal_law():
    found = standard_normals(200_000, stream(3), step=0).numpy()
    assert stats.kstest(found, "norm").pvalue > FALSE_ALARM
    for wrong in (0.97, 1.03):
        assert stats.kstest(found * wrong, "norm").pvalue < FALSE_ALARM


def test_the_size_of_a_batch_is_binomial_and_units_join_alone():
    units = np.repeat(np.arange(60), 2)
    batches = PoissonBatches(units, max_rows=3, rate=Fraction(1, 4), stream=stream(5))
    joined = np.zeros((4_000, 60), dtype=bool)
    for step, each in enumerate(joined):
        slots = batches.draw(step)
        assert slots.shape[1] == 3
        assert (slots[:, 2] == -1).all()
        assert (units[slots[:, 0]] == units[slots[:, 1]]).all()
        each[units[slots[:, 0]]] = True
    sizes = np.bincount(joined.sum(1), minlength=61)
    expected = 4_000 * stats.binom(60, 0.25).pmf(np.arange(61))
    near = expected > 20
    assert (
        stats.chisquare(
            np.append(sizes[near], sizes[~near].sum()),
            np.append(expected[near], expected[~near].sum()),
        ).pvalue
        > FALSE_ALARM
    )
    # 15 of 60, shuffled, is what batches of a fixed size would give: no variance at all.
    assert 8 < joined.sum(1).var() < 15
    together = (joined[:, :1] & joined[:, 1:]).sum(0)
    assert (abs(together - 4_000 / 16) < 6 * np.sqrt(4_000 / 16)).all()


@pytest.mark.parametrize("max_rows", [1, 3])
def test_noise_has_the_stated_scale_at_the_released_sum(max_rows):
    """No rows at all: what is released is noise, times stddev * clip / divisor."""
    found = gradients(
        np.zeros((0, 4), dtype=np.int64), np.zeros(0, dtype=np.int64), max_rows=max_rows
    )
    net = nn.Linear(4, 3)
    drawn = np.concatenate([flat(found.release(net, loss)) for _ in range(400)])
    scale = 2 * 0.5 / 10
    assert drawn.size == 400 * 15
    assert stats.kstest(drawn / scale, "norm").pvalue > FALSE_ALARM
    for wrong in (0.8, 1.25):
        assert stats.kstest(drawn / scale * wrong, "norm").pvalue < FALSE_ALARM
    low, high = stats.chi2(drawn.size).ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2])
    energy = float(drawn @ drawn) / scale**2
    assert low < energy < high
    for wrong in (0.9, 1.1):  # a scale wrong by a tenth, either way
        assert not low < energy * wrong**2 < high


@pytest.mark.parametrize("rows_of_the_person", [1, 3])
def test_a_person_moves_a_sum_by_the_clip_at_most_and_can(rows_of_the_person):
    """Same batches and noise with and without the last person, whose rows are extreme."""
    generator = np.random.default_rng(0)
    rows = generator.integers(0, 5, size=(31 + rows_of_the_person, 4))
    rows[31:] = 100
    units = np.append(np.arange(31), np.full(rows_of_the_person, 31))
    changed = {"rate": Fraction(1), "noise_multiplier": Fraction(1, 10**6), "expected_units": 1}
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    with_person = gradients(rows, units, max_rows=3, **changed).release(net, loss)
    without = gradients(rows[:31], units[:31], max_rows=3, **changed).release(net, loss)
    moved = np.linalg.norm(flat(with_person) - flat(without))
    assert 0.499 < moved < 0.5 + 1e-4


def test_a_cell_that_is_not_finite_is_mapped_before_the_net_and_clipped_like_others():
    """NaN and infinities have codes: such a row moves a sum by the clip at most, like any."""
    schema = Schema.from_dict(
        {
            "columns": [
                {
                    "name": "age",
                    "kind": "continuous",
                    "bounds": [0, 99],
                    "bins": 4,
                    "nullable": True,
                },
                {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
            ]
        }
    )
    ages = [30.0, float("nan"), float("inf"), float("-inf"), 1e308]
    table = pd.DataFrame({"age": ages, "sex": ["m"] * 5})
    source = prepare(table, schema, key=lambda purpose: b"k" * 32).source
    rows, place = source.unit_rows(), source.domain.columns.index("age")
    assert rows.codes[:, place].tolist() == [1, 4, 3, 0, 3]  # missing, and the ends of the range
    changed = {"rate": Fraction(1), "noise_multiplier": Fraction(1, 10**6), "expected_units": 1}
    torch.manual_seed(0)
    net = nn.Linear(2, 3)
    whole = gradients(rows.codes, rows.units, max_rows=1, **changed).release(net, loss)
    for kept in range(1, 5):
        fewer = gradients(rows.codes[:kept], rows.units[:kept], max_rows=1, **changed)
        more = gradients(rows.codes[: kept + 1], rows.units[: kept + 1], max_rows=1, **changed)
        moved = np.linalg.norm(flat(more.release(net, loss)) - flat(fewer.release(net, loss)))
        assert moved < 0.5 + 1e-4
    assert np.isfinite(flat(whole)).all()


def test_what_fills_a_person_up_comes_from_no_row():
    """The first row makes gradients infinite; persons with fewer rows than others are not lost."""
    rows = np.array([[1_000, 0, 0, 0], [1, 2, 3, 4], [2, 2, 2, 2]])
    units = np.arange(3)

    def explosive(model, rows):
        return model(rows.float()).sum(1) * torch.exp(rows[:, 0].double()).float()

    changed = {"rate": Fraction(1), "noise_multiplier": Fraction(1, 10**6), "expected_units": 1}
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    with_first = gradients(rows, units, max_rows=3, **changed).release(net, explosive)
    without = gradients(rows[1:], units[:2], max_rows=3, **changed).release(net, explosive)
    assert np.linalg.norm(flat(without)) > 0.5
    np.testing.assert_allclose(flat(with_first), flat(without), atol=1e-5)


def test_noisy_sums_lie_on_a_public_grid():
    quiet = rule()
    assert 2**-11 < quiet.grid / quiet.stddev <= 2**-10
    found = gradients(np.ones((60, 4), dtype=np.int64), np.arange(60), max_rows=1)
    sums = flat(found.release(nn.Linear(4, 3), loss)) * quiet.divisor / quiet.grid
    np.testing.assert_allclose(sums, np.round(sums), atol=1e-3)
    assert np.abs(sums).max() > 100


def test_batches_of_a_step_depend_on_their_key_alone():
    first, second = stream(1), KeyedStream(stream(1).key)
    words = [each.words(5, purpose=1, step=9) for each in (first, second)]
    assert (words[0] == words[1]).all()
    assert (first.words(9, purpose=1, step=9)[:5] == words[0]).all()
    assert repr(first) == "KeyedStream()"
    others = [first.words(5, purpose=2, step=9), first.words(5, purpose=1, step=8)]
    assert not any((each == words[0]).any() for each in others)
    with pytest.raises(ValueError, match="32 bytes"):
        KeyedStream(b"short")


def test_parts_of_a_batch_share_one_noise():
    rows = np.random.default_rng(0).integers(0, 5, size=(60, 4))
    units = np.arange(60)
    net = nn.Linear(4, 3)
    whole = gradients(rows, units, max_rows=1).release(net, loss)
    parts = PrivateGradients(
        UnitRows(codes=rows, units=units),
        max_rows=1,
        rule=rule(),
        engine=BookKeeping(),
        stream=stream(1),
        most_rows=7,
    ).release(net, loss)
    np.testing.assert_allclose(flat(parts), flat(whole), rtol=1e-5, atol=1e-6)


def test_the_real_number_of_units_divides_nothing():
    """The same person alone: ten times the declared units, a tenth of the gradient."""
    rows, units = np.full((1, 4), 3), np.zeros(1, dtype=np.int64)
    net = nn.Linear(4, 3)
    quiet = {"rate": Fraction(1), "noise_multiplier": Fraction(1, 10**6)}
    small = gradients(rows, units, max_rows=1, expected_units=10, **quiet).release(net, loss)
    large = gradients(rows, units, max_rows=1, expected_units=100, **quiet).release(net, loss)
    np.testing.assert_allclose(flat(small), 10 * flat(large), rtol=1e-3)


def test_steps_run_out():
    found = gradients(np.zeros((1, 4), dtype=np.int64), np.zeros(1, dtype=np.int64), max_rows=1)
    net = nn.Linear(4, 3)
    for _ in range(400):
        found.release(net, loss)
    assert repr(found) == "PrivateGradients(0 of 400 steps left)"
    with pytest.raises(ValueError, match="every step"):
        found.release(net, loss)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"rate": 0.25}, TypeError),
        ({"rate": Fraction(5, 4)}, ValueError),
        ({"noise_multiplier": Fraction(0)}, ValueError),
        ({"clip": 0.0}, ValueError),
        ({"clip": float("inf")}, ValueError),
        ({"clip": float("nan")}, ValueError),
        ({"steps": 1.5}, TypeError),
        ({"steps": 0}, ValueError),
        ({"expected_units": 0}, ValueError),
    ],
)
def test_a_rule_that_protects_nobody_is_refused(wrong, error):
    with pytest.raises(error):
        rule(**wrong)


def test_units_that_are_not_bounded_are_refused():
    for units, most in ((np.array([0, 0, 0]), 2), (np.array([0, 2]), 2)):
        with pytest.raises(ValueError, match="at most max_rows rows"):
            PoissonBatches(units, max_rows=most, rate=Fraction(1, 2), stream=stream(1))
    with pytest.raises(ValueError, match="rate"):
        PoissonBatches(np.array([0]), max_rows=1, rate=Fraction(0), stream=stream(1))
