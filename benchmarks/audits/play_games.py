"""Hundreds of fits in each of two worlds, on a narrow table: what do the games show?

    python benchmarks/audits/play_games.py [NAME ...] [--runs 320] [--epsilon 4] [--seed 0]

For every registered synthesizer that trains no network, or those that are named, a line a game:
how many runs were called wrongly, the p-value of the claim, the lower bound on epsilon at 95 % with
the ceiling of so many runs, and the smallest factor of too little noise that would have been
rejected with 95 % power. A table of two columns, persons of three rows, delta 1e-9. One thread:
``OMP_NUM_THREADS=1``.
"""

import argparse
import sys
import time
from typing import Any

import dpsynth
from attacks.conformance.game import GameResult, games, status_of
from dpsynth.schema import Schema
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep

NARROW: dict[str, Any] = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 4},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "pid", "kind": "identifier"},
    ],
    "unit": {"kind": "person", "column": "pid", "max_rows": 3},
}


def line(name: str, found: GameResult) -> str:
    """Write one game."""
    exact, gaussian = found.bounds
    factor = "-" if found.detectable is None else f"{found.detectable:.2f}"
    return (
        f"{name:12} {found.name.removeprefix('game/'):20} "
        f"{found.false_positives:6} of {found.runs_out:6} {found.false_negatives:6} of "
        f"{found.runs_in:6} p {found.p_value:5.3f} epsilon >= {exact.value:5.3f} "
        f"({gaussian.value:5.3f} if Gaussian; at most {exact.ceiling:5.2f}) factor {factor}"
    )


def main() -> int:
    """Print a line a game, and a line a synthesizer."""
    marginal = [
        name for name in sorted(registry.BUILT_IN) if not issubclass(registry.get(name), Deep)
    ]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=marginal)
    parser.add_argument("--runs", type=int, default=320)
    parser.add_argument("--epsilon", default="4")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    schema = Schema.from_dict(NARROW)
    for name in given.names:
        synthesizer = dpsynth.synthesizer(name)
        plan = synthesizer.plan(schema, epsilon=given.epsilon, delta="1/1000000000")
        began = time.process_time()
        results = games(synthesizer, plan, schema, runs=given.runs, seed=given.seed)
        took = time.process_time() - began
        for found in results:
            sys.stdout.write(line(name, found) + "\n")
        sys.stdout.write(f"{name:12} {status_of(results)}, {took:.1f} CPU seconds\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
