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


def test_a_pipe_hears_of_every_tenth_of_a_training(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with console.Steps() as step:
        step("measuring")
        tell = step.training("1/3")
        for done in range(1, 301):
            tell(done, 300)
        step("writing")
    lines = said.getvalue().splitlines()
    assert lines[0] == "... measuring"
    assert lines[1] == "... training: step 1 of 300, epsilon 1/3 charged"
    assert lines[2] == "... training: step 30 of 300, epsilon 1/3 charged"
    assert lines[-2] == "... training: step 300 of 300, epsilon 1/3 charged"
    assert len(lines) == 13


def test_a_terminal_shows_a_bar_with_steps_epsilon_and_time_left(monkeypatch):
    said = Terminal()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    with console.Steps() as step:
        step("measuring")
        tell = step.training("0.5")
        for done in range(1, 41):
            tell(done, 40)
        step("writing")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.getvalue())
    assert "training: step 40 of 40, epsilon 0.5 charged" in plain
    assert "━" in plain  # the bar
    assert plain.index("measuring") < plain.index("training: step") < plain.rindex("writing")


def test_the_time_left_is_told_while_training(monkeypatch):
    bar, left = console._while_training()
    from rich.progress import Progress

    progress = Progress(bar, left)
    task = progress.add_task("training", total=10, trained=True)
    other = progress.add_task("writing", total=1, trained=False)
    held = {each.id: each for each in progress.tasks}
    assert str(left.render(held[task])).startswith("left ")
    assert str(left.render(held[other])) == ""
    assert str(bar.render(held[other])) == ""


def test_a_pipe_hears_of_every_tenth_of_the_parts(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    with console.Steps() as step:
        step("training")
        tell = step.parts()
        for done in range(100):
            tell(done, 100, f"size {done}")
        tell(100, 100, "done")
    lines = said.getvalue().splitlines()
    assert lines[:3] == [
        "... training",
        "... part 1 of 100: size 0",
        "... part 11 of 100: size 10",
    ]
    assert len(lines) == 11


def test_a_terminal_shows_a_bar_of_parts(monkeypatch):
    said = Terminal()
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    with console.Steps() as step:
        step("training on real rows")
        tell = step.parts()
        for done in range(8):
            tell(done, 8, f"size {done}")
        tell(8, 8, "done")
        step("writing")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.getvalue())
    assert "━" in plain
    assert plain.index("training on real rows") < plain.rindex("writing")
