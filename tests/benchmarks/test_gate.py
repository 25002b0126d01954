"""The gate that keeps the small figures: closeness, sampling, memory and time of a fit.

Tables come with packages, so the gate needs no folder of data; tables under DPSYNTH_DATA are tried
as well where they are there. Seeds are fixed and no reported ones: red means that something
changed. The full figures are those of docs/benchmarks.
"""

import json
import os
import time
from fractions import Fraction
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dpsynth.bench import measure, metrics, runner_own
from dpsynth.bench.datasets import Dataset, load
from dpsynth.bench.packaged import PACKAGED
from dpsynth.bench.paired import fixed_work, paired_ratio
from dpsynth.bench.suite import Contender, Suite
from dpsynth.privacy.randomness import PrivacyRandom
from dpsynth.privacy.samplers import discrete_gaussian

SEEDS = (200, 201)
MANY_COLUMNS = 40  # of which one seed is enough, as at epsilon 10
FEW_ROWS = 4_000  # below, at epsilon 1, a tree is no better than its columns; auto must still be
FIXED_SHARES = ("aim", "mst", "privbayes")  # of the budget, for more than the columns
NOT_YET = {("auto", "nhefs", "1")}  # 1,629 rows, 65 columns: 4 % above
BASELINE = Path(__file__).with_name("baseline.json")
SLOWER = 2.0  # than the recorded baseline; repeated on one machine, a ratio moves by a few percent
RANDHIE = Dataset(name="randhie", package="statsmodels")
TABLES = [
    Dataset(name=name, package=package) for package, held in PACKAGED.items() for name in held
]
if os.environ.get("DPSYNTH_DATA"):
    TABLES += [Dataset(name=name) for name in ("adult_discrete", "flchain", "heart_disease")]


@cache
def table(dataset):
    pytest.importorskip({"scikit-learn": "sklearn"}.get(dataset.package, dataset.package or "json"))
    return load(dataset, folder=Path())


def job(name, dataset, *, epsilon="1", seed=200, delta="1e-9", **settings):
    held = table(dataset)
    return {
        "name": name,
        "settings": settings,
        "epsilon": epsilon,
        "delta": delta,
        "seed": seed,
        "sizes": dict(held.sizes),
        "ordered": list(held.ordered),
    }


def frame(dataset):
    return pd.DataFrame(dict(table(dataset).codes))


@cache
def error(name, dataset, epsilon, delta="1e-9"):
    """Mean tvd2 over the seeds."""
    held, pairs = table(dataset), metrics.cliques(tuple(table(dataset).sizes), 2)
    found = []
    for seed in SEEDS if len(held.sizes) < MANY_COLUMNS and epsilon == "1" else SEEDS[:1]:
        given = job(name, dataset, epsilon=epsilon, seed=seed, delta=delta)
        made = runner_own.synthesize(given, frame(dataset))
        codes = {column: made[column].to_numpy() for column in held.sizes}
        found.append(metrics.mean_distance(held.codes, codes, held.sizes, pairs))
    return float(np.mean(found))


@pytest.mark.parametrize("epsilon", ["1", "10"])
@pytest.mark.parametrize("dataset", TABLES, ids=lambda dataset: dataset.name)
@pytest.mark.parametrize("name", ["aim", "auto", "mst", "privbayes"])
def test_beats_independent_columns(name, dataset, epsilon, request):
    if name in FIXED_SHARES and epsilon == "1" and table(dataset).rows < FEW_ROWS:
        pytest.skip("a fixed share pays for tables that so few rows cannot fill")
    if (name, dataset.name, epsilon) in NOT_YET:
        request.applymarker(pytest.mark.xfail(strict=True, reason="not yet"))
    assert error(name, dataset, epsilon) < error("independent", dataset, epsilon)


@pytest.mark.parametrize("epsilon", ["1", "10"])
@pytest.mark.parametrize("dataset", TABLES, ids=lambda dataset: dataset.name)
def test_beats_independent_columns_without_a_delta(dataset, epsilon):
    if table(dataset).rows < FEW_ROWS:
        pytest.skip("pure budgets add up: a fixed share pays for what so few rows cannot fill")
    found, alone = (error(name, dataset, epsilon, "0") for name in ("privbayes", "independent"))
    assert found < alone


