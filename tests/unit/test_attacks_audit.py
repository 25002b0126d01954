"""The audit from data frames to a verdict."""

import json

import numpy as np
import pandas as pd
import pytest

import attacks
from attacks.membership.marginal import Marginal
from attacks.subgroups import ISOLATED
from dpsynth.errors import DataError, UsageError
from dpsynth.schema import Schema

DECLARED = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99]},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
        {"name": "sick", "kind": "boolean"},
        {"name": "score", "kind": "continuous", "bounds": [0, 10], "bins": 20},
        {"name": "pid", "kind": "identifier"},
    ],
    "quasi_identifiers": ["age", "sex", "ward"],
    "sensitive": ["sick", "score"],
}
ROWS = Schema.from_dict(DECLARED)
PERSONS = Schema.from_dict({**DECLARED, "unit": {"kind": "person", "column": "pid", "max_rows": 2}})


def people(count, *, seed, first=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, count)
    return pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["m", "f"], count),
            "ward": rng.choice([*"abcde", None], count),
            "sick": rng.random(count) < age / 100,
            "score": np.round(rng.random(count) * 10, 4),
            "pid": [f"p{first + number}" for number in range(count)],
        }
    )


MEMBERS = people(3000, seed=1)
CONTROLS = people(3000, seed=2, first=10_000)
FRESH = people(3000, seed=4, first=20_000)


def audit(*tables, tier="smoke", **options):
    return attacks.audit(*tables, tier=tier, **options)


def by_name(report):
    return {result.name: result for result in report.results}


def figure(result, name):
    return next(one for one in result.figures if one.name == name)


@pytest.mark.parametrize("split", ["random", "unknown"])
@pytest.mark.parametrize("schema", [ROWS, PERSONS], ids=["row", "person"])
def test_a_verbatim_copy_is_maximal(split, schema):
    report = audit(MEMBERS, MEMBERS, CONTROLS, schema, split=split)
    found = by_name(report)
    assert report.verdict == "FAIL"
    membership = found["membership/marginal@1.0% false alarms"]
    assert membership.rate_members > 0.98
    assert membership.rate_controls < 0.05
    assert figure(found["membership/marginal@ranking"], "area under the curve").value > 0.99
    for secret in ("sick", "score"):
        confident = found[f"attribute/inference({secret})@confident guesses"]
        assert confident.rate_members == 1.0
    if split == "random":
        assert found["attribute/inference(sick)@all targets"].status == "failed"
    # Nobody guesses better from these columns than who holds every member's row.
    known = ["age", "sex", "ward"]
    best = MEMBERS.groupby(known, dropna=False)["sick"].agg(
        lambda one: max(one.mean(), 1 - one.mean())
    )
    size = MEMBERS.groupby(known, dropna=False).size()
    assert found["attribute/inference(sick)@all targets"].rate_members == pytest.approx(
        (best * size).sum() / len(MEMBERS)
    )


@pytest.mark.parametrize("schema", [ROWS, PERSONS], ids=["row", "person"])
def test_a_fresh_sample_is_at_baseline(schema):
    report = audit(FRESH, MEMBERS, CONTROLS, schema, split="random")
    assert report.verdict == "PASS"
    assert report.unit == schema.unit.kind
    assert {result.status for result in report.results} <= {"passed", "inconclusive"}
    for result in report.results:
        assert result.adjusted_p_value > 0.01
        assert result.difference_interval[0] < 0 < result.difference_interval[1]
    area = figure(by_name(report)["membership/marginal@ranking"], "area under the curve")
    assert area.low < 0.5 < area.high


def test_one_member_in_a_hundred_copied_is_found_and_so_are_the_plants():
    leak = pd.concat([MEMBERS.iloc[:30], FRESH.iloc[:2970]], ignore_index=True)
    report = audit(leak, MEMBERS, CONTROLS, ROWS, split="random", subgroups_of=[])
    assert report.verdict == "FAIL"
    assert by_name(report)["scan/copies@exact record"].status == "failed"
    assert [plant.planted for plant in report.plants] == [3, 30, 300]
    assert report.plant_found


