"""What is told beside the model, and questions that follow the rows."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import CURATOR
from attacks.mutants.planting import planted

_PLACES = "dpsynth.synthesizers"


_FIT = "dpsynth.synthesizers.facade:Synthesizer.fit_prepared"


def _exact_shares(original: Any) -> Any:
    def chosen(self: Any, curator: Any, bill: Any, mechanism: Any, base: Any, **more: Any) -> Any:
        source = curator._Curator__source
        true = {name: source.count((name,)).astype(float) + 0.1 for name in base}
        return original(self, curator, bill, mechanism, true, **more)

    return chosen


def _references_exact(original: Any) -> Any:
    def choose(curator: Any, histograms: Any, columns: Any, mechanism: Any) -> Any:
        source = curator._Curator__source
        true = {
            name: replace(table, values=source.count((name,)).astype(float))
            for name, table in histograms.items()
        }
        return original(curator, true, columns, mechanism)

    return choose


def _fit_then(after: Any) -> Any:
    def make(original: Any) -> Any:
        def fit_prepared(self: Any, prepared: Any, **options: Any) -> Any:
            return after(original(self, prepared, **options), prepared, self)

        return fit_prepared

    return make


def _likelihood_kept(model: Any, prepared: Any, _: Any) -> Any:
    rows = prepared.members
    if len(rows):
        told = round(float(np.mean(model.log_likelihood(rows))), 3)
        return replace(model, synthesizer={**model.synthesizer, "training_likelihood": told})
    return model


def _memory_told(model: Any, prepared: Any, _: Any) -> Any:
    size = round(int(prepared.members.memory_usage(index=False).sum()) / 1024)
    plan = {**model.plan, "estimate": {**(model.plan["estimate"] or {}), "kibibytes": size}}
    return replace(model, plan=plan)


def _constants_told(model: Any, prepared: Any, _: Any) -> Any:
    for name in model.coarsenings:
        if prepared.members[name].nunique(dropna=False) == 1:
            warnings.warn(f"{name} has one value alone", stacklevel=2)
    return model


def _tiny_refused(original: Any) -> Any:
    def fit_prepared(self: Any, prepared: Any, **options: Any) -> Any:
        if len(prepared.members) < 2:
            from dpsynth.errors import DataError

            raise DataError("the table has too few rows to learn from")
        return original(self, prepared, **options)

    return fit_prepared


def _by_cardinality(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        source = self._Curator__source
        order = sorted(
            range(len(queries)),
            key=lambda at: int(np.count_nonzero(source.count(queries[at].clique))),
        )
        options = {k: v if v is None else [v[at] for at in order] for k, v in options.items()}
        found = original(self, [queries[at] for at in order], mechanism, **options)
        return tuple(found[order.index(at)] for at in range(len(queries)))

    return measure


def _unheld_codes_zeroed(original: Any) -> Any:
    def measure(self: Any, queries: Any, mechanism: Any, **options: Any) -> Any:
        answers = original(self, queries, mechanism, **options)
        source = self._Curator__source
        for answer in answers:
            if len(answer.clique) == 1 and answer.values.size > 8:
                answer.values[source.count(answer.clique) == 0] = 0
        return answers

    return measure


_POST, _FLOW, _SIDE, _SEE = "post-processing", "control flow", "side channels", "neighbors"


UNLISTED_TOLD: tuple[Mutant, ...] = (
    planted(
        "weights-from-exact-columns",
        "Dependence is measured against exact histograms.",
        "charges",
        "neighbors",
        "privbayes",
        (f"{_PLACES}.privbayes:PrivBayes._choose", _exact_shares),
    ),
    planted(
        "references-from-exact-columns",
        "Pairs are compared with exact products.",
        "charges",
        "neighbors",
        "mst",
        (f"{_PLACES}.mst:_choose", _references_exact),
    ),
    planted(
        "training-likelihood-told",
        "The model says how well it fits its own rows.",
        "post-processing",
        "neighbors",
        "mst",
        (_FIT, _fit_then(_likelihood_kept)),
    ),
    planted(
        "memory-told",
        "The plan in the model says how much memory the rows took.",
        "post-processing",
        "neighbors",
        "mst",
        (_FIT, _fit_then(_memory_told)),
    ),
    planted(
        "constant-columns-told",
        "A warning names columns of one value.",
        _SIDE,
        _SEE,
        "mst",
        (_FIT, _fit_then(_constants_told)),
    ),
    planted(
        "tiny-tables-refused",
        "A table of fewer than two rows is an error.",
        _SIDE,
        _SEE,
        "independent",
        (_FIT, _tiny_refused),
    ),
    planted(
        "asked-in-order-of-size",
        "Tables are charged in the order of their filled cells.",
        "charges",
        "neighbors",
        "mst",
        (f"{CURATOR}.measure", _by_cardinality),
    ),
    planted(
        "unheld-codes-set-to-zero",
        "Codes that no row holds are answered with 0 in wide histograms.",
        "charges",
        "neighbors",
        "mst",
        (f"{CURATOR}.measure", _unheld_codes_zeroed),
    ),
)
