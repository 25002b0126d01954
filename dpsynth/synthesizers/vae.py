"""VAE: a variational autoencoder, trained on the rows with clipped, noisy gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from dpsynth import _validate
from dpsynth.models.neural.network import Network
from dpsynth.synthesizers.deep import Deep
from dpsynth.synthesizers.deep_facts import Facts, Start, Training

if TYPE_CHECKING:
    from dpsynth.synthesizers.deep_facts import Gradients

_BATCH = 2_048
_STEPS = 300
_WARM_UP = 0.3  # of the steps, in which the weight of the divergence rises


@dataclass(frozen=True, kw_only=True)
class VAE(Deep):
    """Synthesize from a variational autoencoder.

    Encoder and decoder are trained by one noisy gradient: an encoder that is trained without noise
    would leak through the decoder. The first column of ``first`` is given to the decoder, and so
    drawn before all else: rows of a given class are drawn directly, however rare. Conditions on
    other columns are met by rejection, with the chance of each row known.

    Args:
        latent: dimensions between encoder and decoder.
        hidden: units of the hidden layer of each.

    Source:
        Kingma and Welling (2014), "Auto-encoding variational Bayes", arXiv:1312.6114, for the
        network; Abadi and others (2016), arXiv:1607.00133, for its training.
    """

    name: ClassVar[str] = "vae"
    latent: int = 8
    hidden: int = 48

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = {"latent": self.latent, "hidden": self.hidden}
        _validate.exact(**counts)
        _validate.integral(**counts)
        _validate.positive(**counts)

    def preset(self, facts: Facts) -> Training:
        """Return the numbers of a training, by public facts alone."""
        rate = Fraction(1, max(1, facts.units // _BATCH))
        return Training(rate=rate, steps=_STEPS, step_size=0.016)

    def weights(self, facts: Facts) -> int:
        """Return how many weights the network has, about."""
        return 2 * self.hidden * (facts.codes + 2 * self.latent)

    def network(
        self,
        start: Start,
        training: Training,
        gradients: "Gradients",
        progress: Callable[[int], object],
    ) -> Network:
        """Train the network from the product of its columns."""
        from dpsynth.models.neural.latent import calibrated
        from dpsynth.models.neural.training import Schedule, generator
        from dpsynth.models.neural.vae import Vae, fitted

        module = Vae(
            start.shares,
            latent=self.latent,
            hidden=self.hidden,
            conditional=start.first > 0,
            generator=generator(),
        )
        schedule = Schedule(steps=training.steps, rate=training.step_size, average=training.average)
        fitted(
            module,
            lambda: gradients(module, lambda held, rows: held.loss(rows)),
            schedule,
            warm_up=_WARM_UP,
            progress=progress,
        )
        calibrated(module.decoder, generator())
        return module.decoder.released()
