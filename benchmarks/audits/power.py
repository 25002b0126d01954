"""How sharp are the statistics of an audit? The figures of docs/explanation/attack-statistics.md.

    python benchmarks/audits/power.py tails|bounds|shift|cost

``tails``: 2,000 persons and 100 tests (60 of two to ten hits each, 20 of many, 20 rankings that
agree with each other), with and without a planted leak in one; how often the family is significant
at 1 % when its tests are made comparable in three ways. ``bounds``: one-run bounds on epsilon where
scores are as good as Gaussian noise of a known epsilon allows. ``shift``: how often two groups are
told apart whose first column of fifteen differs. ``cost``: of the permutation test. A line of CPU
seconds closes each. One thread: ``OMP_NUM_THREADS=1``.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from attacks.engine.table import by_row
from attacks.stats import permutation
from attacks.stats.one_run import epsilon_bounds, gaussian_epsilon
from attacks.stats.permutation import LEVEL
from attacks.stats.shift import shift

Values = NDArray[np.float64]
PERSONS, DRAWS, REPEATS = 2000, 999, 40
RARE, COMMON, RANKED = 60, 20, 20
COLUMNS = tuple(f"c{number}" for number in range(15))


def tails() -> Iterator[str]:
    """Compare three ways to make tests comparable."""
    rng = np.random.default_rng(2024)
    yield f"{'members':>8} {'planted in':>12} {'own tail':>9} {'deviations':>11} {'ranks':>6}"
    for share in (0.1, 0.5, 0.67, 0.9):
        for planted in ("nothing", "rare", "common", "ranking"):
            repeats = REPEATS * (4 if planted == "nothing" else 1)
            seen = np.zeros(3)
            for _ in range(repeats):
                seen += _found(planted, share, rng)
            by_way = seen / repeats
            yield (
                f"{share:8.0%} {planted:>12} {by_way[0]:9.0%} {by_way[1]:11.0%} {by_way[2]:6.0%}"
            )


def bounds() -> Iterator[str]:
    """Print one-run bounds beside the truth."""
    yield f"{'epsilon':>8} {'persons':>8} {'counted':>8} {'curve':>6} {'Gaussian':>9}  ceilings"
    for epsilon in (1, 2, 4, 8):
        shift_of = next(
            mu for mu in np.arange(0.1, 3, 0.002) if gaussian_epsilon(mu, 1e-5) >= epsilon
        )
        for persons in (500, 2000, 10_000):
            shown = []
            for seed in range(100, 120):
                rng = np.random.default_rng(seed)
                is_member = rng.random(persons) < 0.5
                scores = rng.normal(size=persons) + shift_of * is_member
                found = epsilon_bounds(scores, is_member, delta=1e-5)
                shown.append([bound.value for bound in found])
            counted, curve, gaussian = np.mean(shown, axis=0)
            ceilings = " ".join(f"{bound.ceiling:.1f}" for bound in found)
            yield (
                f"{epsilon:8} {persons:8,} {counted:8.2f} {curve:6.2f} {gaussian:9.2f}  {ceilings}"
            )


def told_apart() -> Iterator[str]:
    """Print how often groups are told apart, by persons a side and by the shift."""
    ordered = {name: number % 2 == 0 for number, name in enumerate(COLUMNS)}
    sizes = {name: 32 if ordered[name] else 6 for name in COLUMNS}
    yield f"{'a side':>8} {'shift':>6} {'p <= 0.05':>10} {'p <= 0.01':>10} {'p <= 0.001':>11}"
    for persons, moved in ((500, 0.0), (500, 0.3), (1000, 0.3), (1000, 0.2)):
        found = []
        for seed in range(3000, 3000 + REPEATS):
            rng = np.random.default_rng(seed)
            codes = np.vstack([_people(persons, rng, 0.0), _people(persons, rng, moved)])
            table, is_member = by_row(COLUMNS, codes), np.arange(2 * persons) < persons
            result = shift(
                table, is_member, ordered=ordered, sizes=sizes, permutations=DRAWS, rng=rng
            )
            found.append(result.p_value)
        shares = [float(np.mean(np.array(found) <= level)) for level in (0.05, 0.01, 0.001)]
        yield (f"{persons:8,} {moved:6} {shares[0]:10.0%} {shares[1]:10.0%} {shares[2]:11.0%}")


def cost() -> Iterator[str]:
    """Print the CPU seconds of one permutation test, the least of three."""
    rng = np.random.default_rng(0)
    for tests, persons in ((100, 2000), (100, 20_000), (400, 20_000)):
        weights = rng.random((tests, persons))
        weights[::2] = weights[::2] < 0.05
        is_member = rng.random(persons) < 0.6
        taken = []
        for _ in range(3):
            start = time.process_time()
            permutation.max_t(weights, is_member, rng=rng)
            taken.append(time.process_time() - start)
        draws = permutation.PERMUTATIONS
        yield f"{tests} tests, {persons:,} persons, {draws} draws: {min(taken):.2f} CPU s"


def _found(planted: str, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return for each way whether the planted test is significant; any, where none is planted."""
    members = int(share * PERSONS)
    is_member = rng.permutation(np.arange(PERSONS) < members)
    weights = _family(planted, is_member, rng)
    place = {"nothing": slice(None), "rare": 0, "common": RARE, "ranking": RARE + COMMON}[planted]
    sums = np.empty((len(weights), 1 + DRAWS))
    sums[:, 0], done = weights @ is_member, 1
    for labels in permutation._labels(is_member, DRAWS, rng):
        sums[:, done : done + len(labels)] = weights @ labels.T
        done += len(labels)
    laws = [permutation._law(row, members) for row in weights]
    ways = (
        [law.surprise(row, two_sided=False) for law, row in zip(laws, sums, strict=True)],
        [law.standardized(row) for law, row in zip(laws, sums, strict=True)],
        [-stats.rankdata(-row, method="max") for row in sums],
    )
    adjusted = [permutation._step_down(np.stack(way))[place] for way in ways]
    return np.array([np.min(way) <= LEVEL for way in adjusted])


