"""The same tables of the same rows, counted by numpy, DuckDB and Spark; all must agree.

    python benchmarks/scale/sources.py --rows 200000 1000000 --engines numpy duckdb

The rows are made up: 15 columns of 2 to 40 codes. Counted are all columns and all pairs, as a fit
of ``auto`` or ``mst`` does once. Every engine works on one thread, on codes that it holds already;
reading files and coding cells is measured by rows.py. Records are kept and not measured again.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import record

HERE = str(Path(__file__))
NAME = "sources"
SIZES = {
    f"c{at}": size for at, size in enumerate([2, 2, 3, 5, 6, 7, 9, 12, 15, 16, 16, 23, 24, 30, 40])
}


def main() -> None:
    """Measure each engine at each size in a process of its own."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, nargs="*", default=[100_000])
    words.add_argument("--engines", nargs="*", default=["numpy", "duckdb"])
    words.add_argument("--engine", choices=("numpy", "duckdb", "spark"))
    given = words.parse_args()
    if given.engine is not None:
        sys.stdout.write(json.dumps(counted(given.engine, given.rows[0])) + "\n")
        return
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    for rows in given.rows:
        for engine in given.engines:
            if not record.known(NAME, engine=engine, rows=rows):
                found = record.measured(HERE, "--engine", engine, "--rows", str(rows))
                record.append(NAME, {"engine": engine, "rows": rows, **found})
        digests = {each["counts"] for each in record.read(NAME) if each["rows"] == rows}
        if len(digests) > 1:
            raise SystemExit(f"the engines disagree at {rows} rows")


def made(rows: int) -> dict[str, np.ndarray]:
    """Return made-up codes; columns hang on each other."""
    rng = np.random.default_rng(7)
    common = rng.integers(0, 40, rows)
    return {
        name: ((common + rng.integers(0, size, rows)) % size).astype(np.uint8)
        for name, size in SIZES.items()
    }


def counted(engine: str, rows: int) -> dict[str, Any]:
    """Count everything with one engine."""
    from dpsynth.domain import Domain
    from dpsynth.sources.frame import FrameSource

    domain = Domain(sizes=SIZES)
    codes = made(rows)
    cliques = [(name,) for name in SIZES] + list(combinations(SIZES, 2))
    with tempfile.TemporaryDirectory() as folder:
        if engine == "numpy":
            source: Any = FrameSource(codes, domain)
            runner = None
        else:
            runner = (_DuckDB if engine == "duckdb" else _Spark)(codes, folder)
            source = _over(runner, domain)
        start, wall = time.process_time(), time.perf_counter()
        digest = hashlib.sha256()
        for counts in source.count_many(cliques):
            digest.update(counts.tobytes())
        found = {
            # Java's time is not that of this process: Spark is compared by the clock.
            "cpu_seconds": round(time.process_time() - start, 3),
            "seconds": round(time.perf_counter() - wall, 3),
            "counts": digest.hexdigest()[:16],
            "peak_mebibytes": record.peak_mebibytes(),
        }
        if runner is not None:
            runner.close()
    return found


def _over(runner: Any, domain: Any) -> Any:
    from dpsynth.sources.engine import CodedColumn, EngineSource

    columns = {
        name: CodedColumn(code=name, now=np.arange(size)) for name, size in domain.sizes.items()
    }
    return EngineSource(runner, relation="coded", columns=columns, unit="0", domain=domain)


class _DuckDB:
    form = "sets"

    def __init__(self, codes: dict[str, np.ndarray], folder: str) -> None:
        import duckdb
        import pyarrow as pa

        self.connection = duckdb.connect(config={"threads": "1", "temp_directory": folder})
        table = pa.table({name: column.astype(np.int32) for name, column in codes.items()})
        self.connection.register("given", table)
        self.connection.execute("CREATE TABLE coded AS SELECT * FROM given")

    def rows(self, statement: str) -> list[tuple[int, ...]]:
        return self.connection.execute(statement).fetchall()

    def close(self) -> None:
        self.connection.close()


class _Spark:
    form = "array"

    def __init__(self, codes: dict[str, np.ndarray], folder: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq
        from pyspark.sql import SparkSession

        path = f"{folder}/coded.parquet"
        table = pa.table({name: column.astype(np.int32) for name, column in codes.items()})
        pq.write_table(table, path)
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        self.session = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
        self.session.read.parquet(path).createOrReplaceTempView("coded")

    def rows(self, statement: str) -> list[tuple[int, ...]]:
        return [tuple(row) for row in self.session.sql(statement).collect()]

    def close(self) -> None:
        self.session.stop()


if __name__ == "__main__":
    main()
