"""What events cost: zCDP rho and pure epsilon in exact fractions, and all of them as a claim.

A claim with a delta above 0 is stated from rho. The conversion holds for every order alpha > 1, so
floats may choose the order; the bound itself is then evaluated with 60 decimal digits and rounded
upward. A claim with delta 0 is the exact sum of pure epsilons, and needs one of every event.
Sampled training has no rho: a release that trains is claimed by its privacy losses, and a ledger
counts it at one Renyi order. See docs/proofs/accounting.md.
"""

from collections.abc import Iterable
from contextlib import suppress
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache, singledispatch
from itertools import groupby
from math import ceil, exp, floor, frexp, log, log1p

from dpsynth import _validate
from dpsynth.errors import UnsupportedEventError
from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    DiscreteLaplaceEvent,
    Event,
    ExponentialSelectionEvent,
    PartitionSelectionEvent,
    SampledGaussianEvent,
)
from dpsynth.privacy.renyi import epsilon_of, sampled_gaussian

_DIGITS = 60
_SLACK = Decimal(10) ** -40  # far above the error of a dozen operations at 60 digits
_GRID = Decimal(10) ** -12  # a claim is rounded up to this many places
MOST_EPSILON = 10**9  # far above anything that promises anything
_PI = Decimal("3.14159265358979323846264338327950288419716939937510")  # a little too small
_LEAST_TAIL = Decimal(10) ** -100  # no tail is stated below this
RESERVED_SHARE = Fraction(1, 2)  # of a delta, for partition selections, where there are any
_SIGNIFICANT_BITS = 48  # of a rho that comes from (epsilon, delta)
_COST_GRID = 10**18  # a cost at an order is rounded up to one part in so many
MOST_ORDER = 4096  # at which the cost of training is computed: the cap of a tiny epsilon has more
MULTIPLIER_GRID = 1024  # noise multipliers are stated in so many parts of one
MOST_MULTIPLIER = 2**20
_MARGIN = Fraction(1, 10**8)  # machines round differently: a plan keeps so far from its claim


@singledispatch
def zcdp_rho(event: object) -> Fraction:
    """Return the zCDP cost of ``event``, exact. Fails closed on an event it does not know."""
    raise UnsupportedEventError(f"no zCDP analysis for {type(event).__name__}")


@zcdp_rho.register
def _(event: DiscreteGaussianEvent) -> Fraction:
    """Canonne, Kamath and Steinke (2020), arXiv:2004.00010, Theorem 14 and its corollary."""
    return Fraction(event.l2_sensitivity_squared) / (2 * Fraction(event.sigma_squared))


@zcdp_rho.register
def _(event: DiscreteLaplaceEvent) -> Fraction:
    """Pure DP with epsilon = sensitivity / scale; Bun and Steinke (2016), Proposition 1.4."""
    return (Fraction(event.l1_sensitivity) / event.scale) ** 2 / 2


@zcdp_rho.register
def _(event: ExponentialSelectionEvent) -> Fraction:
    """Bounded range; Cesar and Rogers (2021), arXiv:2004.07223, Lemma 3.4."""
    return Fraction(event.epsilon) ** 2 / 8


@zcdp_rho.register
def _(event: PartitionSelectionEvent) -> Fraction:
    """What holds beside ``reserved_delta``; docs/proofs/partition-selection.md."""
    _check_reserve(event)
    return Fraction(event.l2_sensitivity_squared) / (2 * Fraction(event.sigma_squared))


def reserved_delta(event: object) -> Fraction:
    """Return the delta that ``event`` spends beside its rho, exact; 0 for most.

    An event is then delta-approximate rho-zCDP; both parts add up under adaptive composition.

    Raises:
        UnsupportedEventError: the event is unknown, or sets less aside than it needs.
    """
    if isinstance(event, PartitionSelectionEvent):
        _check_reserve(event)
        return Fraction(event.delta)
    if not isinstance(event, SampledGaussianEvent):
        zcdp_rho(event)  # refuses what it does not know
    return Fraction(0)


