"""The section on classifiers: every figure between real-trained and independent columns."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from dpsynth.errors import UsageError
from dpsynth.schema import Schema
from dpsynth.utility.downstream.groups import LEAST_ROWS, groups
from dpsynth.utility.downstream.importance import importances, rank_correlation
from dpsynth.utility.downstream.measures import MEASURES
from dpsynth.utility.downstream.models import TITLES, train
from dpsynth.utility.downstream.section import downstream
from dpsynth.utility.downstream.task import Task
from dpsynth.utility.downstream.trained import SOURCES
from dpsynth.utility.evaluate import evaluate
from dpsynth.utility.tables import Tables

COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99]},
    {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
    {"name": "dose", "kind": "continuous", "bounds": [0, 1], "nullable": True},
    {"name": "chance", "kind": "ordinal", "values": list(range(15))},
    {"name": "stage", "kind": "ordinal", "values": [0, 1, 2]},
]
SCHEMA = Schema.from_dict(
    {"columns": COLUMNS, "target": "stage", "quasi_identifiers": ["sex", "age", "chance"]}
)


def table(rows, seed=0, spread=8.0):
    rng = np.random.default_rng(seed)
    age, sex = rng.integers(18, 90, rows), rng.choice(["f", "m"], rows, p=[0.7, 0.3])
    # Of men age says nothing: a part of the rows that a classifier does badly on.
    risk = np.where(sex == "f", age, rng.integers(18, 90, rows)) + rng.normal(0, spread, rows)
    return pd.DataFrame(
        {
            "age": age,
            "sex": sex,
            "dose": np.where(rng.random(rows) < 0.5, np.nan, rng.random(rows)),
            "chance": rng.integers(0, 15, rows),
            "stage": np.digitize(risk, [45, 65]),
        }
    )


@pytest.fixture(scope="module")
def tables():
    # The synthetic rows are good ones with more noise; no mechanism is on trial here.
    made = table(700, seed=1, spread=25.0)
    return Tables.of(made, table(700), table(1_000, seed=2), SCHEMA, positive=("2",))


@pytest.fixture(scope="module")
def section(tables):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return downstream(tables, seed=0)


def found(section, name, group=""):
    return next(s for s in section.scores if (s.name, s.group) == (name, group))


def test_every_figure_of_every_model_stands_between_ceiling_and_floor(section):
    assert section.key == "downstream"
    for title in TITLES.values():
        for about in MEASURES.values():
            score = found(section, f"{title}: {about.title}")
            assert score.better == about.better
            assert score.low <= score.high
        area = found(section, f"{title}: AUROC")
        assert area.floor < 0.6 < area.value < area.ceiling + 0.02
        assert area.low < area.value < area.high
        # A straight line stands noise well; trees do not.
        assert title != TITLES["boosting"] or area.value < area.ceiling - 0.02
        # To know how common the class is, is the floor of an accuracy.
        rate = (table(1_000, seed=2)["stage"] != 2).mean()
        assert found(section, f"{title}: accuracy").floor >= rate


def test_classes_and_groups_have_figures_of_their_own(section, tables):
    names = {score.group for score in section.scores}
    assert {"stage = 2", "stage = any other", "sex = f", "sex = m"} < names
    area = "gradient boosting: AUROC"
    assert (
        found(section, area, "sex = f").ceiling
        > 0.9
        > 0.7
        > found(section, area, "sex = m").ceiling
    )
    assert found(section, area, "stage = 2").value == pytest.approx(found(section, area).value)
    bands = [group.name for group in groups(tables, without="stage") if group.name[:3] == "age"]
    assert len(bands) == 4
    assert all(" to " in band for band in bands)
    held = [group.rows for group in groups(tables, without="stage")]
    assert all(rows.sum() >= LEAST_ROWS for rows in held)
    rows = section.tables["subgroups"]["rows"]
    assert {row[2] for row in rows} == set(SOURCES)


def test_the_column_that_decides_is_the_one_that_matters(section):
    rows = section.tables["importance"]["rows"]
    assert rows[0][0] == "age"
    assert rows[0][1] > 5 * abs(rows[-1][1])
    agreement = next(score for score in section.scores if "importances" in score.name)
    assert -1 <= agreement.value <= 1
    frame, task = table(1_000), Task.of(SCHEMA, positive=("2",))
    learnt = train("boosting", frame, SCHEMA, task, seed=0)
    each = importances(learnt, frame, task.labels(frame, SCHEMA), seed=0)
    assert dict(zip(learnt.features.columns, each, strict=True))["age"] == each.max()
    assert rank_correlation(each, each) == pytest.approx(1)
    assert rank_correlation(each, -each) == pytest.approx(-1)
    assert rank_correlation(each, np.zeros(4)) == 0


def test_curves_and_tables_are_what_a_report_draws(section):
    document = json.loads(json.dumps(section.to_dict(), allow_nan=False))
    for name in ("roc", "calibration"):
        assert set(document["tables"][name]) == set(TITLES.values())
        assert set(document["tables"][name]["neural network"]) == set(SOURCES)
    roc = document["tables"]["roc"]["gradient boosting"]["real"]
    assert roc[0] == [0, 0]
    assert roc[-1] == [1, 1]
    whole = document["tables"]["table"]
    assert len(whole["rows"]) == len(TITLES) * len(SOURCES) + 1
    assert all(len(row) == len(whole["columns"]) for row in whole["rows"])
    assert any("of the AUROC that it reaches on real ones" in note for note in document["notes"])


def test_every_declared_value_is_a_class_where_none_is_positive():
    made = Tables.of(table(200, seed=1), table(200), table(200, seed=2), SCHEMA, subgroups=())
    section = downstream(made, seed=0)
    assert {score.group for score in section.scores} == {"", "stage = 0", "stage = 1", "stage = 2"}
    assert "gradient boosting, 2" in section.tables["roc"]


def test_where_there_is_no_task_there_is_no_section():
    frames = (table(50, seed=1), table(50), table(50, seed=2))
    empty = SCHEMA.to_dict()
    empty["columns"][-1]["nullable"] = True
    nothing = frames[0].assign(stage=pd.NA)
    found = downstream(Tables.of(nothing, *frames[1:], Schema.from_dict(empty)), seed=0)
    assert "No row of the synthetic table has a value of stage" in found.notes[0]
    for target in (None, "age"):
        schema = SCHEMA.model_copy(update={"target": target})
        assert downstream(Tables.of(*frames, schema), seed=0) is None
    # Where it was asked for, that is said.
    with pytest.raises(UsageError, match="column 'age' has no declared list of values"):
        evaluate(*frames, SCHEMA, target="age", sections=["downstream"])
    with pytest.raises(UsageError, match="declares no value '7'"):
        evaluate(*frames, SCHEMA, positive=["7"], sections=["downstream"])
    found = evaluate(*frames, SCHEMA, target="sex", positive=["m"], sections=["downstream"])
    assert [section.key for section in found.sections] == ["downstream"]
    assert "sex: m against f" in found.sections[0].notes[0]