def test_p_values_are_given_under_a_random_split_alone():
    known, unknown = (
        audit(FRESH, MEMBERS, CONTROLS, ROWS, split=split) for split in ("random", "unknown")
    )
    assert all(result.p_value is not None for result in known.results)
    assert all(result.p_value is None for result in unknown.results)
    assert all(result.adjusted_p_value is None for result in unknown.results)
    assert {result.status for result in unknown.results} == {"uncalibrated"}
    assert unknown.verdict == "INCONCLUSIVE"
    assert not unknown.plants
    assert [r.members_hits for r in known.results] == [r.members_hits for r in unknown.results]


def test_every_group_has_lines_of_its_own():
    report = audit(MEMBERS, MEMBERS, CONTROLS, ROWS, split="random")
    lines = [r for r in report.results if r.subgroup.startswith("sex")]
    assert {line.subgroup for line in lines} == {"sex = m", "sex = f"}
    whole = by_name(report)["membership/marginal@ranking"]
    by_sex = [line for line in lines if line.name.startswith("membership/marginal@ranking")]
    assert sum(line.members_hits for line in by_sex) == whole.members_hits
    assert sum(line.controls_n for line in by_sex) == whole.controls_n
    assert [r for r in report.results if r.subgroup == "ward = (missing)"]
    ages = {r.subgroup for r in report.results if r.subgroup.startswith("age")}
    assert len(ages) == 4
    alone = audit(FRESH, MEMBERS, CONTROLS, ROWS, subgroups_of=["sick"])
    assert {r.subgroup for r in alone.results} == {"", "sick = False", "sick = True", ISOLATED}
    with pytest.raises(UsageError, match="'pid' cannot be drawn"):
        audit(FRESH, MEMBERS, CONTROLS, ROWS, subgroups_of=["pid"])


def test_what_the_time_limit_leaves_out_is_skipped():
    report = audit(FRESH, MEMBERS, CONTROLS, ROWS, split="random", time_limit=1e-9)
    assert {result.status for result in report.results} == {"skipped"}
    assert report.verdict == "INCONCLUSIVE"
    assert "skipped: membership/marginal" in report.sentence


def test_same_seed_same_bytes_and_exact_round_trip():
    first, second = (
        json.dumps(audit(FRESH, MEMBERS, CONTROLS, ROWS, split="random", seed=4).to_dict())
        for _ in range(2)
    )
    assert first == second
    assert attacks.AuditReport.from_dict(json.loads(first)).to_dict() == json.loads(first)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("tier", ["smoke", "standard", "full"])
def test_few_controls_or_members_are_inconclusive(count, tier):
    fresh, members, controls = FRESH[:200], MEMBERS[:200], CONTROLS[:200]
    for tables in ((fresh, members, controls[:count]), (fresh, members[:count], controls)):
        report = audit(*tables, ROWS, split="random", tier=tier)
        assert report.verdict == "INCONCLUSIVE"
        assert json.loads(json.dumps(report.to_dict()))["verdict"] == "INCONCLUSIVE"


def test_an_empty_release_is_inconclusive():
    assert audit(FRESH[:0], MEMBERS, CONTROLS, ROWS).verdict == "INCONCLUSIVE"


def test_a_trial_is_a_person():
    twice = pd.concat([MEMBERS, MEMBERS], ignore_index=True)
    report = audit(FRESH, twice, CONTROLS, PERSONS)
    assert by_name(report)["membership/marginal@ranking"].members_n == 3000
    unnamed = MEMBERS.assign(pid=[None, *MEMBERS["pid"][1:]])
    report = audit(FRESH, unnamed, CONTROLS, PERSONS)
    assert by_name(report)["membership/marginal@ranking"].members_n == 2999


