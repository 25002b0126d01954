"""What a release runs by itself, before bugs that are planted in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "benchmarks" / "audits" / "smoke_zoo.py"


@pytest.mark.parametrize(
    "mutant",
    [
        "noise-20-percent-small",  # seen by the law
        "max-rows-forgotten",  # by neighbors
        "copies-filtered-out",  # by neighbors at a budget that hides nothing
        "rare-rows-copied",  # by what is drawn
    ],
)
def test_the_short_trial_fails_a_planted_bug_and_names_what_is_broken(mutant):
    command = [sys.executable, str(STUDY), "unused", "--one", mutant]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["verdict"], found["named"]) == ("FAIL", True), found
