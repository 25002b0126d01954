"""``dpsynth doctor``: is this machine fit to make a release?"""

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated

import typer

from dpsynth.cli import console
from dpsynth.cli.exits import Exit
from dpsynth.cli.options import Json

LEAST_DISK_MEBIBYTES = 512
_EXTRAS = {
    "bench": ("sklearn", "statsmodels"),
    "demo": ("causaldata",),
    "formats": ("pyreadstat",),
    "baselines": ("diffprivlib",),
    "deep": ("torch", "opacus", "safetensors"),
    "spark": ("pyspark",),
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what was looked at.
        status: "ok", "unfit", or "absent" for an optional part that is not installed.
        detail: what was found, and for "unfit" what would make it pass.
    """

    name: str
    status: str
    detail: str


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("doctor")(doctor)


def doctor(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where a release would be written.")
    ] = Path(),
    json: Json = False,
) -> None:
    """Check Python, packages, random source, disk and extras; exit 6 where unfit."""
    checks = [python(), *packages(), random_source(), durable(), disk(folder), *extras()]
    unfit = [check.name for check in checks if check.status == "unfit"]
    lines = [f"{check.status:7} {check.name}: {check.detail}" for check in checks]
    verdict = f"unfit: {', '.join(unfit)}" if unfit else "This machine is fit to make a release."
    console.emit(
        {"fit": not unfit, "checks": [asdict(check) for check in checks]},
        as_json=json,
        text=lambda: "\n".join([*lines, verdict]),
    )
    raise typer.Exit(Exit.ENVIRONMENT if unfit else Exit.DONE)


def python(found: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Check the interpreter."""
    status = "ok" if found >= (3, 11) else "unfit"
    detail = f"{platform.python_version()} (3.11 to 3.13 are tested)"
    return Check(name="python", status=status, detail=detail)


def packages() -> list[Check]:
    """Check that every package the core needs is there, in the range that it needs."""
    from re import match

    checks = []
    try:
        needed = requires("dpsynth") or ()
    except PackageNotFoundError:
        hint = "dpsynth runs from its source folder and is not installed; type: pip install ."
        return [Check(name="dpsynth", status="unfit", detail=hint)]
    for line in needed:
        if "extra ==" in line:
            continue
        name = line[: match(r"[A-Za-z0-9_.-]+", line).end()]  # type: ignore[union-attr]  # has a name
        try:
            found = version(name)
        except PackageNotFoundError:
            checks.append(Check(name=name, status="unfit", detail=f"missing; install {line}"))
            continue
        fit = _within(found, line[len(name) :])
        checks.append(
            Check(
                name=name,
                status="ok" if fit else "unfit",
                detail=found if fit else f"{found} is outside what dpsynth needs: install {line}",
            )
        )
    return checks


def _within(found: str, ranges: str) -> bool:
    """Tell whether a version lies within ``>=a,<b``; all ranges of our core are of this form."""

    def numbers(text: str) -> tuple[int, ...]:
        parts = []
        for part in text.split("."):
            digits = "".join(character for character in part if character.isdigit())
            if not digits:
                break
            parts.append(int(digits))
        return tuple(parts)

    for limit in filter(None, (part.strip() for part in ranges.split(","))):
        if limit.startswith(">=") and numbers(found) < numbers(limit[2:]):
            return False
        if limit.startswith("<") and numbers(found) >= numbers(limit[1:]):
            return False
    return True


def random_source() -> Check:
    """Check that the operating system gives fresh random bytes without blocking."""
    name = "random source"
    try:
        first, second = os.urandom(64), os.urandom(64)
    except (OSError, NotImplementedError):
        detail = "the operating system refuses random bytes; privacy noise cannot be drawn here"
        return Check(name=name, status="unfit", detail=detail)
    if first == second or len(set(first + second)) < 16:
        return Check(name=name, status="unfit", detail="it repeats itself; repair the system")
    return Check(name=name, status="ok", detail="the operating system's")


def durable() -> Check:
    """Check that SQLite can keep a ledger safe against power cuts."""
    import sqlite3

    status = "ok" if sqlite3.sqlite_version_info >= (3, 12, 0) else "unfit"
    return Check(name="sqlite", status=status, detail=sqlite3.sqlite_version)


def disk(folder: Path) -> Check:
    """Check that a release would fit on the disk and may be written."""
    name = "disk"
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        detail = f"{folder} is not a folder that can be written; name another with --folder"
        return Check(name=name, status="unfit", detail=detail)
    free = shutil.disk_usage(folder).free // 2**20
    fit = free >= LEAST_DISK_MEBIBYTES
    detail = f"{free} MiB free in {folder.absolute()}"
    more = "" if fit else f"; {LEAST_DISK_MEBIBYTES} MiB are needed"
    return Check(name=name, status="ok" if fit else "unfit", detail=detail + more)


def extras() -> list[Check]:
    """List the optional parts; an absent one is no fault."""
    checks = []
    for extra, names in _EXTRAS.items():
        found = []
        for name in names:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                hint = f"pip install 'dpsynth[{extra}]'"
                checks.append(Check(name=f"extra {extra}", status="absent", detail=hint))
                break
        else:
            checks.append(Check(name=f"extra {extra}", status="ok", detail=", ".join(found)))
    return checks
