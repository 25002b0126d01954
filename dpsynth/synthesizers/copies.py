"""Several synthetic tables of one release, as far apart as its noise leaves open."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dpsynth.errors import UsageError
from dpsynth.models.graphical.model import GraphicalModel

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.synthesizers.fitted import FittedModel

_FEWEST = 2


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Synthetic tables for combining rules, and which relations they can speak of.

    Attributes:
        tables: one a copy, each with the columns of the schema.
        rows: of each.
        total: number of rows that the noisy answers speak for; never the exact one.
        supported: sets of columns whose relation was measured. Of all others the copies say only
            what follows from these.
    """

    tables: "tuple[pd.DataFrame, ...]"
    rows: int
    total: float
    supported: frozenset[frozenset[str]]

    def supports(self, *columns: str) -> bool:
        """Whether the relation of these columns was measured; one column alone always was."""
        wanted = frozenset(columns)
        return len(wanted) < 2 or any(wanted <= held for held in self.supported)


def draw_copies(
    fitted: "FittedModel", copies: int, rows: int | None, *, seed: int | None, interactions: int
) -> Copies:
    """Return what ``FittedModel.sample_copies`` promises."""
    from dpsynth.encoding.table import decode_table
    from dpsynth.encoding.within import Within
    from dpsynth.models.graphical.posterior import redrawn

    if copies < _FEWEST:
        raise UsageError("copies must be at least 2: what one copy leaves open it cannot tell")
    if interactions < 1:
        raise UsageError("interactions must be at least 1")
    if not isinstance(fitted.model, GraphicalModel):
        raise UsageError(
            "copies that count in the privacy noise are drawn from models of noisy tables, and "
            f"{fitted.synthesizer.get('name', 'this model')} trains a network; release with auto, "
            "direct or mst"
        )
    rng = np.random.default_rng(seed)
    found = redrawn(fitted.model, copies, rng, interactions=interactions)
    schema = fitted.full_schema
    within = Within(schema=schema, coarsenings=fitted.coarsenings, given={})
    wanted = max(round(fitted.total), 0) if rows is None else rows
    tables = []
    for model in found.models:
        codes, values = within.draw(model.draw_independent(wanted, rng), rng)
        tables.append(decode_table(codes, schema, rng, rows=wanted, values=values))
    return Copies(tables=tuple(tables), rows=wanted, total=fitted.total, supported=found.supported)
