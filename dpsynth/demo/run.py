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
        policy: the name of the rule behind it.
        internal_verdict: of the custodian's audit.
        signer: what verification said of the signer.
    """

    directory: Path
    verdict: str
    policy: str
    internal_verdict: str
    signer: str


def run(folder: Path, *, say: Callable[[str], None]) -> Outcome:
    """Release, verify and describe the demo's table below ``folder``.

    Raises:
        UsageError: something stands in the way that no demo made.
        DemoFailedError: a command failed.
    """
    data, release = folder / DATA, folder / RELEASE
    _require_ours(data, release)
    _clear(data, release)

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
    budget = ["--epsilon", EPSILON, "--delta", DELTA]
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
        policy=str(checked["policy"]["name"]),
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


def _require_ours(data: Path, release: Path) -> None:
    """Refuse what no demo made, before anything is removed."""
    mark = data / "README.txt"
    marked = mark.is_file() and mark.read_text(encoding="utf-8") == _MARK
    for path, ours in ((data, marked), (release, release.is_dir() and _is_ours(release))):
        if path.is_symlink() or (path.exists() and not ours):
            raise UsageError(f"{path} was not made by the demo; move it away or use --folder")


def _clear(data: Path, release: Path) -> None:
    """Remove the files that an earlier demo made, and nothing else."""
    for name in _MADE:
        (data / name).unlink(missing_ok=True)
    if release.exists():
        shutil.rmtree(release)


def _is_ours(release: Path) -> bool:
    """Tell an earlier demo's release, by its intact manifest and its schema."""
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
