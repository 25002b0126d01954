"""Classifiers of releases: figures as scikit-learn has them, features by the schema alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from dpsynth.errors import DataError, UnknownNameError, UsageError
from dpsynth.schema import Schema
from dpsynth.utility.downstream.features import Features
from dpsynth.utility.downstream.measures import (
    MEASURES,
    calibration_curve,
    f1_at_share,
    intervals,
    measure,
    of_class,
    roc_curve,
)
from dpsynth.utility.downstream.models import TITLES, train
from dpsynth.utility.downstream.task import Task

COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99]},
    {"name": "gain", "kind": "continuous", "bounds": [0, 10], "nullable": True},
    {"name": "job", "kind": "categorical", "values": ["a", "b", "c"], "missing_codes": ["?"]},
    {"name": "size", "kind": "ordinal", "values": ["s", "m", "l"]},
    {"name": "seen", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"]},
    {"name": "ill", "kind": "ordinal", "values": [0, 1, 2], "nullable": True},
    {"name": "rich", "kind": "categorical", "values": ["no", "yes"]},
]
SCHEMA = Schema.from_dict({"columns": COLUMNS, "target": "rich"})


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    risk = age + rng.normal(0, 8, rows)
    return pd.DataFrame(
        {
            "age": age,
            "gain": np.where(rng.random(rows) < 0.2, np.nan, rng.random(rows) * 10),
            "job": rng.choice(["a", "b", "c", "?"], rows),
            "size": rng.choice(["s", "m", "l"], rows),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, rows), "D"),
            "ill": pd.array(np.digitize(risk, [40, 60]), dtype="Int64"),
            "rich": np.where(risk > 50, "yes", "no"),
        }
    )


def predicted(classes, rows=3_000, seed=0, decimals=2):
    """Shares with many ties, labels drawn from them bent a little, weights with zeros."""
    rng = np.random.default_rng(seed)
    shares = np.round(rng.dirichlet(np.ones(classes), rows), decimals)
    shares[:, -1] = 1 - shares[:, :-1].sum(axis=1)
    bent = shares**2 / (shares**2).sum(axis=1, keepdims=True)
    labels = (rng.random(rows)[:, None] > bent.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return shares, labels, rng.integers(0, 4, rows).astype(float)


def test_figures_of_two_classes_are_those_of_scikit_learn():
    shares, labels, weights = predicted(2)
    ours = measure(shares, labels, weights)
    taken, share = shares.argmax(axis=1), shares[:, 1]
    theirs = {
        "accuracy": metrics.accuracy_score(labels, taken, sample_weight=weights),
        "precision": metrics.precision_score(labels, taken, sample_weight=weights),
        "recall": metrics.recall_score(labels, taken, sample_weight=weights),
        "f1": metrics.f1_score(labels, taken, sample_weight=weights),
        "auroc": metrics.roc_auc_score(labels, share, sample_weight=weights),
        "auprc": metrics.average_precision_score(labels, share, sample_weight=weights),
        "brier": metrics.brier_score_loss(labels, share, sample_weight=weights),
    }
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-12)
    cut = 0.3
    assert f1_at_share(shares, labels, cut) == pytest.approx(metrics.f1_score(labels, share >= cut))


def test_figures_of_three_classes_are_means_over_classes():
    shares, labels, _ = predicted(3)
    ours, taken = measure(shares, labels), shares.argmax(axis=1)
    assert ours["auroc"] == pytest.approx(
        metrics.roc_auc_score(labels, shares / shares.sum(axis=1, keepdims=True), multi_class="ovr")
    )
    assert ours["f1"] == pytest.approx(metrics.f1_score(labels, taken, average="macro"))
    truth = labels[:, None] == np.arange(3)
    assert ours["brier"] == pytest.approx(((shares - truth) ** 2).sum(axis=1).mean())
    recalls = metrics.recall_score(labels, taken, average=None)
    assert [of_class(shares, labels, place)["recall"] for place in range(3)] == pytest.approx(
        recalls
    )


def test_calibration_is_the_gap_of_what_was_said_and_what_was():
    share = np.repeat([0.25, 0.75], 100)
    labels = np.concatenate([np.arange(100) < 25, np.arange(100) < 55]).astype(int)
    shares = np.column_stack([1 - share, share])
    assert measure(shares, labels)["ece"] == pytest.approx(0.1)
    assert calibration_curve(shares, labels, 1) == [[0.25, 0.25], [0.75, 0.55]]
    assert roc_curve(shares, labels, 1) == [[0.0, 0.0], [0.375, 0.6875], [1.0, 1.0]]


def test_what_rows_do_not_determine_is_nan_and_never_an_error():
    shares, labels = np.full((5, 2), 0.5), np.zeros(5, dtype=int)
    found = measure(shares, labels)
    assert np.isnan(found["auroc"])
    assert np.isnan(found["auprc"])
    assert found["recall"] == 0
    assert all(np.isnan(value) for value in measure(shares, labels, np.zeros(5)).values())


def test_the_bootstrap_is_that_of_rows_and_covers_what_is_true():
    """20 samples of 300 rows: the interval misses one in 20; more than 5 by chance 0.03 %."""
    missed = 0
    for seed in range(20):
        shares, labels, _ = predicted(2, rows=300, seed=seed)
        bounds = intervals(lambda w, s=shares, y=labels: of_class(s, y, 1, w), 300, seed=seed)
        low, high = bounds["auroc"]
        missed += not low <= TRUE_AUROC <= high
    assert missed <= 5


TRUE_AUROC = measure(*predicted(2, rows=100_000, seed=99)[:2])["auroc"]


def test_a_task_names_declared_values_alone():
    assert Task.of(SCHEMA).classes == ("no", "yes")
    some = Task.of(SCHEMA, "ill", ("1", "2"))
    assert some.classes == ("0", "1 or 2")
    assert some.labels(pd.DataFrame({"ill": [0, 2, None, 1]}), SCHEMA).tolist() == [0, 1, -1, 1]
    assert Task.of(SCHEMA, "ill").classes == ("0", "1", "2")
    for target, positive, word in (
        ("nobody", (), "declares no column 'nobody'"),
        ("age", (), "no declared list of values"),
        ("rich", ("maybe",), "declares no value 'maybe'"),
        ("rich", ("no", "yes"), "every value"),
    ):
        with pytest.raises(UsageError, match=word):
            Task.of(SCHEMA, target, positive)
    with pytest.raises(UsageError, match="name one, or declare"):
        Task.of(Schema.from_dict({"columns": COLUMNS}))


def test_features_are_declared_levels_and_what_the_training_table_says_of_numbers():
    frame = table(200)
    features = Features.of(frame, SCHEMA, "rich")
    assert features.columns == ("age", "gain", "job", "size", "seen", "ill")
    assert features.categories == [False, False, True, False, False, False]
    coded = features.coded(frame)
    assert np.array_equal(np.isnan(coded[:, 1]), frame["gain"].isna())
    assert set(coded[:, 2]) == {0, 1, 2, 3}  # "?" is the last
    design = features.design(frame)
    # A number and its mark of a missing cell; levels, and the one that means missing.
    assert design.shape[1] == 1 + (1 + 1) + (3 + 1) + 3 + 1 + (3 + 1)
    assert design[:, 0].mean() == pytest.approx(0, abs=1e-12)
    assert design[:, 0].std() == pytest.approx(1)
    assert np.array_equal(design[:, 2] == 1, frame["gain"].isna())


def test_rows_to_ask_change_nothing_of_how_features_are_made():
    one, other = table(300), table(300, seed=1).assign(age=99, gain=np.nan)
    learnt = Features.of(one, SCHEMA, "rich")
    both = learnt.design(pd.concat([one, other], ignore_index=True))
    assert np.array_equal(both[:300], learnt.design(one))
    assert np.array_equal(both[300:], learnt.design(other))
    other["job"] = "no such job"  # counts as missing, as everywhere
    assert set(learnt.coded(other)[:, 2]) == {3}


@pytest.mark.parametrize("model", TITLES)
def test_each_model_learns_what_is_there(model):
    learnt = train(model, table(2_000), SCHEMA, Task.of(SCHEMA), seed=0)
    asked = table(1_000, seed=1)
    shares = learnt.shares(asked)
    assert shares.sum(axis=1) == pytest.approx(1)
    found = measure(shares, Task.of(SCHEMA).labels(asked, SCHEMA))
    assert set(found) == set(MEASURES)
    assert found["auroc"] > 0.9
    # What is asked for tells nothing: it is no feature.
    assert np.array_equal(learnt.shares(asked.assign(rich="no")), shares)
    again = train(model, table(2_000), SCHEMA, Task.of(SCHEMA), seed=0)
    assert np.array_equal(again.shares(asked), shares)


@pytest.mark.parametrize("model", TITLES)
def test_a_class_that_no_training_row_has_is_never_predicted(model):
    task, frame = Task.of(SCHEMA, "ill"), table(800)
    two = frame[frame["ill"] != 1].assign(ill=lambda rows: rows["ill"].mask(rows.index < 50))
    shares = train(model, two, SCHEMA, task, seed=0).shares(frame)
    assert not shares[:, 1].any()
    assert shares.sum(axis=1) == pytest.approx(1)
    alone = train(model, frame[frame["ill"] == 2], SCHEMA, task, seed=0).shares(frame)
    assert (alone[:, 2] == 1).all()


def test_what_cannot_be_trained_is_said():
    with pytest.raises(UnknownNameError, match="there are: logistic"):
        train("forest", table(10), SCHEMA, Task.of(SCHEMA), seed=0)
    empty = table(10).assign(ill=pd.NA)
    with pytest.raises(DataError, match="no row to train on"):
        train("logistic", empty, SCHEMA, Task.of(SCHEMA, "ill"), seed=0)
