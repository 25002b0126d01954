"""Hold every metric of fidelity against other people's code, on the same tables.

    python benchmarks/utility/against_others.py --adult adult.parquet --peers bench-peers \
        --out benchmarks/results/utility/others.jsonl

Adult (48,842 rows) in two halves at random: real rows and a holdout. The synthetic table is what
``mst`` makes of the real half at epsilon 1, sampled once with a fixed seed. The others are
SDMetrics (single columns, pairs, Pearson, Spearman), dython (Cramer's V, correlation ratio),
scikit-learn (pMSE, areas, nearest rows) and numpy's determinants (Hellinger), in an environment of
their own, which is made in the folder ``--peers`` if it is not there. They get our
groups of codes, since those are part of the definition, and do everything else by themselves.
About three minutes.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

import dpsynth
from dpsynth.bench import peers, runner_raw
from dpsynth.bench.provenance import commit, machine
from dpsynth.utility import propensity, support
from dpsynth.utility.tables import Tables

PEER = "sdmetrics"
HARNESS = Path(peers.__file__).parents[1] / "harness.py"
SCHEMA = Path(__file__).parents[1] / "schemas" / "adult.toml"
SEED = 11
WITHIN = 1e-6
NAMES = {  # of our scores, by theirs
    "single columns": "mean total variation, single columns",
    "pairs of columns": "mean total variation, pairs of columns",
    "Pearson": "mean difference of Pearson correlations, pairs of numbers",
    "Spearman": "mean difference of Spearman correlations, pairs of numbers",
    "Cramer": "mean difference of Cramer's V, pairs of categories",
    "ratio": "mean difference of correlation ratios, a category and a number",
    "hellinger": "multivariate Hellinger distance",
    "pmse": "pMSE, as a multiple of its expectation for a perfect synthesis",
    "area": "area under the ROC curve of telling synthetic from real rows",
    "alpha-precision": "alpha-precision",
    "beta-recall": "beta-recall",
    "authenticity": "authenticity, no evidence of privacy",
}
CODE = {
    "single columns": "SDMetrics TVComplement",
    "pairs of columns": "SDMetrics ContingencySimilarity",
    "Pearson": "SDMetrics CorrelationSimilarity",
    "Spearman": "SDMetrics CorrelationSimilarity",
    "Cramer": "dython cramers_v",
    "ratio": "dython correlation_ratio",
    "hellinger": "numpy det, inv",
    "pmse": "scikit-learn LogisticRegression",
    "area": "scikit-learn roc_auc_score",
    "alpha-precision": "scikit-learn NearestNeighbors",
    "beta-recall": "scikit-learn NearestNeighbors",
    "authenticity": "scikit-learn NearestNeighbors",
}


def main() -> None:
    """Run, compare, write."""
    arguments = argparse.ArgumentParser(description="Metrics beside other people's.")
    arguments.add_argument("--adult", type=Path, required=True, help="adult.parquet")
    arguments.add_argument("--peers", type=Path, required=True, help="where the others live")
    arguments.add_argument("--out", type=Path, required=True, help="lines of JSON, one a metric")
    asked = arguments.parse_args()
    if not peers.installed(asked.peers)[PEER]:
        peers.install(PEER, folder=asked.peers, progress=_say)
    python = peers.interpreter(PEER, asked.peers)
    frames = tables(asked.adult)
    ours = ours_of(frames)
    tables_ = Tables.of(*frames, schema(), seed=SEED)
    few = min(tables_.compared, len(tables_.real), propensity.MOST_ROWS_BOOSTED)
    chance, label = propensity.area(tables_, "synthetic", few, seed=SEED)
    theirs: dict[str, float] = {}
    versions: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        for name, rows in (
            ("tables", stacked(tables_)),
            ("area", pd.DataFrame({"chance": chance, "label": label})),
        ):
            found, versions = _run(python, name, rows, settings(tables_), Path(folder))
            theirs |= found
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for key, score in NAMES.items():
        apart = abs(ours[score] - theirs[key])
        lines.append(
            {
                "metric": score,
                "ours": ours[score],
                "theirs": theirs[key],
                "by": CODE[key],
                "apart": apart,
                "equal": apart <= WITHIN,
                "versions": versions,
                "commit": commit(),
                "machine": machine(),
                "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            }
        )
        _say(f"{score}: {ours[score]:.9f}, {CODE[key]} {theirs[key]:.9f}, apart {apart:.1e}")
    text = "".join(json.dumps(line) + "\n" for line in lines)
    asked.out.write_text(text, encoding="utf-8")
    if not all(line["equal"] for line in lines):
        sys.exit(1)


def schema() -> dpsynth.Schema:
    """Return the declared columns of Adult."""
    return dpsynth.Schema.read(SCHEMA)


def tables(source: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return synthetic, real and holdout rows."""
    rows = pd.read_parquet(source)[[column.name for column in schema().columns]]
    order = np.random.default_rng(SEED).permutation(len(rows))
    real, holdout = (rows.iloc[part] for part in np.array_split(order, 2))
    job = {"name": "mst", "settings": {}, "epsilon": "1", "delta": "1e-9", "seed": SEED}
    model = runner_raw.fitted(job, real, schema())
    return model.sample(len(real), seed=SEED), real, holdout


def ours_of(frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> dict[str, float]:
    """Return our values by name."""
    keys = ("marginals", "hellinger", "association", "propensity", "support")
    found = dpsynth.evaluate(*frames, schema(), seed=SEED, sections=keys, progress=_say)
    return {score.name: score.value for section in found.sections for score in section.scores}


def stacked(held: Tables) -> pd.DataFrame:
    """Return both tables, one below the other: codes, and numbers as they are."""
    parts = []
    for name in ("real", "synthetic"):
        rows = held.compared if name == "synthetic" else len(held.real)
        codes = {f"c:{column}": of[:rows] for column, of in held.codes[name].items()}
        values = {f"v:{column}": of[:rows] for column, of in held.values[name].items()}
        parts.append(pd.DataFrame({"_part": name, **codes, **values}))
    return pd.concat(parts, ignore_index=True)


def settings(held: Tables) -> dict[str, Any]:
    """Return what the others need to know."""
    fewest = min(held.compared, len(held.real))
    return {
        "columns": list(held.sizes),
        "numbers": list(held.values["real"]),
        "ordered": sorted(held.ordered),
        "regression": min(fewest, propensity.MOST_ROWS),
        "points": min(fewest, support.MOST_ROWS),
    }


def _run(
    python: Path, name: str, rows: pd.DataFrame, told: dict[str, Any], folder: Path
) -> tuple[dict[str, float], dict[str, str]]:
    """Run one job of the others to its end; return values and versions."""
    table, out, took = (folder / each for each in ("table.parquet", "out.parquet", "took.json"))
    rows.to_parquet(table, index=False)
    job = {
        "name": name,
        "settings": told,
        "table": str(table),
        "out": str(out),
        "measured": str(took),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    environment = {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    }
    environment.pop("PYTHONPATH", None)
    _say(f"{PEER}: {name}")
    subprocess.run(  # noqa: S603  # our own files
        [
            str(python),
            "-I",
            str(HARNESS),
            str(peers.runner(PEER)),
            str(folder / "job.json"),
        ],
        env=environment,
        cwd=folder,
        check=True,
    )
    answers = pd.read_parquet(out)
    versions = json.loads(took.read_text(encoding="utf-8"))["versions"]
    return dict(zip(answers["measure"], answers["value"], strict=True)), versions


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
