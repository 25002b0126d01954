"""The one door: charge, then read, then release; and nothing else comes out."""

import copy
import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import BudgetExceededError
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.mechanisms import (
    DiscreteGaussian,
    DiscreteLaplace,
    ExponentialSelection,
    PartitionSelection,
)
from dpsynth.privacy.queries import MarginalErrorQuery, MarginalQuery, ValuesQuery
from dpsynth.privacy.randomness import SeededRandom

DOMAIN = Domain(sizes={"age": 3, "sex": 2})
COUNTS = {("age",): [50, 30, 20], ("sex",): [60, 40], ("age", "sex"): [30, 20, 20, 10, 10, 10]}
ALMOST_SILENT = DiscreteGaussian(sigma_squared=Fraction(1, 10**6))
GREEDY = ExponentialSelection(epsilon=Fraction(1000))


class CountingSource:
    """Answers from a fixed table and remembers what it was asked, with the ledger at that time."""

    domain = DOMAIN

    def __init__(self, ledger, asked=None, counts=COUNTS, domain=DOMAIN):
        self.ledger, self.counts, self.domain = ledger, counts, domain
        self.asked = [] if asked is None else asked

    def count(self, clique):
        self.asked.append((clique, len(self.ledger.entries())))
        return np.array(self.counts[clique], dtype=np.int64)

    def count_many(self, cliques):
        return [self.count(clique) for clique in cliques]

    def values(self, column):
        self.asked.append((column, len(self.ledger.entries())))
        return ["rare", "often", "nobody", "also"], np.array([1, 5000, 0, 6000], dtype=np.int64)

    def closed(self, values, domain):
        return CountingSource(self.ledger, self.asked, self.counts, domain)

    def coarsened(self, groups):
        domain = self.domain.replace({name: int(g.max()) + 1 for name, g in groups.items()})
        return CountingSource(self.ledger, self.asked, {("age",): [80, 20]}, domain)


@pytest.fixture
def world():
    ledger = Ledger.in_memory(cap_epsilon=Fraction(10**9), cap_delta=Fraction(1, 10**9))
    source = CountingSource(ledger)
    account = ledger.open_release(rho=Fraction(10**7), seeded=True)
    unit = PrivacyUnit(max_rows=2, name="person")
    return ledger, source, Curator(source, unit=unit, account=account, rng=SeededRandom(1))


def marginals(*cliques, domain=DOMAIN):
    return [MarginalQuery(clique=clique, domain=domain) for clique in cliques]


def test_everything_is_charged_before_anything_is_read(world):
    _, source, curator = world
    curator.measure(marginals(("age",), ("sex",)), ALMOST_SILENT)
    assert source.asked == [(("age",), 2), (("sex",), 2)]


def test_an_answer_is_the_count_plus_noise_and_names_its_entry(world):
    ledger, _, curator = world
    first, second = curator.measure(marginals(("sex",), ("age", "sex")), ALMOST_SILENT)
    assert first.values.tolist() == COUNTS["sex",]
    assert second.values.tolist() == COUNTS["age", "sex"]
    assert (first.entry, second.entry) == (0, 1)
    assert second.clique == ("age", "sex")
    assert first.event.l2_sensitivity_squared == 4
    assert first.stddev == pytest.approx(0.001)
    assert [entry.label for entry in ledger] == ["marginal(sex)", "marginal(age, sex)"]


def test_laplace_noise_is_charged_by_how_far_a_person_moves_a_sum(world):
    ledger, _, curator = world
    mechanism = DiscreteLaplace(scale=Fraction(9))
    noisy = curator.measure(marginals(*[("age", "sex")] * 500), mechanism)
    assert {(e.event.scale, e.event.l1_sensitivity) for e in ledger} == {(9, 2)}
    assert noisy[0].event == mechanism.event(l1_sensitivity=Fraction(2))
    assert noisy[0].stddev == pytest.approx(9 * 2**0.5)
    noise = np.array([answer.values for answer in noisy]) - COUNTS["age", "sex"]
    # 3,000 draws: a scale that is wrong by a fifth is 9 standard deviations away.
    assert 8 < np.abs(noise).mean() < 10
    assert np.unique(noise).size > 40