def total_reserved_delta(events: Iterable[object]) -> Fraction:
    """Sum what ``events`` spend of delta beside their rho."""
    return sum((reserved_delta(event) * times for event, times in _counted(events)), Fraction(0))


def _check_reserve(event: PartitionSelectionEvent) -> None:
    tail = gaussian_tail(int(event.threshold) - 1, Fraction(event.sigma_squared))
    if event.max_new * tail > event.delta:
        raise UnsupportedEventError(
            "a partition selection sets less delta aside than its threshold needs"
        )


@lru_cache(maxsize=1024)
def gaussian_tail(start: int, sigma_squared: Fraction) -> Fraction:
    """Return an upper bound on the chance that discrete Gaussian noise is ``start`` or more.

    Args:
        start: at least 1.
        sigma_squared: above 0, exact.

    Returns:
        In (0, 1], within a few percent of the chance wherever that is below a thousandth.

    Source:
        The weights fall at least geometrically, and their sum is bounded from below by Poisson's
        formula and by its three middle terms; docs/proofs/partition-selection.md.
    """
    with localcontext(Context(prec=_DIGITS, Emin=-999999, Emax=999999)):
        doubled = 2 * Decimal(sigma_squared.numerator) / Decimal(sigma_squared.denominator)
        first = (-(Decimal(start) ** 2) / doubled).exp()
        ratio = (-Decimal(2 * start + 1) / doubled).exp()
        if ratio == 1:  # noise so wide that 60 digits cannot tell: no release has any such
            return Fraction(1)
        total = max((_PI * doubled).sqrt(), 1 + 2 * (-1 / doubled).exp())
        bound = first / ((1 - ratio) * total) * (1 + _SLACK)
        return Fraction(min(max(bound, _LEAST_TAIL), Decimal(1)))


@lru_cache(maxsize=1024)
def selection_threshold(sigma_squared: Fraction, *, max_new: Fraction, delta: Fraction) -> int:
    """Return the least threshold of a partition selection that ``delta`` pays for.

    Args:
        sigma_squared: of its noise, above 0, exact.
        max_new: values that one unit can bring and nobody else holds.
        delta: in (0, 1), exact.

    Raises:
        ValueError: ``delta`` is too small for any threshold.
    """
    _validate.in_open_unit(delta=delta)

    def enough(threshold: int) -> bool:
        return max_new * gaussian_tail(threshold - 1, sigma_squared) <= delta

    if max_new * Fraction(_LEAST_TAIL) > delta:
        raise ValueError("delta is too small to set any aside for open categories")
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def total_rho(events: Iterable[object]) -> Fraction:
    """Sum the zCDP costs of ``events``: composition holds for adaptively chosen ones as well."""
    return sum((zcdp_rho(event) * times for event, times in _counted(events)), Fraction(0))


def _counted(events: Iterable[object]) -> Iterable[tuple[object, int]]:
    """Yield each event and how often it stands there in a row: there may be thousands."""
    return ((event, sum(1 for _ in same)) for event, same in groupby(events))


@singledispatch
def pure_epsilon(event: object) -> Fraction | None:
    """Return the epsilon for which ``event`` is (epsilon, 0)-DP, exact; None where there is none.

    Fails closed on an event it does not know.
    """
    raise UnsupportedEventError(f"no pure-DP analysis for {type(event).__name__}")


# The privacy loss of Gaussian noise has no bound: the tails of two shifted ones drift apart.
pure_epsilon.register(DiscreteGaussianEvent, lambda _: None)
pure_epsilon.register(PartitionSelectionEvent, lambda _: None)
pure_epsilon.register(SampledGaussianEvent, lambda _: None)


@pure_epsilon.register
def _(event: DiscreteLaplaceEvent) -> Fraction:
    """Ghosh, Roughgarden and Sundararajan (2009), arXiv:0811.2841; the triangle inequality."""
    return Fraction(event.l1_sensitivity) / event.scale


@pure_epsilon.register
def _(event: ExponentialSelectionEvent) -> Fraction:
    """McSherry and Talwar (2007), Theorem 6: twice the sensitivity times epsilon / (2 * it)."""
    return Fraction(event.epsilon)


