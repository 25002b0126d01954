"""From a table and a schema to a fitted model: the one path that every synthesizer shares.

``plan`` needs the schema alone. ``fit`` codes and bounds the rows, opens the ledger, learns bins
where the schema declares none, and hands a curator to the synthesizer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dpsynth._validate import as_fraction
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import UsageError
from dpsynth.privacy.accounting import (
    MOST_EPSILON,
    rho_from_epsilon,
    split_trained,
    total_rho,
)
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.ledger import Account, Identity, Ledger
from dpsynth.privacy.randomness import PrivacyRandom, RandomSource
from dpsynth.synthesizers.base import Budget, Learned, Progress, Step
from dpsynth.synthesizers.costs import FRAME, Read, engine_estimates, one_way_reads
from dpsynth.synthesizers.plan import Estimate, Plan, cost_of

if TYPE_CHECKING:
    from dpsynth.schema import Schema
    from dpsynth.sources.frame import Prepared
    from dpsynth.sources.stored import EngineName
    from dpsynth.synthesizers.fitted import FittedModel
    from dpsynth.synthesizers.prior import PublicPrior

BINS_SHARE = Fraction(1, 10)  # of rho, spent on bins where the schema leaves any to be learned
PURE_BINS_SHARE = Fraction(1, 5)  # of epsilon, where delta is 0: costs then add up in epsilon


def budget(
    epsilon: Fraction | float | str,
    delta: Fraction | float | str,
    *,
    reserved: Fraction = Fraction(0),
) -> tuple[Fraction, ...]:
    """Return (epsilon, delta, rho), exact; rho is rounded down.

    Args:
        epsilon: of the claim.
        delta: of the claim.
        reserved: the part of ``delta`` that is spent beside rho, below it.

    Raises:
        UsageError: epsilon is not above 0, delta is not in (0, 1), or epsilon is too small.
    """
    exact_epsilon = as_fraction(epsilon, name="epsilon")
    exact_delta = _delta(delta)
    try:
        rho = rho_from_epsilon(exact_epsilon, exact_delta - reserved)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return exact_epsilon, exact_delta, rho


def _delta(delta: Fraction | float | str) -> Fraction:
    exact = as_fraction(delta, name="delta")
    if exact >= 1:
        raise UsageError("delta must be below 1; a usual choice is far below 1 / rows, as 1e-9")
    return exact


def is_pure(delta: Fraction | float | str) -> bool:
    """Tell whether a claim is asked for with delta 0."""
    try:
        return Fraction(str(delta)) == 0
    except (ValueError, ZeroDivisionError):
        return False


class Synthesizer:
    """Base of the built-in synthesizers: public settings in fields, ``plan`` and ``fit`` here.

    A subclass is a frozen dataclass with a ``name`` and ``steps`` and ``learn``; see
    ``dpsynth.synthesizers.base.Learner``. One whose scales need more of the claim than its rho has
    ``bill`` and ``spend`` instead.
    """

    name: ClassVar[str]
    solves: ClassVar[bool] = False  # by iteration, with rows re-weighted: takes seconds more
    prior: "PublicPrior | None" = None

    def steps(self, domain: Domain, *, unit: PrivacyUnit, rho: Fraction) -> tuple[Step, ...]:
        """List the charges of ``learn``, from public facts alone; they add up to ``rho``."""
        del domain, unit, rho
        raise NotImplementedError(f"{self.name} has a bill of its own")

    def learn(self, curator: Curator, *, rho: Fraction, planned: Domain | None = None) -> Learned:
        """Spend exactly ``rho`` through ``curator``, with the scales of ``steps(planned)``."""
        del curator, rho, planned
        raise NotImplementedError(f"{self.name} spends by a bill of its own")

    def bill(self, domain: Domain, *, unit: PrivacyUnit, budget: Budget) -> tuple[Step, ...]:
        """List the charges of ``spend``, from public facts alone; together they keep the claim.

        Raises:
            UsageError: a public fact is missing that the scales follow from.
        """
        return self.steps(domain, unit=unit, rho=budget.rho)

    def spend(
        self,
        curator: Curator,
        *,
        budget: Budget,
        planned: Domain,
        progress: Progress | None = None,
    ) -> Learned:
        """Make the charges of ``bill(planned)`` through ``curator``, and learn from the answers."""
        del progress
        return self.learn(curator, rho=budget.rho, planned=planned)

    def estimate(
        self, domain: Domain, *, unit: PrivacyUnit, expected_rows: int | None, epsilon: Fraction
    ) -> Estimate | None:
        """Return minutes and memory of a fit, from public facts alone."""
        del unit, epsilon
        cells = min(self.model_cells(domain), domain.size(domain.columns))
        return _estimate(domain, expected_rows, solves=self.solves, model_cells=cells)

    def reads(self, domain: Domain, steps: Sequence[Step]) -> tuple[Read, ...] | None:
        """Return what a fit asks of the rows, question by question; None where answers decide."""
        del domain, steps
        return None

    def _estimated(
        self, schema: "Schema", domain: Domain, steps: Sequence[Step], *, epsilon: Fraction
    ) -> Estimate | None:
        """Estimate a fit, by engine where public facts tell what is asked."""
        from dpsynth.encoding import base_domain
        from dpsynth.encoding.values import PrivateValues

        found = self.estimate(
            domain, unit=schema.privacy_unit, expected_rows=schema.expected_rows, epsilon=epsilon
        )
        reads = self.reads(domain, steps)
        if found is None or reads is None:
            return found
        # Values and bins come first, over the codes as declared.
        opened = [Read(cells=(1,)) for _ in PrivateValues().columns(schema)]
        before = one_way_reads(base_domain(schema), steps, "bins")
        engines = engine_estimates(
            [*opened, *before, *reads],
            rows=found.rows,
            columns=len(domain.columns),
            minutes=found.minutes,
            mebibytes=found.mebibytes,
        )
        return replace(found, engines=engines)

    def model_cells(self, domain: Domain) -> int:
        """Return how many cells the tables of a model may have together, where memory shows it."""
        del domain
        return 0

    def require_installed(self) -> None:
        """Raise UnfitEnvironmentError, in one sentence, where a package is missing for a fit."""

    def pure_steps(
        self, domain: Domain, *, unit: PrivacyUnit, epsilon: Fraction
    ) -> tuple[Step, ...]:
        """List the charges of ``pure_learn``; their pure epsilons add up to ``epsilon``.

        Raises:
            UsageError: this synthesizer needs a delta above 0.
        """
        del domain, unit, epsilon
        raise UsageError(
            f"{self.name} adds Gaussian noise, for which no claim with delta 0 holds; ask for a "
            f"delta above 0, such as 1e-9, or for one of: {', '.join(pure_names())}"
        )

    def pure_learn(
        self, curator: Curator, *, epsilon: Fraction, planned: Domain | None = None
    ) -> Learned:
        """Spend exactly ``epsilon`` on pure mechanisms, as ``pure_steps`` said."""
        del curator, epsilon, planned
        raise NotImplementedError(f"{self.name} has no pure form")

    @property
    def settings(self) -> dict[str, object]:
        """The public settings, JSON-able: the fields of the subclass."""
        return {name: _told(value) for name, value in vars(self).items()}

    def plan(
        self, schema: "Schema", *, epsilon: Fraction | float | str, delta: Fraction | float | str
    ) -> Plan:
        """Return the full bill of a fit before any row is read.

        Args:
            schema: the declared columns and privacy unit.
            epsilon: of the claim; a float stands for its decimal text.
            delta: of the claim, in [0, 1). At 0 every mechanism must be pure.

        Returns:
            Steps whose zCDP costs add up exactly to the rho that (epsilon, delta) allows; at
            delta 0, steps whose pure epsilons add up exactly to ``epsilon``.

        Raises:
            SchemaError: something in the schema is guessed or not declared, or its rules leave
                nothing or need a table that is too large.
            UsageError: epsilon or delta is out of range, or this synthesizer has no pure form.
        """
        from dpsynth.encoding.bins import PrivateBins
        from dpsynth.encoding.values import PrivateValues
        from dpsynth.schema import Schema
        from dpsynth.synthesizers.ruled import check_rules

        if not isinstance(schema, Schema):
            raise UsageError("schema must be a dpsynth.Schema, as Schema.from_dict makes one")
        schema.require_closed()
        check_rules(schema)
        if is_pure(delta):
            return self._pure_plan(schema, epsilon)
        unit, bins, values = schema.privacy_unit, PrivateBins(), PrivateValues()
        reserved = values.reserved(schema, _delta(delta))
        exact_epsilon, exact_delta, rho = budget(epsilon, delta, reserved=reserved)
        values_rho, bins_rho = values.rho(schema, rho), _bins_rho(schema, rho)
        domain = values.domain(schema, bins.domain(schema))
        try:
            # Values first: a ledger's first entry decides how its delta is split.
            steps = values.steps(schema, unit=unit, rho=values_rho, reserved=reserved)
            steps += bins.steps(schema, unit=unit, rho=bins_rho) if bins_rho else ()
            left = Budget(
                rho=rho - values_rho - bins_rho,
                epsilon=exact_epsilon,
                delta=exact_delta,
                before=tuple(step.event for step in steps),
                expected_rows=schema.expected_rows,
                target=schema.target,
            )
            steps += self.bill(domain, unit=unit, budget=left)
        except ValueError as error:
            raise _unsplittable(error) from error
        return Plan(
            synthesizer=self.name,
            settings=self.settings,
            epsilon=exact_epsilon,
            delta=exact_delta,
            rho=_stated(steps, rho, epsilon=exact_epsilon, delta=exact_delta),
            unit=unit,
            unit_column=schema.unit.column,
            steps=steps,
            estimate=self._estimated(schema, domain, steps, epsilon=exact_epsilon),
        )

    def _pure_plan(self, schema: "Schema", epsilon: Fraction | float | str) -> Plan:
        from dpsynth.encoding.bins import PrivateBins
        from dpsynth.encoding.values import PrivateValues

        exact_epsilon = as_fraction(epsilon, name="epsilon")
        if exact_epsilon > MOST_EPSILON:
            raise UsageError(f"epsilon must be at most {MOST_EPSILON}")
        unit, bins = schema.privacy_unit, PrivateBins()
        domain = bins.domain(schema)
        bins_epsilon = _pure_bins_epsilon(schema, exact_epsilon)
        if opened := PrivateValues().columns(schema):
            raise UsageError(
                f"the column {opened[0]!r} is open, and learning its values needs a delta; declare "
                "its values, or ask for a delta above 0"
            )
        try:
            steps = bins.pure_steps(schema, unit=unit, epsilon=bins_epsilon) if bins_epsilon else ()
            steps += self.pure_steps(domain, unit=unit, epsilon=exact_epsilon - bins_epsilon)
        except ValueError as error:
            raise _unsplittable(error) from error
        return Plan(
            synthesizer=self.name,
            settings=self.settings,
            epsilon=exact_epsilon,
            delta=Fraction(0),
            rho=total_rho(step.event for step in steps),
            unit=unit,
            unit_column=schema.unit.column,
            steps=steps,
            estimate=self._estimated(schema, domain, steps, epsilon=exact_epsilon),
        )

    def fit(
        self,
        table: Any,
        *,
        schema: "Schema",
        epsilon: Fraction | float | str,
        delta: Fraction | float | str,
        ledger: Ledger | Path | str,
        control: Fraction | float | str = 0,
        engine: "EngineName" = "auto",
        progress: Progress | None = None,
    ) -> "FittedModel":
        """Learn a private model of ``table``.

        Args:
            table: the private rows, with the columns that ``schema`` names: a path of a file or of
                a folder of Parquet files, a frame of pandas, polars or Arrow, a Spark DataFrame, or
                a ``DatabaseTable``.
            schema: the declared columns and privacy unit.
            epsilon: of the claim.
            delta: of the claim; may be 0 where every mechanism is pure.
            ledger: the ledger of these persons, open or as a path; see ``Ledger.create``.
            control: share of persons set aside and never used, in [0, 1).
            engine: of a file: "frame" holds it in memory, "duckdb" streams it from disk; by its
                size where not given.
            progress: told the steps of a training done, and of how many, after each of them.

        Privacy:
            (epsilon, delta)-DP under adding or removing one unit; the ledger is charged the whole
            of the plan's rho.

        Returns:
            A model that can be saved, shared and sampled; it holds nothing private.

        Raises:
            SchemaError: something in the schema is guessed or not declared.
            DataError: the table lacks a declared column, repeats one, or has one more.
            BudgetExceededError: the ledger cannot pay; nothing was spent.
            UnfitEnvironmentError: a package is missing; nothing was spent.
        """
        from dpsynth.sources.chosen import preparing

        plan = self.plan(schema, epsilon=epsilon, delta=delta)
        prepare = preparing(table, schema, control=control_share(control), engine=engine)
        self.require_installed()
        if self.prior is not None:
            self.prior.require_public(table)
        with open_ledger(ledger) as book:
            account = plan.open(book)
            return self.fit_prepared(
                prepare(key=book.keyed),
                schema=schema,
                plan=plan,
                account=account,
                progress=progress,
            )

    def fit_prepared(
        self,
        prepared: "Prepared",
        *,
        schema: "Schema",
        plan: Plan,
        account: Account,
        rng: RandomSource | None = None,
        progress: Progress | None = None,
        curator_of: Callable[..., Curator] = Curator,
    ) -> "FittedModel":
        """Spend ``plan`` on rows that are coded and bounded; see ``fit`` for the usual way in.

        ``curator_of`` makes the curator; a test of the mechanisms puts one there that listens.
        """
        from dpsynth.encoding import base_domain
        from dpsynth.encoding.bins import PrivateBins
        from dpsynth.encoding.coarsening import Coarsening
        from dpsynth.encoding.values import PrivateValues
        from dpsynth.synthesizers.fitted import FittedModel

        curator = curator_of(
            prepared.source, unit=plan.unit, account=account, rng=rng or PrivacyRandom()
        )
        bins, values = PrivateBins(), PrivateValues()
        planned = values.domain(schema, bins.domain(schema))
        pure, rho = plan.delta == 0, plan.rho
        if not pure:
            _, _, rho = budget(plan.epsilon, plan.delta, reserved=plan.reserved_delta)
        values_rho = values.rho(schema, rho)
        learnt = values.learn(curator, schema, rho=values_rho, reserved=plan.reserved_delta)
        full = schema.with_values(learnt)
        if learnt:
            curator = curator.closed(learnt, base_domain(full))
        coarsenings = {
            name: Coarsening.identity(size) for name, size in curator.domain.sizes.items()
        }
        bins_rho, bins_epsilon = _bins_rho(schema, rho), _pure_bins_epsilon(schema, plan.epsilon)
        if bins_rho and pure:
            coarsenings.update(bins.pure_learn(curator, full, epsilon=bins_epsilon))
        elif bins_rho:
            coarsenings.update(bins.learn(curator, full, rho=bins_rho))
        binned = curator.coarsened({name: c.groups for name, c in coarsenings.items()})
        if pure:
            left = plan.epsilon - bins_epsilon
            learned = self.pure_learn(binned, epsilon=left, planned=planned)
        else:
            rest = Budget(
                rho=rho - values_rho - bins_rho,
                epsilon=plan.epsilon,
                delta=plan.delta,
                before=tuple(entry.event for entry in account.entries),
                expected_rows=schema.expected_rows,
                target=schema.target,
            )
            learned = self.spend(binned, budget=rest, planned=planned, progress=progress)
        for name, merged in learned.coarsenings.items():
            coarsenings[name] = coarsenings[name].then(merged)
        return FittedModel(
            schema=schema,
            values=learnt,
            model=learned.model,
            coarsenings=coarsenings,
            synthesizer={"name": self.name, "settings": self.settings},
            ledger_extract=account.extract(),
            plan=plan.to_dict(),
        )


def _told(value: object) -> object:
    """Return a setting as a document says it."""
    from dpsynth.synthesizers.prior import PublicPrior

    if isinstance(value, PublicPrior):
        return value.summary
    if isinstance(value, tuple):
        return [_told(each) for each in value]
    return str(value) if isinstance(value, Fraction) else value


def control_share(control: Fraction | float | str) -> Fraction:
    """Return the share of persons to set aside, exact.

    Raises:
        UsageError: it is not in [0, 1).
    """
    if control in (0, "0", 0.0):
        return Fraction(0)
    share = as_fraction(control, name="control")
    if share >= 1:
        raise UsageError("control must be below 1: it is the share of persons never used")
    return share


def synthesizer_of(given: "Synthesizer | str") -> "Synthesizer":
    """Return ``given``, or the built-in one of that name."""
    if not isinstance(given, str):
        return given
    from dpsynth.synthesizers import registry

    made: Synthesizer = registry.get(given)()
    return made


def pure_names() -> tuple[str, ...]:
    """Name the built-in synthesizers that can do with delta 0."""
    from dpsynth.synthesizers import registry

    made = {name: registry.get(name) for name in sorted(registry.BUILT_IN)}
    return tuple(n for n, each in made.items() if each.pure_learn is not Synthesizer.pure_learn)


class open_ledger:  # noqa: N801  # reads as the function that it stands for
    """Open a ledger from a path and close it at the end, or pass an open one through."""

    def __init__(self, ledger: Ledger | Path | str) -> None:
        self._borrowed = isinstance(ledger, Ledger)
        self._ledger = ledger if isinstance(ledger, Ledger) else Ledger.open(ledger)

    def __enter__(self) -> Ledger:
        return self._ledger

    def __exit__(self, *_: object) -> None:
        if not self._borrowed:
            self._ledger.close()


def identity_warning(identity: Identity) -> str | None:
    """Return what the custodian should know of the table's identity, if anything."""
    if identity is not Identity.CHANGED:
        return None
    return (
        "this ledger has last been used with other content; that is right for a corrected or newer "
        "table of the same persons and wrong for a table of other persons, who need their own "
        "ledger. Nothing was reset"
    )


