"""What (epsilon, delta) means for an attacker who must decide whether one person is in.

Both bounds follow from the definition alone, applied to "said in" and to "said out", so they hold
for any mechanism and any background knowledge (Wasserman and Zhou, 2010; Kairouz, Oh and
Viswanath, 2015). Nothing here assumes that the mechanism is Gaussian.
"""

from math import exp


def even_odds_success(*, epsilon: float, delta: float) -> float:
    """Return the highest chance of being right about one person, starting at even odds."""
    if epsilon > 700:
        return 1.0
    return min(1.0, (exp(epsilon) + delta) / (1 + exp(epsilon)))


def true_positive_rate(*, epsilon: float, delta: float, false_alarms: float) -> float:
    """Return the highest share of members found at a given rate of false alarms."""
    if epsilon > 700:
        return 1.0
    low = exp(epsilon) * false_alarms + delta
    high = 1 - exp(-epsilon) * (1 - false_alarms - delta)
    return max(false_alarms, min(1.0, low, high))


def corner(*, epsilon: float, delta: float) -> float:
    """Return the rate of false alarms where the two bounds of the curve meet."""
    return max(0.0, (1 - delta) / (1 + exp(min(epsilon, 700))))
