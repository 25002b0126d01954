"""Re-weighting, conditional samples and likelihoods."""

import json
from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.errors import IntegrityError
from dpsynth.models.graphical import raking
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction

DOMAIN = Domain(sizes={"a": 3, "b": 2, "c": 4}, ordered=frozenset({"a"}))


def tables(seed=0):
    """A chain a-b-c: what it says of a and c, and a pair that it cannot hold."""
    rng = np.random.default_rng(seed)
    first = rng.random((3, 2))
    first /= first.sum()
    second = rng.random((2, 4))
    second *= (first.sum(0) / second.sum(1))[:, None]
    return first, second


def model(corrections=()):
    first, second = tables()
    return GraphicalModel(
        domain=DOMAIN,
        total=20_000.0,
        probabilities={("a", "b"): first, ("b", "c"): second},
        corrections=corrections,
    )


def outside(strength=0.5):
    """A table over a and c with the chain's margins and a relation of its own."""
    shares = model().marginal(("a", "c")) / 20_000
    twist = np.outer([1.0, 0.0, -1.0], [1.0, -1.0, 1.0, -1.0]) * strength * shares.min()
    return shares + twist


def shares_of(drawn, clique):
    shape = DOMAIN.shape(clique)
    place = np.ravel_multi_index(tuple(drawn[name] for name in clique), shape)
    return np.bincount(place, minlength=DOMAIN.size(clique)).reshape(shape) / place.size


def test_a_correction_moves_the_sample_and_nothing_else():
    wanted = outside(1.0)
    corrected = model([Correction(clique=("a", "c"), shares=wanted, stddev=1e-6)])
    plain = shares_of(model().sample(20_000, np.random.default_rng(0)), ("a", "c"))
    drawn = corrected.sample(20_000, np.random.default_rng(0))
    assert np.abs(shares_of(drawn, ("a", "c")) - wanted).sum() < 0.01
    assert np.abs(plain - wanted).sum() > 5 * np.abs(shares_of(drawn, ("a", "c")) - wanted).sum()
    assert (corrected.marginal(("a", "c")) == model().marginal(("a", "c"))).all()
    for name in DOMAIN.columns:
        expected = corrected.marginal((name,)) / 20_000
        assert np.abs(shares_of(drawn, (name,)) - expected).sum() < 0.005
        assert drawn[name].shape == (20_000,)


def test_a_correction_of_nothing_but_noise_is_hardly_believed():
    wild = np.random.default_rng(0).normal(0, 10, (3, 4))
    drawn = model([Correction(clique=("a", "c"), shares=wild, stddev=10.0)]).sample(
        20_000, np.random.default_rng(0)
    )
    expected = model().marginal(("a", "c")) / 20_000
    assert np.abs(shares_of(drawn, ("a", "c")) - expected).sum() < 0.2


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_any_number_of_rows_can_be_drawn(rows):
    corrected = model([Correction(clique=("a", "c"), shares=outside(), stddev=1e-4)])
    drawn = corrected.sample(rows, np.random.default_rng(0))
    assert all(codes.size == rows for codes in drawn.values())


def test_corrections_survive_being_written():
    corrected = model([Correction(clique=("a", "c"), shares=outside(), stddev=1e-4)])
    header, arrays = corrected.to_arrays()
    read = GraphicalModel.from_arrays(json.loads(json.dumps(header)), arrays)
    assert read.domain == DOMAIN
    for name, codes in corrected.sample(500, np.random.default_rng(1)).items():
        assert (read.sample(500, np.random.default_rng(1))[name] == codes).all()
    arrays["correction_0"] = arrays["correction_0"][:2]
    with pytest.raises(IntegrityError, match="correction does not fit"):
        GraphicalModel.from_arrays(header, arrays)


@pytest.mark.parametrize(
    ("shares", "stddev", "message"),
    [(np.ones(4), 1.0, "one axis"), (np.full((3, 4), np.nan), 1.0, "finite"),
     (np.ones((3, 4)), 0.0, "above 0")],
)  # fmt: skip
def test_a_correction_is_checked_when_made(shares, stddev, message):
    with pytest.raises(ValueError, match=message):
        Correction(clique=("a", "c"), shares=shares, stddev=stddev)


