"""From a table to a released network: what is planned is paid, whatever the rows are."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'dpsynth[deep]'")
pytest.importorskip("safetensors", reason="safetensors is not installed")

import dpsynth
from attacks import conformance
from attacks.conformance import neighbors
from attacks.conformance.trial import Trial
from dpsynth.errors import UnfitEnvironmentError, UnknownNameError, UsageError
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep
from dpsynth.testing.recording import replay

DEEP = sorted(name for name in registry.BUILT_IN if issubclass(registry.get(name), Deep))
STEPS = 4
CLAIM = {"epsilon": 1, "delta": "1e-6"}
ROWS = 500


def schema_of(**more):
    return dpsynth.Schema.from_dict(
        {
            "expected_rows": ROWS,
            "target": "ill",
            "columns": [
                {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
                {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": [0, 18, 40, 65, 99]},
                {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "nullable": True},
                {"name": "ill", "kind": "boolean"},
                {"name": "who", "kind": "identifier"},
            ],
            **more,
        }
    )


def people(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, rows)
    cost = np.minimum(rng.exponential(200, rows), 1000)
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], rows),
            "age": age,
            "cost": np.where(rng.random(rows) < 0.1, np.nan, cost),
            "ill": rng.random(rows) < 0.1 + 0.6 * (age > 60),
            "who": np.arange(rows) // 2,
        }
    )


def made(name, **settings):
    return dpsynth.synthesizer(name, **{"training_steps": STEPS, **settings})


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "people.ledger"
    dpsynth.Ledger.create(path, cap_epsilon=4, cap_delta="1e-6").close()
    return path


def entries(path):
    with dpsynth.Ledger.open(path) as book:
        return [(entry.label, entry.event) for entry in book]


PERSONS = {"unit": {"kind": "person", "column": "who", "max_rows": 2}}


@pytest.mark.parametrize("more", [{}, PERSONS], ids=["rows", "persons"])
@pytest.mark.parametrize("name", DEEP)
def test_what_is_planned_is_paid(name, more, ledger):
    schema, chosen = schema_of(**more), made(name)
    plan = chosen.plan(schema, **CLAIM)
    told = []
    model = chosen.fit(
        people(),
        schema=schema,
        ledger=ledger,
        control=Fraction(1, 10),
        progress=lambda *done: told.append(done),
        **CLAIM,
    )
    paid, planned = entries(ledger), [(step.label, step.event) for step in plan.steps]
    assert [event for _, event in paid] == [event for _, event in planned]
    # A marginal model's slots are named in the ledger by what noisy answers put into them.
    assert paid == planned or (name == "hybrid" and paid[-1] == planned[-1])
    assert [step.phase for step in plan.steps][-1] == "train"
    assert told == [(step, STEPS) for step in range(1, STEPS + 1)]
    claim = dpsynth.claimed_epsilon([s["event"] for s in plan.to_dict()["steps"]], "1e-6")
    assert Fraction(98, 100) < claim <= 1
    drawn = model.sample(200, seed=1)
    assert list(drawn.columns) == list(people().columns)
    assert drawn["age"].between(0, 99).all()
    assert drawn["cost"].dropna().between(0, 1000).all()


@pytest.mark.parametrize("name", DEEP)
def test_open_values_and_bins_come_before_in_the_same_claim(name, ledger):
    town = {"name": "town", "kind": "categorical", "open": True}
    schema = schema_of(columns=[*schema_of().to_dict()["columns"], town])
    table = people().assign(town=np.where(np.arange(ROWS) % 2 == 0, "B", "Ulm"))
    claim = {"epsilon": 4, "delta": "1e-6"}
    plan = made(name).plan(schema, **claim)
    assert [step.phase for step in plan.steps][:2] == ["values", "bins"]
    path = ledger.with_name("open.ledger")
    dpsynth.Ledger.create(path, cap_epsilon=9, cap_delta="1e-5").close()
    model = made(name).fit(table, schema=schema, ledger=path, **claim)
    assert [event for _, event in entries(path)] == [step.event for step in plan.steps]
    assert set(model.values["town"]) == {"B", "Ulm"}
    events = [step["event"] for step in plan.to_dict()["steps"]]
    assert dpsynth.claimed_epsilon(events, "1e-6") <= 4
    assert {"B", "Ulm"} <= set(model.sample(300, seed=0)["town"].dropna())


@pytest.mark.parametrize("name", DEEP)
def test_a_plan_says_what_it_takes(name):
    plan = made(name, training_steps=None).plan(schema_of(), **CLAIM)
    event = plan.to_dict()["steps"][-1]["event"]
    assert int(event["steps"]) > 50
    assert 0 < Fraction(event["rate"]) <= 1
    assert Fraction(event["noise_multiplier"]) > 0
    assert plan.estimate.rows == ROWS
    assert plan.estimate.minutes > 0
    assert plan.estimate.mebibytes > 100


@pytest.mark.parametrize("name", ["made", "transformer"])
def test_a_larger_claim_trains_longer_and_the_plan_says_so(name):
    plans = [
        made(name, training_steps=None).plan(schema_of(), epsilon=epsilon, delta="1e-6")
        for epsilon in (1, 9)
    ]
    steps, minutes = (
        [plan.steps[-1].event.steps for plan in plans],
        [plan.estimate.minutes for plan in plans],
    )
    assert steps[0] < steps[1]
    assert minutes[0] < minutes[1]


@pytest.mark.parametrize("name", DEEP)
def test_without_expected_rows_there_is_no_plan(name, ledger):
    schema = dpsynth.Schema.from_dict(
        {key: value for key, value in schema_of().to_dict().items() if key != "expected_rows"}
    )
    for call in (
        lambda: made(name).plan(schema, **CLAIM),
        lambda: made(name).fit(people(), schema=schema, ledger=ledger, **CLAIM),
    ):
        with pytest.raises(UsageError, match="`expected_rows`"):
            call()
    assert entries(ledger) == []


@pytest.mark.parametrize("name", DEEP)
def test_without_a_delta_there_is_no_plan(name):
    with pytest.raises(UsageError, match="delta"):
        made(name).plan(schema_of(), epsilon=1, delta=0)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_any_rows_end_in_a_model(name, rows, ledger):
    table = people(rows).astype({"cost": object, "age": object})
    for at, cell in enumerate([np.inf, -np.inf, "?", 1e300][:rows]):
        table.loc[at, "cost"] = cell
    schema = schema_of()
    model = made(name).fit(table, schema=schema, ledger=ledger, **CLAIM)
    assert len(model.sample(30, seed=0)) == 30
    assert len(entries(ledger)) == len(made(name).plan(schema, **CLAIM).steps)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("more", [{}, PERSONS], ids=["rows", "persons"])
def test_neighbors_differ_by_what_the_noise_covers(name, more):
    trial = Trial(
        synthesizer=made(name), schema=schema_of(**more), epsilon="1", delta="1e-6", pairs=0
    )
    checks = neighbors.audit(trial)
    assert len({check.trials for check in checks}) == 2  # on a narrow table there are fewer
    assert min(check.trials for check in checks) >= 4
    assert [(check.status, check.detail) for check in checks if check.status != "passed"] == []


@pytest.mark.parametrize("name", DEEP)
def test_every_step_of_a_replay_is_recorded(name):
    found = replay(made(name), schema_of(), epsilon="1", delta="1e-6")
    for each in found:
        steps = [reading for reading in each.here if reading.sums is not None]
        assert len(steps) == STEPS
        # All of the training is on record when its first batch is read.
        assert {reading.paid for reading in steps} == {len(each.charged)}


@pytest.mark.parametrize("name", DEEP)
def test_rules_hold_in_every_sample(name, ledger):
    rules = [{"forbid": {"sex": "M", "ill": True}}]
    schema = schema_of(rules=rules)
    model = made(name).fit(people(), schema=schema, ledger=ledger, **CLAIM)
    drawn = model.sample(2_000, seed=0)
    assert not ((drawn["sex"] == "M") & drawn["ill"]).any()
    assert {"F", "M"} <= set(drawn["sex"])
    assert drawn["ill"].any()


def test_conditions_on_the_first_columns_are_met_at_once(ledger):
    model = made("made", first="sex,ill").fit(people(), schema=schema_of(), ledger=ledger, **CLAIM)
    assert model.model.order[:2] == ("sex", "ill")
    drawn = model.sample(500, seed=0, given={"sex": "F", "ill": True, "age": [70, 80]})
    assert set(drawn["sex"]) == {"F"}
    assert drawn["ill"].all()
    assert drawn["age"].between(70, 80).all()


def test_the_declared_target_comes_first_by_default(ledger):
    model = made("made").fit(people(), schema=schema_of(), ledger=ledger, **CLAIM)
    assert model.model.order[0] == "ill"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"first": "nobody"}, UnknownNameError),
        ({"first": "sex,sex"}, UsageError),
        ({"training_steps": 0}, UsageError),
        ({"batch": -1}, UsageError),
        ({"one_way_share": "1"}, UsageError),
        ({"hidden": "many"}, UsageError),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(settings, error):
    with pytest.raises(error):
        made("made", **settings).plan(schema_of(), **CLAIM)


def test_a_batch_may_be_set():
    event = made("made", batch=50).plan(schema_of(), **CLAIM).steps[-1].event
    assert event.rate == Fraction(1, 10)


def test_the_same_answers_give_the_same_model_on_file(ledger, tmp_path):
    model = made("made").fit(people(), schema=schema_of(), ledger=ledger, **CLAIM)
    model.save(tmp_path / "model")
    read = dpsynth.load_model(tmp_path / "model")
    pd.testing.assert_frame_equal(model.sample(99, seed=5), read.sample(99, seed=5))


@pytest.mark.parametrize("name", DEEP)
def test_what_is_not_installed_costs_nothing(name, ledger, monkeypatch):
    monkeypatch.setattr("dpsynth.synthesizers.deep.find_spec", lambda package: None)
    with pytest.raises(UnfitEnvironmentError, match=r"pip install 'dpsynth\[deep\]'"):
        made(name).fit(people(), schema=schema_of(), ledger=ledger, **CLAIM)
    assert entries(ledger) == []


@pytest.mark.parametrize("name", DEEP)
def test_a_plan_loads_no_torch(name):
    document = json.dumps(json.dumps(schema_of().to_dict()))
    code = (
        "import sys, json, dpsynth\n"
        f"schema = dpsynth.Schema.from_dict(json.loads({document}))\n"
        f"dpsynth.synthesizer({name!r}).plan(schema, epsilon=1, delta='1e-6')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_interrupt_keeps_the_debit_and_leaves_no_file(ledger, tmp_path):
    schema, table, out = tmp_path / "people.toml", tmp_path / "people.csv", tmp_path / "model"
    schema_of().write(schema)
    people().to_csv(table, index=False)
    words = ["fit", table, "--schema", schema, "--synthesizer", "made", "--epsilon", "1"]
    words += ["--delta", "1e-6", "--ledger", ledger, "--out", out, "--set", "training_steps=5000"]
    program = subprocess.Popen(
        [sys.executable, "-m", "dpsynth", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # A shell may have told its background jobs, and so this one, to ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in program.stderr:
        if "training: step 1 of" in line:
            break
    time.sleep(0.2)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 130, said
    assert [label for label, _ in entries(ledger)][-1] == "training"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "people.csv",
        "people.ledger",
        "people.toml",
    ]


def test_no_trial_without_torch_but_a_sentence(monkeypatch):
    plan = made("made").plan(schema_of(), **CLAIM).to_dict()
    monkeypatch.setattr("attacks.conformance.evidence.find_spec", lambda package: None)
    with pytest.raises(UnfitEnvironmentError, match=r"dpsynth\[deep\]"):
        conformance.run(plan, schema_of())
