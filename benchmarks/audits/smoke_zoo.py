"""How many planted bugs does the short trial of a release see? It is meant to take seconds.

    python benchmarks/audits/smoke_zoo.py kept.jsonl --jobs 2

Every mutant of the zoo is planted in a process of its own, and then put before exactly what
``dpsynth release`` runs: the smoke tier with its verdict. Processes that a trial starts itself are
not patched, as they would be in a broken installation. What is in the file is not run again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attacks.mutants.catalogue import MUTANTS

_SECONDS = 600
NAMED = {each.name: each for each in MUTANTS}


def main() -> None:
    """Try those that are not in the file yet, and count."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("kept", type=Path)
    words.add_argument("--jobs", type=int, default=1)
    words.add_argument("--one", help="the name of a mutant, to try in this process")
    given = words.parse_args()
    if given.one is not None:
        sys.stdout.write(json.dumps(tried(given.one)) + "\n")
        return
    known = {each["mutant"] for each in read(given.kept)}
    waiting = [name for name in NAMED if name not in known]
    with ThreadPoolExecutor(given.jobs) as pool, given.kept.open("a", encoding="utf-8") as file:
        for found in pool.map(in_process, waiting):
            file.write(json.dumps(found, sort_keys=True) + "\n")
            file.flush()
    held = read(given.kept)
    counts = Counter(each["verdict"] for each in held)
    sys.stdout.write(f"{len(held)} mutants: {dict(counts)}\n")
    for each in held:
        if each["verdict"] != "FAIL":
            sys.stdout.write(f"{each['mutant']} ({each['audit']}): {each['verdict']}\n")


def read(kept: Path) -> list[dict[str, Any]]:
    """Return what is in the file."""
    if not kept.exists():
        return []
    return [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]


def in_process(name: str) -> dict[str, Any]:
    """Try a mutant in a process of its own; one that ends it counts as an error."""
    command = [sys.executable, str(Path(__file__)), "unused", "--one", name]
    start = time.monotonic()
    done = subprocess.run(  # noqa: S603  # this very program
        command, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    found: dict[str, Any] = {"verdict": "error", "components": [], "named": False}
    if done.returncode == 0:
        found = json.loads(done.stdout.splitlines()[-1])
    seconds = round(time.monotonic() - start, 1)
    return {"mutant": name, "audit": NAMED[name].audit, "wall_seconds": seconds, **found}


def tried(name: str) -> dict[str, Any]:
    """Plant a mutant and run the smoke tier of its subject."""
    from attacks import policy
    from attacks.conformance import evidence
    from attacks.conformance.checks import FAILED
    from attacks.conformance.tiers import Tier
    from attacks.mutants.subjects import SUBJECTS

    mutant = NAMED[name]
    with mutant.patch():
        trial = SUBJECTS[mutant.subject].trial(seed=0, fits=2, pairs=0, child=())
        found = evidence.gather(trial.document, trial.schema, tier=Tier.smoke)
    verdict = policy.trial_verdict(found, policy.DEFAULT, versions=found["versions"])
    failed = sorted({each["component"] for each in found["checks"] if each["status"] == FAILED})
    named = mutant.component in failed
    return {"verdict": verdict.outcome, "components": failed, "named": named}


if __name__ == "__main__":
    main()
