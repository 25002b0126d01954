"""The zoo: every planted bug, and what must not be taken for one."""

from collections.abc import Sequence

from attacks.mutants.base import Control, Mutant
from attacks.mutants.catalogue.around import AROUND
from attacks.mutants.catalogue.books import BOOKS
from attacks.mutants.catalogue.controls import CONTROLS
from attacks.mutants.catalogue.noise import NOISE
from attacks.mutants.catalogue.past import PAST
from attacks.mutants.catalogue.selection import SELECTION
from attacks.mutants.catalogue.sensitivity import SENSITIVITY
from attacks.mutants.catalogue.training import TRAINING
from attacks.mutants.catalogue.unlisted import FIRST_ROUND, SECOND_ROUND
from dpsynth.errors import UsageError

__all__ = ["CONTROLS", "LISTED", "MUTANTS", "find"]

# Those that the audits were written with; the others were planted by an adversary.
LISTED: tuple[Mutant, ...] = (*NOISE, *SENSITIVITY, *SELECTION, *PAST, *BOOKS, *TRAINING)
MUTANTS: tuple[Mutant, ...] = (*LISTED, *FIRST_ROUND, *SECOND_ROUND, *AROUND)


def find(name: str, more: Sequence[Mutant] = ()) -> Mutant | Control:
    """Return the mutant or control called ``name``.

    Args:
        name: of one of the zoo's own, or of ``more``.
        more: mutants that somebody brought along.

    Raises:
        UsageError: there is none.
    """
    everything: tuple[Mutant | Control, ...] = (*CONTROLS, *MUTANTS, *more)
    for each in everything:
        if each.name == name:
            return each
    raise UsageError(f"the zoo holds no mutant or control called {name}; --list names all")
