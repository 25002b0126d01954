"""Drive smartnoise-synth; executed by its own Python, through the harness.

Columns are declared categorical and not nullable, and nothing is spent on preprocessing. It takes
the codes that it sees as the domain, and no seed.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    from snsynth import Synthesizer

    assert name in Synthesizer.list_synthesizers()
    return {package: version(package) for package in ("smartnoise-synth", "mbi", "numpy")}


def synthesize(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Fit once, draw as many rows as there were."""
    from snsynth import Synthesizer

    columns = list(job["sizes"])
    claim = {"epsilon": float(job["epsilon"])}
    if job["name"] != "mwem":  # pure epsilon
        claim["delta"] = float(job["delta"])
    method = Synthesizer.create(job["name"], **claim, **job["settings"])
    # Whole Python numbers: its label transform compares types.
    rows = frame[columns].astype("int64")
    method.fit(rows, categorical_columns=columns, nullable=False, preprocessor_eps=0.0)
    made = method.sample(len(rows))
    return pd.DataFrame(made, columns=columns).astype("int64")
