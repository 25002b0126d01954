"""Bugs around the mechanisms: of training, coding, files and ledgers.

Written by an adversary who knew the code and neither the audits nor the rest of the zoo.
"""

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.around.cells import CELLS
from attacks.mutants.catalogue.around.coins import COINS
from attacks.mutants.catalogue.around.files import FILES
from attacks.mutants.catalogue.around.kernel import KERNEL
from attacks.mutants.catalogue.around.ledger import LEDGER
from attacks.mutants.catalogue.around.persons import PERSONS

__all__ = ["AROUND"]

AROUND: tuple[Mutant, ...] = (*KERNEL, *COINS, *CELLS, *PERSONS, *FILES, *LEDGER)
