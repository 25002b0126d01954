"""Nearly the inverse of a fit's second derivatives: tables that share a column move together.

Tables over a common column say the same of it, so log-factors can be moved from one of them to
another at nearly no cost, while all of them together move the column at once. Scaling every cell
alone knows neither, and a solver then takes hundreds of steps. Were columns independent, all that
couples two tables would be the rows of the codes that they share: that much is inverted here, code
by code, and cells are scaled one by one within what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsynth.models.graphical.tables import Array, NoisyTable

_LEAST_STRENGTH = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Preconditioner:
    """A symmetric positive definite map from gradients to steps, over all tables' cells.

    A slice of a table is what it holds of one code of one of its columns. On vectors that are
    constant on slices, the second derivatives are taken to be ``rows`` of the code between any two
    tables, plus each table's penalty, which Sherman and Morrison's formula inverts; what is left,
    made orthogonal to slices, is divided by its own curvature.

    Attributes:
        curvature: of every cell, above 0.
        places: for each axis that tables have, the slice of every cell. Cells of tables of fewer
            axes lie in the first slice of all there, which is none.
        sums: curvature of every slice, the sum over its cells.
        ease: reciprocal of the penalties of every slice.
        code: that every slice is about, over all columns.
        held: how strongly the slices about a code are held together, by code.
    """

    curvature: Array
    places: Sequence[NDArray[np.int32]]
    sums: Array
    ease: Array
    code: NDArray[np.int64]
    held: Array

    @classmethod
    def of(
        cls, tables: Sequence[NoisyTable], *, curvature: Array, strength: Array, expected: Array
    ) -> "Preconditioner":
        """Prepare what is known before the first step.

        Args:
            tables: laid end to end in the vectors that follow.
            curvature: of every cell by itself, penalties included.
            strength: of the penalty on every cell.
            expected: rows in every cell.
        """
        axes = max((len(table.clique) for table in tables), default=0)
        places = [np.zeros(curvature.size, np.int32) for _ in range(axes)]
        first_code: dict[str, int] = {}
        about = [np.zeros(1, np.int64)]
        codes, slices, start = 0, 1, 0
        for table in tables:
            shape = table.values.shape
            end = start + table.values.size
            for axis, (name, size) in enumerate(zip(table.clique, shape, strict=True)):
                if name not in first_code:
                    first_code[name], codes = codes, codes + size
                line = np.arange(size).reshape((-1,) + (1,) * (len(shape) - axis - 1))
                places[axis][start:end] = np.broadcast_to(slices + line, shape).ravel()
                about.append(first_code[name] + np.arange(size))
                slices += size
            start = end

        def summed(values: Array) -> Array:
            total = np.zeros(slices)
            for place in places:
                total += np.bincount(place, values, slices)
            return total

        code, codes = np.concatenate(about), max(codes, 1)
        sums, rows = summed(curvature), summed(expected)
        penalties = summed(np.maximum(strength, _LEAST_STRENGTH))
        sums[0] = penalties[0] = np.inf
        rows[0] = 0.0
        ease = 1 / penalties
        tables_with = np.bincount(code[1:], minlength=codes)
        rows = np.bincount(code, rows, codes) / np.maximum(tables_with, 1)
        return cls(
            curvature=curvature,
            places=places,
            sums=sums,
            ease=ease,
            code=code,
            held=rows / (1 + rows * np.bincount(code, ease, codes)),
        )

    def __call__(self, gradient: Array) -> Array:
        """Return the step that would undo ``gradient``, about."""
        count = self.sums.size
        rest, whole = gradient, np.zeros(count)
        for place in self.places:
            left = np.bincount(place, rest, count)
            whole += left if rest is gradient else np.bincount(place, gradient, count)
            rest = rest - self.curvature * (left / self.sums).take(place, mode="clip")
        step = rest / self.curvature
        # In reverse, so that the map is symmetric.
        for place in reversed(self.places):
            share = np.bincount(place, self.curvature * step, count) / self.sums
            step -= share.take(place, mode="clip")
        whole *= self.ease
        moved = np.bincount(self.code, whole, self.held.size)
        whole -= self.ease * (self.held * moved).take(self.code, mode="clip")
        for place in self.places:
            step += whole.take(place, mode="clip")
        return step
