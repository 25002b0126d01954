"""Every event and every synthesizer has a proof note; promise and notes name code that exists."""

import ast
import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

import dpsynth
from attacks.conformance.audits import AUDITS
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.privacy.accounting import epsilon_from_rho
from dpsynth.privacy.events import type_of_kind
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.base import Budget
from dpsynth.synthesizers.facade import pure_names

ROOT = Path(dpsynth.__file__).parent.parent
FOLDER = ROOT / "docs" / "proofs"
INDEX = FOLDER / "index.md"
NOTES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
EXPLAINED = [
    ROOT / "docs" / "explanation" / f"{name}.md"
    for name in ("promise", "known-weaknesses", "how-we-know")
]
RHO, DELTA = Fraction(1, 10), Fraction(1, 10**9)
PLACE = re.compile(r"`((?:dpsynth|attacks|tests)/[\w/]+\.py)`")
NAMED = re.compile(r"`((?:dpsynth|attacks|tests)/[\w/]+\.py)`\s+\((`[\w.]+`(?:,\s+`[\w.]+`)*)[):]")
ROW = re.compile(r"^\| `([^`]+)` \|[^|]+\| (`[^|]+) \|", re.MULTILINE)


def text_of(name):
    path = FOLDER / f"{name}.md"
    assert path.is_file(), f"docs/proofs/{name}.md is missing: write the argument before the code"
    return path.read_text(encoding="utf-8")


@cache
def names_in(path):
    """Return every function, class, method and field of a module, methods as Class.method."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            found |= {f"{node.name}.{each.name}" for each in inner}
    return found


def code_of(text):
    """Return the places that the paragraph "Code:" names, each with its functions."""
    paragraph = next((each for each in text.split("\n\n") if each.startswith("Code: ")), "")
    return {path: re.findall(r"`([\w.]+)`", names) for path, names in NAMED.findall(paragraph)}


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_a_note_names_the_code_that_it_is_about(path):
    assert code_of(path.read_text(encoding="utf-8")), "begin with: Code: `module` (`function`, ...)"


@pytest.mark.parametrize("path", [*NOTES, *EXPLAINED], ids=lambda path: path.stem)
def test_what_a_page_names_exists(path):
    text = path.read_text(encoding="utf-8")
    missing = [place for place in PLACE.findall(text) if not (ROOT / place).is_file()]
    for place, names in NAMED.findall(text):
        known = names_in(ROOT / place) if (ROOT / place).is_file() else set()
        missing += [f"{place}: {n}" for n in re.findall(r"`([\w.]+)`", names) if n not in known]
    for place in re.findall(r"`(test_[a-z_]+\.py)`", text):
        missing += [] if list((ROOT / "tests").rglob(place)) else [place]
    tests = set().union(*(names_in(each) for each in (ROOT / "tests").rglob("test_*.py")))
    missing += [name for name in re.findall(r"`(test_\w+)`", text) if name not in tests]
    assert not missing


def test_every_note_is_in_the_index():
    assert {f"{path.name}" for path in NOTES} <= set(
        re.findall(r"\]\(([^)]+)\)", INDEX.read_text())
    )


@pytest.mark.parametrize("kind", sorted(type_of_kind))
def test_every_event_has_a_note_about_its_mechanism(kind):
    text = text_of(kind.partition("/")[0].replace("_", "-"))
    assert f"Event: `{kind}`." in text
    assert any(place.startswith("dpsynth/privacy/") for place in code_of(text))
    assert f"`{kind}`" in text_of("accounting"), "say what the event costs, and why"


@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_every_synthesizer_has_a_note_about_its_module(name):
    module = registry.BUILT_IN[name].partition(":")[0].replace(".", "/") + ".py"
    text = text_of(name)
    assert code_of(text).get(module), f"name what reads rows in {module}"
    assert "**Claim.**" in text
    assert "**Which test would fail.**" in text or "\nHeld by " in text


@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_a_note_lists_what_is_charged_in_its_order(name):
    rows = ROW.findall(text_of(name))
    told = [(phase, kind) for phase, kinds in rows for kind in re.findall(r"`(\w+/v\d+)`", kinds)]
    kinds = set()
    for steps in planned(name):
        found = [(re.sub(r" \d+ of \d+$", "", step.phase), step.event.kind) for step in steps]
        assert set(found) <= set(told)
        order = [told.index(each) for each in found if not each[0].startswith("round")]
        assert order == sorted(order)
        kinds |= set(found)
    assert kinds == set(told), "the note lists a charge that no plan has"


def planned(name):
    """Yield the charges of a small table: with a delta, and without where that can be."""
    trains = getattr(registry.get(name), "trained", False)
    made = registry.get(name)(**({"training_steps": 2} if trains else {}))
    domain = Domain(sizes={"age": 8, "sex": 2, "ward": 5})
    unit = PrivacyUnit(max_rows=2)
    claim = Budget(
        rho=RHO,
        epsilon=epsilon_from_rho(RHO, DELTA),
        delta=DELTA,
        expected_rows=10_000,
        target="sex",
    )
    yield made.bill(domain, unit=unit, budget=claim)
    if name in pure_names():
        yield made.pure_steps(domain, unit=unit, epsilon=Fraction(1))


def test_a_name_that_does_not_exist_is_seen(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("class Kept:\n    def method(self): ...\n", encoding="utf-8")
    assert names_in(path) == {"Kept", "Kept.method"}
    text = (
        "Code: `dpsynth/module.py` (`Kept.method`, `gone`),\n`dpsynth/other.py` (`that`).\n\nMore"
    )
    assert code_of(text) == {
        "dpsynth/module.py": ["Kept.method", "gone"],
        "dpsynth/other.py": ["that"],
    }


def test_every_point_of_the_promise_that_is_covered_names_its_tests():
    covered = (
        EXPLAINED[0].read_text(encoding="utf-8").split("## What is covered")[1].split("\n## ")[0]
    )
    points = re.split(r"^- ", covered, flags=re.MULTILINE)[1:]
    assert len(points) >= 6
    assert all(re.search(r"`tests/\w+/[\w/]+\.py`", point) for point in points)


def test_every_audit_is_described_with_what_it_cannot_see():
    text = EXPLAINED[2].read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL))
    assert set(AUDITS) == set(sections)
    for name, body in sections.items():
        assert f"[{name}](#{name})" in text, "the table of audits says what it takes"
        for part in ("**Runs.**", "**Sees.**", "**False alarms.**", "**Cannot see.**"):
            assert part in body, f"{name}: {part}"


def test_every_weakness_says_how_bad_it_is_and_what_to_do_instead():
    text = EXPLAINED[1].read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    weaknesses = {name for name, body in sections.items() if "**What.**" in body}
    assert len(weaknesses) >= 8
    for name in weaknesses:
        assert "**How bad.**" in sections[name], name
        assert "**Instead.**" in sections[name], name
    others = {"What the audits cannot see", "What is shown on purpose", "Advisories"}
    assert set(sections) == weaknesses | others
