"""The randomness of a release: does it ever repeat, in a process, between two, between releases?

As a program it prints words of its own process, for another to compare with.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from attacks.conformance import tails
from attacks.conformance.checks import TEST, Check, witness
from attacks.conformance.follows import ruled
from attacks.conformance.trial import Fits, Trial

Words = dict[str, tuple[int, ...]]
RANDOMNESS = "randomness"
SHOWN, WORDS = 4, 1 << 14
_LEAST_BITS = 80.0  # of chance against two noise vectors being equal; fewer prove nothing
_PLACES = 2 * 64 * 64 + 64  # pairs of places in a word and in two, and shares of ones
_FEW = 4  # words that are read at once
_LEVEL, _LEVEL_OF_ALL = 3e-12, 4e-14  # chances that a fair source leaves 7 or 9 deviations
_SECONDS = 120


def audit(trial: Trial) -> list[Check]:
    """Return what repeats, or who could know it."""
    from dpsynth.testing import noise

    first, second = noise.fresh_words(WORDS), noise.fresh_words(WORDS)
    with ThreadPoolExecutor() as pool:
        others = list(pool.map(_words_of, [trial.child] * 2))
    words = [tuple(int(word) for word in each[:SHOWN]) for each in (first, second)]
    own = [{"words": held, **noise.fresh_noise()} for held in words]
    ones = float(np.unpackbits(first.view(np.uint8)).mean())
    spread = 0.5 / (64 * WORDS) ** 0.5
    marks = [mark for held in trial.fresh.seeded for mark in held]
    again = [name for name, held in own[0].items() if own[1][name] == held and name != "words"]
    elsewhere = sorted(
        name
        for name in others[0]
        if name in own[0] and _twice(name, [*own, *others]) and name not in again
    )
    copied = [each for each in others if _twice_in(each, ("words", "forked", "after"))]
    # A sentence of what is wrong, whether it is, and how many were looked at.
    faults = {
        "two reads of the source of randomness gave the same words": (words[0] == words[1], 2),
        "words repeat within one read": (np.unique(first).size < first.size, WORDS),
        _told("a mechanism drew the same twice", again): (len(again), len(own[0])),
        _told("another process drew the same", elsewhere): (len(elsewhere), len(own[0])),
        "a copy of a process drew the same words": (len(copied), len(others)),
        "two releases of one table hold the same noise": (
            _same_noise(trial.fresh),
            len(trial.fresh.heard),
        ),
        "a release with the operating system's noise says that its noise came from a seed": (
            sum(marks),
            len(marks),
        ),
        "noise of different seeds is the same": (
            _same_noise(trial.fitted),
            len(trial.fitted.heard),
        ),
    }
    return [
        *(
            witness(
                f"randomness/{name}",
                RANDOMNESS,
                f"looked for: {name}",
                violations=bool(wrong),
                trials=looked,
            )
            for name, (wrong, looked) in faults.items()
        ),
        ruled(
            Check(
                name="randomness/ones and zeros",
                status="",
                component=RANDOMNESS,
                kind=TEST,
                statistic=(ones - 0.5) / spread,
                level=_LEVEL,
                given={"rule": tails.NORMAL},
                trials=64 * WORDS,
                detail="share of ones among the bits, in standard deviations from one half",
            )
        ),
        _alike_bits(np.concatenate([noise.fresh_words(_FEW) for _ in range(WORDS // _FEW)])),
        _alike_bits(first, "one read"),
    ]


def _alike_bits(words: NDArray[np.uint64], read: str = "reads of few words") -> Check:
    """Hold each bit of a word against all others, and against those of the word before."""
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).astype(np.float64) * 2 - 1
    within = bits.T @ bits / len(bits) - np.eye(64)
    before = bits[1:].T @ bits[:-1] / (len(bits) - 1)
    worst = max(float(np.abs(each).max()) for each in (within, before, bits.mean(axis=0)))
    return ruled(
        Check(
            name=f"randomness/bits of words, {read}",
            status="",
            component=RANDOMNESS,
            kind=TEST,
            statistic=worst * len(bits) ** 0.5,
            level=_LEVEL_OF_ALL,
            given={"rule": tails.HOEFFDING, "tests": _PLACES},
            trials=words.size,
            detail="largest agreement of two places in a word or two words, and largest share of "
            "ones in a place, in standard deviations",
        )
    )


def _same_noise(fits: Fits) -> bool:
    """Whether two fits hold one noise vector, so long that chance would not do it."""
    seen: set[bytes] = set()
    for heard in fits.heard:
        noise = np.concatenate(
            [np.zeros(0), *(each.released - each.exact for each in heard.answered)]
        )
        bits = sum(
            each.exact.size * np.log2(2 * spread)
            for each in heard.answered
            if (spread := _spread(each.charged)) > 1
        )
        if bits < _LEAST_BITS:
            continue
        if noise.tobytes() in seen:
            return True
        seen.add(noise.tobytes())
    return False


def _spread(charged: Mapping[str, str] | None) -> float:
    event = charged or {}
    if "sigma_squared" in event:
        return sqrt(Fraction(event["sigma_squared"]))
    return float(Fraction(event.get("scale", 0)))


def _told(sentence: str, names: list[str]) -> str:
    return f"{sentence} ({', '.join(names)})" if names else sentence


def _twice(name: str, held: list[Words]) -> bool:
    return len({each[name] for each in held}) < len(held)


def _twice_in(held: Words, names: tuple[str, ...]) -> bool:
    known = [held[name] for name in names if name in held]
    return len(set(known)) < len(known)


def _words_of(command: Iterable[str]) -> Words:
    done = subprocess.run(  # noqa: S603  # this very program, or the mutant on trial
        list(command), capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    found: dict[str, list[int]] = json.loads(done.stdout)
    return {name: tuple(each) for name, each in found.items()}


def words() -> str:
    """Return words and noise of this process and words of a copy of it, for another to read."""
    from dpsynth.testing import noise

    held: Words = {
        "words": tuple(noise.fresh_words(SHOWN).tolist()),
        **noise.fresh_noise(),
    }
    forked = noise.forked_words(SHOWN)
    if forked is not None:
        held |= {"after": forked[0], "forked": forked[1]}
    return json.dumps(held)


if __name__ == "__main__":
    sys.stdout.write(words() + "\n")