@pytest.mark.parametrize("given", [{"a": 2}, {"c": 3}, {"a": 0, "c": 1}, {"b": 1, "c": 0}])
def test_conditional_samples_follow_the_conditional_distribution(given):
    first, second = tables()
    joint = first[:, :, None] * (second / second.sum(1, keepdims=True))[None]
    drawn = model().sample(40_000, np.random.default_rng(5), given=given)
    expected = joint.copy()
    for axis, name in enumerate(DOMAIN.columns):
        if name in given:
            assert (drawn[name] == given[name]).all()
            other = np.arange(DOMAIN.sizes[name]) != given[name]
            expected[(slice(None),) * axis + (other,)] = 0
    found = shares_of(drawn, DOMAIN.columns)
    assert np.abs(found - expected / expected.sum()).sum() < 0.01


def test_a_rare_cohort_can_be_drawn():
    first = np.array([[1e-5, 0.4], [0.3, 0.29999]])
    rare = GraphicalModel(
        domain=Domain(sizes={"x": 2, "y": 2}), total=1e6, probabilities={("x", "y"): first}
    )
    drawn = rare.sample(1_000, np.random.default_rng(0), given={"x": 0, "y": 0})
    assert (drawn["x"] == 0).all()
    assert (drawn["y"] == 0).all()


def test_what_cannot_be_given_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(KeyError, match="nobody"):
        model().sample(1, rng, given={"nobody": 0})
    with pytest.raises(ValueError, match="no code 9"):
        model().sample(1, rng, given={"a": 9})
    never = GraphicalModel(
        domain=Domain(sizes={"x": 2, "y": 2}),
        total=1.0,
        probabilities={("x", "y"): np.array([[0.0, 0.5], [0.5, 0.0]])},
    )
    with pytest.raises(ValueError, match="impossible"):
        never.sample(1, rng, given={"x": 0, "y": 0})


def test_the_likelihood_of_every_record_is_that_of_the_joint():
    first, second = tables()
    joint = first[:, :, None] * (second / second.sum(1, keepdims=True))[None]
    records = np.indices(joint.shape).reshape(3, -1)
    found = model().log_likelihood(dict(zip(DOMAIN.columns, records, strict=True)))
    assert found == pytest.approx(np.log(joint.ravel()))


def test_an_impossible_record_has_no_likelihood():
    never = GraphicalModel(
        domain=Domain(sizes={"x": 2, "y": 2, "z": 2}),
        total=1.0,
        probabilities={
            ("x", "y"): np.array([[0.5, 0.0], [0.5, 0.0]]),
            ("y", "z"): np.diag([1.0, 0.0]),
        },
    )
    record = {name: np.array([code]) for name, code in {"x": 0, "y": 1, "z": 1}.items()}
    assert never.log_likelihood(record)[0] == -np.inf


@pytest.mark.parametrize("given", [{"a": 2}, {"a": 0, "c": 1}])
def test_conditional_samples_do_not_know_the_corrections(given):
    corrected = model([Correction(clique=("a", "c"), shares=outside(1.0), stddev=1e-6)])
    drawn = corrected.sample(3_000, np.random.default_rng(0), given=given)
    for name, codes in model().sample(3_000, np.random.default_rng(0), given=given).items():
        assert (drawn[name] == codes).all()


def test_few_rows_follow_a_correction_on_average():
    """Seven rows at a time, 150 times. False alarms: below 1e-4 (a chi-square of 12 cells).

    Weighting only the seven rows that are left could not follow it.
    """
    wanted = outside(1.0)
    corrected = model([Correction(clique=("a", "c"), shares=wanted, stddev=1e-6)])
    runs = [corrected.sample(7, np.random.default_rng(seed)) for seed in range(150)]
    found = np.mean([shares_of(drawn, ("a", "c")) for drawn in runs], axis=0)
    assert (1_050 * (found - wanted) ** 2 / wanted).sum() < 37.4


def test_factors_fitted_to_some_of_the_rows_serve_for_all(monkeypatch):
    wanted = outside(1.0)
    corrected = model([Correction(clique=("a", "c"), shares=wanted, stddev=1e-6)])
    monkeypatch.setattr(raking, "_FIRST_ROWS", 1_000)
    drawn = corrected.sample(20_000, np.random.default_rng(0))
    assert np.abs(shares_of(drawn, ("a", "c")) - wanted).sum() < 0.01


WIDE = Domain(sizes={f"c{at}": 4 for at in range(12)})


def unrelated(corrections):
    even = np.full(4, 0.25)
    return GraphicalModel(
        domain=WIDE,
        total=20_000.0,
        probabilities={(name,): even for name in WIDE.columns},
        corrections=corrections,
    )


