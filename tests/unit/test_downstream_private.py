"""diffprivlib's classifiers beside ours: told what is declared, never left to read it off rows."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from dpsynth.errors import DataError, SchemaError, UnfitEnvironmentError, UnknownNameError
from dpsynth.schema import Schema
from dpsynth.utility.downstream.measures import measure
from dpsynth.utility.downstream.private import PRIVATE, _declared, private_shares
from dpsynth.utility.downstream.task import Task

COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99]},
    {"name": "gain", "kind": "continuous", "bounds": [0, 10], "nullable": True},
    {"name": "job", "kind": "categorical", "values": ["a", "b", "c"], "missing_codes": ["?"]},
    {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"]},
    {"name": "rich", "kind": "categorical", "values": ["no", "yes"]},
]
SCHEMA = Schema.from_dict({"columns": COLUMNS, "target": "rich"})
TASK = Task.of(SCHEMA)


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    return pd.DataFrame(
        {
            "age": age,
            "gain": np.where(rng.random(rows) < 0.2, np.nan, rng.random(rows) * 10),
            "job": rng.choice(["a", "b", "c", "?"], rows),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), "D"),
            "rich": np.where(age + rng.normal(0, 8, rows) > 50, "yes", "no"),
        }
    )


@pytest.mark.parametrize("name", PRIVATE)
def test_each_learns_without_a_warning_and_noise_comes_from_the_seed(name):
    pytest.importorskip("diffprivlib", reason="needs the extra baselines")
    asked = table(1_000, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = [
            private_shares(name, table(8_000), asked, SCHEMA, TASK, epsilon=100.0, seed=seed)
            for seed in (0, 0, 1)
        ]
    assert made[0].sum(axis=1) == pytest.approx(1)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert measure(made[0], TASK.labels(asked, SCHEMA))["auroc"] > 0.75


@pytest.mark.parametrize("name", PRIVATE)
def test_what_would_be_read_off_the_rows_is_an_error(name, monkeypatch):
    models = pytest.importorskip("diffprivlib.models", reason="needs the extra baselines")
    called = {"gaussian_nb": "GaussianNB", "logistic_regression": "LogisticRegression"}.get(
        name, "RandomForestClassifier"
    )
    real = getattr(models, called)

    def forgetful(*, epsilon, random_state, **_):
        return real(epsilon=epsilon, random_state=random_state)

    monkeypatch.setattr(models, called, forgetful)
    with pytest.raises(Warning, match="not been specified"):
        private_shares(name, table(200), table(10), SCHEMA, TASK, epsilon=1.0, seed=0)


def test_features_stand_on_the_schema_alone_and_inside_the_norm():
    frame = table(500)
    for wide in (False, True):
        rows = _declared(frame, SCHEMA, TASK, wide=wide)
        assert rows.min() >= 0
        assert rows.max() <= 1
        # A row's features do not depend on the other rows.
        assert np.array_equal(rows[:7], _declared(frame[:7], SCHEMA, TASK, wide=wide))
    assert (np.square(_declared(frame, SCHEMA, TASK, wide=True)).sum(axis=1) <= 4 + 1e-12).all()
    far = frame.assign(age=10**6, gain=-5.0)
    assert _declared(far, SCHEMA, TASK, wide=False).max() <= 1


def test_rows_and_columns_that_will_not_do_are_said():
    pytest.importorskip("diffprivlib", reason="needs the extra baselines")
    frame = table(10).assign(x=1.0)
    with pytest.raises(DataError, match="all of one class of column 'rich'"):
        private_shares("gaussian_nb", frame.assign(rich="no"), frame, SCHEMA, TASK, epsilon=1.0)
    unbound = Schema.from_dict({"columns": [{"name": "x", "kind": "continuous"}, COLUMNS[-1]]})
    task = Task.of(unbound, "rich")
    with pytest.raises(SchemaError, match="column 'x' declares no bounds"):
        private_shares("gaussian_nb", frame, frame, unbound, task, epsilon=1.0)


def test_what_is_not_there_is_said_in_one_sentence(monkeypatch):
    asked = {"schema": SCHEMA, "task": TASK, "epsilon": 1.0}
    with pytest.raises(UnknownNameError, match="there are: gaussian_nb"):
        private_shares("svm", table(10), table(10), **asked)
    monkeypatch.setitem(sys.modules, "diffprivlib", None)
    monkeypatch.delitem(sys.modules, "diffprivlib.models", raising=False)
    with pytest.raises(UnfitEnvironmentError, match=r"pip install 'dpsynth\[baselines\]'"):
        private_shares("gaussian_nb", table(10), table(10), **asked)
