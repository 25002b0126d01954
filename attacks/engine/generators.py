"""A synthesizer as a black box: what an attacker runs on tables of their own.

An attacker who knows which tool made a release, and with which settings, can run it on records of
other persons. For a release by dpsynth these are public facts: they stand in its plan, and
``Planned`` runs them. Another tool is any callable in Python from a data frame to a data frame.
Attacks work on codes; ``Coded`` stands between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from attacks.engine.encode import encode
from attacks.engine.table import Codes
from dpsynth.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema


class FrameGenerator(Protocol):
    """Any synthesizer, as a callable."""

    def __call__(self, table: "pd.DataFrame", *, rows: int, seed: int) -> "pd.DataFrame":
        """Fit on ``table`` and return ``rows`` synthetic rows with the same columns.

        Args:
            table: the columns of the audit's schema, each row a person.
            rows: how many to return.
            seed: of all random choices; another seed must give another table.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """The synthesizer of a plan, run as a release runs it but with the noise of a seed.

    It opens no ledger but one in memory that is marked as seeded, charges nothing, and can never
    certify anything.

    Args:
        plan: a release's plan as a document: name, settings, epsilon and delta of the synthesizer.
        schema: the release's schema as it was declared.
    """

    plan: Mapping[str, Any]
    schema: "Schema"

    def __call__(self, table: "pd.DataFrame", *, rows: int, seed: int) -> "pd.DataFrame":
        """Return rows of a model fitted on ``table``; see ``FrameGenerator``."""
        from dpsynth.testing.rerun import refit

        synthesizer, plan = self._made
        model = refit(synthesizer, self.schema, table, plan=plan, seed=seed)
        return model.sample(rows, seed=seed)

    @cached_property
    def _made(self) -> tuple[Any, Any]:
        synthesizer = planned_synthesizer(self.plan)
        claim = {"epsilon": self.plan["epsilon"], "delta": self.plan["delta"]}
        return synthesizer, synthesizer.plan(self.schema, **claim)


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded:
    """A generator of frames as a generator of codes; see ``attacks.base.Generator``.

    Args:
        generator: fits and draws.
        schema: the audit's, with the values that the release holds in open columns.
    """

    generator: FrameGenerator
    schema: "Schema"

    def __call__(self, table: Codes, *, rows: int, seed: int) -> Codes:
        """Return ``rows`` synthetic rows, fitted on ``table``, each of whose rows is a person.

        A code that stands for a range of values is given a value in it by the seed.

        Raises:
            DataError: the generator returned another number of rows, or lacks a column.
        """
        from dpsynth.encoding import codecs
        from dpsynth.encoding.table import decode_table

        names = list(codecs(self.schema))
        codes = {name: table[:, place].astype(np.int64) for place, name in enumerate(names)}
        frame = decode_table(codes, self.schema, np.random.default_rng(seed), rows=len(table))
        if self.schema.unit.column is not None:
            frame[self.schema.unit.column] = [f"p{row}" for row in range(len(table))]
        made = self.generator(frame, rows=rows, seed=seed)
        if len(made) != rows:
            raise DataError("the generator must return as many rows as it is asked for")
        return encode(made, self.schema, name="generated", persons=False).codes


def planned_synthesizer(plan: Mapping[str, Any]) -> Any:
    """Return the synthesizer of a plan as a document; its exact settings stand there as text.

    Without a public prior, of which a plan holds a summary: no charge and no question follows from
    it but by way of the model.
    """
    import dpsynth

    named = plan["synthesizer"]
    usual = dpsynth.synthesizer(named["name"])
    settings = {
        key: Fraction(value) if isinstance(getattr(usual, key), Fraction) else value
        for key, value in named["settings"].items()
        if key != "prior"
    }
    return dpsynth.synthesizer(named["name"], **settings)