def test_labels_may_be_given(world):
    ledger, _, curator = world
    curator.measure(marginals(("age",)), ALMOST_SILENT, labels=["bins(age)"])
    assert [entry.label for entry in ledger] == ["bins(age)"]


def test_the_noise_really_comes(world):
    _, _, curator = world
    noisy = curator.measure(
        marginals(*[("age",)] * 20), DiscreteGaussian(sigma_squared=Fraction(9))
    )
    noise = np.array([answer.values for answer in noisy]) - COUNTS["age",]
    assert 1.5 < noise.std() < 5
    assert len({tuple(row) for row in noise}) > 15


def test_a_refused_charge_reads_nothing(world):
    ledger, source, curator = world
    with pytest.raises(BudgetExceededError):
        curator.measure(marginals(("age",)), DiscreteGaussian(sigma_squared=Fraction(1, 10**8)))
    with pytest.raises(BudgetExceededError):
        curator.select(errors(), ExponentialSelection(epsilon=Fraction(10**5)), rounds=1, label="s")
    assert source.asked == []
    assert ledger.entries() == ()


def test_a_failure_after_the_charge_is_not_refunded(world):
    ledger, source, curator = world
    source.counts = {}
    with pytest.raises(KeyError):
        curator.measure(marginals(("age",)), ALMOST_SILENT)
    assert len(ledger.entries()) == 1


def errors(domain=DOMAIN):
    cliques = (("age",), ("sex",), ("age", "sex"))
    references = tuple(np.full(domain.size(clique), 0, dtype=np.int64) for clique in cliques)
    references[0][:] = [500, 300, 200]  # exact: no error at all
    references[1][:] = [590, 410]
    return MarginalErrorQuery(cliques=cliques, references=references, resolution=10, domain=domain)


def test_selection_prefers_the_larger_error_among_the_allowed(world):
    ledger, source, curator = world
    selection = curator.select(errors(), GREEDY, rounds=2, label="select")
    assert [count for _, count in source.asked] == [2, 2, 2]
    assert selection.pick([0, 1, 2]) == 2
    assert selection.pick([0, 1]) == 1
    assert [entry.label for entry in ledger] == ["select 1 of 2", "select 2 of 2"]
    with pytest.raises(ValueError, match="every round"):
        selection.pick([0])


def test_scores_are_charged_once_for_all_and_come_with_noise(world):
    ledger, source, curator = world
    silent = DiscreteGaussian(sigma_squared=Fraction(1, 10**4))
    exact = curator.score(errors(), silent, label="distances")
    assert exact.dtype == np.int64
    counts = [np.array(COUNTS[clique]) for clique in errors().cliques]
    assert exact.tolist() == [errors().distance(i, each) for i, each in enumerate(counts)]
    assert [count for _, count in source.asked] == [1, 1, 1]
    (entry,) = ledger
    assert entry.label == "distances"
    assert entry.event.l2_sensitivity_squared == 3 * (10 * curator.unit.max_rows) ** 2
    wide = DiscreteGaussian(sigma_squared=Fraction(10**8))
    noise = curator.score(errors(), wide, label="distances") - exact
    assert np.abs(noise).max() > 100


def test_only_candidates_with_another_reference_are_counted_again(world):
    _, source, curator = world
    silent = DiscreteGaussian(sigma_squared=Fraction(1, 10**3))
    first = errors()
    before = curator.score(first, silent, label="distances")
    changed = (*first.references[:2], first.references[2] + 7)
    second = replace(first, references=changed, weights=(1, 2, 1), offsets=(0, -5, 0))
    after = curator.score(second, silent, label="distances")
    asked = [clique for clique, _ in source.asked]
    assert asked == [*first.cliques, ("age", "sex")]
    counts = [np.array(COUNTS[clique]) for clique in first.cliques]
    assert after.tolist() == [
        before[0],
        2 * before[1] - 5,
        second.distance(2, counts[2]),
    ]


