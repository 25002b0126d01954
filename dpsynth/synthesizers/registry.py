"""Names of the built-in synthesizers. Imported only when asked for."""

from importlib import import_module
from typing import Any

from dpsynth.errors import UnknownNameError

BUILT_IN = {
    "aim": "dpsynth.synthesizers.aim:AIM",
    "auto": "dpsynth.synthesizers.auto:Auto",
    "direct": "dpsynth.synthesizers.direct:Direct",
    "gan": "dpsynth.synthesizers.gan:GAN",
    "hybrid": "dpsynth.synthesizers.hybrid:Hybrid",
    "independent": "dpsynth.synthesizers.independent:Independent",
    "made": "dpsynth.synthesizers.made:MADE",
    "mst": "dpsynth.synthesizers.mst:MST",
    "privbayes": "dpsynth.synthesizers.privbayes:PrivBayes",
    "transformer": "dpsynth.synthesizers.transformer:Transformer",
    "vae": "dpsynth.synthesizers.vae:VAE",
}


def get(name: str) -> type[Any]:
    """Return the synthesizer class called ``name``.

    Raises:
        UnknownNameError: nothing is registered under ``name``.
    """
    if name not in BUILT_IN:
        known = ", ".join(sorted(BUILT_IN))
        raise UnknownNameError(f"no synthesizer is called {name!r}; there are: {known}")
    module, _, attribute = BUILT_IN[name].partition(":")
    found: type[Any] = getattr(import_module(module), attribute)
    return found
