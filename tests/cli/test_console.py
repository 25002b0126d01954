"""Tables are drawn for people and plain for pipes; both hold every cell."""

import io
import re
import sys

from dpsynth.cli import console

HEADER = ["attack", "rate", "status"]
ROWS = [["membership [red]", "4.8 %", "passed"], ["attribute", "50.0 %", "failed"]]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_pipe_gets_aligned_plain_text():
    assert console.table(HEADER, ROWS, right=(1,)).splitlines() == [
        "attack              rate  status",
        "----------------  ------  ------",
        "membership [red]   4.8 %  passed",
        "attribute         50.0 %  failed",
    ]


def test_a_terminal_gets_a_drawn_table_with_every_cell(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    drawn = console.table(HEADER, ROWS, right=(1,))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert plain != drawn  # the outcomes are colored
    assert all(cell in plain for row in [HEADER, *ROWS] for cell in row)
    assert "─" in plain
