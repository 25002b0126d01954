"""How close do the low-order marginals of a synthetic table come, and in how much time?

    python benchmarks/quality.py --table adult_discrete.parquet --sizes adult_discrete-domain.json

The table holds codes from 0, the sizes file the number of codes of each column; ``--ordered``
names the columns whose codes stand in a public order. Noise comes from
the operating system's source unless ``--seeds`` names seeds; a seeded run repeats exactly. Error
is the mean total variation distance between the real and the synthetic table over all columns
(tvd1), all pairs (tvd2) and all triples (tvd3), in the original domain; the number of synthetic
rows is the noisy one. Seconds are CPU seconds of learning and sampling, on tables already loaded.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import rho_from_epsilon
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom
from dpsynth.sources.frame import FrameSource
from dpsynth.synthesizers import registry

Codes = Mapping[str, NDArray[np.integer]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One fit, with what a reader needs to compare it."""

    dataset: str
    rows: int
    columns: int
    synthesizer: str
    epsilon: str
    delta: str
    seed: int | None
    tvd1: float
    tvd2: float
    tvd3: float | None
    learn_seconds: float
    sample_seconds: float
    commit: str


def load(table: Path, sizes: Path, ordered: Iterable[str] = ()) -> tuple[Codes, Domain]:
    """Read a table of codes, and check it against its sizes."""
    domain = Domain(
        sizes={name: int(k) for name, k in json.loads(sizes.read_text()).items()},
        ordered=frozenset(ordered),
    )
    frame = pd.read_parquet(table)
    assert set(frame.columns) == set(domain.columns), "columns and sizes do not match"
    codes = {name: frame[name].to_numpy() for name in domain.columns}
    for name, held in codes.items():
        assert 0 <= held.min() <= held.max() < domain.sizes[name], f"{name} leaves its domain"
        codes[name] = held.astype(np.min_scalar_type(domain.sizes[name] - 1))
    return codes, domain


def tables(codes: Codes, domain: Domain, width: int) -> Iterator[NDArray[np.float64]]:
    """Yield the normalised table over every ``width`` columns."""
    rows = len(next(iter(codes.values())))
    for clique in combinations(domain.columns, width):
        flat = np.zeros(rows, dtype=np.int32)
        for name in clique:
            flat = flat * domain.sizes[name] + codes[name]
        yield np.bincount(flat, minlength=domain.size(clique)) / rows


def mean_distance(real: Codes, synthetic: Codes, domain: Domain, width: int) -> float:
    """Return the mean total variation distance over all tables of ``width`` columns."""
    pairs = zip(tables(real, domain, width), tables(synthetic, domain, width), strict=True)
    return float(np.mean([np.abs(a - b).sum() / 2 for a, b in pairs]))


def measure(
    name: str,
    codes: Codes,
    domain: Domain,
    *,
    epsilon: str,
    delta: str,
    seed: int | None,
    triples: bool,
    dataset: str,
) -> Result:
    """Fit once, sample once, compare."""
    rho = rho_from_epsilon(Fraction(epsilon), Fraction(delta))
    # In memory, and with a cap that cannot refuse: the subject is quality, not the ledger.
    ledger = Ledger.in_memory(cap_epsilon=4 * Fraction(epsilon), cap_delta=Fraction(delta))
    account = ledger.open_release(rho=rho, seeded=seed is not None)
    noise = PrivacyRandom() if seed is None else SeededRandom(seed)
    curator = Curator(FrameSource(codes, domain), unit=PrivacyUnit(), account=account, rng=noise)
    started = time.process_time()
    learned = registry.get(name)().learn(curator, rho=rho)
    learnt = time.process_time()
    rng = np.random.default_rng(seed)
    synthetic = learned.model.sample(round(learned.model.total), rng)
    for column, coarsening in learned.coarsenings.items():
        synthetic[column] = coarsening.expand(synthetic[column], rng)
    sampled = time.process_time()
    assert account.left == 0, "the plan was not spent exactly"
    assert tuple(synthetic) == domain.columns, "columns of the sample do not match"
    for column, held in synthetic.items():
        assert held.max() < domain.sizes[column], f"{column} leaves its domain"
    return Result(
        dataset=dataset,
        rows=len(next(iter(codes.values()))),
        columns=len(domain.columns),
        synthesizer=name,
        epsilon=epsilon,
        delta=delta,
        seed=seed,
        tvd1=mean_distance(codes, synthetic, domain, 1),
        tvd2=mean_distance(codes, synthetic, domain, 2),
        tvd3=mean_distance(codes, synthetic, domain, 3) if triples else None,
        learn_seconds=learnt - started,
        sample_seconds=sampled - learnt,
        commit=_commit(),
    )


def table_of(results: list[Result]) -> str:
    """Return means over seeds as text, with the standard deviation of tvd2."""
    head = f"{'synthesizer':12} {'epsilon':>7} {'runs':>4} {'tvd1':>7} {'tvd2':>7} {'sd':>7} "
    lines = [f"{head}{'tvd3':>7} {'learn s':>8} {'sample s':>8}"]
    for name, epsilon in dict.fromkeys((r.synthesizer, r.epsilon) for r in results):
        runs = [r for r in results if (r.synthesizer, r.epsilon) == (name, epsilon)]
        tvd2 = np.array([r.tvd2 for r in runs])
        triples = [r.tvd3 for r in runs if r.tvd3 is not None]
        tvd3 = f"{np.mean(triples):7.4f}" if triples else "      -"
        lines.append(
            f"{name:12} {epsilon:>7} {len(runs):4} {np.mean([r.tvd1 for r in runs]):7.4f} "
            f"{tvd2.mean():7.4f} {tvd2.std():7.4f} {tvd3} "
            f"{np.mean([r.learn_seconds for r in runs]):8.3f} "
            f"{np.mean([r.sample_seconds for r in runs]):8.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", type=Path, required=True, help="codes, Parquet")
    parser.add_argument("--sizes", type=Path, required=True, help="codes by column, JSON")
    parser.add_argument("--ordered", nargs="*", default=[], help="columns with ordered codes")
    parser.add_argument(
        "--synthesizer", nargs="+", default=["mst"], choices=sorted(registry.BUILT_IN)
    )
    parser.add_argument("--epsilon", nargs="+", default=["1"])
    parser.add_argument("--delta", default="1e-9")
    parser.add_argument("--seeds", default="", help="A-B, both included; fresh noise if not given")
    parser.add_argument("--runs", type=int, default=5, help="fits where no seeds are given")
    parser.add_argument(
        "--no-triples", action="store_true", help="leave out tvd3, most of the time"
    )
    parser.add_argument("--json", type=Path, help="append one record a line to this file")
    args = parser.parse_args()
    seeds: list[int | None] = [None] * args.runs
    if args.seeds:
        first, _, last = args.seeds.partition("-")
        seeds = list(range(int(first), int(last or first) + 1))
    codes, domain = load(args.table, args.sizes, args.ordered)
    results = [
        measure(
            name,
            codes,
            domain,
            epsilon=epsilon,
            delta=args.delta,
            seed=seed,
            triples=not args.no_triples,
            dataset=args.table.stem,
        )
        for name in args.synthesizer
        for epsilon in args.epsilon
        for seed in seeds
    ]
    print(table_of(results))  # noqa: T201  # a script's answer
    if args.json:
        with args.json.open("a", encoding="utf-8") as out:
            out.writelines(json.dumps(asdict(result)) + "\n" for result in results)


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607  # whichever git the path has
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
