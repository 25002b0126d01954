"""What ``test_spark_faults.py`` runs in a process of its own, to hear all that a JVM says there.

Writes one line of JSON: by fault, the exit code and what the ledger was charged.
"""

import json
import sys
import threading
from pathlib import Path

import dpsynth
from dpsynth.cli.app import main
from dpsynth.sources import spark

folder, secret = Path(sys.argv[1]), sys.argv[2]
session = spark.open_session("local[1]")
session.sql("SELECT CAST(id % 90 AS INT) AS age, 'f' AS sex FROM range(200)").createTempView("good")
# What fails on a row says which: a text that is no number, in Spark's words of Spark 4.
session.sql(
    f"SELECT CAST(IF(id = 77, '{secret}', '5') AS INT) AS age, 'f' AS sex FROM range(200)"
).createTempView("bad")


def fitted(table):
    with dpsynth.Ledger.open(folder / "people.ledger") as book:
        before = len(list(book))
    code = main([
        "fit", table, "--spark", "local[1]", "--schema", f"{folder}/people.toml", "--epsilon", "1",
        "--delta", "1e-9", "--synthesizer", "independent", "--ledger", f"{folder}/people.ledger",
        "--out", f"{folder}/model",
    ])  # fmt: skip
    with dpsynth.Ledger.open(folder / "people.ledger") as book:
        return [code, len(list(book)) > before]


said = {"a cell that a query fails on": fitted("bad")}
rows = spark.SparkEngine.rows


def stopped(engine, statement):
    """Stop everything while the first counts are under way: after the charge."""
    if "AS cell" not in statement:
        return rows(engine, statement)
    threading.Timer(2, session.stop).start()
    return rows(engine, "SELECT SUM(CAST(a.id AS DOUBLE) % 7), 0 FROM range(1000000000000) AS a")


spark.SparkEngine.rows = stopped
said["a context stopped during a job"] = fitted("good")
sys.stdout.write(json.dumps(said) + "\n")
