"""What every synthesizer must do. Public, so that one written elsewhere can be held to it too."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import (
    epsilon_from_rho,
    least_epsilon,
    split_trained,
    total_pure_epsilon,
    total_rho,
)
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.events import Event
from dpsynth.synthesizers.base import Budget, Learned, Learner, PureLearner, Step, Trainer
from dpsynth.testing.worlds import (
    SMALL,
    SMALL_ROWS,
    GeneratedSource,
    UnreadableSource,
    chain_codes,
    reachable_from,
    small_world,
)
from dpsynth.zeros import Forbidden, Ordered

RHO = Fraction(1, 10)
DELTA = Fraction(1, 10**9)
EPSILON = Fraction(1, 2)
ENOUGH = Fraction(1_000)  # noise far below one row
ODD_DOMAINS = (
    Domain(sizes={"only": 3}),
    Domain(sizes={"constant": 1}),
    Domain(sizes={"constant": 1, "other": 1}),
    Domain(sizes={"constant": 1, "varied": 4}),
    Domain(sizes={"first": 2, "second": 300}),
)
_VALUES = tuple((float(value), float(value)) for value in range(8))
RULED = Domain(
    sizes=SMALL.sizes,
    zeros=(
        Forbidden(codes=(("sex", frozenset({0})), ("outcome", frozenset({1})))),
        Forbidden(codes=(("age", frozenset({6, 7})), ("ward", frozenset({0, 1})))),
        Forbidden(
            codes=(
                ("sex", frozenset({1})),
                ("ward", frozenset({2})),
                ("outcome", frozenset({0, 2})),
            )
        ),
        Ordered(
            first="outcome",
            second="ward",
            first_spans=_VALUES[:3],
            second_spans=(*_VALUES[:4], None),
        ),
    ),
)


def budget_of(rho: Fraction) -> Budget:
    """Return a claim that zCDP of ``rho`` allows, and the public facts of the small world."""
    return Budget(
        rho=rho,
        epsilon=epsilon_from_rho(rho, DELTA),
        delta=DELTA,
        expected_rows=SMALL_ROWS,
    )


def steps_of(
    synthesizer: Learner | Trainer, domain: Domain, unit: PrivacyUnit, rho: Fraction
) -> tuple[Step, ...]:
    """List the charges of ``learned_by``."""
    if isinstance(synthesizer, Trainer):
        return synthesizer.bill(domain, unit=unit, budget=budget_of(rho))
    return synthesizer.steps(domain, unit=unit, rho=rho)


def learned_by(synthesizer: Learner | Trainer, curator: Curator, rho: Fraction) -> Learned:
    """Spend ``rho``, or the claim that it allows, and return what was learned."""
    if isinstance(synthesizer, Trainer):
        return synthesizer.spend(curator, budget=budget_of(rho), planned=curator.domain)
    return synthesizer.learn(curator, rho=rho)


def world_for(synthesizer: Learner | Trainer, *, rho: Fraction, **more: Any) -> Curator:
    """Return a small world whose account may spend what the synthesizer will be charged."""
    if not isinstance(synthesizer, Trainer):
        return small_world(rho=rho, **more)
    unit, domain = more.get("unit", PrivacyUnit()), more.get("domain", SMALL)
    events = [step.event for step in steps_of(synthesizer, domain, unit, rho)]
    trained, others = split_trained(events)
    return small_world(rho=total_rho(others), trained=trained, **more)


def spends_exactly_its_plan(synthesizer: Learner | Trainer) -> None:
    """The ledger shows the planned events in order, and they add up to the budget."""
    for max_rows in (1, 3):
        unit = PrivacyUnit(max_rows=max_rows)
        curator = world_for(synthesizer, rho=RHO, unit=unit)
        planned = [step.event for step in steps_of(synthesizer, curator.domain, unit, RHO)]
        learned_by(synthesizer, curator, RHO)
        assert [entry.event for entry in curator.account.entries] == planned
        _require_spent(planned)


def _require_spent(planned: Sequence[Event]) -> None:
    """Raise AssertionError unless the charges are all that the budget allows, and no more."""
    if not split_trained(planned)[0]:
        assert total_rho(planned) == RHO  # fractions: no tolerance
        return
    claim = budget_of(RHO)
    assert Fraction(99, 100) * claim.epsilon < least_epsilon(planned, claim.delta) <= claim.epsilon


def spends_exactly_its_pure_plan(synthesizer: PureLearner) -> None:
    """Without a delta: the planned events in order, pure without exception, and no more."""
    for max_rows in (1, 3):
        unit = PrivacyUnit(max_rows=max_rows)
        for domain in (SMALL, *ODD_DOMAINS):
            steps = synthesizer.pure_steps(domain, unit=unit, epsilon=EPSILON)
            planned = [step.event for step in steps]
            assert total_pure_epsilon(planned) == EPSILON
            for rows in (0, 1, SMALL_ROWS):
                curator = small_world(rho=total_rho(planned), unit=unit, domain=domain, rows=rows)
                learned = synthesizer.pure_learn(curator, epsilon=EPSILON)
                assert [entry.event for entry in curator.account.entries] == planned
                assert learned.model.total > 0
                assert set(_expanded(learned, rows=7, seed=0)) == set(domain.columns)


def learns_something_without_a_delta(synthesizer: PureLearner) -> None:
    """With a large budget every column comes out as it went in, up to two in a hundred rows."""
    steps = synthesizer.pure_steps(SMALL, unit=PrivacyUnit(), epsilon=ENOUGH)
    curator = small_world(rho=total_rho(step.event for step in steps))
    _require_close(curator, synthesizer.pure_learn(curator, epsilon=ENOUGH))


def plans_without_data(synthesizer: Learner | Trainer) -> None:
    """Steps come from public facts: a source that cannot be read makes no difference."""
    curator = small_world(rho=RHO, source=UnreadableSource)
    assert steps_of(synthesizer, curator.domain, curator.unit, RHO)
    assert not curator.account.entries


def leaves_the_rows_behind(synthesizer: Learner | Trainer) -> None:
    """What was learned holds neither curator nor source nor any array as long as the table."""
    learned = learned_by(synthesizer, world_for(synthesizer, rho=RHO), RHO)
    for held in reachable_from(learned):
        assert not isinstance(held, Curator | GeneratedSource)
        assert not isinstance(held, np.ndarray) or SMALL_ROWS not in held.shape


def models_the_domain(synthesizer: Learner | Trainer) -> None:
    """Samples decode into the declared codes of every column, in order, and are reproducible."""
    curator = world_for(synthesizer, rho=RHO)
    learned = learned_by(synthesizer, curator, RHO)
    assert learned.model.domain.columns == curator.domain.columns
    first, second = (_expanded(learned, rows=57, seed=5) for _ in range(2))
    for name, size in curator.domain.sizes.items():
        assert first[name].shape == (57,)
        assert 0 <= first[name].min() <= first[name].max() < size
        assert (first[name] == second[name]).all()


def survives_any_rows(synthesizer: Learner | Trainer) -> None:
    """Domains of one column or one code, no row at all, and noise far above the counts."""
    # A training takes its time: of each two odd domains, one.
    for domain in ODD_DOMAINS[:: 2 if isinstance(synthesizer, Trainer) else 1]:
        for rows in (0, 1, 500):
            for rho in (RHO, Fraction(1, 10**7)):
                curator = world_for(synthesizer, rho=rho, domain=domain, rows=rows)
                learned = learned_by(synthesizer, curator, rho)
                assert curator.account.left == 0
                assert np.isfinite(learned.model.total)
                assert learned.model.total > 0
                for name in domain.columns:
                    marginal = learned.model.marginal((name,))
                    assert (marginal >= 0).all()
                    assert np.isclose(marginal.sum(), learned.model.total)
                assert all(
                    codes.size == 20 and codes.max() < domain.sizes[name]
                    for name, codes in _expanded(learned, rows=20, seed=0).items()
                )


def learns_something(synthesizer: Learner | Trainer) -> None:
    """With a large budget every column comes out as it went in, up to two in a hundred rows."""
    curator = world_for(synthesizer, rho=ENOUGH)
    _require_close(curator, learned_by(synthesizer, curator, ENOUGH))


def _require_close(curator: Curator, learned: Learned) -> None:
    exact = chain_codes(curator.domain, rows=SMALL_ROWS, seed=0)
    drawn = _expanded(learned, rows=SMALL_ROWS, seed=1)
    for name, size in curator.domain.sizes.items():
        counts = np.bincount(exact[name], minlength=size)
        found = np.bincount(drawn[name], minlength=size)
        assert np.abs(counts - found).sum() <= 0.04 * SMALL_ROWS


def keeps_structural_zeros(synthesizer: Learner | Trainer) -> None:
    """What the domain forbids has probability 0, though rows hold it, and is never drawn."""
    for rho in (Fraction(1, 10**4), RHO, ENOUGH):
        curator = world_for(synthesizer, rho=rho, domain=RULED)
        learned = learned_by(synthesizer, curator, rho)
        assert len(learned.model.domain.zeros) == len(RULED.zeros)
        for zero in learned.model.domain.zeros:
            allowed = zero.allowed(learned.model.domain.sizes)
            assert (learned.model.marginal(zero.columns)[~allowed] == 0).all()
        drawn = _expanded(learned, rows=3_000, seed=0)
        for zero in RULED.zeros:
            if not zero.in_runs:  # order within one merged code is settled when values are drawn
                allowed = zero.allowed(RULED.sizes)
                assert allowed[tuple(drawn[name] for name in zero.columns)].all()


def _expanded(learned: Learned, *, rows: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Draw codes of the curator's domain."""
    rng = np.random.default_rng(seed)
    drawn = learned.model.sample(rows, rng)
    for name, coarsening in learned.coarsenings.items():
        drawn[name] = coarsening.expand(drawn[name], rng)
    return {name: codes.astype(np.int64) for name, codes in drawn.items()}


CHECKS = (
    spends_exactly_its_plan,
    plans_without_data,
    leaves_the_rows_behind,
    models_the_domain,
    survives_any_rows,
    learns_something,
    keeps_structural_zeros,
)

# Of those that can do with delta 0: see ``dpsynth.synthesizers.facade.pure_names``.
PURE_CHECKS = (spends_exactly_its_pure_plan, learns_something_without_a_delta)
