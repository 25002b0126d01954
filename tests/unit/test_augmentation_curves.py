"""Every method gets the rows it is said to get, and verdicts are no feelings."""

import json

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UnfitEnvironmentError, UnknownNameError, UsageError
from dpsynth.utility.augmentation import methods
from dpsynth.utility.augmentation.curves import (
    LARGER_HOLDER,
    SAME_ROWS,
    TRANSFER,
    Draws,
    Experiment,
    Split,
    learning_curves,
)
from dpsynth.utility.augmentation.judging import augmentation_section, comparisons, points
from dpsynth.utility.augmentation.methods import METHODS, REAL_ONLY, Bench, smote
from dpsynth.utility.augmentation.rows import RealRows
from dpsynth.utility.augmentation.transfer import transfer
from dpsynth.utility.downstream.features import Features
from dpsynth.utility.downstream.task import Task

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
            {"name": "dose", "kind": "continuous", "bounds": [0, 10], "bins": 8, "nullable": True},
            {"name": "result", "kind": "categorical", "values": ["no", "yes", "void"]},
        ],
    }
)
TASK = Task.of(SCHEMA, "result", ("yes",))
COLUMNS = ["sex", "age", "dose", "result"]


def people(rows, seed, *, chance=0.2):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, rows)
    likely = chance * age / 50
    result = np.where(rng.random(rows) < likely, "yes", rng.choice(["no", "void"], rows))
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], rows),
            "age": age,
            "dose": np.where(rng.random(rows) < 0.2, np.nan, rng.random(rows) * 10),
            "result": result,
        }
    )


class Stub:
    """A release that remembers what was asked of it."""

    full_schema = SCHEMA

    def __init__(self, *, without=()):
        self.asked, self.without = [], set(without)

    def sample(self, rows=None, *, seed=None, given=None):
        self.asked.append((rows, seed, given))
        drawn = people(rows, 10_000 + seed)
        if given:
            if set(given["result"]) <= self.without:
                raise UsageError("impossible")
            drawn["result"] = np.resize(np.array(given["result"], dtype=object), rows)
        return RealRows.of(drawn, SCHEMA).table


def run(experiment, release=None, pool=120):
    return learning_curves(
        experiment,
        split=lambda seed: Split(pool=people(pool, seed), test=people(300, 500 + seed)),
        release=release or (lambda _, __: Stub()),
        schema=SCHEMA,
        task=TASK,
    )


def bench(model="logistic", **changed):
    few = RealRows.of(people(60, 1), SCHEMA).table
    settings = {"real": few, "draw": None, "schema": SCHEMA, "task": TASK, "seed": 0, "drawn": 100}
    return Bench(model=model, **settings | changed)


def learnt_by(name, monkeypatch, **changed):
    """Return the tables that a method trained on."""
    seen = []
    train = methods.train

    def spy(model, table, *more, **words):
        seen.append(table)
        return train(model, table, *more, **words)

    monkeypatch.setattr(methods, "train", spy)
    METHODS[name].train(bench(**changed))
    return seen


def test_the_two_designs_learn_the_release_from_different_rows():
    asked = []

    def release(rows, seed):
        asked.append((None if rows is None else rows.copy(), seed))
        return Stub()

    settings = {"methods": (REAL_ONLY, "synthetic only"), "sizes": (20, 50), "seeds": (3, 4)}
    run(Experiment(design=SAME_ROWS, model="logistic", drawn=60, **settings), release)
    assert [(len(rows), seed) for rows, seed in asked] == [(20, 3), (50, 3), (20, 4), (50, 4)]
    pd.testing.assert_frame_equal(asked[1][0], people(120, 3).iloc[:50])
    asked.clear()
    runs = run(Experiment(design=LARGER_HOLDER, model="logistic", drawn=60, **settings), release)
    assert asked == [(None, 3), (None, 4)]
    assert {each["design"] for each in runs} == {LARGER_HOLDER}
    alone = [each["auroc"] for each in runs if each["method"] == "synthetic only"]
    assert alone[0] == alone[1] != alone[2]  # it does not hang on the real rows


def test_no_release_is_made_for_methods_that_need_none():
    def release(rows, seed):
        raise AssertionError

    experiment = Experiment(
        design=SAME_ROWS, model="logistic", methods=(REAL_ONLY, "SMOTE"), sizes=(50,), seeds=(0,)
    )
    assert [each["method"] for each in run(experiment, release)] == [REAL_ONLY, "SMOTE"]


