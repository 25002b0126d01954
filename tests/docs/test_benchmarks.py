"""The page of benchmarks shows the recorded results, and its suite can be read."""

import re
import runpy
from pathlib import Path

import pytest

import dpsynth
from dpsynth.bench.suite_file import read_suite

ROOT = Path(dpsynth.__file__).parent.parent
FOLDER = ROOT / "docs" / "benchmarks"
# Evidence about others is written by hand, beside its results, and has no table that is made.
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "audits-of-peers.md")
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "benchmark_page.py"))
SHOWN = re.compile(r"!\[[^]]*\]\(([^)]+)\)")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_tables_are_those_of_the_recorded_results(path, tmp_path):
    page = path.read_text(encoding="utf-8")
    assert TOOL["MADE"].search(page)
    renewed = TOOL["renewed"](page, tmp_path)
    assert renewed == page, "run: .venv/bin/python tools/benchmark_page.py --write"
    drawn = {path.name for path in tmp_path.glob("*.svg")}
    assert set(SHOWN.findall(page)) == drawn
    assert all((FOLDER / name).is_file() for name in drawn)


def test_every_plot_is_shown_and_every_recorded_suite_has_its_place():
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert set(SHOWN.findall(text)) == {path.name for path in FOLDER.glob("*.svg")}
    for path in (ROOT / "benchmarks" / "results").glob("*.jsonl"):
        assert f": {path.name} " in text


def test_the_suite_shown_is_one(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", INDEX, re.DOTALL)
    path = tmp_path / "shown.toml"
    path.write_text(shown, encoding="utf-8")
    assert len(list(read_suite(path).cells())) == 2 * (10 + 10 * 2 + 10 * 2 + 1)