def twisted(seed, size):
    """A table with even margins and a relation of this size; with noise it could look like it."""
    noise = np.random.default_rng(seed).normal(size=(4, 4))
    noise -= noise.mean(0)
    noise -= noise.mean(1, keepdims=True)
    return np.maximum(1 / 16 + size * noise / np.abs(noise).max() / 16, 1e-4)


PAIRS = list(combinations(WIDE.columns, 2))


def pair_error(drawn, wanted, pairs=PAIRS):
    """Mean distance of pair tables from what they should be: even, where nothing is wanted."""
    found = []
    for pair in pairs:
        place = np.ravel_multi_index(tuple(drawn[name] for name in pair), (4, 4))
        shares = np.bincount(place, minlength=16).reshape(4, 4) / place.size
        found.append(np.abs(shares - wanted.get(pair, np.full((4, 4), 1 / 16))).sum() / 2)
    return np.mean(found)


def test_weights_that_add_more_noise_than_they_move_are_not_used(monkeypatch):
    """Far more relations than so few rows can carry: all other pairs would pay for them."""
    asked, others = PAIRS[::2], PAIRS[1::2]
    given = [
        Correction(clique=pair, shares=twisted(at, 0.9), stddev=1e-6)
        for at, pair in enumerate(asked)
    ]
    drawn = unrelated(given).sample(3_000, np.random.default_rng(0))
    plain = pair_error(unrelated([]).sample(3_000, np.random.default_rng(0)), {}, others)
    assert pair_error(drawn, {}, others) < 1.3 * plain
    monkeypatch.setattr(raking, "pays", lambda *_: True)
    forced = unrelated(given).sample(3_000, np.random.default_rng(0))
    assert pair_error(forced, {}, others) > 2 * plain


def test_weights_that_move_more_than_they_add_are_used():
    wanted = {("c0", "c1"): twisted(0, 0.9), ("c4", "c7"): twisted(1, 0.9)}
    asked = [Correction(clique=c, shares=s, stddev=1e-6) for c, s in wanted.items()]
    drawn = unrelated(asked).sample(20_000, np.random.default_rng(0))
    plain = unrelated([]).sample(20_000, np.random.default_rng(0))
    assert pair_error(drawn, wanted) < 0.6 * pair_error(plain, wanted)


def test_what_a_clique_holds_is_followed_whether_or_not_weights_pay(monkeypatch):
    inside = Correction(clique=("a", "b"), shares=tables()[0], stddev=1e-6)
    beyond = Correction(clique=("a", "c"), shares=outside(1.0), stddev=1e-6)
    monkeypatch.setattr(raking, "pays", lambda *_: False)
    refused = model([beyond, inside]).sample(5_000, np.random.default_rng(0))
    alone = model([inside]).sample(5_000, np.random.default_rng(0))
    for name in DOMAIN.columns:
        assert (refused[name] == alone[name]).all()


def test_rounds_end_where_less_is_moved_than_drawing_rows_moves(monkeypatch):
    """What the tree holds already takes a round or two, however surely it is to be held."""
    steps = []
    made = raking._step
    monkeypatch.setattr(raking, "_step", lambda *given: steps.append(1) or made(*given))
    first, _ = tables()
    held = model([Correction(clique=("a", "b"), shares=first, stddev=1e-6)])
    held.sample(20_000, np.random.default_rng(0))
    assert len(steps) <= 2
    beyond = model([Correction(clique=("a", "c"), shares=outside(1.0), stddev=1e-6)])
    beyond.sample(20_000, np.random.default_rng(0))
    assert len(steps) > 2


def test_the_first_rows_tell_what_noise_weights_add_to_all(monkeypatch):
    """Noise falls with the root of rows: a quarter of them tells of all, up to a few percent."""
    rng = np.random.default_rng(0)
    domain = Domain(sizes=dict.fromkeys("abcdef", 8))
    codes = {name: rng.integers(0, 8, 40_000).astype(np.uint8) for name in domain.columns}
    weights = np.exp(rng.standard_normal(40_000))
    weights *= 40_000 / weights.sum()
    pairs = list(combinations(domain.columns, 2))
    every = raking._added_noise(weights, pairs, codes, domain)
    monkeypatch.setattr(raking, "_MOST_CANDIDATES", 10_000)
    assert raking._added_noise(weights, pairs, codes, domain) == pytest.approx(every, rel=0.2)
    assert every > 0
    assert raking._added_noise(np.ones(40_000), pairs, codes, domain) == pytest.approx(0, abs=1e-6)
