"""From a table to a certified release: the order of the steps is part of the promise.

Everything that can be refused is refused before the ledger is charged. The public folder is built,
certified and named before anything is computed from real rows outside the mechanism; what the
audit then finds changes neither that folder nor its verdict (DESIGN, law 12).
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from dpsynth.errors import UnfitEnvironmentError, UsageError
from dpsynth.privacy.ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema
    from dpsynth.sources.stored import EngineName
    from dpsynth.synthesizers.facade import Synthesizer

SAMPLE_SEED = 0  # of the released table: drawing from a released model costs nothing
_FREE_BYTES = 64 * 2**20
_GATE = "dpsynth.gate"
NOT_AUDITED = "NOT AUDITED"

Progress = Callable[[str], object]


class Verdict(Protocol):
    """What the gate returns, as far as a release cares."""

    @property
    def verdict(self) -> str:
        """PASS, FAIL or INCONCLUSIVE."""
        ...


class Gate(Protocol):
    """What stands between a fitted model and a release: found by entry point, never imported."""

    def check_key(self, key: Path | None) -> tuple[str, bool]:
        """Return the signer's fingerprint, and whether the key was made just now."""
        ...

    def check_policy(
        self, given: Path | str | None, *, training: tuple[int, Fraction] | None
    ) -> str:
        """Return the policy's name, or raise; ``training`` is declared rows and delta."""
        ...

    def conform(
        self, plan: Mapping[str, Any], schema: "Schema", *, stored: Path | None
    ) -> Mapping[str, Any]:
        """Put the plan's mechanism on trial, on artificial rows only, or read what one found."""
        ...

    def certify_public(
        self,
        directory: Path,
        *,
        key: Path | None,
        checks: Mapping[str, Any],
        policy: Path | str | None,
    ) -> Verdict:
        """Write report, certificate, signature and manifest."""
        ...

    def audit_internal(
        self,
        directory: Path,
        *,
        synthetic: "pd.DataFrame | Path",
        members: "pd.DataFrame",
        controls: "pd.DataFrame",
        schema: "Schema",
        split: str,
        control_share: float | None,
        synthesizer: str,
        delta: float | None,
        notes: Sequence[str],
        key: Path | None,
        evaluate: bool,
    ) -> Verdict:
        """Attack the release on the custodian's copy, and measure what it is good for if asked."""
        ...


@dataclass(frozen=True, kw_only=True)
class ReleaseOutcome:
    """What a release came to.

    Attributes:
        public_verdict: PASS, FAIL or INCONCLUSIVE, of the certificate.
        internal_verdict: of the attacks on real persons; for the custodian alone.
        directory: the release; ``public`` and ``internal`` are in it.
        fingerprint: of the key that signed.
        warnings: what the custodian should know, one sentence each.
    """

    public_verdict: str
    internal_verdict: str
    directory: Path
    fingerprint: str
    warnings: tuple[str, ...]


