"""The loss of a row of the autoencoder is its own: no other row, and no place, bears on it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from dpsynth.models.neural.training import Schedule
from dpsynth.models.neural.vae import Vae, fitted
from dpsynth.privacy.dpsgd.engines import BookKeeping, PerUnit, Units

SIZES = (2, 3, 4, 6)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def module(*, conditional=True, shares=None):
    rng = np.random.default_rng(0)
    made = Vae(
        shares or [rng.dirichlet(np.ones(size)) for size in SIZES],
        latent=3,
        hidden=9,
        conditional=conditional,
        generator=generator(),
    )
    with torch.no_grad():
        for each in made.parameters():
            each.add_(0.3 * torch.randn(each.shape, generator=generator(1)))
    return made


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([rng.integers(0, size, count) for size in SIZES], axis=1))


def test_a_row_has_the_same_loss_wherever_it_stands():
    made, batch = module(), rows(64)
    alone = torch.cat([made.loss(row[None]) for row in batch])
    turned = made.loss(batch.flip(0)).flip(0)
    assert torch.allclose(made.loss(batch), alone, atol=1e-5)
    assert torch.allclose(turned, alone, atol=1e-5)


def test_a_row_more_moves_the_sum_by_its_own_gradient_alone():
    made, batch = module(), rows(33)

    def clipped(part):
        units = Units(rows=part, present=torch.ones(len(part), 1, dtype=torch.bool))
        sums = BookKeeping().clipped_sums(made, lambda held, r: held.loss(r), units, clip=0.5)
        return torch.cat([each.flatten() for each in sums.values()])

    moved = torch.linalg.vector_norm(clipped(batch) - clipped(batch[1:]))
    assert 0.4 < float(moved) <= 0.5 + 1e-5


def test_equal_rows_draw_alike_and_others_differ():
    made, batch = module(), rows(500)
    draws = made._draws(batch)
    different = torch.unique(batch, dim=0)
    assert torch.equal(draws, made._draws(batch))
    assert len(torch.unique(made._draws(different), dim=0)) > 0.9 * len(different)


def test_draws_are_standard_normal_and_new_in_every_step():
    made, batch = module(), torch.unique(rows(2_000), dim=0)
    seen = []
    for _ in range(100):
        made.draw_anew()
        seen.append(made._draws(batch))
    all_draws = torch.stack(seen)
    assert abs(float(all_draws.mean())) < 0.03
    assert abs(float(all_draws.std()) - 1) < 0.03
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("conditional", [True, False])
def test_the_engine_agrees_with_the_loop(conditional):
    made, batch = module(conditional=conditional), rows(12)
    units = Units(rows=batch, present=torch.ones(6, 2, dtype=torch.bool))
    one, other = (
        engine.clipped_sums(made, lambda held, r: held.loss(r), units, clip=1.0)
        for engine in (BookKeeping(), PerUnit())
    )
    for name in other:
        assert torch.allclose(one[name], other[name], atol=1e-5), name


def test_the_loss_is_above_minus_the_log_likelihood_on_average():
    # Of a decoder that ignores its draws the likelihood is known, and the bound is that plus the
    # divergence.
    made, batch = module(conditional=False), rows(200)
    with torch.no_grad():
        made.decoder.layers[-1].weight.zero_()
        bias = made.decoder.layers[-1].bias
        parts = [torch.log_softmax(part, 0) for part in bias.split(list(SIZES))]
        exact = -sum(part[batch[:, at]] for at, part in enumerate(parts))
        made.divergence_weight = 0.0
        assert torch.allclose(made.loss(batch), exact, atol=1e-4)
        made.divergence_weight = 1.0
        assert (made.loss(batch) > exact).all()


def test_a_given_column_is_not_part_of_the_loss():
    made, batch = module(), rows(50)
    found = torch.autograd.grad(made.loss(batch).sum(), made.decoder.layers[-1].bias)[0]
    assert found.numel() == sum(SIZES[1:])
    with torch.no_grad():
        made.decoder.layers[0].weight[:, 3:] = 0.0  # what is given bears on nothing now
        made.hidden.weight[:, :2] = 0.0
        # Draws follow all codes: taken out, the first column must leave the loss.
        made._table.zero_()
        other = batch.clone()
        other[:, 0] = 1 - other[:, 0]
        assert torch.allclose(made.loss(batch), made.loss(other), atol=1e-5)


def test_the_divergence_warms_up_and_every_step_is_told():
    made, weights, told = module(), [], []

    def gradients():
        weights.append(made.divergence_weight)
        return {name: torch.zeros_like(each) for name, each in made.named_parameters()}

    fitted(made, gradients, Schedule(steps=10, rate=0.01), warm_up=0.5, progress=told.append)
    assert weights == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert told == list(range(1, 11))


def test_it_learns_what_columns_have_in_common():
    # Without noise: four equal columns of two codes.
    batch = torch.from_numpy(np.repeat([[0] * 4, [1] * 4], 50, axis=0))
    made = Vae(
        [np.array([0.5, 0.5])] * 4, latent=2, hidden=8, conditional=False, generator=generator()
    )

    def gradients():
        loss = made.loss(batch).mean()
        named = dict(made.named_parameters())
        return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))

    fitted(made, gradients, Schedule(steps=150, rate=0.05), warm_up=0.3, progress=lambda _: None)
    network = made.decoder.released()
    state = network.begin(2_000, np.random.default_rng(0))
    likely = [network.logits(state, at).argmax(1) for at in range(4)]
    assert np.mean([(likely[0] == each).mean() for each in likely[1:]]) > 0.95
    assert 0.3 < likely[0].mean() < 0.7
