"""Exit codes: part of the public interface, documented in docs/reference/cli.md."""

from enum import IntEnum


class Exit(IntEnum):
    """What the number means to a script."""

    DONE = 0
    GATE_FAILED = 1
    USAGE = 2
    BUDGET = 3
    DATA = 4
    INTEGRITY = 5
    ENVIRONMENT = 6
    INCONCLUSIVE = 7
    INTERNAL = 70
    INTERRUPTED = 130
