"""The shipped examples: what is not private comes out red, and what is comes out green."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import dpsynth

pytest.importorskip("causaldata", reason="the examples' table is shipped by causaldata")
SCRIPT = Path(dpsynth.__file__).parent.parent / "benchmarks" / "audits" / "examples.py"


@pytest.fixture(scope="module")
def examples():
    spec = importlib.util.spec_from_file_location("audit_examples", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_class_of_the_deidentified_table_is_large_and_earnings_are_untouched(examples):
    people = examples.people()[:2000]
    made = examples.deidentified(people)
    quasi = list(examples.SCHEMA.quasi_identifiers)
    assert made.groupby(quasi).size().min() >= examples.CLASS
    assert made.groupby(quasi).ngroups > 20
    assert np.array_equal(made["re78"], people["re78"])


def test_two_ways_of_sharing_come_out_red_and_the_private_one_green(examples, capsys):
    assert examples.main([]) == 0
    lines = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert lines == examples.EXPECTED
