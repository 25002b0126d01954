"""Small generated worlds: a curator over made-up rows and a ledger in memory.

Nothing here takes rows from outside, and every ledger says that its noise was seeded: what is
learned in a world can never be certified.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.curator import Curator
from dpsynth.privacy.events import SampledGaussianEvent
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.privacy.source import TableSource, UnitRows

Codes = Mapping[str, NDArray[np.int64]]

SMALL = Domain(sizes={"age": 8, "sex": 2, "ward": 5, "site": 1, "outcome": 3})
SMALL_ROWS = 1_013  # a prime no size of a domain equals: an array of this length holds rows
_DELTA = Fraction(1, 10**9)
_WIDE = Fraction(10**5)  # a cap that any training on trial stays below


class GeneratedSource:
    """Made-up rows behind the protocol of a table source."""

    def __init__(self, codes: Codes, domain: Domain) -> None:
        self.domain = domain
        self._codes = dict(codes)

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return exact rows per cell."""
        cells = self.domain.size(clique)
        columns = tuple(self._codes[name] for name in clique)
        flat = np.ravel_multi_index(columns, self.domain.shape(clique))
        return np.bincount(flat, minlength=cells).astype(np.int64)

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> Iterator[NDArray[np.int64]]:
        """Count one after the other."""
        return map(self.count, cliques)

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return nothing: made-up codes have no values beside the declared ones."""
        del column
        return (), np.zeros(0, dtype=np.int64)

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "GeneratedSource":
        """Return the same rows with codes for values that nobody holds, behind all others."""
        del values
        return GeneratedSource(self._codes, domain)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "GeneratedSource":
        """Return the same rows with codes regrouped."""
        domain = self.domain.regrouped(groups)
        codes = {name: groups[name][held] for name, held in self._codes.items() if name in groups}
        return GeneratedSource({**self._codes, **codes}, domain)

    def unit_rows(self) -> UnitRows:
        """Return the rows, each a unit of its own."""
        codes = np.column_stack([self._codes[name] for name in self.domain.columns])
        return UnitRows(codes=codes, units=np.arange(len(codes)))


class UnreadableSource:
    """A source that fails when anybody counts: for what must work without rows."""

    def __init__(self, codes: Codes, domain: Domain) -> None:
        del codes
        self.domain = domain

    def count(self, clique: tuple[str, ...]) -> NoReturn:
        """Fail."""
        raise AssertionError(f"rows were read: {', '.join(clique)}")

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> NoReturn:
        """Fail."""
        raise AssertionError(f"rows were read: {cliques}")

    def values(self, column: str) -> NoReturn:
        """Fail."""
        raise AssertionError(f"rows were read: {column}")

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> NoReturn:
        """Fail."""
        del domain
        raise AssertionError(f"rows were read: {', '.join(values)}")

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> NoReturn:
        """Fail."""
        raise AssertionError(f"rows were read: {', '.join(groups)}")

    def unit_rows(self) -> NoReturn:
        """Fail."""
        raise AssertionError("rows were read")


def curator_over(
    codes: Codes,
    domain: Domain,
    rho: Fraction,
    *,
    source: Callable[[Codes, Domain], TableSource] = GeneratedSource,
    unit: PrivacyUnit | None = None,
    trained: Sequence[SampledGaussianEvent] = (),
    seed: int = 1,
) -> Curator:
    """Return a curator over made-up rows.

    Args:
        codes: the rows, by column.
        domain: the columns.
        rho: what its account may spend.
        source: what holds the rows.
        unit: one row where not given.
        trained: what it may be charged for training, beside ``rho``.
        seed: of the noise.
    """
    # The cap takes in a little more than rho: conversions round against the spender.
    cap = _WIDE if trained else epsilon_from_rho(2 * rho, _DELTA)
    ledger = Ledger.in_memory(cap_epsilon=cap, cap_delta=_DELTA)
    return Curator(
        source(codes, domain),
        unit=unit or PrivacyUnit(),
        account=ledger.open_release(rho=rho, trained=trained, seeded=True),
        rng=SeededRandom(seed),
    )


def small_world(
    *,
    rho: Fraction,
    source: Callable[[Codes, Domain], TableSource] = GeneratedSource,
    domain: Domain = SMALL,
    rows: int = SMALL_ROWS,
    unit: PrivacyUnit | None = None,
    trained: Sequence[SampledGaussianEvent] = (),
    seed: int = 0,
) -> Curator:
    """Return a curator over rows in which every column leans on the one before.

    Args:
        rho: what its account may spend.
        source: what holds the rows.
        domain: the columns.
        rows: how many, at least 0.
        unit: one row where not given.
        trained: what it may be charged for training, beside ``rho``.
        seed: of the rows and of the noise.
    """
    codes = chain_codes(domain, rows=rows, seed=seed)
    return curator_over(codes, domain, rho, source=source, unit=unit, trained=trained, seed=seed)


def wide_world(
    *, rows: int, columns: int, categories: int, rho: Fraction, seed: int = 0
) -> Curator:
    """Return a curator over many columns of one size, each leaning on the one before."""
    domain = Domain(sizes={f"column_{index}": categories for index in range(columns)})
    return small_world(rho=rho, domain=domain, rows=rows, seed=seed)


def chain_codes(domain: Domain, *, rows: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Make rows: the first column skewed, each later one a copy of the last in half of the rows."""
    rng = np.random.default_rng(seed)
    codes = {
        name: np.minimum(rng.geometric(2 / (size + 1), rows) - 1, size - 1).astype(np.int64)
        for name, size in domain.sizes.items()
    }
    for before, after in pairwise(domain.columns):
        copied = rng.random(rows) < 0.5
        codes[after][copied] = codes[before][copied] % domain.sizes[after]
    return codes


def reachable_from(root: object) -> Iterator[object]:
    """Yield every object that ``root`` holds, directly or not, by attributes, items or closures.

    Types, modules and what functions see globally are not held and are left out.
    """
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        held = waiting.pop()
        if id(held) in seen or isinstance(held, type | ModuleType | BuiltinFunctionType | CodeType):
            continue
        seen.add(id(held))
        yield held
        if isinstance(held, FunctionType):
            waiting += [*(held.__closure__ or ()), *(held.__defaults__ or ())]
        elif isinstance(held, MethodType):
            waiting += [held.__self__, held.__func__]
        elif isinstance(held, np.ndarray):
            waiting += [held.base, *(held.flat if held.dtype.hasobject else ())]
        else:
            waiting += gc.get_referents(held)
