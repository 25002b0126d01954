"""How much work a fit of ``auto`` is worth, by public facts; the bill is the same at any effort."""

from dataclasses import dataclass

from dpsynth.domain import Domain

_MANY_COLUMNS = 400  # time of the default grows with the square of their number: 10 s at 300


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What a fit may do.

    Attributes:
        most_cells: of the junction tree's tables together; time and memory grow with it.
        outside: whether pairs that the tree cannot take in may be asked about, and samples are
            re-weighted to all tables.
    """

    most_cells: int
    outside: bool


EFFORTS = {
    "fast": Effort(most_cells=10_000, outside=False),
    "default": Effort(most_cells=100_000, outside=True),
    "thorough": Effort(most_cells=300_000, outside=True),
}


def effort_called(name: str) -> Effort:
    """Return the effort of this name.

    Raises:
        ValueError: there is no such effort.
    """
    if name not in tuple(EFFORTS):
        raise ValueError(f"effort must be one of: {', '.join(EFFORTS)}")
    return EFFORTS[name]


def effort_for(domain: Domain) -> Effort:
    """Return the effort that a table of these columns is worth.

    Fast from 400 columns on, else the default. Never thorough: over ten seeds each of RAND HIE,
    flchain and covid_testing, mean distances of pairs moved by -2.6 to +1.7 %, for up to half more
    time.

    Args:
        domain: as declared; columns with one code do not count.
    """
    columns = sum(size > 1 for size in domain.sizes.values())
    return EFFORTS["fast" if columns >= _MANY_COLUMNS else "default"]
