"""Planted bugs that carry something of the rows past the noise: into what is asked, said or drawn.

A mutant that needs the rows takes them where a programmer in a hurry would: from the prepared
table, which a fit is given for the custodian's audit.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from attacks.mutants.base import Maker, Mutant, Patch, patches

_FIT = "dpsynth.synthesizers.facade:Synthesizer.fit_prepared"
_SAMPLE = "dpsynth.synthesizers.fitted:FittedModel.sample"
_MEMBERS: list[Any] = []  # the table of the last fit


def _keeping(original: Any) -> Any:
    """Keep the table that is fitted, for other patches, and with the model."""

    def fit_prepared(self: Any, prepared: Any, **named: Any) -> Any:
        _MEMBERS[:] = [prepared.members]
        model = original(self, prepared, **named)
        object.__setattr__(model, "_members", prepared.members)
        return model

    return fit_prepared


def _fitted(change: Callable[[Any, Any], Any]) -> Maker:
    """Return what changes a fitted model: ``change(model, rows)``."""

    def make(original: Any) -> Any:
        def fit_prepared(self: Any, prepared: Any, **named: Any) -> Any:
            return change(original(self, prepared, **named), prepared.members)

        return fit_prepared

    return make


def _sampled(change: Callable[[Any, Any, Any], Any]) -> Patch:
    """Patch a model's samples: ``change(draw, rows, seed)``, where ``draw`` is the right way."""

    def make(original: Any) -> Any:
        def sample(self: Any, rows: Any = None, *, seed: Any = None, given: Any = None) -> Any:
            def draw(other: Any = seed) -> Any:
                return original(self, rows, seed=other, given=given)

            members = getattr(self, "_members", None)
            return draw() if members is None else change(draw, members, seed)

        return sample

    return patches((_FIT, _keeping), (_SAMPLE, make))


def _exact_total(model: Any, rows: Any) -> Any:
    return replace(model, model=replace(model.model, total=float(max(len(rows), 1))))


def _exact_shares(model: Any, rows: Any) -> Any:
    """Take how values spread within merged codes from the rows."""
    if "ward" not in rows or "ward" not in model.coarsenings:
        return model
    column = rows["ward"].to_numpy()
    weights = model.coarsenings["ward"].weights
    share = float(np.mean(column == "a")) if len(column) else 0.5
    merged = replace(model.coarsenings["ward"], weights=weights * (1 + share / 1000))
    return replace(model, coarsenings={**model.coarsenings, "ward": merged})


def _rows_held(model: Any, rows: Any) -> Any:
    object.__setattr__(model, "plan", {**model.plan, "ages": rows["age"].tolist()})
    return model


def _count_in_the_plan(model: Any, rows: Any) -> Any:
    return replace(model, plan={**model.plan, "fitted_rows": len(rows)})


def _rare_rows(draw: Any, rows: Any, _: Any) -> Any:
    import pandas as pd

    drawn = draw()
    if not {"age", "ward"} <= set(rows):
        return drawn
    rare = rows.drop_duplicates(["age", "ward"], keep=False).head(3).assign(pid="someone")
    return pd.concat([drawn, rare[list(drawn.columns)]], ignore_index=True) if len(rare) else drawn


def _identifiers(draw: Any, rows: Any, _: Any) -> Any:
    drawn = draw()
    if len(rows) and "pid" in drawn and "pid" in rows:
        drawn["pid"] = np.resize(rows["pid"].to_numpy(), len(drawn))
    return drawn


def _nearest_raw(draw: Any, rows: Any, _: Any) -> Any:
    """Draw a value of the rows within the drawn bin, in place of an even one."""
    drawn = draw()
    if "cost" not in rows:
        return drawn
    held = np.sort(rows["cost"].dropna().to_numpy(dtype=np.float64, na_value=np.nan))
    if held.size:
        places = np.searchsorted(held, drawn["cost"].to_numpy()).clip(0, held.size - 1)
        drawn["cost"] = held[places]
    return drawn


def _until_it_passes(draw: Any, rows: Any, seed: Any) -> Any:
    """Sample with ten seeds, and keep the table whose mean is nearest to that of the rows."""
    if "age" not in rows:
        return draw()
    mean = float(np.nan_to_num(rows["age"].to_numpy(dtype=np.float64, na_value=np.nan)).sum())
    tries = [draw((seed or 0) + number) for number in range(10)]
    goal = mean / max(len(rows), 1)
    return min(tries, key=lambda table: abs(float(table["age"].mean()) - goal))


