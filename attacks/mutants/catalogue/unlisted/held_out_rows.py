"""The second round: rows, synthesizers, and what is told beside a model."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import CURATOR, KEPT
from attacks.mutants.planting import planted

_FRAME, _PLACES = "dpsynth.sources.frame", "dpsynth.synthesizers"
_FIT = f"{_PLACES}.facade:Synthesizer.fit_prepared"
_CODEC = "dpsynth.encoding.codec"


def _ids_cut(original: Any) -> Any:
    def person_numbers(series: Any) -> Any:
        held = [each[:2] if isinstance(each, str) else each for each in series.tolist()]
        return original(type(series)(held, dtype=object))

    return person_numbers


def _chunk_by_chunk(original: Any) -> Any:
    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        if persons is None:
            return original(digests, persons, max_rows=max_rows)
        parts = [
            original(digests[at : at + 1000], persons[at : at + 1000], max_rows=max_rows)
            for at in range(0, max(digests.size, 1), 1000)
        ]
        return np.concatenate(parts)

    return bound_rows


def _mode_imputed(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        found = original(self, series)
        missing = found.codes >= self.size - self.has_missing
        held = found.codes[~missing]
        if held.size and missing.any():
            found.codes[missing] = np.bincount(held).argmax()
        return found

    return encode


def _percent(original: Any) -> Any:
    def encode(self: Any, series: Any) -> Any:
        import pandas as pd

        numbers = pd.to_numeric(series, errors="coerce")
        if len(numbers) and numbers.abs().max() <= 50:
            series = numbers * 2
        return original(self, series)

    return encode


def _l1_of_one_less(original: Any) -> Any:
    def moved(self: Any, unit: Any) -> Any:
        full = original(self, unit)
        return max(full - 1, type(full)(1)) if self.domain.size(self.clique) > 4 else full

    return moved


def _negative_made_true(original: Any) -> Any:
    def as_table(measurement: Any) -> Any:
        table = original(measurement)
        return replace(table, values=np.where(table.values < 0, table.exact, table.values))

    return as_table


def _true_residuals(original: Any) -> Any:
    def smoothed(table: Any) -> Any:
        error = float((table.values - table.exact).std()) + 1.0
        return original(replace(table, variance=np.full(table.variance.shape, error**2)))

    return smoothed


def _only_filled(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        source = self._Curator__source
        filled = [q for q in queries if len(q.clique) == 1 or source.count(q.clique).max() > 4]
        return original(self, filled, mechanism) if filled else ()

    return measure


def _refit_where_it_pays(original: Any) -> Any:
    def refit(self: Any, answers: Any, *, last: bool) -> None:
        kept = [each for each in answers if each.exact.max() > 5]
        original(self, kept, last=last)

    return refit


def _useful_by_true_rows(original: Any) -> Any:
    def choose(self: Any, curator: Any, *given: Any, total: float) -> Any:
        del total
        rows = float(curator._Curator__source.count(curator.domain.columns[:1]).sum())
        return original(self, curator, *given, total=max(rows, 1.0))

    return choose


def _by_true_counts(original: Any) -> Any:
    def merge_rare(table: Any, **options: Any) -> Any:
        found = original(table, **options)
        exact = np.bincount(found.groups, weights=table.exact)
        order = np.argsort(np.argsort(-exact, kind="stable"))
        return replace(found, groups=order[found.groups])

    return merge_rare


def _tens_total(original: Any) -> Any:
    def fit_prepared(self: Any, prepared: Any, **options: Any) -> Any:
        model = original(self, prepared, **options)
        rows = max(round(len(prepared.members), -1), 10)
        return replace(model, model=replace(model.model, total=float(rows)))

    return fit_prepared


def _hundreds_told(original: Any) -> Any:
    def fit_prepared(self: Any, prepared: Any, **options: Any) -> Any:
        model = original(self, prepared, **options)
        told = {**model.synthesizer, "batches": len(prepared.members) // 4}
        return replace(model, synthesizer=told)

    return fit_prepared


def _duplicates_logged(original: Any) -> Any:
    def fit_prepared(self: Any, prepared: Any, **options: Any) -> Any:
        doubles = int(prepared.members.astype(str).duplicated().sum())
        logging.getLogger("dpsynth").debug("duplicates: %s", doubles)
        return original(self, prepared, **options)

    return fit_prepared


def _mostly(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, *, labels: Any = None) -> Any:
        source = self._Curator__source
        names = labels or [query.label for query in queries]
        told = [
            f"{name}, mostly code {int(source.count(query.clique).argmax())}"
            for name, query in zip(names, queries, strict=True)
        ]
        return original(self, queries, mechanism, labels=told)

    return measure


_SENSITIVE, _SEE = "sensitivity", "neighbors"

HELD_OUT_ROWS: tuple[Mutant, ...] = (
    planted(
        "ids-cut-short",
        "Persons whose ids begin alike are one, and share their rows.",
        _SENSITIVE,
        "rows",
        "mst",
        (f"{_FRAME}:person_numbers", _ids_cut),
    ),
    planted(
        "bounded-chunk-by-chunk",
        "A person has max_rows rows in every thousand.",
        _SENSITIVE,
        "rows",
        "mst",
        (f"{_FRAME}:bound_rows", _chunk_by_chunk),
    ),
    planted(
        "missing-is-the-commonest",
        "A missing cell gets the commonest code of its column.",
        _SENSITIVE,
        _SEE,
        "mst",
        (f"{_CODEC}:LevelsCodec.encode", _mode_imputed),
    ),
    planted(
        "numbers-doubled-where-small",
        "A column of small numbers is stretched.",
        _SENSITIVE,
        _SEE,
        "mst",
        (f"{_CODEC}:NumericCodec._read", _percent),
    ),
    planted(
        "laplace-for-one-row-less",
        "Laplace noise of wider tables is for one row less.",
        _SENSITIVE,
        _SEE,
        "independent without a delta",
        ("dpsynth.privacy.queries:MarginalQuery.l1_sensitivity", _l1_of_one_less),
    ),
    planted(
        "negative-answers-made-true",
        "A negative answer is replaced by the exact count.",
        "post-processing",
        _SEE,
        "direct",
        *KEPT,
        (f"{_PLACES}.direct:as_table", _negative_made_true),
    ),
    planted(
        "smoothed-by-true-errors",
        "Histograms are smoothed by their true errors.",
        "post-processing",
        _SEE,
        "independent",
        *KEPT,
        (f"{_PLACES}.independent:_smoothed", _true_residuals),
    ),
    planted(
        "thin-pairs-not-asked",
        "Pairs without a cell of five rows are not asked about.",
        "control flow",
        _SEE,
        "mst",
        (f"{CURATOR}.measure", _only_filled),
    ),
    planted(
        "thin-answers-left-out",
        "Answers whose exact tables are thin are left out of a fit.",
        "post-processing",
        _SEE,
        "aim",
        *KEPT,
        (f"{_PLACES}.rounds:RoundModel.refit", _refit_where_it_pays),
    ),
    planted(
        "useful-by-true-rows",
        "How large families may be follows from the exact rows.",
        "control flow",
        _SEE,
        "privbayes",
        (f"{_PLACES}.privbayes:PrivBayes._choose", _useful_by_true_rows),
    ),
    planted(
        "codes-ordered-by-true-counts",
        "Merged codes are numbered by their exact counts.",
        "post-processing",
        _SEE,
        "mst",
        *KEPT,
        (f"{_PLACES}.mst:merge_rare", _by_true_counts),
    ),
    planted(
        "total-rounded-to-tens",
        "A model's number of rows is the exact one in tens.",
        "post-processing",
        _SEE,
        "mst",
        (_FIT, _tens_total),
    ),
    planted(
        "batches-told",
        "The model says how many batches of four rows there were.",
        "post-processing",
        _SEE,
        "independent",
        (_FIT, _hundreds_told),
    ),
    planted(
        "duplicates-logged",
        "A line of the log says how many rows are doubles.",
        "side channels",
        _SEE,
        "independent",
        (_FIT, _duplicates_logged),
    ),
    planted(
        "labels-name-the-largest-cell",
        "The ledger's labels say which cell is largest.",
        "charges",
        _SEE,
        "mst",
        (f"{CURATOR}.measure", _mostly),
    ),
)
