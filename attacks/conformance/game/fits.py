"""Real fits in two worlds, each with noise of its own: what an observer sees of every one.

Of each fit the transcript is scored, and numbers are read off the fitted model and a synthetic
table: what somebody has who sees the release alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.game.score import transcript_score
from dpsynth.errors import DpsynthError

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.testing.neighbors import Neighbors

Floats = NDArray[np.float64]

_MOST_SAMPLED = 1_000  # rows of a synthetic table
_FAR = 1e9  # a number that stands for infinity
_LEAST_LIKELY = -50.0  # a logarithm that stands for impossible


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """Fits of both tables, as many of each.

    Attributes:
        transcripts: shape ``(2, runs)``: of each world, without the person first, the
            log-likelihood ratios of the transcripts.
        seen: shape ``(2, runs, features)``: what the model and a synthetic table show.
        features: names of these.
        events: what the ledger was charged for a fit, as documents.
    """

    transcripts: Floats
    seen: Floats
    features: tuple[str, ...]
    events: tuple[Mapping[str, str], ...]

    @property
    def runs(self) -> int:
        """Fits of each table."""
        return int(self.transcripts.shape[1])


def play(synthesizer: Any, plan: Any, pair: "Neighbors", *, runs: int, seed: int) -> Fits:
    """Fit both tables ``runs`` times each.

    Args:
        synthesizer: what is on trial.
        plan: of the synthesizer for the schema of the tables.
        pair: the tables.
        runs: of each; at least 1.
        seed: every run has noise of its own that follows from it.

    Raises:
        Exception: whatever a fit of the table without the person raises every time.
    """
    from dpsynth.testing.neighbors import fit_world

    seeds = np.random.SeedSequence((seed, runs)).generate_state(2 * runs, dtype=np.uint64)
    scores, seen = np.zeros((2, runs)), []
    events: tuple[Mapping[str, str], ...] = ()
    fault: Exception | None = None
    for at, word in enumerate((seeds >> np.uint64(1)).tolist()):
        within, run = divmod(at, runs)
        heard, outcome = fit_world(synthesizer, plan, pair, within=bool(within), seed=word)
        scores[within, run] = transcript_score(heard, within=bool(within))
        seen.append(_seen(outcome.model, pair, seed=run))
        fault = fault or outcome.fault
        if outcome.entries and not events:
            events = tuple(entry["event"] for entry in outcome.model.ledger_extract["entries"])
    if not events:
        raise fault or AssertionError("no fit was charged")
    names = tuple(dict.fromkeys(name for numbers in seen for name in numbers))
    table = np.array([[numbers.get(name, 0.0) for name in names] for numbers in seen])
    return Fits(
        transcripts=scores,
        seen=np.clip(np.nan_to_num(table), -_FAR, _FAR).reshape(2, runs, len(names)),
        features=names,
        events=events,
    )


def _seen(model: Any, pair: "Neighbors", *, seed: int) -> dict[str, float]:
    """Return what one release shows; nothing but that it failed, where the fit raised."""
    if model is None:
        return {"the fit failed": 1.0}
    total = float(model.total)
    wanted = int(min(max(round(total), 0), _MOST_SAMPLED))
    table = model.sample(wanted, seed=seed)
    marks = [
        _like(table[column.name], pair.person[column.name], pair.out[column.name])
        for column in pair.schema.modeled
    ]
    every = np.logical_and.reduce(marks)
    found = {"the fit failed": 0.0, "rows": total, "rows of the person": float(every.sum())}
    for at, mark in enumerate(marks):
        found[f"cells like the person's, column {at}"] = float(mark.sum())
    for at, (first, second) in enumerate(pairwise(marks)):
        found[f"pairs like the person's, columns {at} and {at + 1}"] = float((first & second).sum())
    found["missing cells"] = float(table.isna().to_numpy().sum())
    return {**found, **_likelihoods(model, pair, total)}


def _like(cells: "pd.Series[Any]", person: "pd.Series[Any]", others: "pd.Series[Any]") -> Any:
    """Return which cells are nearer to the person's than to the others', or the same."""
    import pandas as pd

    his, theirs = person.iloc[0], others.iloc[0] if len(others) else None
    if pd.api.types.is_numeric_dtype(person.dtype) and not pd.api.types.is_bool_dtype(person.dtype):
        numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        if theirs is None or pd.isna(his) or pd.isna(theirs):
            return numbers >= (np.nan if pd.isna(his) else float(his))
        return np.abs(numbers - float(his)) < np.abs(numbers - float(theirs))
    if pd.isna(his):
        return cells.isna().to_numpy()
    return cells.astype(str).to_numpy(dtype=object) == str(his)


def _likelihoods(model: Any, pair: "Neighbors", total: float) -> dict[str, float]:
    """Return how likely the model holds a row of the person, and one of the others."""
    found = {}
    for name, rows in (("the person's row", pair.person), ("another row", pair.out)):
        if not len(rows):
            continue
        try:
            likely = float(model.log_likelihood(rows.iloc[:1])[0])
        except DpsynthError:  # a network that cannot tell
            continue
        found[f"log-likelihood of {name}"] = max(likely, _LEAST_LIKELY)
        found[f"expected rows like {name}"] = total * float(np.exp(min(likely, 0.0)))
    return found


def split(runs: int) -> tuple[slice, slice, slice]:
    """Return the runs to train, to select and to test by, of each world, by their ids alone."""
    eighth = runs // 8
    return slice(0, eighth), slice(eighth, 2 * eighth), slice(2 * eighth, runs)


def separation(out: Floats, within: Floats) -> float:
    """Return by how many standard deviations two samples' means differ, less what chance adds."""
    if min(out.size, within.size) < 2:
        return 0.0
    apart, spread = float(within.mean() - out.mean()), float(out.var() + within.var()) / 2
    if not spread:
        return _FAR if apart else 0.0
    return float(max(0.0, apart**2 / spread - 1 / out.size - 1 / within.size) ** 0.5)


def counted(out: Floats, within: Floats, *, above: float) -> dict[str, Any]:
    """Return the counts of a rule that says "in" above a threshold."""
    return {
        "runs_out": int(out.size),
        "false_positives": int((out > above).sum()),
        "runs_in": int(within.size),
        "false_negatives": int((within <= above).sum()),
    }


def chosen_rule(out: Floats, within: Floats) -> tuple[int, float, float]:
    """Return the column, sign and threshold that err least on runs to select by.

    Args:
        out: shape ``(runs, columns)``, without the person.
        within: with the person.
    """
    best = (np.inf, 0.0, 0, 1.0, 0.0)
    for column in range(out.shape[1]):
        for sign in (1.0, -1.0):
            low, high = np.sort(sign * out[:, column]), np.sort(sign * within[:, column])
            places = np.unique(np.concatenate([low, high]))
            middles = (places[:-1] + places[1:]) / 2
            if not middles.size:
                continue
            wrong = 1 - np.searchsorted(low, middles, side="right") / low.size
            wrong += np.searchsorted(high, middles, side="right") / high.size
            at = int(np.argmin(wrong))
            found = (float(wrong[at]), -separation(low, high), column, sign, float(middles[at]))
            best = min(best, found)
    return best[2], best[3], best[4]
