"""What the schema and the kernel both speak of: a finite domain, a unit, its neighbors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import Any, Protocol


class NeighboringRelation(Enum):
    """Which pairs of tables the guarantee makes hard to tell apart."""

    ADD_OR_REMOVE = "add_or_remove"
    REPLACE = "replace"


@dataclass(frozen=True, kw_only=True)
class PrivacyUnit:
    """Whose data one guarantee covers, and how many rows that may be.

    Args:
        max_rows: rows that one unit may contribute to any count, at least 1.
        name: what a unit is called in reports, "row" or "person".
        neighboring: the relation that every sensitivity is derived for.
    """

    max_rows: int = 1
    name: str = "row"
    neighboring: NeighboringRelation = NeighboringRelation.ADD_OR_REMOVE

    def __post_init__(self) -> None:
        if isinstance(self.max_rows, bool) or not isinstance(self.max_rows, int):
            raise TypeError("max_rows must be a whole number")
        if self.max_rows < 1:
            raise ValueError("max_rows must be at least 1")


class Zero(Protocol):
    """A combination of codes that cannot occur, as declared; equal ones compare equal.

    ``dpsynth.zeros`` has the kinds that there are.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of, each once."""
        ...

    def allowed(self, sizes: Mapping[str, int]) -> Any:
        """Return which cells can occur: a boolean array, one axis a column of ``columns``."""
        ...

    def regrouped(self, groups: Mapping[str, Iterable[int]]) -> "Zero":
        """Return the zero over regrouped codes: a cell is forbidden where all within it is."""
        ...

    def classes(self, column: str, size: int) -> Any:
        """Number the codes of ``column``: an array, equal where the zero treats codes alike."""
        ...

    @property
    def in_runs(self) -> bool:
        """Whether only codes that stand next to each other may be merged."""
        ...


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The columns and how many codes each has; public, never learned from the rows for free.

    Args:
        sizes: number of codes by column name, each at least 1, in column order.
        ordered: columns whose neighboring codes mean similar things, as declared: numbers, dates
            and ordinal levels. A missing level, where there is one, stands last all the same.
        zeros: combinations of codes that cannot occur, as declared.
    """

    sizes: Mapping[str, int]
    ordered: frozenset[str] = frozenset()
    zeros: tuple[Zero, ...] = ()

    def __post_init__(self) -> None:
        for name, size in self.sizes.items():
            if size < 1:
                raise ValueError(f"column {name!r} must have at least one code")
        if not self.ordered <= set(self.sizes):
            raise ValueError("ordered must name columns of the domain")
        for zero in self.zeros:
            if not set(zero.columns) <= set(self.sizes):
                raise ValueError("zeros must name columns of the domain")
        object.__setattr__(self, "sizes", MappingProxyType(dict(self.sizes)))

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.sizes)

    def shape(self, clique: Sequence[str]) -> tuple[int, ...]:
        """Number of codes of each column in ``clique``."""
        return tuple(self.sizes[name] for name in clique)

    def size(self, clique: Sequence[str]) -> int:
        """Number of cells of the table over ``clique``."""
        return prod(self.shape(clique))

    def replace(self, sizes: Mapping[str, int]) -> "Domain":
        """Return the same columns in the same order with some sizes changed.

        Zeros over columns whose sizes change are left out: they speak of other codes.
        """
        unknown = set(sizes) - set(self.sizes)
        if unknown:
            raise KeyError(f"not in the domain: {', '.join(sorted(unknown))}")
        changed = {name for name, size in sizes.items() if size != self.sizes[name]}
        kept = tuple(zero for zero in self.zeros if not changed & set(zero.columns))
        return Domain(sizes={**self.sizes, **sizes}, ordered=self.ordered, zeros=kept)

    def regrouped(self, groups: Mapping[str, Iterable[int]]) -> "Domain":
        """Return the domain after ``groups[column][code]`` has replaced every code.

        A column stays ordered where its groups keep the order of their codes. A zero forbids
        what is forbidden throughout; merge as ``zeros.alike`` says, and no more is left to forbid.
        """
        found = {name: [int(group) for group in each] for name, each in groups.items()}
        mixed = {name for name, each in found.items() if any(a > b for a, b in pairwise(each))}
        replaced = self.replace({name: max(each) + 1 for name, each in found.items()})
        zeros = tuple(zero.regrouped(found) for zero in self.zeros)
        return Domain(sizes=replaced.sizes, ordered=self.ordered - mixed, zeros=zeros)