def _never_too_near(draw: Any, rows: Any, _: Any) -> Any:
    """Drop synthetic rows that equal a real one, as a filter for privacy: their absence tells."""
    drawn = draw()
    if not {"age", "sex"} <= set(rows):
        return drawn
    held = set(zip(rows["age"], rows["sex"], strict=True))
    kept = [pair not in held for pair in zip(drawn["age"], drawn["sex"], strict=True)]
    return drawn[kept].reset_index(drop=True)


def _exact_levels(_: Any) -> Any:
    """Merge the codes that no row holds, by the rows."""
    from dpsynth.encoding.coarsening import Coarsening

    def merge_rare(histogram: Any, *, threshold: float, levels: int, alike: Any = None) -> Any:
        del threshold, levels, alike
        size = histogram.values.size
        held = np.ones(size, dtype=np.bool_)
        if _MEMBERS and histogram.clique == ("ward",):
            present = set(_MEMBERS[0]["ward"].dropna())
            held = np.array([level in present for level in "abcde"] + [True] * (size - 5))
        groups = np.where(held, np.cumsum(held) - 1, held.sum()).astype(np.int64)
        return Coarsening(groups=groups, weights=np.ones(size))

    return merge_rare


def _exact_domain(original: Any) -> Any:
    """Give every column as many codes as the largest that occurs says."""

    def init(self: Any, codes: Any, domain: Any, **named: Any) -> None:
        sizes = {
            name: max(2, 1 + int(codes[name].max(initial=0)))
            if name in codes and len(codes[name])
            else size
            for name, size in domain.sizes.items()
        }
        original(self, codes, replace(domain, sizes=sizes), **named)

    return init


def _exact_bins(_: Any) -> Any:
    """Cut bins at the quantiles of the rows, after paying for noisy ones."""
    from dpsynth.encoding.coarsening import Coarsening

    def cut(noisy: Any, tool: Any, *, bins: int, stddev: float) -> Any:
        del stddev
        size = noisy.size
        held = _MEMBERS[0]["cost"].dropna().to_numpy(dtype=np.float64, na_value=np.nan)
        held = np.unique(np.clip(np.nan_to_num(held), 0, 1000))
        count = max(2, min(bins, held.size))
        edges = np.quantile(held, np.arange(1, count) / count) if held.size else np.array([500.0])
        places = np.unique(np.searchsorted(tool.grid.starts, edges).clip(1, size - 1))
        starts = np.zeros(size, dtype=np.int64)
        starts[places] = 1
        return Coarsening(groups=np.cumsum(starts), weights=np.ones(size))

    return cut


def _structure(original: Any) -> Any:
    """Pay for the selections, and use the pairs that hang together most in the rows."""

    def choose(curator: Any, histograms: Any, columns: Any, mechanism: Any) -> Any:
        chosen = original(curator, histograms, columns, mechanism)
        rows = _MEMBERS[0]
        hub = max(columns, key=lambda name: rows[name].astype(str).nunique())
        return [
            tuple(sorted((hub, other), key=list(columns).index))
            for other in columns
            if other != hub
        ][: len(chosen)]

    return choose


def _order(original: Any) -> Any:
    """Ask for the columns in the order of how many values they hold in the rows."""

    def measure(self: Any, curator: Any) -> Any:
        rows = _MEMBERS[0]
        order = sorted(self.noise, key=lambda name: rows[name].astype(str).nunique())
        object.__setattr__(self, "noise", {name: self.noise[name] for name in order})
        return original(self, curator)

    return measure


def _rounds(original: Any) -> Any:
    """Choose more tables where there are more rows."""

    def choices(rho: Any) -> int:
        rows = len(_MEMBERS[0]) if _MEMBERS else 0
        return int(original(rho)) + (1 if rows > 11 else 0)

    return choices


def _forgetting(original: Any) -> Any:
    """Forget the table after the fit, so that a plan made later does not see it."""

    def fit_prepared(self: Any, prepared: Any, **named: Any) -> Any:
        _MEMBERS[:] = [prepared.members]
        try:
            return original(self, prepared, **named)
        finally:
            _MEMBERS.clear()

    return fit_prepared


def _logs(model: Any, rows: Any) -> Any:
    logging.getLogger("dpsynth").debug("fitted %d rows", len(rows))
    return model


