"""MST: bill, tree, compression and quality, on made-up rows."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UnknownNameError
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.accounting import rho_from_epsilon, total_rho
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.events import DiscreteGaussianEvent, ExponentialSelectionEvent
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.compression import MOST_CELLS, merge_rare, most_levels
from dpsynth.synthesizers.independent import Independent
from dpsynth.synthesizers.mst import MST
from dpsynth.synthesizers.one_way import OneWayPhase
from dpsynth.testing.worlds import SMALL, GeneratedSource, chain_codes, small_world, wide_world

ROW = PrivacyUnit()


def histogram(counts, stddev):
    values = np.asarray(counts, dtype=np.float64)
    return NoisyTable(clique=("a",), values=values, variance=np.full(values.shape, stddev**2))


def curator_over(codes, domain, rho):
    ledger = Ledger.in_memory(cap_epsilon=Fraction(10**6), cap_delta=Fraction(1, 10**9))
    account = ledger.open_release(rho=rho, seeded=True)
    source = GeneratedSource(codes, domain)
    return Curator(source, unit=ROW, account=account, rng=SeededRandom(1))


# -- the bill -----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 2, 3, 10, 17, 60])
@pytest.mark.parametrize("epsilon", ["0.001", "0.1", "1", "7/3", "100"])
@pytest.mark.parametrize("max_rows", [1, 5])
def test_the_bill_adds_up_exactly(columns, epsilon, max_rows):
    """Ten and more columns are where sums in floating point miss the budget by one digit."""
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(1, 10**9))
    domain = Domain(sizes={f"c{i}": 2 + i for i in range(columns)})
    steps = MST().steps(domain, unit=PrivacyUnit(max_rows=max_rows), rho=rho)
    assert total_rho(step.event for step in steps) == rho
    assert sum(step.rho for step in steps) == rho
    phases = [step.phase for step in steps]
    rounds = columns - 1
    assert phases == ["one-way"] * columns + ["select"] * rounds + ["pairs"] * rounds


def test_shares_are_those_of_the_settings():
    rho = Fraction(3, 7)
    settings = MST(one_way_share=Fraction(1, 5), selection_share=Fraction(2, 5))
    steps = settings.steps(SMALL, unit=ROW, rho=rho)
    spent = {
        phase: sum(step.rho for step in steps if step.phase == phase)
        for phase in ("one-way", "select", "pairs")
    }
    assert spent["one-way"] == rho / 5
    assert 0 <= rho * Fraction(2, 5) - spent["select"] < Fraction(1, 10**9)
    assert 0 <= spent["pairs"] - rho * Fraction(2, 5) < Fraction(1, 10**9)


def test_noise_grows_with_the_rows_of_a_person():
    one, five = (
        MST().steps(SMALL, unit=PrivacyUnit(max_rows=rows), rho=Fraction(1, 9)) for rows in (1, 5)
    )
    for mine, theirs in zip(one, five, strict=True):
        if isinstance(mine.event, DiscreteGaussianEvent):
            assert theirs.event.sigma_squared == 25 * mine.event.sigma_squared
        else:  # the sensitivity of a selection enters where it is made
            assert isinstance(mine.event, ExponentialSelectionEvent)
            assert theirs.event == mine.event


def test_larger_histograms_get_larger_shares():
    """Shares proportional to cells to the power of 2/3: 8 cells get 4 times what 1 would."""
    domain = Domain(sizes={"small": 8, "large": 64, "constant": 1})
    steps = OneWayPhase.split(domain, unit=ROW, rho=Fraction(1)).steps()
    assert [step.label for step in steps] == ["marginal(large)", "marginal(small)"]
    assert steps[0].rho == 4 * steps[1].rho


def test_a_constant_column_costs_nothing_and_is_reproduced():
    curator = small_world(rho=Fraction(1))
    learned = MST().learn(curator, rho=Fraction(1))
    assert not any("site" in entry.label for entry in curator.account.entries)
    assert (learned.model.sample(9, np.random.default_rng(0))["site"] == 0).all()


def test_labels_of_the_ledger_name_what_was_asked():
    curator = small_world(rho=Fraction(1))
    MST().learn(curator, rho=Fraction(1))
    labels = [entry.label for entry in curator.account.entries]
    steps = MST().steps(SMALL, unit=ROW, rho=Fraction(1))
    assert labels[:7] == [step.label for step in steps[:7]]
    assert all(label.startswith("marginal(") and "," in label for label in labels[7:])


@pytest.mark.parametrize(
    "settings",
    [
        {"one_way_share": Fraction(0)},
        {"one_way_share": Fraction(3, 4), "selection_share": Fraction(1, 4)},
        {"selection_share": Fraction(1)},
        {"rare_below": 0},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match="must"):
        MST(**settings)


def test_settings_must_be_exact():
    with pytest.raises(TypeError, match="one_way_share must be an exact number"):
        MST(one_way_share=0.5)


# -- the tree -----------------------------------------------------------------------------------


def copies(rows=4_000):
    """Three groups of columns: a copies b, c copies d and e; everything else independent."""
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, 4, rows) for name in "abcdef"}
    codes["b"] = codes["a"].copy()
    for name in "de":
        copied = rng.random(rows) < 0.8
        codes[name][copied] = codes["c"][copied]
    return codes, Domain(sizes=dict.fromkeys("abcdef", 4))


def test_the_best_tree_is_found_where_noise_is_small():
    """Entrywise distance: a matrix norm would rank other pairs first."""
    codes, domain = copies()
    rho = Fraction(100)
    learned = MST().learn(curator_over(codes, domain, rho), rho=rho)
    chosen = {frozenset(clique) for clique in learned.model.cliques}
    assert {frozenset("ab"), frozenset("cd"), frozenset("ce")} <= chosen
    assert len(chosen) == 5
    counts = learned.model.marginal(("a", "b"))
    assert np.trace(counts) > 0.98 * learned.model.total


def test_the_sample_agrees_with_the_rows_where_noise_is_small():
    codes, domain = copies()
    rho = Fraction(100)
    learned = MST().learn(curator_over(codes, domain, rho), rho=rho)
    drawn = learned.model.sample(4_000, np.random.default_rng(0))
    for pair in combinations("abcdef", 2):
        shape = (4, 4)
        real = np.bincount(np.ravel_multi_index([codes[n] for n in pair], shape), minlength=16)
        made = np.bincount(np.ravel_multi_index([drawn[n] for n in pair], shape), minlength=16)
        assert np.abs(real - made).sum() / 8_000 < 0.05


def test_pairs_beat_independence_at_an_ordinary_budget():
    rho = rho_from_epsilon(Fraction(1), Fraction(1, 10**9))
    domain = Domain(sizes={f"c{i}": 6 for i in range(10)})
    real = chain_codes(domain, rows=20_000, seed=0)
    distances = {}
    for synthesizer in (Independent(), MST()):
        learned = synthesizer.learn(small_world(rho=rho, domain=domain, rows=20_000), rho=rho)
        rng = np.random.default_rng(0)
        drawn = learned.model.sample(20_000, rng)
        for name, coarsening in learned.coarsenings.items():
            drawn[name] = coarsening.expand(drawn[name], rng)
        tables = [
            [np.histogram2d(codes[a], codes[b], bins=6, range=[[-0.5, 5.5]] * 2)[0] for codes in
             (real, drawn)]
            for a, b in combinations(domain.columns, 2)
        ]  # fmt: skip
        distances[synthesizer.name] = np.mean([np.abs(x - y).sum() / 40_000 for x, y in tables])
    assert distances["mst"] < 0.5 * distances["independent"]


def test_sixty_columns():
    rho = Fraction(1, 80)
    curator = wide_world(rows=2_000, columns=60, categories=10, rho=rho)
    learned = MST().learn(curator, rho=rho)
    assert curator.account.left == 0
    assert len(learned.model.domain.columns) == 60


# -- compression --------------------------------------------------------------------------------


def test_rare_codes_are_merged_and_weighted_by_their_counts():
    merged = merge_rare(histogram([500, 2, 90, 29, -4], 10.0), threshold=3.0, levels=100)
    assert merged.groups.tolist() == [0, 2, 1, 2, 2]
    assert merged.weights[[0, 2]].tolist() == [1.0, 1.0]
    assert merged.weights[3] > merged.weights[1] > merged.weights[4]
    assert merged.weights[[1, 3, 4]].sum() == pytest.approx(1)


def test_one_rare_code_is_left_alone():
    merged = merge_rare(histogram([500, 2, 90], 10.0), threshold=3.0, levels=100)
    assert merged.groups.tolist() == [0, 1, 2]


def test_a_column_of_nothing_but_rare_codes_becomes_one():
    merged = merge_rare(histogram([-5, 3, 0, 8], 10.0), threshold=3.0, levels=100)
    assert merged.groups.tolist() == [0] * 4


@pytest.mark.parametrize("size", [5, 6, 20])
def test_the_largest_are_kept_where_levels_are_short(size):
    counts = 100 + np.random.default_rng(size).permutation(size)
    merged = merge_rare(histogram(counts, 1.0), threshold=3.0, levels=5)
    assert merged.size == 5
    together = np.bincount(merged.groups)[merged.groups] > 1
    if size == 5:
        assert not together.any()
    else:
        assert together.sum() == size - 4
        assert counts[together].max() < counts[~together].min()


def test_the_group_of_rare_codes_counts_as_a_level():
    merged = merge_rare(histogram([100, 101, 102, 103, 104, 0, 0], 1.0), threshold=3.0, levels=5)
    assert merged.groups.tolist() == [4, 0, 1, 2, 3, 4, 4]


@pytest.mark.parametrize("columns", [2, 14, 60, 1_000, 20_000])
def test_all_pair_tables_together_fit_memory(columns):
    domain = Domain(sizes={f"c{i}": 2 for i in range(columns)})
    levels = most_levels(domain)
    assert levels >= 2
    assert levels == 2 or columns * (columns - 1) // 2 * levels**2 <= MOST_CELLS


def test_large_columns_are_cut_before_pairs_are_counted():
    counted = []

    class Recording(GeneratedSource):
        def count(self, clique):
            counted.append(self.domain.size(clique))
            return super().count(clique)

        def coarsened(self, groups):
            made = super().coarsened(groups)
            return Recording(made._codes, made.domain)

    domain = Domain(sizes={"a": 1_200, "b": 1_500, **{f"c{i}": 3 for i in range(46)}})
    rho = Fraction(1_000)  # hardly any noise: nothing is rare, only the number of levels counts
    curator = small_world(rho=rho, domain=domain, rows=3_000, source=Recording)
    MST().learn(curator, rho=rho)
    assert max(counted) <= max(1_500, most_levels(domain) ** 2)


# -- independent and the registry ---------------------------------------------------------------


def test_weights_multiply_shares():
    domain = Domain(sizes={"a": 4, "b": 4})
    steps = Independent(weights={"b": 3}).steps(domain, unit=ROW, rho=Fraction(1))
    assert {step.label: step.rho for step in steps} == {
        "marginal(a)": Fraction(1, 4),
        "marginal(b)": Fraction(3, 4),
    }


def test_weights_must_be_positive_and_name_columns():
    with pytest.raises(ValueError, match="age must be above 0"):
        Independent(weights={"age": 0})
    with pytest.raises(UnknownNameError, match="nobody"):
        Independent(weights={"nobody": 2}).steps(SMALL, unit=ROW, rho=Fraction(1))


def test_the_registry_knows_its_names():
    assert registry.get("mst") is MST
    assert registry.get("independent") is Independent
    assert all(registry.get(name).name == name for name in registry.BUILT_IN)
    with pytest.raises(UnknownNameError, match=r"there are: aim, .*mst"):
        registry.get("nothing")
