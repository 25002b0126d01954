"""Drive smartnoise-synth; executed by its own Python, through the harness.

A table of codes: columns are declared categorical and not nullable, and nothing is spent on
preprocessing. A table of raw values: numbers are declared continuous, and a tenth of epsilon goes
into their bounds; missing values have codes of their own. It takes the values that it sees as the
domain, and no seed.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

_BOUNDS_SHARE = 0.1  # of epsilon
_GANS = ("dpctgan", "patectgan")
_NUMBERS = ("integer", "continuous")


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    from importlib import import_module

    from snsynth import Synthesizer

    assert name in Synthesizer.list_synthesizers()
    packages = ["smartnoise-synth", "mbi", "numpy"]
    if name in _GANS:
        import_module(f"snsynth.pytorch.nn.{name}")
        packages = ["smartnoise-synth", "opacus", "torch", "numpy"]
    return {package: version(package) for package in packages}


def synthesize(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Fit once, draw as many rows as there were."""
    from snsynth import Synthesizer

    epsilon = float(job["epsilon"])
    claim = {"epsilon": epsilon}
    if job["name"] != "mwem":  # pure epsilon
        claim["delta"] = float(job["delta"])
    settings = dict(job["settings"])
    if job["name"] in _GANS:
        settings = {"verbose": False, "cuda": False} | settings
    method = Synthesizer.create(job["name"], **claim, **settings)
    if "columns" in job:
        return _raw(job, method, frame, epsilon)
    columns = list(job["sizes"])
    # Whole Python numbers: its label transform compares types.
    rows = frame[columns].astype("int64")
    method.fit(rows, categorical_columns=columns, nullable=False, preprocessor_eps=0.0)
    made = method.sample(len(rows))
    return pd.DataFrame(made, columns=columns).astype("int64")


def _raw(job: Mapping[str, Any], method: Any, frame: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    numbers = [each["name"] for each in job["columns"] if each["kind"] in _NUMBERS]
    columns = [each["name"] for each in job["columns"]]
    method.fit(
        frame[columns],
        continuous_columns=numbers,
        categorical_columns=[name for name in columns if name not in numbers],
        nullable=bool(frame[columns].isna().any().any()),
        preprocessor_eps=_BOUNDS_SHARE * epsilon if numbers else 0.0,
    )
    return pd.DataFrame(method.sample(len(frame)), columns=columns)
