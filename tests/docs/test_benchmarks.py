"""The page of benchmarks shows the recorded results, and its suite can be read."""

import re
import runpy
from pathlib import Path

import dpsynth
from dpsynth.bench.suite import read_suite

ROOT = Path(dpsynth.__file__).parent.parent
PAGE = (ROOT / "docs" / "benchmarks" / "index.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "benchmark_page.py"))


def test_the_tables_are_those_of_the_recorded_results():
    assert TOOL["TABLE"].search(PAGE)
    assert TOOL["renewed"](PAGE) == PAGE, "run: .venv/bin/python tools/benchmark_page.py --write"


def test_the_suite_shown_is_one(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "shown.toml"
    path.write_text(shown, encoding="utf-8")
    assert len(list(read_suite(path).cells())) == 2 * (10 + 10 * 2 + 10 * 2 + 1)
