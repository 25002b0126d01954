"""What was asked of the rows: sources that note every count, and that answer with what was noted.

They stand where the rows stand, behind the curator, so that all of the curator, the ledger, the
mechanisms and the synthesizer run as in a release.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.privacy.source import TableSource, UnitRows


class DivergedError(Exception):
    """The replay asked something else than the recording, though it was told the same."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One count of the rows.

    Attributes:
        clique: the columns that were counted.
        shape: their numbers of codes at that time.
        counts: the exact answer.
        paid: ledger entries that were on record when the rows were read.
        texts: the values that were counted, where an open column was asked for its values; then
            ``counts`` has one number each.
        sums: of a training step, the clipped sums of all parameters in a row, in units of the
            clip, float64; then ``counts`` is empty and ``clique`` names all columns.
    """

    clique: tuple[str, ...]
    shape: tuple[int, ...]
    counts: NDArray[np.int64]
    paid: int
    texts: tuple[str, ...] | None = None
    sums: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Watched(UnitRows):
    """Rows whose clipped sums are shown to a recorder, which says what to answer."""

    answer: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def exact(self, sums: dict[str, Any], *, clip: float) -> dict[str, Any]:
        """Return what the recorder answers to the sums, in their shapes."""
        flat = np.concatenate([each.double().flatten().numpy() for each in sums.values()])
        answered = iter(np.split(self.answer(flat / clip) * clip, _ends(sums)))
        return {
            name: each.new_tensor(next(answered)).reshape(each.shape) for name, each in sums.items()
        }


def _ends(sums: Mapping[str, Any]) -> NDArray[np.int64]:
    return np.cumsum([each.numel() for each in sums.values()])[:-1]


class RecordingSource:
    """Notes every count of the source that it stands for, and answers with it."""

    def __init__(
        self, source: TableSource, *, paid: Callable[[], int], tape: list[Reading]
    ) -> None:
        self._source = source
        self._paid = paid
        self.tape = tape

    @property
    def domain(self) -> Domain:
        """The columns and their numbers of codes."""
        return self._source.domain

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return exact rows per cell, and note them."""
        return self._note(clique).counts

    def count_many(self, cliques: Sequence[tuple[str, ...]]) -> Iterator[NDArray[np.int64]]:
        """Count one after the other, and note each."""
        return map(self.count, cliques)

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the values of an open column and their units, and note them."""
        reading = self._note((column,), values=True)
        return reading.texts or (), reading.counts

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "RecordingSource":
        """Return the same rows with codes for released values, on the same tape."""
        return RecordingSource(self._source.closed(values, domain), paid=self._paid, tape=self.tape)

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "RecordingSource":
        """Return the same rows with codes regrouped, on the same tape."""
        return RecordingSource(self._source.coarsened(groups), paid=self._paid, tape=self.tape)

    def unit_rows(self) -> UnitRows:
        """Return the rows, and note the clipped sums of every training step."""
        rows = self._source.unit_rows()
        return _Watched(codes=rows.codes, units=rows.units, answer=self._answered)

    def _answered(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        self.tape.append(self._step(sums))
        return sums

    def _step(self, sums: NDArray[np.float64]) -> Reading:
        return Reading(
            clique=self.domain.columns,
            shape=(sums.size,),
            counts=np.zeros(0, dtype=np.int64),
            paid=self._paid(),
            sums=sums,
        )

    def _note(self, clique: tuple[str, ...], *, values: bool = False) -> Reading:
        texts: tuple[str, ...] | None = None
        if values:
            held, counts = self._source.values(*clique)
            texts = tuple(held)
        else:
            counts = self._source.count(clique)
        reading = Reading(
            clique=clique,
            shape=self.domain.shape(clique),
            counts=counts,
            paid=self._paid(),
            texts=texts,
        )
        self.tape.append(reading)
        return reading


class ReplayingSource(RecordingSource):
    """Notes every count of its own rows, and answers with what was recorded on others."""

    def __init__(
        self,
        source: TableSource,
        *,
        paid: Callable[[], int],
        tape: list[Reading],
        recorded: Sequence[Reading],
    ) -> None:
        super().__init__(source, paid=paid, tape=tape)
        self._recorded = recorded

    def count(self, clique: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the recorded count of the same place in the sequence.

        Raises:
            DivergedError: the recording asked something else here, or nothing.
        """
        return self._recalled(clique).counts

    def values(self, column: str) -> tuple[Sequence[str], NDArray[np.int64]]:
        """Return the recorded values of the same place in the sequence, as ``count`` does."""
        then = self._recalled((column,), values=True)
        return then.texts or (), then.counts

    def _recalled(self, clique: tuple[str, ...], *, values: bool = False) -> Reading:
        return self._matched(self._note(clique, values=values))

    def _answered(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the recorded sums of the same place in the sequence, as ``count`` does."""
        mine = self._step(sums)
        self.tape.append(mine)
        then = self._matched(mine).sums
        assert then is not None, "a step is only matched with a step"
        return then

    def _matched(self, mine: Reading) -> Reading:
        place = len(self.tape) - 1
        if place >= len(self._recorded):
            raise DivergedError("the neighbor's rows were read more often")
        then = self._recorded[place]
        if _asked(then) != _asked(mine):
            raise DivergedError(f"another question was asked of the neighbor's rows: {mine.clique}")
        return then

    def closed(self, values: Mapping[str, Sequence[str]], domain: Domain) -> "ReplayingSource":
        """Return the same rows with codes for released values, in the same replay."""
        return ReplayingSource(
            self._source.closed(values, domain),
            paid=self._paid,
            tape=self.tape,
            recorded=self._recorded,
        )

    def coarsened(self, groups: Mapping[str, NDArray[np.int64]]) -> "ReplayingSource":
        """Return the same rows with codes regrouped, in the same replay."""
        return ReplayingSource(
            self._source.coarsened(groups),
            paid=self._paid,
            tape=self.tape,
            recorded=self._recorded,
        )


def _asked(reading: Reading) -> tuple[object, ...]:
    kind = (reading.texts is None, reading.sums is None)
    return reading.clique, reading.shape, reading.paid, kind
