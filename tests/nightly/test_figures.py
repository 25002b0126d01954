"""The figures that the first release promised, on the real tables; by hand, `nox -s nightly`.

The tables are found under DPSYNTH_DATA (default: ../shared/data beside the repository) and are not
part of it. Budgets are generous against a busy machine; docs/reference/performance.md has what was
measured.
"""

import json
import os
import resource
import subprocess
import sys
import time
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.schema.importer import import_schema

ROOT = Path(dpsynth.__file__).parent.parent
DATA = Path(os.environ.get("DPSYNTH_DATA", ROOT.parent / "shared" / "data"))
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not DATA.is_dir(), reason="no shared data folder"),
]
RUNS = 5


def counts(codes, sizes, clique):
    place = np.ravel_multi_index([codes[name] for name in clique], [sizes[n] for n in clique])
    return np.bincount(place, minlength=int(np.prod([sizes[name] for name in clique])))


def distance(real, synthetic, sizes, width):
    """Mean total variation over all cliques of that width."""
    found = []
    for clique in combinations(sizes, width):
        one, two = counts(real, sizes, clique), counts(synthetic, sizes, clique)
        found.append(np.abs(one / one.sum() - two / two.sum()).sum() / 2)
    return float(np.mean(found))


def test_mst_on_adult_discrete(tmp_path):
    schema = import_schema(DATA / "adult_discrete.json")
    sizes = json.loads((DATA / "adult_discrete-domain.json").read_text())
    table = pd.read_parquet(DATA / "adult_discrete.parquet")
    assert list(table.columns) == list(sizes)
    real = {name: table[name].to_numpy() for name in sizes}
    pairs, triples, seconds = [], [], []
    for run in range(RUNS):
        ledger = dpsynth.Ledger.create(
            tmp_path / f"{run}.ledger", cap_epsilon=Fraction(2), cap_delta=Fraction(1, 10**9)
        )
        start = time.process_time()
        model = dpsynth.MST().fit(table, schema=schema, epsilon=1, delta=1e-9, ledger=ledger)
        drawn = model.sample()
        seconds.append(time.process_time() - start)
        synthetic = {name: drawn[name].to_numpy() for name in sizes}
        pairs.append(distance(real, synthetic, sizes, 2))
        triples.append(distance(real, synthetic, sizes, 3))
    assert np.mean(pairs) <= 0.053
    assert np.mean(triples) <= 0.117
    assert min(seconds) < 1


@pytest.mark.parametrize(
    ("name", "max_rows", "most_seconds", "most_mebibytes"),
    [("adult", None, 30, 800), ("diabetes130", 5, 60, 1200)],
)
def test_a_release_from_the_raw_table(name, max_rows, most_seconds, most_mebibytes, tmp_path):
    schema = import_schema(DATA / f"{name}.json", max_rows=max_rows)
    if schema.open_items():
        schema = schema.confirm(reason="a list of the vendor", source="the vendor's manual")
    schema.write(tmp_path / "schema.toml")
    dpsynth.Ledger.create(
        tmp_path / "ledger", cap_epsilon=Fraction(2), cap_delta=Fraction(1, 10**9)
    ).close()
    command = [sys.executable, "-m", "dpsynth", "release", DATA / f"{name}.parquet"]
    command += ["--schema", tmp_path / "schema.toml", "--synthesizer", "mst", "--epsilon", "1"]
    command += ["--delta", "1e-9", "--ledger", tmp_path / "ledger", "--out", tmp_path / "release"]
    start = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "DPSYNTH_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < most_seconds
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert peak < most_mebibytes
    table = pd.read_parquet(DATA / f"{name}.parquet")
    exact = {str(len(table))}
    if schema.unit.column is not None:
        exact.add(str(table[schema.unit.column].nunique()))
    for file in (tmp_path / "release" / "public").rglob("*.*"):
        if file.suffix in {".json", ".toml", ".html", ".md"}:
            text = file.read_text(encoding="utf-8").replace(",", "")
            assert not any(count in text for count in exact), file.name