def total_pure_epsilon(events: Iterable[object]) -> Fraction | None:
    """Sum the pure epsilons of ``events``, adaptively chosen ones as well; None if one has none."""
    costs = [pure_epsilon(event) for event in events]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Fraction(0)) if len(known) == len(costs) else None


def least_epsilon(events: Iterable[Event], delta: Fraction) -> Fraction:
    """Return the least epsilon that is proven here for ``events`` at ``delta``, never too small.

    Args:
        events: in the order of their charges; all kinds may be mixed. Where one of them trains,
            every scale must have been fixed before the first answer.
        delta: in [0, 1), exact. At 0 only pure events have an epsilon.

    Raises:
        ValueError: ``delta`` is 0 and an event is not pure, or partition selections use all of it.
    """
    _validate.exact(delta=delta)
    charged = list(events)
    pure = total_pure_epsilon(charged)
    if delta == 0:
        if pure is None:
            raise ValueError("delta is 0, and an event has no epsilon without a delta")
        return pure
    left = delta - total_reserved_delta(charged)
    if left <= 0:
        raise ValueError("nothing of delta is left beside what partition selections reserve")
    trained, others = split_trained(charged)
    if trained:
        return _trained_epsilon(trained, others, Fraction(left))
    epsilon = epsilon_from_rho(total_rho(charged), left)
    return epsilon if pure is None else min(epsilon, pure)


@lru_cache(maxsize=4096)
def _trained_epsilon(
    trained: tuple[SampledGaussianEvent, ...], others: tuple[Event, ...], delta: Fraction
) -> Fraction:
    """Return the lesser of two bounds, and hold both against one from below.

    Raises:
        ArithmeticError: a bound is below what an observer is known to learn, so one is wrong.
    """
    from dpsynth.privacy import pld

    bounds = [epsilon_of(total_rho(others), trained, delta)]
    # Noise on integers of which one moves by one is noise on one number: its losses are known.
    scalars = [
        Fraction(event.sigma_squared)
        for event in others
        if isinstance(event, DiscreteGaussianEvent)
        and event.l2_sensitivity_squared == 1
        and event.sigma_squared <= pld.MOST_SCALAR
    ]
    rest = total_rho(others) - sum(1 / (2 * each) for each in scalars)
    with suppress(pld.UnsuitedError):
        tight = pld.epsilon_of(trained, scalars, rest, delta)
        bounds.append(Fraction(ceil(Fraction(tight) / Fraction(_GRID))) * Fraction(_GRID))
    least = max(Fraction(pld.floor_of(event, delta)) for event in trained)
    if min(bounds) < least * (1 - _MARGIN) - _MARGIN:
        raise ArithmeticError("two accountants contradict each other: nothing can be claimed")
    return min(bounds)


def split_trained(
    events: Iterable[Event],
) -> tuple[tuple[SampledGaussianEvent, ...], tuple[Event, ...]]:
    """Return the events of sampled training, and all others, each in their order."""
    charged = tuple(events)
    return (
        tuple(event for event in charged if isinstance(event, SampledGaussianEvent)),
        tuple(event for event in charged if not isinstance(event, SampledGaussianEvent)),
    )


