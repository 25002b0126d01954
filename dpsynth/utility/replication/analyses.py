"""Named analyses: read from a file, run on a table by statsmodels.

The file is TOML or JSON::

    format = "dpsynth-analyses/1"

    [[analyses]]
    name = "illness by smoking"
    formula = "ill ~ smoker + age + C(site)"
    family = "binomial"            # or gaussian, poisson, gamma

    [[analyses]]
    name = "time to death"
    model = "cox"
    formula = "years ~ smoker + age"
    event = "died"

Booleans are 0 and 1, dates are days, levels that are numbers count as numbers unless ``C()`` stands
around them, and the first declared level of a column is its reference. A row with a missing cell
in a column of the formula is left out.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.errors import DataError, UnfitEnvironmentError, UsageError
from dpsynth.utility.replication.formulas import checked, columns_of

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

FORMAT = "dpsynth-analyses/1"
FAMILIES = {"gaussian": "Gaussian", "binomial": "Binomial", "poisson": "Poisson", "gamma": "Gamma"}
MODELS = ("glm", "cox")
INTERCEPT = "Intercept"
_KEYS = frozenset({"name", "formula", "model", "family", "event"})
_FEW = 4  # rows a cell, from which on cells are counted first
_WILD = 1e3  # a standard error beyond this: the rows do not tell, or separate perfectly


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A regression that somebody wants to repeat.

    Attributes:
        name: for the report.
        formula: of statsmodels, restricted as ``formulas.checked`` says.
        model: "glm" or "cox".
        family: of a GLM, with its canonical link (the logarithm for gamma).
        event: of a Cox model: the column that says whether the event happened.
    """

    name: str
    formula: str
    model: str = "glm"
    family: str = "gaussian"
    event: str | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise UsageError("an analysis needs a name")
        if self.model not in MODELS:
            raise UsageError(f"the model of {self.name!r} must be one of: {', '.join(MODELS)}")
        if self.family not in FAMILIES:
            raise UsageError(f"the family of {self.name!r} must be one of: {', '.join(FAMILIES)}")
        if (self.event is not None) != (self.model == "cox"):
            raise UsageError(
                f"{self.name!r} is not complete: a Cox model names its event column, a GLM none"
            )

    def outcome(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns on the left side, and the event."""
        left = columns_of(self.formula.partition("~")[0], columns)
        return left if self.event is None else (*left, self.event)

    def covariates(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns on the right side."""
        return columns_of(self.formula.partition("~")[2], columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimates:
    """Coefficients of one analysis on one table.

    Attributes:
        names: of the coefficients; empty where the analysis could not be run at all.
        values: shape ``(coefficients,)``; NaN where the rows do not tell.
        variances: likewise.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    variances: NDArray[np.float64]

    def of(self, name: str) -> tuple[float, float] | None:
        """Return estimate and variance, None where there is none."""
        if name not in self.names:
            return None
        at = self.names.index(name)
        found = float(self.values[at]), float(self.variances[at])
        return found if np.isfinite(found).all() else None


def read_analyses(path: Path | str) -> tuple[Analysis, ...]:
    """Read a file of analyses.

    Raises:
        UsageError: the file is not there, is not TOML or JSON, or describes no analysis.
    """
    import json
    import tomllib

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a file of analyses (.toml or .json)") from error
    return analyses_of(document)


def analyses_of(document: Mapping[str, Any]) -> tuple[Analysis, ...]:
    """Return the analyses of a document; see the module.

    Raises:
        UsageError: it is none, or an analysis is not complete.
    """
    if document.get("format") != FORMAT:
        raise UsageError(f'a file of analyses starts with format = "{FORMAT}"')
    listed = document.get("analyses")
    if not isinstance(listed, list) or not listed:
        raise UsageError("a file of analyses holds one [[analyses]] or more")
    found = []
    for entry in listed:
        if not isinstance(entry, dict) or not all(isinstance(v, str) for v in entry.values()):
            raise UsageError("everything that an analysis says is text")
        unknown = sorted(set(entry) - _KEYS)
        if unknown or not {"name", "formula"} <= set(entry):
            raise UsageError(
                f"an analysis has the keys {', '.join(sorted(_KEYS))}, name and formula always"
                + (f", and not {unknown[0]!r}" if unknown else "")
            )
        found.append(Analysis(**entry))
    if len({each.name for each in found}) < len(found):
        raise UsageError("two analyses have one name")
    return tuple(found)


def require_statsmodels() -> None:
    """Raise UnfitEnvironmentError where no analysis could be run."""
    try:
        import statsmodels  # noqa: F401  # asked for, not used
    except ImportError as error:
        raise UnfitEnvironmentError(
            "analyses are run by statsmodels, which is not installed: pip install dpsynth[utility]"
        ) from error


def check(analyses: Sequence[Analysis], schema: "Schema") -> None:
    """Refuse analyses that the declared columns do not allow, before anything is computed.

    Raises:
        UsageError: in one sentence.
    """
    columns = [column.name for column in schema.modeled]
    for analysis in analyses:
        checked(analysis.formula, columns, analysis=analysis.name)
        if analysis.event is not None and analysis.event not in columns:
            raise UsageError(
                f"{analysis.name!r} names the event {analysis.event!r}, which is no declared column"
            )
        if not analysis.covariates(columns):
            raise UsageError(f"the formula of {analysis.name!r} names no column after its ~")


def run(analysis: Analysis, table: "pd.DataFrame") -> Estimates:
    """Run ``analysis`` on a table as ``prepared`` makes it.

    Rows that do not allow it (too few, one outcome only) give no estimate instead of an error.
    """
    import statsmodels.api as sm

    formula = checked(analysis.formula, list(table.columns), analysis=analysis.name)
    needed = {*analysis.outcome(list(table.columns)), *analysis.covariates(list(table.columns))}
    data = table[sorted(needed)].dropna()
    nothing = Estimates(names=(), values=np.zeros(0), variances=np.zeros(0))
    try:
        # statsmodels evaluates a formula where it is called from, and here np is known.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if analysis.event is not None:
                status = data[analysis.event].to_numpy(dtype=float)
                found = sm.PHReg.from_formula(formula, data, status=status, ties="efron").fit()
                names = [str(name) for name in found.model.exog_names]
            else:
                family = getattr(sm.families, FAMILIES[analysis.family])
                link = sm.families.links.Log() if analysis.family == "gamma" else None
                rows, counts = _distinct(data)
                found = sm.GLM.from_formula(
                    formula, rows, family=family(link) if link else family(), freq_weights=counts
                ).fit()
                names = [str(name) for name in found.params.index]
            values = np.asarray(found.params, dtype=np.float64)
            errors = np.asarray(found.bse, dtype=np.float64)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, IndexError, TypeError):
        return nothing
    told = np.isfinite(values) & np.isfinite(errors) & (errors > 0) & (errors < _WILD)
    return Estimates(
        names=tuple(names),
        values=np.where(told, values, np.nan),
        variances=np.where(told, errors**2, np.nan),
    )


def _distinct(data: "pd.DataFrame") -> "tuple[pd.DataFrame, NDArray[np.float64]]":
    """Return rows and how often each occurs: distinct ones, where these are few.

    A GLM of distinct rows weighted by their counts is that of all rows, and sooner fitted.
    """
    cells = prod(max(int(data[name].nunique()), 1) for name in data.columns)
    if cells * _FEW > len(data):
        return data, np.ones(len(data))
    counted = data.groupby(list(data.columns), observed=True, sort=True).size()
    return counted.index.to_frame(index=False), np.asarray(counted, dtype=np.float64)


def prepared(table: "pd.DataFrame", schema: "Schema", columns: Sequence[str]) -> "pd.DataFrame":
    """Return columns of ``table`` as analyses read them: numbers, and levels in declared order.

    Args:
        table: rows, real or synthetic, with cells as a file holds them.
        schema: declares them; what it does not know of becomes missing or its fallback, as in a
            release.
        columns: which.

    Raises:
        DataError: the table lacks one.
    """
    import pandas as pd

    from dpsynth.encoding.codec import GridCodec, codec
    from dpsynth.schema.columns import BooleanColumn

    found: dict[str, Any] = {}
    for name in columns:
        if name not in table.columns:
            raise DataError(f"the table has no column {name!r}, which an analysis names")
        column = next(each for each in schema.modeled if each.name == name)
        tool = codec(column)
        encoded = tool.encode(table[name])
        if isinstance(tool, GridCodec):
            found[name] = tool.numbers(table[name])
            continue
        levels = [False, True] if isinstance(column, BooleanColumn) else list(column.levels)  # type: ignore[attr-defined]  # all others have them
        codes = np.asarray(encoded.codes, dtype=np.int64)
        missing = codes >= len(levels)
        if all(isinstance(level, bool | int | float) for level in levels):
            numbers = np.array([float(level) for level in levels])[np.where(missing, 0, codes)]
            found[name] = np.where(missing, np.nan, numbers)
        else:
            texts = [str(level) for level in levels]
            found[name] = pd.Categorical.from_codes(
                np.where(missing, -1, codes).astype(np.int64), categories=pd.Index(texts)
            )
    return pd.DataFrame(found)
