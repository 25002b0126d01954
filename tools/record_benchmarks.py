"""Record our own benchmark results anew, at the commit that is checked out.

    python tools/record_benchmarks.py [--jobs N] [SUITE...]

A suite is named as its file in benchmarks/suites/, without the ending; all of them where none is
named. What peers did stays as it was recorded, for they have not changed. Commit the code first: a
record names the commit that made it. Afterwards: python tools/benchmark_page.py --write
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from dpsynth.bench import measure, records
from dpsynth.bench.suite import Suite
from dpsynth.bench.suite_file import read_suite

HOME = Path(__file__).parent.parent / "benchmarks"


def renewed(suite: Suite, old: Sequence[records.Record], out: Path) -> list[records.Record]:
    """Run what is our own, writing to ``out``, and return it with the peers' old records.

    Returns:
        One record a cell of the suite, in its order; cells of peers without a record are missing.
    """
    own = tuple(each for each in suite.contenders if each.peer is None)
    done = measure.run(replace(suite, contenders=own), results=out, peers_folder=Path())
    held = {each["key"]: each for each in (*old, *done.records)}
    return [held[cell.key] for cell in suite.cells() if cell.key in held]


def record(name: str) -> str:
    """Replace the recorded results of one suite; what is there stays until all runs are done."""
    suite = read_suite(HOME / "suites" / f"{name}.toml")
    path = HOME / "results" / f"{name}.jsonl"
    old = [each for each in (records.read([path]) if path.exists() else []) if each["peer"]]
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    found = renewed(suite, old, fresh)
    fresh.unlink(missing_ok=True)
    for each in found:
        records.append(fresh, each)
    fresh.replace(path)
    failed = sum(each["status"] == records.FAILED for each in found)
    return f"{name}: {len(found)} records, {failed} of them failures"


def main() -> None:
    """Record the suites that are named, or all."""
    known = sorted(path.stem for path in HOME.glob("suites/*.toml"))
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="suites at a time")
    parser.add_argument("suites", nargs="*", help=", ".join(known))
    given = parser.parse_args()
    if unknown := set(given.suites) - set(known):
        sys.exit(f"no suite is called {min(unknown)}; there are: {', '.join(known)}")
    with ProcessPoolExecutor(max_workers=given.jobs) as pool:
        for done in as_completed([pool.submit(record, name) for name in given.suites or known]):
            print(done.result(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
