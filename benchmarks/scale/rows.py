"""Time and peak memory by rows: a sample to Parquet, and a fit of the file that it wrote.

    python benchmarks/scale/rows.py MODEL --rows 200000 400000 800000
    python benchmarks/scale/rows.py MODEL --plot docs/explanation/scale_rows.svg

MODEL is a folder made by ``dpsynth fit``; the rows are drawn from it. Every step runs in a process
of its own, on one thread. Records that are there already are not measured again.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import record
from fit import fit

HERE = str(Path(__file__))
NAME = "rows"


def main() -> None:
    """Measure what was asked for, or plot what was measured."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("model", type=Path)
    words.add_argument("--rows", type=int, nargs="*", default=[200_000, 400_000])
    words.add_argument("--synthesizer", default="mst")
    words.add_argument("--step", choices=("sample", "frame", "files"))
    words.add_argument("--steps", nargs="*", default=["sample"])
    words.add_argument("--table", type=Path)
    words.add_argument("--plot", type=Path)
    given = words.parse_args()
    if given.plot is not None:
        plot(given.plot)
    elif given.step is not None:
        sys.stdout.write(json.dumps(step(given)) + "\n")
    else:
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        for rows in given.rows:
            with tempfile.TemporaryDirectory() as folder:
                for name in dict.fromkeys(["sample", *given.steps]):
                    run(given, name, rows, Path(folder) / "table.parquet")


def run(given: argparse.Namespace, name: str, rows: int, table: Path) -> None:
    """Measure one step, unless it is on record and nothing else needs what it writes."""
    drawn = json.loads((given.model / "model.json").read_text(encoding="utf-8"))["synthesizer"]
    synthesizer = drawn["name"] if name == "sample" else given.synthesizer
    key = {"step": name, "rows": rows, "synthesizer": synthesizer}
    told = record.known(NAME, **key)
    if told and (name != "sample" or given.steps == ["sample"]):
        return
    found = record.measured(
        HERE,
        str(given.model),
        *("--step", name, "--rows", str(rows), "--table", str(table)),
        *("--synthesizer", given.synthesizer),
    )
    if not told:
        record.append(NAME, {**key, **found})


def step(given: argparse.Namespace) -> dict[str, float]:
    """Do one step in this process."""
    import dpsynth

    model = dpsynth.load_model(given.model)
    start = time.process_time()
    if given.step == "sample":
        model.write_sample(given.table, given.rows[0], seed=1)
    else:
        files = given.step == "files"
        fit(given.table, model.schema, synthesizer=given.synthesizer, files=files)
    return {
        "columns": len(model.schema.modeled),
        "cpu_seconds": round(time.process_time() - start, 3),
        "peak_mebibytes": record.peak_mebibytes(),
    }


def plot(path: Path) -> None:
    """Draw CPU seconds and memory by rows."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    for name, held in record.by_step(NAME).items():
        points = [(each["rows"], each["cpu_seconds"], each["peak_mebibytes"]) for each in held]
        rows, seconds, mebibytes = zip(*sorted(points), strict=True)
        left.plot(rows, seconds, marker="o", label=name)
        right.plot(rows, mebibytes, marker="o", label=name)
    left.set(xlabel="rows", ylabel="CPU s", xscale="log", yscale="log")
    right.set(xlabel="rows", ylabel="peak MiB", xscale="log")
    left.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
