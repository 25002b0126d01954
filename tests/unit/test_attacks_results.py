"""Results, the rule that judges them, and threat models as values."""

import json
import subprocess
import sys

import pytest

from attacks import rules
from attacks.audit_report import AuditReport
from attacks.observed import Figure
from attacks.results import AttackResult, LowerBound, Plant, Witness
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel

MODEL = ThreatModel(
    goal=Goal.MEMBERSHIP,
    generator=GeneratorAccess.NO_BOX,
    data=DataKnowledge.POPULATION_SAMPLE,
)


def result(name="membership/marginal@5% false alarms", status="passed", **counts):
    usual = {"members_hits": 50, "members_n": 1000, "controls_hits": 50, "controls_n": 1000}
    usual["adjusted_p_value"] = 0.5
    return AttackResult(
        name=name,
        goal="MEMBERSHIP",
        threat_model=MODEL.to_dict(),
        status=status,
        **{**usual, **counts},
    )


PLANT = Plant(
    share=0.01,
    planted=10,
    line=result(name="scan/copies@x", members_hits=90, adjusted_p_value=0.001),
)


def not_run(name, status):
    """Return an attack without lines, as the harness writes it."""
    return AttackResult(name=name, goal="ATTRIBUTE", threat_model=MODEL.to_dict(), status=status)


def report(*results, split="random", plants=(PLANT,), **more):
    more = {"tier": "full", "seed": 0, "unit": "row", **more}
    return AuditReport(split=split, results=results, plants=plants, **more)


def verdict(*results, **more):
    return report(*results, **more).verdict


def tally(**counts):
    return rules.Tally.from_dict(result(**counts).to_dict())


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
    found = report(
        result(
            p_value=1 / 3,
            figures=(Figure(name="area", value=0.1 + 0.2, low=0.1, high=2 / 3, group="members"),),
            notes=("one", "two"),
            subgroup="sex = F",
        ),
        not_run("attribute/inference", "not applicable"),
        limits=rules.Limits(name="ours", level=0.05),
        plan={"attacks": ["membership/marginal"], "permutations": 1999},
        shift_p_value=0.3,
        lower_bounds=(
            LowerBound(
                method="one run",
                epsilon=0.1,
                ceiling=3.5,
                delta=1e-6,
                confidence=0.95,
                persons=100,
                guesses=20,
                correct=11,
                assumptions=("fair coins",),
            ),
        ),
        witnesses=(
            Witness(kind="identifier", column="pid", cells=2, decides=True, sentence="A name."),
        ),
        conventions=(Figure(name="identity", value=0.01),),
        smoke_test=(Figure(name="distance", value=0.2),),
        unit="person",
        seed=7,
    )
    document = json.loads(json.dumps(found.to_dict()))
    assert AuditReport.from_dict(document) == found
    assert AuditReport.from_dict(document).to_dict() == document
    assert document["verdict"] == found.verdict == "FAIL"


def test_report_of_another_format_is_refused():
    with pytest.raises(ValueError, match="format"):
        AuditReport.from_dict({"format": "other/1"})


def test_derived_figures_are_not_believed():
    leak = result(members_hits=1000, controls_hits=0, adjusted_p_value=0.001)
    document = {**leak.to_dict(), "rate_members": 0.0, "status": "passed"}
    assert AttackResult.from_dict(document).rate_members == 1.0
    assert verdict(AttackResult.from_dict(document)) == "FAIL"


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
        rules.Tally.from_dict(document)


@pytest.mark.parametrize("wrong", ["much", 2.0, -0.1])
def test_an_adjusted_p_value_is_a_probability(wrong):
    with pytest.raises(ValueError, match="p-value"):
        rules.Tally.from_dict({**result().to_dict(), "adjusted_p_value": wrong})


@pytest.mark.parametrize("name", ["membership/marginal@ranking", "membership/marginal"])
@pytest.mark.parametrize("status", ["not applicable", "skipped", "error"])
def test_an_attack_that_did_not_run_has_no_counts(name, status):
    # Else a line that failed would vanish behind another word.
    with pytest.raises(ValueError, match="did not run"):
        tally(name=name, status=status, members_hits=900, adjusted_p_value=0.001)


def test_a_line_without_a_test_is_no_pass():
    leak = result(members_hits=900, adjusted_p_value=None)
    assert verdict(leak) == "INCONCLUSIVE"
    assert verdict(result(adjusted_p_value=0.9)) == "PASS"


def test_limits_other_than_the_usual_ones_are_said_whatever_they_are_called():
    leak = result(members_hits=82, adjusted_p_value=0.001)
    assert verdict(leak) == "FAIL"
    lax = report(leak, limits=rules.Limits(tolerated_ratio=1.6))
    assert lax.verdict == "PASS"
    assert "not the usual ones" in lax.sentence
    assert "not the usual ones" in lax.reasons[-1]
    named = report(result(), limits=rules.Limits(name="ward 3"))
    assert "usual" not in named.sentence
    assert named.reasons == ()


def test_no_difference_passes():
    assert verdict(result()) == "PASS"


def test_a_surprising_difference_fails_whatever_status_is_written():
    assert verdict(result(members_hits=200, adjusted_p_value=0.001)) == "FAIL"
    assert verdict(result(members_hits=200, adjusted_p_value=0.02)) == "PASS"


