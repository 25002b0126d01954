"""What needs no statistics: real identifiers, and values from outside the declared domain."""

from attacks.results import Witness
from attacks.scan.identifiers import real_identifiers
from attacks.scan.outside import undeclared_values
from attacks.tables import Tables


def witnesses(tables: Tables, *, random: bool) -> tuple[Witness, ...]:
    """Scan the tables as they were given.

    Args:
        tables: of the audit.
        random: whether coins told members from controls.
    """
    released, members, controls = tables.frames
    return (
        *real_identifiers(released, members, controls, tables.declared, random=random),
        *undeclared_values(released, tables.declared),
    )
