"""What the harness does where tables, attacks or plants are not as they should be."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import attacks
from attacks import lower_bounds, memorization, plants, rules, suite, views
from attacks.audit_set import AuditSet
from attacks.base import Evidence, Scores
from attacks.engine.table import by_row
from attacks.membership.marginal import Marginal
from attacks.observed import Observed, Stage
from attacks.results import AttackResult
from attacks.stats.one_run import epsilon_bounds
from dpsynth.errors import DataError
from dpsynth.schema import Schema

ROWS = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99]},
        {"name": "ward", "kind": "categorical", "values": list("abcde")},
        {"name": "score", "kind": "continuous", "bounds": [0, 10], "bins": 20},
        {"name": "pid", "kind": "identifier"},
    ],
    "quasi_identifiers": ["age", "ward"],
    "sensitive": ["score"],
}
PERSONS = {**ROWS, "unit": {"kind": "person", "column": "pid", "max_rows": 2}}
UNITS = [Schema.from_dict(ROWS), Schema.from_dict(PERSONS)]
BOTH = pytest.mark.parametrize("schema", UNITS, ids=["row", "person"])


def people(count, *, seed, first=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(0, 100, count),
            "ward": rng.choice(list("abcde"), count),
            "score": np.round(rng.random(count) * 10, 4),
            "pid": [f"p{first + number}" for number in range(count)],
        }
    )


MEMBERS, CONTROLS = people(600, seed=1), people(600, seed=2, first=1000)
FRESH = people(600, seed=3, first=2000)


def audit(*tables, **options):
    options = {"split": "random", "tier": "smoke", "subgroups_of": [], **options}
    return attacks.audit(*tables, **options)


@BOTH
@pytest.mark.parametrize("count", [600, 100])
def test_members_in_another_order_and_under_other_names_are_no_controls(schema, count):
    taken = MEMBERS.sample(count, random_state=0)
    taken["pid"] = [f"q{number}" for number in range(count)]
    with pytest.raises(DataError, match="persons who are among the members"):
        audit(FRESH, MEMBERS, taken, schema)


def test_a_number_that_is_written_as_a_fraction_names_the_same_person():
    whole = MEMBERS.assign(pid=np.arange(600))
    halves = CONTROLS.assign(pid=np.arange(599, 1199).astype(float))
    with pytest.raises(DataError, match="persons who are among the members"):
        audit(FRESH, whole, halves, UNITS[1])


def test_controls_whose_records_all_happen_to_be_known_are_controls():
    few = Schema.from_dict(
        {
            "columns": [{"name": "ward", "kind": "categorical", "values": list("abcde")}],
            "quasi_identifiers": ["ward"],
            "sensitive": [],
        }
    )
    assert audit(FRESH, MEMBERS, CONTROLS, few).results


@BOTH
def test_an_empty_release_lets_no_attack_come_to_a_result(schema):
    report = audit(FRESH.iloc[:0], MEMBERS, CONTROLS, schema)
    assert {found.status for found in report.results} == {"inconclusive"}
    assert all(not found.members_n for found in report.results)
    assert report.verdict == "INCONCLUSIVE"


def test_the_attack_that_guesses_has_lines_for_each_group():
    report = audit(FRESH, MEMBERS, CONTROLS, UNITS[0], subgroups_of=["ward"])
    mine = [found for found in report.results if found.name.startswith("attribute/inference(")]
    assert {found.subgroup for found in mine} == {"", *(f"ward = {ward}" for ward in "abcde")}
    parts = [found for found in mine if found.subgroup]
    whole = next(found for found in mine if found.name.endswith("@all targets"))
    assert sum(part.members_hits for part in parts) == whole.members_hits
    assert sum(part.controls_n for part in parts) == whole.controls_n


def test_the_plan_holds_all_that_was_asked_for():
    asked = {
        "subgroups_of": ["ward"],
        "attackers": ["neighbor"],
        "knows": {"age": ["age"]},
        "synthesizer": "mst",
        "delta": 1e-5,
        "every_column": True,
        "control_share": 0.5,
        "time_limit": 1000.0,
    }
    first, again = (
        json.dumps(audit(FRESH, MEMBERS, CONTROLS, UNITS[0], tier="standard", **asked).to_dict())
        for _ in range(2)
    )
    assert first == again
    plan = json.loads(first)["plan"]
    assert plan["subgroups"] == asked.pop("subgroups_of")
    assert plan.items() >= asked.items()
    assert not plan["generator"]
    assert plan["most_persons"] == 10_000


def stage_of(persons=20):
    table = by_row(("a", "b"), np.arange(2 * persons, dtype=np.int32).reshape(persons, 2))
    return Stage(targets=table, one_row=table, views=())


def evidence_of(stage):
    sizes = dict.fromkeys(stage.targets.columns, 100)
    return Evidence(
        release=stage.targets,
        population=stage.targets,
        sizes=sizes,
        ordered=dict.fromkeys(sizes, False),
    )


@pytest.mark.parametrize("fault", [AttributeError, RuntimeError, ValueError, ZeroDivisionError])
def test_an_attack_that_breaks_is_an_error_and_its_words_stay_out(fault):
    def broken(attack, evidence, stage):
        raise fault("the row of Ada Lovelace")

    entry = suite.Entry(attack=Marginal(), game=broken, says="")
    stage = stage_of()
    lines, others = suite.run([entry], evidence_of(stage), stage, progress=lambda _: None)
    assert not lines
    assert [one.status for one in others] == ["error"]
    assert "Ada" not in others[0].note


def test_a_score_that_is_no_number_is_refused():
    good = np.zeros(3)
    assert Scores(targets=good, population=np.array([-np.inf])).scored is None
    for bad in ({"targets": good * np.nan}, {"population": good * np.nan}):
        with pytest.raises(ValueError, match="must be a number"):
            Scores(**{"targets": good, "population": good, **bad})


def line_of(name, hits):
    return Observed(name=name, threat_model=Marginal.threat_model, hits=np.asarray(hits, bool))


THOUSAND = AuditSet(
    stage=stage_of(1000),
    is_member=np.arange(1000) < 500,
    fair=np.arange(1000) % 5 < 2,
    reference=stage_of(1).targets,
)


def planted(results, *, groups=lambda lines: []):
    """Plant 1 % where the attack has two lines, and return what was said, and what was tested."""
    tested = []

    def play(attack, evidence, stage):
        return [line_of(f"membership/marginal@{point}", [0] * 1000) for point in ("a", "b")]

    def test(lines):
        tested.append([line.name for line in lines])
        return results[: len(lines)]

    entry = suite.Entry(attack=Marginal(), game=play, says="", plants=True)
    other = line_of("membership/distance@a", [0] * 1000)
    before = [*play(None, None, None), line_of("membership/marginal@a, sex = f", [0] * 1000)]
    found = plants.planted(
        evidence_of(THOUSAND.stage),
        THOUSAND,
        [*before, other],
        [entry],
        test=test,
        groups=groups,
        limits=rules.Limits(),
        seed=0,
        progress=lambda _: None,
    )
    return found, tested


def result(name, *, members, controls, p_value):
    return AttackResult(
        name=name,
        goal="MEMBERSHIP",
        threat_model={},
        status="inconclusive",
        members_hits=members,
        members_n=500,
        controls_hits=controls,
        controls_n=500,
        adjusted_p_value=p_value,
    )


def test_a_plant_is_found_where_any_line_would_fail():
    # The ranking is surer, and moves more persons, but by less than decides.
    ranking = result("membership/marginal@a", members=280, controls=250, p_value=0.0005)
    copies = result("membership/marginal@b", members=6, controls=0, p_value=0.001)
    found, _ = planted([ranking, copies, copies, copies])
    assert found[-1].line == copies
    assert all(plant.found(rules.Limits()) for plant in found)
    unsure = replace(copies, adjusted_p_value=0.02)
    missed, _ = planted([ranking, unsure, unsure, unsure])
    assert missed[-1].line == ranking
    assert not any(plant.found(rules.Limits()) for plant in missed)


def test_plants_are_tested_among_as_many_lines_as_the_audit():
    def groups(lines):
        return [line_of(f"{lines[0].name}, sex = f", [0] * 1000)]

    nothing = result("membership/marginal@a", members=0, controls=0, p_value=1.0)
    _, tested = planted([nothing] * 4, groups=groups)
    for names in tested:
        assert sorted(names) == [
            "membership/distance@a",
            "membership/marginal@a",
            "membership/marginal@a, sex = f",
            "membership/marginal@b",
        ]


def test_bounds_look_at_fair_coins_alone_and_pay_for_every_attack_that_scores():
    rng = np.random.default_rng(0)
    scores = [THOUSAND.is_member + rng.normal(size=1000) * noise for noise in (0.3, 0.4)]
    # Whoever had no fair coin is told apart at once, and must not count.
    scores[0][~THOUSAND.fair] = 9.0 * THOUSAND.is_member[~THOUSAND.fair]
    lines = [
        replace(line_of(f"membership/{place}@ranking", [0] * 1000), scores=each)
        for place, each in enumerate(scores)
    ]
    part = replace(lines[0], subgroup="sex = f")
    unscored = line_of("scan/copies@exact record", [0] * 1000)
    bounds = lower_bounds.lower_bounds([*lines, part, unscored], THOUSAND, delta=1e-5)
    labels = THOUSAND.is_member[THOUSAND.fair]
    for place, bound in enumerate(bounds):
        said = [
            epsilon_bounds(each[THOUSAND.fair], labels, delta=1e-5, looks=2)[place]
            for each in scores
        ]
        assert bound.persons == 400
        assert bound.method == said[0].method
        assert bound.epsilon == max(one.value for one in said) > 0
    nobody = replace(THOUSAND, fair=np.zeros(1000, dtype=bool))
    assert lower_bounds.lower_bounds(lines, nobody, delta=1e-5) == ()


def test_closest_records_are_told_of_members_and_of_controls():
    held = evidence_of(THOUSAND.stage)
    copied = by_row(("a", "b"), THOUSAND.stage.targets.codes[:500])
    figures = memorization.distances(replace(held, release=copied), THOUSAND)
    assert {figure.group for figure in figures} == {"members", "controls"}
    assert all(figure.value == 2.0 * (figure.group == "controls") for figure in figures)


def test_a_person_is_planted_with_all_rows():
    copies = THOUSAND.stage.targets
    twice = copies.with_copies(copies)
    assert (len(twice), twice.size) == (2000, 2000)
    handed = []

    def play(attack, evidence, stage):
        handed.append(evidence.release)
        return [line_of("membership/marginal@a", [0] * 1000)]

    stage = Stage(targets=repeated(), one_row=copies, views=())
    persons = replace(THOUSAND, stage=stage)
    plants.planted(
        evidence_of(THOUSAND.stage),
        persons,
        [],
        [suite.Entry(attack=Marginal(), game=play, says="", plants=True)],
        test=lambda lines: [result("membership/marginal@a", members=0, controls=0, p_value=1.0)],
        groups=lambda lines: [],
        limits=rules.Limits(),
        seed=0,
        progress=lambda _: None,
    )
    # 1 % and 10 % of 500 members, two rows each, beside the thousand that were released.
    assert [len(release) - 1000 for release in handed] == [2 * 5, 2 * 50]
    members = stage.targets.codes[np.isin(stage.targets.persons, np.arange(500)), 0]
    assert np.isin(handed[-1].codes[1000:, 0], members).all()


def repeated():
    """Return the thousand persons with two rows each."""
    once = THOUSAND.stage.targets
    rows = np.repeat(np.arange(1000), 2)
    return replace(once, codes=once.codes[rows], words=once.words[rows], persons=rows)


def test_nobody_knows_the_column_to_be_guessed():
    both = Schema.from_dict({**ROWS, "sensitive": ["ward", "score"]})
    found = views.views(both, attackers=["registry holder"])
    assert {(view.name, view.known, view.secrets) for view in found} == {
        ("", ("age",), ("ward",)),
        ("", ("age", "ward"), ("score",)),
        ("registry holder", ("age", "score"), ("ward",)),
        ("registry holder", ("age", "ward"), ("score",)),
    }
