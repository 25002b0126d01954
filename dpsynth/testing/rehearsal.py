"""A whole release of made-up rows, by the command that makes one, with answers that are frozen.

The command reads a file, opens a ledger file and writes a folder, as ever. Only two things are
others: the synthesizer's readings are recorded, or answered with recorded ones, its noise coming
from a seed of which the ledger tells; and the gate certifies and attacks nothing, but says what it
was told to say. So nothing of this can be certified.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.ledger import Account, Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.synthesizers.facade import Synthesizer
from dpsynth.synthesizers.plan import Plan
from dpsynth.testing.outcome import outcome_of
from dpsynth.testing.tape import Reading, RecordingSource, ReplayingSource

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

OUT, TABLE, SCHEMA, LEDGER, TEMPORARY, HOME = (
    "out",
    "table.csv",
    "schema.json",
    "made-up.ledger",
    "tmp",
    "home",
)
_GIVEN = {OUT, TABLE, SCHEMA, LEDGER, TEMPORARY, HOME}
_DELTA = Fraction(1, 10**9)


@dataclass(frozen=True, kw_only=True)
class Released:
    """What stands there when the command has ended.

    Attributes:
        code: its exit code.
        said: all that it printed, logged and warned of.
        public: the files that may leave the house, by name.
        internal: names of the other files of the release.
        open_to_all: those of them, or of their folders, that others on the machine may enter.
        left: files that nobody asked for, wherever they lie.
    """

    code: int
    said: tuple[str, ...]
    public: Mapping[str, bytes]
    internal: tuple[str, ...]
    open_to_all: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    verdict: str


@dataclass(frozen=True, kw_only=True)
class _Gate:
    """Certifies nothing, and finds of the custodian's copy what it was told to find."""

    internal: str

    def check_key(self, key: Path | None) -> tuple[str, bool]:
        del key
        return "nobody", False

    def check_policy(self, given: object, **_: object) -> str:
        return str(given)

    def conform(self, *_: object, **__: object) -> dict[str, Any]:
        return {}

    def certify_public(self, directory: Path, **_: object) -> _Verdict:
        del directory
        return _Verdict(verdict="PASS")

    def audit_internal(self, directory: Path, **_: object) -> _Verdict:
        from dpsynth.release import atomic, bundle

        if self.internal == "error":
            raise ArithmeticError
        with atomic.folder(directory / bundle.INTERNAL, mode=bundle.PRIVATE_MODE) as building:
            bundle.write_internal(building, audit={"verdict": self.internal}, fidelity=None)
        return _Verdict(verdict=self.internal)


class _Seeded(Plan):
    """A plan whose releases say that their noise came from a seed."""

    def open(self, ledger: Ledger, *, seeded: bool = False) -> Account:
        del seeded
        return super().open(ledger, seeded=True)


