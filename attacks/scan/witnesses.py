"""What needs no statistics: real identifiers, and values from outside the declared domain."""

from attacks.results import Witness
from attacks.scan.identifiers import real_identifiers
from attacks.scan.shown import Shown
from attacks.tables import Tables


def witnesses(tables: Tables, *, random: bool) -> tuple[Witness, ...]:
    """Scan the tables as they were given.

    Args:
        tables: of the audit.
        random: whether coins told members from controls.
    """
    return (
        *real_identifiers(tables.shown, *tables.frames, tables.declared, random=random),
        *undeclared_values(tables.shown),
    )


def undeclared_values(released: Shown) -> list[Witness]:
    """Return a flag for each column of the release with cells outside its declared domain.

    They show that the schema is not the whole domain of the release: its values came from
    somewhere else, as a rule from the rows.
    """
    return [
        Witness(
            kind="outside the domain",
            column=name,
            cells=count,
            decides=False,
            sentence=(
                f"the released column {name!r} holds values that the schema does not declare, in "
                f"{count} cells"
            ),
        )
        for name, count in released.undeclared.items()
        if count
    ]
