"""Does the noise follow its law, at the very scales of the plan?"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from attacks.conformance import training
from attacks.conformance.checks import CONFIDENCE, FALSE_ALARM, Check, events
from attacks.stats.laws import (
    GaussianLaw,
    LaplaceLaw,
    Law,
    detectable_scale,
    energy_limits,
    gap_limit,
    largest_gap,
)

L = TypeVar("L", GaussianLaw, LaplaceLaw)
DRAWS = 50_000
_SCALES = 40  # different scales tested; more are thinned out evenly, and that is said
_NO_NOISE = 1e-12
_SHARE = FALSE_ALARM / 4  # a quarter each: Gaussian noise, and the selection below it
_LAPLACE_SHARE = FALSE_ALARM / 8  # what is left of another quarter goes to training
_VALUES_SHARE = FALSE_ALARM / 8  # an eighth each: noise and threshold of selections of values


def check(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Return two checks a scale: of the scale by the mean energy, of the shape by the whole law."""
    from dpsynth.testing import noise

    gaussian = sorted({Fraction(e["sigma_squared"]) for e in events(plan, "discrete_gaussian/v1")})
    laplace = sorted({Fraction(e["scale"]) for e in events(plan, "discrete_laplace/v1")})
    checks = [
        *_family(
            "discrete_gaussian",
            [GaussianLaw(sigma_squared=value) for value in gaussian],
            lambda law, size, number: noise.gaussian(
                law.sigma_squared, size=size, seed=seed + number
            ),
        ),
        *_family(
            "discrete_laplace",
            [LaplaceLaw(scale=value) for value in laplace],
            lambda law, size, number: noise.laplace(law.scale, size=size, seed=seed + number),
            share=_LAPLACE_SHARE,
        ),
        *_of_values(plan, seed=seed),
        *_of_training(plan, seed=seed),
    ]
    return checks or [
        Check(name="noise", status="not applicable", detail="the plan adds no noise to counts")
    ]


def _of_training(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Test noise and batches of trainings; skipped where torch is missing."""
    planned = training.laws(plan)
    if not planned:
        return []
    if find_spec("torch") is None:
        return [
            Check(
                name="noise/training",
                status="skipped",
                detail="torch is not installed, so the noise of the training was not tested",
            )
        ]
    noisy = _family(
        "sampled_gaussian in 1/1024 clip norms",
        list(planned),
        lambda law, size, number: training.draws(planned[law], size=size, seed=seed + number),
        share=training.SHARE,
    )
    return [*noisy, *training.batches(plan, seed=seed)]


def _of_values(plan: Mapping[str, Any], *, seed: int) -> list[Check]:
    """Test the noise of partition selections, on counts so far above that all are released."""
    from dpsynth.testing import noise

    planned = {
        Fraction(event["sigma_squared"]): event for event in events(plan, "partition_selection/v1")
    }

    def draw(law: GaussianLaw, size: int, number: int) -> NDArray[np.int64]:
        event = planned[law.sigma_squared]
        high = int(event["threshold"]) + 64 * (1 + int(float(law.sigma_squared) ** 0.5))
        return noise.released_values(event, units=high, size=size, seed=seed + number) - high

    laws = [GaussianLaw(sigma_squared=value) for value in sorted(planned)]
    return _family("partition_selection", laws, draw, share=_VALUES_SHARE)


def _family(
    kind: str,
    laws: list[L],
    draw: Callable[[L, int, int], NDArray[np.int64]],
    *,
    share: float = _SHARE,
) -> list[Check]:
    chosen = _thinned(laws)
    return [
        check
        for number, law in enumerate(chosen)
        for check in _one(
            kind,
            law,
            draw(law, DRAWS, number),
            false_alarm=share / (2 * len(chosen)),
            untested=len(laws) - len(chosen),
        )
    ]


def _one(
    kind: str, law: Law, draws: NDArray[np.int64], *, false_alarm: float, untested: int
) -> list[Check]:
    name = f"{kind}({_parameter(law)})"
    low, high = energy_limits(law, draws=draws.size, false_alarm=false_alarm)
    mean = float(law.energy(draws).mean())
    gap, limit = largest_gap(law, draws), gap_limit(draws=draws.size, false_alarm=false_alarm)
    more = f"; {untested} scales between the tested ones were left out" if untested else ""
    # In units of what is expected, or as it is where next to no noise is expected.
    expected = max(law.moments()[0], _NO_NOISE) if low > 0 else 1.0
    narrowest = None
    seen = "so little noise is planned that a narrower one would not have been seen"
    if low > 0:
        narrowest = detectable_scale(law, draws=draws.size, false_alarm=false_alarm)
        seen = f"a scale below {narrowest:.3f} of the planned one would have been seen"
    return [
        Check(
            name=f"noise/scale of {name}",
            status="passed" if low <= mean <= high else "failed",
            statistic=mean / expected,
            bound=high / expected,
            lower_bound=low / expected,
            trials=int(draws.size),
            detectable=narrowest,
            confidence=CONFIDENCE,
            detail=(
                f"mean energy of the draws over its expectation must lie between "
                f"{low / expected:.4f} and {high / expected:.4f}; {seen}{more}"
            ),
        ),
        Check(
            name=f"noise/shape of {name}",
            status="passed" if gap <= limit else "failed",
            statistic=gap,
            bound=limit,
            trials=int(draws.size),
            confidence=CONFIDENCE,
            detail="largest gap between the drawn and the claimed distribution function",
        ),
    ]


def _parameter(law: Law) -> str:
    if isinstance(law, GaussianLaw):
        return f"stddev {float(law.sigma_squared) ** 0.5:.6g}"
    return f"scale {float(law.scale):.6g}"


def _thinned(laws: list[L]) -> list[L]:
    if len(laws) <= _SCALES:
        return laws
    places = np.unique(np.linspace(0, len(laws) - 1, _SCALES).round().astype(int))
    return [laws[place] for place in places]
