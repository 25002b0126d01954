"""Sensitivities that are wrong in one branch alone."""

from fractions import Fraction
from typing import Any

from attacks.mutants.base import Mutant
from attacks.mutants.planting import planted

_QUERIES = "dpsynth.privacy.queries"


def _three_way(original: Any) -> Any:
    def squared(self: Any, unit: Any) -> Fraction:
        full: Fraction = original(self, unit)
        return Fraction(unit.max_rows) if len(self.clique) > 2 else full

    return squared


def _one_less(original: Any) -> Any:
    def moved(unit: Any) -> Fraction:
        return max(Fraction(1), Fraction(original(unit)) - 1)

    return moved


def _wide_tables(original: Any) -> Any:
    def squared(self: Any, unit: Any) -> Fraction:
        full: Fraction = original(self, unit)
        return Fraction(unit.max_rows) if self.domain.size(self.clique) >= 30 else full

    return squared


def _least_weight(original: Any) -> Any:
    def sensitivity(self: Any, unit: Any) -> Any:
        return Fraction(original(self, unit)) / max(self.weights) * min(self.weights)

    return sensitivity


def _one_row(original: Any) -> Any:
    def sensitivity(self: Any, unit: Any) -> Any:
        return Fraction(original(self, unit)) / unit.max_rows

    return sensitivity


def _wide_l1(original: Any) -> Any:
    def moved(self: Any, unit: Any) -> Fraction:
        return Fraction(1) if len(self.clique) > 1 else Fraction(original(self, unit))

    return moved


def _many_candidates(original: Any) -> Any:
    def squared(self: Any, unit: Any) -> Fraction:
        return Fraction(original(self, unit)) / len(self.weights)

    return squared


def _with_rules(original: Any) -> Any:
    def squared(self: Any, unit: Any) -> Fraction:
        full: Fraction = original(self, unit)
        ruled = {name for zero in self.domain.zeros for name in zero.columns}
        return Fraction(1) if ruled & set(self.clique) else full

    return squared


def _distance_in_means(original: Any) -> Any:
    del original

    def distance(self: Any, candidate: int, counts: Any) -> int:
        apart = self.resolution * counts.astype(float) - self.references[candidate]
        return int((apart**2).sum() // (64 * self.resolution))

    return distance


UNLISTED_QUESTIONS: tuple[Mutant, ...] = (
    planted(
        "three-way-tables-too-cheap",
        "Tables of three columns and more count rows, not their square.",
        "sensitivity",
        "neighbors",
        "direct",
        (f"{_QUERIES}:MarginalQuery.l2_sensitivity_squared", _three_way),
    ),
    planted(
        "one-row-less-than-declared",
        "Sensitivities are for one row less than max_rows.",
        "sensitivity",
        "neighbors",
        "mst",
        (f"{_QUERIES}:_rows_moved", _one_less),
    ),
    planted(
        "large-tables-spread-a-person",
        "In tables of 30 cells a person's rows are taken to fall into different cells.",
        "sensitivity",
        "neighbors",
        "direct",
        (f"{_QUERIES}:MarginalQuery.l2_sensitivity_squared", _wide_tables),
    ),
    planted(
        "least-weight-for-the-largest",
        "A weighted score is as sensitive as the lightest.",
        "sensitivity",
        "neighbors",
        "aim with a target",
        (f"{_QUERIES}:MarginalErrorQuery.sensitivity", _least_weight),
    ),
    planted(
        "dependence-of-one-row",
        "Dependence scores forget max_rows.",
        "sensitivity",
        "neighbors",
        "privbayes",
        (f"{_QUERIES}:DependenceQuery.sensitivity", _one_row),
    ),
    planted(
        "values-of-one-row",
        "Selections of values take a person to hold one value.",
        "sensitivity",
        "neighbors",
        "mst of open columns",
        (f"{_QUERIES}:ValuesQuery.l2_sensitivity_squared", _one_row),
    ),
    planted(
        "new-values-of-one-row",
        "Selections of values take a person to bring one new value.",
        "sensitivity",
        "neighbors",
        "mst of open columns",
        (f"{_QUERIES}:ValuesQuery.max_new", _one_row),
    ),
    planted(
        "pair-tables-charged-for-one-row",
        "Without a delta, tables of several columns are charged as if a person had one row.",
        "sensitivity",
        "neighbors",
        "privbayes without a delta",
        (f"{_QUERIES}:MarginalQuery.l1_sensitivity", _wide_l1),
    ),
    planted(
        "all-scores-as-sensitive-as-one",
        "All distances together count as one of them.",
        "sensitivity",
        "neighbors",
        "auto",
        (f"{_QUERIES}:MarginalErrorQuery.l2_sensitivity_squared", _many_candidates),
    ),
    planted(
        "ruled-columns-of-one-row",
        "Tables of columns with rules forget max_rows.",
        "sensitivity",
        "neighbors",
        "mst with rules",
        (f"{_QUERIES}:MarginalQuery.l2_sensitivity_squared", _with_rules),
    ),
    planted(
        "squared-distances",
        "Distances are squared, and their sensitivity is not.",
        "sensitivity",
        "neighbors",
        "mst",
        (f"{_QUERIES}:MarginalErrorQuery.distance", _distance_in_means),
    ),
)
