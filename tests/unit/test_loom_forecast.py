"""Blocks of neighboring codes: what they are, what they gain, when they are taken."""

from fractions import Fraction

import numpy as np
import pytest

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.gain import unit_levels
from dpsynth.synthesizers.loom_columns import Known, known
from dpsynth.synthesizers.loom_forecast import BLOCKS, Forecast, best_resolutions, resolutions
from dpsynth.testing.worlds import GeneratedSource


def column(rows, *, ordered=True):
    rows = np.asarray(rows, dtype=np.float64)
    table = NoisyTable(clique=("a",), values=rows, variance=np.full(rows.shape, 1e-6))
    return known(table, float(rows.sum()), ordered=ordered, rare=1.0, levels=1_000)


def test_blocks_are_runs_of_like_weight():
    groups = column(np.full(60, 10.0)).in_blocks(6)
    assert np.bincount(groups).tolist() == [10] * 6
    assert (np.diff(groups) >= 0).all()


def test_a_code_of_great_weight_has_a_block_to_itself():
    rows = np.full(41, 10.0)
    rows[20] = 5_000.0
    groups = column(rows).in_blocks(8)
    assert (groups == groups[20]).sum() == 1


def test_codes_without_order_stay_apart():
    assert column(np.full(60, 10.0), ordered=False).in_blocks(4).size == 60
    assert column(np.full(60, 10.0), ordered=False).in_blocks(4).max() == 59


def test_merging_blocks_keeps_rows_and_shares():
    fine = column(np.arange(1.0, 41.0))
    merged = fine.merged(fine.in_blocks(8))
    assert merged.rows.sum() == pytest.approx(fine.rows.sum())
    rows = merged.rows[merged.coarsening.groups] * merged.coarsening.weights
    assert rows == pytest.approx(np.arange(1.0, 41.0), rel=1e-3)
    assert isinstance(merged, Known)
    assert merged.in_order == merged.rows.size


def forecast(*, sigma_squared, distance=20_000.0):
    columns = {name: column(np.full(64, 500.0)) for name in "ab"}
    found = {name: resolutions(each) for name, each in columns.items()}
    levels = unit_levels(24)
    return levels, Forecast(
        pairs=[("a", "b")],
        distances=np.array([distance]),
        weights=np.ones(1),
        variances=sigma_squared / levels[1:],
        total=32_000.0,
        profiles={name: [profile for _, profile in each] for name, each in found.items()},
    )


@pytest.mark.parametrize("number", range(len(BLOCKS) + 1))
def test_no_table_gains_more_than_the_distance(number):
    _, made = forecast(sigma_squared=1e-6)
    gains = made.gains(0, {"a": number, "b": number})
    assert 0 <= gains[-1] <= 20_000.0
    assert (gains[-1] > 19_999) == (number == 0)


def test_the_greater_the_noise_the_fewer_the_blocks():
    cells = []
    for sigma_squared in (1e-3, 1e3, 1e5):
        levels, made = forecast(sigma_squared=sigma_squared)
        best = best_resolutions(made, levels, units=24)
        cells.append(made.profiles["a"][best["a"]].codes.sum())
    assert cells[0] == 64
    assert cells[0] > cells[1] > cells[2]


@pytest.mark.parametrize(("ordered", "blocked"), [(frozenset("ab"), True), (frozenset(), False)])
def test_a_small_budget_blocks_ordered_columns_only(ordered, blocked):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 50, 20_000)
    codes = {"a": first, "b": np.clip(first + rng.integers(-5, 6, 20_000), 0, 49)}
    domain = Domain(sizes=dict.fromkeys("ab", 50), ordered=ordered)
    rho = Fraction(1, 1_000)
    ledger = Ledger.in_memory(cap_epsilon=Fraction(10**6), cap_delta=Fraction(1, 10**9))
    account = ledger.open_release(rho=rho, seeded=True)
    curator = Curator(
        GeneratedSource(codes, domain), unit=PrivacyUnit(), account=account, rng=SeededRandom(1)
    )
    sizes = Auto().learn(curator, rho=rho).model.domain.sizes
    assert (max(sizes.values()) < 25) == blocked


def three_columns():
    columns = {
        "a": column(np.arange(1.0, 65.0)),
        "b": column(np.array([900.0, 700.0, 480.0]), ordered=False),
        "c": column(np.full(40, 52.0)),
    }
    found = {name: resolutions(each) for name, each in columns.items()}
    return Forecast(
        pairs=[("a", "b"), ("a", "c"), ("b", "c")],
        distances=np.array([700.0, 1_500.0, 0.0]),
        weights=np.array([1.0, 1.0, 4.0]),
        variances=np.array([400.0, 100.0, 25.0]),
        total=2_080.0,
        profiles={name: [profile for _, profile in each] for name, each in found.items()},
    )


def plain_gain(made, at, chosen, variance):
    """The formula of the module, cell class by cell class."""
    cells = {}
    for which, numbers in (("coarse", chosen), ("fine", dict.fromkeys(chosen, 0))):
        first, second = (made.profiles[name][numbers[name]] for name in made.pairs[at])
        cells[which] = [
            (r * s / made.total, m * n)
            for r, m in zip(first.rows, first.codes, strict=True)
            for s, n in zip(second.rows, second.codes, strict=True)
        ]
    chance = {k: sum(n * min(0.8 * r**0.5, 2 * r) for r, n in v) for k, v in cells.items()}
    squared = made.distances[at] ** 2
    lost = sum(made.profiles[name][chosen[name]].lost ** 2 for name in made.pairs[at])
    missed = lost * max(squared - chance["fine"] ** 2, 0)
    missed += max(chance["fine"] ** 2 - chance["coarse"] ** 2, 0)
    found = max(squared - missed, 0) ** 0.5
    roots = [(max(r, 0.05) ** 0.5, n) for r, n in cells["coarse"]]
    sizes = [(found * r / (0.8 * sum(n * q for q, n in roots)), n) for r, n in roots]
    left = 0.8 * sum(n * s / (1 + s**2 / variance) ** 0.5 for s, n in sizes)
    return made.weights[at] * (np.hypot(found, missed**0.5) - np.hypot(left, missed**0.5))


@pytest.mark.parametrize("number", range(len(BLOCKS) + 1))
@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_gains_of_many_pairs_follow_the_formula(number, noise):
    made = three_columns()
    chosen = dict.fromkeys("abc", number)
    gains = made.gains_of([2, 0, 1], chosen, noise=noise)
    for at, found in zip([2, 0, 1], gains, strict=True):
        plain = [plain_gain(made, at, chosen, v * noise**2) for v in made.variances]
        assert found == pytest.approx(plain, rel=1e-9, abs=1e-9)
        assert (made.gains(at, chosen, noise=noise) == found).all()


def test_profiles_that_are_the_same_are_worked_out_once():
    made = three_columns()
    for number in range(len(BLOCKS) + 1):
        made.table({"a": 0, "b": number, "c": 0})
    assert len(made._known) == 3
