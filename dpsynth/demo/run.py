"""The demo as a script of commands: each is printed, and run as a person would run it."""

import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.errors import DpsynthError, UsageError

DATA = "demo-data"
RELEASE = "demo-release"
EPSILON = "1"
DELTA = "1e-9"
CONTROL = "0.1"
_MARK = "Made by `dpsynth demo`; the next demo replaces the files that it made here.\n"
_MADE = ("nhefs.csv", "nhefs.toml", "nhefs.sqlite", "demo-key.pem", "demo-key.pem.pub")


class DemoFailedError(DpsynthError):
    """A command of the demo failed; it has said why."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(f"the demo stopped at: {command}")
        self.exit_code = code  # type: ignore[misc]  # the code of the command that failed


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the demo made.

    Attributes:
        directory: the release.
        verdict: of the public certificate.
        internal_verdict: of the custodian's audit.
        signer: what verification said of the signer.
    """

    directory: Path
    verdict: str
    internal_verdict: str
    signer: str


def run(folder: Path, *, say: Callable[[str], None]) -> Outcome:
    """Release, verify and describe the demo's table below ``folder``.

    Raises:
        UsageError: something stands in the way that no demo made.
        DemoFailedError: a command failed.
    """
    data, release = folder / DATA, folder / RELEASE
    _clear_data(data)
    _clear_release(release)

    from dpsynth.demo import nhefs

    say("NHEFS: 1,629 persons, in the public domain, shipped by the package causaldata.")
    data.mkdir(exist_ok=True)
    (data / "README.txt").write_text(_MARK, encoding="utf-8")
    nhefs.write(data / "nhefs.csv")
    (data / "nhefs.toml").write_text(nhefs.schema_text(), encoding="utf-8")

    say("Each demo starts a new ledger. In real life a table has one ledger, for all time.")
    ledger, key, schema = data / "nhefs.sqlite", data / "demo-key.pem", data / "nhefs.toml"
    _command(say, ["ledger", "init", str(ledger), "--cap-epsilon", "3", "--cap-delta", DELTA])
    _command(say, ["keys", "new", "--out", str(key)])
    budget = ["--synthesizer", "mst", "--epsilon", EPSILON, "--delta", DELTA]
    made = _command(
        say,
        [
            *("release", str(data / "nhefs.csv"), "--schema", str(schema), *budget),
            *("--ledger", str(ledger), "--control", CONTROL),
            *("--key", str(key), "--out", str(release)),
        ],
        accepted=(0, 1),
    )
    checked = _command(say, ["verify", str(release), "--trust", f"{key}.pub"], accepted=(0, 1))
    return Outcome(
        directory=release,
        verdict=str(made["public_verdict"]),
        internal_verdict=str(made["internal_verdict"]),
        signer=str(checked["sentence"]),
    )


def _command(
    say: Callable[[str], None], arguments: Sequence[str], *, accepted: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """Run one command of the program in this process and return its JSON result."""
    from dpsynth.cli.app import main

    shown = "dpsynth " + " ".join(arguments)
    say(f"\n$ {shown}")
    sys.stderr.flush()
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = main([*arguments, "--json"])
    if code not in accepted:
        raise DemoFailedError(shown, code)
    document: dict[str, Any] = json.loads(printed.getvalue())
    return document


def _clear_data(data: Path) -> None:
    """Remove what an earlier demo left in its data folder, and nothing else."""
    if not data.exists():
        return
    mark = data / "README.txt"
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == _MARK):
        raise UsageError(f"{data} was not made by the demo; move it away or use --folder")
    for name in _MADE:
        (data / name).unlink(missing_ok=True)


def _clear_release(release: Path) -> None:
    """Remove an earlier demo's release, after recognizing it by its manifest and its schema."""
    if not release.exists():
        return
    if release.is_symlink() or not _is_ours(release):
        raise UsageError(f"{release} was not made by the demo; move it away or use --folder")
    shutil.rmtree(release)


def _is_ours(release: Path) -> bool:
    """Tell whether ``release`` holds an intact public folder of the demo's schema, or nothing."""
    import dpsynth
    from dpsynth.demo import nhefs
    from dpsynth.release import manifest

    inside = sorted(path.name for path in release.iterdir())
    if all(name.startswith((".public.", ".internal.")) for name in inside):
        return True  # an interrupted demo leaves at most unfinished folders
    public = release / "public"
    if not set(inside) <= {"public", "internal"} or not public.is_dir():
        return False
    try:
        manifest.check(public)
        found = dpsynth.Schema.read(public / "schema.toml")
    except DpsynthError:
        return False
    return bool(found == nhefs.schema())
