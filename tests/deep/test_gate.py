"""The gate of the generators: trained for seconds, they beat columns on their own, by a margin.

Seeds are fixed and no reported ones: red means that something changed. The full figures are those
of docs/benchmarks/generators.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dpsynth.bench import metrics, runner_own
from dpsynth.bench.datasets import Dataset, load

pytest.importorskip("torch", reason="the generators train with torch: pip install 'dpsynth[deep]'")
pytest.importorskip("statsmodels", reason="the table ships with statsmodels")

RANDHIE = Dataset(name="randhie", package="statsmodels")
SHORT = {"training_steps": 60, "batch": 1_024}  # a tenth of the work of the preset
MARGIN = 0.85  # seen: 0.68, where a network that learns nothing has 1


def error(name, seed, **settings):
    table = load(RANDHIE, folder=Path())
    job = {
        "name": name,
        "settings": settings,
        "epsilon": "1",
        "delta": "1e-9",
        "seed": seed,
        "sizes": dict(table.sizes),
        "ordered": list(table.ordered),
        "expected_rows": 20_000,
    }
    made = runner_own.synthesize(job, pd.DataFrame(dict(table.codes)))
    codes = {column: made[column].to_numpy() for column in table.sizes}
    pairs = metrics.cliques(tuple(table.sizes), 2)
    return metrics.mean_distance(table.codes, codes, table.sizes, pairs)


def test_made_beats_independent_columns():
    made = np.mean([error("made", seed, **SHORT) for seed in (200, 201)])
    alone = np.mean([error("independent", seed) for seed in (200, 201)])
    assert made < MARGIN * alone
