"""What attribute attacks answer on known leaks, on a private release, and on no leak.

    DPSYNTH_DATA=... OMP_NUM_THREADS=1 python benchmarks/micro/attribute_attacks.py

``adult``, split at random into members, controls and others of equal number. Releases:

- ``copy``: the members' rows;
- ``one in a hundred``: rows of others, and the rows of every hundredth member;
- ``noise``: the members' rows with three cells in ten drawn anew from their columns;
- ``epsilon 1``: of dpsynth's default synthesizer, fitted on the members;
- ``fresh``: rows of others.

A made-up table of six known columns with five values each and a hidden bit that leans on the first.
Releases answer all marginals of two known columns and the hidden one, and know nothing else:

- ``exact marginals``: as they are;
- ``noisy marginals``: with noise for epsilon 1.

For each line: the rates on members and on controls, and by how many standard deviations the sum
over members is above that of labels at random, means over seeds; CPU seconds, the least of them.
"""

import argparse
import os
import sys
import tempfile
import time
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

import dpsynth
from attacks import games
from attacks.attribute import attribution, nearest, reconstruction
from attacks.attribute.boosting import Boosting
from attacks.attribute.inference import NearestVote
from attacks.base import Evidence
from attacks.engine.encode import encode, missing, ordered, sizes
from attacks.engine.table import CodedTable, by_row
from attacks.observed import Observed, Stage, View
from dpsynth.schema import Schema

GAMES = (
    (games.attribute, NearestVote()),
    (games.attribute, Boosting()),
    (nearest.play, nearest.Nearest()),
    (attribution.play, attribution.Attribution()),
    (reconstruction.play, reconstruction.Reconstruction()),
)
SCHEMA = Path(__file__).parents[1] / "schemas" / "adult.toml"
RELEASES = ("copy", "one in a hundred", "noise", "epsilon 1", "fresh")
WORLDS = {"exact marginals": 0.0, "noisy marginals": 15.0}
PERSONS = 5_000
REDRAWN = 0.3
WORLD_PERSONS, WORLD_ROWS = 600, 20_000
KNOWN, VALUES = tuple("abcdef"), 5

Played = tuple[list[tuple[Observed, float]], np.ndarray]


def people(count: int, rng: np.random.Generator, *, hidden: int = 2) -> np.ndarray:
    """Return made-up persons, the hidden column last."""
    codes = rng.integers(0, VALUES, (count, len(KNOWN)))
    leaning = rng.random(count) < 0.2 + 0.6 * codes[:, 0] / (VALUES - 1)
    ill = np.where(leaning, rng.integers(1, hidden, count), 0)
    return np.column_stack([codes, ill]).astype(np.int32)


def answered(
    members: np.ndarray, rows: int, rng: np.random.Generator, *, noise: float = 0.0
) -> np.ndarray:
    """Return rows drawn from the law of greatest entropy with the members' three-way marginals.

    Args:
        members: made-up persons with a hidden bit.
        rows: of the release.
        rng: draws noise and rows.
        noise: scale of Laplace noise on each count. Adding or removing a person changes one count
            of each of the 15 tables by one: a scale of 15 is epsilon 1.
    """
    shape = (VALUES,) * len(KNOWN) + (2,)
    asked = {}
    for pair in combinations(range(len(KNOWN)), 2):
        counts = np.zeros((VALUES, VALUES, 2))
        np.add.at(counts, (*members[:, pair].T, members[:, -1]), 1.0)
        counts = np.maximum(counts + rng.laplace(scale=noise, size=counts.shape), 1e-3)
        asked[pair] = counts / counts.sum()
    chances = np.full(shape, 1 / np.prod(shape))
    for _ in range(15):
        for pair, wanted in asked.items():
            others = tuple(place for place in range(len(KNOWN)) if place not in pair)
            chances = chances * np.expand_dims(wanted / chances.sum(axis=others), others)
    cells = rng.choice(chances.size, size=rows, p=(chances / chances.sum()).ravel())
    return np.column_stack(np.unravel_index(cells, shape)).astype(np.int32)


