"""Releases that train: claim and verdict are worked out again from plan and ledger, or refused."""

import copy
from dataclasses import replace
from fractions import Fraction

import pytest

import dpsynth
from attacks.claim import claim_of
from attacks.shapes import require
from attacks.verify import verify
from dpsynth.domain import NeighboringRelation, PrivacyUnit
from dpsynth.errors import IntegrityError, UnsupportedEventError
from dpsynth.privacy.accounting import noise_multiplier_for
from dpsynth.privacy.events import DiscreteGaussianEvent, SampledGaussianEvent
from dpsynth.privacy.ledger import Charge
from dpsynth.release import bundle, canonical, manifest
from dpsynth.synthesizers.base import Step
from dpsynth.synthesizers.plan import Plan, cost_of

EPSILON, DELTA = Fraction(1), Fraction(1, 10**6)
UNIT = PrivacyUnit(name="person", max_rows=2, neighboring=NeighboringRelation.ADD_OR_REMOVE)
TABLE = DiscreteGaussianEvent(sigma_squared=Fraction(16_000), l2_sensitivity_squared=Fraction(4))
BEFORE = DiscreteGaussianEvent(sigma_squared=Fraction(4000), l2_sensitivity_squared=Fraction(4))


def charges(events):
    return [Charge(event=event, label=f"charge {at}") for at, event in enumerate(events)]


@pytest.fixture(scope="module")
def documents_made():
    multiplier = noise_multiplier_for(
        epsilon=EPSILON, delta=DELTA, rate=Fraction(1, 8), steps=200, others=(TABLE, TABLE)
    )
    training = SampledGaussianEvent(rate=Fraction(1, 8), noise_multiplier=multiplier, steps=200)
    events = [TABLE, TABLE, training]
    plan = Plan(
        synthesizer="made",
        settings={},
        epsilon=EPSILON,
        delta=DELTA,
        rho=cost_of(events, epsilon=EPSILON, delta=DELTA),
        unit=UNIT,
        unit_column="id",
        steps=tuple(
            Step(phase="fit", label=charge.label, event=charge.event) for charge in charges(events)
        ),
        estimate=None,
    )
    with dpsynth.Ledger.in_memory(cap_epsilon=3, cap_delta=DELTA) as ledger:
        other = ledger.open_release(rho=Fraction(4, 8000), seeded=False)
        other.charge(charges([BEFORE]))
        account = plan.open(ledger)
        account.charge(charges(events))
        later = ledger.open_release(rho=Fraction(4, 8000), seeded=False)
        later.charge(charges([BEFORE]))
        return plan.to_dict(), account.extract(), later.extract()


@pytest.fixture
def documents(documents_made):
    return copy.deepcopy(documents_made)


@pytest.fixture
def declared(make):
    return dpsynth.Schema.from_dict(make.schema)


def test_the_claim_is_the_sum_of_privacy_losses_and_the_table_is_counted_at_its_order(
    documents, declared
):
    plan, ledger, _ = documents
    require(plan, "plan", name="plan.json")
    require(ledger, "ledger", name="ledger.json")
    claim = claim_of(plan, ledger, declared)
    assert Fraction(99, 100) < Fraction(claim["accounted_epsilon"]) <= 1
    assert claim["order"] == plan["order"]
    assert claim["rho"] == plan["rho"]
    cumulative = claim["table_cumulative"]
    assert cumulative["cap_order"] == ledger["cap"]["order"] != plan["order"]
    assert 1 < Fraction(cumulative["epsilon"]) < 3
    spent = dpsynth.epsilon_at(ledger["rho_after"], ledger["cap"]["order"], plan["delta"])
    assert Fraction(cumulative["epsilon"]) == spent


def test_a_later_release_that_does_not_train_still_states_the_order(documents, declared):
    later = documents[2]
    assert later["cap"]["order"] == documents[1]["cap"]["order"]
    event = later["entries"][0]["event"]
    rho = dpsynth.total_rho([event])
    plan = {
        **documents[0],
        "epsilon": "1",
        "rho": str(rho),
        "steps": [{"phase": "fit", "label": "charge 0", "event": event, "rho": str(rho)}],
    }
    del plan["order"]
    claim = claim_of(plan, later, declared)
    assert claim["table_cumulative"]["cap_order"] == later["cap"]["order"]
    assert "order" not in claim
    with pytest.raises(IntegrityError, match="must state an order"):
        claim_of({**plan, "order": "20"}, later, declared)


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        ("plan", "order", None),
        ("plan", "order", "1"),
        ("plan", "order", "20"),
        ("plan", "order", "40/2"),
        ("plan", "rho", "1/50"),
        ("plan", "epsilon", "0"),
        ("cap", "order", None),
        ("cap", "order", "1/2"),
        ("cap", "order", "20"),
        ("cap", "order", "5000"),
        ("ledger", "rho_release", "1/50"),
        ("ledger", "rho_before", "1/50"),
        ("step", "rho", "0"),
        ("step", "rho", "1/1000"),
    ],
)
def test_orders_and_costs_that_do_not_follow_are_refused(documents, declared, where, field, value):
    plan, ledger, _ = documents
    places = {"plan": plan, "ledger": ledger, "cap": ledger["cap"], "step": plan["steps"][-1]}
    if value is None:
        del places[where][field]
    else:
        places[where][field] = value
    if (where, field) == ("plan", "epsilon"):
        claim = claim_of(plan, ledger, declared)
        assert Fraction(claim["accounted_epsilon"]) > Fraction(claim["epsilon"])
        return
    with pytest.raises((IntegrityError, UnsupportedEventError)):
        claim_of(plan, ledger, declared)


