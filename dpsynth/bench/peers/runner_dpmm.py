"""Drive dpmm; executed by its own Python, through the harness.

Its own handling of columns is off, for it would spend budget and look at values; the domain is
given. Settings go to its generator, those named in ``_OF_PIPELINE`` to its pipeline.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

_CLASSES = {"aim": "AIMPipeline", "mst": "MSTPipeline", "privbayes": "PrivBayesPipeline"}
_OF_PIPELINE = {"compress", "max_model_size", "n_jobs"}


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    import dpmm.pipelines

    assert hasattr(dpmm.pipelines, _CLASSES[name])
    return {package: version(package) for package in ("dpmm", "numpy", "opendp")}


def synthesize(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Fit once, draw as many rows as there were."""
    import dpmm.pipelines

    settings = job["settings"]
    pipeline = getattr(dpmm.pipelines, _CLASSES[job["name"]])(
        epsilon=float(job["epsilon"]),
        delta=float(job["delta"]),
        disable_processing=True,
        gen_kwargs={name: value for name, value in settings.items() if name not in _OF_PIPELINE},
        **{name: value for name, value in settings.items() if name in _OF_PIPELINE},
    )
    pipeline.fit(frame, domain=dict(job["sizes"]), random_state=job["seed"])
    made: pd.DataFrame = pipeline.generate(n_records=len(frame), random_state=job["seed"])
    return made[list(job["sizes"])]
