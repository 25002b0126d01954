"""The public verdict is a pure function of claim, checks and policy, and fails closed."""

from fractions import Fraction

import pytest

from attacks import policy
from dpsynth.errors import IntegrityError, UnknownNameError, UsageError

CLAIM = {
    "epsilon": "1",
    "delta": "1/1000000000",
    "accounted_epsilon": "0.999",
    "seeded": False,
    "conditional": False,
}
CHECKS = [
    {"name": "noise/discrete_gaussian", "status": "passed"},
    {"name": "neighbors/replay", "status": "passed"},
    {"name": "selection/law", "status": "not applicable"},
]


def judged(*, checks=CHECKS, rule=policy.DEFAULT, **claim):
    return policy.public_verdict({**CLAIM, **claim}, checks, rule)


def test_a_sound_release_passes():
    assert judged() == policy.Verdict(outcome="PASS", reasons=())


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ({"accounted_epsilon": "1.000000000001"}, "more than the claim"),
        ({"seeded": True}, "known seed"),
        ({"epsilon": "10.1"}, "epsilon is above the 10"),
        ({"delta": "1/99999"}, "delta is above the 1e-05"),
    ],
)
def test_what_fails(claim, word):
    found = judged(**claim)
    assert found.outcome == "FAIL"
    assert word in found.reasons[0]


def test_the_limits_themselves_are_allowed():
    assert judged(epsilon="10", delta="1/100000", accounted_epsilon="10").outcome == "PASS"


def test_a_failed_check_fails_and_nothing_mends_it():
    failed = {"name": "selection/law", "status": "failed"}
    found = judged(checks=[*CHECKS, failed], conditional=True)
    assert found.outcome == "FAIL"
    assert "'selection/law' failed" in found.reasons[0]
    assert len(found.reasons) == 2


def test_numbers_outweigh_the_word_passed():
    measured = {"name": "noise/x", "status": "passed", "statistic": 0.2, "bound": 0.1}
    assert judged(checks=[*CHECKS, measured]).outcome == "FAIL"
    assert judged(checks=[*CHECKS, {**measured, "statistic": 0.1}]).outcome == "PASS"
    both = {**measured, "statistic": 0.9, "bound": 1.1, "lower_bound": 0.95}
    assert judged(checks=[*CHECKS, both]).outcome == "FAIL"  # too little noise
    assert judged(checks=[*CHECKS, {**both, "bound": None}]).outcome == "FAIL"
    assert judged(checks=[*CHECKS, {**both, "statistic": 0.95}]).outcome == "PASS"
    assert judged(checks=[*CHECKS, {**both, "statistic": 1.2}]).outcome == "FAIL"


@pytest.mark.parametrize("status", ["error", "skipped", "inconclusive", "no such status"])
def test_a_check_without_a_result_never_counts_as_safe(status):
    checks = [{"name": "noise/discrete_gaussian", "status": status}, *CHECKS[1:]]
    found = judged(checks=checks)
    assert found.outcome == "INCONCLUSIVE"
    assert len(found.reasons) == 2  # it did not come to a result, and its family is required


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_required_check_must_be_there(missing):
    checks = [check for index, check in enumerate(CHECKS) if index != missing]
    assert judged(checks=checks).outcome == "INCONCLUSIVE"
    assert judged(checks=[]).outcome == "INCONCLUSIVE"


def test_a_name_that_only_begins_alike_is_another_family():
    checks = [{"name": "noisefree/x", "status": "passed"}, *CHECKS[1:]]
    assert judged(checks=checks).outcome == "INCONCLUSIVE"


def test_a_conditional_release_never_passes():
    found = judged(conditional=True)
    assert found == policy.Verdict(outcome="INCONCLUSIVE", reasons=(policy.CONDITIONAL,))


def test_a_policy_survives_its_document():
    for rule in policy.PRESETS.values():
        assert policy.policy_from_dict(rule.to_dict()) == rule


def test_a_presets_name_must_carry_the_presets_rule():
    forged = {**policy.DEFAULT.to_dict(), "max_epsilon": "1000"}
    with pytest.raises(IntegrityError, match="not the one known"):
        policy.policy_from_dict(forged)
    with pytest.raises(IntegrityError, match="not the one known"):
        policy.policy_from_dict({**forged, "name": "dpsynth-default/2"})
    assert policy.policy_from_dict({**forged, "name": "ours"}).max_epsilon == 1000


def test_policies_are_found_by_name_and_file(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text(
        'name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/1000"\nrequired_checks = ["noise"]\n'
    )
    ours = policy.resolve(path)
    assert ours == policy.resolve(str(path)) == policy.resolve(ours)
    assert ours == policy.Policy(
        name="ours",
        max_epsilon=Fraction(2),
        max_delta=Fraction(1, 1000),
        required_checks=("noise",),
    )
    assert policy.resolve(None) is policy.resolve("dpsynth-default/1") is policy.DEFAULT
    with pytest.raises(UnknownNameError, match="dpsynth-strict/1"):
        policy.resolve("dpsynth-lenient/1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = ",
        'name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/1000"\n',
        'name = "ours"\nmax_epsilon = 2.0\nmax_delta = "1/1000"\nrequired_checks = []\n',
        'name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/9"\nrequired_checks = []\nmore = 1\n',
        'name = "Ours"\nmax_epsilon = "2"\nmax_delta = "1/9"\nrequired_checks = []\n',
        'name = "dpsynth-x/1"\nmax_epsilon = "2"\nmax_delta = "1/9"\nrequired_checks = []\n',
    ],
)
def test_a_malformed_policy_file_is_a_usage_error(tmp_path, text):
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"ours\.toml"):
        policy.resolve(path)


LOOK_ALIKES = [
    "dpsynth\u2010default/1",
    "\u0501psynth-default/1",
    "Dpsynth-default/1",
    " dpsynth-default/1",
    "dpsynth-default/1\n",
    "dpsynth\u200b-default/1",
    "-dpsynth-default/1",
    "./dpsynth-default/1",
    "dpsynth--default/1",
    "a" * 101,
    "",
    1,
]


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_no_policy_can_look_like_a_preset(name):
    with pytest.raises(IntegrityError, match="must consist of a-z and 0-9"):
        policy.policy_from_dict({**policy.DEFAULT.to_dict(), "name": name})


def test_a_policy_given_as_an_object_is_held_to_the_same_rule():
    given = {"max_epsilon": Fraction(1000), "max_delta": Fraction(1, 2)}
    for name in ("dpsynth-default/1", "Dpsynth-default/1"):
        with pytest.raises(UsageError, match="policy"):
            policy.resolve(policy.Policy(name=name, **given))
    assert not policy.resolve(policy.Policy(name="registry-north/1", **given)).is_preset
    assert policy.resolve(policy.STRICT).is_preset
