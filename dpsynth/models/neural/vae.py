"""A variational autoencoder over codes: encoder and decoder are trained on the rows together."""

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsynth.models.neural.latent import Decoder
from dpsynth.models.neural.training import Schedule, train

_TABLE = 4_096  # draws that a step hands out to rows
_LEAST, _MOST = -6.0, 2.0  # of the logarithm of a posterior's stddev
_FIRST_WIDTH = -1.0  # of the same, at the start
_SPREAD = 0.1  # of first weights whose outputs start near what biases say


class Vae(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """An encoder to a normal posterior, and a decoder whose columns are independent given it.

    The loss of a row is a function of that row and of public numbers alone: what is drawn from its
    posterior is looked up in a table of public draws by the row's own codes. Draws by the row's
    place in the batch would not do: a row more would then change what all after it draw, and move
    the sum of gradients by more than its own.

    Args:
        shares: by column, in the order of the network, the share of each code; above 0.
        latent: dimensions between encoder and decoder.
        hidden: units of the encoder's and of the decoder's hidden layer.
        conditional: whether the first column is given to the decoder.
        generator: of the first weights and of the public draws.

    Source:
        Kingma and Welling (2014), arXiv:1312.6114; with a given column Sohn, Lee and Yan (2015),
        "Learning structured output representation using deep conditional generative models".
    """

    offsets: Tensor

    def __init__(
        self,
        shares: Sequence[NDArray[np.float64]],
        *,
        latent: int,
        hidden: int,
        conditional: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = [len(each) for each in shares]
        self.latent = latent
        self.divergence_weight = 1.0
        self.register_buffer("offsets", torch.from_numpy(np.cumsum([0, *sizes])[:-1]))
        self.hidden = nn.Linear(sum(sizes), hidden)
        self.posterior = nn.Linear(hidden, 2 * latent)
        self.decoder = Decoder(
            shares,
            latent=latent,
            hidden=(hidden,),
            conditional=conditional,
            spread=_SPREAD,
            generator=generator,
        )
        with torch.no_grad():
            for layer, fan in ((self.hidden, len(sizes)), (self.posterior, hidden)):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / fan**0.5)
                layer.bias.zero_()
            self.posterior.weight[latent:] *= _SPREAD
            self.posterior.bias[latent:] = _FIRST_WIDTH
        self._generator = generator
        self.draw_anew()

    def draw_anew(self) -> None:
        """Fill the table of public draws anew, and change which row looks where."""
        self._table = torch.randn((_TABLE, self.latent), generator=self._generator)
        self._salts = torch.randint(
            -(2**62), 2**62, (self.offsets.numel(),), generator=self._generator
        )

    def loss(self, rows: Tensor) -> Tensor:
        """Return minus the evidence lower bound of each row, shape ``(rows,)``.

        The divergence from the prior counts ``divergence_weight`` times.
        """
        hot = torch.zeros(rows.shape[0], self.hidden.in_features)
        hot.scatter_(1, rows + self.offsets, 1.0)
        found = self.posterior(torch.tanh(self.hidden(hot)))
        mean, log_width = found[:, : self.latent], found[:, self.latent :].clamp(_LEAST, _MOST)
        width = torch.exp(log_width)
        divergence = (0.5 * (width**2 + mean**2 - 1) - log_width).sum(1)
        logits = self.decoder(mean + width * self._draws(rows), rows[:, 0])
        given = rows.shape[1] - len(self.decoder.sizes)
        starts = self.offsets[given:] - self.offsets[given]
        chosen = logits.gather(1, rows[:, given:] + starts).sum(1)
        return self.decoder.normalizers(logits) - chosen + self.divergence_weight * divergence

    def _draws(self, rows: Tensor) -> Tensor:
        """Return a draw for each row, by its own codes: equal rows have the same."""
        mixed = (rows + 1) * self._salts  # wraps around, which mixes
        mixed = (mixed ^ (mixed >> 29)).sum(1) * 0x1CE4E5B9BF58476D
        return self._table[(mixed >> 32) & (_TABLE - 1)]


def fitted(
    module: Vae,
    gradients: Callable[[], dict[str, Tensor]],
    schedule: Schedule,
    *,
    warm_up: float,
    progress: Callable[[int], object],
) -> None:
    """Train encoder and decoder by one noisy gradient a step.

    Args:
        module: changed in place; left at the average of its path.
        gradients: the next noisy mean gradient of ``module.loss``.
        schedule: of the steps.
        warm_up: share of the steps in which the weight of the divergence rises to 1.
        progress: told the steps done after each.
    """
    steps = count(1)

    def next_gradient() -> dict[str, Tensor]:
        module.divergence_weight = min(1.0, next(steps) / max(warm_up * schedule.steps, 1.0))
        module.draw_anew()
        return gradients()

    train(module, next_gradient, schedule, progress=progress)