@pytest.mark.parametrize(
    "changed",
    [{"steps": "100"}, {"rate": "1/16"}, {"noise_multiplier": "100"}, {"steps": "3/2"}],
)
def test_a_ledger_of_less_training_than_planned_is_refused(documents, declared, changed):
    plan, ledger, _ = documents
    ledger["entries"][-1]["event"].update(changed)
    with pytest.raises(IntegrityError):
        claim_of(plan, ledger, declared)


@pytest.mark.parametrize(
    "changed",
    [
        {"steps": "1" + "0" * 400},
        {"rate": "1/1" + "0" * 400},
        {"noise_multiplier": "1/1" + "0" * 400},
        {"noise_multiplier": "1" + "0" * 400},
        {"steps": "1" + "0" * 14},
    ],
)
def test_costs_that_no_machine_can_state_are_refused_in_time(changed):
    from attacks.claim import _accounted

    event = {"kind": "sampled_gaussian/v1", "rate": "1/8", "noise_multiplier": "8", "steps": "300"}
    table = {"kind": "discrete_gaussian/v1", "sigma_squared": "9", "l2_sensitivity_squared": "1"}
    try:
        found = _accounted([{**event, **changed}, table], "1/100000")
    except IntegrityError:
        return
    assert found >= dpsynth.claimed_epsilon([table], "1/100000") * Fraction(9, 10)


class TestVerify:
    """A certificate with such a claim, changed by its own signer."""

    @pytest.fixture
    def trained(self, documents, declared, make):
        plan, ledger, _ = documents
        model = replace(make.model(), schema=declared, plan=plan, ledger_extract=ledger)
        make.certified(make.base / "release", key=make.key, model=model)
        return make.base / "release"

    @pytest.fixture
    def resign(self, key):
        def change(directory, edit):
            public = directory / bundle.PUBLIC
            content = canonical.read(public / bundle.CERTIFICATE)
            edit(content)
            data = canonical.dumps(content)
            (public / bundle.CERTIFICATE).write_bytes(data)
            (public / bundle.CERTIFICATE_SIGNATURE).write_bytes(key.sign(data))
            manifest.write(public)

        return change

    def test_it_verifies(self, trained, trusted):
        found = verify(trained, trust=trusted)
        assert found.verdict == "PASS"
        assert "order" in found.claim

    @pytest.mark.parametrize(
        ("shift", "fits"),
        [("-1/1000000", False), ("-1/1000000000000", True), ("1/1000000000", True), ("1/2", False)],
    )
    def test_the_stated_epsilon_is_what_follows_or_a_little_more(
        self, trained, resign, shift, fits
    ):
        from attacks.claim import decimal_text

        def change(content):
            claim = content["predicate"]["claim"]
            claim["accounted_epsilon"] = decimal_text(
                Fraction(claim["accounted_epsilon"]) + Fraction(shift)
            )

        resign(trained, change)
        if fits:
            assert verify(trained).verdict == "PASS"
        else:
            with pytest.raises(IntegrityError, match=r"claim\.accounted_epsilon"):
                verify(trained)

    @pytest.mark.parametrize(
        ("rows", "verdict"), [(100_000, "PASS"), (100_001, "FAIL"), (None, "PASS")]
    )
    def test_presets_want_a_delta_below_a_tenth_of_one_over_the_declared_rows(
        self, documents, make, rows, verdict
    ):
        plan, ledger, _ = documents
        schema = dpsynth.Schema.from_dict(
            make.schema if rows is None else {**make.schema, "expected_rows": rows}
        )
        model = replace(make.model(), schema=schema, plan=plan, ledger_extract=ledger)
        found = make.certified(make.base / "release", key=make.key, model=model)
        assert found.verdict == verdict
        assert ("declared rows" in " ".join(found.reasons)) == (verdict == "FAIL")
        assert verify(make.base / "release").verdict == verdict

    def test_its_order_cannot_be_left_out(self, trained, resign):
        resign(trained, lambda content: content["predicate"]["claim"].pop("order"))
        with pytest.raises(IntegrityError, match=r"claim\.order"):
            verify(trained)
