"""Planted bugs in what one person can move: sensitivities, bounds on contributions, weights."""

from fractions import Fraction
from typing import Any

import numpy as np

from attacks.mutants.base import Mutant, Patch, patches

_QUERIES = "dpsynth.privacy.queries"


def _one_row(_: Any) -> Any:
    return lambda unit: Fraction(1)


def _not_squared(_: Any) -> Any:
    return lambda self, unit: Fraction(unit.max_rows)


def _half(original: Any) -> Any:
    return lambda self, unit: original(self, unit) / 2


def _one_score_for_all(original: Any) -> Any:
    return lambda self, unit: original(self, unit) / len(self.cliques)


def _one_pair(original: Any) -> Any:
    return lambda columns: min(1, original(columns))


def _unbounded(_: Any) -> Any:
    return lambda digests, persons, *, max_rows: np.ones(digests.shape, dtype=np.bool_)


def _one_too_many(original: Any) -> Any:
    return lambda digests, persons, *, max_rows: original(digests, persons, max_rows=max_rows + 1)


def _table_bounded(original: Any) -> Any:
    """Keep the last rows of the table: whoever comes pushes somebody out."""

    def bound_rows(digests: Any, persons: Any, *, max_rows: int) -> Any:
        kept = original(digests, persons, max_rows=max_rows)
        places = np.flatnonzero(kept)
        kept[places[: max(0, places.size - 10)]] = False
        return kept

    return bound_rows


def _by_rows(original: Any) -> Any:
    return lambda self, units: original(self, np.arange(units.size))


def _repeated_rare(original: Any) -> Any:
    """Give rows whose first column is rare five times the weight of others."""

    def count_rows(codes: Any, domain: Any, clique: Any) -> Any:
        first = next(iter(codes.values()))
        held = np.bincount(first, minlength=int(domain.sizes[domain.columns[0]]))
        rare = held[first] * 2 < first.size if first.size else np.zeros(0, dtype=np.bool_)
        weights = np.where(rare, 5, 1)
        repeated = {name: np.repeat(column, weights) for name, column in codes.items()}
        return original(repeated, domain, clique)

    return count_rows


def _never_in_batches(original: Any) -> Any:
    """Count tables one by one: what a count gives is then patched in one place alone."""
    del original

    def count_many(self: Any, cliques: Any) -> Any:
        return map(self.count, cliques)

    return count_many


def _from_least_to_greatest(original: Any) -> Any:
    """Stretch numeric codes over the range between the least and the greatest that occur."""
    from dataclasses import replace

    def encode_table(frame: Any, schema: Any) -> Any:
        found = original(frame, schema)
        codes = dict(found.codes)
        for name in ("age", "cost"):
            held = codes.get(name)
            if held is None or not held.size or held.max() == held.min():
                continue
            most, low = int(held.max()), int(held.min())
            stretched = (held.astype(np.int64) - low) * most // (most - low)
            codes[name] = stretched.astype(held.dtype)
        return replace(found, codes=codes)

    return encode_table


def _states_replace(original: Any) -> Any:
    def to_dict(self: Any) -> Any:
        document = original(self)
        return {**document, "unit": {**document["unit"], "neighboring": "replace"}}

    return to_dict


def _charged_once(original: Any) -> Any:
    """Charge for one table where several are asked for at once."""

    def charge(self: Any, charges: Any) -> Any:
        made = original(self, charges[:1])
        return made * len(charges) if made else made

    return charge


def _mutant(name: str, sentence: str, patch: Patch, **more: str) -> Mutant:
    named = {"component": "sensitivity", "audit": "neighbors", "subject": "mst", **more}
    return Mutant(name=name, sentence=sentence, patch=patch, **named)


SENSITIVITY = (
    _mutant(
        "max-rows-forgotten",
        "A person is taken for one row, whatever they may contribute.",
        patches((f"{_QUERIES}:_rows_moved", _one_row)),
        subject="independent",
    ),
    _mutant(
        "l1-for-l2",
        "The L1 sensitivity stands where the squared L2 sensitivity belongs.",
        patches((f"{_QUERIES}:MarginalQuery.l2_sensitivity_squared", _not_squared)),
    ),
    _mutant(
        "number-of-marginals-forgotten",
        "All scores are released together with the noise that one of them needs.",
        patches(
            (f"{_QUERIES}:MarginalErrorQuery.l2_sensitivity_squared", _one_score_for_all),
            ("dpsynth.synthesizers.loom_bill:_pairs", _one_pair),
        ),
        subject="auto",
    ),
    _mutant(
        "tables-charged-once",
        "Several tables are measured, and one is charged.",
        patches(("dpsynth.privacy.ledger:Account.charge", _charged_once)),
        component="charges",
    ),
    _mutant(
        "replace-claimed",
        "The plan promises to hide who was replaced, with noise for who was added or removed.",
        patches(("dpsynth.synthesizers.plan:Plan.to_dict", _states_replace)),
        audit="bill",
    ),
    _mutant(
        "score-sensitivity-halved",
        "A score is said to move half as far as it can.",
        patches((f"{_QUERIES}:MarginalErrorQuery.sensitivity", _half)),
    ),
    _mutant(
        "dependence-sensitivity-halved",
        "The second table that a row moves is forgotten in the sensitivity of a score.",
        patches((f"{_QUERIES}:DependenceQuery.sensitivity", _half)),
        subject="privbayes",
    ),
    _mutant(
        "contributions-unbounded",
        "All rows of a person are counted.",
        patches(("dpsynth.sources.frame:bound_rows", _unbounded)),
    ),
    _mutant(
        "one-row-too-many",
        "One row more than declared is kept of every person.",
        patches(("dpsynth.sources.frame:bound_rows", _one_too_many)),
    ),
    _mutant(
        "table-cut-to-size",
        "The table is cut to its last rows: who comes pushes others out.",
        patches(("dpsynth.sources.frame:bound_rows", _table_bounded)),
    ),
    _mutant(
        "values-counted-by-rows",
        "A person's rows each count for a value of an open column.",
        patches(("dpsynth.encoding.undeclared:Undeclared.holders", _by_rows)),
        subject="mst of open columns",
    ),
    _mutant(
        "rare-rows-repeated",
        "Rows of a rare kind count five times, so that a model learns them.",
        patches(
            ("dpsynth.sources.frame:count_rows", _repeated_rare),
            ("dpsynth.sources.frame:FrameSource.count_many", _never_in_batches),
        ),
    ),
    _mutant(
        "bounds-from-the-rows",
        "Numbers are scaled by the least and the greatest that occur.",
        patches(("dpsynth.sources.frame:encode_table", _from_least_to_greatest)),
    ),
)
