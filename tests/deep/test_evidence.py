"""What a release tries of a long training: the laws of all of it, and fits of a few steps."""

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import dpsynth
from attacks.conformance import audits, evidence
from dpsynth.schema import Schema

SCHEMA = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
    ],
    "expected_rows": 20_000,
}


def test_models_are_fitted_by_short_trainings_and_laws_are_those_of_the_plan(monkeypatch):
    schema = Schema.from_dict(SCHEMA)
    made = dpsynth.synthesizer("made")
    plan = made.plan(schema, epsilon="1", delta="1/10000000").to_dict()
    tried = {}

    def run(trial, *, names):
        (name,) = names
        (step,) = (e["event"] for e in trial.document["steps"] if "steps" in e["event"])
        tried[name] = int(step["steps"])
        return []

    monkeypatch.setattr(audits, "run", run)
    evidence.gather(plan, schema)
    planned = {int(each["event"]["steps"]) for each in plan["steps"] if "steps" in each["event"]}
    assert max(planned) > 12
    assert {tried["bill"], tried["law"]} == planned
    assert {tried["released"], tried["neighbors"], tried["raw"]} == {12}


@pytest.mark.parametrize("steps", [12, 60])
def test_a_ledger_that_pays_for_one_training_refuses_a_second(steps):
    from attacks.conformance.trial import Trial

    trial = Trial(
        synthesizer=dpsynth.synthesizer("made", training_steps=steps),
        schema=Schema.from_dict(SCHEMA),
        epsilon="1",
        delta="1/10000000",
        fits=1,
    )
    (found,) = audits.run(trial, names=["ledger"])
    assert found.error is None
    assert not found.alarms
