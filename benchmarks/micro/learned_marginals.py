"""How well attacks that know what a generator learned tell members of dpsynth's own releases.

    DPSYNTH_DATA=... OMP_NUM_THREADS=1 python benchmarks/micro/learned_marginals.py
    DPSYNTH_DATA=... OMP_NUM_THREADS=1 python benchmarks/micro/learned_marginals.py --shadow

Rows of a table are split at random into members, controls and a population sample twice as large,
or less where the table is small; the synthesizer is fitted on the members at delta 1e-9 and draws
as many rows. Epsilons are far above any that should be used: there is something to find there.
For each attack: the area under the curve and its standard error over seeds, and the share of
members found where one control in a hundred is suspected.

- ``membership/marginal``: all pairs of columns alike;
- ``membership/cliques``: the release decides which pairs count, the kind is not known; or the kind
  is known; or another kind is taken for granted.

With ``--shadow``, ten members and ten controls are outliers: every cell drawn evenly from codes
that one row in two hundred holds. The area is over the twenty persons whom ``membership/shadow``
scored, of all seeds together.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import dpsynth
from attacks.base import Evidence
from attacks.engine.table import by_row
from attacks.membership.cliques import Cliques
from attacks.membership.marginal import Marginal
from attacks.membership.shadow import Shadow
from attacks.stats import ranking
from dpsynth.bench.coded import CodedTable
from dpsynth.bench.datasets import Dataset, load
from dpsynth.domain import Domain
from dpsynth.testing.worlds import curator_over

Codes = NDArray[np.int32]
Scores = NDArray[np.float64]
DELTA = "1e-9"
PLANTED = 10  # outliers on each side
COPY = "near copies"  # a generator without privacy, for the shadow runs


def released(
    table: Codes, held: CodedTable, *, kind: str, epsilon: str, rows: int, seed: int
) -> Codes:
    """Return rows of a synthesizer fitted on ``table``."""
    rng = np.random.default_rng(seed)
    if kind == COPY:
        made = np.resize(table[rng.permutation(len(table))], (rows, table.shape[1])).copy()
        anew = rng.random(made.shape) < 0.15
        made[anew] = table[rng.integers(0, len(table), made.shape), np.arange(made.shape[1])][anew]
        return made
    rho = dpsynth.rho_of(epsilon, DELTA)
    codes = {name: table[:, place].astype(np.int64) for place, name in enumerate(held.codes)}
    curator = curator_over(codes, Domain(sizes=dict(held.sizes)), Fraction(rho), seed=seed)
    learned = dpsynth.synthesizer(kind).learn(curator, rho=Fraction(rho))
    drawn = learned.model.sample(rows, rng)
    for name, coarsening in learned.coarsenings.items():
        drawn[name] = coarsening.expand(drawn[name], rng)
    return np.column_stack([drawn[name] for name in held.codes]).astype(np.int32)


def split(held: CodedTable, *, rows: int, seed: int) -> tuple[Codes, Codes, Codes]:
    """Return members, controls and a population sample."""
    codes = np.column_stack(list(held.codes.values())).astype(np.int32)
    drawn = codes[np.random.default_rng([seed, rows]).permutation(len(codes))]
    rows = min(rows, len(codes) // 3)
    return drawn[:rows], drawn[rows : 2 * rows], drawn[2 * rows : 4 * rows]


def evidence_of(release: Codes, population: Codes, held: CodedTable, *, seed: int) -> Evidence:
    """Return what the attacker holds, without the kind and the generator."""
    names = tuple(held.codes)
    return Evidence(
        release=by_row(names, release),
        population=by_row(names, population),
        sizes=dict(held.sizes),
        ordered={name: name in held.ordered for name in names},
        seed=seed,
    )


def compared(
    held: CodedTable, *, kind: str, epsilon: str, rows: int, seed: int
) -> dict[str, Scores]:
    """Return (area, share found) by attack, of one release."""
    members, controls, population = split(held, rows=rows, seed=seed)
    release = released(members, held, kind=kind, epsilon=epsilon, rows=len(members), seed=seed)
    evidence = evidence_of(release, population, held, seed=seed)
    targets = by_row(tuple(held.codes), np.concatenate([members, controls]))
    found = {}
    for name, attack, told in (
        ("marginal", Marginal(), None),
        ("cliques", Cliques(), None),
        ("kind known", Cliques(), kind),
        ("taken for mst", Cliques(), "mst"),
        ("taken for independent", Cliques(), "independent"),
    ):
        said = attack.score(replace(evidence, synthesizer=told), targets).targets
        mine, others = said[: len(members)], said[len(members) :]
        area = ranking.auc(members=mine, controls=others)
        found[name] = np.array([area, (mine > np.quantile(others, 0.99)).mean()])
    return found


def shadowed(
    held: CodedTable, *, kind: str, epsilon: str, rows: int, seed: int
) -> tuple[Scores, Scores]:
    """Return the scores of outliers who were members, and of those who were not."""
    members, controls, population = split(held, rows=rows, seed=seed)
    rng = np.random.default_rng(seed)
    for table in (members, controls):
        for place in range(table.shape[1]):
            counts = np.bincount(population[:, place])
            usual = np.flatnonzero(counts > 0.005 * len(population))
            table[:PLANTED, place] = rng.choice(usual, PLANTED)
    generator: Callable[..., Codes] = partial(released, held=held, kind=kind, epsilon=epsilon)
    release = generator(members, rows=len(members), seed=seed)
    evidence = replace(evidence_of(release, population, held, seed=seed), generator=generator)
    targets = by_row(tuple(held.codes), np.concatenate([members, controls]))
    said = Shadow(targets=2 * PLANTED).score(evidence, targets)
    assert said.scored is not None
    inside = np.arange(targets.size) < len(members)
    return said.targets[said.scored & inside], said.targets[said.scored & ~inside]


def main() -> None:
    """Print a line a table and synthesizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shadow", action="store_true")
    parser.add_argument("--tables", nargs="+", default=["adult_discrete", "nhefs"])
    parser.add_argument("--games", nargs="+", default=["mst:10", "mst:100", "aim:100", "auto:100"])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[400, 401, 402, 403, 404])
    asked = parser.parse_args()
    for table in asked.tables:
        held = load(Dataset(name=table, bins=32), folder=Path())
        for game in asked.games:
            kind, _, epsilon = game.partition(":")
            start = time.process_time()
            if asked.shadow:
                pairs = [
                    shadowed(held, kind=kind, epsilon=epsilon, rows=asked.rows, seed=seed)
                    for seed in asked.seeds
                ]
                inside, outside = (np.concatenate(side) for side in zip(*pairs, strict=True))
                area = ranking.auc(members=inside, controls=outside)
                line = f"shadow {area:.3f} ({inside.size} members, {outside.size} controls)"
            else:
                games = [
                    compared(held, kind=kind, epsilon=epsilon, rows=asked.rows, seed=seed)
                    for seed in asked.seeds
                ]
                line = "  ".join(_told(name, [game[name] for game in games]) for name in games[0])
            seconds = time.process_time() - start
            sys.stdout.write(f"{table} {kind} epsilon {epsilon}: {line}  [{seconds:.0f} s]\n")
            sys.stdout.flush()


def _told(name: str, figures: list[Scores]) -> str:
    mean = np.mean(figures, axis=0)
    error = np.std(figures, axis=0, ddof=1)[0] / len(figures) ** 0.5 if len(figures) > 1 else 0.0
    return f"{name} {mean[0]:.3f} +- {error:.3f} / {mean[1]:.3f}"


if __name__ == "__main__":
    main()
