"""The critic of pairs, and the generator that learns from what it releases."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from dpsynth.models.neural.gan import PairCritic, fitted, merging
from dpsynth.models.neural.latent import Decoder
from dpsynth.models.neural.training import Schedule
from dpsynth.privacy.dpsgd.engines import BookKeeping, PerUnit, Units

MERGED = [np.array([0, 1]), np.array([0, 1, 0]), np.array([0, 1, 2, 2])]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(count, sizes=(2, 3, 4), seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([rng.integers(0, size, count) for size in sizes], axis=1))


def test_the_gradient_counts_pairs_of_merged_codes():
    critic, batch = PairCritic(MERGED), rows(40)
    units = Units(rows=batch, present=torch.ones(40, 1, dtype=torch.bool))
    clip = 1.001 * critic.norm
    found = BookKeeping().clipped_sums(critic, PairCritic.loss, units, clip=clip)["pair.weight"]
    expected = torch.zeros_like(found)
    starts = (0, 2, 4)
    for row in batch.tolist():
        places = [starts[at] + MERGED[at][code] for at, code in enumerate(row)]
        for low in range(3):
            for high in range(low + 1, 3):
                expected[places[high], places[low]] -= 1
    assert torch.allclose(found, expected, atol=1e-4)


def test_every_row_has_a_gradient_of_the_stated_norm():
    critic = PairCritic(MERGED)
    for row in rows(10):
        units = Units(rows=row[None], present=torch.ones(1, 1, dtype=torch.bool))
        sums = PerUnit().clipped_sums(critic, PairCritic.loss, units, clip=100.0)
        assert float(torch.linalg.vector_norm(sums["pair.weight"])) == pytest.approx(critic.norm)


def test_shares_of_merged_codes_are_sums():
    shares = torch.rand((5, 9), generator=generator())
    merged = PairCritic(MERGED).merged(shares)
    places = np.concatenate([MERGED[0], 2 + MERGED[1], 4 + MERGED[2]])
    for place in range(7):
        expected = shares[:, places == place].sum(1)
        assert torch.allclose(merged[:, place], expected)


@pytest.mark.parametrize(
    ("shares", "ordered", "most", "expected"),
    [
        ([0.5, 0.1, 0.2, 0.1, 0.1], False, 3, [0, 1, 2, 1, 1]),
        ([0.5, 0.1, 0.2, 0.1, 0.1], True, 3, [0, 1, 1, 2, 2]),
        ([0.5, 0.5], False, 3, [0, 1]),
        ([1.0], True, 2, [0]),
    ],
)
def test_the_rarest_codes_are_merged(shares, ordered, most, expected):
    (found,) = merging([np.array(shares)], [ordered], most=most)
    assert found.tolist() == expected


def test_merged_codes_are_numbered_without_a_gap():
    rng = np.random.default_rng(0)
    for size in (2, 7, 30):
        for ordered in (True, False):
            (found,) = merging([rng.dirichlet(np.ones(size))], [ordered], most=5)
            assert sorted(set(found.tolist())) == list(range(min(size, 5)))
            assert not ordered or (np.diff(found) >= 0).all()


def fit_without_noise(batch, sizes, *, conditional, scale=1.0, steps=120):
    shares = [
        np.bincount(batch[:, at].numpy(), minlength=size) / len(batch)
        for at, size in enumerate(sizes)
    ]
    made = Decoder(
        shares,
        latent=4,
        hidden=(16, 16),
        conditional=conditional,
        spread=1.0,
        generator=generator(),
    )
    critic = PairCritic([np.arange(size) for size in sizes])
    asked, told = [], []

    def gradients(module, loss):
        asked.append(1)
        (found,) = torch.autograd.grad(loss(module, batch).mean() * scale, module.pair.weight)
        return {"pair.weight": found}

    fitted(
        made,
        critic,
        gradients,
        Schedule(steps=steps, rate=0.03, last=0.02),
        rows=256,
        draws=generator(1),
        progress=told.append,
    )
    assert len(asked) == steps
    assert told == list(range(1, steps + 1))
    return made.released()


def drawn(network, sizes, rows=20_000):
    rng = np.random.default_rng(0)
    state = network.begin(rows, rng)
    codes = []
    for place in range(len(sizes)):
        shares = np.exp(network.logits(state, place))
        ends = np.cumsum(shares / shares.sum(1, keepdims=True), axis=1)
        codes.append((ends < rng.random((rows, 1))).sum(1).clip(max=sizes[place] - 1))
        network.extend(state, place, codes[-1])
    return codes


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("scale", [1.0, 0.3, 4.0])
def test_it_learns_pairs_whatever_number_of_rows_was_declared(conditional, scale):
    first = rows(400, (3,))[:, 0]
    batch = torch.stack([first, first, (first + 1) % 3], dim=1)
    sizes = (3, 3, 3)
    network = fit_without_noise(batch, sizes, conditional=conditional, scale=scale)
    codes = drawn(network, sizes)
    assert (codes[0] == codes[1]).mean() > 0.9
    assert ((codes[0] + 1) % 3 == codes[2]).mean() > 0.9


def test_columns_without_a_relation_stay_without():
    batch = rows(5_000, (3, 3))
    codes = drawn(fit_without_noise(batch, (3, 3), conditional=False), (3, 3))
    joint = np.histogram2d(codes[0], codes[1], bins=3)[0] / len(codes[0])
    assert np.abs(joint - joint.sum(1, keepdims=True) * joint.sum(0)).max() < 0.02


@pytest.mark.parametrize("sizes", [(3,), (1, 1), (2, 1)])
def test_tables_without_pairs_to_learn_do(sizes):
    network = fit_without_noise(rows(50, sizes), sizes, conditional=True, steps=12)
    assert network.sizes == sizes
    assert all(np.isfinite(each).all() for each in network.arrays().values())


def test_noise_alone_does_not_break_it():
    made = Decoder(
        [np.full(3, 1 / 3)] * 3,
        latent=4,
        hidden=(16, 16),
        conditional=True,
        spread=1.0,
        generator=generator(),
    )
    noise = generator(7)

    def gradients(module, loss):
        del loss
        return {"pair.weight": 50 * torch.randn(module.pair.weight.shape, generator=noise)}

    fitted(
        made,
        PairCritic([np.arange(3)] * 3),
        gradients,
        Schedule(steps=30, rate=0.03),
        rows=64,
        draws=generator(),
        progress=lambda _: None,
    )
    assert all(np.isfinite(each).all() for each in made.released().arrays().values())