class Rehearsed(Synthesizer):
    """A synthesizer whose readings of the rows are recorded, or answered with recorded ones.

    Args:
        synthesizer: that is run.
        seed: of the noise.
        recorded: of an earlier run; None to record.
    """

    def __init__(
        self, synthesizer: Synthesizer, *, seed: int, recorded: Sequence[Reading] | None = None
    ) -> None:
        self._inner = synthesizer
        self._seed = seed
        self._recorded = recorded
        self.tape: list[Reading] = []
        self.name = synthesizer.name  # type: ignore[misc]  # of this one, and no class's

    def plan(self, *given: Any, **named: Any) -> Plan:
        """Return the synthesizer's own plan."""
        plan = self._inner.plan(*given, **named)
        return _Seeded(**{each.name: getattr(plan, each.name) for each in fields(plan)})

    def require_installed(self) -> None:
        """Raise as the synthesizer itself does."""
        self._inner.require_installed()

    def fit_prepared(self, prepared: Any, *, account: Account, **named: Any) -> Any:
        """Fit, with another source in the place of the rows."""
        made = (
            RecordingSource
            if self._recorded is None
            else partial(ReplayingSource, recorded=self._recorded)
        )
        source = made(prepared.source, paid=lambda: len(account.entries), tape=self.tape)
        named["rng"] = SeededRandom(self._seed)
        return self._inner.fit_prepared(
            replace(prepared, source=cast("Any", source)), account=account, **named
        )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A folder in which one release after another is made, each from the same ledger.

    Attributes:
        folder: empty but for the ledger that each release begins with.
        synthesizer: what is run.
        schema: the declared columns and unit.
        epsilon: of the claim, exact text.
        delta: of the claim, exact text.
        command: runs the program with arguments and what makes releases, and returns its exit code.
    """

    folder: Path
    synthesizer: Synthesizer
    schema: "Schema"
    epsilon: str
    delta: str
    command: Callable[..., int]

    def release(
        self, table: "pd.DataFrame", *, synthesizer: Rehearsed, internal: str = "PASS"
    ) -> Released:
        """Release ``table`` by the command, and say what stands there afterwards."""
        room = self.folder / "room"
        with _alone_in(room):
            table.to_csv(TABLE, index=False)
            Path(SCHEMA).write_bytes((self.folder / SCHEMA).read_bytes())
            Path(LEDGER).write_bytes((self.folder / LEDGER).read_bytes())
            Path(LEDGER).chmod(0o600)
            given = ["release", TABLE, "--schema", SCHEMA, "--ledger", LEDGER, "--out", OUT]
            given += ["--epsilon", self.epsilon, "--delta", self.delta, "--control", "0"]
            made = _made_by(synthesizer, _Gate(internal=internal))
            found = outcome_of(lambda: (self.command(given, stand_in=made), ()))
            said = found.said if found.fault is None else (*found.said, repr(found.fault))
            return _seen(room, code=-1 if found.fault else found.model, said=said)


@contextmanager
def stage(
    synthesizer: Synthesizer,
    schema: "Schema",
    *,
    epsilon: str,
    delta: str,
    command: Callable[..., int],
) -> Iterator[Stage]:
    """Make a stage in a folder of its own, which goes when the block ends."""
    import json

    plan = synthesizer.plan(schema, epsilon=epsilon, delta=delta)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / SCHEMA).write_text(json.dumps(schema.to_dict()), encoding="utf-8")
        epsilon_most, delta_most = _cap_for(plan)
        Ledger.create(folder / LEDGER, cap_epsilon=epsilon_most, cap_delta=delta_most).close()
        yield Stage(
            folder=folder,
            synthesizer=synthesizer,
            schema=schema,
            epsilon=epsilon,
            delta=delta,
            command=command,
        )


def ledger_for(plan: Plan) -> Ledger:
    """Return a ledger in memory that can pay for ``plan``."""
    epsilon, delta = _cap_for(plan)
    return Ledger.in_memory(cap_epsilon=epsilon, cap_delta=delta)


def _cap_for(plan: Plan) -> tuple[Fraction, Fraction]:
    cap = plan.needs_cap
    if cap is not None:
        return 4 * cap.epsilon, 4 * cap.delta
    return epsilon_from_rho(4 * plan.rho, _DELTA), 2 * max(plan.reserved_delta, _DELTA)


def _made_by(synthesizer: Rehearsed, gate: _Gate) -> Callable[..., Any]:
    """Return what makes a release with this synthesizer and this gate, whatever was asked for."""

    def make_release(table: Any, **named: Any) -> Any:
        from dpsynth.release import pipeline

        return pipeline.make_release(table, **{**named, "synthesizer": synthesizer, "gate": gate})

    return make_release


@contextmanager
def _alone_in(room: Path) -> Iterator[None]:
    """Work in a new folder, which holds the temporary files and the home of this time as well."""
    for each in (room, room / TEMPORARY, room / HOME):
        each.mkdir()
    names = {"TMPDIR": room / TEMPORARY, "HOME": room / HOME, "XDG_CACHE_HOME": room / HOME}
    before = {name: os.environ.get(name) for name in names}
    here, temporary = Path.cwd(), tempfile.tempdir
    os.environ.update({name: str(path) for name, path in names.items()})
    tempfile.tempdir = str(room / TEMPORARY)
    os.chdir(room)
    try:
        yield
    finally:
        os.chdir(here)
        tempfile.tempdir = temporary
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(room)


def _seen(room: Path, *, code: int, said: tuple[str, ...]) -> Released:
    from dpsynth.release import bundle

    public = room / OUT / bundle.PUBLIC
    files = {path: path.relative_to(room) for path in sorted(room.rglob("*"))}
    inner = [
        (path, name)
        for path, name in files.items()
        if name.parts[0] == OUT and path != room / OUT and public not in (path, *path.parents)
    ]
    return Released(
        code=code,
        said=said,
        public={
            str(path.relative_to(public)): path.read_bytes()
            for path in files
            if public in path.parents and path.is_file()
        },
        internal=tuple(str(name) for path, name in inner if path.is_file()),
        open_to_all=tuple(
            str(name)
            for path, name in inner
            if path.is_dir() and path.parent == room / OUT and path.stat().st_mode & 0o077
        ),
        left=tuple(
            str(name)
            for path, name in files.items()
            if name.parts[0] != OUT and str(name) not in _GIVEN and path.is_file()
        ),
    )
