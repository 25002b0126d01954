"""Renew the tables and plots of docs/benchmarks/index.md from the recorded results, with --write.

A table stands between a line ``<!-- results: FILE.jsonl -->`` and a line ``<!-- end -->``; the file
is in benchmarks/results/. Plots are drawn for the file in a line ``<!-- plots: FILE.jsonl -->``.
"""

import re
import sys
from pathlib import Path

from dpsynth.bench import records, table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks" / "index.md"
RESULTS = ROOT / "benchmarks" / "results"
TABLE = re.compile(r"(<!-- results: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLOTS = re.compile(r"<!-- plots: (\S+) -->")


def renewed(page: str) -> str:
    """Return the page with its tables as the recorded results are now."""
    return TABLE.sub(lambda found: f"{found[1]}{_table(found[2])}{found[3]}", page)


def _table(name: str) -> str:
    return "\n" + table.markdown(records.read([RESULTS / name])) + "\n"


def main() -> None:
    """Print, or write."""
    page = PAGE.read_text(encoding="utf-8")
    if "--write" not in sys.argv:
        sys.stdout.write(renewed(page))
        return
    PAGE.write_text(renewed(page), encoding="utf-8")
    for name in PLOTS.findall(page):
        prefix = f"{Path(name).stem}-"
        table.plots(records.read([RESULTS / name]), PAGE.parent, prefix=prefix)


if __name__ == "__main__":
    main()
