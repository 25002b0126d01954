"""Values of open columns, learnt privately: those that enough persons hold.

One partition selection a column; everything after it is post-processing. What is not released
becomes the column's ``other`` level.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.encoding.codec import base_domain
from dpsynth.privacy.accounting import RESERVED_SHARE, selection_threshold
from dpsynth.privacy.mechanisms import PartitionSelection
from dpsynth.privacy.queries import Discovery, ValuesQuery

if TYPE_CHECKING:
    from dpsynth.privacy.curator import Curator
    from dpsynth.schema.document import Schema
    from dpsynth.synthesizers.base import Step

_COLUMN_SHARE, _MOST_SHARE = Fraction(1, 10), Fraction(3, 10)  # of rho: a column, and all of them


@dataclass(frozen=True, kw_only=True)
class PrivateValues:
    """Learn at most ``most`` values for every open column.

    Args:
        most: greatest number of values learnt a column, besides those that the schema lists. Noise
            scales that depend on the number of codes are planned for it.
    """

    most: int = 256

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError("most must be at least 1")

    def columns(self, schema: "Schema") -> tuple[str, ...]:
        """Name the open columns; public."""
        return tuple(column.name for column in schema.modeled if column.learns_values)

    def rho(self, schema: "Schema", rho: Fraction) -> Fraction:
        """Return the part of ``rho`` that the open columns cost together."""
        return rho * min(_COLUMN_SHARE * len(self.columns(schema)), _MOST_SHARE)

    def reserved(self, schema: "Schema", delta: Fraction) -> Fraction:
        """Return the part of ``delta`` that is set aside for them: half, or none without any."""
        return delta * RESERVED_SHARE if self.columns(schema) else Fraction(0)

    def domain(self, schema: "Schema", domain: Domain) -> Domain:
        """Return ``domain`` with open columns at their largest: fewer values may be learnt."""
        return domain.replace(
            {name: domain.sizes[name] + self.most for name in self.columns(schema)}
        )

    def steps(
        self, schema: "Schema", *, unit: PrivacyUnit, rho: Fraction, reserved: Fraction
    ) -> tuple["Step", ...]:
        """List the charges of ``learn``, from public facts alone.

        Args:
            schema: the declared columns.
            unit: whose data one guarantee covers.
            rho: of all open columns together; the charges add up to it.
            reserved: delta of all open columns together, likewise.

        Raises:
            ValueError: no noise or threshold can be stated for so little.
        """
        from dpsynth.synthesizers.base import Step

        queries = self._queries(schema, base_domain(schema))
        if not queries:
            return ()
        mechanism = _mechanism(queries, unit=unit, rho=rho, reserved=reserved)
        return tuple(
            Step(
                phase="values",
                label=query.label,
                event=mechanism.event(
                    l2_sensitivity_squared=query.l2_sensitivity_squared(unit),
                    max_new=query.max_new(unit),
                ),
            )
            for query in queries
        )

    def learn(
        self, curator: "Curator", schema: "Schema", *, rho: Fraction, reserved: Fraction
    ) -> dict[str, tuple[str, ...]]:
        """Spend ``rho`` and ``reserved`` as ``steps`` said; return released values by column.

        Args:
            curator: over the base domain of ``schema``.
            schema: the declared columns.
            rho: zCDP budget.
            reserved: delta.
        """
        queries = self._queries(schema, curator.domain)
        if not queries:
            return {}
        mechanism = _mechanism(queries, unit=curator.unit, rho=rho, reserved=reserved)
        found = curator.discover(queries, mechanism)
        return {each.query.column: self._most_held(each) for each in found}

    def _most_held(self, found: Discovery) -> tuple[str, ...]:
        kept = np.sort(np.argsort(-found.units, kind="stable")[: self.most])
        return tuple(found.values[place] for place in kept.tolist())

    def _queries(self, schema: "Schema", domain: Domain) -> list[ValuesQuery]:
        return [ValuesQuery(column=name, domain=domain) for name in self.columns(schema)]


def read_values(document: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Read released values from a model's document.

    Raises:
        ValueError: they are not lists of text by column.
    """
    found = {}
    for name, held in document.items():
        if not isinstance(held, list) or not all(isinstance(value, str) for value in held):
            raise ValueError("released values must be lists of text")
        found[name] = tuple(held)
    return found


def _mechanism(
    queries: list[ValuesQuery], *, unit: PrivacyUnit, rho: Fraction, reserved: Fraction
) -> PartitionSelection:
    """Share the budget evenly: every open column has the same noise and the same threshold."""
    delta = reserved / len(queries)
    sigma_squared = queries[0].l2_sensitivity_squared(unit) * len(queries) / (2 * rho)
    return PartitionSelection(
        sigma_squared=sigma_squared,
        threshold=selection_threshold(sigma_squared, max_new=queries[0].max_new(unit), delta=delta),
        delta=delta,
    )
