"""A ledger written by version 1 stays readable, to the last digit, for ever."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

from dpsynth.privacy.events import (
    DiscreteGaussianEvent,
    DiscreteLaplaceEvent,
    ExponentialSelectionEvent,
)
from dpsynth.privacy.ledger import Ledger

HERE = Path(__file__).parent


def test_last_years_ledger_still_means_the_same(tmp_path):
    golden = json.loads((HERE / "people-v1.json").read_text())
    copy = tmp_path / "people.ledger"
    shutil.copyfile(HERE / "people-v1.ledger", copy)
    with Ledger.open(copy) as ledger:
        ledger.verify(heads=[entry["digest"] for entry in golden["entries"]])
        assert [entry.to_dict() for entry in ledger] == golden["entries"]
        assert ledger.spent == Fraction(golden["spent"])
        assert ledger.cap.rho == Fraction(golden["cap_rho"])
        assert ledger.keyed("bounding").hex() == golden["subkey_of_bounding"]
        assert list(ledger.looks()) == golden["looks"]
        assert [type(entry.event) for entry in ledger] == [
            DiscreteGaussianEvent,
            DiscreteGaussianEvent,
            ExponentialSelectionEvent,
            DiscreteGaussianEvent,
            DiscreteLaplaceEvent,
        ]
        assert [entry.seeded for entry in ledger] == [False, False, False, False, True]
        ledger.open_release(rho=ledger.left, seeded=False)
