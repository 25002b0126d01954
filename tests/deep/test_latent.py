"""Decoders from normal draws: what is trained and what is released say the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError
from dpsynth.models.neural.latent import Decoder, calibrated
from dpsynth.models.neural.model import NeuralModel

SIZES = (3, 2, 4, 1, 5)
STARTS = np.cumsum([0, *SIZES])
each_kind = pytest.mark.parametrize("conditional", [True, False])


def generator():
    return torch.Generator().manual_seed(0)


def shares():
    rng = np.random.default_rng(0)
    return [rng.dirichlet(np.ones(size)) for size in SIZES]


def decoder(conditional, *, spread=1.0, moved=True):
    made = Decoder(
        shares(),
        latent=3,
        hidden=(7, 6),
        conditional=conditional,
        spread=spread,
        generator=generator(),
    )
    with torch.no_grad():
        for each in made.parameters() if moved else ():
            each.add_(0.7 * torch.randn(each.shape, generator=torch.Generator().manual_seed(1)))
    return made


def model_of(network):
    domain = Domain(sizes={f"column {at}": size for at, size in enumerate(SIZES)})
    return NeuralModel(domain=domain, total=10.0, order=domain.columns, network=network)


@each_kind
def test_the_released_arrays_give_the_same_logits(conditional):
    made = decoder(conditional)
    network = made.released()
    state = network.begin(50, np.random.default_rng(3))
    draws = torch.from_numpy(state.inputs[:, :3]).float()
    first = np.random.default_rng(1).integers(0, SIZES[0], 50)
    with torch.no_grad():
        expected = made(draws, torch.from_numpy(first)).numpy()
    if conditional:
        assert np.abs(network.logits(state, 0) - np.log(shares()[0])).max() < 1e-5
        expected = np.concatenate([np.zeros((50, SIZES[0])), expected], axis=1)
    for place in range(len(SIZES)):
        if place or not conditional:
            found = network.logits(state, place)
            assert found.dtype == np.float64
            assert np.abs(found - expected[:, STARTS[place] : STARTS[place + 1]]).max() < 1e-5
        network.extend(state, place, first if not place else np.zeros(50, dtype=np.int64))


@each_kind
def test_a_model_survives_its_arrays(conditional):
    model = model_of(decoder(conditional).released())
    header, arrays = model.to_arrays()
    again = NeuralModel.from_arrays(header, arrays)
    drawn, redrawn = (each.sample(99, np.random.default_rng(5)) for each in (model, again))
    assert all((drawn[name] == redrawn[name]).all() for name in drawn)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": []},
        {"hidden": [7] * 9},
        {"hidden": [7, True]},
        {"hidden": [7, 8]},
        {"latent": 0},
        {"latent": 4},
        {"conditional": 1},
        {"conditional": False},
    ],
)
def test_a_header_that_lies_is_refused_before_an_array_is_made(change):
    header, arrays = model_of(decoder(True).released()).to_arrays()
    header["network"] |= change
    with pytest.raises(IntegrityError):
        NeuralModel.from_arrays(header, arrays)


@each_kind
def test_it_starts_as_the_product_of_its_columns(conditional):
    made = decoder(conditional, spread=0.0, moved=False)
    drawn = model_of(made.released()).sample(40_000, np.random.default_rng(0))
    for at, expected in enumerate(shares()):
        found = np.bincount(drawn[f"column {at}"], minlength=SIZES[at]) / 40_000
        assert np.abs(found - expected).max() < 0.015  # six standard deviations


@each_kind
def test_calibration_brings_the_shares_back(conditional):
    made = decoder(conditional)

    def furthest():
        drawn = model_of(made.released()).sample(40_000, np.random.default_rng(0))
        return max(
            np.abs(np.bincount(drawn[f"column {at}"], minlength=SIZES[at]) / 40_000 - each).max()
            for at, each in enumerate(shares())
        )

    assert furthest() > 0.1
    calibrated(made, generator())
    assert furthest() < 0.02


@each_kind
def test_normalizers_and_shares_are_those_of_every_column(conditional):
    made = decoder(conditional)
    logits = torch.randn((9, sum(made.sizes)), generator=generator()) * 5
    parts = logits.split(made.sizes, dim=1)
    expected = torch.stack([torch.logsumexp(part, 1) for part in parts]).sum(0)
    assert torch.allclose(made.normalizers(logits), expected, atol=1e-4)
    softmax = torch.cat([torch.softmax(part, 1) for part in parts], 1)
    assert torch.allclose(made.normalized(logits), softmax, atol=1e-5)


def test_what_is_lost_against_another_column_stays_finite():
    made = decoder(False)
    logits = torch.zeros((1, sum(SIZES)))
    logits[0, 0] = 1e4
    logits.requires_grad_(True)
    found = made.normalizers(logits)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(logits.grad).all()


def test_one_column_alone_is_not_its_own_condition():
    made = Decoder(
        [np.array([0.25, 0.75])],
        latent=2,
        hidden=(3,),
        conditional=True,
        spread=0.0,
        generator=generator(),
    )
    assert not made.conditional
    assert made.released().sizes == (2,)


def test_a_condition_on_the_first_column_costs_no_rejection():
    model = model_of(decoder(True).released())
    kept = np.zeros(SIZES[0])
    kept[1] = 1.0
    chance = np.exp(model.log_chance({("column 0",): kept}))
    assert chance == pytest.approx(shares()[0][1], rel=1e-5)
    drawn = model.sample(500, np.random.default_rng(0), likelihood={("column 0",): kept})
    assert (drawn["column 0"] == 1).all()


@each_kind
def test_conditions_elsewhere_leave_the_distribution_as_it_is(conditional):
    model = model_of(decoder(conditional).released())
    kept = np.zeros(SIZES[2])
    kept[3] = 1.0
    drawn = model.sample(20_000, np.random.default_rng(0), likelihood={("column 2",): kept})
    assert (drawn["column 2"] == 3).all()
    free = model.sample(200_000, np.random.default_rng(1))
    those = free["column 2"] == 3
    for name, size in (("column 0", 3), ("column 4", 5)):
        found = np.bincount(drawn[name], minlength=size) / 20_000
        expected = np.bincount(free[name][those], minlength=size) / those.sum()
        assert np.abs(found - expected).max() < 0.03
