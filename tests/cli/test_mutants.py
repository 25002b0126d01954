"""The command of the zoo: what it prints, and how it ends."""

import json

import pytest

from attacks.conformance.audits import AUDITS
from attacks.mutants import runner
from attacks.mutants.catalogue import CONTROLS, MUTANTS, find
from attacks.mutants.report import Alarmed, ZooReport, row_of
from dpsynth.cli.app import main


def report(*, killed, alarms=(), errors=None):
    mutant = find("argmax")
    said = {
        "audit": "law",
        "alarms": [{"component": "selection", "sentence": "seen"}] if killed else [],
        "error": errors,
        "seconds": 1.25,
    }
    return ZooReport(
        tier="smoke",
        rows=(row_of(mutant, [{"seed": 0, "found": [said]}]),),
        alarms=tuple(alarms),
        seeds={"mst-with-wider-noise": 1},
        audit_runs={},
        skipped=("shuffled-batches",),
        seconds=2.0,
        made={},
    )


ALARM = Alarmed(control="mst-with-wider-noise", seed=1, audit="law", sentence="noise: too little")


@pytest.fixture
def zoo(monkeypatch):
    """Put a report in the place of a run, and note how it was asked for."""
    asked = []

    def put(made):
        def run(tier, **named):
            asked.append((tier, named))
            return made

        monkeypatch.setattr(runner, "run", run)
        return asked

    return put


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (report(killed=True), 0),
        (report(killed=False), 1),
        (report(killed=True, alarms=[ALARM]), 1),
    ],
    ids=["all well", "one survives", "false alarm"],
)
def test_the_exit_code_and_the_document(zoo, capsys, made, code):
    asked = zoo(made)
    assert main(["mutants", "--tier", "full", "--jobs", "1", "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert {
        "mutants", "killed", "kill_rate", "false_alarms", "correct_runs", "rows",
    } <= set(document)  # fmt: skip
    assert document["kill_rate"] == float(made.rows[0].killed)
    (tier, named), *_ = asked
    assert tier.value == "full"
    assert named["jobs"] == 1
    assert len(named["scope"].mutants) == len(MUTANTS)


def test_the_table_says_who_killed_whom(zoo, capsys):
    zoo(report(killed=True, alarms=[ALARM]))
    main(["mutants"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["mutant", *(name[:4] for name in AUDITS), "named", "s"]
    (row,) = [line.split() for line in lines if line.startswith("argmax")]
    assert row == ["argmax", "K", "selection", "1.2"], "no mark where nothing was run"
    assert any("too little" in line for line in lines if line.startswith("ALARM"))
    assert any("shuffled-batches" in line for line in lines), "what was left out is said"
    assert "1 of 1 mutants killed" in lines[-2]


def test_a_survivor_is_said_with_the_error_that_saved_it(zoo, capsys):
    zoo(report(killed=False, errors="ValueError: broken"))
    main(["mutants"])
    out = capsys.readouterr().out
    assert "SURVIVED" in out
    assert "argmax: the audit law could not be run: ValueError: broken" in out


def test_one_mutant_or_correct_mechanism_alone(zoo, capsys):
    asked = zoo(report(killed=True))
    main(["mutants", "--only", "argmax", "--only", "mst-with-wider-noise"])
    scope = asked[0][1]["scope"]
    assert [each.name for each in scope.mutants] == ["argmax"]
    assert [each.name for each, _ in scope.controls] == ["mst-with-wider-noise"]
    assert set(scope.audits_of(scope.mutants[0])) == set(AUDITS)
    assert main(["mutants", "--only", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_what_the_zoo_holds_is_listed(capsys):
    assert main(["mutants", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed["mutants"]] == [each.name for each in MUTANTS]
    assert [each["name"] for each in listed["controls"]] == [each.name for each in CONTROLS]
