"""What does each audit of a mechanism take, and what would it have seen? See how-we-know.md.

    python benchmarks/audits/each_audit.py [SYNTHESIZER ...]

Puts synthesizers on trial on made-up rows of one small schema, at epsilon 1 and delta 1e-9, with as
many fits and pairs as ``attacks.conformance.run``, and prints CPU seconds by audit, how many checks
there were, how many failed, and the smallest fault that checks say they would have seen. What
several audits share (fits, replays) counts for the first that needs it. One thread:
``OMP_NUM_THREADS=1``.
"""

import sys
import time
from typing import Any

import dpsynth
from attacks.conformance.audits import run
from attacks.conformance.checks import FAILED
from attacks.conformance.trial import Trial

SCHEMA: dict[str, Any] = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "bins": 8},
        {"name": "pid", "kind": "identifier"},
    ],
    "unit": {"kind": "person", "column": "pid", "max_rows": 3},
    "expected_rows": 1000,
}
NAMES = ("auto", "aim", "mst", "privbayes", "direct", "independent")
SEED = 1


def put(name: str) -> None:
    """Put one synthesizer on trial and print a line an audit."""
    trial = Trial(
        synthesizer=dpsynth.synthesizer(name),
        schema=dpsynth.Schema.from_dict(SCHEMA),
        epsilon="1",
        delta="1/1000000000",
        seed=SEED,
    )
    for found in run(trial):
        seen = [check.detectable for check in found.checks if check.detectable is not None]
        failed = sum(check.status == FAILED for check in found.checks)
        shown = f"{min(seen):.2f} to {max(seen):.2f}" if seen else "-"
        sys.stdout.write(
            f"{name:>12} {found.audit:>12} {found.seconds:8.2f} s {len(found.checks):4} checks "
            f"{failed:2} failed  {shown}\n"
        )
        if found.error is not None:
            sys.stdout.write(f"{name:>12} {found.audit:>12} could not be run: {found.error}\n")


def main() -> None:
    """Put all, or those that are named, on trial."""
    for name in sys.argv[1:] or NAMES:
        put(name)
    sys.stdout.write(f"{time.process_time():.1f} CPU seconds\n")


if __name__ == "__main__":
    main()
