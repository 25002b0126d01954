"""Drive mbi; executed by its own Python, through the harness.

The package estimates and samples; it ships no mechanism. "mst" here is the algorithm of "Winning
the NIST Contest" over its estimation: a third of rho each for histograms, choice of a tree, and the
tree's tables; levels below three standard deviations are merged. "independent" has histograms
alone. Its sampling takes no seed. Noise is numpy's Gaussian, in floating point: a peer to measure,
not one to release with.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

_RARE = 3


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    import jax

    # As its authors advise; both before the first computation.
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_enable_compilation_cache", False)
    import mbi.estimation

    assert name in ("independent", "mst")
    assert hasattr(mbi.estimation, "MirrorDescent")
    return {package: version(package) for package in ("mbi", "jax", "numpy")}


def synthesize(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Fit once, draw as many rows as there were."""
    import mbi

    rng = np.random.default_rng(job["seed"])
    rho, sizes = job["rho"], dict(job["sizes"])
    columns = list(sizes)
    iterations = int(job["settings"].get("iterations", 1_000))
    tree = job["name"] == "mst"
    sigma = sqrt(len(columns) / (2 * rho * (1 / 3 if tree else 1)))
    groups, histograms = {}, {}
    for name, size in sizes.items():
        counts = np.bincount(frame[name], minlength=size) + rng.normal(0, sigma, size)
        groups[name], histograms[name] = _merged(counts, sigma) if tree else (None, counts)
    coded = {
        name: frame[name].to_numpy() if groups[name] is None else groups[name][frame[name]]
        for name in columns
    }
    domain = mbi.Domain(columns, [len(histograms[name]) for name in columns])
    data = mbi.Dataset(coded, domain)
    measured = [
        mbi.LinearMeasurement(held, (name,), stddev=sigma) for name, held in histograms.items()
    ]
    if tree:
        model = _fitted(domain, measured, iterations)
        pairs = _tree(model, data, columns, rho=rho / 3, rng=rng)
        sigma = sqrt(len(pairs) / (2 * rho / 3))
        for pair in pairs:
            counts = np.asarray(data.project(pair).datavector())
            noisy = counts + rng.normal(0, sigma, counts.size)
            measured.append(mbi.LinearMeasurement(noisy, pair, stddev=sigma))
    model = _fitted(domain, measured, iterations)
    drawn = model.synthetic_data(rows=len(frame)).to_dict()
    return pd.DataFrame({name: _expanded(drawn[name], groups[name], rng) for name in columns})


def _fitted(domain: Any, measured: Sequence[Any], iterations: int) -> Any:
    from mbi import estimation

    return estimation.MirrorDescent().estimate(domain, list(measured), iters=iterations)


def _merged(counts: Any, sigma: float) -> tuple[Any, Any]:
    """Return the group of every level and the noisy counts of the groups."""
    kept = np.flatnonzero(counts >= _RARE * sigma)
    if len(kept) >= len(counts) - 1:
        return None, counts
    groups = np.full(len(counts), len(kept), dtype=np.int64)
    groups[kept] = np.arange(len(kept))
    return groups, np.bincount(groups, weights=counts)


def _expanded(codes: Any, groups: Any, rng: np.random.Generator) -> Any:
    """Draw a level of each group, evenly."""
    codes = np.asarray(codes, dtype=np.int64)
    if groups is None:
        return codes
    found = np.empty_like(codes)
    for group in np.unique(codes):
        rows = np.flatnonzero(codes == group)
        found[rows] = rng.choice(np.flatnonzero(groups == group), size=len(rows))
    return found


def _tree(
    model: Any, data: Any, columns: Sequence[str], *, rho: float, rng: np.random.Generator
) -> list[tuple[str, str]]:
    """Choose a spanning tree by exponential selection, each edge by its distance from the model."""
    epsilon = sqrt(8 * rho / (len(columns) - 1))
    scores = {
        pair: float(
            np.abs(
                np.asarray(model.project(pair).datavector())
                - np.asarray(data.project(pair).datavector())
            ).sum()
        )
        for pair in combinations(columns, 2)
    }
    parts = {name: {name} for name in columns}
    chosen: list[tuple[str, str]] = []
    while len(chosen) < len(columns) - 1:
        allowed = [pair for pair in scores if parts[pair[0]] is not parts[pair[1]]]
        noisy = [epsilon / 2 * scores[pair] + rng.gumbel() for pair in allowed]
        pair = allowed[int(np.argmax(noisy))]
        chosen.append(pair)
        joined = parts[pair[0]] | parts[pair[1]]
        for name in joined:
            parts[name] = joined
    return chosen
