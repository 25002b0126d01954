"""Minimising a smooth convex function of many variables, from gradients alone."""

from collections import deque
from collections.abc import Callable

import numpy as np

from dpsynth.models.graphical.tables import Array

_MEMORY = 10
_SUFFICIENT = 1e-4  # share of the predicted decrease that a step must bring
_HALVINGS = 30


def minimize(
    function: Callable[[Array], tuple[float, Array]],
    start: Array,
    *,
    precision: float,
    most_steps: int,
) -> Array:
    """Return a point whose gradient is at most ``precision`` long, or the last one in reach.

    Args:
        function: value and gradient; convex, scaled so that its curvature is about 1.
        start: where to begin.
        precision: Euclidean length of the gradient at which to stop.
        most_steps: a limit on the work, whatever the function.

    Source:
        Liu and Nocedal (1989), limited-memory BFGS, with step lengths halved until the function
        has decreased enough; a step that a convex function cannot improve ends the search.
    """
    point = start
    value, gradient = function(point)
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_MEMORY)
    for _ in range(most_steps):
        if not gradient @ gradient > precision**2:
            break
        direction = -_times_inverse(gradient, pairs)
        slope = float(direction @ gradient)
        length = 1.0
        if not pairs:
            length = min(1.0, 1.0 / float(np.sqrt(gradient @ gradient)))
        for _ in range(_HALVINGS):
            candidate = point + length * direction
            new_value, new_gradient = function(candidate)
            if new_value <= value + _SUFFICIENT * length * slope:
                break
            length /= 2
        else:
            break
        moved, turned = candidate - point, new_gradient - gradient
        curvature = float(moved @ turned)
        if curvature > 0:
            pairs.append((moved, turned, curvature))
        point, value, gradient = candidate, new_value, new_gradient
    return point


def _times_inverse(gradient: Array, pairs: deque[tuple[Array, Array, float]]) -> Array:
    """Multiply by the approximate inverse of the second derivative: the two-loop recursion."""
    vector = gradient.copy()
    weights = []
    for moved, turned, curvature in reversed(pairs):
        weight = float(moved @ vector) / curvature
        vector -= weight * turned
        weights.append(weight)
    if pairs:
        _, turned, curvature = pairs[-1]
        vector *= curvature / float(turned @ turned)
    for (moved, turned, curvature), weight in zip(pairs, reversed(weights), strict=True):
        vector += (weight - float(turned @ vector) / curvature) * moved
    return vector
