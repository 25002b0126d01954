"""What the audit of preparing says of rows that are coded and set aside as they should be."""

from typing import Any

import numpy as np
import pytest

import dpsynth
from attacks.conformance import preparing
from attacks.conformance.trial import Trial
from dpsynth.encoding.codec import NumericCodec
from dpsynth.encoding.identifiers import IdentifierCells
from dpsynth.schema import Schema
from dpsynth.sources import frame
from dpsynth.testing.crowds import long_crowd

_SEX: dict[str, Any] = {"name": "sex", "kind": "categorical", "values": ["m", "f"]}
_ROWS: dict[str, Any] = {"columns": [_SEX], "expected_rows": 1000}
_PERSONS: dict[str, Any] = {
    "columns": [_SEX, {"name": "pid", "kind": "identifier"}],
    "unit": {"kind": "person", "column": "pid", "max_rows": 3},
    "expected_rows": 1000,
}


def _failed(document: dict[str, Any], seed: int = 0) -> set[str]:
    trial = Trial(
        synthesizer=dpsynth.synthesizer("independent"),
        schema=Schema.from_dict(document),
        epsilon="1",
        delta="1e-9",
        seed=seed,
    )
    return {check.name for check in preparing.audit(trial) if check.status != "passed"}


@pytest.mark.parametrize("document", [_ROWS, _PERSONS], ids=["rows", "persons"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rows_of_one_code_are_one_as_good_as_the_other(document, seed):
    """Cells that no schema expects differ as text where their codes do not."""
    assert not _failed(document, seed)


@pytest.mark.parametrize("document", [_ROWS, _PERSONS], ids=["rows", "persons"])
def test_whoever_is_set_aside_by_position_is_seen(document, monkeypatch):
    def by_position(units: Any, **_: Any) -> Any:
        return np.arange(len(units)) % 2 == 0

    monkeypatch.setattr(frame, "control_coin", by_position)
    assert "rows/units" in _failed(document)


def test_rows_of_a_long_table_stand_far_apart():
    table, whose = long_crowd(Schema.from_dict(_PERSONS), seed=0)
    places = np.flatnonzero(whose == 0)
    assert len(places) == 3 + 3
    assert places[0] == 0
    assert places[-1] == len(table) - 1
    assert np.diff(places).min() > 900
    assert table["pid"].nunique() == np.unique(whose).size


def test_persons_who_are_bounded_batch_by_batch_are_seen(monkeypatch):
    right = frame.bound_rows

    def by_batch(digests: Any, persons: Any, *, max_rows: int) -> Any:
        parts = [slice(at, at + 1_000) for at in range(0, max(digests.size, 1), 1_000)]
        return np.concatenate(
            [right(digests[part], persons[part], max_rows=max_rows) for part in parts]
        )

    monkeypatch.setattr(frame, "bound_rows", by_batch)
    assert "rows/units" in _failed(_PERSONS)


def test_ids_that_go_on_after_those_of_the_rows_are_seen(monkeypatch):
    right, written, seen = frame.person_numbers, IdentifierCells.series, {"greatest": 0}

    def person_numbers(series: Any) -> Any:
        numbers, ids = right(series)
        seen["greatest"] = max((int(each) for each in ids if each.isdigit()), default=0)
        return numbers, ids

    monkeypatch.setattr(frame, "person_numbers", person_numbers)
    monkeypatch.setattr(IdentifierCells, "series", lambda self: written(self) + seen["greatest"])
    assert "rows/drawn" in _failed(_PERSONS)


def test_numbers_that_are_rounded_as_those_of_the_rows_are_seen(monkeypatch):
    """Also where made-up rows, which the same decoder draws, are rounded before the first look."""
    read, drawn, whole = NumericCodec._read, NumericCodec._drawn, [True]

    def noted(self: Any, series: Any) -> Any:
        values, states = read(self, series)
        whole[0] = bool((values == np.floor(values)).all())
        return values, states

    def rounded(self: Any, *given: Any) -> Any:
        values, missing = drawn(self, *given)
        return (np.floor(values) if whole[0] else values), missing

    monkeypatch.setattr(NumericCodec, "_read", noted)
    monkeypatch.setattr(NumericCodec, "_drawn", rounded)
    cost = {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "bins": 8}
    assert "rows/drawn" in _failed({**_PERSONS, "columns": [*_PERSONS["columns"], cost]})