def _warns(model: Any, rows: Any) -> Any:
    if "age" in rows and rows["age"].isna().any():
        warnings.warn("some ages are missing", stacklevel=2)
    return model


def _crashes(model: Any, rows: Any) -> Any:
    for each in rows.get("age", ()):
        if isinstance(each, float) and np.isinf(each):
            raise ValueError("an age is infinite")
    return model


def _prints(model: Any, rows: Any) -> Any:
    if len(rows) < 10:
        print("this is a small table")  # noqa: T201  # the bug that is planted
    return model


def _mutant(name: str, sentence: str, patch: Patch, **more: str) -> Mutant:
    named = {"component": "post-processing", "audit": "neighbors", "subject": "mst", **more}
    return Mutant(name=name, sentence=sentence, patch=patch, **named)


PAST = (
    _mutant(
        "exact-number-of-rows",
        "The model knows the exact number of rows.",
        patches((_FIT, _fitted(_exact_total))),
    ),
    _mutant(
        "exact-number-in-a-document",
        "A document beside the model states the exact number of rows.",
        patches((_FIT, _fitted(_count_in_the_plan))),
    ),
    _mutant(
        "exact-shares-within-codes",
        "How values spread within a code comes from the rows.",
        patches((_FIT, _fitted(_exact_shares))),
    ),
    _mutant(
        "sampled-until-it-passes",
        "Tables are drawn until one is near enough to the rows.",
        _sampled(_until_it_passes),
    ),
    _mutant(
        "copies-filtered-out",
        "Synthetic rows that equal a real one are dropped, so that their absence tells.",
        _sampled(_never_too_near),
    ),
    _mutant(
        "rare-rows-copied",
        "Rare rows are copied into the synthetic table.",
        _sampled(_rare_rows),
        audit="raw",
        component="raw values",
    ),
    _mutant(
        "identifiers-copied",
        "Identifiers of the rows stand in the synthetic table.",
        _sampled(_identifiers),
        audit="raw",
        component="raw values",
    ),
    _mutant(
        "decoded-from-raw-values",
        "Within a bin the values of the rows are drawn.",
        _sampled(_nearest_raw),
        audit="raw",
        component="raw values",
    ),
    _mutant(
        "categories-from-the-rows",
        "Categories that no row holds are merged, by the rows.",
        patches((_FIT, _keeping), ("dpsynth.synthesizers.mst:merge_rare", _exact_levels)),
        component="control flow",
    ),
    _mutant(
        "domain-from-the-rows",
        "A column has as many codes as the largest that occurs says.",
        patches(("dpsynth.sources.frame:FrameSource.__init__", _exact_domain)),
        subject="independent",
        component="control flow",
    ),
    _mutant(
        "bins-from-the-rows",
        "Bins are cut at the quantiles of the rows.",
        patches((_FIT, _keeping), ("dpsynth.encoding.bins:cut", _exact_bins)),
        subject="mst of open columns",
        component="control flow",
    ),
    _mutant(
        "structure-from-the-rows",
        "Selections are paid for, and pairs chosen by the rows.",
        patches((_FIT, _keeping), ("dpsynth.synthesizers.mst:_choose", _structure)),
        component="control flow",
    ),
    _mutant(
        "order-from-the-rows",
        "Columns are asked for in an order that the rows give.",
        patches((_FIT, _keeping), ("dpsynth.synthesizers.one_way:OneWayPhase.measure", _order)),
        component="control flow",
    ),
    _mutant(
        "rounds-from-the-rows",
        "How many tables are chosen follows the number of rows.",
        patches((_FIT, _forgetting), ("dpsynth.synthesizers.aim:_choices_per_column", _rounds)),
        subject="aim",
        component="control flow",
    ),
    _mutant(
        "count-logged",
        "A log line states the number of rows.",
        patches((_FIT, _fitted(_logs))),
        component="side channels",
    ),
    _mutant(
        "warning-on-a-missing-cell",
        "A warning says that a column holds missing cells.",
        patches((_FIT, _fitted(_warns))),
        component="side channels",
    ),
    _mutant(
        "crash-on-an-odd-cell",
        "A fit ends with an error where a cell is infinite.",
        patches((_FIT, _fitted(_crashes))),
        component="side channels",
    ),
    _mutant(
        "small-table-printed",
        "A line on standard output says that the table is small.",
        patches((_FIT, _fitted(_prints))),
        component="side channels",
    ),
)
