"""A second round of bugs, written when the audits had been mended after the first: noise, choices.

None of the audits was changed with them in view before they were first run.
"""

from typing import Any
from zlib import crc32

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import (
    CURATOR,
    MECHANISMS,
    noise_changed,
    spread_of,
)
from attacks.mutants.planting import planted

_SELECT = f"{MECHANISMS}:ExponentialSelection.select"
_LEDGER = "dpsynth.privacy.ledger"
_WORDS = "dpsynth.privacy.randomness:PrivacyRandom.words"


def _last_two_share(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts, mechanism
    noise[-1:] = noise[-2:-1] if noise.size > 1 else noise[-1:]
    return noise


def _small_tables_quieter(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return noise // 2 if counts.size <= 2 else noise


def _wide_tables_quieter(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return np.rint(0.9 * noise) if counts.size >= 200 else noise


def _bounded_by_count(counts: Any, noise: Any, mechanism: Any) -> Any:
    most = np.abs(counts) + int(2 * spread_of(mechanism))
    return np.clip(noise, -most, most)


def _continuous(original: Any) -> Any:
    def discrete_gaussian(sigma_squared: Any, *, size: int, rng: Any) -> Any:
        generator = np.random.default_rng(rng.words(4))
        drawn = generator.normal(0, float(sigma_squared) ** 0.5, size)
        return np.trunc(drawn).astype(np.int64)

    del original
    return discrete_gaussian


def _repeats_cancel(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        answers = original(self, queries, mechanism, **options)
        source = self._Curator__source
        first: dict[Any, Any] = {}
        for answer in answers:
            if answer.clique in first:
                exact = source.count(answer.clique)
                answer.values[:] = 2 * exact - first.pop(answer.clique)
            else:
                first[answer.clique] = answer.values.copy()
        return answers

    return measure


def _seeded_by_question(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        from dpsynth.privacy.randomness import SeededRandom

        held = self._Curator__rng
        self._Curator__rng = SeededRandom(crc32(queries[0].label.encode()))
        try:
            return original(self, queries, mechanism, **options)
        finally:
            self._Curator__rng = held

    return measure


def _runner_up_left_out(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        if scores.size < 3:
            return int(original(self, scores, sensitivity=sensitivity, rng=rng))
        kept = np.delete(np.arange(scores.size), np.argsort(scores)[-2])
        return int(kept[original(self, scores[kept], sensitivity=sensitivity, rng=rng)])

    return select


def _best_ten(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        kept = np.sort(np.argsort(-scores, kind="stable")[:10])
        return int(kept[original(self, scores[kept], sensitivity=sensitivity, rng=rng)])

    return select


def _better_of_two(original: Any) -> Any:
    def select(self: Any, scores: Any, *, sensitivity: Any, rng: Any) -> int:
        one = original(self, scores, sensitivity=sensitivity, rng=rng)
        other = original(self, scores, sensitivity=sensitivity, rng=rng)
        return int(max(one, other, key=scores.__getitem__))

    return select


def _first_round_dearer(original: Any) -> Any:
    def select(self: Any, query: Any, mechanism: Any, *, rounds: int, label: str) -> Any:
        made = original(self, query, mechanism, rounds=rounds, label=label)
        sharper = type(mechanism)(epsilon=mechanism.epsilon * rounds)
        scores = self._Curator__scores if hasattr(self, "_Curator__scores") else None
        if scores is None:
            scores = type(self)._Curator__scores.__get__(self)
        held = scores(query)
        sensitivity, rng = query.sensitivity(self.unit), self._Curator__rng
        inner, first = made._Selection__pick, [True]

        def pick(allowed: Any) -> int:
            if first and first.pop():
                return int(allowed[sharper.select(held[allowed], sensitivity=sensitivity, rng=rng)])
            return int(inner(allowed))

        made._Selection__pick = pick
        return made

    return select


def _recycled(original: Any) -> Any:
    held: list[Any] = []
    place = [0]

    def words(self: Any, count: int) -> Any:
        if not held:
            held.append(original(self, 1 << 20))
        at = np.arange(place[0], place[0] + count) % held[0].size
        place[0] += count
        return held[0][at]

    return words


def _short_words(original: Any) -> Any:
    def words(self: Any, count: int) -> Any:
        found = original(self, count)
        return found >> np.uint64(8) << np.uint64(8) if count <= 8 else found

    return words


def _choices_half_price(original: Any) -> Any:
    def cost(self: Any, *events: Any) -> Any:
        return sum(
            (original(self, each) / (2 if hasattr(each, "epsilon") else 1) for each in events), 0
        )

    return cost


def _spent_rounded(original: Any) -> Any:
    def know(self: Any, fresh: Any) -> None:
        original(self, fresh)
        self._spent = type(self._spent)(int(self._spent * 1000), 1000)

    return know


def _seeded_free(original: Any) -> Any:
    def know(self: Any, fresh: Any) -> None:
        spent = self._spent
        original(self, fresh)
        if fresh and all(each.seeded for each in fresh):
            self._spent = spent

    return know


def _checked_at_opening_alone(original: Any) -> Any:
    def require(self: Any, cap: Any, what: str, **more: Any) -> None:
        if what == "this release":
            original(self, cap, what, **more)

    return require


def _old_entries_free(original: Any) -> Any:
    def know(self: Any, fresh: Any) -> None:
        spent = self._spent
        original(self, fresh)
        if fresh and all(each.date < "2026-01-01" for each in fresh):
            self._spent = spent

    return know


_MST = "mst"

HELD_OUT_MECHANISMS: tuple[Mutant, ...] = (
    planted(
        "last-two-cells-share-noise",
        "The last cell gets the noise of the one before.",
        "independence",
        "released",
        _MST,
        *noise_changed(_last_two_share),
    ),
    planted(
        "small-tables-quieter",
        "Tables of one or two cells get half of the noise.",
        "noise",
        "law",
        _MST,
        *noise_changed(_small_tables_quieter),
    ),
    planted(
        "wide-tables-quieter",
        "Tables of 200 cells and more get 10 % less noise.",
        "noise",
        "law",
        "direct",
        *noise_changed(_wide_tables_quieter),
    ),
    planted(
        "noise-bounded-by-count",
        "Noise stays within two deviations more than the count.",
        "noise",
        "law",
        _MST,
        *noise_changed(_bounded_by_count),
    ),
    planted(
        "normal-noise-truncated",
        "Noise is a normal float, cut to a whole number.",
        "noise",
        "law",
        _MST,
        (f"{MECHANISMS}:discrete_gaussian", _continuous),
    ),
    planted(
        "repeated-answers-cancel",
        "The second answer to a question has the first's noise, turned.",
        "independence",
        "released",
        "auto",
        (f"{CURATOR}.measure", _repeats_cancel),
    ),
    planted(
        "noise-seeded-by-the-question",
        "Noise follows from the label of the question.",
        "randomness",
        "randomness",
        _MST,
        (f"{CURATOR}.measure", _seeded_by_question),
    ),
    planted(
        "runner-up-never-chosen",
        "The second best candidate is never chosen.",
        "selection",
        "law",
        _MST,
        (_SELECT, _runner_up_left_out),
    ),
    planted(
        "choice-among-the-best-ten",
        "Only the ten best candidates are chosen from.",
        "selection",
        "law",
        "privbayes",
        (_SELECT, _best_ten),
    ),
    planted(
        "better-of-two-choices",
        "Of two draws the one of the better score is taken.",
        "selection",
        "law",
        _MST,
        (_SELECT, _better_of_two),
    ),
    planted(
        "first-round-dearer",
        "The first choice spends the epsilon of all rounds.",
        "selection",
        "released",
        _MST,
        (f"{CURATOR}.select", _first_round_dearer),
    ),
    planted(
        "words-recycled",
        "After a million words the source begins again.",
        "randomness",
        "randomness",
        _MST,
        (_WORDS, _recycled),
    ),
    planted(
        "few-words-lack-their-ends",
        "Where few words are read, their last eight bits are 0.",
        "randomness",
        "randomness",
        _MST,
        (_WORDS, _short_words),
    ),
    planted(
        "choices-at-half-price",
        "The cap counts half of what choices cost.",
        "ledger",
        "ledger",
        _MST,
        (f"{_LEDGER}:Cap.cost", _choices_half_price),
    ),
    planted(
        "spent-rounded-down",
        "What was spent is kept to three digits, rounded down.",
        "ledger",
        "ledger",
        _MST,
        (f"{_LEDGER}:Ledger._know", _spent_rounded),
    ),
    planted(
        "seeded-charges-are-free",
        "Charges with seeded noise do not count against the cap.",
        "ledger",
        "ledger",
        _MST,
        (f"{_LEDGER}:Ledger._know", _seeded_free),
    ),
    planted(
        "cap-checked-at-opening-alone",
        "The cap is looked at when a release is opened, and not when it is charged.",
        "ledger",
        "ledger",
        _MST,
        (f"{_LEDGER}:Ledger._require", _checked_at_opening_alone),
    ),
    planted(
        "old-charges-are-free",
        "Charges of years before count no longer.",
        "ledger",
        "ledger",
        _MST,
        (f"{_LEDGER}:Ledger._know", _old_entries_free),
    ),
)
