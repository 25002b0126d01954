"""Differentially private synthetic data, attacked and certified.

The names below are the whole public API. They are imported when first used, so that
``import dpsynth`` stays fast and loads neither pandas nor torch nor scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpsynth.privacy.ledger import Ledger
    from dpsynth.public import (
        check_chain,
        claimed_epsilon,
        epsilon_at,
        load_model,
        rho_of,
        synthesizer,
        total_cost,
        total_reserved_delta,
        total_rho,
    )
    from dpsynth.release.pipeline import ReleaseOutcome, make_release
    from dpsynth.schema import Schema
    from dpsynth.sources.drawing import draw_persons
    from dpsynth.sources.files import read_table
    from dpsynth.sources.reading import open_rows
    from dpsynth.synthesizers.aim import AIM
    from dpsynth.synthesizers.auto import Auto
    from dpsynth.synthesizers.direct import Direct
    from dpsynth.synthesizers.fitted import FittedModel
    from dpsynth.synthesizers.independent import Independent
    from dpsynth.synthesizers.mst import MST
    from dpsynth.synthesizers.plan import Plan
    from dpsynth.synthesizers.prior import PublicPrior
    from dpsynth.synthesizers.privbayes import PrivBayes
    from dpsynth.utility.augmentation.mixing import augment
    from dpsynth.utility.evaluate import evaluate

__version__ = "0.1.0"

_HOMES = {
    "AIM": "dpsynth.synthesizers.aim",
    "Auto": "dpsynth.synthesizers.auto",
    "Direct": "dpsynth.synthesizers.direct",
    "FittedModel": "dpsynth.synthesizers.fitted",
    "Independent": "dpsynth.synthesizers.independent",
    "Ledger": "dpsynth.privacy.ledger",
    "MST": "dpsynth.synthesizers.mst",
    "Plan": "dpsynth.synthesizers.plan",
    "PublicPrior": "dpsynth.synthesizers.prior",
    "PrivBayes": "dpsynth.synthesizers.privbayes",
    "ReleaseOutcome": "dpsynth.release.pipeline",
    "Schema": "dpsynth.schema",
    "augment": "dpsynth.utility.augmentation.mixing",
    "check_chain": "dpsynth.public",
    "claimed_epsilon": "dpsynth.public",
    "draw_persons": "dpsynth.sources.drawing",
    "epsilon_at": "dpsynth.public",
    "evaluate": "dpsynth.utility.evaluate",
    "load_model": "dpsynth.public",
    "make_release": "dpsynth.release.pipeline",
    "open_rows": "dpsynth.sources.reading",
    "read_table": "dpsynth.sources.files",
    "rho_of": "dpsynth.public",
    "synthesizer": "dpsynth.public",
    "total_cost": "dpsynth.public",
    "total_reserved_delta": "dpsynth.public",
    "total_rho": "dpsynth.public",
}

__all__ = [
    "AIM",
    "MST",
    "Auto",
    "Direct",
    "FittedModel",
    "Independent",
    "Ledger",
    "Plan",
    "PrivBayes",
    "PublicPrior",
    "ReleaseOutcome",
    "Schema",
    "__version__",
    "augment",
    "check_chain",
    "claimed_epsilon",
    "draw_persons",
    "epsilon_at",
    "evaluate",
    "load_model",
    "make_release",
    "open_rows",
    "read_table",
    "rho_of",
    "synthesizer",
    "total_cost",
    "total_reserved_delta",
    "total_rho",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dpsynth' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
