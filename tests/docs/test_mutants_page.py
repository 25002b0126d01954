"""The page of the zoo shows the result that is kept, of mutants that there are."""

import json
import runpy
from pathlib import Path

import dpsynth
from attacks.conformance.audits import AUDITS
from attacks.mutants.catalogue import CONTROLS, MUTANTS
from attacks.mutants.report import LEAST_KILLED

ROOT = Path(dpsynth.__file__).parent.parent
TOOL = runpy.run_path(str(ROOT / "tools" / "mutants_page.py"))
KEPT = json.loads(TOOL["KEPT"].read_text(encoding="utf-8"))
PAGE = TOOL["PAGE"].read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_kept_result():
    assert TOOL["renewed"](PAGE, KEPT) == PAGE, (
        "run: .venv/bin/python tools/mutants_page.py --write"
    )


def test_every_audit_is_explained():
    assert [name for name in AUDITS if f"\n| `{name}` |" not in PAGE] == []


def test_the_kept_result_is_of_this_zoo_and_no_miss_is_passed_over():
    assert {row["mutant"] for row in KEPT["rows"]} <= {each.name for each in MUTANTS}
    assert set(KEPT["controls"]) <= {each.name for each in CONTROLS}
    assert KEPT["killed"] == sum(row["killed"] for row in KEPT["rows"])
    assert KEPT["kill_rate"] == KEPT["killed"] / len(KEPT["rows"])
    # Whether the goal was reached is for the run to say; that it was not, for the page.
    assert (KEPT["kill_rate"] < LEAST_KILLED) == ("Below the goal of 95 %" in PAGE)
    assert KEPT["false_alarms"] <= KEPT["false_alarms_allowed"]
    assert KEPT["made"]["command"].startswith("dpsynth mutants --tier ")


def test_survivors_and_alarms_are_shown_as_such():
    row = {**KEPT["rows"][0], "killed": False, "errors": {"law": "broken"}}
    alarm = {"control": "c", "seed": 7, "audit": "law", "sentence": "too little noise"}
    shown = TOOL["tables"](
        {**KEPT, "rows": [row], "alarms": [alarm], "controls": {"c": 9}, "skipped": ["x-y"]}
    )
    assert f"`{row['mutant']}` survived" in shown
    assert "**!**" in shown
    assert "law: broken" in shown
    assert "| `c` | 9 | 1 |" in shown
    assert "`c`, seed 7, law: too little noise" in shown
    assert "without torch: x-y" in shown
