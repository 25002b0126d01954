"""Every registered synthesizer, ready to be put on trial: whoever registers one enrolls it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpsynth.schema import Schema
    from dpsynth.synthesizers.facade import Synthesizer

_STEPS = 6  # of a training: what is on trial does not need more
# A column of every kind, and few enough cells for one table of all of them.
_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 4},
    {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
    {"name": "ward", "kind": "ordinal", "values": ["a", "b", "c"], "nullable": True},
    {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "bins": 3},
    {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"], "bins": 3},
    {"name": "ill", "kind": "boolean"},
    {"name": "pid", "kind": "identifier"},
)


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """A synthesizer with a schema and a budget that it has a plan for.

    Attributes:
        name: as it is registered.
        synthesizer: with its default settings, but for a training of few steps.
        schema: of persons, with a column of every kind.
        epsilon: exact text.
        delta: exact text.
        trains: whether torch is needed.
    """

    name: str
    synthesizer: "Synthesizer"
    schema: "Schema"
    epsilon: str
    delta: str
    trains: bool


def enrolled() -> tuple[Enrolled, ...]:
    """Return all that are registered, by name."""
    from dpsynth.schema import Schema
    from dpsynth.synthesizers import registry
    from dpsynth.synthesizers.deep import Deep

    schema = Schema.from_dict(
        {
            "columns": list(_COLUMNS),
            "expected_rows": 1000,
            "target": "ill",
            "unit": {"kind": "person", "column": "pid", "max_rows": 3},
        }
    )
    found = []
    for name in sorted(registry.BUILT_IN):
        kind = registry.get(name)
        trains = issubclass(kind, Deep)
        found.append(
            Enrolled(
                name=name,
                synthesizer=kind().shortened(_STEPS) if issubclass(kind, Deep) else kind(),
                schema=schema,
                epsilon="4" if trains else "1",
                delta="1/1000000" if trains else "1/1000000000",
                trains=trains,
            )
        )
    return tuple(found)
