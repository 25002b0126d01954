"""All strangers on trial, the broken and the sound, over fresh seeds; by hand, `nox -s nightly`.

A sound mechanism is accused with probability at most 1 %, for every seed. More than four alarms in
80 trials then happen less than once in a thousand runs of this test.
"""

import pytest

from attacks.conformance.anyone import put_on_trial
from attacks.mutants.strangers import CORRECT
from attacks.mutants.strangers_broken import BROKEN

pytestmark = pytest.mark.nightly
SEEDS, MOST = 10, 4


def tried(case, *, seed):
    return put_on_trial(
        case.make, case.columns, epsilon=case.epsilon, delta=case.delta, seed=seed, tier="smoke"
    )


def test_three_in_four_of_the_broken_fail_in_the_smallest_tier():
    # Measured once with seed 0: 27 of 33, and two that pass; the page on trials names them.
    verdicts = {case.name: tried(case, seed=1).verdict for case in BROKEN}
    failed = [name for name, verdict in verdicts.items() if verdict == "FAIL"]
    passed = [name for name, verdict in verdicts.items() if verdict == "PASS"]
    assert len(failed) >= 0.75 * len(BROKEN), verdicts
    assert len(passed) <= 2, passed


def test_the_sound_are_accused_as_seldom_as_stated():
    alarms = [
        (case.name, seed)
        for case in CORRECT
        for seed in range(SEEDS)
        if tried(case, seed=seed).verdict == "FAIL"
    ]
    assert len(alarms) <= MOST, alarms