def test_sizes_beyond_the_pool_are_left_out_and_none_at_all_is_refused():
    settings = {"design": SAME_ROWS, "model": "logistic", "methods": (REAL_ONLY,), "seeds": (0,)}
    assert {each["n"] for each in run(Experiment(sizes=(50, 100, 200), **settings))} == {50, 100}
    with pytest.raises(DataError, match="smaller than every size"):
        run(Experiment(sizes=(200,), **settings))
    one_class = Split(pool=people(60, 0), test=people(20, 1, chance=0))
    with pytest.raises(DataError, match="two classes"):
        learning_curves(
            Experiment(sizes=(50,), **settings),
            split=lambda _: one_class,
            release=lambda _, __: Stub(),
            schema=SCHEMA,
            task=TASK,
        )


def test_an_experiment_that_cannot_be_run_is_refused():
    with pytest.raises(UsageError, match="design"):
        Experiment(design="both")
    with pytest.raises(UsageError, match="'fine-tuned' cannot train"):
        Experiment(design=SAME_ROWS, model="logistic", methods=("fine-tuned",))
    with pytest.raises(UnknownNameError, match="'more'"):
        Experiment(design=SAME_ROWS, methods=("more",))
    with pytest.raises(UsageError, match="sizes"):
        Experiment(design=SAME_ROWS, model="boosting", sizes=())


@pytest.mark.parametrize(
    ("name", "added"),
    [("1 synthetic row a real one", 60), ("5 synthetic rows a real one", 300)],
)
def test_a_mix_has_as_many_synthetic_rows_as_it_says(name, added, monkeypatch):
    draws = Draws(model=Stub(), task=TASK, seed=7, rows=100)
    (table,) = learnt_by(name, monkeypatch, draw=draws)
    assert len(table) == 60 + added
    pd.testing.assert_frame_equal(table.iloc[:60], bench().real)


def test_balancing_adds_the_rarer_class_alone(monkeypatch):
    draws = Draws(model=Stub(), task=TASK, seed=7, rows=100)
    (table,) = learnt_by("balanced by synthetic rows", monkeypatch, draw=draws)
    labels = TASK.labels(table, SCHEMA)
    assert (labels == 1).sum() == (labels == 0).sum()
    assert set(table["result"].iloc[60:]) == {"yes"}


def test_a_release_without_the_rare_class_has_no_row_of_it_to_give(monkeypatch):
    draws = Draws(model=Stub(without=["yes"]), task=TASK, seed=7, rows=100)
    (table,) = learnt_by("balanced by synthetic rows", monkeypatch, draw=draws)
    assert len(table) == 60


def test_the_same_rows_come_when_asked_again():
    model = Stub()
    draws = Draws(model=model, task=TASK, seed=7, rows=100)
    pd.testing.assert_frame_equal(draws(40, None), draws(80, None).iloc[:40])
    assert model.asked == [(100, 7, None)]
    assert len(draws(150, None)) == 150
    draws(5, 1), draws(6, 0)
    assert [given for _, _, given in model.asked[-2:]] == [
        {"result": ["yes"]},
        {"result": ["no", "void"]},
    ]


def test_smote_evens_out_the_classes_between_real_rows():
    frame = people(200, 0)
    features = Features.of(frame, SCHEMA, "result")
    rows, labels = features.coded(frame), TASK.labels(frame, SCHEMA)
    more, of = smote(features, rows, labels, seed=1)
    assert (of == 0).sum() == (of == 1).sum()
    np.testing.assert_array_equal(more[:200], rows)  # with what is missing
    made = more[200:]
    assert set(made[:, 0]) <= {0.0, 1.0}
    rare = rows[labels == 1]
    assert made[:, 1].min() >= rare[:, 1].min()
    assert made[:, 1].max() <= rare[:, 1].max()
    assert not np.isin(made[:, 2], rows[:, 2]).all()


def test_smote_of_a_class_of_one_row_repeats_it():
    frame = people(50, 0, chance=0)
    frame.loc[3, "result"] = "yes"
    features = Features.of(frame, SCHEMA, "result")
    rows, labels = features.coded(frame), TASK.labels(frame, SCHEMA)
    more, of = smote(features, rows, labels, seed=1)
    assert (of == 1).sum() == (of == 0).sum()
    np.testing.assert_array_equal(more[of == 1], np.repeat(rows[3:4], 49, axis=0))


