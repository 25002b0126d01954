"""The demo's table: NHEFS, 1,629 smokers of 1971 and what became of them by 1992.

The NHANES I Epidemiologic Follow-up Study of the US National Center for Health Statistics, as
extracted by Hernán and Robins for "Causal Inference: What If" and shipped by the package
causaldata. Data of the US government, in the public domain. The demo keeps twenty of its columns:
who the persons are, what they were treated for, how they smoked, and what came of it.
"""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from dpsynth.errors import UnfitEnvironmentError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

COLUMNS = (
    "seqn",
    "sex",
    "age",
    "race",
    "marital",
    "education",
    "income",
    "wt71",
    "sbp",
    "dbp",
    "cholesterol",
    "asthma",
    "bronch",
    "diabetes",
    "active",
    "exercise",
    "smokeintensity",
    "smokeyrs",
    "qsmk",
    "wt82_71",
    "death",
)
_MEASURED = ("wt71", "wt82_71")  # kilograms; every other column holds whole numbers


def schema_text() -> str:
    """Return the demo's schema, written from the study's published codebook."""
    return files("dpsynth.demo").joinpath("nhefs.toml").read_text(encoding="utf-8")


def schema() -> "Schema":
    """Return the demo's schema, read."""
    import tomllib

    from dpsynth.schema import Schema

    return Schema.from_dict(tomllib.loads(schema_text()))


def load() -> "pd.DataFrame":
    """Return the demo's table, with the types that its codebook gives.

    Raises:
        UnfitEnvironmentError: the package causaldata is not installed.
    """
    try:
        from causaldata import nhefs
    except ImportError as error:
        raise UnfitEnvironmentError(
            "the demo needs the package causaldata; type: pip install 'dpsynth[demo]'"
        ) from error
    raw = nhefs.load_pandas().data
    table: pd.DataFrame = raw[list(COLUMNS)].astype("float64").copy()
    for name in COLUMNS:
        if name not in _MEASURED:
            table[name] = table[name].astype("Int64")
    return table


def write(path: Path) -> None:
    """Write the demo's table to ``path`` as CSV, missing cells empty."""
    load().to_csv(path, index=False)