def test_a_reference_cannot_change_under_a_known_distance():
    with pytest.raises(ValueError, match="read-only"):
        errors().references[0][0] += 1


def test_scores_that_cannot_be_paid_or_were_made_elsewhere_read_nothing(world):
    ledger, source, curator = world
    with pytest.raises(BudgetExceededError):
        curator.score(errors(), DiscreteGaussian(sigma_squared=Fraction(1, 10**8)), label="s")
    with pytest.raises(ValueError, match="another domain"):
        curator.score(errors(Domain(sizes={"age": 3, "sex": 2, "x": 1})), ALMOST_SILENT, label="s")
    assert source.asked == []
    assert ledger.entries() == ()


@pytest.mark.parametrize("allowed", [[], [0, 0], [3], [-1]])
def test_what_is_allowed_is_checked(world, allowed):
    selection = world[2].select(errors(), GREEDY, rounds=1, label="select")
    with pytest.raises(ValueError, match="allowed must name"):
        selection.pick(allowed)


def test_regrouping_spends_from_the_same_account(world):
    _, _, curator = world
    coarse = curator.coarsened({"age": np.array([0, 0, 1])})
    assert coarse.domain.sizes["age"] == 2
    (answer,) = coarse.measure(marginals(("age",), domain=coarse.domain), ALMOST_SILENT)
    assert answer.values.tolist() == [80, 20]
    assert coarse.account is curator.account
    with pytest.raises(ValueError, match="another domain"):
        coarse.measure(marginals(("age",)), ALMOST_SILENT)
    with pytest.raises(ValueError, match="another domain"):
        coarse.select(errors(), GREEDY, rounds=1, label="select")


def test_seeded_noise_must_be_declared():
    ledger = Ledger.in_memory(cap_epsilon=Fraction(1), cap_delta=Fraction(1, 10**9))
    account = ledger.open_release(rho=Fraction(1, 100), seeded=False)
    with pytest.raises(ValueError, match="truthfully"):
        Curator(CountingSource(ledger), unit=PrivacyUnit(), account=account, rng=SeededRandom(1))


def test_rows_do_not_leave_by_the_side_door(world):
    _, source, curator = world
    selection = curator.select(errors(), GREEDY, rounds=1, label="select")
    for sealed in (curator, selection):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(sealed)
        with pytest.raises(TypeError, match="cannot be pickled"):
            copy.copy(sealed)
    assert repr(curator) == "Curator(age, sex)"
    assert repr(selection) == "Selection(3 candidates, 1 rounds left)"
    public = [getattr(curator, name) for name in dir(curator) if not name.startswith("_")]
    assert source not in public


@pytest.mark.parametrize(
    "mechanism",
    [DiscreteGaussian(sigma_squared=Fraction(4)), DiscreteLaplace(scale=Fraction(4))],
)
def test_noise_is_added_to_int64_vectors_only(mechanism):
    rng = SeededRandom(1)
    with pytest.raises(TypeError, match="int64"):
        mechanism.release(np.zeros(3), rng=rng)
    with pytest.raises(ValueError, match="one-dimensional"):
        mechanism.release(np.zeros((3, 3), dtype=np.int64), rng=rng)
    assert mechanism.release(np.zeros(3, dtype=np.int64), rng=rng).dtype == np.int64


def test_laplace_says_what_it_did():
    event = DiscreteLaplace(scale=Fraction(4)).event(l1_sensitivity=Fraction(2))
    assert (event.scale, event.l1_sensitivity) == (4, 2)


def test_selection_needs_a_candidate():
    with pytest.raises(ValueError, match="at least one candidate"):
        GREEDY.select(np.zeros(0, dtype=np.int64), sensitivity=Fraction(1), rng=SeededRandom(1))


@pytest.mark.parametrize(
    ("mechanism", "value"),
    [
        (DiscreteGaussian, "sigma_squared"),
        (DiscreteLaplace, "scale"),
        (ExponentialSelection, "epsilon"),
    ],
)
def test_a_mechanism_is_checked_when_made(mechanism, value):
    with pytest.raises(ValueError, match=f"{value} must be above 0"):
        mechanism(**{value: Fraction(0)})
    with pytest.raises(TypeError, match="exact number"):
        mechanism(**{value: 0.5})


