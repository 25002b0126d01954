"""No number of a trial can be changed in a certificate, by its signer either, and be believed."""

import copy
import json

import pytest

from attacks.conformance import evidence, follows
from attacks.conformance.checks import GAME, TEST, Check, statuses_of
from attacks.conformance.game import GameResult
from attacks.conformance.tiers import Tier
from attacks.verify import verify
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.release import bundle, canonical, manifest


def ruled(name, *, statistic, trials, level=1e-8, **given):
    return follows.ruled(
        Check(
            name=name,
            status="",
            component="noise",
            kind=TEST,
            audit="law",
            statistic=statistic,
            level=level,
            trials=trials,
            given=given,
        )
    )


EVENT = {
    "kind": "discrete_gaussian/v1",
    "sigma_squared": "9",
    "l2_sensitivity_squared": "4",
}
PLAYED = GameResult(
    name="game/frozen path",
    score="log-likelihood ratio of the transcript above 0",
    world="one person unlike all others",
    runs_out=4_000,
    false_positives=1_480,
    runs_in=4_000,
    false_negatives=1_490,
    events=(EVENT,),
    delta="1/1000000000",
    level=0.01,
)
DRAWS, NINE = 50_000, {"sigma_squared": "9"}
CHECKS = [
    ruled(
        "noise/scale", statistic=1.002, trials=50_000, rule="energy", sigma_squared="9", wider=True
    ),
    ruled("noise/Laplace", statistic=1.002, trials=50_000, rule="energy", scale="7/2", wider=False),
    ruled("noise/shape", statistic=0.003, trials=50_000, rule="gap", sigma_squared="9", slack=1.0),
    ruled(
        "selection/law",
        statistic=30.0,
        trials=4_000,
        rule="choices",
        exponents=[0.0, 0.7, 1.4, 2.1],
    ),
    ruled("selection/values", statistic=0.165, trials=DRAWS, rule="share", chance=0.16, outside=0),
    follows.ruled(
        Check(
            name=PLAYED.name,
            status="",
            component="claim",
            kind=GAME,
            audit="game",
            trials=8_000,
            given={"rule": "game", **PLAYED.to_dict()},
        )
    ),
    ruled(
        "released/energy",
        statistic=0.8,
        trials=900,
        rule="energies",
        laws=[{"sigma_squared": "9", "count": 600}, {"scale": "7/2", "count": 300}],
        above=False,
        groups=4,
    ),
    ruled(
        "released/one cell",
        statistic=0.05,
        trials=40,
        rule="cell",
        sigma_squared="9",
        above=True,
        cells=100,
    ),
    ruled("released/signs", statistic=0.06, trials=5_000, rule="signs"),
    ruled("released/steps", statistic=0.9, trials=900, rule="squares", numbers=3),
    ruled("released/height", statistic=4.0, trials=90, rule="freedman", variance=9.0, widest=2.0),
    ruled("noise/spread", statistic=1.1, trials=64, rule="spread", both=True),
    ruled("released/spread", statistic=0.9, trials=64, rule="spread", both=False),
    ruled("randomness/ones", statistic=1.3, trials=4_000, rule="normal"),
    ruled("randomness/bits", statistic=3.3, trials=4_000, rule="hoeffding", tests=80),
    ruled("noise/far", statistic=10.0, trials=40_000, rule="far", chance=3e-4),
    ruled("noise/different", statistic=170.0, trials=400, rule="different", expected=180.0),
    ruled(
        "noise/batches",
        statistic=1.01,
        trials=240_000,
        rule="batches",
        rate=0.05,
        noise_multiplier=1.2,
        steps=40,
    ),
    ruled("released/drawn", statistic=40.0, trials=30, rule="drawn", variance=400.0),
    ruled("noise/grid", statistic=160.0, trials=900, rule="grid", whole=True, cells=16),
]
# Of these nothing follows from the number of trials, unless it is none.
ANY_TRIALS = {"game", "freedman", "normal", "hoeffding", "drawn"}


@pytest.fixture(scope="module")
def document():
    return json.loads(canonical.dumps({"checks": [check.to_dict() for check in CHECKS]}))


