"""Minimising a smooth convex function of many variables, from gradients alone."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dpsynth.models.graphical.tables import Array

_MEMORY = 6
_SUFFICIENT = 1e-4  # share of the predicted decrease that a step must bring
_HALVINGS = 30


def minimize(
    function: Callable[[Array], tuple[float, Array]],
    start: Array,
    *,
    precision: float,
    most_steps: int,
    inverse: Callable[[Array], Array],
) -> Array:
    """Return a point whose gradient is at most ``precision`` long, or the last one in reach.

    Args:
        function: value and gradient; convex.
        start: where to begin.
        precision: Euclidean length of the gradient at which to stop.
        most_steps: a limit on the work, whatever the function.
        inverse: about that of the second derivatives: linear, symmetric, positive definite.

    Source:
        Liu and Nocedal (1989), limited-memory BFGS, with step lengths halved until the function
        has decreased enough; a step that a convex function cannot improve ends the search.
    """
    point = start
    value, gradient = function(point)
    eased = inverse(gradient)
    pairs: deque[_Pair] = deque(maxlen=_MEMORY)
    for _ in range(most_steps):
        if not gradient @ gradient > precision**2:
            break
        direction = -_times_inverse(gradient, eased, pairs)
        slope = float(direction @ gradient)
        length = 1.0
        for _ in range(_HALVINGS):
            candidate = point + length * direction
            new_value, new_gradient = function(candidate)
            if new_value <= value + _SUFFICIENT * length * slope:
                break
            length /= 2
        else:
            break
        new_eased = inverse(new_gradient)
        moved, turned = candidate - point, new_gradient - gradient
        curvature = float(moved @ turned)
        if curvature > 0:
            pairs.append(
                _Pair(moved=moved, turned=turned, eased=new_eased - eased, curvature=curvature)
            )
        point, value, gradient, eased = candidate, new_value, new_gradient, new_eased
    return point


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """A step, what it changed in the gradient, the same times ``inverse``, and their product."""

    moved: Array
    turned: Array
    eased: Array
    curvature: float


def _times_inverse(gradient: Array, eased: Array, pairs: Sequence[_Pair]) -> Array:
    """Multiply by the approximate inverse of the second derivatives: the two-loop recursion.

    Linear maps change places with sums, so ``inverse`` is applied to gradients alone, once each.
    """
    vector, found = gradient.copy(), eased.copy()
    weights = []
    for pair in reversed(pairs):
        weight = float(pair.moved @ vector) / pair.curvature
        vector -= weight * pair.turned
        found -= weight * pair.eased
        weights.append(weight)
    if pairs:
        last = pairs[-1]
        found *= last.curvature / float(last.turned @ last.eased)
    for pair, weight in zip(pairs, reversed(weights), strict=True):
        found += (weight - float(pair.turned @ found) / pair.curvature) * pair.moved
    return found
