"""Every error that dpsynth raises on purpose, and the exit code that the command line gives it.

```text
DpsynthError
├── UsageError                 2   the call is wrong; nothing ran
│   └── UnknownNameError           a synthesizer, column or preset that does not exist
├── BudgetExceededError        3   the ledger cannot pay; nothing was charged by the refused call
│   └── LedgerMissingError         no ledger, so no budget was ever declared
├── DataError                  4   the table is structurally unfit; no row was used
│   └── SchemaError                the schema is wrong or not yet closed
├── IntegrityError             5   bytes on disk are not what was signed, chained or promised
│   └── UnsupportedEventError      an accountant met an event that it does not know
└── UnfitEnvironmentError      6   the machine cannot do this safely
```

A message names what the caller declared, never what the rows hold.
"""

from fractions import Fraction
from typing import ClassVar


class DpsynthError(Exception):
    """Root of the tree: catch this to catch everything that dpsynth raises on purpose."""

    exit_code: ClassVar[int] = 70


class UsageError(DpsynthError):
    """The call itself is wrong; nothing ran."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that nothing is registered under."""


class BudgetExceededError(DpsynthError):
    """The ledger cannot pay.

    Attributes:
        cost: what was asked, in zCDP rho, or None where no cost was formed.
        left: what the ledger has left, in zCDP rho, or None likewise.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, cost: Fraction | None = None, left: Fraction | None = None
    ) -> None:
        super().__init__(message)
        self.cost = cost
        self.left = left


class LedgerMissingError(BudgetExceededError):
    """There is no ledger, so nobody has declared how much may be spent."""


class DataError(DpsynthError):
    """The table is structurally unfit: columns, header, format or encoding."""

    exit_code = 4


class SchemaError(DataError):
    """The schema is malformed, contradicts itself, or holds guesses that nobody confirmed."""


class IntegrityError(DpsynthError):
    """Something on disk is not what was signed, chained or promised."""

    exit_code = 5


class UnsupportedEventError(IntegrityError):
    """An event that this version's accountant does not know: it fails closed."""


class UnfitEnvironmentError(DpsynthError):
    """The machine cannot do this safely: random source, disk or a missing extra."""

    exit_code = 6
