"""The parts of delta: recomputed from plan and ledger, and refused where they do not add up."""

import copy
from fractions import Fraction

import pandas as pd
import pytest

import dpsynth
from attacks.claim import claim_of
from attacks.shapes import require
from dpsynth.errors import IntegrityError

SCHEMA = dpsynth.Schema.from_dict(
    {
        "unit": {"kind": "person", "column": "id", "max_rows": 2},
        "columns": [
            {"name": "id", "kind": "identifier"},
            {"name": "town", "kind": "categorical", "open": True},
            {"name": "trade", "kind": "categorical", "open": True},
        ],
    }
)
DELTA = Fraction(1, 10**6)


@pytest.fixture(scope="module")
def made():
    frame = pd.DataFrame({"id": range(900), "town": ["a", "b", "c"] * 300, "trade": "smith"})
    with dpsynth.Ledger.in_memory(cap_epsilon=3, cap_delta=2 * DELTA) as ledger:
        for _ in range(2):
            model = dpsynth.Independent().fit(
                frame, schema=SCHEMA, epsilon=1, delta=DELTA, ledger=ledger
            )
    return dict(model.plan), dict(model.ledger_extract)


@pytest.fixture
def documents(made):
    plan, ledger = copy.deepcopy(made)
    return plan, ledger


def test_the_claim_states_the_parts_and_counts_them(documents):
    plan, ledger = documents
    require(plan, "plan", name="plan.json")
    require(ledger, "ledger", name="ledger.json")
    claim = claim_of(plan, ledger, SCHEMA)
    assert claim["reserved_delta"] == str(DELTA / 2)
    assert Fraction(claim["accounted_epsilon"]) <= 1
    assert claim["table_cumulative"]["reserved_delta_before"] == str(DELTA / 2)
    assert claim["table_cumulative"]["reserved_delta_after"] == str(DELTA)
    assert claim["table_cumulative"]["cap_reserved_delta"] == str(DELTA)
    events = [entry["event"] for entry in ledger["entries"]]
    assert dpsynth.total_reserved_delta(events) == DELTA / 2
    rho_alone = dpsynth.claimed_epsilon(
        [event for event in events if event["kind"] != "partition_selection/v1"], plan["delta"]
    )
    assert Fraction(claim["accounted_epsilon"]) > rho_alone
    assert claim["provenance"]["columns"]["town"]["learnt_values"]["entry"] == "values(town)"


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        ("plan", "reserved_delta", "1/4000000"),
        ("plan", "reserved_delta", None),
        ("plan", "reserved_delta", "2/4000000"),
        ("plan", "delta", "1/2000000"),
        ("ledger", "reserved_delta_release", "1/4000000"),
        ("ledger", "reserved_delta_before", "0"),
        ("ledger", "reserved_delta_after", None),
        ("cap", "reserved_delta", "1/2000000"),
        ("cap", "reserved_delta", "1/500000"),
        ("cap", "reserved_delta", None),
        ("cap", "rho", "1/50"),
    ],
)
def test_parts_that_do_not_add_up_are_refused(documents, where, field, value):
    plan, ledger = documents
    changed = {"plan": plan, "ledger": ledger, "cap": ledger["cap"]}[where]
    if value is None:
        del changed[field]
    else:
        changed[field] = value
    with pytest.raises(IntegrityError):
        claim_of(plan, ledger, SCHEMA)


def test_less_than_nothing_cannot_have_been_spent_before(documents):
    plan, ledger = documents
    spent = Fraction(ledger["reserved_delta_release"])
    ledger["reserved_delta_before"], ledger["reserved_delta_after"] = (
        str(-spent / 2),
        str(spent / 2),
    )
    with pytest.raises(IntegrityError, match="do not add up"):
        claim_of(plan, ledger, SCHEMA)


@pytest.mark.parametrize("field", ["threshold", "max_new", "l2_sensitivity_squared", "delta"])
def test_a_selection_that_protects_less_is_refused(documents, monkeypatch, field):
    """Also where the chain of the ledger was made anew around it."""
    plan, ledger = documents
    monkeypatch.setattr(dpsynth, "check_chain", lambda entries: None)
    for item in (plan["steps"][0], ledger["entries"][0]):
        smaller = Fraction(item["event"][field]) / 2
        item["event"][field] = str(max(smaller, Fraction(2)) if field == "threshold" else smaller)
    with pytest.raises(IntegrityError):
        claim_of(plan, ledger, SCHEMA)


def test_values_that_were_paid_for_by_another_mechanism_are_refused(documents, monkeypatch):
    """Also where all sums were made to fit: the delta of the selection would be missing."""
    plan, ledger = documents
    monkeypatch.setattr(dpsynth, "check_chain", lambda entries: None)
    for step, entry in zip(plan["steps"], ledger["entries"], strict=True):
        if step["event"]["kind"] == "partition_selection/v1":
            event = {
                "kind": "discrete_gaussian/v1",
                "sigma_squared": str(2 * Fraction(step["event"]["sigma_squared"])),
                "l2_sensitivity_squared": "4",
            }
            assert dpsynth.total_rho([event]) == Fraction(step["rho"])
            step["event"] = entry["event"] = event
    del plan["reserved_delta"]
    ledger["reserved_delta_release"] = "0"
    ledger["reserved_delta_after"] = ledger["reserved_delta_before"]
    with pytest.raises(IntegrityError, match="was learnt by"):
        claim_of(plan, ledger, SCHEMA)
