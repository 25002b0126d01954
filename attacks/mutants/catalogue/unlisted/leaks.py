"""Synthesizers that look at what they did not pay for, or tell what nobody noised."""

from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import KEPT, MECHANISMS
from attacks.mutants.planting import planted

_PLACES = "dpsynth.synthesizers"


def _exactly(table: Any) -> Any:
    """Return the table with the counts that were kept beside it."""
    exact = getattr(table, "exact", None)
    if exact is None or exact.shape != table.values.shape:
        return table
    found = replace(table, values=exact)
    object.__setattr__(found, "exact", exact)
    return found


def _first_table_exact(original: Any) -> Any:
    def changed(table: Any, *rest: Any, **options: Any) -> Any:
        return original(_exactly(table), *rest, **options)

    return changed


def _where_ruled(original: Any) -> Any:
    def merge_rare(table: Any, *, alike: Any = None, **options: Any) -> Any:
        seen = table if alike is None else _exactly(table)
        return original(seen, alike=alike, **options)

    return merge_rare


def _unseen_forbidden(original: Any) -> Any:
    def as_table(measurement: Any) -> Any:
        table = original(measurement)
        if len(table.clique) > 1:
            values = np.where(table.exact == 0, 0.0, table.values)
            return replace(table, values=values)
        return table

    return as_table


def _exact_total(original: Any) -> Any:
    def estimate_total(tables: Any) -> float:
        found = getattr(tables[0], "exact", None)
        return float(original(tables)) if found is None else max(1.0, float(found.sum()))

    return estimate_total


def _near_total(original: Any) -> Any:
    def estimate_total(tables: Any) -> float:
        noisy, found = float(original(tables)), getattr(tables[0], "exact", None)
        if found is None:
            return noisy
        exact = float(found.sum())
        return exact if abs(noisy - exact) < 0.05 * exact else noisy

    return estimate_total


def _informed_exactly(original: Any) -> Any:
    def informed(prior: Any, table: Any, *, total: float) -> Any:
        seen = table if prior is None else _exactly(table)
        return original(prior, seen, total=total)

    return informed


def _target_exact(original: Any) -> Any:
    def choose(
        self: Any,
        forecast: Any,
        best: Any,
        bill: Any,
        graph: Any,
        columns: Any,
        histograms: Any,
        **options: Any,
    ) -> Any:
        if self.target in histograms:
            exact = _exactly(histograms[self.target])
            histograms[self.target] = exact
        return original(self, forecast, best, bill, graph, columns, histograms, **options)

    return choose


def _later_rounds_exact(original: Any) -> Any:
    calls: dict[int, int] = {}

    def refit(self: Any, answers: Any, *, last: bool) -> None:
        calls[id(self)] = calls.get(id(self), 0) + 1
        if calls[id(self)] > 1:
            answers = [_exactly(each) for each in answers]
        if last:
            del calls[id(self)]
        original(self, answers, last=last)

    return refit


_TRUE: list[Any] = []  # of the last scores: noisy and exact


def _scores_kept(original: Any) -> Any:
    def release(self: Any, counts: Any, *, rng: Any) -> Any:
        answer = original(self, counts, rng=rng)
        _TRUE[:] = [answer, counts.copy()]
        return answer

    return release


def _true_distances(original: Any) -> Any:
    def likely(noisy: Any, stddev: float, *, total: float, answers: int) -> Any:
        exact = _TRUE[1] / 64
        return original(exact, stddev, total=total, answers=answers)

    return likely


def _true_distances_of_many(original: Any) -> Any:
    def likely(noisy: Any, stddev: float, *, total: float, answers: int) -> Any:
        seen = _TRUE[1] / 64 if noisy.size > answers else noisy
        return original(seen, stddev, total=total, answers=answers)

    return likely


def _exact_bins(original: Any) -> Any:
    def cut(noisy: Any, tool: Any, **options: Any) -> Any:
        from attacks.mutants.catalogue.unlisted.tools import exact_of

        found = original(noisy, tool, **options)
        return replace(found, weights=exact_of(noisy).astype(float))

    return cut


_RELEASE = f"{MECHANISMS}:DiscreteGaussian.release"


_LIKELY = f"{_PLACES}.auto:likely_distances"


_POST, _FLOW, _SIDE, _SEE = "post-processing", "control flow", "side channels", "neighbors"


UNLISTED_LEAKS: tuple[Mutant, ...] = (
    planted(
        "rare-codes-by-exact-counts",
        "Which codes are merged is decided by exact counts.",
        _POST,
        _SEE,
        "mst",
        *KEPT,
        (f"{_PLACES}.mst:merge_rare", _first_table_exact),
    ),
    planted(
        "rare-codes-by-exact-counts-where-ruled",
        "The same where rules keep codes apart.",
        _POST,
        _SEE,
        "mst with rules",
        *KEPT,
        (f"{_PLACES}.mst:merge_rare", _where_ruled),
    ),
    planted(
        "unseen-pairs-forbidden",
        "Cells of pair tables that no row falls into are set to 0.",
        _POST,
        _SEE,
        "mst",
        *KEPT,
        (f"{_PLACES}.mst:as_table", _unseen_forbidden),
    ),
    planted(
        "total-of-the-exact-table",
        "The number of rows comes from kept exact counts.",
        _POST,
        _SEE,
        "direct",
        *KEPT,
        (f"{_PLACES}.direct:estimate_total", _exact_total),
    ),
    planted(
        "total-moved-to-the-truth",
        "A noisy total near the true one is moved there.",
        _POST,
        _SEE,
        "aim",
        *KEPT,
        (f"{_PLACES}.aim:estimate_total", _near_total),
    ),
    planted(
        "prior-joined-with-exact-counts",
        "Where there is a prior, it is joined with exact counts.",
        _POST,
        _SEE,
        "auto with a prior",
        *KEPT,
        (f"{_PLACES}.loom_columns:informed", _informed_exactly),
    ),
    planted(
        "target-histogram-exact",
        "The declared target's histogram is the exact one.",
        _POST,
        _SEE,
        "auto with a target",
        *KEPT,
        (f"{_PLACES}.auto:Auto._choose", _target_exact),
    ),
    planted(
        "later-rounds-exact",
        "From the second round on the model is fitted to exact tables.",
        _POST,
        _SEE,
        "aim",
        *KEPT,
        (f"{_PLACES}.rounds:RoundModel.refit", _later_rounds_exact),
    ),
    planted(
        "tables-shared-out-by-true-distances",
        "Which tables are asked for follows from exact distances.",
        _FLOW,
        _SEE,
        "auto",
        (_RELEASE, _scores_kept),
        (_LIKELY, _true_distances),
    ),
    planted(
        "true-distances-of-many-pairs",
        "The same where there are more pairs than answers.",
        _FLOW,
        _SEE,
        "auto of many columns",
        (_RELEASE, _scores_kept),
        (_LIKELY, _true_distances_of_many),
    ),
    planted(
        "bins-weighted-by-exact-counts",
        "Values within a bin spread as the rows do.",
        _POST,
        _SEE,
        "mst of open columns",
        *KEPT,
        ("dpsynth.encoding.bins:cut", _exact_bins),
    ),
)
