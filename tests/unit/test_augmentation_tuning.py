"""Rounds go on from where they stopped, real rows alone end them, and overfitting is found."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UnknownNameError
from dpsynth.utility.augmentation.finetuning import TUNING, fine_tune, row_losses
from dpsynth.utility.augmentation.grids import MOST_VALUES, Grids
from dpsynth.utility.augmentation.overfitting import EARLIER, FEWER, LARGER, gap, gap_of
from dpsynth.utility.augmentation.rounds import Trees, course
from dpsynth.utility.downstream.features import Features
from dpsynth.utility.downstream.measures import measure
from dpsynth.utility.downstream.task import Task

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
            {"name": "dose", "kind": "continuous", "bounds": [0, 10], "bins": 8, "nullable": True},
            {"name": "ill", "kind": "boolean"},
        ],
        "target": "ill",
    }
)
TASK = Task.of(SCHEMA)


def people(rows, seed, *, turned=False, least_age=0):
    """Made-up persons; of turned ones, those are ill who would be well."""
    rng = np.random.default_rng(seed)
    sex, age = rng.choice(["F", "M"], rows), rng.integers(least_age, 100, rows)
    dose = np.where(rng.random(rows) < 0.1, np.nan, rng.random(rows) * 10)
    risk = -4 + 0.06 * age + 0.3 * np.nan_to_num(dose) - (sex == "M")
    ill = rng.random(rows) < 1 / (1 + np.exp(risk if turned else -risk))
    return pd.DataFrame({"sex": sex, "age": age, "dose": dose, "ill": ill})


def coded(frame, features=None):
    features = features or Features.of(frame, SCHEMA, "ill")
    return features, features.coded(frame), TASK.labels(frame, SCHEMA)


def auroc(predictor, test):
    return measure(predictor.shares(test), TASK.labels(test, SCHEMA))["auroc"]


@pytest.mark.parametrize("model", ["boosting", "network"])
def test_rounds_in_two_parts_are_the_same_as_in_one(model):
    features, rows, labels = coded(people(300, 0))
    begun = course(model, features, rows, classes=2, seed=1)
    whole = begun.go_on(rows, labels, 6).shares(rows)[-1]
    parts = begun.go_on(rows, labels, 4).go_on(rows, labels, 2)
    np.testing.assert_allclose(parts.shares(rows)[-1], whole, rtol=1e-9)
    assert len(parts.shares(rows)) == 3
    assert len(begun.shares(rows)) == 1
    np.testing.assert_array_equal(begun.shares(rows)[0], np.full((300, 2), 0.5))


@pytest.mark.parametrize("model", ["boosting", "network"])
def test_a_course_can_be_taken_back_to_any_round(model):
    features, rows, labels = coded(people(200, 0))
    first = course(model, features, rows, classes=2, seed=1).go_on(rows, labels, 5)
    for done in (0, 1, 5):
        taken = first.back_to(done)
        np.testing.assert_allclose(taken.shares(rows)[-1], first.shares(rows)[done], rtol=1e-9)
    _, few, of_few = coded(people(30, 1), features)
    further = first.go_on(few, of_few, 4)
    np.testing.assert_allclose(
        further.back_to(2).shares(rows)[-1], further.shares(rows)[2], rtol=1e-9
    )
    np.testing.assert_allclose(further.shares(rows)[0], first.shares(rows)[-1], rtol=1e-9)


def test_trees_keep_their_bins_on_other_rows():
    """Plain ``warm_start`` cuts anew, and then reads its trees by bins that they were not made for.

    With few rows of a narrow range the losses that it goes on from would not be its own.
    """
    features, rows, labels = coded(people(600, 0))
    first = course("boosting", features, rows, classes=2, seed=1).go_on(rows, labels, 5)
    assert isinstance(first, Trees)
    _, few, of_few = coded(people(30, 1, least_age=80), features)
    second = first.go_on(few, of_few, 5)
    before, after = (each.model._bin_mapper for each in (first, second))
    for one, other in zip(before.bin_thresholds_, after.bin_thresholds_, strict=True):
        np.testing.assert_array_equal(one, other)
    one_class = first.go_on(few[of_few == 1], of_few[of_few == 1], 5)
    assert one_class.shares(few)[-1][:, 1].mean() > first.shares(few)[-1][:, 1].mean()


def test_cells_move_to_the_nearest_of_few_values():
    rng = np.random.default_rng(0)
    frame = people(5, 0)
    features = Features.of(frame, SCHEMA, "ill")
    rows = np.column_stack([rng.integers(0, 2, 4000), rng.normal(size=4000), rng.random(4000)])
    rows[::7, 2] = np.nan
    grids = Grids.of(features, rows)
    moved = grids.moved(rows)
    assert all(np.unique(column[~np.isnan(column)]).size <= MOST_VALUES for column in moved.T)
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(rows))
    values = grids.values[1]
    nearest = values[np.abs(values[:, None] - rows[:50, 1]).argmin(axis=0)]
    np.testing.assert_array_equal(moved[:50, 1], nearest)
    anchors = grids.anchors()
    for held, column in zip(grids.values, anchors.T, strict=True):
        assert set(held) == set(column)


@pytest.mark.parametrize("model", ["boosting", "network"])
def test_fine_tuning_stops_where_rows_that_it_has_not_seen_say_so(model):
    """Judged by the rows that it learns from, the last round would always be the best."""
    synthetic, real, test = people(600, 0), people(30, 1), people(2000, 2)
    tuned = fine_tune(model, synthetic, real, SCHEMA, TASK, seed=3)
    assert auroc(tuned.predictor, test) > 0.75
    assert tuned.pretrained > 0
    assert tuned.tuned < TUNING[model] // 2
    assert len(tuned.losses["real"]) == len(tuned.losses["synthetic"])
    np.testing.assert_allclose(tuned.held["real"].mean(), tuned.losses["real"][tuned.pretrained])


def test_real_rows_undo_a_release_that_says_the_opposite():
    synthetic, real, test = people(1000, 0, turned=True), people(200, 1), people(2000, 2)
    tuned = fine_tune("boosting", synthetic, real, SCHEMA, TASK, seed=3)
    assert tuned.pretrained == 0  # no round of it was any good
    assert tuned.tuned > 0
    assert auroc(tuned.predictor, test) > 0.7


def test_the_synthetic_rows_that_are_held_out_decide_nothing():
    """They are the first fifth of a known order: made worthless, they change no prediction."""
    synthetic, real, test = people(500, 0), people(60, 1), people(200, 2)
    spoiled = synthetic.copy()
    held = np.random.default_rng(3).permutation(500)[:100]
    spoiled.loc[held, "ill"] = ~spoiled.loc[held, "ill"]
    one, other = (
        fine_tune("boosting", each, real, SCHEMA, TASK, seed=3) for each in (synthetic, spoiled)
    )
    np.testing.assert_array_equal(one.predictor.shares(test), other.predictor.shares(test))
    assert one.losses["synthetic"] != other.losses["synthetic"]


def test_a_few_rows_of_one_class_are_enough_to_run():
    real = people(40, 1)
    real["ill"] = True
    for few in (real, real.iloc[:1]):
        tuned = fine_tune("boosting", people(300, 0), few, SCHEMA, TASK, seed=1)
        assert np.isfinite(tuned.predictor.shares(people(10, 2))).all()
    nobody = real.iloc[:0]
    with pytest.raises(DataError, match="no row of the real table"):
        fine_tune("boosting", people(300, 0), nobody, SCHEMA, TASK, seed=1)
    with pytest.raises(UnknownNameError, match="trained in rounds"):
        fine_tune("logistic", people(300, 0), real, SCHEMA, TASK, seed=1)


def test_overfitting_is_found_where_the_release_says_something_else():
    tuned = fine_tune("boosting", people(2000, 0), people(400, 1), SCHEMA, TASK, seed=3)
    same = gap_of(tuned)
    assert not same.found
    assert same.remedies == ()
    assert "no overfitting" in str(same)
    rng = np.random.default_rng(0)
    synthetic = people(2000, 0)
    synthetic["ill"] = (synthetic["age"] > 50) ^ (rng.random(2000) < 0.02)
    other = gap_of(fine_tune("boosting", synthetic, people(400, 1), SCHEMA, TASK, seed=3))
    assert other.found
    assert other.low > 0.01
    assert other.remedies[-1] == LARGER
    assert "larger epsilon" in str(other)


def test_the_remedy_follows_from_what_was_seen():
    rng = np.random.default_rng(0)
    well, badly = rng.normal(0.3, 0.05, 300), rng.normal(0.6, 0.05, 300)
    rising = [0.7, 0.55, 0.5, 0.56, 0.6]
    found = gap(well, badly, curve=rising, share=0.9)
    assert (found.rounds, found.best) == (4, 2)
    assert found.remedies == (f"{EARLIER}, after 2 of 4 rounds", FEWER, LARGER)
    assert gap(well, badly, curve=[0.7, 0.6], share=0.2).remedies == (LARGER,)
    assert not gap(badly, well, curve=rising).found
    few = gap(well[:5], badly[:5])
    assert not few.found
    assert "too few" in str(few)


def test_the_interval_of_the_gap_is_welchs():
    from scipy import stats

    rng = np.random.default_rng(0)
    one, other = rng.exponential(0.4, 200), rng.exponential(0.5, 30)
    found = gap(one, other)
    wanted = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [wanted.low, wanted.high])


def test_a_loss_is_minus_the_logarithm_of_the_class_share():
    shares = np.array([[0.2, 0.8], [1.0, 0.0]])
    np.testing.assert_allclose(row_losses(shares, np.array([1, 1])), [-np.log(0.8), -np.log(1e-6)])
