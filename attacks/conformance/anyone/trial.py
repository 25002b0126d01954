"""The trial: what is certain first, then a search for the worst tables, then the games."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.conformance.anyone import audits, transcripts
from attacks.conformance.anyone.duel import LEVEL, Bench, Duel, apart, claim_curve, duel, gathered
from attacks.conformance.anyone.effort import TIERS, Effort
from attacks.conformance.anyone.features import Reader
from attacks.conformance.anyone.making import instance, made
from attacks.conformance.anyone.outcome import Finding, Outcome
from attacks.conformance.anyone.rules import Fits, learned
from attacks.conformance.anyone.spec import FrameSpec
from attacks.conformance.anyone.tables import Pair, pairs
from attacks.conformance.anyone.watch import Seen
from attacks.stats.trade_off import TradeOffCurve
from dpsynth.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from attacks.conformance.anyone.protocol import Mechanism
    from dpsynth.schema import Schema

_FIRST = 2  # pairs that are always played: the first ones
_CERTAIN = 1e-6  # chance that conduct differs as it did, under the claim
_MOST_CONFIRMED = 40  # fits of a pair whose conduct differed
_FLOOR = 1e-3
_LEARN = 0.4  # of the fits of a first game
_LEARN_MORE = 0.2  # of the fits of the last one, which has all of the first to learn from


def put_on_trial(
    mechanism: "Mechanism | Callable[[], Mechanism] | str",
    columns: "FrameSpec | Schema | Mapping[str, Any]",
    *,
    epsilon: float,
    delta: float = 0.0,
    tier: str = "smoke",
    seed: int = 0,
    name: str | None = None,
    runs: int | None = None,
    pairs_played: int | None = None,
    rows: int | None = None,
    odd_cells: bool = True,
    fixed_plan: bool = True,
) -> Outcome:
    """Hold any mechanism against what it claims, with nothing but fit, events and sample.

    Everything runs on made-up rows: it costs no privacy and may be published. How each audit works
    and what it cannot see: docs/how-to/try-another-mechanism.md.

    Args:
        mechanism: an object with the methods of ``Mechanism``; or what makes one when called, or
            its name as "module:name", which lets the trial also look at fresh ones and at fresh
            processes.
        columns: what is public of its tables; see ``FrameSpec.of``.
        epsilon: as claimed for one fit with all its samples; above 0.
        delta: as claimed, in [0, 1).
        tier: "smoke" (some seconds for a quick mechanism), "standard" or "full".
        seed: of all fits but those that try fresh noise.
        name: of the mechanism, for people.
        runs: fits of each table in the last game, in place of the tier's; the first games have at
            most as many. Below 60 nothing much can be shown.
        pairs_played: how many games, in place of the tier's.
        rows: sampled of each fit, in place of the tier's.
        odd_cells: whether the mechanism says that it takes missing, infinite and undeclared cells.
            False where its documentation asks for tables without them.
        fixed_plan: whether it says that what is charged never depends on the rows or the noise.

    Returns:
        The outcome: ``verdict``, ``reasons``, ``to_dict()``, ``to_text()``. A mechanism that
        keeps its claim gets FAIL with probability at most 1 %.

    Raises:
        UsageError: the object has no ``fit``, or an argument is out of range.
        UnknownNameError: the tier, or the name of the mechanism, is unknown.
    """
    if tier not in TIERS:
        raise UnknownNameError(f"no tier is called {tier!r}; there are: {', '.join(TIERS)}")
    if not epsilon > 0 or not 0 <= delta < 1:
        raise UsageError("epsilon must be above 0, and delta at least 0 and below 1")
    usual = TIERS[tier]
    effort = Effort(
        scout=min(usual.scout, max(3, runs // 30)) if runs else usual.scout,
        pairs=pairs_played or usual.pairs,
        runs=min(usual.runs, runs) if runs else usual.runs,
        more=runs or usual.more,
        rows=rows or usual.rows,
    )
    held = made(mechanism) if isinstance(mechanism, str) else instance(mechanism)
    spec = FrameSpec.of(columns)
    with TemporaryDirectory() as folder:
        bench = Bench(mechanism=held, spec=spec, rows=effort.rows, seed=seed, folder=Path(folder))
        trial = _Trial(bench, effort, epsilon=epsilon, delta=delta, fixed_plan=fixed_plan)
        trial.run(None if held is mechanism else mechanism, odd=odd_cells)
    return Outcome(
        name=name or (mechanism if isinstance(mechanism, str) else type(held).__name__),
        epsilon=float(epsilon),
        delta=float(delta),
        claim=trial.method,
        neighboring=spec.neighboring,
        tier=tier,
        seed=seed,
        fits=bench.fits,
        witnesses=tuple(dict.fromkeys(trial.witnesses)),
        p_values=trial.p_values,
        findings_of=trial.findings_of,
        duels=tuple(trial.duels),
        errors=tuple(trial.errors),
        notes=tuple(trial.notes),
    )


class _Trial:
    """One trial, as it goes on."""

    def __init__(
        self, bench: Bench, effort: Effort, *, epsilon: float, delta: float, fixed_plan: bool
    ) -> None:
        self._bench, self._effort = bench, effort
        self._epsilon, self._delta, self._fixed = epsilon, delta, fixed_plan
        self._reader = Reader(bench.spec)
        self.method = "none"
        self.witnesses: list[Finding] = []
        self.p_values: dict[str, float] = {}
        self.findings_of: dict[str, Finding] = {}
        self.duels: list[Duel] = []
        self.errors: list[str] = []
        self.notes: list[str] = []

    def run(self, factory: Any, *, odd: bool) -> None:
        tables = pairs(self._bench.spec, seed=self._bench.seed, odd=odd)
        scouted = [self._scouted(pair) for pair in tables]
        self._guarded(
            "raw", lambda: self.witnesses.extend(audits.raw(self._bench, delta=self._delta))
        )
        self._guarded("randomness", lambda: self._repeats(factory))
        first = next((each for out, _ in scouted for each in out if each.ended == "well"), None)
        if first is None:
            self.errors.append("no fit of the first table ended well")
            return
        curve = self._claimed(first, [each for out, _ in scouted[:1] for each in out])
        if curve is None:
            return
        order = sorted(range(_FIRST, len(tables)), key=lambda at: -self._effect(*scouted[at]))
        played = [*range(_FIRST), *order][: max(1, self._effort.pairs)]
        best: tuple[float, Pair, tuple[Fits, Fits]] | None = None
        tests = len(played) + 1
        for at in played:
            try:
                told, fits = self._first_game(tables[at], scouted[at], curve, tests=tests)
            except Exception as fault:  # noqa: BLE001  # what cannot be run is no pass
                self.errors.append(f"game, {tables[at].name}: {type(fault).__name__}: {fault}")
                continue
            if best is None or told > best[0]:
                best = told, tables[at], fits
        if best is not None and not self.witnesses and not self._decided(tests):
            self._last_game(best[1], best[2], curve, tests=tests)

    def _decided(self, tests: int) -> bool:
        return any(value * tests <= LEVEL for value in self.p_values.values())

    def _guarded(self, what: str, audit: Callable[[], None]) -> None:
        try:
            audit()
        except Exception as fault:  # noqa: BLE001  # what cannot be run is no pass
            self.errors.append(f"{what}: {type(fault).__name__}: {fault}")

    def _scouted(self, pair: Pair) -> tuple[list[Seen], list[Seen]]:
        """Fit both tables a few times; where their conduct differs, as often as proves it."""
        bench = self._bench
        out, within = (bench.seen(each, self._effort.scout) for each in (pair.out, pair.within))
        if audits.conduct(pair.name, out, within):
            wanted = self._effort.scout
            while audits.surprise(self._epsilon, wanted) > _CERTAIN and wanted < _MOST_CONFIRMED:
                wanted += 1
            out += bench.seen(pair.out, wanted - len(out))
            within += bench.seen(pair.within, wanted - len(within))
            self.witnesses += audits.conduct(pair.name, out, within)
        if not self._fixed:
            self.witnesses = [each for each in self.witnesses if each.component != "charges"]
        for table, seen in ((pair.out, out), (pair.within, within)):
            if not pair.declared:
                for each in seen[:3]:
                    self.witnesses += audits.undeclared(bench.spec, table, each, pair.name)
        self._guarded("bill", lambda: self._priced([*out[:1], *within[:1]]))
        return out, within

    def _claimed(self, first: Seen, seen: Sequence[Seen]) -> TradeOffCurve | None:
        events = first.events
        varied = audits.planned(seen)
        if varied and self._fixed:
            self.witnesses += varied
        if varied:
            events = None
            self.notes.append("what is charged varies: the claim on trial is (epsilon, delta)")
        if events is None and not varied:
            self.notes.append("no events are stated: the claim on trial is (epsilon, delta)")
        try:
            curve = claim_curve(self._epsilon, self._delta, events)
        except Exception as fault:  # noqa: BLE001  # an unknown event is no pass
            self.errors.append(f"the events cannot be added up: {type(fault).__name__}: {fault}")
            curve = claim_curve(self._epsilon, self._delta, None)
        self.method = curve.method
        self.errors = list(dict.fromkeys(self.errors))
        return curve

    def _priced(self, seen: Sequence[Seen]) -> None:
        for each in seen:
            self.witnesses += audits.priced(each.events, epsilon=self._epsilon, delta=self._delta)

    def _repeats(self, factory: Any) -> None:
        found, notes = audits.repeats(self._bench, factory)
        self.witnesses += found
        self.notes += notes

    def _effect(self, out: Sequence[Seen], within: Sequence[Seen]) -> float:
        here, there = (gathered(self._reader, seen).numbers for seen in (out, within))
        moved = np.abs(here.mean(axis=0) - there.mean(axis=0))
        spread = np.sqrt((here.var(axis=0) + there.var(axis=0)) / 2)
        return float((moved / (spread + _FLOOR * moved + 1e-9)).max())

    def _first_game(
        self,
        pair: Pair,
        scouted: tuple[Sequence[Seen], Sequence[Seen]],
        curve: TradeOffCurve,
        *,
        tests: int,
    ) -> tuple[float, tuple[Fits, Fits]]:
        """Play a pair; return how often the best number told, and all fits."""
        # What was scouted chose the pair, so it may teach a rule; it never tests one.
        runs = self._effort.runs
        seen = [
            [*before[:runs], *self._bench.seen(table, max(0, runs - len(before)))]
            for table, before in zip((pair.out, pair.within), scouted, strict=True)
        ]
        out, within = (gathered(self._reader, each) for each in seen)
        learn = max(int(_LEARN * runs), *map(len, scouted)) if runs > len(scouted[0]) else runs // 2
        first = (out.part(0, learn), within.part(0, learn))
        rest = (out.part(learn, runs), within.part(learn, runs))
        self._counted(
            pair,
            "first",
            duel(
                pair,
                first,
                rest,
                curve=curve,
                names=self._reader.names,
                delta=self._delta,
                tests=tests,
            ),
        )
        for name, p_value, finding in transcripts.tests(*seen):
            self._noted(f"{name}: {pair.name}", p_value, finding)
        scores = learned(*first, self._reader.names)
        return apart(scores, first, rest), (out, within)

    def _last_game(
        self, pair: Pair, fits: tuple[Fits, Fits], curve: TradeOffCurve, *, tests: int
    ) -> None:
        runs = self._effort.more
        out, within = (
            gathered(self._reader, self._bench.seen(table, runs))
            for table in (pair.out, pair.within)
        )
        learn = int(_LEARN_MORE * runs)
        first = (fits[0].joined(out.part(0, learn)), fits[1].joined(within.part(0, learn)))
        rest = (out.part(learn, runs), within.part(learn, runs))
        self._counted(
            pair,
            "last",
            duel(
                pair,
                first,
                rest,
                curve=curve,
                names=self._reader.names,
                delta=self._delta,
                tests=tests,
            ),
        )

    def _counted(self, pair: Pair, which: str, found: Duel) -> None:
        self.duels.append(found)
        self._noted(
            f"{which} game: {pair.name}",
            found.p_value,
            Finding(
                audit="game",
                component="claim",
                sentence=f"{pair.name}: told apart by {found.rule!r} with "
                f"{found.false_positives} of {found.runs_out} and {found.false_negatives} of "
                f"{found.runs_in} wrong, fewer than the claim allows",
                p_value=found.p_value,
            ),
        )

    def _noted(self, name: str, p_value: float, finding: Finding) -> None:
        self.p_values[name] = p_value
        self.findings_of[name] = finding
