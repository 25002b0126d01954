"""The audits of what lies around the mechanism: rows on their way in, and a whole release."""

import pytest

from attacks.conformance import audits
from attacks.mutants.catalogue import find
from attacks.mutants.subjects import SUBJECTS


def failed(audit: str, subject: str, seed: int = 0) -> set[str]:
    """Return the components that an audit complains about."""
    trial = SUBJECTS[subject].trial(seed=seed, fits=2, pairs=1, child=())
    (found,) = audits.run(trial, names=[audit])
    assert found.error is None
    assert all(check.trials for check in found.checks)
    return {alarm.component for alarm in found.alarms}


@pytest.mark.parametrize("audit", ["rows", "release"])
@pytest.mark.parametrize("subject", ["independent without a delta", "mst of open columns"])
def test_a_correct_release_raises_no_alarm(audit, subject):
    assert failed(audit, subject) == set()


@pytest.mark.parametrize("audit", ["rows", "release"])
def test_a_table_whose_unit_is_a_row_raises_no_alarm(audit):
    assert failed(audit, "mst of rows", seed=1) == set()


@pytest.mark.parametrize(
    ("audit", "mutant", "component"),
    [
        ("rows", "mean-imputed", "sensitivity"),
        ("rows", "persons-as-spelled", "sensitivity"),
        ("rows", "controls-are-a-tenth", "sensitivity"),
        ("rows", "undeclared-refused", "control flow"),
        ("rows", "outside-counted-aloud", "side channels"),
        ("rows", "nulls-only-where-seen", "post-processing"),
        ("release", "rows-counted-aloud", "side channels"),
        ("release", "rows-left-in-temp", "side channels"),
        ("release", "internal-open-to-all", "side channels"),
        ("release", "identity-published", "side channels"),
        ("release", "too-few-rows-refused", "control flow"),
        ("release", "withheld-by-internal-verdict", "control flow"),
        ("release", "expected-rows-counted", "control flow"),
        ("release", "as-many-rows-as-read", "post-processing"),
    ],
)
def test_what_was_planted_is_found(audit, mutant, component):
    planted = find(mutant)
    with planted.patch():
        assert component in failed(audit, planted.subject)