def test_noise_that_would_leave_int64_is_refused_when_made():
    """Not when it is drawn: then it would be paid for already."""
    with pytest.raises(ValueError, match="sigma_squared must be at most"):
        DiscreteGaussian(sigma_squared=Fraction(2**96 + 1))
    with pytest.raises(ValueError, match="scale must be at most"):
        DiscreteLaplace(scale=Fraction(2**48 + 1))


NOTICED = PartitionSelection(sigma_squared=Fraction(9), threshold=40, delta=Fraction(1, 10**8))


@pytest.fixture
def open_world():
    ledger = Ledger.in_memory(cap_epsilon=Fraction(10**9), cap_delta=Fraction(1, 10**6))
    account = ledger.open_release(rho=Fraction(10**5), reserved=Fraction(2, 10**8), seeded=True)
    source = CountingSource(ledger)
    unit = PrivacyUnit(max_rows=2, name="person")
    return ledger, source, Curator(source, unit=unit, account=account, rng=SeededRandom(1))


def test_values_are_paid_for_before_they_are_read_and_come_sorted(open_world):
    ledger, source, curator = open_world
    queries = [ValuesQuery(column=name, domain=DOMAIN) for name in ("age", "sex")]
    first, second = curator.discover(queries, NOTICED)
    assert source.asked == [("age", 2), ("sex", 2)]
    assert first.values == second.values == ("also", "often")
    assert np.abs(first.units - [6000, 5000]).max() < 40
    assert (first.units != second.units).any(), "fresh noise for each"
    assert (first.entry, second.entry) == (0, 1)
    assert [entry.label for entry in ledger] == ["values(age)", "values(sex)"]
    assert (first.event.l2_sensitivity_squared, first.event.max_new) == (2, 2)
    assert ledger.spent_delta == Fraction(2, 10**8)
    with pytest.raises(BudgetExceededError, match="set aside"):
        curator.discover(queries[:1], NOTICED)
    assert len(source.asked) == 2


def test_values_that_cannot_be_paid_or_were_asked_elsewhere_are_not_read(open_world, world):
    other = Domain(sizes={"age": 3, "sex": 2, "x": 1})
    for ledger, source, curator in (open_world, world):
        with pytest.raises(ValueError, match="another domain"):
            curator.discover([ValuesQuery(column="age", domain=other)], NOTICED)
        cheap = PartitionSelection(
            sigma_squared=Fraction(1, 10**9), threshold=40, delta=Fraction(1, 10**8)
        )
        with pytest.raises(BudgetExceededError):
            curator.discover([ValuesQuery(column="age", domain=DOMAIN)], cheap)
        assert source.asked == []
        assert ledger.entries() == ()


def test_a_closed_curator_spends_from_the_same_account(open_world):
    _, source, curator = open_world
    values = {"age": ("also", "often")}
    closed = curator.closed(values, DOMAIN.replace({"age": 5}))
    assert closed.domain.sizes["age"] == 5
    assert closed.account is curator.account
    assert source.asked == []
    for wrong in (DOMAIN, DOMAIN.replace({"age": 4}), Domain(sizes={"sex": 2, "age": 5})):
        with pytest.raises(ValueError, match="does not count"):
            curator.closed(values, wrong)


def test_a_selection_of_values_is_checked_when_made():
    good = {"sigma_squared": Fraction(9), "threshold": 40, "delta": Fraction(1, 10**8)}
    for changed, error in [
        ({"sigma_squared": Fraction(0)}, ValueError),
        ({"sigma_squared": Fraction(2**96 + 1)}, ValueError),
        ({"sigma_squared": 9.0}, TypeError),
        ({"threshold": 1}, ValueError),
        ({"delta": Fraction(1)}, ValueError),
        ({"delta": 1e-8}, TypeError),
    ]:
        with pytest.raises(error):
            PartitionSelection(**{**good, **changed})
    with pytest.raises(TypeError, match="int64"):
        NOTICED.release(np.ones(3), rng=SeededRandom(1))
