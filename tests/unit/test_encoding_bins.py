from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from dpsynth.domain import PrivacyUnit
from dpsynth.encoding import base_domain, codec, codecs
from dpsynth.encoding.bins import PrivateBins, cut, denoise
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import PrivacyRandom
from dpsynth.schema import ContinuousColumn, IntegerColumn, Schema
from dpsynth.sources.frame import FrameSource

MONEY = ContinuousColumn(name="cost", bounds=(0, 100_000))
SCHEMA = Schema(
    columns=(
        MONEY,
        IntegerColumn(name="year", nullable=True),
        IntegerColumn(name="age", bounds=(0, 90)),
    )
)
RHO = Fraction(1, 100)


def curator_of(codes, ledger):
    account = ledger.open_release(rho=RHO, seeded=False)
    source = FrameSource(codes, base_domain(SCHEMA))
    return Curator(source, unit=PrivacyUnit(), account=account, rng=PrivacyRandom())


def codes_of(rows):
    rng = np.random.default_rng(0)
    sizes = base_domain(SCHEMA).sizes
    return {name: rng.integers(0, size, rows) for name, size in sizes.items()}


def test_the_bill_is_the_plan_and_adds_up():
    ledger = Ledger.in_memory(cap_epsilon=Fraction(10), cap_delta=Fraction(1, 10**6))
    steps = PrivateBins().steps(SCHEMA, unit=PrivacyUnit(), rho=RHO)
    assert [step.label for step in steps] == ["bins(cost)", "bins(year)"]
    assert sum(step.rho for step in steps) == RHO
    learned = PrivateBins().learn(curator_of(codes_of(1000), ledger), SCHEMA, rho=RHO)
    entries = ledger.entries()
    assert [entry.event for entry in entries] == [step.event for step in steps]
    assert [entry.label for entry in entries] == [step.label for step in steps]
    assert set(learned) == {"cost", "year"}
    for name, found in learned.items():
        assert found.groups.size == base_domain(SCHEMA).sizes[name]
        assert found.size <= PrivateBins().domain(SCHEMA).sizes[name]


def test_nothing_is_charged_where_nothing_needs_bins():
    ledger = Ledger.in_memory(cap_epsilon=Fraction(10), cap_delta=Fraction(1, 10**6))
    schema = Schema(columns=(IntegerColumn(name="age", bounds=(0, 90)),))
    assert PrivateBins().steps(schema, unit=PrivacyUnit(), rho=RHO) == ()
    curator = curator_of(codes_of(5), ledger)
    assert PrivateBins().learn(curator, schema, rho=RHO) == {}
    assert list(ledger.entries()) == []


def histogram(values, column=MONEY):
    tool = codec(column)
    return np.bincount(tool.grid.locate(values), minlength=tool.size).astype(np.int64), tool


def test_the_same_noisy_histogram_gives_the_same_bins():
    counts, tool = histogram(np.random.default_rng(0).lognormal(6, 2, 5000))
    one, two = (cut(counts, tool, bins=32, stddev=5.0) for _ in range(2))
    assert np.array_equal(one.groups, two.groups)
    assert np.array_equal(one.weights, two.weights)


def test_zero_and_other_spikes_have_bins_of_their_own():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(6000), np.full(1500, 99_999.0), rng.lognormal(6, 1, 2500)])
    counts, tool = histogram(values)
    found = cut(counts, tool, bins=16, stddev=10.0)
    zero, top = tool.grid.locate(np.array([0.0, 99_999.0]))
    for spike in (zero, top):
        fellows = np.flatnonzero(found.groups == found.groups[spike])
        assert found.weights[spike] > 0.99
        assert counts[fellows].sum() - counts[spike] <= 0.01 * counts[spike]
    assert found.size <= 16


def test_bins_are_contiguous_and_hold_about_the_same():
    values = np.random.default_rng(0).normal(50_000, 10_000, 20_000)
    counts, tool = histogram(values)
    found = cut(counts, tool, bins=10, stddev=2.0)
    assert np.all(np.diff(found.groups) >= 0)
    assert np.all(np.diff(found.groups) <= 1)
    held = np.bincount(found.groups, weights=counts)
    # Cells hold at most 312 of the 20,000 values (a 256th of the range at the peak), so no bin
    # of 2,000 is further off than two cells.
    assert held.min() > 1000
    assert held.max() < 3000


def test_missing_stays_apart():
    column = ContinuousColumn(name="cost", bounds=(0, 100_000), nullable=True)
    tool = codec(column)
    counts = np.zeros(tool.size, dtype=np.int64)
    counts[[0, 5, -1]] = 1000
    found = cut(counts, tool, bins=8, stddev=1.0)
    assert np.flatnonzero(found.groups == found.groups[-1]).tolist() == [tool.size - 1]
    assert found.groups[-1] == found.size - 1


@pytest.mark.parametrize("level", [0, -5])
def test_an_empty_table_still_has_bins(level):
    tool = codec(MONEY)
    found = cut(np.full(tool.size, level, dtype=np.int64), tool, bins=32, stddev=3.0)
    assert 1 <= found.size <= 32


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bins", [2, 3, 32])
def test_never_more_bins_than_asked(seed, bins):
    rng = np.random.default_rng(seed)
    tool = codec(MONEY)
    counts = np.rint(rng.normal(0, 10, tool.size) + rng.pareto(0.5, tool.size)).astype(np.int64)
    found = cut(np.minimum(counts, 10**9), tool, bins=bins, stddev=10.0)
    assert found.size <= bins


def test_denoising_keeps_quantiles_and_makes_no_rows_out_of_noise():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(5000), rng.lognormal(5, 1, 5000)])
    counts, _ = histogram(values)
    noisy = counts + rng.normal(0, 20, counts.size)
    cleaned = denoise(noisy, stddev=20.0)
    assert cleaned.min() >= 0
    error = np.abs(np.cumsum(cleaned) / cleaned.sum() - np.cumsum(counts) / counts.sum()).max()
    assert error < 0.03
    # What the noise alone would bring: half of 330 cells at 16 rows each, a quarter of the table.
    clipped = np.maximum(noisy, 0)
    assert np.abs(np.cumsum(clipped) / clipped.sum() - np.cumsum(counts) / counts.sum()).max() > 0.1
    nothing = denoise(rng.normal(0, 20, 512), stddev=20.0)
    assert nothing.sum() < 20 * 20


def test_too_few_bins_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        PrivateBins(bins=1)


def test_noise_far_out_makes_no_fortune():
    """Without declared bounds the grid reaches to 2**40; means must not live there."""
    column = {"name": "x", "kind": "continuous"}
    schema = Schema.from_dict({"columns": [column]})
    tool = codecs(schema)["x"]
    assert tool.open_ended
    rng = np.random.default_rng(4)
    values = rng.lognormal(3, 2, 20_000)
    exact = np.bincount(tool.encode(pd.Series(values)).codes, minlength=tool.size)
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 30, tool.size).round().astype(np.int64)
        coarsening = cut(exact + noise, tool, bins=32, stddev=30.0)
        drawn = rng.choice(tool.size, 20_000, p=coarsening.weights / coarsening.weights.sum())
        shown = tool.decode(drawn.astype(np.uint16), rng).series()
        assert shown.max() < 10 * values.max()
        assert shown.min() > -100
        assert 10 < shown.median() < 40