def make_release(
    table: Any,
    *,
    schema: "Schema | Path | str",
    epsilon: Fraction | float | str,
    delta: Fraction | float | str,
    ledger: Path | str,
    out: Path | str,
    synthesizer: "Synthesizer | str" = "auto",
    control: Fraction | float | str = Fraction(1, 10),
    rows: int | None = None,
    key: Path | None = None,
    policy: Path | str | None = None,
    conformance: Path | str | None = None,
    progress: Progress | None = None,
    training: Callable[[int, int], object] | None = None,
    gate: Gate | None = None,
    engine: "EngineName" = "auto",
    evaluate: bool = False,
) -> ReleaseOutcome:
    """Fit, sample, certify, then audit; write ``out/public`` and ``out/internal``.

    Args:
        table: the private rows: the path of a CSV or Parquet file; a frame of pandas, polars or
            Arrow; a Spark DataFrame; or a ``dpsynth.sources.database.DatabaseTable``.
        schema: the declared columns and privacy unit, or where they stand.
        epsilon: of the claim.
        delta: of the claim.
        ledger: path of the ledger of these persons.
        out: a folder that does not exist yet.
        synthesizer: one, or the name of one.
        control: share of persons set aside by an independent coin each, in [0, 1).
        rows: synthetic rows; the model's noisy total where not given.
        key: private signing key; this user's own where not given.
        policy: what the public verdict is measured by; the default where not given.
        conformance: what ``dpsynth conform --out`` kept of this synthesizer, schema and budget;
            where not given, a short trial runs before anything is spent.
        progress: told the name of each step.
        training: told the steps of a training done, and of how many, where there is one.
        gate: what puts on trial, certifies and audits; the installed one where not given.
        engine: of a file: "frame" holds it in memory, "duckdb" streams it from disk; by its size
            where not given.
        evaluate: measure in ``out/internal`` what the release is good for as well, with the persons
            who were set aside as the holdout; takes a minute or two more.

    Privacy:
        (epsilon, delta)-DP for everything in ``out/public``, under adding or removing one unit.
        ``out/internal`` is computed from real rows and is outside that guarantee.

    Raises:
        UsageError, SchemaError, DataError, BudgetExceededError, UnfitEnvironmentError: before
            anything was spent or written.
    """
    from dpsynth.release import bundle, dictionary
    from dpsynth.schema import Schema
    from dpsynth.sources import reading
    from dpsynth.sources.chosen import preparing
    from dpsynth.synthesizers.facade import control_share, identity_warning, synthesizer_of

    step: Progress = progress or (lambda _: None)
    out = Path(out)
    warnings: list[str] = []
    step("reading the schema")
    declared = schema if isinstance(schema, Schema) else Schema.read(Path(schema))
    chosen = synthesizer_of(synthesizer)
    plan = chosen.plan(declared, epsilon=epsilon, delta=delta)
    chosen.require_installed()
    share = control_share(control)
    if rows is not None and rows < 0:
        raise UsageError("rows must be at least 0")
    step("checking the table's structure")
    prepare = preparing(table, declared, control=share, engine=engine)
    del table
    _check_room(out)
    gate = gate or find_gate()
    rows_declared = declared.expected_rows if plan.trained else None
    gate.check_policy(
        policy, training=None if rows_declared is None else (rows_declared, plan.delta)
    )
    with Ledger.open(ledger) as book:
        account = plan.open(book)
        fingerprint, is_new = gate.check_key(key)
        if is_new:
            warnings.append(f"a signing key of your own was made; its fingerprint is {fingerprint}")
        # Public facts alone: whatever stops the trial stops it before it costs.
        step("putting the mechanism on trial, on artificial rows")
        stored = None if conformance is None else Path(conformance)
        checks = gate.conform(plan.to_dict(), declared, stored=stored)
        step("coding the rows and setting controls aside")
        prepared = prepare(key=book.keyed)
        del prepare  # it holds the rows
        if prepared.note:
            warnings.append(prepared.note)
        changed = identity_warning(book.identify(prepared.identity))
        if changed:
            warnings.append(changed)
        step("charging the ledger, measuring and modeling")
        model = chosen.fit_prepared(
            prepared, schema=declared, plan=plan, account=account, progress=training
        )
        step("drawing the synthetic table")
        draw = partial(model.stream, rows, seed=SAMPLE_SEED)
        written = [column.name for column in declared.columns if column.kind != "excluded"]
        large = draw().rows * len(written) > reading.LARGE_CELLS  # what is released says so
        synthetic = None if large else model.sample(rows, seed=SAMPLE_SEED)
        step("writing and signing the public folder")
        public: list[Verdict] = []

        def finish(folder: Path) -> None:
            dictionary.write(folder, model.full_schema)
            public.append(gate.certify_public(folder, key=key, checks=checks, policy=policy))

        stands = bundle.write(
            out, synthetic=draw if synthetic is None else synthetic, model=model, finish=finish
        )
        step("attacking the release, for the custodian alone")
        book.record_look(subject=account.release, reason="audit of a release")
        if evaluate:
            book.record_look(subject=account.release, reason="utility evaluation of a release")
        internal = NOT_AUDITED
        try:
            internal = gate.audit_internal(
                out,
                synthetic=stands / bundle.PARQUET if synthetic is None else synthetic,
                members=prepared.members,
                controls=prepared.controls,
                schema=declared,
                split="random",
                control_share=float(share) or None,
                synthesizer=chosen.name,
                delta=float(plan.delta) or None,
                notes=(prepared.note,) if prepared.note else (),
                key=key,
                evaluate=evaluate,
            ).verdict
        except Exception as error:  # noqa: BLE001  # the rows may not decide how a release ends
            warnings.append(
                f"the internal audit ended with {type(error).__name__} and wrote nothing; "
                "the public folder is complete. Run dpsynth audit on it"
            )
    return ReleaseOutcome(
        public_verdict=public[0].verdict,
        internal_verdict=internal,
        directory=out,
        fingerprint=fingerprint,
        warnings=tuple(warnings),
    )


def find_gate() -> Gate:
    """Return the installed gate.

    Raises:
        UnfitEnvironmentError: none is installed, so nothing could be certified.
    """
    for entry in entry_points(group=_GATE, name="default"):
        return cast("Gate", entry.load()())
    raise UnfitEnvironmentError(
        "no gate is installed, so nothing could be audited or certified; install dpsynth again "
        "with pip, which brings the attacks package along"
    )


def _check_room(out: Path) -> None:
    """Refuse now what would fail after the budget is spent."""
    if out.exists():
        raise UsageError(f"{out} exists already; choose a new folder, nothing is overwritten")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"the folder {out.parent} does not exist; make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UnfitEnvironmentError(f"{out.parent} cannot be written; choose another folder")
    if shutil.disk_usage(parent).free < _FREE_BYTES:
        raise UnfitEnvironmentError(f"the disk below {out.parent} is nearly full; free 64 MiB")
