"""Drive OpenDP's marginal synthesizers; executed by its own Python, through the harness.

Its noise comes from the operating system and takes no seed. A cell that it leaves null has no code.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

_CLASSES = {"aim": "AIM", "mst": "MST"}


def load(name: str) -> dict[str, str]:
    """Import what a run needs, and return versions."""
    import opendp.prelude as dp
    import polars as pl

    assert hasattr(dp.mbi, _CLASSES[name])
    assert pl.__version__
    return {package: version(package) for package in ("opendp", "mbi", "jax", "numpy")}


def synthesize(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Fit once, draw as many rows as there were."""
    import opendp.prelude as dp
    import polars as pl

    dp.enable_features("contrib")
    sizes = job["sizes"]
    # It trips over some column names.
    names = {f"c{place}": name for place, name in enumerate(sizes)}
    rows = pl.LazyFrame({short: frame[name].to_numpy() for short, name in names.items()})
    rho = job["rho"]
    context = dp.Context.compositor(
        data=rows.cast(pl.Int64),
        privacy_unit=dp.unit_of(contributions=1),
        privacy_loss=dp.loss_of(rho=rho),
    )
    table = (
        context.query(rho=rho)
        .select(*names)
        .contingency_table(
            keys={short: list(range(sizes[name])) for short, name in names.items()},
            algorithm=getattr(dp.mbi, _CLASSES[job["name"]])(**job["settings"]),
        )
        .release()
    )
    made = table.synthesize(rows=len(frame))
    return pd.DataFrame(
        {name: made[short].fill_null(-1).to_numpy() for short, name in names.items()}
    )
