"""Whether declared rules can be held by a model, asked before anything is charged."""

from typing import TYPE_CHECKING

from dpsynth.domain import Domain
from dpsynth.encoding.bins import PrivateBins
from dpsynth.encoding.codec import base_domain
from dpsynth.encoding.values import PrivateValues
from dpsynth.errors import SchemaError
from dpsynth.models.graphical import zeros

if TYPE_CHECKING:
    from dpsynth.schema import Schema


def check_rules(schema: "Schema") -> None:
    """Refuse rules that no model of limited size could hold, or that leave nothing.

    Raises:
        SchemaError: in one sentence.
    """
    if not schema.rules:
        return
    declared = base_domain(schema)
    if not zeros.leaves_something(declared):
        raise SchemaError("the declared rules together forbid every row: take one of them back")
    planned = PrivateValues().domain(schema, PrivateBins().domain(schema))
    largest = Domain(sizes=planned.sizes, zeros=declared.zeros)
    # The codes of that domain are not those of the zeros, whose columns alone matter here.
    clique = zeros.largest_clique(largest)
    cells = largest.size(clique)
    if cells > zeros.MOST_CELLS:
        names = ", ".join(map(repr, clique))
        raise SchemaError(
            f"the rules over {names} need one table of {cells:,} cells, above "
            f"{zeros.MOST_CELLS:,}: declare fewer `bins` or values for them, or fewer rules"
        )
