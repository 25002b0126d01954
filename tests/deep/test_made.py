"""The network that is trained and the arrays that are released say the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from dpsynth.domain import Domain
from dpsynth.models.neural.made import Made
from dpsynth.models.neural.model import NeuralModel

SIZES = (3, 2, 4, 1, 5)


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    shares = [rng.dirichlet(np.ones(size)) for size in SIZES]
    module = Made(shares, hidden=8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for each in module.parameters():  # also those behind the mask
            each.add_(0.7 * torch.randn(each.shape, generator=torch.Generator().manual_seed(1)))
    return module


def rows(count=200):
    rng = np.random.default_rng(1)
    return np.stack([rng.integers(0, size, count) for size in SIZES], axis=1)


def released(module):
    domain = Domain(sizes={f"column {at}": size for at, size in enumerate(SIZES)})
    return NeuralModel(domain=domain, total=10.0, order=domain.columns, network=module.released())


def test_the_released_arrays_give_the_same_logits(made):
    codes = rows()
    with torch.no_grad():
        expected = made(torch.from_numpy(codes)).numpy()
    network = made.released()
    state = network.begin(len(codes), np.random.default_rng(0))
    starts = np.cumsum([0, *SIZES])
    for place in range(len(SIZES)):
        found = network.logits(state, place)
        assert found.dtype == np.float64
        assert np.abs(found - expected[:, starts[place] : starts[place + 1]]).max() < 1e-5
        network.extend(state, place, codes[:, place])


def test_the_loss_is_minus_the_log_likelihood(made):
    codes = rows()
    with torch.no_grad():
        expected = -made.loss(torch.from_numpy(codes)).numpy()
    model = released(made)
    found = model.log_likelihood({name: codes[:, at] for at, name in enumerate(model.order)})
    assert np.abs(found - expected).max() < 1e-5


def test_it_starts_as_the_product_of_its_columns():
    rng = np.random.default_rng(2)
    shares = [rng.dirichlet(np.ones(size)) for size in SIZES]
    module = Made(shares, hidden=8, generator=torch.Generator().manual_seed(0))
    codes = rows()
    model = released(module)
    found = model.log_likelihood({name: codes[:, at] for at, name in enumerate(model.order)})
    expected = sum(np.log(each[codes[:, at]]) for at, each in enumerate(shares))
    assert np.abs(found - expected).max() < 1e-5
