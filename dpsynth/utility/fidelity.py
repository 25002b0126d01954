"""Fidelity: what a release's internal report says of how close it is to the real table.

The distances of single columns and pairs of ``dpsynth.utility.marginals``, where nobody set a
holdout aside: a random half of the real rows takes its place, and the other half is what tables are
compared with. Computed from real rows outside the guarantee, so it is for the custodian alone.
"""

from typing import TYPE_CHECKING, Any

from dpsynth.utility.marginals import WIDTHS, columns, marginals
from dpsynth.utility.part import Part, held_or_part
from dpsynth.utility.scores import DIGITS
from dpsynth.utility.tables import Tables, halves

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from dpsynth.schema import Schema

FORMAT = "dpsynth-fidelity/1"
_FEWEST = 4  # real rows: two a half


def fidelity(
    synthetic: "pd.DataFrame | Path | str",
    real: "pd.DataFrame",
    schema: "Schema",
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return mean total variation distances of 1-way and 2-way marginals, and each column's.

    Args:
        synthetic: the released rows; of a file that is too large to be held, single columns are
            counted in all rows, and pairs in as many as there are real ones, drawn at random.
        real: the custodian's rows.
        schema: declares both.
        seed: of the split into halves.

    Returns:
        A JSON-able document: ``measures`` with name, value, ceiling, floor, and the 95 % interval
        of the value from low to high; ``columns`` with labels and both tables' shares. Both are
        empty where a table has too few rows to be compared.
    """
    document: dict[str, Any] = {"format": FORMAT, "measures": [], "columns": []}
    suspect = held_or_part(synthetic, schema, most=len(real), seed=seed)
    few = len(suspect.frame if isinstance(suspect, Part) else suspect) < 2
    if len(real) < _FEWEST or few:
        return document
    tables = Tables.of(suspect, *halves(real, seed=seed), schema, seed=seed)
    section = marginals(tables, seed=seed, widths=(1, 2))
    assert section is not None  # it applies to any table
    for score in section.scores:
        if score.name in WIDTHS.values():
            found = score.to_dict()
            kept = ("name", "value", "ceiling", "floor", "low", "high", "note")
            document["measures"].append(
                {**{key: found[key] for key in kept}, "lower_is_better": score.better == "lower"}
            )
    parts = len(tables.real), len(tables.holdout)
    for column in columns(tables):
        whole = (column["real"] * parts[0] + column.pop("holdout") * parts[1]) / sum(parts)
        document["columns"].append(
            {
                **column,
                "real": whole.round(DIGITS).tolist(),
                "synthetic": column["synthetic"].round(DIGITS).tolist(),
            }
        )
    if isinstance(suspect, Part):
        document["notes"] = [suspect.sentence]
    return document
