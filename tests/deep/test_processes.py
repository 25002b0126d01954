"""Two processes train as one: equal weights, one charge, one noise, every unit in one of them."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch", reason="needs torch: pip install dpsynth[deep]")

from dpsynth.errors import UsageError
from dpsynth.privacy.dpsgd.processes import Processes
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.events import SampledGaussianEvent
from dpsynth.privacy.source import UnitRows

FALSE_ALARM = 1e-6
PROGRAM = Path(__file__).with_name("two_processes.py")
ROOT = PROGRAM.parent.parent.parent
RULE = StepRule(
    rate=Fraction(1, 2), noise_multiplier=Fraction(2), clip=0.5, steps=3, expected_units=40
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    address = f"file://{tmp_path_factory.mktemp('group') / 'meeting'}"
    started = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(rank), "2", address],
            stdout=subprocess.PIPE,
            text=True,
            env={"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        )
        for rank in range(2)
    ]
    try:
        return [json.loads(each.communicate(timeout=300)[0].splitlines()[-1]) for each in started]
    finally:
        for each in started:
            each.kill()


def test_weights_are_equal_everywhere_bit_for_bit(both):
    for case in ("noise", "all"):
        assert both[0][case]["weights"] == both[1][case]["weights"]
        assert both[0][case]["gradients"] == both[1][case]["gradients"]


def test_the_same_event_is_charged_as_by_one_process_and_once(both):
    alone = SampledGaussianEvent(
        rate=Fraction(1, 4), noise_multiplier=Fraction(2), steps=Fraction(150)
    )
    assert both[0]["all"]["events"] == [repr(alone)]
    assert both[1]["all"]["events"] == []


def test_noise_is_added_once(both):
    """No rows at all: what is released is noise, of stddev 2 * 0.5 / 10, not of twice its square.

    A stddev of sqrt(2) or 1 / sqrt(2) of that, which two noises or none of a half would give, is
    rejected; false alarms at most 1e-6.
    """
    drawn = np.array(both[0]["noise"]["gradients"]).ravel() / 0.1
    assert drawn.size == 150 * 15
    low, high = stats.chi2(drawn.size).ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2])
    energy = float(drawn @ drawn)
    assert low < energy < high
    assert not low < 2 * energy < high
    assert not low < energy / 2 < high


def test_every_unit_is_in_the_sum_once(both):
    """At rate 1 and next to no noise, the sum of both shares is the sum of one process."""
    for found in both:
        together, alone = (np.array(each) for each in found["sum"])
        assert np.linalg.norm(alone) > 5 * 0.5
        np.testing.assert_allclose(together, alone, atol=0.01)


def test_what_does_not_fit_together_is_refused_everywhere(both):
    assert both[0]["poor"].startswith("BudgetExceededError")
    assert both[1]["poor"].startswith("UsageError: the first process could not pay")
    for found in both:
        for case in ("other rows", "other rule"):
            assert found[case].startswith("UsageError: all processes must open the same table")


def test_a_group_comes_first():
    with pytest.raises(UsageError, match="init_process_group"):
        Processes()


@pytest.fixture
def alone(tmp_path):
    """A group of one process, this one."""
    from torch import distributed

    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1
    )
    yield Processes()
    distributed.destroy_process_group()


def test_a_group_of_one_trains_as_no_group_does(alone, monkeypatch):
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    import two_processes

    quiet = StepRule(**{**vars(RULE), "rate": Fraction(1), "noise_multiplier": Fraction(1, 1_000)})
    grouped, single = (np.array(each) for each in two_processes.summed(quiet, alone))
    np.testing.assert_allclose(grouped, single, atol=1e-3)
    assert len(two_processes.train(RULE, 81, alone)["events"]) == 1


def test_whoever_does_not_pay_waits_for_who_does(alone, monkeypatch):
    """A process that is not the first never charges; it goes on where the first has paid."""
    from torch import distributed

    monkeypatch.setattr(alone, "rank", 1)
    called = []
    with pytest.raises(UsageError, match="could not pay"):
        alone.pay(lambda: called.append("charged"))
    monkeypatch.setattr(distributed, "broadcast", lambda tensor, src: tensor.fill_(1))
    alone.pay(lambda: called.append("charged"))
    assert not called
    drawn = alone.combined(torch.zeros(3), lambda sums: called.append("noise"))
    assert drawn.tolist() == [1, 1, 1]
    assert not called


def test_rows_that_differ_are_refused(alone, monkeypatch):
    from torch import distributed

    monkeypatch.setattr(distributed, "all_gather", lambda found, mine: found[0].fill_(0))
    rows = UnitRows(codes=np.zeros((2, 1), dtype=np.int64), units=np.arange(2))
    with pytest.raises(UsageError, match="the same table"):
        alone.share_of(rows, facts="")


def test_other_backends_are_refused(alone, monkeypatch):
    from torch import distributed

    monkeypatch.setattr(distributed, "get_backend", lambda: "nccl")
    with pytest.raises(UsageError, match="'gloo'"):
        Processes()
