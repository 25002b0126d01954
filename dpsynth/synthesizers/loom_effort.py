"""How much work a fit of ``auto`` is worth, by public facts; the bill is the same at any effort."""

from dataclasses import dataclass
from fractions import Fraction

from dpsynth.domain import Domain

# Chosen on seeds 0 to 9 of adult_discrete, RAND HIE, flchain and diabetes130.
_FEW_COLUMNS = 12  # time grows with columns times cells: a large tree is for up to so many
_MANY_COLUMNS = 400  # time of the default grows with the square of their number: 10 s at 300
_FAINT = Fraction(1, 1_000)  # rho below which a larger tree gains nothing
_LOUD = Fraction(1, 8)  # rho above which it gains little and takes longest


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


def effort_for(domain: Domain, *, rho: Fraction) -> Effort:
    """Return the effort that a table of these columns is worth at this budget.

    Thorough for up to 12 columns at a rho in [1/1000, 1/8), which is epsilon 0.3 to 3.5 at delta
    1e-9; fast from 400 columns on; the default otherwise.

    Args:
        domain: as declared; columns with one code do not count.
        rho: of the fit.
    """
    columns = sum(size > 1 for size in domain.sizes.values())
    if columns >= _MANY_COLUMNS:
        return EFFORTS["fast"]
    if columns <= _FEW_COLUMNS and _FAINT <= rho < _LOUD:
        return EFFORTS["thorough"]
    return EFFORTS["default"]
