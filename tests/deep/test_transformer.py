"""The transformer that is trained, the arrays that are released, and the engines agree."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")

from dpsynth.domain import Domain
from dpsynth.models.neural import drawing
from dpsynth.models.neural.model import NeuralModel
from dpsynth.models.neural.transformer import Transformer
from dpsynth.models.neural.transformer_network import TransformerNetwork
from dpsynth.privacy.dpsgd.engines import BookKeeping, PerUnit, Units

SIZES = (3, 2, 4, 1, 5)


def transformer(layers=2):
    rng = np.random.default_rng(0)
    shares = [rng.dirichlet(np.ones(size)) for size in SIZES]
    return Transformer(
        shares,
        width=8,
        layers=layers,
        heads=2,
        hidden=12,
        generator=torch.Generator().manual_seed(0),
    )


@pytest.fixture
def moved():
    """A network all of whose weights have moved."""
    module = transformer()
    with torch.no_grad():
        for each in module.parameters():
            each.add_(0.4 * torch.randn(each.shape, generator=torch.Generator().manual_seed(1)))
    return module


def rows(count=200):
    rng = np.random.default_rng(1)
    return np.stack([rng.integers(0, size, count) for size in SIZES], axis=1)


def released(module):
    domain = Domain(sizes={f"column {at}": size for at, size in enumerate(SIZES)})
    return NeuralModel(domain=domain, total=10.0, order=domain.columns, network=module.released())


def likelihood(model, codes):
    return model.log_likelihood({name: codes[:, at] for at, name in enumerate(model.order)})


def test_the_released_arrays_give_the_same_logits(moved):
    codes = rows()
    with torch.no_grad():
        expected = [each.numpy() for each in moved(torch.from_numpy(codes))]
    network = moved.released()
    state = network.begin(len(codes), np.random.default_rng(0))
    for place in range(len(SIZES)):
        found = network.logits(state, place)
        assert found.dtype == np.float64
        assert np.abs(found - expected[place]).max() < 1e-5
        network.extend(state, place, codes[:, place])


def test_the_loss_is_minus_the_log_likelihood(moved):
    codes = rows()
    with torch.no_grad():
        expected = -moved.loss(torch.from_numpy(codes)).numpy()
    assert np.abs(likelihood(released(moved), codes) - expected).max() < 1e-5


def test_no_column_sees_itself_or_a_later_one(moved):
    codes = rows(20)
    with torch.no_grad():
        before = moved(torch.from_numpy(codes))
        for place, size in enumerate(SIZES):
            other = codes.copy()
            other[:, place] = (other[:, place] + 1) % size
            after = moved(torch.from_numpy(other))
            for column in range(len(SIZES)):
                same = torch.equal(before[column], after[column])
                assert same == (column <= place or size == 1)


def test_it_starts_as_the_product_of_its_columns():
    rng = np.random.default_rng(0)
    shares = [rng.dirichlet(np.ones(size)) for size in SIZES]
    codes = rows()
    expected = sum(np.log(each[codes[:, at]]) for at, each in enumerate(shares))
    assert np.abs(likelihood(released(transformer()), codes) - expected).max() < 1e-5


def test_clipped_sums_are_those_of_a_loop(moved):
    units = Units(
        rows=torch.from_numpy(rows(12)),
        present=torch.tensor([[True, True], [True, False]] * 3),
    )
    loss = type(moved).loss
    expected = PerUnit().clipped_sums(moved, loss, units, clip=0.7)
    found = BookKeeping().clipped_sums(moved, loss, units, clip=0.7)
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        assert torch.allclose(found[name], each, atol=1e-5), name


def test_draws_do_not_depend_on_how_many_go_together(moved, monkeypatch):
    network = moved.released()
    rules = drawing.Rules.of([], SIZES)
    codes = rows(50)
    whole = drawing.log_likelihood(network, codes, rules=rules)
    monkeypatch.setattr(drawing, "_AT_ONCE", 7 * network.numbers_a_row)
    found = drawing.log_likelihood(network, codes, rules=rules)
    # How many rows a product has decides on some processors in which order it is added up.
    np.testing.assert_allclose(found, whole, rtol=1e-6)


def test_a_condition_on_the_first_columns_is_exact(moved):
    model = released(moved)
    table = np.zeros(SIZES[0])
    table[1] = 1.0
    first = {("column 0",): table}
    codes = model.sample(4_000, np.random.default_rng(0), likelihood=first)
    assert (codes["column 0"] == 1).all()
    given = np.stack([np.full(2, 1), np.arange(2)], axis=1)
    filled = np.concatenate([given, np.zeros((2, 3), dtype=np.int64)], axis=1)
    state = model.network.begin(2, np.random.default_rng(0))
    model.network.extend(state, 0, filled[:, 0])
    logits = model.network.logits(state, 1)[0]
    share = float(np.exp(logits[0]) / np.exp(logits).sum())
    # Five standard deviations: a false alarm in fewer than one run in a million.
    assert abs((codes["column 1"] == 0).mean() - share) < 5 * (share * (1 - share) / 4_000) ** 0.5


def test_it_is_read_back_from_its_arrays(moved):
    network = moved.released()
    shapes = TransformerNetwork.shapes(network.header(), SIZES)
    assert shapes == {name: each.shape for name, each in network.arrays().items()}
    again = TransformerNetwork.from_arrays(network.header(), SIZES, network.arrays())
    assert np.array_equal(
        likelihood(released(moved), rows()),
        likelihood(replace(released(moved), network=again), rows()),
    )


@pytest.mark.parametrize(
    "wrong", [{"heads": 3}, {"layers": 0}, {"layers": 10**6}, {"width": "8"}, {"hidden": -1}]
)
def test_a_header_that_makes_no_sense_is_refused(moved, wrong):
    with pytest.raises(ValueError, match=r"whole number|multiple"):
        TransformerNetwork.shapes({**moved.released().header(), **wrong}, SIZES)


def test_width_is_a_multiple_of_heads():
    with pytest.raises(ValueError, match="multiple"):
        Transformer(
            [np.ones(2) / 2], width=8, layers=1, heads=3, hidden=4, generator=torch.Generator()
        )