def test_smote_without_its_package_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    with pytest.raises(UnfitEnvironmentError, match=r"dpsynth\[utility\]"):
        METHODS["SMOTE"].train(bench())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_trains_every_classifier_that_it_names(name):
    for model in METHODS[name].models:
        draws = Draws(model=Stub(), task=TASK, seed=7, rows=100)
        shares = METHODS[name].train(bench(model, draw=draws)).shares(people(20, 9))
        assert shares.shape == (20, 2)
        np.testing.assert_allclose(shares.sum(axis=1), 1)


def made_up(differences, *, size=100):
    """Runs of two methods whose paired differences are given."""
    rng = np.random.default_rng(0)
    runs = []
    for seed, difference in enumerate(differences):
        base = 0.7 + rng.normal(0, 0.05)
        for method, value in ((REAL_ONLY, base), ("SMOTE", base + difference)):
            kind = {"design": SAME_ROWS, "model": "boosting", "method": method}
            runs.append({**kind, "n": size, "seed": seed, "auroc": value, "brier": -value})
    return runs


def test_points_have_students_interval():
    from scipy import stats

    runs = made_up(np.linspace(0, 0.1, 10))
    (found,) = points(runs)["SMOTE"]
    values = [run["auroc"] for run in runs if run["method"] == "SMOTE"]
    wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [wanted.low, wanted.high])
    assert found.seeds == 10


def test_a_comparison_is_paired_by_seed():
    """Unpaired, the spread between seeds would hide a difference as small and steady as this."""
    from scipy import stats

    rng = np.random.default_rng(1)
    differences = 0.01 + rng.normal(0, 0.002, 10)
    (found,) = comparisons(made_up(differences))
    assert found.verdict == "helps"
    np.testing.assert_allclose(found.p, stats.ttest_1samp(differences, 0).pvalue)
    (turned,) = comparisons(made_up(-differences))
    assert turned.verdict == "hurts"
    (less,) = comparisons(made_up(differences), figure="brier")
    assert less.verdict == "helps"  # of the Brier score, less is better
    (none,) = comparisons(made_up(rng.normal(0, 0.01, 10)))
    assert none.verdict == "no difference shown"


def test_verdicts_of_a_report_share_one_false_alarm():
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(2)
    runs = [run for n in range(10, 90, 10) for run in made_up(rng.normal(0.01, 0.02, 10), size=n)]
    found = comparisons(runs)
    alone = [comparisons([run for run in runs if run["n"] == each.n])[0].p for each in found]
    wanted = multipletests(alone, method="holm")[1]
    np.testing.assert_allclose([each.p for each in found], wanted)
    assert any(one < 0.05 <= each.p for one, each in zip(alone, found, strict=True))


def test_runs_of_different_kinds_are_not_compared():
    runs = made_up([0.1, 0.2])
    with pytest.raises(UsageError, match="one design"):
        comparisons([*runs, {**runs[0], "design": LARGER_HOLDER}])
    with pytest.raises(UsageError, match="no run of 'class weights'"):
        comparisons(runs, against="class weights")
    with pytest.raises(UsageError, match="no figure"):
        points(runs, figure="loss")


def test_the_section_says_plainly_where_it_does_not_help():
    section = augmentation_section(made_up(np.linspace(-0.02, -0.01, 10)))
    document = json.loads(json.dumps(section.to_dict()))
    assert document["key"] == "augmentation"
    assert set(document["tables"]["learning_curves"][REAL_ONLY][0]) == {"n", "mean", "low", "high"}
    assert "SMOTE, against real only: hurts at 100 real rows." in document["notes"]
    assert any("hold nothing new" in note for note in document["notes"])
    table = document["tables"]["table"]
    assert len(table["columns"]) == len(table["rows"][0])


def test_transfer_compares_the_site_alone_with_the_release():
    sites = []

    def site(seed):
        sites.append(seed)
        return Split(pool=people(40, seed), test=people(200, 50 + seed))

    for model, last in (("boosting", "fine-tuned"), ("logistic", "5 synthetic rows a real one")):
        runs = transfer(
            lambda _: Stub(), site, SCHEMA, TASK, model=model, sizes=(20,), seeds=(1, 2), drawn=200
        )
        assert {each["design"] for each in runs} == {TRANSFER}
        assert runs[-1]["method"] == last
        assert runs[0]["method"] == REAL_ONLY
    assert sites == [1, 2, 1, 2]
