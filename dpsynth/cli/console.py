"""What commands say, and where: results on standard output, everything else on standard error.

Public for commands that another package registers through the entry point ``dpsynth.commands``.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, ProgressColumn, Task, TaskID

_STYLES = {"passed": "green", "failed": "bold red", "error": "bold red", "inconclusive": "yellow"}


def note(text: str) -> None:
    """Say ``text`` on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def warn(text: str) -> None:
    """Say ``text`` on standard error, marked as a warning."""
    note(f"warning: {text}")


def emit(document: Mapping[str, Any], *, as_json: bool, text: Callable[[], str]) -> None:
    """Print a result on standard output: as one JSON document, or as ``text()``."""
    if as_json:
        rendered = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    else:
        rendered = text()
    sys.stdout.write(rendered.rstrip("\n") + "\n")
    sys.stdout.flush()


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Return a table as text, drawn and colored on a terminal, plain and aligned elsewhere.

    Args:
        header: names of the columns.
        rows: the cells, each row as long as the header.
        right: the columns that are set to the right.
    """
    if sys.stdout.isatty():
        return _drawn(header, rows, right)
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in ruled
    )


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(header):
        drawn.add_column(Text(name), justify="right" if place in right else "left")
    for row in rows:
        # Text, so that a name in brackets is not taken for a style.
        drawn.add_row(*(Text(cell, style=_STYLES.get(cell.lower(), "")) for cell in row))
    console = Console()
    with console.capture() as captured:
        console.print(drawn)
    return captured.get().strip("\n")


def refuse_existing(path: Path, *, what: str = "--out") -> None:
    """Refuse to write over anything, or into a folder that does not exist."""
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"{what} {path} exists already, and nothing is ever overwritten; "
            "name a new path or move the old one away"
        )
    parent = path.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"{what} {path} cannot be made, because {parent} is not a folder")


class Steps:
    """Show what is being done: a live line on a terminal, one plain line a step elsewhere.

    Use as a context manager, and call it with a sentence at the start of each step. Sentences
    name declared things only, never a value or a count from the rows.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._told = 0  # tenths of a training that plain lines have told

    def __enter__(self) -> "Steps":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            bar, left = _while_training()
            self._progress = Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description}", markup=False),
                bar,
                TimeElapsedColumn(),
                left,
                console=Console(stderr=True),
            )
            self._progress.start()
        return self

    def __call__(self, step: str) -> None:
        """Begin ``step``; the one before it is done."""
        if step == self._name:
            return
        self._name = step
        if self._progress is None:
            note(f"... {step}")
            return
        self._finish()
        self._task = self._progress.add_task(step, total=1, trained=False)

    def training(self, epsilon: str) -> Callable[[int, int], None]:
        """Return what is to be told the steps of a training done, and of how many.

        Args:
            epsilon: of the claim, as text: the ledger is charged all of it before the first step.
        """

        def tell(done: int, steps: int) -> None:
            name = f"training: step {done} of {steps}, epsilon {epsilon} charged"
            if self._progress is None:
                tenths = 10 * done // steps
                if tenths > self._told or done == 1:
                    self._told = tenths
                    note(f"... {name}")
                return
            if done == 1:
                self("training")
            if self._task is not None:
                self._progress.update(
                    self._task, description=name, total=steps, completed=done, trained=True
                )

        return tell

    def rows(self) -> Callable[[int, int], None]:
        """Return what is to be told the rows written, and of how many."""
        told = [0]

        def tell(done: int, rows: int) -> None:
            if self._progress is None:
                tenths = 10 * done // max(rows, 1)
                if told[0] < tenths < 10:
                    note(f"... {done} of {rows} rows written")
                told[0] = tenths
            elif self._task is not None:
                self._progress.update(
                    self._task,
                    description=f"{done} of {rows} rows written",
                    total=max(rows, 1),
                    completed=done,
                    trained=True,
                )

        return tell

    def parts(self) -> Callable[[int, int, str], None]:
        """Return what is to be told the parts done, of how many, and what begins now."""
        told = [-1]

        def tell(done: int, parts: int, begins: str) -> None:
            if self._progress is None:
                tenths = 10 * done // max(parts, 1)
                if tenths > told[0] and done < parts:
                    note(f"... part {done + 1} of {parts}: {begins}")
                told[0] = max(told[0], tenths)
            elif self._task is not None:
                self._progress.update(
                    self._task,
                    description=begins,
                    total=max(parts, 1),
                    completed=done,
                    trained=True,
                )

        return tell

    def _finish(self) -> None:
        if self._progress is not None and self._task is not None:
            task = self._progress.tasks[self._progress.task_ids.index(self._task)]
            self._progress.update(self._task, completed=task.total)
            self._task = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        if self._progress is not None:
            self._progress.stop()


def _while_training() -> "tuple[ProgressColumn, ProgressColumn]":
    """Return a bar and the time left, which steps show that count."""
    from rich.progress import BarColumn, TimeRemainingColumn
    from rich.text import Text

    class Bar(BarColumn):
        def render(self, task: "Task") -> "RenderableType":  # type: ignore[override]  # or nothing
            return super().render(task) if task.fields["trained"] else Text("")

    class Left(TimeRemainingColumn):
        def render(self, task: "Task") -> Text:
            if not task.fields["trained"] or task.finished:
                return Text("")
            return Text("left ") + super().render(task)

    return Bar(bar_width=24), Left()
