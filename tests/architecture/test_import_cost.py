"""``import dpsynth`` and ``dpsynth --help`` are quick, and load nothing heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "pyarrow", "sklearn", "matplotlib", "scipy.stats", "jinja2")
TRIES = 8  # the best of a few: other work on the machine must not decide

IMPORT = "import dpsynth"
HELP = "from dpsynth.cli.app import main; assert main(['--help']) == 0"
# All that a plan needs, and all that a recipient of a release does.
ALL_BUT_FITTING = """
import dpsynth, dpsynth.cli.app, dpsynth.privacy.curator, dpsynth.privacy.accounting
from dpsynth.synthesizers import registry
for name in registry.BUILT_IN:
    registry.get(name)()
for name in dpsynth.__all__:
    getattr(dpsynth, name)
"""

PROBE = """
import json, sys, time
started = time.perf_counter()
{statement}
taken = time.perf_counter() - started
print("\\n" + json.dumps([taken, sorted(name for name in {heavy!r} if name in sys.modules)]))
"""


def probe(statement):
    code = PROBE.format(statement=statement, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("statement", "limit"), [(IMPORT, 0.5), (HELP, 0.7)], ids=["import", "help"]
)
def test_cost(statement, limit):
    fastest = float("inf")
    for _ in range(TRIES):
        taken, loaded = probe(statement)
        assert loaded == []
        fastest = min(fastest, taken)
        if fastest < limit / 2:
            break
    assert fastest < limit


def test_torch_waits_until_something_trains():
    """It need not be installed for this test to fail: an import of what is absent stops the run."""
    _, loaded = probe(ALL_BUT_FITTING)
    assert "torch" not in loaded


def test_the_probe_sees_a_heavy_import():
    _, loaded = probe("import matplotlib")
    assert loaded == ["matplotlib"]
