"""What the commands say of a release that trains: its cost, the cap that it needs, the order."""

import re
from fractions import Fraction

import pytest

import dpsynth
from dpsynth.privacy.events import event_from_dict
from dpsynth.privacy.ledger import Charge

WORDS = ["--synthesizer", "made", "--epsilon", "1", "--delta", "1e-5"]


def declared(world):
    text = world.schema.read_text(encoding="utf-8")
    if "expected_rows" not in text:
        world.schema.write_text(f"expected_rows = 5000\n{text}", encoding="utf-8")
    return world.schema


def test_a_plan_that_trains_says_what_it_costs_and_which_cap_it_needs(world):
    shown = world.run("plan", "--schema", declared(world), *WORDS)
    assert shown.code == 0, shown.err
    assert "rho at order 17." in shown.out.splitlines()[0]
    assert re.search(r"^training +train .* %$", shown.out, re.MULTILINE)
    assert re.search(
        r"^needs  a ledger with a cap of at least \(epsilon 1\.[01]", shown.out, re.MULTILINE
    )
    document = world.run("plan", "--schema", world.schema, *WORDS, "--json").json
    assert Fraction(document["needs_cap"]["epsilon"]) > 1
    assert sum(Fraction(step["rho"]) for step in document["steps"]) == Fraction(document["rho"])
    out = world.folder / "plan.json"
    assert world.run("plan", "--schema", world.schema, *WORDS, "--out", out).code == 0
    assert "needs_cap" not in out.read_text(encoding="utf-8")


def test_a_ledger_shows_training_at_its_order(world):
    steps = world.run("plan", "--schema", declared(world), *WORDS, "--json").json["steps"]
    events = [event_from_dict(step["event"]) for step in steps]
    path = world.folder / "training.ledger"
    assert world.run("ledger", "init", path, "--cap-epsilon", "3", "--cap-delta", "1e-5").code == 0
    assert "order" not in world.run("ledger", "show", path, "--json").json["cap"]
    with dpsynth.Ledger.open(path) as ledger:
        account = ledger.open_release(
            rho=sum(dpsynth.total_rho([step["event"]]) for step in steps[:-1]),
            trained=events[-1:],
            seeded=False,
        )
        account.charge(
            [
                Charge(event=event, label=step["label"])
                for event, step in zip(events, steps, strict=True)
            ]
        )
        spent, cap = ledger.spent, ledger.cap
    shown = world.run("ledger", "show", path)
    assert shown.code == 0, shown.err
    assert f"order  {float(cap.order):.2f}: training has no rho of its own" in shown.out
    assert f"{float(cap.cost(events[-1])):.6f}" in shown.out
    document = world.run("ledger", "show", path, "--json").json
    assert Fraction(document["spent"]["rho"]) == spent
    assert 1 < document["spent"]["epsilon_at_cap_delta"] < 3
    assert Fraction(document["cap"]["order"]) == cap.order
    assert world.run("ledger", "verify", path).code == 0


def test_a_delta_that_the_policy_would_fail_is_refused_before_anything_is_spent(world):
    pytest.importorskip("torch", reason="training needs torch: pip install 'dpsynth[deep]'")
    declared(world)
    ended = world.release(synthesizer="made", delta="1e-3")
    assert ended.code == 2
    assert "500 declared rows above 0.0002" in ended.err
    assert "release" not in world.names()
    with dpsynth.Ledger.open(world.ledger) as book:
        assert not list(book)
