"""Write a large made-up table as Parquet, a million rows at a time, and its schema.

    python benchmarks/scale/make_table.py --rows 10000000 --columns 50 --out big.parquet

Half the columns are levels, a quarter whole numbers, a quarter fractions; neighbors hang together.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

_ROWS_AT_ONCE = 1_000_000


def schema(columns: int, rows: int) -> dict[str, object]:
    """Return the schema of a table of so many columns."""
    declared: list[dict[str, object]] = []
    for at in range(columns):
        name = f"c{at:02d}"
        if at % 4 in (0, 2):
            levels = [f"level {number}" for number in range(2 + (3 * at) % 12)]
            declared.append({"name": name, "kind": "categorical", "values": levels})
        elif at % 4 == 1:
            declared.append({"name": name, "kind": "integer", "bounds": [0, 99], "nullable": True})
        else:
            declared.append({"name": name, "kind": "continuous", "bounds": [0, 250]})
    return {"columns": declared, "expected_rows": rows}


def batch(rows: int, columns: int, rng: np.random.Generator) -> pa.Table:
    """Return some rows: each column leans on the one before."""
    cells, before = {}, rng.random(rows)
    for at in range(columns):
        now = np.where(rng.random(rows) < 0.6, before, rng.random(rows))
        name = f"c{at:02d}"
        if at % 4 in (0, 2):
            levels = 2 + (3 * at) % 12
            places = pa.array((now * levels).astype(np.int32))
            texts = pa.array([f"level {number}" for number in range(levels)])
            cells[name] = pa.DictionaryArray.from_arrays(places, texts).cast(pa.string())
        elif at % 4 == 1:
            cells[name] = pa.array((now * 100).astype(np.int64), mask=rng.random(rows) < 0.02)
        else:
            cells[name] = pa.array(np.round(now * 250, 1))
        before = now
    return pa.table(cells)


def main() -> None:
    """Write the table beside its schema."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rng, left, writer = np.random.default_rng(given.seed), given.rows, None
    while left > 0:
        some = batch(min(left, _ROWS_AT_ONCE), given.columns, rng)
        writer = writer or parquet.ParquetWriter(given.out, some.schema)
        writer.write_table(some, row_group_size=250_000)
        left -= some.num_rows
    if writer is not None:
        writer.close()
    described = json.dumps(schema(given.columns, given.rows), indent=2)
    given.out.with_suffix(".json").write_text(described + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
