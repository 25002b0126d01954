"""The zoo: every planted bug, and what must not be taken for one."""

from collections.abc import Mapping

from attacks.mutants.base import Control, Mutant
from attacks.mutants.catalogue.books import BOOKS
from attacks.mutants.catalogue.controls import CONTROLS
from attacks.mutants.catalogue.noise import NOISE
from attacks.mutants.catalogue.past import PAST
from attacks.mutants.catalogue.selection import SELECTION
from attacks.mutants.catalogue.sensitivity import SENSITIVITY
from attacks.mutants.catalogue.training import TRAINING
from attacks.mutants.catalogue.unlisted_encoding import UNLISTED_ENCODING
from attacks.mutants.catalogue.unlisted_generators import UNLISTED_GENERATORS
from attacks.mutants.catalogue.unlisted_release import UNLISTED_RELEASE
from attacks.mutants.catalogue.unlisted_training import UNLISTED_TRAINING

__all__ = ["CONTROLS", "MUTANTS", "find"]

MUTANTS: tuple[Mutant, ...] = (
    *NOISE,
    *SENSITIVITY,
    *SELECTION,
    *PAST,
    *BOOKS,
    *TRAINING,
    *UNLISTED_TRAINING,
    *UNLISTED_GENERATORS,
    *UNLISTED_ENCODING,
    *UNLISTED_RELEASE,
)
_ALL: Mapping[str, Mutant | Control] = {
    **{each.name: each for each in MUTANTS},
    **{each.name: each for each in CONTROLS},
}


def find(name: str) -> Mutant | Control:
    """Return the mutant or control called ``name``.

    Raises:
        KeyError: there is none.
    """
    return _ALL[name]
