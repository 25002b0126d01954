"""How long a function takes, in units of a fixed piece of work done beside it.

Seconds differ between machines, and on a busy one from minute to minute; their ratio to work of
the same kind, done in the same process at the same time, differs far less.
"""

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np

_ROWS = 200_000
_COLUMNS = 8
_SIZE = 30
_STEPS = 40


def fixed_work() -> float:
    """Count pair tables and go over them again and again, as a fit does; return something of it."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, _SIZE, (_COLUMNS, _ROWS)).astype(np.uint8)
    tables = {
        (one, other): np.bincount(
            codes[one].astype(np.int64) * _SIZE + codes[other], minlength=_SIZE * _SIZE
        ).reshape(_SIZE, _SIZE)
        for one, other in combinations(range(_COLUMNS), 2)
    }
    potentials = np.zeros((len(tables), _SIZE, _SIZE))
    wanted = np.stack(list(tables.values())) / _ROWS
    for _ in range(_STEPS):
        for place in range(len(tables)):
            shares = np.exp(potentials[place])
            shares /= shares.sum()
            potentials[place] += wanted[place] - shares
            potentials[place] += wanted[place].sum(0) - shares.sum(0)
    return float(potentials.sum())


def paired_ratio(function: Callable[[], object], *, repeats: int = 5) -> float:
    """Return the CPU time of ``function`` in units of ``fixed_work``: the least of each in turn.

    Args:
        function: takes no argument; what it returns is dropped.
        repeats: how often each of the two is run, after a first time that does not count.
    """
    own, fixed = [_cpu(function)], [_cpu(fixed_work)]
    for _ in range(repeats):
        own.append(_cpu(function))
        fixed.append(_cpu(fixed_work))
    return min(own[1:]) / min(fixed[1:])


def _cpu(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start
