"""Record our own benchmark results anew, at the commit that is checked out.

    python tools/record_benchmarks.py [--jobs N] [SUITE...]

A suite is named as its file in benchmarks/suites/, without the ending; all of them where none is
named. What peers did stays as it was recorded, for they have not changed. So does a suite whose
synthesizers need a package that is not installed. Commit the code first: a record names the commit
that made it. Afterwards: python tools/benchmark_page.py --write
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from dpsynth import synthesizer
from dpsynth.bench import measure, records
from dpsynth.bench.suite import REFERENCES, Suite
from dpsynth.bench.suite_file import read_suite
from dpsynth.errors import UnfitEnvironmentError

HOME = Path(__file__).parent.parent / "benchmarks"


def missing(suite: Suite) -> str | None:
    """Return which package a suite needs and does not find, in one sentence."""
    for each in suite.contenders:
        if each.peer is None and each.name not in REFERENCES:
            try:
                synthesizer(each.name, **each.settings).require_installed()
            except UnfitEnvironmentError as error:
                return str(error)
    return None


def own(name: str) -> Suite:
    """Read a suite without its peers."""
    suite = read_suite(HOME / "suites" / f"{name}.toml")
    return replace(suite, contenders=tuple(each for each in suite.contenders if not each.peer))


def labels(suite: Suite) -> tuple[str, ...]:
    """Return what is run at a time: one synthesizer, at all its tables, budgets and seeds."""
    return tuple(dict.fromkeys(each.label for each in suite.contenders))


def run_part(name: str, label: str, out: Path) -> None:
    """Run one synthesizer of a suite, writing to a file of its own."""
    measure.run(own(name), results=out, peers_folder=Path(), labels={label})


def record(name: str, pool: Executor) -> "Recording":
    """Begin to record one suite; what is there stays until all its runs are done."""
    suite, parts = own(name), {}
    for place, label in enumerate(labels(suite)):
        out = HOME / "results" / f"{name}.{place}.new"
        out.unlink(missing_ok=True)
        parts[pool.submit(run_part, name, label, out)] = out
    return Recording(name, parts)


class Recording:
    """The runs of one suite, under way."""

    def __init__(self, name: str, parts: dict[Future[None], Path]) -> None:
        self.name = name
        self.parts = parts

    def finish(self) -> str:
        """Put the results in the place of the old ones, the peers' old records among them."""
        for part in self.parts:
            part.result()
        path = HOME / "results" / f"{self.name}.jsonl"
        old = [each for each in (records.read([path]) if path.exists() else []) if each["peer"]]
        held = {each["key"]: each for each in (*old, *records.read(self.parts.values()))}
        found = renewed(read_suite(HOME / "suites" / f"{self.name}.toml"), held)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        for each in found:
            records.append(fresh, each)
        fresh.replace(path)
        for part in self.parts.values():
            part.unlink()
        failed = sum(each["status"] == records.FAILED for each in found)
        return f"{self.name}: {len(found)} records, {failed} of them failures"


def renewed(suite: Suite, held: dict[str, records.Record]) -> list[records.Record]:
    """Return one record a cell of the suite, in its order; peers without one are missing."""
    return [held[cell.key] for cell in suite.cells() if cell.key in held]


def record_all(names: Sequence[str], *, jobs: int) -> None:
    """Record suites, ``jobs`` runs at a time, and say how each went."""
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        under_way = []
        for name in names:
            reason = missing(own(name))
            if reason is None:
                under_way.append(record(name, pool))
            else:
                print(f"{name}: left as it is, because {reason}", flush=True)  # noqa: T201
        begun = time.monotonic()
        waiting = {part: each for each in under_way for part in each.parts}
        for part in as_completed(waiting):
            each = waiting.pop(part)
            if each not in waiting.values():
                took = time.monotonic() - begun
                print(f"{each.finish()}, {took:.0f} s", flush=True)  # noqa: T201


def main() -> None:
    """Record the suites that are named, or all."""
    known = sorted(path.stem for path in HOME.glob("suites/*.toml"))
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("suites", nargs="*", help=", ".join(known))
    given = parser.parse_args()
    if unknown := set(given.suites) - set(known):
        sys.exit(f"no suite is called {min(unknown)}; there are: {', '.join(known)}")
    record_all(given.suites or known, jobs=given.jobs)


if __name__ == "__main__":
    main()
