"""The command that puts synthesizers on trial, and a release that attaches what it kept."""

import json

import pytest

from attacks import conform
from attacks.conformance import evidence, trials
from attacks.conformance.checks import witness
from attacks.conformance.tiers import Tier
from dpsynth.cli.exits import Exit


def gathered(monkeypatch, *, violations=0, audits=True):
    """Stand in for the audits: the command is on trial here."""
    from attacks import policy

    def gather(plan, schema, *, tier, progress):
        progress("bill")
        checks = [
            {**witness(f"{each}/x", each, "held", violations=violations).to_dict(), "audit": each}
            for each in policy.DEFAULT.required_audits
        ]
        checks[2] |= {"detectable": 1.1, "given": {"rule": "energy", "sigma_squared": "9"}}
        found = evidence.document_of(plan, schema, [], tier=tier)
        return {**found, "checks": checks if audits else []}

    monkeypatch.setattr(evidence, "gather", gather)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({}, "PASS", Exit.DONE),
        ({"violations": 1}, "FAIL", Exit.GATE_FAILED),
        ({"audits": False}, "INCONCLUSIVE", Exit.INCONCLUSIVE),
    ],
)
def test_the_worst_trial_decides(monkeypatch, more, status, code):
    import dpsynth

    gathered(monkeypatch, **more)
    found = list(trials.try_all([dpsynth.Independent()], trials.schemas()))
    assert [each.schema for each in found] == list(trials.SCHEMAS)
    result = trials.result_of(found, [], tier=Tier.smoke)
    assert (result["status"], conform.CODES[result["status"]]) == (status, code)
    assert trials.result_of([], ["torch"], tier=Tier.smoke)["status"] == "INCONCLUSIVE"
    assert status in conform._text(result)


def test_trials_beside_each_other_find_what_trials_in_turn_find():
    import dpsynth

    made = [dpsynth.Independent(), dpsynth.synthesizer("mst")]
    among = dict(list(trials.schemas().items())[-1:])
    said: list[str] = []
    in_turn = list(trials.try_all(made, among))
    beside = list(trials.try_all(made, among, jobs=2, progress=said.append))
    assert [each[:6] for each in said] == ["1 of 2", "2 of 2"]
    for one, two in zip(in_turn, beside, strict=True):
        assert (two.plan, two.schema) == (one.plan, one.schema)
        assert two.verdict.outcome == one.verdict.outcome == "PASS"
        names = [[check["name"] for check in each.evidence["checks"]] for each in (one, two)]
        assert names[0] == names[1]


def test_what_cannot_be_planned_is_said_and_not_passed_over():
    import dpsynth

    wide = dpsynth.Schema.from_dict(
        {"columns": [{"name": "age", "kind": "integer", "bounds": [0, 99]}]}
    )
    (said,) = trials.try_all([dpsynth.synthesizer("made")], {"no count of rows": wide})
    assert said.startswith("made, no count of rows: ")


def test_a_kept_result_is_a_document_of_its_published_shape(monkeypatch, tmp_path):
    import dpsynth
    from attacks import shapes
    from dpsynth.release import canonical

    gathered(monkeypatch)
    found = list(trials.try_all([dpsynth.Independent()], trials.schemas()))
    result = trials.result_of(found, [], tier=Tier.smoke)
    data = canonical.dumps(result)
    shapes.require(json.loads(data), "conformance", name="result.json")
