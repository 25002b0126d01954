"""What keeps `auto` from getting nearer? Errors with a part of its noise taken away.

    python benchmarks/limits.py noise|shares|area [--seeds 300-309]

``noise``: distances of low-order tables, with the noise of one phase after the other gone while all
else stays: the same bill, the same number of questions. No mechanism can do that; what is left is
what the questions, or the model, cannot tell. ``shares``: distances against the histograms' share
of the budget, beside those of `mst`. ``area``: of gradient boosting that learnt income from
synthetic rows. Tables: adult_discrete under DPSYNTH_DATA, RAND HIE from statsmodels.
One thread: ``OMP_NUM_THREADS=1``. The histograms' share at large budgets and the number
of answers were chosen on these seeds; no other figure is from them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.bench import metrics, runner_own
from dpsynth.bench.coded import CodedTable
from dpsynth.bench.datasets import Dataset, load
from dpsynth.privacy.mechanisms import DiscreteGaussian
from dpsynth.synthesizers.loom_bill import Bill

DELTA = "1e-9"
PARTS = ("", "distances", "tables", "tables distances", "histograms")
SHARES = (None, "1/5", "2/5", "1/2")
_TESTED = 0.2  # of the rows, as the protocol of the suites has it


@dataclass(frozen=True, kw_only=True)
class _Silent(DiscreteGaussian):
    """Charged like noise, and adds none: for what-if runs on public tables."""

    def release(self, counts: Any, *, rng: Any) -> Any:  # noqa: ARG002  # nothing is drawn
        return np.asarray(counts, dtype=np.int64)


@contextmanager
def without(parts: str) -> Iterator[None]:
    """Take the noise of some phases of `auto` away."""
    original = Bill.split

    def quiet(mechanism: Any) -> Any:
        return _Silent(sigma_squared=mechanism.sigma_squared)

    def split(*given: Any, **named: Any) -> Bill:
        bill = original(*given, **named)
        named_parts = parts.split()
        if "histograms" in named_parts:
            noise = {name: quiet(each) for name, each in bill.one_way.noise.items()}
            bill = replace(bill, one_way=replace(bill.one_way, noise=noise))
        if "distances" in named_parts:
            bill = replace(bill, scoring=quiet(bill.scoring))
        if "tables" in named_parts:
            bill = replace(bill, measuring=quiet(bill.measuring))
        return bill

    Bill.split = staticmethod(split)  # type: ignore[method-assign,assignment]  # a what-if
    try:
        yield
    finally:
        Bill.split = original  # type: ignore[method-assign]


def tables() -> dict[str, CodedTable]:
    """Load both tables."""
    folder = Path(__file__).parent / "suites"
    adult = load(Dataset(name="adult_discrete"), folder=folder)
    return {
        "adult_discrete": adult,
        "randhie": load(Dataset(name="randhie", package="statsmodels"), folder=folder),
    }


def drawn(
    table: CodedTable, name: str, epsilon: str, seed: int, **settings: Any
) -> dict[str, np.ndarray[Any, Any]]:
    """Fit once and sample once."""
    job = {
        "name": name,
        "settings": settings,
        "epsilon": epsilon,
        "delta": DELTA,
        "sizes": dict(table.sizes),
        "ordered": list(table.ordered),
        "seed": seed,
    }
    rows = runner_own.synthesize(job, pd.DataFrame({k: table.codes[k] for k in table.sizes}))
    return {column: rows[column].to_numpy() for column in table.sizes}


def noise(seeds: Sequence[int]) -> Iterator[str]:
    """Tabulate distances by what has no noise."""
    yield f"{'table':>14} {'epsilon':>7} {'without the noise of':>20}   tvd1   tvd2   tvd3"
    for name, table in tables().items():
        for epsilon in ("1/10", "1", "10"):
            for parts in PARTS:
                with without(parts):
                    found = [
                        metrics.distances(
                            table.codes, drawn(table, "auto", epsilon, seed), table.sizes
                        )
                        for seed in seeds
                    ]
                yield f"{name:>14} {epsilon:>7} {parts or '-':>20} {_means(found)}"


def shares(seeds: Sequence[int]) -> Iterator[str]:
    """Tabulate distances by the histograms' share, and how far tvd1 is from that of `mst`."""
    yield f"{'table':>14} {'epsilon':>7} {'share':>5}   tvd1   tvd2   tvd3  tvd1 over mst's, 95 %"
    for name, table in tables().items():
        for epsilon in ("1", "10"):
            tree = [
                metrics.distances(table.codes, drawn(table, "mst", epsilon, seed), table.sizes)
                for seed in seeds
            ]
            yield f"{name:>14} {epsilon:>7} {'mst':>5} {_means(tree)}"
            for share in SHARES:
                settings = {} if share is None else {"one_way_share": Fraction(share)}
                found = [
                    metrics.distances(
                        table.codes, drawn(table, "auto", epsilon, seed, **settings), table.sizes
                    )
                    for seed in seeds
                ]
                apart = np.array([a["tvd1"] - b["tvd1"] for a, b in zip(found, tree, strict=True)])
                apart /= np.mean([each["tvd1"] for each in tree])
                wide = 1.96 * apart.std(ddof=1) / apart.size**0.5
                yield (
                    f"{name:>14} {epsilon:>7} {share or '-':>5} {_means(found)}"
                    f"  {apart.mean():+.3f} +- {wide:.3f}"
                )


def area(seeds: Sequence[int]) -> Iterator[str]:
    """Tabulate areas under the curve on rows that nothing was fitted to."""
    table = tables()["adult_discrete"]
    yield f"{'epsilon':>7} {'without the noise of':>26}   area"
    halves = [_halves(table, seed) for seed in seeds]
    real = [metrics.target_auc(train.codes, test) for train, test in halves]
    yield f"{'-':>7} {'(real rows)':>26} {np.mean(real):.4f} +- {np.std(real, ddof=1):.4f}"
    for epsilon in ("1", "10"):
        for parts in ("", "tables", "histograms distances tables"):
            with without(parts):
                found = [
                    metrics.target_auc(
                        drawn(train, "auto", epsilon, seed, target=table.target), test
                    )
                    for seed, (train, test) in zip(seeds, halves, strict=True)
                ]
            spread = np.std(found, ddof=1)
            yield f"{epsilon:>7} {parts or '-':>26} {np.mean(found):.4f} +- {spread:.4f}"


def _halves(table: CodedTable, seed: int) -> tuple[CodedTable, CodedTable]:
    rows = np.random.default_rng(seed).permutation(table.rows)
    tested = round(_TESTED * table.rows)
    return table.take(rows[tested:]), table.take(rows[:tested])


def _means(found: Sequence[dict[str, float]]) -> str:
    return " ".join(
        f"{np.mean([each[name] for each in found]):.4f}" for name in ("tvd1", "tvd2", "tvd3")
    )


MODES: dict[str, Callable[[Sequence[int]], Iterator[str]]] = {
    "noise": noise,
    "shares": shares,
    "area": area,
}


def main() -> int:
    """Print one table, and what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("mode", choices=tuple(MODES))
    parser.add_argument("--seeds", default="300-309", help="FIRST-LAST")
    given = parser.parse_args()
    first, last = (int(each) for each in given.seeds.split("-"))
    began = time.process_time()
    for line in MODES[given.mode](range(first, last + 1)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"{time.process_time() - began:.0f} CPU seconds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
