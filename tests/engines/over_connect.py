"""What ``test_spark_connect.py`` runs in a process of its own: a session is classic or Connect.

Prints one line of JSON: what differs from numpy, how an ended session fails, what was asked for.
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

sys.path.insert(0, str(Path(__file__).parent))

from test_sources import CONTROL, key, told_apart

from dpsynth.errors import DpsynthError
from dpsynth.sources.spark import prepare_spark
from dpsynth.testing.nasty_tables import nasty_table

folder, *seeds = sys.argv[1:]
session = (
    SparkSession.builder.remote("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.local.dir", folder)
    .config("spark.sql.session.timeZone", "Europe/Berlin")
    .config("spark.sql.timestampType", "TIMESTAMP_NTZ")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.adaptive.enabled", "false")
    .config("spark.sql.codegen.wholeStage", "false")
    .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    .getOrCreate()
)
said = {"session": type(session).__module__, "apart": {}, "ended": []}
for seed in map(int, seeds):
    made = nasty_table(seed)
    held = session.createDataFrame(made.table)
    found = prepare_spark(held, made.schema, key=key, control=CONTROL)
    said["apart"][seed] = told_apart(made, found, seed=seed)
try:
    said["context"] = repr(session.sparkContext)
except Exception as problem:  # noqa: BLE001  # that it cannot be had is what is asked
    said["context"] = type(problem).__name__
session.stop()
for again in (
    lambda: found.source.count(found.source.domain.columns[:1]),
    lambda: list(found.source.unit_rows().codes),
    lambda: prepare_spark(held, made.schema, key=key),
):
    try:
        again()
        said["ended"].append("answered")
    except DpsynthError as problem:
        said["ended"].append([problem.exit_code, str(problem)])
    except BaseException as problem:  # noqa: BLE001  # whatever else it is, it is wrong
        said["ended"].append(repr(problem))
sys.stdout.write(json.dumps(said) + "\n")
