"""Structural zeros: combinations of codes that cannot occur, by public declaration.

They stand in a ``Domain``, so that everything which is handed a domain knows them: codes are
merged only with codes that every zero treats alike, junction trees hold the columns of every zero
in one clique, and models give what is forbidden probability 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain

Span = tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Forbidden:
    """One set of codes for each of some columns: they never occur together.

    Args:
        codes: column and codes, two columns at least.
    """

    codes: tuple[tuple[str, frozenset[int]], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of."""
        return tuple(name for name, _ in self.codes)

    @property
    def in_runs(self) -> bool:
        """Codes of one class may be merged wherever they stand."""
        return False

    def allowed(self, sizes: Mapping[str, int]) -> NDArray[np.bool_]:
        """Return which cells can occur."""
        found = np.ones([sizes[name] for name in self.columns], dtype=np.bool_)
        found[np.ix_(*(sorted(codes) for _, codes in self.codes))] = False
        return found

    def regrouped(self, groups: Mapping[str, Iterable[int]]) -> "Forbidden":
        """Return the zero over regrouped codes."""
        return Forbidden(
            codes=tuple(
                (name, _whole_groups(codes, groups[name]) if name in groups else codes)
                for name, codes in self.codes
            )
        )

    def classes(self, column: str, size: int) -> NDArray[np.int64]:
        """Tell the forbidden codes from the others."""
        found = np.zeros(size, dtype=np.int64)
        found[sorted(dict(self.codes)[column])] = 1
        return found


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """The value of one column is never above that of another, where neither is missing.

    Args:
        first: the column of the lower value.
        second: the column of the greater value.
        first_spans: least and greatest value of every code of ``first``; None where missing.
        second_spans: the same of ``second``, on the same scale.
    """

    first: str
    second: str
    first_spans: tuple[Span, ...]
    second_spans: tuple[Span, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return self.first, self.second

    @property
    def in_runs(self) -> bool:
        """Merged codes must span an interval, or pairs of columns would not decide."""
        return True

    def spans(self, column: str) -> tuple[Span, ...]:
        """Least and greatest value of every code of ``column``."""
        return self.first_spans if column == self.first else self.second_spans

    def allowed(self, sizes: Mapping[str, int]) -> NDArray[np.bool_]:
        """Return which cells can occur."""
        del sizes  # as many as there are spans
        least = np.array([-np.inf if span is None else span[0] for span in self.first_spans])
        most = np.array([np.inf if span is None else span[1] for span in self.second_spans])
        return np.asarray(least[:, None] <= most[None, :])

    def regrouped(self, groups: Mapping[str, Iterable[int]]) -> "Ordered":
        """Return the zero over regrouped codes."""
        spans = [
            _joined(self.spans(name), groups[name]) if name in groups else self.spans(name)
            for name in self.columns
        ]
        return Ordered(
            first=self.first, second=self.second, first_spans=spans[0], second_spans=spans[1]
        )

    def classes(self, column: str, size: int) -> NDArray[np.int64]:
        """Tell the missing code from values."""
        del size
        return np.array([span is None for span in self.spans(column)], dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Alike:
    """Which codes of one column may be merged without blurring a zero.

    Args:
        classes: a number a code; codes of different numbers stay apart.
        in_runs: only codes that stand next to each other may be merged.
    """

    classes: NDArray[np.int64]
    in_runs: bool

    def merge(self, rare: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the groups: every frequent code alone, the rare ones together where they may be.

        Args:
            rare: shape ``(codes,)``.
        """
        if self.in_runs:
            starts = ~rare
            starts[1:] |= ~rare[:-1] | (self.classes[1:] != self.classes[:-1])
            starts[0] = True
            return np.cumsum(starts) - 1
        groups = np.empty(rare.size, dtype=np.int64)
        groups[~rare] = np.arange(np.count_nonzero(~rare))
        _, places = np.unique(self.classes[rare], return_inverse=True)
        groups[rare] = np.count_nonzero(~rare) + places
        return groups


def alike(domain: Domain, column: str) -> Alike | None:
    """Return which codes of ``column`` may be merged; None where no zero tells any apart."""
    found = [zero for zero in domain.zeros if column in zero.columns]
    if not found:
        return None
    rows = np.stack([zero.classes(column, domain.sizes[column]) for zero in found])
    _, classes = np.unique(rows, axis=1, return_inverse=True)
    return Alike(classes=classes.reshape(-1), in_runs=any(zero.in_runs for zero in found))


def _whole_groups(codes: frozenset[int], groups: Iterable[int]) -> frozenset[int]:
    """Return the groups of which every member is among ``codes``."""
    owners = [int(group) for group in groups]
    partly = {group for code, group in enumerate(owners) if code not in codes}
    return frozenset(owners) - partly


def _joined(spans: tuple[Span, ...], groups: Iterable[int]) -> tuple[Span, ...]:
    """Return the span of every group; a group with the missing code in it has none."""
    owners = [int(group) for group in groups]
    members: list[list[Span]] = [[] for _ in range(max(owners) + 1)]
    for span, group in zip(spans, owners, strict=True):
        members[group].append(span)
    joined: list[Span] = []
    for each in members:
        known = [span for span in each if span is not None]
        whole = len(known) == len(each)
        joined.append((min(s[0] for s in known), max(s[1] for s in known)) if whole else None)
    return tuple(joined)
