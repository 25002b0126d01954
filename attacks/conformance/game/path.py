"""The transcript on a frozen path: what one fit asked, answered again many thousand times.

A fit costs milliseconds, a draw of noise nanoseconds. The questions, references and scales of one
real fit are kept, with its selections and its split of the budget; then the curator answers each
table of counts again, and each mechanism its scores, for many runs in one array. The noise is that
of the code on trial. Choices and values of open columns are not drawn again.

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
    from dpsynth.testing.listening import Asked, Heard

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NOISY = ("discrete_gaussian/v1", "discrete_laplace/v1")
_GAUSSIAN = _NOISY[0]
_CHUNK = 1 << 17  # runs at a time: arrays stay small


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

    def scores(self, *, within: bool, runs: int, seed: int) -> Floats:
        """Return the log-likelihood ratios of so many fresh answers in one of the worlds."""
        from dpsynth.testing.neighbors import measured_again, scored_again

        exact = self.held if within else self.out
        again = measured_again if self.counts else scored_again
        released = again(self.asked, np.tile(exact, runs), seed=seed).reshape(runs, exact.size)
        return np.asarray(log_ratio(released, self.out, self.held, self.event).sum(axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """All noisy answers of one fit.

    Attributes:
        parts: those in which the worlds differ.
        events: of all of them, as charged.
    """

    parts: tuple[Part, ...]
    events: tuple[Mapping[str, str], ...]

    @property
    def reach(self) -> float:
        """The part of the claimed distance between the worlds that these two tables have."""
        gaussian = [part for part in self.parts if part.event["kind"] == _GAUSSIAN]
        if any(event["kind"] == _GAUSSIAN for event in self.events):
            claimed = gaussian_shift(self.events)
            return float(min(1.0, sum(part.reached for part in gaussian) ** 0.5 / claimed))
        pure = [
            Fraction(event["l1_sensitivity"]) / Fraction(event["scale"]) for event in self.events
        ]
        reached = sum(part.reached for part in self.parts)
        return float(min(1.0, reached / float(sum(pure)))) if pure else 0.0

    @property
    def cells(self) -> int:
        """Draws of noise that one run takes."""
        return sum(part.out.size for part in self.parts)

    def scores(self, *, within: bool, runs: int, seed: int) -> Floats:
        """Return the log-likelihood ratios of so many fresh runs in one of the worlds.

        Args:
            within: which world.
            runs: at least 1.
            seed: of the noise; both worlds' streams differ.
        """
        seeds = np.random.SeedSequence((seed, int(within))).spawn(1 + runs // _CHUNK)
        total = []
        for start, chunk in zip(range(0, runs, _CHUNK), seeds, strict=False):
            words = chunk.generate_state(max(len(self.parts), 1), dtype=np.uint64) >> np.uint64(1)
            size = min(_CHUNK, runs - start)
            found: Floats = np.zeros(size)
            for part, word in zip(self.parts, words.tolist(), strict=False):
                found += part.scores(within=within, runs=size, seed=word)
            total.append(found)
        return np.concatenate(total)


def path_of(heard: "Heard", *, within: bool) -> Path:
    """Return the noisy answers of one fit.

    Args:
        heard: of the fit, with the exact answers of both tables.
        within: whether it was of the table with the person.
    """
    found: list[tuple[Any, Integers, Integers, bool]] = [
        (each, *both(each, within=within), True) for each in heard.answered
    ]
    found += [
        (each, *both_scores(each, within=within), False)
        for each in heard.scored
        if each.released is not None
    ]
    noisy = [one for one in found if law_of(one[0]).get("kind") in _NOISY]
    parts = [_part(each, out, held, counts=counts) for each, out, held, counts in noisy]
    return Path(
        parts=tuple(part for part in parts if part.out.size),
        events=tuple(law_of(each) for each, *_ in noisy),
    )


def _part(noted: Any, out: Integers, held: Integers, *, counts: bool) -> Part:
    apart = out != held
    return Part(
        asked=noted.asked, event=law_of(noted), out=out[apart], held=held[apart], counts=counts
    )


def furthest(paths: Sequence[Path]) -> int:
    """Return which of several paths holds the worlds furthest apart."""
    return int(np.argmax([path.reach for path in paths]))
