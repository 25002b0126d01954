"""Results, the rule that judges them, and threat models as values."""

import json
import subprocess
import sys

import pytest

from attacks import rules
from attacks.audit_report import AuditReport
from attacks.results import AttackResult
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

MODEL = ThreatModel(
    goal=Goal.MEMBERSHIP,
    generator=GeneratorAccess.NO_BOX,
    data=DataKnowledge.POPULATION_SAMPLE,
)


def result(name="membership/marginal@5% false alarms", status="passed", **counts):
    usual = {"members_hits": 50, "members_n": 1000, "controls_hits": 50, "controls_n": 1000}
    return AttackResult(
        name=name,
        goal="MEMBERSHIP",
        threat_model=MODEL.to_dict(),
        status=status,
        **{**usual, **counts},
    )


def verdict(*results):
    return rules.audit_verdict([one.to_dict() for one in results])


def test_threat_model_prints_and_comes_back():
    model = MODEL.knowing("age", "sex", secret="income")
    text = str(model)
    assert "age, sex" in text
    assert "guesses: income" in text
    assert Goal.MEMBERSHIP.value in text
    assert ThreatModel.from_dict(model.to_dict()) == model
    assert ThreatModel.from_dict(MODEL.to_dict()) == MODEL
    assert all(isinstance(value, str) for value in model.to_dict().values())


def test_report_comes_back_exactly_through_json():
    report = AuditReport(
        split="random",
        tier="standard",
        seed=7,
        unit="person",
        results=(
            result(p_value=1 / 3, auc=0.1 + 0.2, auc_interval=(0.1, 2 / 3), notes=("one", "two")),
            result(
                name="attribute/inference", status="not applicable", members_n=0, members_hits=0
            ),
        ),
    )
    document = json.loads(json.dumps(report.to_dict()))
    assert AuditReport.from_dict(document) == report
    assert AuditReport.from_dict(document).to_dict() == document
    assert document["verdict"] == report.verdict


def test_report_of_another_format_is_refused():
    with pytest.raises(ValueError, match="format"):
        AuditReport.from_dict({"format": "other/1"})


def test_derived_figures_are_not_believed():
    document = {**result(members_hits=1000, controls_hits=0).to_dict(), "rate_members": 0.0}
    document["status"] = "passed"
    assert AttackResult.from_dict(document).rate_members == 1.0
    assert rules.audit_verdict([document]) == "FAIL"


def test_result_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="status"):
        result(status="fine")
    with pytest.raises(ValueError, match="hits"):
        result(members_hits=2000)
    with pytest.raises(AttributeError):
        result().status = "failed"


@pytest.mark.parametrize("missing", ["name", "status", "members_hits", "controls_n"])
def test_malformed_results_are_refused(missing):
    document = result().to_dict()
    del document[missing]
    with pytest.raises(ValueError, match=r"a result needs|needs a whole number"):
        rules.audit_verdict([document])


def test_no_difference_passes():
    assert verdict(result()) == "PASS"


def test_a_clear_difference_fails_whatever_status_is_written():
    assert verdict(result(members_hits=200)) == "FAIL"


def test_a_significant_but_tiny_difference_does_not_fail():
    tiny = result(members_n=10**6, members_hits=61_000, controls_n=10**6, controls_hits=50_000)
    judged = rules.judge([rules.Tally.from_dict(tiny.to_dict())])[0]
    assert judged.adjusted is not None
    assert judged.adjusted < 1e-9
    assert judged.status == "passed"


def test_many_results_are_judged_together():
    # One result of p = 0.004 fails alone and not among nine others.
    edge = {"members_hits": 79, "controls_hits": 50}
    assert verdict(result(**edge)) == "FAIL"
    others = [result(name=f"attribute/inference(c{number})@all targets") for number in range(9)]
    assert verdict(result(**edge), *others) == "PASS"


@pytest.mark.parametrize("controls", [0, 1, 5, 20])
def test_few_controls_are_inconclusive(controls):
    assert verdict(result(controls_n=controls, controls_hits=0)) == "INCONCLUSIVE"


def test_few_controls_that_are_all_hit_are_inconclusive():
    assert verdict(result(controls_n=3, controls_hits=3, members_hits=1000)) == "INCONCLUSIVE"


def test_controls_nearly_always_hit_leave_no_room_for_a_large_difference():
    assert verdict(result(controls_n=200, controls_hits=195, members_hits=975)) == "PASS"


@pytest.mark.parametrize("status", ["error", "skipped"])
def test_unfinished_attacks_are_inconclusive(status):
    assert verdict(result(), result(name="attribute/inference(a)", status=status)) == "INCONCLUSIVE"


def test_not_applicable_attacks_do_not_count():
    other = result(name="attribute/inference", status="not applicable")
    assert verdict(result(), other) == "PASS"
    assert verdict(other) == "INCONCLUSIVE"
    assert verdict() == "INCONCLUSIVE"


def test_one_conclusive_operating_point_is_enough_for_an_attack_but_not_for_another():
    blind = {"controls_n": 3, "controls_hits": 1}
    assert verdict(result(), result(name="membership/marginal@50% false alarms", **blind)) == "PASS"
    other = result(name="attribute/inference(a)@all targets", **blind)
    assert verdict(result(), other) == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("results", "word"),
    [
        ((result(),), "PASS"),
        ((result(members_hits=500, status="failed"),), "FAIL"),
        ((result(controls_n=2, controls_hits=0),), "INCONCLUSIVE"),
    ],
)
def test_report_says_its_verdict_in_a_sentence(results, word):
    report = AuditReport(split="unknown", tier="full", seed=0, unit="row", results=results)
    assert report.verdict == word
    assert report.sentence.startswith(word)


def test_importing_attacks_is_light_and_its_names_stay_functions():
    code = (
        "import sys, attacks; heavy = {'pandas', 'scipy', 'numpy'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "import attacks.audit; from attacks.audit import audit;"
        "assert attacks.audit is audit and callable(attacks.audit);"
        "assert attacks.ThreatModel.__name__ in dir(attacks)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    import attacks

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = attacks.nothing
