"""Whole releases of neighboring made-up tables, every answer frozen: what is written, and said.

What runs is what ``dpsynth release`` runs, from files on the disk to the public folder before it is
signed. The ledger says that the noise is seeded, so nothing of it can be certified: where others
put a gate that signs, there is one that reads the folder.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.ledger import Account, Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.source import TableSource
from dpsynth.synthesizers.plan import Plan
from dpsynth.testing.kit import Pair, far_pairs, odd_pairs
from dpsynth.testing.outcome import masked, outcome_of
from dpsynth.testing.tape import DivergedError, Reading, RecordingSource, ReplayingSource

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.frame import FrameSource
    from dpsynth.synthesizers.facade import Synthesizer

_DELTA = Fraction(1, 10**9)
_ROOM = 2  # times what a plan needs
_TABLE, _LEDGER, _OUT = "people.csv", "people.ledger", "release"


@dataclass(frozen=True, kw_only=True)
class ReleasedPair:
    """What tells the releases of two neighboring tables apart.

    Attributes:
        world: what the tables differ in, for people.
        files: names of all public files of the first.
        unlike: in public words, what an observer could tell the two by; empty where nothing.
    """

    world: str
    files: tuple[str, ...]
    unlike: tuple[str, ...]


def replay_release(
    synthesizer: "Synthesizer",
    schema: "Schema",
    *,
    epsilon: str,
    delta: str,
    seed: int = 0,
    worlds: Sequence[str] | None = None,
) -> tuple[ReleasedPair, ...]:
    """Release pairs of neighboring made-up tables from files, and compare all that comes out.

    Args:
        synthesizer: what is on trial.
        schema: public facts; the made-up rows lie in its declared domain.
        epsilon: of the plan, exact text.
        delta: of the plan, exact text.
        seed: of the noise.
        worlds: of ``dpsynth.testing.kit``, those whose names begin so; all where not given.
    """
    plan = synthesizer.plan(schema, epsilon=Fraction(epsilon), delta=Fraction(delta))
    pairs = [
        pair
        for pair in (*far_pairs(schema, plan), *odd_pairs(schema, plan))
        if worlds is None or pair.world.startswith(tuple(worlds))
    ]
    with TemporaryDirectory() as folder:
        run = _Run(Path(folder), synthesizer, schema, plan, seed=seed)
        return tuple(run.compared(pair) for pair in pairs)


class _Run:
    """Releases of tables that share a schema, a plan and a copy of one ledger."""

    def __init__(
        self, home: Path, synthesizer: "Synthesizer", schema: "Schema", plan: Plan, *, seed: int
    ) -> None:
        self._home, self._made, self._seed = home, (synthesizer, schema, plan), seed
        reserved = plan.reserved_delta
        if plan.needs_cap is not None:
            epsilon, delta = plan.needs_cap.epsilon * _ROOM, plan.needs_cap.delta * _ROOM
        else:
            delta = 2 * reserved * _ROOM if reserved else _DELTA
            epsilon = epsilon_from_rho(plan.rho * _ROOM, delta / 2 if reserved else delta)
        Ledger.create(home / _LEDGER, cap_epsilon=ceil(epsilon), cap_delta=delta).close()

    def compared(self, pair: Pair) -> ReleasedPair:
        """Release both tables, the neighbor with the answers of the other."""
        here: list[Reading] = []
        there: list[Reading] = []
        first = self._released(
            pair.table, lambda source, paid: RecordingSource(source, paid=paid, tape=here)
        )
        second = self._released(
            pair.neighbor,
            lambda source, paid: ReplayingSource(source, paid=paid, tape=there, recorded=here),
        )
        return ReleasedPair(
            world=pair.world, files=tuple(first.files), unlike=tuple(_differences(first, second))
        )

    def _released(self, table: "pd.DataFrame", wrapped: Callable[..., TableSource]) -> "_Seen":
        from dpsynth.release.pipeline import make_release

        synthesizer, schema, plan = self._made
        gate = ReadingGate()
        with TemporaryDirectory(dir=self._home) as folder:
            table.to_csv(Path(folder) / _TABLE, index=False)
            shutil.copy(self._home / _LEDGER, Path(folder) / _LEDGER)
            taped = _Taped(synthesizer, plan, wrapped, seed=self._seed)
            steps: list[str] = []
            outcome = None

            def release() -> tuple[None, tuple[()]]:
                nonlocal outcome
                outcome = make_release(
                    Path(folder) / _TABLE,
                    schema=schema,
                    epsilon=plan.epsilon,
                    delta=plan.delta,
                    ledger=Path(folder) / _LEDGER,
                    out=Path(folder) / _OUT,
                    synthesizer=cast("Synthesizer", taped),
                    control=0,
                    gate=gate,
                    progress=steps.append,
                )
                return None, ()

            seen = outcome_of(release)
        told = () if outcome is None else (outcome.public_verdict, *outcome.warnings)
        said = tuple(each.replace(folder, "") for each in (*steps, *told, *seen.said))
        return _Seen(files=gate.files, said=said, fault=seen.fault)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    files: Mapping[str, bytes]
    said: tuple[str, ...]
    fault: Exception | None


def _differences(first: _Seen, second: _Seen) -> list[str]:
    if isinstance(second.fault, DivergedError):
        return [str(second.fault)]
    found = []
    if (type(first.fault), str(first.fault)) != (type(second.fault), str(second.fault)):
        found.append("the neighbor's release ended otherwise")
    if first.said != second.said:
        found.append("steps, warnings, log lines or output differ")
    if list(first.files) != list(second.files):
        found.append("names of public files differ")
    found += [
        f"{name} differs"
        for name in first.files.keys() & second.files.keys()
        if first.files[name] != second.files[name]
    ]
    return sorted(found)


class _SeededPlan(Plan):
    """A plan whose entries all say that their noise came from a known seed."""

    def open(self, ledger: Ledger, *, seeded: bool = False) -> Account:
        """Open as ``Plan.open``, and say so."""
        del seeded
        return super().open(ledger, seeded=True)


class _Taped:
    """A synthesizer whose rows are watched, and whose noise comes from a seed."""

    def __init__(
        self,
        synthesizer: "Synthesizer",
        plan: Plan,
        wrapped: Callable[..., TableSource],
        *,
        seed: int,
    ) -> None:
        self._made, self._wrapped, self._seed = synthesizer, wrapped, seed
        self._plan = _SeededPlan(**{each.name: getattr(plan, each.name) for each in fields(plan)})
        self.name = synthesizer.name

    def plan(self, *_: object, **__: object) -> Plan:
        """Return the plan of the synthesizer."""
        return self._plan

    def require_installed(self) -> None:
        """Ask the synthesizer."""
        self._made.require_installed()

    def fit_prepared(self, prepared: Any, *, account: Account, **given: Any) -> object:
        """Fit with a watched source and seeded noise."""
        source = self._wrapped(prepared.source, lambda: len(account.entries))
        watched = replace(prepared, source=cast("FrameSource", source))
        return self._made.fit_prepared(
            watched, account=account, **given, rng=SeededRandom(self._seed)
        )


@dataclass(frozen=True)
class _Said:
    verdict: str


class ReadingGate:
    """Signs nothing, and reads the public folder as it stands before anybody signs it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def check_key(self, key: Path | None) -> tuple[str, bool]:
        """Say that nobody signs."""
        del key
        return "nobody", False

    def check_policy(self, given: object, *, training: object) -> str:
        """Say that there is none."""
        del given, training
        return "none"

    def conform(self, *_: object, **__: object) -> dict[str, Any]:
        """Try nothing: that is done on public facts alone."""
        return {}

    def certify_public(self, directory: Path, **_: object) -> _Said:
        """Read all files."""
        self.files = masked(directory, json.loads((directory / "ledger.json").read_bytes()))
        return _Said("FAIL")

    def audit_internal(self, directory: Path, **_: object) -> _Said:
        """Look at nothing."""
        del directory
        return _Said("NOT AUDITED")
