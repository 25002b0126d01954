"""What the scan, singling out and linkage answer on a copy, on copied persons, and on no leak.

    DPSYNTH_DATA=... OMP_NUM_THREADS=1 python benchmarks/micro/pair_attacks.py

Persons of a table are split at random into members, controls and others of equal number. Releases:

- ``copy``: the members' rows;
- ``one in a hundred``: rows of others, and the rows of every hundredth member;
- ``noise``: the members' rows with three cells in ten drawn anew from their columns;
- ``fresh``: rows of others.

For each attack and operating point: the rates on members and on controls and the baseline, means
over seeds, and CPU seconds, the least of them.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from attacks.base import Evidence
from attacks.engine.encode import encode, missing, ordered, sizes
from attacks.engine.table import CodedTable, by_row, joined
from attacks.linkage.closest import ClosestRows
from attacks.linkage.game import linkage
from attacks.observed import Observed, Stage, View
from attacks.scan.copies import Copies, NearCopies, scan
from attacks.singling_out.game import singling_out
from attacks.singling_out.multivariate import Multivariate
from attacks.singling_out.univariate import Univariate
from attacks.singling_out.whole_record import WholeRecord
from dpsynth.schema import Schema
from dpsynth.schema.importer import import_schema

GAMES = (
    (scan, Copies()),
    (scan, NearCopies()),
    (singling_out, Univariate()),
    (singling_out, Multivariate()),
    (singling_out, WholeRecord()),
    (linkage, ClosestRows()),
)
TABLES = {"adult": None, "nhefs": None, "diabetes130": 10}  # with rows a person, at most
RELEASES = ("copy", "one in a hundred", "noise", "fresh")
PERSONS = 5_000
REDRAWN = 0.3


def released(kind: str, parts: list[CodedTable], rng: np.random.Generator) -> CodedTable:
    """Return a release as rows that are nobody's."""
    members, _, others = parts
    table = others if kind in ("fresh", "one in a hundred") else members
    if kind == "one in a hundred":
        table = joined(table, members.take(np.arange(members.size // 100)))
    if kind == "noise":
        codes = table.codes.copy()
        for place in range(codes.shape[1]):
            anew = rng.random(len(codes)) < REDRAWN
            codes[anew, place] = rng.choice(table.codes[:, place], int(anew.sum()))
        return by_row(table.columns, codes)
    rows = np.arange(len(table), dtype=np.int64)
    return CodedTable(
        columns=table.columns, codes=table.codes, words=table.words, persons=rows, size=len(table)
    )


def played(table: CodedTable, schema: Schema, kind: str, *, seed: int, persons: int):
    """Return the lines of all games, with labels and CPU seconds."""
    rng = np.random.default_rng(seed)
    each = min(persons, table.size // 3)
    order = rng.permutation(table.size)
    parts = [table.take(order[part * each : (part + 1) * each]) for part in range(3)]
    shuffled = rng.permutation(2 * each)
    targets = joined(parts[0], parts[1]).take(shuffled).in_person_order()
    quasi = tuple(name for name in schema.quasi_identifiers if name in table.columns)
    stage = Stage(
        targets=targets,
        one_row=targets.one_row_each(rng),
        views=(View(name="", known=quasi, secrets=()),),
    )
    evidence = Evidence(
        release=released(kind, parts, rng),
        population=table.take(np.empty(0, dtype=np.int64)),
        sizes=sizes(schema),
        ordered=ordered(schema),
        missing=missing(schema),
        seed=seed,
    )
    lines: list[tuple[Observed, float]] = []
    for game, attack in GAMES:
        start = time.process_time()
        seen = game(attack, evidence, stage)
        lines += [(line, time.process_time() - start) for line in seen]
    return lines, shuffled < each


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Scan, singling out and linkage on known leaks.")
    parser.add_argument("--table", action="append", help=f"of DPSYNTH_DATA; {', '.join(TABLES)}")
    parser.add_argument("--seed", action="append", type=int, help="0, 1 and 2 if not given")
    parser.add_argument("--persons", type=int, default=PERSONS, help="members, at most")
    given = parser.parse_args()
    data = Path(os.environ["DPSYNTH_DATA"])
    for name in given.table or TABLES:
        schema = import_schema(data / f"{name}.json", max_rows=TABLES[name])
        if schema.open_items():
            schema = schema.confirm(reason="as the set describes it", source="its own page")
        frame = pd.read_parquet(data / f"{name}.parquet")
        table = encode(frame, schema, name=name, persons=True)
        for kind in RELEASES:
            sys.stdout.write(f"{name}, {kind}\n")
            games = [
                played(table, schema, kind, seed=seed, persons=given.persons)
                for seed in given.seed or (0, 1, 2)
            ]
            for place, (line, _) in enumerate(games[0][0]):
                mine = [lines[place][0].hits[labels].mean() for lines, labels in games]
                others = [lines[place][0].hits[~labels].mean() for lines, labels in games]
                naive = [lines[place][0].baseline_rate for lines, _ in games]
                seconds = min(lines[place][1] for lines, _ in games)
                sys.stdout.write(
                    f"  {line.name:52} members {np.mean(mine):.4f}  controls "
                    f"{np.mean(others):.4f}  baseline {np.mean(naive):.4f}  {seconds:.1f} CPU s\n"
                )


if __name__ == "__main__":
    main()