@pytest.mark.parametrize(
    ("members", "controls", "leaks"),
    [
        # A difference that is surprising and tolerated: of 50,000 tries in a million, or of half.
        (79_000, 50_000, False),
        (81_000, 50_000, True),
        (660_000, 500_000, False),
        (675_000, 500_000, True),
        # Seldom right: what is added to the factor decides. Nearly always: those spared.
        (6_300, 1_000, False),
        (6_600, 1_000, True),
        (965_000, 950_000, False),
        (972_000, 950_000, True),
    ],
)
def test_a_surprising_difference_fails_where_it_is_more_than_is_tolerated(members, controls, leaks):
    counts = {"members_n": 10**6, "controls_n": 10**6}
    counts |= {"members_hits": members, "controls_hits": controls, "adjusted_p_value": 0.0005}
    found = report(result(**counts))
    assert found.verdict == ("FAIL" if leaks else "PASS")
    assert found.slight == (() if leaks else ("membership/marginal",))
    assert ("slightly better: membership/marginal" in found.sentence) == (not leaks)
    assert report(result(**{**counts, "adjusted_p_value": 0.02})).slight == ()


def test_a_witness_fails_and_one_that_only_informs_does_not():
    said = {"kind": "identifier", "column": "pid", "cells": 1, "sentence": "A name."}
    assert verdict(result(), witnesses=(Witness(**said, decides=True),)) == "FAIL"
    assert verdict(result(), witnesses=(Witness(**said, decides=False),)) == "PASS"


@pytest.mark.parametrize(
    "plants",
    [
        (),
        (Plant(share=0.1, planted=100, line=PLANT.line),),
        (Plant(share=0.01, planted=10, line=result(members_hits=90, adjusted_p_value=0.02)),),
        (Plant(share=0.01, planted=10, line=result(members_hits=52, adjusted_p_value=0.001)),),
    ],
    ids=["none", "another share", "not surprising", "too small"],
)
def test_an_audit_that_would_miss_one_member_in_a_hundred_is_inconclusive(plants):
    assert verdict(result(), plants=plants) == "INCONCLUSIVE"
    assert "would not have been found" in report(result(), plants=plants).sentence


@pytest.mark.parametrize("uncalibrated", [{"split": "unknown"}, {"shift_p_value": 0.001}])
def test_without_a_coin_there_is_no_pass_and_a_difference_must_be_large(uncalibrated):
    assert verdict(result(), **uncalibrated) == "INCONCLUSIVE"
    assert report(result(), **uncalibrated).judgments[0].status == "uncalibrated"
    small = result(members_hits=120, adjusted_p_value=0.0005)
    assert verdict(small, **uncalibrated) == "INCONCLUSIVE"


def test_a_large_difference_fails_unless_the_controls_are_known_to_differ():
    large = result(members_hits=400)
    copied = result(name="scan/copies@whole record", members_hits=400)
    assert verdict(large, split="unknown") == "FAIL"
    assert verdict(large, shift_p_value=0.001) == "INCONCLUSIVE"
    assert verdict(copied, shift_p_value=0.001) == "FAIL"
    # Its lower bound counts, not the difference itself.
    few = {"members_n": 20, "members_hits": 6, "controls_n": 20, "controls_hits": 2}
    assert verdict(result(**few), split="unknown") == "INCONCLUSIVE"


@pytest.mark.parametrize("controls", [0, 1, 5, 20])
def test_few_controls_are_inconclusive(controls):
    assert verdict(result(controls_n=controls, controls_hits=0)) == "INCONCLUSIVE"


def test_few_controls_that_are_all_hit_are_inconclusive():
    assert verdict(result(controls_n=3, controls_hits=3, members_hits=1000)) == "INCONCLUSIVE"


def test_controls_nearly_always_hit_leave_no_room_for_a_large_difference():
    assert verdict(result(controls_n=200, controls_hits=195, members_hits=975)) == "PASS"


@pytest.mark.parametrize("status", ["error", "skipped", "inconclusive"])
def test_unfinished_attacks_are_inconclusive(status):
    assert verdict(result(), not_run("attribute/inference", status)) == "INCONCLUSIVE"


def test_not_applicable_attacks_do_not_count():
    other = not_run("attribute/inference", "not applicable")
    assert verdict(result(), other) == "PASS"
    assert verdict(other) == "INCONCLUSIVE"
    assert verdict() == "INCONCLUSIVE"


def test_one_conclusive_operating_point_is_enough_for_an_attack_but_not_for_another():
    blind = {"controls_n": 3, "controls_hits": 1}
    assert verdict(result(), result(name="membership/marginal@ranking", **blind)) == "PASS"
    other = result(name="attribute/inference(a)@all targets", **blind)
    assert verdict(result(), other) == "INCONCLUSIVE"


def test_the_smallest_effect_seen_shrinks_with_the_number_of_tests():
    alone = rules.detectable(tally(), level=0.01)
    among = rules.detectable(tally(), level=0.01 / 50)
    assert 0.03 < alone < among < 0.1


@pytest.mark.parametrize("field", ["level", "smallest_effect", "uncalibrated_effect"])
@pytest.mark.parametrize("wrong", [0, 1, "much", True])
def test_limits_are_numbers_between_0_and_1(field, wrong):
    with pytest.raises(ValueError, match=field):
        rules.Limits(**{field: wrong})
    with pytest.raises(ValueError, match="at least 1"):
        rules.Limits(tolerated_ratio=0.9)


@pytest.mark.parametrize(
    ("results", "word"),
    [
        ((result(),), "PASS"),
        ((result(members_hits=500, adjusted_p_value=0.001),), "FAIL"),
        ((result(controls_n=2, controls_hits=0),), "INCONCLUSIVE"),
    ],
)
def test_report_says_its_verdict_in_a_sentence(results, word):
    found = report(*results)
    assert found.verdict == word
    assert found.sentence.startswith(word)


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
