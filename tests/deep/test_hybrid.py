"""A network that knows what a marginal model knows before its first batch."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.models.neural.made import Made
from dpsynth.models.neural.model import NeuralModel
from dpsynth.models.neural.training import Schedule, learn_rows
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.base import Budget
from dpsynth.synthesizers.deep_facts import Facts, Start, Training
from dpsynth.synthesizers.hybrid import Hybrid, _targets
from dpsynth.testing.worlds import wide_world

SIZES = {"c": 3, "a": 4, "b": 5}
DOMAIN = Domain(sizes={"a": 4, "b": 5, "c": 3})
BUDGET = Budget(
    rho=Fraction(3, 100),
    epsilon=Fraction(1),
    delta=Fraction(1, 100_000),
    expected_rows=5_000,
    target="c",
)


def chain(rows=8_000):
    """Each column is mostly a function of the one before it."""
    rng = np.random.default_rng(0)
    found = [rng.integers(0, 3, rows)]
    for size in (4, 5):
        noise = rng.integers(0, size, rows)
        found.append(np.where(rng.random(rows) < 0.8, (found[-1] * 2 + 1) % size, noise))
    return np.stack(found, axis=1)


def pair_shares(codes, first, second):
    shape = (SIZES[first], SIZES[second])
    places = np.ravel_multi_index((codes[first], codes[second]), shape)
    return np.bincount(places, minlength=np.prod(shape)).reshape(shape) / places.size


def network_from(rows):
    """The network after a training whose gradients say nothing."""
    codes = chain()
    shares = [np.bincount(codes[:, at], minlength=size) for at, size in enumerate(SIZES.values())]
    start = Start(
        domain=Domain(sizes=SIZES),
        shares=tuple(each / each.sum() for each in shares),
        total=8_000.0,
        facts=Facts(rows=8_000, max_rows=1, columns=3, codes=12, epsilon=1.0),
        rows=rows,
    )

    def nothing(module, loss):
        return {name: torch.zeros_like(each) for name, each in module.named_parameters()}

    training = Training(rate=Fraction(1, 2), steps=3, step_size=0.01)
    return Hybrid().network(start, training, nothing, lambda done: None)


def drawn(network):
    model = NeuralModel(
        domain=Domain(sizes=SIZES), total=8_000.0, order=tuple(SIZES), network=network
    )
    return model.sample(20_000, np.random.default_rng(1))


def test_the_network_knows_the_drawn_rows_before_its_first_gradient():
    codes = dict(zip(SIZES, chain().T, strict=True))
    warm, cold = drawn(network_from(chain())), drawn(network_from(None))
    for pair in pairwise(SIZES):
        wanted = pair_shares(codes, *pair)
        assert np.abs(pair_shares(warm, *pair) - wanted).sum() < 0.1
        assert np.abs(pair_shares(cold, *pair) - wanted).sum() > 0.4


def test_learning_rows_is_the_same_every_time_and_leaves_no_gradient():
    def learned():
        shares = [np.full(size, 1 / size) for size in SIZES.values()]
        module = Made(shares, hidden=8, generator=torch.Generator().manual_seed(0))
        before = float(module.loss(torch.from_numpy(chain())).mean().detach())
        learn_rows(module, module.loss, chain(), Schedule(steps=40, rate=0.02), batch=256)
        after = float(module.loss(torch.from_numpy(chain())).mean().detach())
        assert after < before - 0.2
        assert all(each.grad is None for each in module.parameters())
        return after

    assert learned() == learned()


def test_shortened_for_a_trial_it_pays_as_before_and_warms_no_longer_than_it_trains():
    unit = PrivacyUnit()
    short = Hybrid(marginal_share=Fraction(1, 2)).shortened(12)
    assert short == Hybrid(marginal_share=Fraction(1, 2), training_steps=12, warm_steps=12)
    assert Hybrid(warm_steps=5).shortened(12).warm_steps == 5
    plain = Hybrid(marginal_share=Fraction(1, 2), training_steps=12)
    bill = short.bill(DOMAIN, unit=unit, budget=BUDGET)
    assert bill == plain.bill(DOMAIN, unit=unit, budget=BUDGET)
    with pytest.raises(ValueError, match="warm_steps"):
        Hybrid(warm_steps=0)


def test_the_bill_is_that_of_auto_with_its_share_and_a_training():
    unit = PrivacyUnit()
    chosen = Hybrid(marginal_share=Fraction(1, 2), training_steps=20)
    *before, training = chosen.bill(DOMAIN, unit=unit, budget=BUDGET)
    auto = Auto(target="c", one_way_share=chosen.one_way_share)
    assert tuple(before) == auto.steps(DOMAIN, unit=unit, rho=BUDGET.rho / 2)
    more = Hybrid(marginal_share=Fraction(9, 10), training_steps=20)
    noise = Fraction(training.event.noise_multiplier)
    dearer = more.bill(DOMAIN, unit=unit, budget=BUDGET)[-1]
    assert Fraction(dearer.event.noise_multiplier) > noise


def test_samples_are_held_against_what_was_measured():
    """Every table that the marginal model asked for stands among the targets, and every column."""
    world = wide_world(rows=4_000, columns=6, categories=4, rho=Fraction(1))
    learned = Auto().learn(world, rho=Fraction(1))
    targets = _targets(learned.model)
    assert set(targets.columns) == set(world.domain.columns)
    tables = {each.clique: each for each in targets.tables if len(each.clique) > 1}
    assert tables.keys() == {each.clique for each in learned.model.corrections} != set()
    for each in learned.model.corrections:
        assert tables[each.clique].stddev > 2 * each.stddev


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"target_share": Fraction(1, 8)}, "chooses the tables"),
     ({"marginal_share": Fraction(1)}, "marginal_share"),
     ({"hidden": 0}, "hidden")],
)  # fmt: skip
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        Hybrid(**settings)


def test_only_a_public_prior_is_taken():
    with pytest.raises(TypeError, match="PublicPrior"):
        Hybrid(prior=np.zeros((3, 2)))
