"""Copies of one release that differ by its noise, and what the archive keeps for them."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.graphical.estimation import fit
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.posterior import redrawn
from dpsynth.models.graphical.sampling import draw_each_alone
from dpsynth.models.graphical.tables import NoisyTable

ROWS = 3_000
SCHEMA = {
    "format": "dpsynth-schema/1",
    "expected_rows": ROWS,
    "columns": [
        {"name": "smoker", "kind": "boolean"},
        {"name": "band", "kind": "categorical", "values": ["low", "mid", "high"]},
        {"name": "ill", "kind": "boolean"},
    ],
}


def people(seed=3):
    rng = np.random.default_rng(seed)
    smoker = rng.random(ROWS) < 0.4
    band = rng.choice(["low", "mid", "high"], ROWS, p=[0.5, 0.3, 0.2])
    ill = rng.random(ROWS) < np.where(smoker, 0.5, 0.2)
    return pd.DataFrame({"smoker": smoker, "band": band, "ill": ill})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    path = tmp_path_factory.mktemp("copies") / "people.ledger"
    dpsynth.Ledger.create(path, cap_epsilon=20, cap_delta="1e-5").close()

    def make(name):
        schema = dpsynth.Schema.from_dict(SCHEMA)
        return dpsynth.synthesizer(name).fit(
            people(), schema=schema, epsilon=1, delta="1e-6", ledger=path
        )

    return make


@pytest.mark.parametrize("name", ["independent", "mst", "privbayes", "aim", "auto", "direct"])
def test_every_marginal_release_keeps_its_noisy_answers(fitted, name, tmp_path):
    model = fitted(name)
    model.save(tmp_path / "model")
    read = dpsynth.load_model(tmp_path / "model")
    assert read.model.measured
    for held, again in zip(model.model.measured, read.model.measured, strict=True):
        assert held.clique == again.clique
        assert np.array_equal(held.values, again.values)
        assert np.array_equal(held.variance, again.variance)
    first, second = (each.sample_copies(2, 500, seed=7) for each in (model, read))
    for one, other in zip(first.tables, second.tables, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert first.supports("smoker")
    assert first.supports("smoker", "ill") or name == "independent"


def test_copies_of_independent_columns_support_no_pair(fitted):
    assert not fitted("independent").sample_copies(2, 50, seed=1).supports("smoker", "ill")


def test_what_was_measured_is_noisy_and_adds_up_to_no_exact_number(fitted):
    (table,) = fitted("direct").model.measured
    exact = np.zeros(table.values.shape)
    frame = people()
    bands = ["low", "mid", "high"]
    codes = [frame.smoker.astype(int), frame.band.map(bands.index), frame.ill.astype(int)]
    np.add.at(exact, tuple(codes), 1)
    off = (table.values - exact)[:2, :3, :2]
    # 12 cells of discrete Gaussian noise: all of them 0 by chance below 1e-9
    assert (off != 0).any()
    assert float((off**2).sum() / table.variance[:2, :3, :2].sum()) < 5  # false alarm below 1e-6


def test_a_model_without_answers_says_so(fitted):
    from dataclasses import replace

    model = fitted("direct")
    bare = replace(model, model=replace(model.model, measured=()))
    with pytest.raises(UsageError, match="keeps no noisy answers"):
        bare.sample_copies(2)
    with pytest.raises(UsageError, match="at least 2"):
        model.sample_copies(1)
    with pytest.raises(UsageError, match="whole"):
        model.sample_copies(2.5)


def test_answers_that_do_not_fit_are_damage(fitted):
    header, arrays = fitted("direct").model.to_arrays()
    assert GraphicalModel.from_arrays(header, arrays).measured
    with pytest.raises(IntegrityError):
        GraphicalModel.from_arrays(header, {**arrays, "variance_0": -arrays["variance_0"]})
    with pytest.raises(IntegrityError):
        GraphicalModel.from_arrays(header, {k: a for k, a in arrays.items() if k != "measured_0"})
    with pytest.raises(IntegrityError):
        GraphicalModel.from_arrays({**header, "measured": [["smoker"]]}, arrays)


def test_rows_of_a_copy_are_drawn_each_on_its_own():
    """Counts vary as binomial ones do; bounds are passed by chance below 1e-6 (chi-square)."""
    rng = np.random.default_rng(5)
    weights, groups = np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 0.0]]), np.zeros(400, np.uint8)
    counts = [int((draw_each_alone(weights, groups, rng) == 0).sum()) for _ in range(1_000)]
    assert 0.8 < np.var(counts) / (400 * 0.25 * 0.75) < 1.25
    assert draw_each_alone(weights, groups, rng).max() == 1
    # 3,000 draws of a third each: beyond 5 standard deviations by chance below 1e-5
    even = draw_each_alone(weights, np.ones(3_000, np.uint8), rng)
    assert np.abs(np.bincount(even, minlength=3) - 1_000).max() < 5 * np.sqrt(3_000 * 2 / 9)


def test_redrawn_models_spread_as_sampling_and_noise_do():
    """One noisy histogram of two codes: the share of one has a variance in closed form.

    Rows n, share p, noise variance v a cell. The share varies by p(1-p)/n for the persons and,
    as the noise in the two cells is independent, by v ((1-p)^2 + p^2) / n^2 for the noise. Of
    400 models, outside 35 % by chance below 1e-6.
    """
    n, p, variance = 2_000.0, 0.3, 900.0
    table = NoisyTable(
        clique=("a",), values=np.array([n * p, n * (1 - p)]), variance=np.full(2, variance)
    )
    from dataclasses import replace

    model = replace(fit(Domain(sizes={"a": 2}), [table]), measured=[table])
    found = redrawn(model, 400, np.random.default_rng(1))
    shares = [float(each.probabilities["a",][0]) for each in found.models]
    expected = p * (1 - p) / n + variance * ((1 - p) ** 2 + p**2) / n**2
    assert np.var(shares) == pytest.approx(expected, rel=0.35)
    assert np.mean(shares) == pytest.approx(p, abs=5 * np.sqrt(expected / 400) + 1e-4)


def test_a_copy_is_not_another_sample_of_the_same_model(fitted):
    """Shares of ill smokers spread more between copies than between samples of one model."""
    model = fitted("direct")

    def spread(tables):
        return np.var([float((each.smoker & each.ill).mean()) for each in tables])

    copies = model.sample_copies(40, ROWS, seed=1).tables
    samples = [model.sample(ROWS, seed=seed) for seed in range(40)]
    assert spread(copies) > 4 * spread(samples)
