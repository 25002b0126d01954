"""A billion rows, derived from recorded slopes; nothing is measured here.

    python benchmarks/scale/billion.py

Reads benchmarks/results/scale/rows.jsonl (see rows.py), fits a line to CPU seconds by rows for
every step, and to peak memory of its two largest sizes, and prints a Markdown table. A step with
one record has no slope.
"""

import sys
from collections.abc import Sequence

import record

ROWS = 1_000_000_000


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return intercept and slope by least squares of relative errors; the slope at least 0."""
    weights = [1 / y**2 for _, y in points]
    total = sum(weights)
    x_mean = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    y_mean = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - x_mean) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    moved = sum(w * (x - x_mean) * (y - y_mean) for w, (x, y) in zip(weights, points, strict=True))
    slope = max(moved / spread, 0.0)
    return y_mean - slope * x_mean, slope


def table() -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| step | records, most rows | CPU s a million rows | a billion: CPU hours | MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for step, mine in record.by_step("rows").items():
        if len({each["rows"] for each in mine}) < 2:
            continue
        start, slope = line([(each["rows"], each["cpu_seconds"]) for each in mine])
        largest = sorted((each["rows"], each["peak_mebibytes"]) for each in mine)[-2:]
        base, growth = line(largest)  # small tables do not fill what is held at a time
        hours = (start + slope * ROWS) / 3600
        most = max(each["rows"] for each in mine)
        lines.append(
            f"| {step} | {len(mine)}, {most:,} | {slope * 1e6:.2f} | {hours:.2f} "
            f"| {base + growth * ROWS:,.0f} |"
        )
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
