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


def test_nine_in_ten_of_the_broken_fail_and_none_passes():
    verdicts = {case.name: tried(case, seed=1).verdict for case in BROKEN}
    failed = [name for name, verdict in verdicts.items() if verdict == "FAIL"]
    assert "PASS" not in verdicts.values(), verdicts
    assert len(failed) >= 0.9 * len(BROKEN), verdicts


def test_the_sound_are_accused_as_seldom_as_stated():
    alarms = [
        (case.name, seed)
        for case in CORRECT
        for seed in range(SEEDS)
        if tried(case, seed=seed).verdict == "FAIL"
    ]
    assert len(alarms) <= MOST, alarms