@lru_cache(maxsize=256)
def noise_multiplier_for(
    *,
    epsilon: Fraction,
    delta: Fraction,
    rate: Fraction,
    steps: int,
    others: tuple[Event, ...] = (),
) -> Fraction:
    """Return the least noise multiplier at which training and the rest keep to a claim together.

    Args:
        epsilon: of the claim, exact, above 0.
        delta: of the claim, exact, in (0, 1); what ``others`` reserve of it is taken off here.
        rate: probability of a unit in a sample, exact, in (0, 1].
        steps: how many noisy sums the training releases.
        others: everything else that the release is charged for.

    Returns:
        A multiple of 1/1024 at which ``least_epsilon`` is at most ``epsilon`` less 1e-8, so that
        a verifier's machine, which rounds differently, comes to the same verdict.

    Raises:
        ValueError: the rest alone is over the claim, or no multiplier below 2**20 does.
    """
    allowed = epsilon - _MARGIN

    def excess(units: int) -> Fraction:
        event = SampledGaussianEvent(
            rate=rate, noise_multiplier=Fraction(units, MULTIPLIER_GRID), steps=steps
        )
        return least_epsilon([*others, event], delta) - allowed

    low, high = 0, MULTIPLIER_GRID
    while excess(high) > 0:
        low, high = high, 2 * high
        if high > MOST_MULTIPLIER * MULTIPLIER_GRID:
            raise ValueError(
                "no noise is enough: the rest of the budget is over the claim, or the claim is "
                "too small for this many steps"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return Fraction(high, MULTIPLIER_GRID)


def cost_at(event: Event, order: Fraction) -> Fraction:
    """Return what ``event`` costs at one Renyi order, over that order: its rho where it has one.

    Args:
        event: any that has a zCDP cost, or sampled training.
        order: exact, above 1.

    Returns:
        Exact, or rounded up where the event trains. Mechanisms whose costs at ``order`` add up
        to ``rho``, chosen adaptively or not, have a Renyi divergence of at most ``order * rho``.

    Raises:
        UnsupportedEventError: the event is unknown, or trains and the order is above 4096.

    Source:
        ``(a - 1) D_a`` is the logarithm of a moment, so convex in ``a``: between two integers it
        is at most its chord (docs/proofs/accounting.md).
    """
    _validate.exact(order=order)
    if not order > 1:
        raise ValueError("order must be above 1")
    if not isinstance(event, SampledGaussianEvent):
        return zcdp_rho(event)
    if order > MOST_ORDER:
        raise UnsupportedEventError(
            "a cap or claim of so small an epsilon has no room for training; choose a larger one"
        )
    below = floor(order)
    share = order - below
    chord = Fraction(0)
    for weight, whole in ((1 - share, below), (share, below + 1)):
        if weight and whole > 1:
            divergence = sampled_gaussian(event.rate, event.noise_multiplier, whole)
            chord += weight * (whole - 1) * Fraction(divergence)
    cost = int(event.steps) * chord / ((order - 1) * order)
    return Fraction(ceil(cost * _COST_GRID), _COST_GRID)


def total_cost(events: Iterable[Event], order: Fraction) -> Fraction:
    """Sum the costs of ``events`` at one Renyi order, over that order."""
    return sum((cost_at(event, order) for event in events), Fraction(0))


@lru_cache(maxsize=256)
def order_of(rho: Fraction, delta: Fraction) -> Fraction:
    """Return the Renyi order at which ``epsilon_from_rho`` states its bound, exact.

    Args:
        rho: exact, above 0.
        delta: exact, in (0, 1).
    """
    return 1 + Fraction(_best_gap(rho, delta))


def _epsilon_at(log_order: float, *, rho: float, log_inverse_delta: float) -> float:
    gap = exp(log_order)  # alpha - 1
    return (1 + gap) * rho + (log_inverse_delta - log1p(gap)) / gap + (log_order - log1p(gap))


def _best_log_order(rho: float, log_inverse_delta: float) -> float:
    """Return log(alpha - 1) near the least bound. Any return value is valid, this one is tight."""
    # Without its slowly varying terms the bound is least at alpha - 1 = sqrt(log(1/delta) / rho).
    middle = (log(max(log_inverse_delta, 1e-18)) - log(rho)) / 2
    low, high = middle - 8, middle + 8
    for _ in range(120):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _epsilon_at(left, rho=rho, log_inverse_delta=log_inverse_delta) <= _epsilon_at(
            right, rho=rho, log_inverse_delta=log_inverse_delta
        ):
            high = right
        else:
            low = left
    return (low + high) / 2


def _log_fraction(value: Fraction) -> float:
    """Natural logarithm of a fraction of any size, to float accuracy."""
    return log(value.numerator) - log(value.denominator)


@lru_cache(maxsize=1024)
def epsilon_from_rho(rho: Fraction, delta: Fraction) -> Fraction:
    """Return an epsilon for which every rho-zCDP mechanism is (epsilon, delta)-DP, rounded up.

    Args:
        rho: zCDP cost, exact, at least 0.
        delta: in (0, 1), exact.

    Returns:
        At least 0, a multiple of 1e-12; never below the least epsilon that the bound gives.

    Source:
        Canonne, Kamath and Steinke (2020), arXiv:2004.00010, Proposition 12: for every alpha > 1,
        epsilon = alpha rho + log(1/delta)/(alpha-1) + log(1-1/alpha) - log(alpha)/(alpha-1).
    """
    _validate.exact(rho=rho, delta=delta)
    _validate.in_open_unit(delta=delta)
    if rho < 0:
        raise ValueError("rho must be at least 0")
    if rho == 0:
        return Fraction(0)
    return epsilon_at(rho, order_of(rho, delta), delta)


def _best_gap(rho: Fraction, delta: Fraction) -> float:
    return exp(_best_log_order(exp(_log_fraction(rho)), -_log_fraction(delta)))


def epsilon_at(rho: Fraction, order: Fraction, delta: Fraction) -> Fraction:
    """Return the epsilon of a Renyi divergence of ``order * rho`` at ``order``, rounded up.

    Args:
        rho: sum of costs at ``order``, exact, at least 0.
        order: exact, above 1.
        delta: exact, in (0, 1).

    Source:
        As for ``epsilon_from_rho``, at one order.
    """
    _validate.exact(rho=rho, order=order, delta=delta)
    _validate.in_open_unit(delta=delta)
    if rho < 0 or not order > 1:
        raise ValueError("rho must be at least 0 and order above 1")
    with localcontext(Context(prec=_DIGITS, Emin=-999999, Emax=999999)):
        above = order - 1
        gap = Decimal(above.numerator) / Decimal(above.denominator)
        exact_order = 1 + gap
        exact_rho = Decimal(rho.numerator) / Decimal(rho.denominator)
        log_inverse_delta = Decimal(delta.denominator).ln() - Decimal(delta.numerator).ln()
        bound = exact_order * exact_rho + (log_inverse_delta - exact_order.ln()) / gap
        bound += gap.ln() - exact_order.ln()
        bound += _SLACK * (1 + abs(bound))
        epsilon = max(bound, Decimal(0)).quantize(_GRID, rounding=ROUND_CEILING)
    return Fraction(epsilon)


def _round_down(value: float) -> Fraction:
    """Return ``value`` cut to the significant bits that a rho is stated with."""
    mantissa, exponent = frexp(value)
    return Fraction(floor(mantissa * 2**_SIGNIFICANT_BITS)) * Fraction(2) ** (
        exponent - _SIGNIFICANT_BITS
    )


@lru_cache(maxsize=1024)
def rho_from_epsilon(epsilon: Fraction, delta: Fraction) -> Fraction:
    """Return the largest rho, rounded down, that ``epsilon_from_rho`` turns into ``epsilon``.

    Args:
        epsilon: above 0, exact.
        delta: in (0, 1), exact.

    Returns:
        A dyadic fraction with ``epsilon_from_rho(rho, delta) <= epsilon``, within one part in
        10**9 of the largest at any delta up to 1/2, and valid at any other.

    Raises:
        ValueError: no positive rho can be stated for so small an epsilon, or it is above 10**9.
    """
    _validate.exact(epsilon=epsilon, delta=delta)
    _validate.positive(epsilon=epsilon)
    _validate.in_open_unit(delta=delta)
    _validate.at_most(MOST_EPSILON, epsilon=epsilon)
    # Bisection on log rho. Above epsilon + 3 no rho can do, at any delta up to 1/2.
    high = log(float(epsilon) + 3)
    low, best = high - 400, Fraction(0)
    for _ in range(75):
        middle = (low + high) / 2
        rho = _round_down(exp(middle))
        if epsilon_from_rho(rho, delta) <= epsilon:
            low, best = middle, max(best, rho)
        else:
            high = middle
    if not best:
        raise ValueError(
            "epsilon is too small for any noise that can be stated; choose a larger one"
        )
    return best
