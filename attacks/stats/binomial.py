"""Rates with exact intervals."""

from scipy import special

from dpsynth import _validate


def rate(*, hits: int, trials: int) -> float | None:
    """Return ``hits / trials``, or None where nothing was tried."""
    check_counts(hits=hits, trials=trials)
    return hits / trials if trials else None


def interval(*, hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return an exact interval for a rate.

    Args:
        hits: successes, of ``trials``.
        trials: independent trials; 0 gives the whole of [0, 1].
        confidence: chance that the interval holds, at least, whatever the rate; in (0, 1).

    Source:
        Clopper and Pearson (1934); each side at half the error.
    """
    check_counts(hits=hits, trials=trials)
    _validate.in_open_unit(confidence=confidence)
    half = (1 - confidence) / 2
    misses = trials - hits
    low = float(special.betaincinv(hits, misses + 1, half)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, misses, 1 - half)) if misses else 1.0
    return low, high


def check_counts(*, hits: int, trials: int) -> None:
    """Raise ValueError unless ``hits`` successes can come from ``trials`` trials."""
    if not 0 <= hits <= trials:
        raise ValueError("hits must lie between 0 and the number of trials")
