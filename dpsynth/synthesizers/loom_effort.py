"""How much work a fit of ``auto`` is worth, by public facts."""

from dataclasses import dataclass
from fractions import Fraction

from dpsynth.domain import Domain

_LEAST_RHO = Fraction(1, 1000)  # of a second round; epsilon 0.3 at delta 1e-9
_MANY_COLUMNS = 400  # time of the default grows with the square of their number: 10 s at 300


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What a fit may do.

    Attributes:
        most_cells: of the junction tree's tables together; time and memory grow with it.
        outside: whether pairs that the tree cannot take in may be asked about, and samples are
            re-weighted to all tables.
        second: whether a fifth of the answers is held back until all pairs were compared with a
            model fitted to the others; see ``rounds``.
    """

    most_cells: int
    outside: bool
    second: bool = False

    def rounds(self, rho: Fraction) -> int:
        """Return how many rounds of distances and answers a budget of ``rho`` is spent in.

        The second pays where the first leaves something to be seen: over RAND HIE, flchain and
        covid_testing it took 1 % off the mean distance of pairs at epsilon 1, and added 2 % on
        RAND HIE at 0.1; docs/proofs/auto.md.
        """
        return 2 if self.second and rho >= _LEAST_RHO else 1


EFFORTS = {
    "fast": Effort(most_cells=10_000, outside=False),
    "default": Effort(most_cells=100_000, outside=True),
    "thorough": Effort(most_cells=300_000, outside=True, second=True),
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
