"""Tables of files on disk: the same counts, the same choices, nothing left behind."""

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from dpsynth.errors import DataError
from dpsynth.schema import Schema
from dpsynth.sources import store, stored, streams
from dpsynth.sources.duckdb import Limits, locked
from dpsynth.sources.files import read_table
from dpsynth.sources.folder import private_folder
from dpsynth.sources.frame import prepare
from dpsynth.sources.stored import prepare_files
from dpsynth.sources.streams import is_large, open_table
from dpsynth.testing.nasty_tables import nasty_table
from dpsynth.testing.same_counts import differences


def key(purpose):
    return hashlib.blake2b(purpose.encode(), digest_size=32).digest()


@pytest.fixture
def folder(tmp_path):
    with private_folder(tmp_path) as made:
        yield made


@pytest.fixture
def small_parts(monkeypatch):
    """Many parts of few rows, so that what is whole in memory is never whole here."""
    monkeypatch.setattr(streams, "_CELLS_AT_ONCE", 1)
    monkeypatch.setattr(store, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(store, "_SORTED_ROWS", 20)
    monkeypatch.setattr(store, "_PASS_CELLS", 1000)
    monkeypatch.setattr(streams.FileTable, "rows_at_once", 11)


def same(frame, path, schema, folder, control=Fraction(1, 4)):
    one = prepare(frame, schema, key=key, control=control)
    other = prepare_files(
        open_table(path, schema), schema, key=key, control=control, folder=folder
    )
    assert differences(one.source, other.source, schema, seed=1) == []
    assert other.identity == one.identity
    assert len(other.members) == len(one.members)
    assert len(other.controls) == len(one.controls)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_parquet_counts_as_it_does_in_memory(seed, tmp_path, folder, small_parts):
    table = nasty_table(seed)
    parquet.write_table(table.table, tmp_path / "t.parquet", row_group_size=13)
    same(table.frame(), tmp_path / "t.parquet", table.schema, folder)


@pytest.mark.parametrize("seed", range(1, 60, 6))
def test_csv_counts_as_it_does_in_memory(seed, tmp_path, folder, small_parts):
    table = nasty_table(seed)
    path = tmp_path / "t.csv"
    table.frame().to_csv(path, index=False)
    try:
        frame = read_table(path, table.schema)
    except DataError:
        with pytest.raises(DataError):
            list(open_table(path, table.schema).frames(folder, Limits()))
        return
    same(frame, path, table.schema, folder)
