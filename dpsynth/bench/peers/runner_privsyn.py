"""Drive privsyn-core; executed by its own Python, through the harness."""

from collections.abc import Mapping
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    import privsyn

    assert name == "privsyn"
    assert hasattr(privsyn, "PrivSynModel")
    return {package: version(package) for package in ("privsyn-core", "numpy")}


def synthesize(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Fit once, draw as many rows as there were."""
    from privsyn import PrivSynModel

    with TemporaryDirectory() as folder:  # it would keep marginals where it likes
        model = PrivSynModel(
            epsilon=float(job["epsilon"]),
            delta=float(job["delta"]),
            random_state=job["seed"],
            extra_params=dict(job["settings"]),
            artifact_root=folder,
        )
        model.fit(frame, dict(job["sizes"]))
        made: pd.DataFrame = model.sample(len(frame))
    return made[list(job["sizes"])]
