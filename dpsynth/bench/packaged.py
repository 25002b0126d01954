"""Tables that Python packages ship, coded by what is read off them: public, for research."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.bench.coded import CodedTable, coded
from dpsynth.errors import UnfitEnvironmentError, UsageError

if TYPE_CHECKING:
    import pandas as pd

_FEW_VALUES = 40  # a column of at most this many values has a code for each
_VISITS = 32  # levels of randhie's visits: 31 stands for 31 and more


@dataclass(frozen=True, kw_only=True)
class _Packaged:
    """One table of a package.

    Attributes:
        read: returns it.
        target: column to predict.
        positive: its value that counts as positive.
        without: columns to leave out: numbers of rows, and copies of other columns.
        capped: the last of the codes by column, which stands for all that is above.
    """

    read: "Callable[[], pd.DataFrame]"
    target: str | None = None
    positive: object = 1
    without: tuple[str, ...] = ()
    capped: Mapping[str, int] | None = None


def from_package(package: str, name: str, *, bins: int) -> CodedTable:
    """Return the table called ``name`` that ``package`` ships.

    A column of at most 40 values has a code for each; one of more numbers is cut in ``bins`` of
    equal width over its range; missing cells have a code of their own, the last.

    Raises:
        UsageError: no such table is known.
        UnfitEnvironmentError: the package is not installed.
    """
    return _table(packaged_frame(package, name), PACKAGED[package][name], bins)


def packaged_frame(package: str, name: str) -> "pd.DataFrame":
    """Return the table called ``name`` as ``package`` has it; see ``from_package``."""
    if package not in PACKAGED:
        known = ", ".join(sorted(PACKAGED))
        raise UsageError(f"no table is known from package {package!r}; there are: {known}")
    tables = PACKAGED[package]
    if name not in tables:
        raise UsageError(
            f"package {package!r} has no table {name!r} that we know how to code; "
            f"there are: {', '.join(sorted(tables))}"
        )
    try:
        return tables[name].read()
    except ImportError as error:
        raise UnfitEnvironmentError(
            f"data set {name!r} needs the package {package}: pip install {package}"
        ) from error


def _table(frame: "pd.DataFrame", about: _Packaged, bins: int) -> CodedTable:
    import pandas as pd

    codes: dict[str, NDArray[np.int64]] = {}
    sizes: dict[str, int] = {}
    ordered, positive = [], None
    for name in frame.columns:
        if name in about.without:
            continue
        held = frame[name]
        number = pd.api.types.is_numeric_dtype(held)
        cap = (about.capped or {}).get(name)
        if number and cap is not None:
            places, size = held.clip(0, cap).to_numpy(dtype=np.int64), cap + 1
        elif held.nunique() > _FEW_VALUES:
            if not number:
                raise UsageError(f"column {name!r} has too many texts to code")
            places, size = _binned(held, bins), bins
        else:
            found, values = pd.factorize(held, sort=True)
            places = found.astype(np.int64)
            size = len(values)
            if name == about.target:
                positive = list(values).index(about.positive)
        missing = places < 0
        if missing.any():
            places, size = np.where(missing, size, places), size + 1
        if size == 1:
            continue
        codes[name], sizes[name] = places, size
        if number and size > 2:
            ordered.append(name)
    return coded(
        pd.DataFrame(codes),
        sizes,
        ordered=tuple(ordered),
        target=about.target,
        positive=positive,
    )


def _binned(held: "pd.Series", bins: int) -> NDArray[np.int64]:
    """Return bins of equal width over the range; -1 where a cell is missing."""
    values = held.to_numpy(dtype=np.float64)
    low, high = np.nanmin(values), np.nanmax(values)
    places = np.minimum((values - low) // ((high - low) / bins), bins - 1)
    return np.where(np.isnan(values), -1, places).astype(np.int64)


def _statsmodels(name: str) -> "Callable[[], pd.DataFrame]":
    def read() -> "pd.DataFrame":
        from importlib import import_module

        found: pd.DataFrame = import_module(f"statsmodels.datasets.{name}").load_pandas().data
        return found

    return read


def _causaldata(name: str) -> "Callable[[], pd.DataFrame]":
    def read() -> "pd.DataFrame":
        import causaldata

        found: pd.DataFrame = getattr(causaldata, name).load_pandas().data
        return found

    return read


def _scikit_learn(name: str) -> "Callable[[], pd.DataFrame]":
    def read() -> "pd.DataFrame":
        import pandas as pd
        from sklearn import datasets

        found = getattr(datasets, f"load_{name}")()
        made = pd.DataFrame(found.data, columns=[str(each) for each in found.feature_names])
        return made.assign(target=found.target)

    return read


PACKAGED: dict[str, dict[str, _Packaged]] = {
    "statsmodels": {
        # The RAND health insurance experiment, as the ten columns that the literature uses.
        "randhie": _Packaged(read=_statsmodels("randhie"), capped={"mdvis": _VISITS - 1}),
        "fair": _Packaged(read=_statsmodels("fair")),
        "anes96": _Packaged(read=_statsmodels("anes96"), target="vote"),
    },
    "causaldata": {
        "nhefs": _Packaged(read=_causaldata("nhefs"), target="death", without=("seqn", "id")),
        "cps_mixtape": _Packaged(read=_causaldata("cps_mixtape"), without=("data_id", "treat")),
        "black_politicians": _Packaged(read=_causaldata("black_politicians"), target="responded"),
        "titanic": _Packaged(read=_causaldata("titanic"), target="survived", positive="yes"),
        "thornton_hiv": _Packaged(read=_causaldata("thornton_hiv"), target="got"),
        "social_insure": _Packaged(
            read=_causaldata("social_insure"),
            target="takeup_survey",
            without=("address", "village"),
        ),
    },
    "scikit-learn": {
        "breast_cancer": _Packaged(read=_scikit_learn("breast_cancer"), target="target"),
        "digits": _Packaged(read=_scikit_learn("digits")),
    },
}
