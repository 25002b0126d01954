"""One mutant or control in a process of its own: ``python -m attacks.mutants.child NAME``.

Prints what the audits found, as JSON.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from attacks.mutants.catalogue import find
from attacks.mutants.planted import read
from attacks.mutants.subjects import SUBJECTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Patch, audit, print."""
    parser = ArgumentParser(prog="python -m attacks.mutants.child")
    parser.add_argument("name")
    parser.add_argument("--audit", action="append", help="run this audit alone; repeatable")
    parser.add_argument("--seed", type=int, action="append", help="repeatable; 0 if not given")
    parser.add_argument("--fits", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--plain", action="store_true", help="no odd cells, no loud budget")
    parser.add_argument("--planted", type=Path, help="a file that the mutant stands in")
    parser.add_argument("--words", action="store_true", help="print words of randomness instead")
    given = parser.parse_args(arguments)
    subject = find(given.name, read(given.planted) if given.planted else ())
    again = ["-m", "attacks.mutants.child", given.name, "--words"]
    again += [f"--planted={given.planted}"] if given.planted else []
    with subject.patch():
        if given.words:
            from attacks.conformance import repeats

            sys.stdout.write(repeats.words() + "\n")
            return 0
        from attacks.conformance import audits

        runs = []
        for seed in given.seed or [0]:
            trial = SUBJECTS[subject.subject].trial(
                seed=seed,
                fits=given.fits,
                pairs=given.pairs,
                plain=given.plain,
                child=(sys.executable, *again),
            )
            found = audits.run(trial, names=given.audit)
            runs.append({"seed": seed, "found": [asdict(each) for each in found]})
    sys.stdout.write(json.dumps(runs) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
