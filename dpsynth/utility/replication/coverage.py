"""How often intervals held the truth over many worlds, and how often no effect was called one."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

LEAST_COVERAGE = 0.90  # of nominal 95 %: below, a report warns
MOST_TYPE_ONE = 0.10  # of nominal 5 %: above, it warns as well
Z = 1.959963984540054  # of the normal distribution, two-sided 95 %


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What became of one coefficient's intervals over all worlds.

    Attributes:
        analysis: its name.
        coefficient: its name.
        truth: the coefficient in the model that the worlds are drawn from.
        worlds: how many gave an interval.
        held: in how many the combined interval held the truth.
        held_alone: the same of the interval of a single sample, taken for real persons.
        nulls: how many null worlds gave an interval.
        alarms: in how many of those the combined interval left 0 out.
        alarms_alone: the same of a single sample.
        width: mean width of the combined interval.
    """

    analysis: str
    coefficient: str
    truth: float
    worlds: int
    held: int
    held_alone: int
    nulls: int
    alarms: int
    alarms_alone: int
    width: float

    @property
    def share(self) -> float:
        """Share of worlds whose combined interval held the truth; NaN where there is none."""
        return self.held / self.worlds if self.worlds else float("nan")

    @property
    def type_one(self) -> float:
        """Share of null worlds that called the coefficient significant."""
        return self.alarms / self.nulls if self.nulls else float("nan")

    @property
    def too_narrow(self) -> bool:
        """Whether coverage is below ``LEAST_COVERAGE`` beyond what the number of worlds leaves."""
        return bool(self.worlds) and binomial_interval(self.held, self.worlds)[1] < LEAST_COVERAGE

    @property
    def false_alarms(self) -> bool:
        """Whether there are more than ``MOST_TYPE_ONE``, beyond what the worlds leave open."""
        return bool(self.nulls) and binomial_interval(self.alarms, self.nulls)[0] > MOST_TYPE_ONE

    def to_dict(self) -> dict[str, Any]:
        """Return the counts with their 95 % intervals, JSON-able."""
        low, high = binomial_interval(self.held, self.worlds)
        return {
            "analysis": self.analysis,
            "coefficient": self.coefficient,
            "truth": self.truth,
            "worlds": self.worlds,
            "coverage": self.share,
            "coverage_low": low,
            "coverage_high": high,
            "coverage_of_one_sample": self.held_alone / self.worlds if self.worlds else None,
            "null_worlds": self.nulls,
            "type_one_error": self.type_one,
            "type_one_error_of_one_sample": self.alarms_alone / self.nulls if self.nulls else None,
            "mean_width": self.width,
        }


def binomial_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of Wilson (1927) for a share of ``hits`` in ``trials``."""
    if not trials:
        return 0.0, 1.0
    share, z = hits / trials, Z**2 / trials
    half = Z * sqrt(share * (1 - share) / trials + z / (4 * trials))
    center = share + z / 2
    return max((center - half) / (1 + z), 0.0), min((center + half) / (1 + z), 1.0)


def in_words(found: Coverage) -> tuple[str, ...]:
    """Return what whoever uses the release must know of a coefficient, if anything."""
    said = []
    where = f"{found.analysis}, {found.coefficient}"
    if found.too_narrow:
        said.append(
            f"{where}: do not trust the 95 % interval. In {found.worlds} simulated releases it "
            f"held the truth {found.share:.0%} of the time."
        )
    if found.false_alarms:
        said.append(
            f"{where}: do not trust its significance. In {found.nulls} simulated releases without "
            f"any effect it was called significant {found.type_one:.0%} of the time."
        )
    return tuple(said)
