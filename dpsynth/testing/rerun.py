"""A fit that can be repeated exactly, on rows that no release speaks for.

What runs is what a release runs: preparation, curator, ledger, mechanisms and synthesizer. But the
noise comes from a seed and the ledger is made for the occasion, in memory and marked as seeded, so
that nothing of it can be certified, and nothing of it is charged to anybody's ledger. Where the
source of randomness itself is on trial, the noise is the operating system's.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.ledger import Ledger, LedgerEntry
from dpsynth.privacy.randomness import PrivacyRandom, SeededRandom
from dpsynth.privacy.source import TableSource
from dpsynth.testing.listening import Heard

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.privacy.curator import Curator
    from dpsynth.schema import Schema
    from dpsynth.sources.frame import FrameSource, Prepared
    from dpsynth.synthesizers.facade import Synthesizer
    from dpsynth.synthesizers.fitted import FittedModel
    from dpsynth.synthesizers.plan import Plan

_CAP_DELTA = Fraction(1, 10**9)

Wrap = Callable[[TableSource, Callable[[], int]], TableSource]


def refit(
    synthesizer: "Synthesizer",
    schema: "Schema",
    table: "pd.DataFrame",
    *,
    plan: "Plan",
    seed: int,
) -> "FittedModel":
    """Fit ``synthesizer`` on ``table`` as a release would, with the noise of ``seed``.

    Args:
        synthesizer: what is run.
        schema: the declared columns and unit.
        table: made-up rows, or rows of persons who are in no release; the model is not private
            for anybody, since its noise is known.
        plan: what the synthesizer planned for this schema.
        seed: of the noise.

    Raises:
        DataError: the table lacks a declared column.
    """
    model, _ = fit_seeded(synthesizer, schema, plan, table, lambda source, _: source, seed=seed)
    return model


def fit_seeded(
    synthesizer: "Synthesizer",
    schema: "Schema",
    plan: "Plan",
    table: "pd.DataFrame",
    wrapped: Wrap,
    *,
    seed: int | None,
    heard: Heard | None = None,
) -> tuple["FittedModel", tuple[LedgerEntry, ...]]:
    """Return the model and what its ledger shows.

    Args:
        synthesizer: what is run.
        schema: the declared columns and unit.
        plan: what the synthesizer planned for this schema.
        table: the rows.
        wrapped: returns what stands where the rows stand; told how to see the entries on record.
        seed: of the noise; None for the operating system's, as in a release.
        heard: notes the answers beside the exact ones, where given.
    """
    prepared = prepared_rows(table, schema)
    curator_of = None if heard is None else heard.curator_of(prepared.source)
    return fit_held(synthesizer, schema, plan, prepared, wrapped, seed=seed, curator_of=curator_of)


def prepared_rows(table: "pd.DataFrame", schema: "Schema") -> "Prepared":
    """Return made-up rows as a release prepares them: coded, and each person's bounded.

    Raises:
        DataError: the table lacks a declared column.
    """
    from dpsynth.sources.frame import prepare

    return prepare(table, schema, key=_key)


def fit_held(
    synthesizer: "Synthesizer",
    schema: "Schema",
    plan: "Plan",
    prepared: "Prepared",
    wrapped: Wrap,
    *,
    seed: int | None,
    curator_of: "Callable[..., Curator] | None" = None,
) -> tuple["FittedModel", tuple[LedgerEntry, ...]]:
    """Return the model and what its ledger shows, of rows that were prepared before.

    Args:
        synthesizer: what is run.
        schema: the declared columns and unit.
        plan: what the synthesizer planned for this schema.
        prepared: the rows; see ``prepared_rows``.
        wrapped: returns what stands where the rows stand; told how to see the entries on record.
        seed: of the noise; None for the operating system's, as in a release.
        curator_of: makes the curator; a listening one, see ``Heard.curator_of``.
    """
    # The cap is as wide as it must be: conversions round against the spender, and half of a delta
    # is what selections of values may spend.
    cap = epsilon_from_rho(2 * plan.rho, _CAP_DELTA)
    cap_delta = 2 * max(plan.reserved_delta, _CAP_DELTA)
    with Ledger.in_memory(cap_epsilon=cap, cap_delta=cap_delta) as ledger:
        account = plan.open(ledger, seeded=seed is not None)
        source = wrapped(prepared.source, lambda: len(account.entries))
        listening = {} if curator_of is None else {"curator_of": curator_of}
        model = synthesizer.fit_prepared(
            replace(prepared, source=cast("FrameSource", source)),
            schema=schema,
            plan=plan,
            account=account,
            rng=PrivacyRandom() if seed is None else SeededRandom(seed),
            **listening,
        )
        return model, tuple(account.entries)


def _key(purpose: str) -> bytes:
    """Return a key that everybody knows: these persons have no secrets."""
    return purpose.encode().ljust(32, b"\0")[:32]
