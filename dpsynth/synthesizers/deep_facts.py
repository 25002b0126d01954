"""What a training is planned by, and what a network starts from: public facts, released numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.domain import Domain
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.models.neural.correction import Targets
from dpsynth.models.protocol import Codes
from dpsynth.privacy.curator import Curator

if TYPE_CHECKING:
    from torch import Tensor, nn

    Loss = Callable[[nn.Module, Tensor], Tensor]
    # Of a module and its loss, one number a row, to the next noisy mean gradient by parameter.
    Gradients = Callable[[nn.Module, Loss], dict[str, Tensor]]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Public facts that presets follow from, and nothing else.

    Attributes:
        rows: the declared ``expected_rows``.
        max_rows: that a unit may contribute.
        columns: how many there are.
        codes: of all columns together, as planned.
        epsilon: of the claim.
    """

    rows: int
    max_rows: int
    columns: int
    codes: int
    epsilon: float

    @property
    def signal(self) -> float:
        """Units times epsilon, as a share of 30,000: how far noise lets a training go."""
        return self.units * self.epsilon / 30_000

    @property
    def units(self) -> int:
        """Expected number of units, where each brings as many rows as it may."""
        return max(1, self.rows // self.max_rows)


@dataclass(frozen=True, kw_only=True)
class Training:
    """The public numbers of a training.

    Attributes:
        rate: probability of a unit in a batch, in (0, 1].
        steps: how many noisy gradients are released.
        clip: the largest norm of a unit's gradient.
        step_size: the largest step of Adam.
        average: weight of the past in the average of weights that is released.
    """

    rate: Fraction
    steps: int
    clip: float = 1.0
    step_size: float
    average: float = 0.98


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a network starts from.

    Attributes:
        domain: the columns, in the order of the network.
        shares: by place the share of every code, above 0.
        total: noisy number of rows.
        facts: what presets follow from.
        first: how many columns stand first because they were chosen to.
        rows: shape ``(rows, columns)``, int64 codes: rows of a released model that the network may
            learn from, free of charge; None where there are none.
    """

    domain: Domain
    shares: tuple[Array, ...]
    total: float
    facts: Facts
    first: int = 0
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Beginning:
    """What is known before the training, all of it released.

    Attributes:
        curator: over the codes that the network is to take.
        targets: what whole samples are held against; shares of every column that was asked about.
        coarsenings: by column, how the planned codes were merged into the curator's.
        drawn: rows of a released model, by column; None where there are none.
    """

    curator: Curator
    targets: Targets
    coarsenings: Mapping[str, Coarsening] = field(default_factory=dict)
    drawn: Codes | None = None