def released(
    kind: str, parts: list[np.ndarray], frame: pd.DataFrame, schema: Schema, seed: int
) -> pd.DataFrame:
    """Return a release; ``parts`` are the rows of members, controls and others."""
    members, _, others = (frame.iloc[part].reset_index(drop=True) for part in parts)
    if kind == "copy":
        return members
    if kind == "one in a hundred":
        return pd.concat([others, members.iloc[: len(members) // 100]], ignore_index=True)
    if kind == "noise":
        rng = np.random.default_rng(seed)
        made = members.copy()
        for name in made:
            drawn = members[name].iloc[rng.integers(0, len(members), len(members))]
            anew = rng.random(len(members)) < REDRAWN
            made[name] = members[name].where(~anew, drawn.reset_index(drop=True))
        return made
    if kind == "epsilon 1":
        with tempfile.TemporaryDirectory() as folder:
            ledger = dpsynth.Ledger.create(
                Path(folder) / "adult.ledger", cap_epsilon=1, cap_delta=Fraction(1, 10**9)
            )
            model = dpsynth.Auto().fit(members, schema=schema, epsilon=1, delta=1e-9, ledger=ledger)
        return model.sample(rows=len(members), seed=seed)
    return others


def played(evidence: Evidence, targets: CodedTable, labels: np.ndarray, view: View) -> Played:
    """Return the lines of all games, with CPU seconds, and the labels."""
    stage = Stage(targets=targets, one_row=targets, views=(view,))
    lines: list[tuple[Observed, float]] = []
    for game, attack in GAMES:
        start = time.process_time()
        seen = game(attack, evidence, stage)
        lines += [(line, time.process_time() - start) for line in seen]
    return lines, labels


def on_adult(kind: str, frame: pd.DataFrame, *, seed: int) -> Played:
    """Play all games on a release of ``adult``."""
    schema = Schema.read(SCHEMA)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(frame))
    parts = [order[part * PERSONS : (part + 1) * PERSONS] for part in range(3)]
    shuffled = rng.permutation(2 * PERSONS)
    rows = frame.iloc[np.concatenate(parts[:2])[shuffled]].reset_index(drop=True)
    release = released(kind, parts, frame, schema, seed)
    coded = encode(release, schema, name="synthetic", persons=False)
    evidence = Evidence(
        release=coded,
        population=coded.take(np.arange(0)),
        sizes=sizes(schema),
        ordered=ordered(schema),
        missing=missing(schema),
        seed=seed,
    )
    view = View(name="", known=schema.quasi_identifiers, secrets=schema.sensitive[:2])
    targets = encode(rows, schema, name="persons", persons=False)
    return played(evidence, targets, shuffled < PERSONS, view)


def on_world(kind: str, *, seed: int) -> Played:
    """Play all games on a release of the made-up table."""
    rng = np.random.default_rng(seed)
    codes = people(2 * WORLD_PERSONS, rng)
    release = answered(codes[:WORLD_PERSONS], WORLD_ROWS, rng, noise=WORLDS[kind])
    shuffled = rng.permutation(len(codes))
    columns = (*KNOWN, "ill")
    table = by_row(columns, release)
    evidence = Evidence(
        release=table,
        population=table.take(np.arange(0)),
        sizes={**dict.fromkeys(KNOWN, VALUES), "ill": 2},
        ordered=dict.fromkeys(columns, False),
        seed=seed,
    )
    view = View(name="", known=KNOWN, secrets=("ill",))
    return played(evidence, by_row(columns, codes[shuffled]), shuffled < WORLD_PERSONS, view)


def deviations(line: Observed, labels: np.ndarray) -> float:
    """Return how far the members' mean is from everybody's, in deviations of random labels."""
    weights = line.weights
    spread = weights.std(ddof=1) * np.sqrt((1 - labels.mean()) / labels.sum())
    return float((weights[labels].mean() - weights.mean()) / spread) if spread else 0.0


def rate(line: Observed, side: np.ndarray) -> float:
    """Return the rate of hits among those of one side who were asked about."""
    asked = side if line.asked is None else side & line.asked
    return float(line.hits[asked].mean()) if asked.any() else float("nan")


def show(title: str, games_played: list[Played]) -> None:
    """Print the lines of one release."""
    sys.stdout.write(f"{title}\n")
    for place, (line, _) in enumerate(games_played[0][0]):
        mine = np.mean([rate(lines[place][0], labels) for lines, labels in games_played])
        others = np.mean([rate(lines[place][0], ~labels) for lines, labels in games_played])
        above = np.mean([deviations(lines[place][0], labels) for lines, labels in games_played])
        seconds = min(lines[place][1] for lines, _ in games_played)
        sys.stdout.write(
            f"  {line.name:64} members {mine:.3f}  controls {others:.3f}  {above:6.1f} deviations"
            f"  {seconds:.1f} CPU s\n"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Attribute attacks on known leaks.")
    parser.add_argument("--release", action="append", choices=[*RELEASES, *WORLDS])
    parser.add_argument("--seed", action="append", type=int, help="0, 1 and 2 if not given")
    given = parser.parse_args()
    seeds = given.seed or [0, 1, 2]
    chosen = given.release or [*RELEASES, *WORLDS]
    for kind in chosen:
        if kind in WORLDS:
            show(f"made up, {kind}", [on_world(kind, seed=seed) for seed in seeds])
        else:
            frame = pd.read_parquet(Path(os.environ["DPSYNTH_DATA"]) / "adult.parquet")
            show(f"adult, {kind}", [on_adult(kind, frame, seed=seed) for seed in seeds])


if __name__ == "__main__":
    main()