def _family(planted: str, is_member: NDArray[np.bool_], rng: np.random.Generator) -> Values:
    """Return weights of all tests; a leak is of a size that its test, alone, would find surely."""
    rare = rng.random((RARE, PERSONS)) < rng.uniform(2, 10, (RARE, 1)) / PERSONS
    common = rng.random((COMMON, PERSONS)) < rng.uniform(0.02, 0.5, (COMMON, 1))
    common[0] = rng.random(PERSONS) < 0.3
    ranking = rng.random(PERSONS) + rng.random((RANKED, PERSONS))
    share = is_member.mean()
    copied = rng.permutation(np.flatnonzero(is_member))
    # Four and a half deviations; of the rare test as many hits as miss all controls once in 10^4.
    width = (PERSONS * share * (1 - share)) ** -0.5
    if planted == "rare":
        rare[0] = False
        rare[0, copied[: int(np.ceil(np.log(1e-4) / np.log(share)))]] = True
    elif planted == "common":
        common[0, copied[: int(4.5 * 0.21**0.5 * width * copied.size)]] = True
    elif planted == "ranking":
        ranking[0, copied[: int(4.5 * width / 3**0.5 * copied.size)]] = 2
    return np.vstack([rare, common, ranking.argsort(axis=1).argsort(axis=1)]).astype(float)


def _people(count: int, rng: np.random.Generator, moved: float) -> NDArray[np.int32]:
    shared, columns = rng.normal(size=count), []
    for number in range(len(COLUMNS)):
        place = (0.5 * shared + rng.normal(size=count)) / 1.25**0.5 + moved * (number == 0)
        code = np.clip(5 * place + 16, 0, 31) if number % 2 == 0 else 3 * np.abs(place)
        columns.append(np.clip(code, 0, 31 if number % 2 == 0 else 5).astype(np.int32))
    return np.column_stack(columns)


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "tails": tails,
    "bounds": bounds,
    "shift": told_apart,
    "cost": cost,
}


def main() -> None:
    """Print one part."""
    parser = argparse.ArgumentParser(description="How sharp are the statistics of an audit?")
    parser.add_argument("part", choices=tuple(PARTS))
    start = time.process_time()
    for line in PARTS[parser.parse_args().part]():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"{time.process_time() - start:.0f} CPU s\n")


if __name__ == "__main__":
    main()
