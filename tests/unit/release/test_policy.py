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
AUDITS = policy.DEFAULT.required_audits
VERSIONS = {"dpsynth": "0.1.0", "platform": "Linux x86_64"}


def held(audit, **more):
    return {
        "name": f"{audit}/what must hold",
        "status": "passed",
        "kind": "witness",
        "audit": audit,
        "violations": 0,
        "trials": 5,
        **more,
    }


LAW = held("law", name="noise/scale", detectable=1.02, given={"rule": "energy"})
CHECKS = [*(held(audit) for audit in AUDITS if audit != "law"), LAW]


def judged(*, checks=CHECKS, rule=policy.DEFAULT, versions=VERSIONS, **claim):
    evidence = {"checks": checks, "versions": VERSIONS}
    return policy.public_verdict({**CLAIM, **claim}, evidence, rule, versions=versions)


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


def test_a_witness_fails_and_nothing_mends_it():
    failed = held("neighbors", name="neighbors/sensitivity", violations=1)
    found = judged(checks=[*CHECKS, failed], conditional=True)
    assert found.outcome == "FAIL"
    assert "'neighbors/sensitivity' failed" in found.reasons[0]
    assert len(found.reasons) == 2


@pytest.mark.parametrize("status", ["passed", "not applicable", "skipped"])
@pytest.mark.parametrize(
    ("numbers", "fails"),
    [
        ({"statistic": 0.2, "bound": 0.1}, True),
        ({"statistic": 0.1, "bound": 0.1}, False),
        ({"statistic": 0.9, "bound": 1.1, "lower_bound": 0.95}, True),
        ({"statistic": 0.9, "lower_bound": 0.95}, True),
        ({"statistic": 1.2, "bound": 1.1, "lower_bound": 0.95}, True),
        ({"statistic": 1.0, "bound": 1.1, "lower_bound": 0.95}, False),
        ({"p_value": 1e-9, "level": 1e-8}, True),
        ({"p_value": 1e-7, "level": 1e-8}, False),
        ({"violations": 3}, True),
    ],
)
def test_numbers_outweigh_the_word(status, numbers, fails):
    measured = {"name": "noise/x", "status": status, "trials": 9, **numbers}
    assert judged(checks=[*CHECKS, measured]).outcome == ("FAIL" if fails else "PASS")


def game(p_value, **more):
    return held("game", kind="game", violations=None, p_value=p_value, **more)


@pytest.mark.parametrize(
    ("p_values", "fails"),
    [
        ([0.0099], True),
        ([0.0101], False),
        ([0.0051, 0.9], False),  # Holm: half of 1 % for the first of two
        ([0.0049, 0.9], True),
        ([0.004, 0.0099, 1.0], False),
        ([0.0033, 0.0049, 1.0], True),
    ],
)
def test_games_are_judged_together_at_the_familywise_level(p_values, fails):
    checks = [*CHECKS, *(game(each) for each in p_values)]
    assert judged(checks=checks).outcome == ("FAIL" if fails else "PASS")


@pytest.mark.parametrize("status", ["passed", "failed", "error", "skipped", "no such status"])
def test_a_check_without_a_result_never_counts_as_safe(status):
    nothing = {"name": "raw", "status": status, "audit": "raw"}
    checks = [nothing if check["audit"] == "raw" else check for check in CHECKS]
    found = judged(checks=checks)
    assert found.outcome == "INCONCLUSIVE"
    assert len(found.reasons) == 2  # it did not come to a result, and its audit is required


@pytest.mark.parametrize("missing", AUDITS)
def test_a_required_audit_must_be_there(missing):
    checks = [check for check in CHECKS if check["audit"] != missing]
    assert judged(checks=checks).outcome == "INCONCLUSIVE"
    assert judged(checks=[]).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize("detectable", [None, 2.01])
def test_a_trial_that_might_miss_half_the_noise_is_inconclusive(detectable):
    blind = [{**check, "detectable": detectable} if check is LAW else check for check in CHECKS]
    found = judged(checks=blind)
    assert found.outcome == "INCONCLUSIVE"
    assert "factor of two" in found.reasons[0]
    unruled = [{**check, "given": {}} if check is LAW else check for check in CHECKS]
    assert "too small" in judged(checks=unruled).reasons[0]
    played = game(0.5, given={"rule": "game"}, detectable=detectable)
    assert "no game" in judged(checks=[*CHECKS, played]).reasons[0]
    sharp = game(0.5, given={"rule": "game"}, detectable=2.0)
    assert judged(checks=[*CHECKS, played, sharp]).outcome == "PASS"


def test_a_trial_elsewhere_is_inconclusive():
    found = judged(versions={**VERSIONS, "platform": "Darwin arm64"})
    assert found.outcome == "INCONCLUSIVE"
    assert found.reasons == ("the mechanism was tried with another platform",)
    assert "version of dpsynth" in judged(versions={**VERSIONS, "dpsynth": "0.2.0"}).reasons[0]


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
        'name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/1000"\nrequired_audits = ["noise"]\n'
    )
    ours = policy.resolve(path)
    assert ours == policy.resolve(str(path)) == policy.resolve(ours)
    assert ours == policy.Policy(
        name="ours",
        max_epsilon=Fraction(2),
        max_delta=Fraction(1, 1000),
        required_audits=("noise",),
    )
    assert policy.resolve(None) is policy.resolve("dpsynth-default/2") is policy.DEFAULT
    with pytest.raises(UnknownNameError, match="dpsynth-strict/2"):
        policy.resolve("dpsynth-lenient/1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = ",
        'name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/1000"\n',
        'name = "ours"\nmax_epsilon = 2.0\nmax_delta = "1/1000"\nrequired_audits = []\n',
        'name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/9"\nrequired_audits = []\nmore = 1\n',
        'name = "Ours"\nmax_epsilon = "2"\nmax_delta = "1/9"\nrequired_audits = []\n',
        'name = "dpsynth-x/1"\nmax_epsilon = "2"\nmax_delta = "1/9"\nrequired_audits = []\n',
    ],
)
def test_a_malformed_policy_file_is_a_usage_error(tmp_path, text):
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"ours\.toml"):
        policy.resolve(path)


LOOK_ALIKES = [
    "dpsynth\u2010default/2",
    "\u0501psynth-default/2",
    "Dpsynth-default/2",
    " dpsynth-default/2",
    "dpsynth-default/2\n",
    "dpsynth\u200b-default/2",
    "-dpsynth-default/2",
    "./dpsynth-default/2",
    "dpsynth--default/2",
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
    for name in ("dpsynth-default/2", "Dpsynth-default/2"):
        with pytest.raises(UsageError, match="policy"):
            policy.resolve(policy.Policy(name=name, **given))
    assert not policy.resolve(policy.Policy(name="registry-north/1", **given)).is_preset
    assert policy.resolve(policy.STRICT).is_preset
