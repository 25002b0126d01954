"""Three ways to share one table, audited: de-identified, generated without noise, and private.

    python benchmarks/audits/examples.py [--tier smoke] [--out FOLDER]

The table is the Current Population Survey sample that the package ``causaldata`` ships: 15,992
persons, eight columns. A fair coin for one person in five makes controls. From the others come

- ``deidentified``: names removed, and the quasi-identifiers generalized until at least ten persons
  share each combination (a Mondrian), each range published as its middle; earnings as they were;
- ``overfitted``: a generator that learns each column from those before it by a decision tree grown
  to the last person, and draws from it (sequential trees, as R's synthpop uses, never pruned);
- ``private``: ``dpsynth`` with the default synthesizer at epsilon 1.

The first two should come out FAIL, the last PASS. With ``--out`` each report is written there.
"""

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import attacks
import dpsynth
from attacks.audit_report import AuditReport
from dpsynth.bench.packaged import packaged_frame
from dpsynth.schema import Schema

SHARE = 0.2
CLASS = 10  # persons who share a combination of quasi-identifiers, at least
EPSILON, DELTA = 1, Fraction(1, 10**6)
EXPECTED = {"deidentified": "FAIL", "overfitted": "FAIL", "private": "PASS"}
SCHEMA = Schema.from_dict(
    {
        "description": "Current Population Survey, men of 16 to 55 years",
        "expected_rows": 15000,
        "columns": [
            {"name": "age", "kind": "integer", "bounds": [16, 55]},
            {"name": "educ", "kind": "integer", "bounds": [0, 18]},
            {"name": "black", "kind": "ordinal", "values": [0, 1]},
            {"name": "hisp", "kind": "ordinal", "values": [0, 1]},
            {"name": "marr", "kind": "ordinal", "values": [0, 1]},
            {"name": "re74", "kind": "continuous", "bounds": [0, 40000], "bins": 40},
            {"name": "re75", "kind": "continuous", "bounds": [0, 40000], "bins": 40},
            {"name": "re78", "kind": "continuous", "bounds": [0, 40000], "bins": 40},
        ],
        "quasi_identifiers": ["age", "educ", "black", "hisp", "marr"],
        "sensitive": ["re78"],
    }
)


def people() -> pd.DataFrame:
    """Return the persons of the survey sample, with the declared columns."""
    frame = packaged_frame("causaldata", "cps_mixtape")
    return frame[[column.name for column in SCHEMA.columns]].astype(float)


def deidentified(members: pd.DataFrame) -> pd.DataFrame:
    """Return the table with quasi-identifiers generalized to classes of ``CLASS`` or more.

    Source:
        LeFevre, DeWitt and Ramakrishnan (2006), "Mondrian Multidimensional K-Anonymity": split a
        class at the median of its widest column for as long as both halves are large enough.
    """
    quasi = list(SCHEMA.quasi_identifiers)
    values = members[quasi].to_numpy(dtype=np.float64)
    width = np.ptp(values, axis=0)
    published = values.copy()
    waiting = [np.arange(len(values))]
    while waiting:
        rows = waiting.pop()
        halves = _halves(values, rows, width=np.where(width > 0, width, 1.0))
        if halves is None:
            low, high = values[rows].min(axis=0), values[rows].max(axis=0)
            published[rows] = np.floor((low + high) / 2)
        else:
            waiting += halves
    return members.assign(**{name: published[:, at] for at, name in enumerate(quasi)})


def _halves(
    values: NDArray[np.float64], rows: NDArray[np.int64], *, width: NDArray[np.float64]
) -> list[NDArray[np.int64]] | None:
    for column in np.argsort(-np.ptp(values[rows], axis=0) / width, kind="stable"):
        held = values[rows, column]
        below = held < np.median(held) if held.min() < np.median(held) else held <= held.min()
        if CLASS <= below.sum() <= rows.size - CLASS:
            return [rows[below], rows[~below]]
    return None


def overfitted(members: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return rows drawn column by column, each from a tree of the columns before it.

    A leaf holds the persons who look alike so far, often one alone; the next value is one of
    theirs.
    """
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(seed)
    columns = list(members.columns)
    made = pd.DataFrame({columns[0]: rng.choice(members[columns[0]].to_numpy(), len(members))})
    for place, column in enumerate(columns[1:], start=1):
        before = columns[:place]
        tree = DecisionTreeRegressor(random_state=seed).fit(members[before], members[column])
        leaf_of_member = tree.apply(members[before])
        order = rng.permutation(len(members))
        order = order[np.argsort(leaf_of_member[order], kind="stable")]
        leaves, first, count = np.unique(
            leaf_of_member[order], return_index=True, return_counts=True
        )
        at = np.searchsorted(leaves, tree.apply(made[before]))
        chosen = order[first[at] + (rng.random(len(made)) * count[at]).astype(np.int64)]
        made[column] = members[column].to_numpy()[chosen]
    return made


def private(members: pd.DataFrame) -> pd.DataFrame:
    """Return a release at ``EPSILON`` by the default synthesizer, with a ledger of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "people.ledger"
        dpsynth.Ledger.create(ledger, cap_epsilon=EPSILON, cap_delta=DELTA)
        model = dpsynth.Auto().fit(
            members, schema=SCHEMA, epsilon=EPSILON, delta=DELTA, ledger=ledger
        )
        return model.sample(seed=0)


def audited(tier: str, *, seed: int) -> dict[str, tuple[AuditReport, float]]:
    """Return by way of sharing what the audit says, and the CPU seconds that it took."""
    table = people()
    coin = np.random.default_rng(seed).random(len(table)) < SHARE
    members, controls = (table[side].reset_index(drop=True) for side in (~coin, coin))
    releases = {
        "deidentified": deidentified(members),
        "overfitted": overfitted(members, seed=seed),
        "private": private(members),
    }
    found = {}
    for name, release in releases.items():
        start = time.process_time()
        report = attacks.audit(
            release,
            members,
            controls,
            SCHEMA,
            split="random",
            control_share=SHARE,
            tier=tier,
            seed=seed,
        )
        found[name] = report, time.process_time() - start
    return found


def main(arguments: list[str] | None = None) -> int:
    """Audit the three, print a line each, and return 1 where one is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tier", default="smoke", choices=["smoke", "standard", "full"])
    parser.add_argument("--seed", type=int, default=0, help="of the coin and of the audit")
    parser.add_argument("--out", type=Path, help="a folder for the reports as JSON")
    given = parser.parse_args(arguments)
    wrong = 0
    for name, (report, seconds) in audited(given.tier, seed=given.seed).items():
        failed = [line for line in report.results if line.status == "failed"]
        wrong += report.verdict != EXPECTED[name]
        told = f"{name:13} {report.verdict:12} {len(failed):3} failed lines {seconds:6.1f} CPU s"
        sys.stdout.write(told + "\n")
        if given.out is not None:
            given.out.mkdir(parents=True, exist_ok=True)
            document: dict[str, Any] = report.to_dict()
            path = given.out / f"{name}.json"
            path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
