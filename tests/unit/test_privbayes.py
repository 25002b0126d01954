"""PrivBayes in both forms: what is paid, what is chosen, what comes out."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

import dpsynth
from attacks import conformance
from dpsynth.bench.metrics import distances
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import (
    rho_from_epsilon,
    total_pure_epsilon,
    total_rho,
)
from dpsynth.privacy.events import DiscreteGaussianEvent, DiscreteLaplaceEvent
from dpsynth.privacy.mechanisms import ExponentialSelection
from dpsynth.privacy.queries import DependenceQuery
from dpsynth.synthesizers import network as networks
from dpsynth.synthesizers.independent import Independent
from dpsynth.synthesizers.network import Network, candidates
from dpsynth.synthesizers.privbayes import PrivBayes
from dpsynth.synthesizers.rounding import root_below, whole_shares
from dpsynth.testing.worlds import curator_over
from dpsynth.zeros import Forbidden

DELTA = Fraction(1, 10**9)


def learned_from(codes, sizes, *, epsilon, delta, seed=0, method=None, zeros=()):
    """Fit in the form that the claim asks for; return what was learned and what was charged."""
    method, domain = method or PrivBayes(), Domain(sizes=sizes, zeros=zeros)
    epsilon, unit = Fraction(epsilon), PrivacyUnit()
    if delta:
        rho = rho_from_epsilon(epsilon, Fraction(delta))
        planned = method.steps(domain, unit=unit, rho=rho)
        curator = curator_over(codes, domain, rho, seed=seed)
        learned = method.learn(curator, rho=rho)
    else:
        planned = method.pure_steps(domain, unit=unit, epsilon=epsilon)
        rho = total_rho(step.event for step in planned)
        curator = curator_over(codes, domain, rho, seed=seed)
        learned = method.pure_learn(curator, epsilon=epsilon)
    assert [entry.event for entry in curator.account.entries] == [step.event for step in planned]
    return learned, curator.account.entries


def sampled(learned, *, rows, seed=1):
    rng = np.random.default_rng(seed)
    drawn = learned.model.sample(rows, rng)
    for name, coarsening in learned.coarsenings.items():
        drawn[name] = coarsening.expand(drawn[name], rng)
    return {name: np.asarray(codes, dtype=np.int64) for name, codes in drawn.items()}


def siblings(rows=20_000, seed=3):
    """A parent, two children that are independent given it, and a column that is alone."""
    rng = np.random.default_rng(seed)
    parent = rng.integers(0, 4, rows)

    def child():
        return np.where(rng.random(rows) < 0.7, parent, rng.integers(0, 4, rows))

    codes = {"parent": parent, "one": child(), "other": child(), "alone": rng.integers(0, 3, rows)}
    return codes, {"parent": 4, "one": 4, "other": 4, "alone": 3}


FORMS = [DELTA, Fraction(0)]


@pytest.mark.parametrize("max_rows", [1, 3])
@pytest.mark.parametrize("epsilon", ["1/100", "1", "20"])
def test_the_bill_of_the_pure_form_is_pure_and_adds_up(epsilon, max_rows):
    unit = PrivacyUnit(max_rows=max_rows, name="person")
    domain = Domain(sizes={"a": 5, "b": 2, "c": 9, "d": 1})
    steps = PrivBayes().pure_steps(domain, unit=unit, epsilon=Fraction(epsilon))
    events = [step.event for step in steps]
    assert total_pure_epsilon(events) == Fraction(epsilon)
    assert [step.phase for step in steps] == ["one-way"] * 3 + ["select"] * 2 + ["families"] * 2
    laplace = [event for event in events if isinstance(event, DiscreteLaplaceEvent)]
    assert {event.l1_sensitivity for event in laplace} == {max_rows}
    halves = total_pure_epsilon(step.event for step in steps if step.phase == "one-way")
    assert halves == Fraction(epsilon) / 2


def test_the_bill_of_the_zcdp_form_adds_up_in_rho():
    domain, rho = Domain(sizes={"a": 5, "b": 2, "c": 9}), Fraction(1, 70)
    steps = PrivBayes().steps(domain, unit=PrivacyUnit(max_rows=2), rho=rho)
    assert total_rho(step.event for step in steps) == rho
    gaussian = [e.event for e in steps if isinstance(e.event, DiscreteGaussianEvent)]
    assert {event.l2_sensitivity_squared for event in gaussian} == {4}
    assert len(gaussian) == 5


@pytest.mark.parametrize("delta", FORMS)
def test_scales_follow_from_what_was_planned_and_from_no_answer(delta):
    """A curator with fewer codes than planned is charged the planned scales."""
    planned = Domain(sizes={"a": 9, "b": 7, "c": 5})
    method, rho, epsilon = PrivBayes(), Fraction(1, 50), Fraction(1, 2)
    codes = {name: np.arange(300) % 2 for name in "abc"}
    sizes = {"a": 2, "b": 2, "c": 2}
    if delta:
        steps = method.steps(planned, unit=PrivacyUnit(), rho=rho)
        curator = curator_over(codes, Domain(sizes=sizes), rho)
        method.learn(curator, rho=rho, planned=planned)
    else:
        steps = method.pure_steps(planned, unit=PrivacyUnit(), epsilon=epsilon)
        rho = total_rho(step.event for step in steps)
        curator = curator_over(codes, Domain(sizes=sizes), rho)
        method.pure_learn(curator, epsilon=epsilon, planned=planned)
    assert [entry.event for entry in curator.account.entries] == [step.event for step in steps]


@pytest.mark.parametrize("delta", FORMS)
def test_the_network_finds_who_depends_on_whom(delta):
    learned, entries = learned_from(*siblings(), epsilon=1, delta=delta)
    families = {frozenset(clique) for clique in learned.model.cliques}
    assert any({"parent", "one"} <= family for family in families)
    assert any({"parent", "other"} <= family for family in families)
    chosen = [entry.label for entry in entries][-3:]
    assert all(label.startswith("marginal(") for label in chosen)


@pytest.mark.parametrize("delta", FORMS)
def test_siblings_are_as_independent_as_the_model_says(delta):
    """Two shipped implementations draw them with correlation 1.00."""
    codes, sizes = siblings()
    learned, _ = learned_from(codes, sizes, epsilon=3, delta=delta)
    drawn = sampled(learned, rows=20_000)
    for value in range(4):
        held, real = drawn["parent"] == value, codes["parent"] == value
        found = np.corrcoef(drawn["one"][held], drawn["other"][held])[0, 1]
        wanted = np.corrcoef(codes["one"][real], codes["other"][real])[0, 1]
        # 5,000 rows a parent: a correlation of 0 comes out within 4 / sqrt(5000) = 0.06.
        assert abs(found - wanted) < 0.08
    assert abs(np.corrcoef(drawn["alone"], drawn["one"])[0, 1]) < 0.05


@pytest.mark.parametrize("delta", FORMS)
def test_counts_are_neither_scaled_nor_biased(delta):
    """The noisy total is the number of rows up to its noise, also where codes were merged."""
    rng = np.random.default_rng(8)
    codes = {"rare": np.minimum(rng.geometric(0.3, 9_000) - 1, 39), "b": rng.integers(0, 3, 9_000)}
    totals = []
    for seed in range(12):
        learned, _ = learned_from(codes, {"rare": 40, "b": 3}, epsilon=1, delta=delta, seed=seed)
        totals.append(learned.model.total)
        for name in codes:
            assert learned.model.marginal((name,)).sum() == pytest.approx(learned.model.total)
    assert abs(np.mean(totals) - 9_000) < 120
    assert np.std(totals) < 300


@pytest.mark.parametrize("delta", FORMS)
def test_the_number_of_rows_is_nowhere_but_in_noisy_answers(delta):
    """The same answers and one row more: the same bill, whatever n."""
    codes, sizes = siblings(rows=500)
    short = {name: held[:-1] for name, held in codes.items()}
    bills = [
        [
            (entry.label, entry.event)
            for entry in learned_from(each, sizes, epsilon=1, delta=delta)[1]
        ]
        for each in (codes, short)
    ]
    assert [event for _, event in bills[0]] == [event for _, event in bills[1]]


@pytest.mark.parametrize("delta", FORMS)
def test_families_beat_independence_at_an_ordinary_budget(delta):
    rng = np.random.default_rng(1)
    rows = 8_000
    codes = {"a": rng.integers(0, 6, rows)}
    for before, name in zip("abcde", "bcdef", strict=True):
        copied = rng.random(rows) < 0.6
        codes[name] = np.where(copied, codes[before], rng.integers(0, 6, rows))
    sizes = dict.fromkeys(codes, 6)
    for seed in range(3):
        found, alone = (
            distances(
                codes,
                sampled(
                    learned_from(codes, sizes, epsilon=1, delta=delta, seed=seed, method=each)[0],
                    rows=rows,
                ),
                sizes,
            )
            for each in (PrivBayes(), Independent())
        )
        assert found["tvd2"] < 0.6 * alone["tvd2"]
        assert found["tvd3"] < 0.6 * alone["tvd3"]


def test_with_enough_budget_three_columns_that_only_speak_together_are_found():
    """Parity: no pair says anything, so degree 1 must fail where degree 2 need not."""
    rng = np.random.default_rng(4)
    codes = {name: rng.integers(0, 2, 5_000) for name in ("a", "b", "x")}
    codes["c"] = codes["a"] ^ codes["b"]
    sizes = dict.fromkeys(codes, 2)
    found = {}
    for degree in (1, 2):
        method = PrivBayes(degree=degree)
        learned, _ = learned_from(codes, sizes, epsilon=10, delta=DELTA, method=method)
        found[degree] = distances(codes, sampled(learned, rows=5_000), sizes)["tvd3"]
    # One of four triples is the parity; independence misses half of its mass.
    assert found[1] > 0.1
    assert found[2] < 0.04


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_no_rows_is_modeled(rows):
    codes, sizes = siblings(rows=10)
    few = {name: held[:rows] for name, held in codes.items()}
    for delta in FORMS:
        learned, _ = learned_from(few, sizes, epsilon=1, delta=delta)
        assert learned.model.total > 0


@pytest.mark.parametrize("delta", FORMS)
def test_structural_zeros_are_kept(delta):
    codes, sizes = siblings(rows=2_000)
    keep = ~((codes["one"] == 1) & (codes["alone"] == 2))
    codes = {name: held[keep] for name, held in codes.items()}
    zero = Forbidden(codes=(("one", frozenset({1})), ("alone", frozenset({2}))))
    learned, _ = learned_from(codes, sizes, epsilon=1, delta=delta, zeros=(zero,))
    drawn = sampled(learned, rows=3_000)
    assert not ((drawn["one"] == 1) & (drawn["alone"] == 2)).any()
    assert ((drawn["one"] == 1) | (drawn["alone"] == 2)).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"degree": 0}, "degree must be above 0"),
        ({"one_way_share": Fraction(1)}, "one_way_share must lie strictly"),
        ({"one_way_share": Fraction(19, 20)}, "both_shares must lie strictly"),
        ({"usefulness": Fraction(0)}, "usefulness must be above 0"),
        ({"most_cells": -1}, "most_cells must be above 0"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        PrivBayes(**settings)
    with pytest.raises(TypeError, match="exact number"):
        PrivBayes(usefulness=0.5)


# -- the selections, as they are called --------------------------------------------------------


def test_selection_follows_the_law_of_its_sensitivity():
    """4,000 choices among three scores, each on both sides of the claimed rate.

    A chi-square of 2 degrees passes below 27.6: a false alarm in a million.
    """
    unit = PrivacyUnit(max_rows=3, name="person")
    domain = Domain(sizes={"a": 2, "b": 2})
    counts = np.array([[3, 1], [1, 3]])
    rows = [(a, b) for a in range(2) for b in range(2) for _ in range(counts[a, b])]
    codes = {"a": np.array([a for a, _ in rows]), "b": np.array([b for _, b in rows])}
    query = DependenceQuery(
        cliques=(("a", "b"),) * 3,
        children=("b",) * 3,
        weights={"b": np.array([2, 2], dtype=np.int64)},
        costs=(0, 24, 60),
        resolution=4,
        domain=domain,
    )
    epsilon, draws = Fraction(2), 4_000
    curator = curator_over(codes, domain, draws * epsilon**2 / 8, unit=unit)
    picks = curator.select(
        query, ExponentialSelection(epsilon=epsilon), rounds=draws, label="choice"
    )
    found = np.bincount([picks.pick([0, 1, 2]) for _ in range(draws)], minlength=3)
    scores = np.array([16.0, -8.0, -44.0])

    def statistic(sensitivity):
        weights = np.exp(float(epsilon) * (scores - 16) / (2 * sensitivity))
        expected = draws * weights / weights.sum()
        return float(((found - expected) ** 2 / expected).sum())

    claimed = 2 * 4 * 3
    assert query.sensitivity(unit) == claimed
    assert statistic(claimed) < 27.6
    for wrong in (claimed / 2, claimed * 0.8, claimed * 1.25, claimed * 2):
        assert statistic(wrong) > 27.6


# -- the network --------------------------------------------------------------------------------


def test_every_network_is_a_junction_tree_over_all_columns():
    rng = np.random.default_rng(0)
    columns = tuple("abcdefg")
    domain = Domain(sizes=dict.fromkeys(columns, 2))
    found = candidates(domain, columns, degree=3, most_cells=10**6)
    for _ in range(50):
        network = Network(found, columns)
        seen, families = set(), []
        for _ in range(len(columns) - 1):
            at = int(rng.choice(network.allowed()))
            family, child = found[at]
            parents = set(family) - {child}
            assert child not in seen
            if families:
                assert parents <= seen
                assert len(parents) <= 1 or any(parents <= set(each) for each in families)
            seen |= {child} | (parents if not families else set())
            assert network.take(at) == family
            families.append(family)
        assert len(seen) >= len(columns) - 1


def test_candidates_are_those_that_public_facts_allow(monkeypatch):
    domain = Domain(sizes={"a": 2, "b": 3, "c": 10, "d": 40})
    columns = domain.columns
    found = candidates(domain, columns, degree=2, most_cells=60)
    families = {family for family, _ in found}
    assert all(((name,), name) in found for name in columns)
    assert families - {(name,) for name in columns} == {
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
        ("a", "b", "c"),
    }
    assert len(found) == sum(map(len, families))
    monkeypatch.setattr(networks, "MOST_SETS", 10)
    pairs = candidates(domain, columns, degree=3, most_cells=10**6)
    assert {family for family, _ in pairs} == {
        *((name,) for name in columns),
        *combinations(columns, 2),
    }


def test_shares_add_up_and_roots_stay_below():
    assert whole_shares(np.array([1.0, 1.0, 1.0]), 4096).tolist() == [1366, 1365, 1365]
    assert whole_shares(np.array([0.0, 5.0]), 7).tolist() == [0, 7]
    for value in (Fraction(2), Fraction(1, 10**9), Fraction(1, 10**40)):
        root = root_below(value)
        assert 0 < root**2 <= value < (root * (1 + Fraction(1, 10**6))) ** 2 or value < 10**-30


# -- on trial -----------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", ["1e-9", "0"])
def test_its_plan_passes_every_check_of_the_mechanism(delta):
    unit = {"kind": "person", "column": "id", "max_rows": 3}
    columns = [
        {"name": "id", "kind": "identifier"},
        {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
        {"name": "ward", "kind": "categorical", "values": ["a", "b", "c", "d"]},
        {"name": "ill", "kind": "boolean", "nullable": True},
    ]
    schema = dpsynth.Schema.from_dict({"unit": unit, "columns": columns})
    plan = dpsynth.PrivBayes().plan(schema, epsilon=1, delta=delta).to_dict()
    checks = conformance.run(plan, schema)
    assert {check.status for check in checks} <= {"passed", "not applicable"}
    families = {check.name.split("/")[0] for check in checks if check.status == "passed"}
    assert families >= {"noise", "selection", "neighbors"}
    law = "discrete_laplace" if delta == "0" else "discrete_gaussian"
    assert all(law in check.name for check in checks if check.name.startswith("noise/"))
