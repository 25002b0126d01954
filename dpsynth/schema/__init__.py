"""Public facts about one table: columns, ranges, unit, roles, each with its origin."""

from dpsynth.schema.codes import Rollup
from dpsynth.schema.columns import (
    KINDS,
    MAX_OWN_LEVELS,
    AnyColumn,
    BooleanColumn,
    CategoricalColumn,
    Column,
    ContinuousColumn,
    DateColumn,
    ExcludedColumn,
    IdentifierColumn,
    IntegerColumn,
    LevelsColumn,
    ModeledColumn,
    NumericColumn,
    OrdinalColumn,
)
from dpsynth.schema.document import OpenItem, Schema, Unit
from dpsynth.schema.provenance import Provenance
from dpsynth.schema.rules import Range, Rule

__all__ = [
    "KINDS",
    "MAX_OWN_LEVELS",
    "AnyColumn",
    "BooleanColumn",
    "CategoricalColumn",
    "Column",
    "ContinuousColumn",
    "DateColumn",
    "ExcludedColumn",
    "IdentifierColumn",
    "IntegerColumn",
    "LevelsColumn",
    "ModeledColumn",
    "NumericColumn",
    "OpenItem",
    "OrdinalColumn",
    "Provenance",
    "Range",
    "Rollup",
    "Rule",
    "Schema",
    "Unit",
]