def _stated(
    steps: tuple[Step, ...], rho: Fraction, *, epsilon: Fraction, delta: Fraction
) -> Fraction:
    """Return what a plan states as its rho: all that the claim allows, where nothing trains."""
    events = [step.event for step in steps]
    trained, _ = split_trained(events)
    return cost_of(events, epsilon=epsilon, delta=delta) if trained else rho


def _unsplittable(error: ValueError) -> UsageError:
    return UsageError(
        f"this budget cannot be split over this table ({error}); ask for a larger epsilon or a "
        "smaller max_rows"
    )


def _bins_rho(schema: "Schema", rho: Fraction) -> Fraction:
    from dpsynth.encoding import codecs

    return rho * BINS_SHARE if any(c.needs_bins for c in codecs(schema).values()) else Fraction(0)


def _pure_bins_epsilon(schema: "Schema", epsilon: Fraction) -> Fraction:
    return _bins_rho(schema, epsilon) / BINS_SHARE * PURE_BINS_SHARE


def _estimate(
    domain: Domain, expected_rows: int | None, *, solves: bool, model_cells: int
) -> Estimate | None:
    """Estimate fit and sample, by constants fitted to adult, diabetes130 and a million rows.

    A model's cells count beside the rows: direct fits of 50,000 to 2 million took 350 to 500 bytes
    for each, in the solver's vectors above all.
    """
    if expected_rows is None:
        return None
    columns = len(domain.columns)
    cells = expected_rows * columns
    pairs = columns * (columns - 1) / 2
    seconds = 0.5 + FRAME.seconds_a_value * cells + 1e-4 * pairs
    if solves:
        seconds += 0.8 + 2e-6 * expected_rows + 2.5e-4 * pairs
    mebibytes = 165 + (FRAME.bytes_a_value * cells + 400 * model_cells) / 2**20
    return Estimate(rows=expected_rows, minutes=round(seconds / 60, 3), mebibytes=round(mebibytes))
