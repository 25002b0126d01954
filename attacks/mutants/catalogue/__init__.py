"""The zoo: every planted bug, and what must not be taken for one."""

from collections.abc import Sequence

from attacks.mutants.base import Control, Mutant
from attacks.mutants.catalogue.books import BOOKS
from attacks.mutants.catalogue.controls import CONTROLS
from attacks.mutants.catalogue.noise import NOISE
from attacks.mutants.catalogue.past import PAST
from attacks.mutants.catalogue.selection import SELECTION
from attacks.mutants.catalogue.sensitivity import SENSITIVITY
from attacks.mutants.catalogue.training import TRAINING
from attacks.mutants.catalogue.unlisted_encoding import UNLISTED_ENCODING
from attacks.mutants.catalogue.unlisted_release import UNLISTED_RELEASE
from dpsynth.errors import UsageError

__all__ = ["CONTROLS", "MUTANTS", "find"]

MUTANTS: tuple[Mutant, ...] = (
    *NOISE,
    *SENSITIVITY,
    *SELECTION,
    *PAST,
    *BOOKS,
    *TRAINING,
    *UNLISTED_ENCODING,
    *UNLISTED_RELEASE,
)


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