def changes():
    """Yield each stored number of each check, and another value that it could be given."""
    derived = {"bound", "lower_bound", "p_value", "detectable", "level", "trials"}
    for place, check in enumerate(CHECKS):
        stored = check.to_dict()
        for name in sorted(derived & stored.keys()):
            if not (name == "trials" and check.given["rule"] in ANY_TRIALS):
                factor = 0.5 if name == "p_value" else 2
                value = type(stored[name])(stored[name] * factor)
                # Of a p-value any level follows, but not the status.
                yield (
                    place,
                    (name,),
                    1.0 if (name, "p_value" in stored) == ("level", True) else value,
                )
        for status in ("failed", "not applicable", "error"):
            yield place, ("status",), status
    yield 0, ("statistic",), 0.9
    yield 1, ("statistic",), 1.2
    yield 2, ("statistic",), 0.3
    yield 3, ("statistic",), 90.0
    yield 4, ("statistic",), 0.2
    yield 0, ("given", "sigma_squared"), "4/9"
    yield 0, ("given", "wider"), False
    yield 1, ("given", "scale"), "1/2"
    yield 2, ("given", "slack"), 10
    yield 3, ("given", "exponents"), [0, 1, 2, 3]
    yield 4, ("given", "chance"), 0.15
    yield 4, ("given", "outside"), 1
    yield 5, ("given", "false_positives"), 1_000
    yield 5, ("given", "false_negatives"), 4_001
    yield 5, ("given", "runs_in"), 2_000
    yield 5, ("given", "events", 0, "sigma_squared"), "900"
    yield 5, ("given", "rule"), "energy"
    for place, check in enumerate(CHECKS[6:], start=6):
        if "p_value" in check.to_dict():
            yield place, ("statistic",), check.statistic * 0.8
        for name in sorted(check.given.keys() - {"rule", "laws", "sigma_squared"}):
            held = check.given[name]
            yield place, ("given", name), not held if isinstance(held, bool) else held * 2
    yield 6, ("given", "laws", 0, "count"), 601
    yield 6, ("given", "laws", 0, "sigma_squared"), "1"


def test_all_follows_as_it_was_stored(document):
    assert {check.status for check in CHECKS} == {"passed"}
    assert CHECKS[5].detectable < 2
    evidence.require_sound(document)


@pytest.mark.parametrize(("place", "path", "value"), [*changes()], ids=str)
def test_no_stored_number_can_be_changed(document, place, path, value):
    changed = copy.deepcopy(document)
    *parents, last = path
    inner = changed["checks"][place]
    for step in parents:
        inner = inner[step]
    assert inner[last] != value
    inner[last] = value
    with pytest.raises(IntegrityError, match=CHECKS[place].name):
        evidence.require_sound(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"violations": 1},
        {"trials": 0},
        {"status": "failed"},
        {"status": "not applicable"},
        {"status": "error"},
    ],
    ids=str,
)
@pytest.mark.parametrize("audit", ["bill", "neighbors", "released", "randomness", "ledger", "raw"])
def test_verify_refuses_what_does_not_follow(release, key, audit, change):
    public = release / bundle.PUBLIC
    content = canonical.read(public / bundle.CERTIFICATE)
    checks = content["predicate"]["conformance"]["checks"]
    next(check for check in checks if check["audit"] == audit).update(change)
    data = canonical.dumps(content)
    (public / bundle.CERTIFICATE).write_bytes(data)
    (public / bundle.CERTIFICATE_SIGNATURE).write_bytes(key.sign(data))
    manifest.write(public)
    with pytest.raises(IntegrityError, match=f"the status of the check '{audit}/"):
        verify(release)


def test_a_witness_that_is_told_fails_the_certificate(make, tmp_path):
    from attacks.conformance.checks import witness

    seen = witness("neighbors/sensitivity", "sensitivity", "it moved", violations=2, trials=9)
    made = make.certified(tmp_path / "r", key=make.key, checks=[*make.checks, seen])
    assert (made.verdict, verify(tmp_path / "r").verdict) == ("FAIL", "FAIL")


def test_a_claim_that_a_game_rejects_fails_and_no_word_helps():
    lost = {**PLAYED.to_dict(), "false_positives": 200, "false_negatives": 200}
    check = follows.ruled(
        Check(
            name="game/frozen path",
            status="",
            kind=GAME,
            trials=8_000,
            given={"rule": "game", **lost},
        )
    )
    assert check.status == "failed"
    assert check.p_value < 1e-12
    assert statuses_of([{**check.to_dict(), "status": "passed"}]) == ["failed"]


def test_a_stored_result_is_taken_for_its_own_subject_only(make, tmp_path):
    model = make.model()
    found = make.tried(model, versions=evidence.statement.versions())
    trial = {
        "synthesizer": model.plan["synthesizer"],
        "schema": "people.toml",
        "epsilon": "1",
        "delta": "1/1000000000",
        "status": "PASS",
        "reasons": [],
        "evidence": {**found, "tier": Tier.standard.value},
    }
    path = tmp_path / "result.json"

    def written(**changed):
        document = {
            "format": evidence.FORMAT,
            "tier": "standard",
            "status": "PASS",
            "trials": [{**trial, "evidence": {**trial["evidence"], **changed}}],
        }
        path.write_bytes(canonical.dumps(document))
        return path

    assert evidence.stored(written(), model.plan, model.schema)["tier"] == "standard"
    with pytest.raises(UsageError, match="other versions of: numpy"):
        evidence.stored(
            written(versions={**found["versions"], "numpy": "1.0"}), model.plan, model.schema
        )
    with pytest.raises(UsageError, match="no trial of this synthesizer"):
        evidence.stored(written(), {**model.plan, "epsilon": "2"}, model.schema)
    forged = copy.deepcopy(found["checks"])
    forged[0]["violations"] = 1
    with pytest.raises(IntegrityError, match="does not follow"):
        evidence.stored(written(checks=forged), model.plan, model.schema)
    with pytest.raises(UsageError, match="no result"):
        evidence.stored(tmp_path / "none.json", model.plan, model.schema)
