"""The randomness of a release: does it ever repeat, in a process, between two, between releases?

As a program it prints words of its own process, for another to compare with.
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.trial import Alarm, Fits, Trial

RANDOMNESS = "randomness"
SHOWN, WORDS = 4, 1 << 14
_LEAST_BITS = 80.0  # of chance against two noise vectors being equal; fewer prove nothing
_LIMIT = 7.0  # standard deviations of the share of ones; a fair source passes but once in 10**11
_SECONDS = 120


def audit(trial: Trial) -> list[Alarm]:
    """Return what repeats, or who could know it."""
    from dpsynth.testing import noise

    first, second = noise.fresh_words(WORDS), noise.fresh_words(WORDS)
    children = [_words_of(trial.child) for _ in range(2)]
    shown = [tuple(int(word) for word in each[:SHOWN]) for each in (first, second)]
    ones = float(np.unpackbits(first.view(np.uint8)).mean())
    faults = {
        "two reads of the source of randomness gave the same words": shown[0] == shown[1],
        "words repeat within one read": np.unique(first).size < first.size,
        "ones and zeros are not alike often": abs(ones - 0.5) > _LIMIT * 0.5 / (64 * WORDS) ** 0.5,
        "another process drew the same words": len({*shown, *children}) < len(shown) + 2,
        "two releases of one table hold the same noise": _same_noise(trial.fresh),
        "a release with the operating system's noise says that its noise came from a seed": any(
            True in marks for marks in trial.fresh.seeded
        ),
        "noise of different seeds is the same": _same_noise(trial.fitted),
    }
    return [Alarm(component=RANDOMNESS, sentence=each) for each, found in faults.items() if found]


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


def _words_of(command: Iterable[str]) -> tuple[int, ...]:
    done = subprocess.run(  # noqa: S603  # this very program, or the mutant on trial
        list(command), capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    return tuple(int(word) for word in done.stdout.split())


def words() -> NDArray[np.uint64]:
    """Return a few words of this process."""
    from dpsynth.testing import noise

    return noise.fresh_words(WORDS)[:SHOWN]


if __name__ == "__main__":
    sys.stdout.write(" ".join(str(int(word)) for word in words()) + "\n")