def test_without_roles_attribute_inference_does_not_apply():
    bare = Schema.from_dict({**DECLARED, "quasi_identifiers": [], "sensitive": []})
    report = audit(FRESH, MEMBERS, CONTROLS, bare, split="random")
    assert by_name(report)["attribute/inference"].status == "not applicable"
    assert report.verdict == "PASS"


def test_columns_of_another_tool_are_no_obstacle():
    foreign = FRESH[FRESH.columns[::-1]].drop(columns="pid").astype({"age": "float64"})
    foreign = foreign.assign(extra=1, score=foreign["score"].astype(str))
    ours = audit(FRESH, MEMBERS, CONTROLS, ROWS)
    theirs = audit(foreign, MEMBERS, CONTROLS, ROWS)
    assert theirs == ours


def test_missing_and_repeated_columns_are_refused_in_one_sentence():
    with pytest.raises(DataError, match="the synthetic table lacks the column 'ward'"):
        audit(FRESH.drop(columns="ward"), MEMBERS, CONTROLS, ROWS)
    with pytest.raises(DataError, match="the members table lacks the column 'pid'"):
        audit(FRESH, MEMBERS.drop(columns="pid"), CONTROLS, PERSONS)
    repeated = pd.concat([FRESH, FRESH[["sex"]]], axis=1)
    with pytest.raises(DataError, match="holds the column 'sex' more than once"):
        audit(repeated, MEMBERS, CONTROLS, ROWS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": "both"},
        {"tier": "huge"},
        {"seed": -1},
        {"time_limit": 0.0},
        {"control_share": 0.1},
        {"control_share": 1.0, "split": "random"},
    ],
)
def test_unknown_options_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        audit(FRESH, MEMBERS, CONTROLS, ROWS, **wrong)


def test_paths_are_read_by_the_schema(tmp_path):
    ROWS.write(tmp_path / "people.toml")
    FRESH.to_parquet(tmp_path / "synthetic.parquet")
    MEMBERS.to_csv(tmp_path / "members.csv", index=False)
    CONTROLS.to_csv(tmp_path / "controls.csv", index=False)
    said = []
    report = audit(
        tmp_path / "synthetic.parquet",
        str(tmp_path / "members.csv"),
        tmp_path / "controls.csv",
        tmp_path / "people.toml",
        progress=said.append,
    )
    assert report.to_dict()["results"] == audit(FRESH, MEMBERS, CONTROLS, ROWS).to_dict()["results"]
    assert len(said) > 2


def test_a_broken_attack_is_an_error_that_quotes_nothing(monkeypatch):
    def broken(*_, **__):
        raise ValueError("the person with age 47 has no ward")

    monkeypatch.setattr(Marginal, "score", broken)
    report = audit(FRESH, MEMBERS, CONTROLS, ROWS, split="random")
    assert report.verdict == "INCONCLUSIVE"
    failed = by_name(report)["membership/marginal"]
    assert failed.status == "error"
    assert "has no ward" not in json.dumps(report.to_dict())
    assert "ValueError" in failed.notes[0]


def test_controls_who_are_members_are_refused():
    """Against them, even a verbatim copy would look innocent."""
    shared = pd.concat([CONTROLS, MEMBERS[:1]], ignore_index=True)
    with pytest.raises(DataError, match="persons who are among the members"):
        audit(MEMBERS, MEMBERS, shared, PERSONS)
    with pytest.raises(DataError, match="persons who are among the members"):
        audit(MEMBERS, MEMBERS, MEMBERS.copy(), ROWS)


def test_every_column_is_guessed_where_it_is_asked():
    report = audit(FRESH, MEMBERS, CONTROLS, ROWS, every_column=True, subgroups_of=[])
    names = {name.partition("@")[0] for name in by_name(report)}
    for column in ("age", "sex", "ward", "sick", "score"):
        assert f"attribute/nearest({column} by all but one column)" in names
    assert report.plan["every_column"] is True
