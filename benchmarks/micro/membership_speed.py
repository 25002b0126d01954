"""What the membership attacks cost on a table of the size of a registry.

    DPSYNTH_DATA=... OMP_NUM_THREADS=1 python benchmarks/micro/membership_speed.py

Rows of Adult (15 columns), drawn with replacement, with three cells in twenty drawn anew so that
few are equal: the release, the targets and the population sample. CPU seconds of one pass each, the
searches for neighbors that attacks share on lines of their own, and the largest memory so far.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from attacks.base import Evidence
from attacks.engine.table import CodedTable, by_row
from attacks.membership import close
from attacks.membership.classifier import Classifier
from attacks.membership.density import Density
from attacks.membership.distance import CalibratedDistance, Distance
from attacks.membership.gen_lra import GenLra
from attacks.membership.vulnerable import isolation
from dpsynth.bench.datasets import Dataset, load

REDRAWN = 0.15


def drawn(
    columns: tuple[str, ...], table: CodedTable, rows: int, rng: np.random.Generator
) -> CodedTable:
    """Return rows like those of the table."""
    codes = table.codes[rng.integers(0, len(table), rows)]
    for place in range(len(columns)):
        anew = rng.random(rows) < REDRAWN
        codes[anew, place] = rng.choice(table.codes[:, place], int(anew.sum()))
    return by_row(columns, codes)


def timed(name: str, work: Callable[[], object]) -> float:
    """Run ``work`` once; print and return its CPU seconds."""
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    sys.stdout.write(f"{name:40} {seconds:6.1f} CPU s, {peak:5} MiB at most\n")
    return seconds


def main() -> None:
    """Print a line a search and a line an attack."""
    parser = argparse.ArgumentParser(description="What membership attacks cost.")
    parser.add_argument("--release", type=int, default=100_000, help="released rows")
    parser.add_argument("--targets", type=int, default=20_000, help="persons attacked")
    parser.add_argument("--population", type=int, default=10_000, help="other people")
    given = parser.parse_args()
    held = load(Dataset(name="adult", bins=200), folder=Path())
    columns = tuple(held.codes)
    table = by_row(columns, np.column_stack(list(held.codes.values())).astype(np.int32))
    rng = np.random.default_rng(0)
    evidence = Evidence(
        release=drawn(columns, table, given.release, rng),
        population=drawn(columns, table, given.population, rng),
        sizes=held.sizes,
        ordered={name: name in held.ordered for name in columns},
    )
    targets = drawn(columns, table, given.targets, rng)
    spent = [
        timed("neighbors in the release", partial(close.in_release, evidence, targets)),
        timed("neighbors among other people", partial(close.in_population, evidence, targets)),
        timed("other people by released row", partial(close.of_release, evidence)),
    ]
    attacks = (Distance(), CalibratedDistance(), Density(), GenLra(), Classifier())
    spent += [timed(each.name, partial(each.score, evidence, targets)) for each in attacks]
    spent.append(timed("the most isolated", partial(isolation, evidence, targets)))
    sys.stdout.write(f"{'all':40} {sum(spent):6.1f} CPU s\n")


if __name__ == "__main__":
    main()
