"""What the audit of preparing says of rows that are coded and set aside as they should be."""

from typing import Any

import numpy as np
import pytest

import dpsynth
from attacks.conformance import preparing
from attacks.conformance.trial import Trial
from dpsynth.schema import Schema
from dpsynth.sources import frame

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