def excess(codes, model):
    """Return the largest distance, over all pairs, of sample and model beyond that by chance."""
    found = []
    rows = len(next(iter(codes.values())))
    for pair in combinations(model.domain.columns, 2):
        shares = model.marginal(pair).ravel() / model.total
        place = np.ravel_multi_index([codes[name] for name in pair], model.domain.shape(pair))
        seen = np.bincount(place, minlength=shares.size) / rows
        by_chance = np.sqrt(2 / np.pi * shares * (1 - shares) / rows).sum()
        found.append((np.abs(seen - shares).sum() - by_chance) / 2)
    return max(found)


@pytest.mark.parametrize(
    ("name", "settings"), [("independent", {}), ("mst", {}), ("auto", {"rake": False})]
)
def test_a_sample_agrees_with_its_model_on_every_pair(name, settings):
    """Also on pairs that the model does not hold, such as siblings in its tree.

    False alarms: below 1e-4; half an L1 distance of 20,000 independent rows has a standard
    deviation of at most 0.6 / 2 / sqrt(20,000) = 0.0021, and there are 45 pairs.
    """
    model = runner_own.learn(job(name, RANDHIE, **settings), frame(RANDHIE)).model
    codes = model.sample(20_000, np.random.default_rng(1))
    assert excess(codes, model) < 0.01
    # Two columns drawn in step, though the model says that nothing links them, are noticed.
    one, other = min(
        combinations(model.domain.columns, 2), key=lambda pair: dependence(model.marginal(pair))
    )
    for column in (one, other):
        codes[column] = np.sort(codes[column])
    assert excess(codes, model) > 0.03


def dependence(counts):
    shares = counts / counts.sum()
    return np.abs(shares - np.outer(shares.sum(1), shares.sum(0))).sum()


def peak_mib(tmp_path, name, dataset):
    """Return the peaks of a process that fits and samples, and of one that only resamples."""
    suite = Suite(
        name="memory",
        datasets=(dataset,),
        contenders=(Contender(name=name),),
        epsilon=("1",),
        delta="1e-9",
        seeds=(200,),
    )
    done = measure.run(suite, results=tmp_path / "r.jsonl", peers_folder=tmp_path).records
    held = {each["synthesizer"]: each for each in done}
    assert held[name]["status"] == "ok", held[name]["failure"]
    return held[name]["peak_mib"], held["resample"]["peak_mib"]


@pytest.mark.parametrize(
    ("dataset", "most"),
    [
        (RANDHIE, 60),
        (Dataset(name="60 columns", made="chain", rows=20_000, columns=60, values=10), 250),
        (Dataset(name="survey", made="survey", rows=100_000), 150),
    ],
    ids=lambda value: value.name if isinstance(value, Dataset) else "",
)
def test_memory_stays_small(dataset, most, tmp_path):
    """Beyond what reading and writing the table takes, in MiB; the cap of a fit is 1 GiB."""
    peak, without = peak_mib(tmp_path, "auto", dataset)
    assert peak - without < most
    assert peak < 1024


@pytest.mark.parametrize("name", sorted(json.loads(BASELINE.read_text("utf-8"))["ratios"]))
def test_a_fit_takes_no_longer_than_it_did(name):
    """In units of a fixed piece of work beside it: see tools/fit_baseline.py."""
    recorded = json.loads(BASELINE.read_text(encoding="utf-8"))["ratios"][name]
    rows, given = frame(RANDHIE), job(name, RANDHIE)
    assert paired_ratio(lambda: runner_own.synthesize(given, rows)) < SLOWER * recorded


def test_noise_is_drawn_by_the_million():
    """At least 4 million exact draws a CPU second, at a standard deviation of 50."""
    rng = PrivacyRandom()
    discrete_gaussian(Fraction(2500), size=1_000, rng=rng)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        discrete_gaussian(Fraction(2500), size=500_000, rng=rng)
        seconds.append(time.process_time() - start)
    assert 500_000 / min(seconds) > 4e6


def test_a_slower_fit_would_be_noticed():
    once = paired_ratio(fixed_work)
    several = paired_ratio(lambda: [fixed_work() for _ in range(3)])
    assert once < SLOWER
    assert several > SLOWER * once
