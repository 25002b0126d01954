"""The transcript on a frozen path: what one fit asked, answered again many thousand times.

A fit costs milliseconds, a draw of noise nanoseconds. The questions, references and scales of one
real fit are kept, with its selections and its split of the budget; then the curator answers every
call for tables of counts again, and each mechanism its scores, for many runs in one array. The
noise is that of the code on trial. Choices and values of open columns are not drawn again.

Given the path, each answer keeps its own event; what is claimed for all is their composition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.game.score import both, both_scores, law_of, log_ratio
from attacks.stats.trade_off import gaussian_shift

if TYPE_CHECKING:
    from dpsynth.testing.listening import Heard
    from dpsynth.testing.notes import Asked

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NOISY = ("discrete_gaussian/v1", "discrete_laplace/v1")
_GAUSSIAN = _NOISY[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One noisy answer of a path, by the cells in which the two worlds differ.

    Attributes:
        asked: the question.
        event: whose noise was charged.
        out: shape ``(cells,)``, int64, exact without the person.
        held: shape ``(cells,)``, int64, exact with the person.
        counts: whether these are counts of rows, and not scores.
    """

    asked: "Asked"
    event: Mapping[str, str]
    out: Integers
    held: Integers
    counts: bool

    @property
    def reached(self) -> float:
        """How far the worlds are apart here, in the norm and the unit of the event's claim.

        Squared distance over variance for Gaussian noise, distance over scale for Laplace noise.
        """
        apart = np.abs(self.held - self.out).astype(np.float64)
        if self.event["kind"] == _GAUSSIAN:
            return float(apart @ apart) / float(Fraction(self.event["sigma_squared"]))
        return float(apart.sum()) / float(Fraction(self.event["scale"]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """All noisy answers of one fit.

    Attributes:
        calls: what was asked for at once, each call all of its answers.
    """

    calls: tuple[tuple[Part, ...], ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All answers, in order."""
        return tuple(part for call in self.calls for part in call)

    @property
    def events(self) -> tuple[Mapping[str, str], ...]:
        """What was charged for all answers."""
        return tuple(part.event for part in self.parts)

    @property
    def reach(self) -> float:
        """The part of the claimed distance between the worlds that these two tables have."""
        gaussian = [part for part in self.parts if part.event["kind"] == _GAUSSIAN]
        if gaussian:
            reached = sum(part.reached for part in gaussian) ** 0.5
            return float(min(1.0, reached / gaussian_shift(self.events)))
        claims = [
            Fraction(each["l1_sensitivity"]) / Fraction(each["scale"]) for each in self.events
        ]
        reached = sum(part.reached for part in self.parts)
        return float(min(1.0, reached / float(sum(claims)))) if claims else 0.0

    @property
    def cells(self) -> int:
        """Draws of noise that one run takes."""
        return sum(part.out.size for part in self.parts)

    def released(self, *, within: bool, runs: int, seed: int) -> list[NDArray[Any]]:
        """Return what so many fresh runs release in one of the worlds.

        Args:
            within: which world.
            runs: at least 1.
            seed: of the noise; the two worlds' streams differ.

        Returns:
            Of every part, shape ``(runs, cells)``.
        """
        from dpsynth.testing.neighbors import measured_again, scored_again

        words = np.random.SeedSequence((seed, int(within))).generate_state(
            len(self.calls) or 1, dtype=np.uint64
        )
        found: list[NDArray[Any]] = []
        for call, word in zip(self.calls, (words >> np.uint64(1)).tolist(), strict=False):
            exact = [np.tile(part.held if within else part.out, runs) for part in call]
            asked = call[0].asked
            if call[0].counts:
                answers = measured_again(asked, exact, seed=word)
            else:
                answers = [scored_again(asked, each, seed=word) for each in exact]
            found += [each.reshape(runs, -1) for each in answers]
        return found

    def ratios(self, released: Sequence[NDArray[Any]]) -> Floats:
        """Return the log-likelihood ratios of runs under the laws that were charged.

        Args:
            released: as ``released`` returns it.
        """
        total: Floats = np.zeros(len(released[0]) if released else 0)
        for part, found in zip(self.parts, released, strict=True):
            if part.out.size:
                total += log_ratio(found, part.out, part.held, part.event).sum(axis=1)
        return total


def path_of(heard: "Heard", *, within: bool) -> Path:
    """Return the noisy answers of one fit.

    Args:
        heard: of the fit, with the exact answers of both tables.
        within: whether it was of the table with the person.
    """
    calls: dict[int, list[Part]] = {}
    for each in heard.answered:
        if law_of(each).get("kind") in _NOISY and each.asked is not None:
            part = _part(each, *both(each, within=within), counts=True)
            calls.setdefault(id(each.asked.together), []).append(part)
    for scored in heard.scored:
        if scored.released is not None and law_of(scored).get("kind") in _NOISY:
            part = _part(scored, *both_scores(scored, within=within), counts=False)
            calls[id(scored)] = [part]
    return Path(calls=tuple(map(tuple, calls.values())))


def _part(noted: Any, out: Integers, held: Integers, *, counts: bool) -> Part:
    apart = out != held
    return Part(
        asked=noted.asked, event=law_of(noted), out=out[apart], held=held[apart], counts=counts
    )


def furthest(paths: Sequence[Path]) -> int:
    """Return which of several paths holds the worlds furthest apart."""
    return int(np.argmax([round(path.reach, 6) for path in paths]))
