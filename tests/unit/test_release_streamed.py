"""A release of a table that is streamed from disk is a release like any other."""

import pandas as pd
import pytest

from dpsynth.errors import UsageError
from dpsynth.schema import Schema
from dpsynth.sources.chosen import preparing
from dpsynth.sources.frame import FrameSource
from dpsynth.sources.store import StoreSource

SCHEMA = Schema.from_dict({"columns": [{"name": "x", "kind": "categorical", "values": ["a", "b"]}]})


def key(purpose):
    return purpose.encode().ljust(32, b".")


def test_the_engine_can_be_chosen(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": list("aab")}).to_csv(path, index=False)
    for engine, kind in (("auto", FrameSource), ("frame", FrameSource), ("duckdb", StoreSource)):
        found = preparing(path, SCHEMA, engine=engine)(key=key).source
        assert isinstance(found, kind)
        assert found.count(("x",)).tolist() == [2, 1]
    with pytest.raises(UsageError, match="engine must be one of"):
        preparing(path, SCHEMA, engine="excel")
