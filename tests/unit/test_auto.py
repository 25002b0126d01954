"""auto: bill, choice of tables and quality, on made-up rows."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.privacy.accounting import rho_from_epsilon, total_rho
from dpsynth.public import synthesizer
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.gain import Deviations, share_units
from dpsynth.synthesizers.loom_bill import default_one_way_share
from dpsynth.synthesizers.loom_effort import EFFORTS, effort_for
from dpsynth.synthesizers.mst import MST
from dpsynth.testing.closeness import pair_distance
from dpsynth.testing.worlds import (
    SMALL,
    chain_codes,
    curator_over,
    small_world,
    wide_world,
)

ROW = PrivacyUnit()


# -- the bill -----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 3, 17, 60])
@pytest.mark.parametrize("epsilon", ["0.001", "0.1", "7/3", "100"])
@pytest.mark.parametrize("max_rows", [1, 5])
def test_the_bill_adds_up_exactly(columns, epsilon, max_rows):
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(1, 10**9))
    domain = Domain(sizes={f"c{i}": 2 + i for i in range(columns)})
    steps = Auto().steps(domain, unit=PrivacyUnit(max_rows=max_rows), rho=rho)
    assert total_rho(step.event for step in steps) == rho
    phases = [step.phase for step in steps]
    assert phases[:columns] == ["one-way"] * columns
    assert phases[columns : columns + 1] == ["select"] * (columns > 1)
    assert set(phases[columns + 1 :]) <= {"tables"}


def test_all_scales_are_fixed_before_any_answer():
    """Which tables are asked about may change with the rows; the bill may not."""
    rho = Fraction(1, 10)
    events = []
    for seed in range(3):
        curator = small_world(rho=rho, seed=seed, rows=100 * 10**seed)
        Auto().learn(curator, rho=rho)
        events.append([entry.event for entry in curator.account.entries])
    assert events[0] == events[1] == events[2]


def test_columns_get_most_of_a_small_budget_and_half_of_a_large_one():
    share = {e: default_one_way_share(Fraction(2) ** -e) for e in range(-3, 20)}
    assert share[14] == share[19] == Fraction(2, 3)
    assert share[0] == share[-3] == Fraction(9, 20)
    assert min(share, key=lambda e: share[e]) == 3
    assert all(share[e] < share[e - 1] for e in (1, 2, 3))
    assert all(share[e] < share[e + 1] for e in range(3, 13))


def test_settings_are_checked():
    with pytest.raises(ValueError, match="most_cells must be above 0"):
        Auto(most_cells=0)
    with pytest.raises(ValueError, match="effort must be one of: fast, default, thorough"):
        Auto(effort="heroic")
    with pytest.raises(UsageError, match="auto cannot have these settings: effort must be one"):
        synthesizer("auto", effort="")
    with pytest.raises(TypeError, match="exact"):
        Auto(selection_share=0.1)
    with pytest.raises(ValueError, match="strictly between"):
        Auto(one_way_share=Fraction(99, 100), selection_share=Fraction(1, 50))
    with pytest.raises(UnknownNameError, match="nobody"):
        Auto(target="nobody").steps(SMALL, unit=ROW, rho=Fraction(1))


# -- who gets the budget ------------------------------------------------------------------------


def test_the_gain_grows_with_precision_up_to_the_whole_distance():
    deviations = Deviations.spread(1_000.0, np.full((10, 10), 50.0))
    gains = deviations.gain(np.array([1e-9, 1.0, 1e2, 1e4, 1e12]))
    assert gains[0] == pytest.approx(1_000.0, rel=1e-3)
    assert (np.diff(gains) < 0).all()
    assert gains[-1] == pytest.approx(0, abs=1e-2)
    assert Deviations.spread(0.0, np.ones((3, 3))).gain(np.array([1.0])) == 0


@pytest.mark.parametrize("units", [1, 2, 7, 64])
def test_every_unit_is_handed_out(units):
    rng = np.random.default_rng(units)
    levels = np.array([0, *[n for n in (1, 2, 3, 5, 8, 13, 64) if n <= units]])
    gains = np.cumsum(rng.random((5, levels.size)), axis=1) - 0.5
    gains[:, 0] = 0
    for table in (gains, np.zeros_like(gains)):
        given = share_units(table, levels, units=units)
        assert given.sum() == units
        assert (given >= 0).all()


def test_units_go_where_they_gain_most():
    levels = np.arange(5)
    steep, flat = np.array([0, 8, 12, 14, 15.0]), np.array([0, 1, 2, 3, 4.0])
    assert share_units(np.array([steep, flat]), levels, units=4).tolist() in ([3, 1], [4, 0])
    assert share_units(np.array([flat, steep]), levels, units=2).tolist() == [0, 2]


# -- what is learned ----------------------------------------------------------------------------


def test_triangles_of_relations_are_kept():
    """A tree can hold two of the three pairs of columns that all lean on each other."""
    rng = np.random.default_rng(0)
    rows = 5_000
    codes = {name: rng.integers(0, 4, rows) for name in "abcdef"}
    codes["c"] = (codes["a"] + codes["b"]) % 4
    mixed = rng.random(rows) < 0.5
    codes["b"][mixed] = codes["a"][mixed]
    domain = Domain(sizes=dict.fromkeys("abcdef", 4))
    rho = Fraction(100)
    learned = Auto().learn(curator_over(codes, domain, rho), rho=rho)
    assert any(set("abc") <= set(clique) for clique in learned.model.cliques)
    drawn = learned.model.sample(rows, np.random.default_rng(0))
    for pair in combinations("abc", 2):
        real, made = (
            np.bincount(4 * each[pair[0]].astype(int) + each[pair[1]], minlength=16)
            for each in (codes, drawn)
        )
        assert np.abs(real - made).sum() < 0.03 * rows


@pytest.mark.parametrize("epsilon", ["1", "10"])
def test_it_is_closer_than_the_tree(epsilon):
    """Not on a mere chain, where the tree is the truth and all other pairs follow from it."""
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(1, 10**9))
    domain = Domain(sizes={f"c{i}": 6 for i in range(10)})
    real = chain_codes(domain, rows=20_000, seed=0)
    for at in range(2, 10):
        real[f"c{at}"][::3] = (real[f"c{at - 1}"][::3] + real[f"c{at - 2}"][::3]) % 6
    tree, ours = (
        pair_distance(method.learn(curator_over(real, domain, rho), rho=rho), domain, real)
        for method in (MST(), Auto())
    )
    assert ours < tree


def test_a_target_draws_budget_to_its_pairs_and_leaves_the_bill():
    rho = Fraction(1, 200)
    counted, bills = {}, {}
    for target in (None, "c4"):
        curator = wide_world(rows=3_000, columns=10, categories=6, rho=rho)
        domain = Domain(sizes={name.replace("olumn_", ""): k for name, k in
                               curator.domain.sizes.items()})  # fmt: skip
        world = small_world(rho=rho, domain=domain, rows=3_000)
        Auto(target=target, target_weight=20).learn(world, rho=rho)
        labels = [entry.label for entry in world.account.entries]
        counted[target] = sum("c4" in label and "," in label for label in labels)
        bills[target] = [entry.event for entry in world.account.entries]
    assert counted["c4"] > counted[None]
    assert bills["c4"] == bills[None]


@pytest.mark.parametrize("cells", [100, 1_000])
def test_the_junction_tree_stays_below_its_limit(cells):
    rho = Fraction(10)
    learned = Auto(most_cells=cells, rake=False).learn(small_world(rho=rho), rho=rho)
    held = learned.model.domain
    assert sum(held.size(clique) for clique in learned.model.cliques) <= cells
    assert not learned.model.corrections


def test_raking_reaches_pairs_beyond_the_limit():
    rho = Fraction(10)
    learned = Auto(most_cells=60).learn(small_world(rho=rho), rho=rho)
    held = {frozenset(clique) for clique in learned.model.cliques}
    outside = [each for each in learned.model.corrections if frozenset(each.clique) not in held]
    assert outside
    assert learned.model.sample(100, np.random.default_rng(0))["age"].size == 100


def test_sixty_columns():
    rho = Fraction(1, 80)
    curator = wide_world(rows=2_000, columns=60, categories=10, rho=rho)
    learned = Auto().learn(curator, rho=rho)
    assert curator.account.left == 0
    assert len(learned.model.domain.columns) == 60


# -- effort -------------------------------------------------------------------------------------

HARD = Domain(sizes={"a": 12, "b": 12, "c": 33, "d": 33, "e": 33})  # 33**3 cells: thorough only


def hard_codes(seed, rows=5_000):
    """Columns that all follow two hidden ones: a tree that holds more tables is closer."""
    rng = np.random.default_rng(seed)
    hidden = rng.integers(0, 33, (2, rows))
    codes = {}
    for at, (name, size) in enumerate(HARD.sizes.items()):
        follows = (hidden[0] + at * hidden[1]) % 33 * size // 33
        codes[name] = np.where(rng.random(rows) < 0.3, rng.integers(0, size, rows), follows)
    return codes


def cells_of(learned):
    held = learned.model.domain
    return sum(held.size(clique) for clique in learned.model.cliques)


def test_more_effort_holds_more_and_is_closer():
    """The tables leave every tree full: what is held grows up to the effort's cap."""
    rho = Fraction(10)
    cells, wrong = dict.fromkeys(EFFORTS, 0), dict.fromkeys(EFFORTS, 0.0)
    for seed in range(2):
        real = hard_codes(seed)
        for effort, cap in EFFORTS.items():
            learned = Auto(effort=effort).learn(curator_over(real, HARD, rho), rho=rho)
            assert cells_of(learned) <= cap.most_cells
            assert bool(learned.model.corrections) == (effort != "fast")
            cells[effort] += cells_of(learned)
            wrong[effort] += pair_distance(learned, HARD, real)
    assert cells["fast"] < cells["default"] < cells["thorough"]
    assert wrong["thorough"] <= wrong["default"] * 1.02
    assert wrong["default"] < wrong["fast"]


def test_a_limit_of_cells_goes_before_the_effort():
    rho = Fraction(10)
    learned = Auto(effort="thorough", most_cells=100).learn(small_world(rho=rho), rho=rho)
    assert cells_of(learned) <= 100


@pytest.mark.parametrize(("columns", "effort"), [(399, "default"), (400, "fast")])
def test_public_facts_choose_the_effort(columns, effort):
    """A column with one code tells nothing and counts for nothing."""
    domain = Domain(sizes={"same": 1, **{f"c{at}": 2 for at in range(columns)}})
    assert effort_for(domain) == EFFORTS[effort]


@pytest.mark.parametrize("effort", EFFORTS)
def test_the_bill_is_the_same_at_any_effort(effort):
    rho = Fraction(1, 10)
    settings = Auto(effort=effort)
    steps = settings.steps(SMALL, unit=ROW, rho=rho)
    assert steps == Auto().steps(SMALL, unit=ROW, rho=rho)
    curator = small_world(rho=rho)
    settings.learn(curator, rho=rho)
    assert [entry.event for entry in curator.account.entries] == [step.event for step in steps]
    assert settings.settings["effort"] == effort
    assert synthesizer("auto", **settings.settings) == settings
