"""The whole study: who is parted from whom, what is run, and what is said in plain words."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.errors import DataError, UnfitEnvironmentError, UnknownNameError, UsageError
from dpsynth.utility.augmentation import methods, study
from dpsynth.utility.augmentation.curves import LARGER_HOLDER, SAME_ROWS
from dpsynth.utility.augmentation.judging import answers
from dpsynth.utility.augmentation.methods import METHODS, REAL_ONLY, method_called, ratio_called
from dpsynth.utility.augmentation.rows import RealRows
from dpsynth.utility.augmentation.study import Study, augmentation_study, splitting
from dpsynth.utility.downstream.task import Task

COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
    {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
    {"name": "ill", "kind": "boolean"},
]
SCHEMA = dpsynth.Schema.from_dict({"target": "ill", "columns": COLUMNS})
OF_PERSONS = dpsynth.Schema.from_dict(
    {
        "target": "ill",
        "unit": {"kind": "person", "column": "who", "max_rows": 3},
        "columns": [{"name": "who", "kind": "identifier"}, *COLUMNS],
    }
)
TASK = Task.of(SCHEMA)


def people(rows, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, rows)
    return pd.DataFrame(
        {"age": age, "sex": rng.choice(["F", "M"], rows), "ill": rng.random(rows) < age / 120}
    )


class Stub:
    """A release that draws other people of the same kind."""

    full_schema = SCHEMA

    def sample(self, rows=None, *, seed=None, given=None):
        drawn = people(rows, 10_000 + seed)
        if given:
            drawn["ill"] = bool(given["ill"][0])
        return RealRows.of(drawn, SCHEMA).table


def asked(**changed):
    settings = {
        "design": LARGER_HOLDER,
        "classifiers": ("logistic",),
        "sizes": (50, 20),
        "seeds": (0, 1, 2),
        "methods": (REAL_ONLY, "1 synthetic row a real one"),
        "drawn": 60,
    }
    return Study(**settings | changed)


def run(made, *, table=None, release=None, **more):
    return augmentation_study(
        made,
        people(200, 1) if table is None else table,
        SCHEMA,
        TASK,
        release=release or (lambda _, __: Stub()),
        **more,
    )


# -- who is parted from whom -----------------------------------------------------------------------


def test_persons_are_parted_and_never_their_rows():
    rng = np.random.default_rng(0)
    table = people(300, 1).assign(who=rng.integers(0, 100, 300).astype(str))
    table.loc[:9, "who"] = None  # each of them a person of its own
    table["row"] = range(300)
    of = splitting(table, OF_PERSONS, share=0.3)
    for seed in range(5):
        split = of(seed)
        sides = [set(part["who"].dropna()) for part in (split.pool, split.test)]
        assert not sides[0] & sides[1]
        assert sorted([*split.pool["row"], *split.test["row"]]) == list(range(300))
        persons = len(sides[1]) + int(split.test["who"].isna().sum())
        known = table["who"].dropna().nunique() + 10
        assert persons == round(0.3 * known)
        # The rows of one person follow each other, so that a size parts one person at most.
        changes = (split.pool["who"].fillna("") != split.pool["who"].fillna("").shift()).sum()
        assert changes <= len(sides[0]) + split.pool["who"].isna().sum()
    assert not of(0).pool["row"].equals(of(1).pool["row"])
    assert of(0).pool.equals(of(0).pool)


def test_rows_to_test_on_may_be_given():
    other = people(50, 9)
    split = splitting(people(200, 1), SCHEMA, test=other)(0)
    assert len(split.pool) == 200
    pd.testing.assert_frame_equal(split.test, other)
    with pytest.raises(DataError, match="too few persons"):
        splitting(people(1, 1), SCHEMA)


# -- what is run -----------------------------------------------------------------------------------


def test_every_seed_size_and_method_is_run_and_told():
    told = []
    found = run(asked(), progress=lambda done, of, words: told.append((done, of, words)))
    keys = {(each["seed"], each["n"], each["method"]) for each in found.runs}
    assert keys == {(s, n, m) for s in (0, 1, 2) for n in (20, 50) for m in asked().methods}
    assert [done for done, _, _ in told] == [0, 1, 2, 3, 4, 5, 6]
    assert {of for _, of, _ in told} == {6}
    assert "seed 2, 50 real rows" in told[5][2]
    (section,) = found.sections
    assert list(section.tables["learning_curves"]) == list(asked().methods)
    document = found.to_dict()
    assert document["target"] == "ill"
    assert len(document["runs"]) == 12


def test_one_release_serves_all_classifiers_of_a_seed_and_no_other_seed():
    for design, expected in (
        (SAME_ROWS, [(20, 0), (50, 0), (20, 1), (50, 1)]),
        (LARGER_HOLDER, [(None, 0), (None, 1)]),
    ):
        seen = []

        def release(rows, seed, seen=seen):
            seen.append((None if rows is None else len(rows), seed))
            return Stub()

        run(
            asked(design=design, classifiers=("logistic", "boosting"), seeds=(0, 1)),
            release=release,
        )
        assert seen == expected


def test_overfitting_is_looked_for_and_said():
    found = run(asked(classifiers=("boosting",), seeds=(0, 1)))
    (section,) = found.sections
    rows = section.tables["overfitting to synthetic rows"]
    assert [(row["seed"], row["real rows"]) for row in rows] == [(0, 50), (1, 50)]
    assert any("verfitt" in note for note in section.notes)


def test_sizes_that_the_table_does_not_have_are_said():
    found = run(asked(sizes=(20, 5000)))
    assert any("5,000" in note and "not as many rows" in note for note in found.sections[0].notes)


def test_any_ratio_is_a_method_and_by_default_all_are_tried():
    assert asked(methods=None, ratios=(3, 1)).names("logistic") == (
        REAL_ONLY,
        "class weights",
        "random oversampling",
        "SMOTE",
        "synthetic only",
        "1 synthetic row a real one",
        "3 synthetic rows a real one",
        "balanced by synthetic rows",
    )
    assert "fine-tuned" in asked(methods=None).names("boosting")
    assert set(METHODS) == set(asked(methods=None).names("boosting"))
    seen = []

    class Bench:
        real = people(7, 0)

        def synthetic(self, rows):
            seen.append(rows)
            return people(rows, 1)

        def trained_on(self, table):
            return len(table)

    assert method_called(ratio_called(3)).train(Bench()) == 28
    assert seen == [21]
    for wrong in ("1 synthetic rows a real one", "0 synthetic rows a real one", "x"):
        with pytest.raises(UnknownNameError):
            method_called(wrong)


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"classifiers": ("forest",)}, UnknownNameError, "forest"),
        ({"classifiers": ()}, UsageError, "at least one"),
        ({"seeds": ()}, UsageError, "at least one"),
        ({"figure": "r2"}, UnknownNameError, "r2"),
        ({"ratios": (0,)}, UsageError, "whole number"),
        ({"methods": ("SMOTE",)}, UsageError, "real only"),
        ({"methods": (REAL_ONLY, "magic")}, UnknownNameError, "magic"),
        ({"test_share": 1.0}, UsageError, "above 0 and below 1"),
        ({"sizes": (1,)}, UsageError, "at least 2"),
    ],
)
def test_what_cannot_be_studied_is_refused(changed, error, words):
    with pytest.raises(error, match=words):
        asked(**changed)


def test_smote_that_is_not_installed_is_said_before_anything_is_read(monkeypatch):
    def absent():
        raise UnfitEnvironmentError("SMOTE needs imbalanced-learn")

    monkeypatch.setattr(study, "require_smote", absent)
    asked().require_installed()  # nobody asks for it
    with pytest.raises(UnfitEnvironmentError, match="imbalanced-learn"):
        run(asked(methods=None), release=lambda _, __: pytest.fail("a release was made"))
    methods.require_smote()


# -- what is said in plain words -------------------------------------------------------------------


def runs_of(curves, *, seeds=10, spread=0.01):
    """Return runs with given means; seeds share their luck, and differ a little."""
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.05, seeds)
    return [
        {
            "design": LARGER_HOLDER,
            "model": "logistic",
            "method": method,
            "n": n,
            "seed": seed,
            "auroc": mean + luck[seed] + rng.normal(0, spread),
        }
        for method, means in curves.items()
        for n, mean in means.items()
        for seed in range(seeds)
    ]


REAL = {50: 0.60, 500: 0.70, 2000: 0.78}
MIXED = "1 synthetic row a real one"


def test_where_synthetic_rows_do_not_help_is_said_plainly():
    same = {n: mean - 0.05 for n, mean in REAL.items()}
    real, made = answers(runs_of({REAL_ONLY: REAL, MIXED: same}))
    assert made == (
        "Synthetic rows were not shown to help anywhere: of 3 comparisons with real only 3 "
        "showed harm."
    )
    assert real.endswith("so more real rows would help.")
    assert "from 500 to 2,000 it changed for the better by 0.08" in real
    flat = {**REAL, 2000: 0.70}
    real, _ = answers(runs_of({REAL_ONLY: flat, MIXED: flat}))
    assert real.endswith("so no gain of more real rows was shown.")


def test_where_they_help_is_said_with_the_size_the_ratio_and_the_free_remedies():
    better = {50: 0.70, 500: 0.70, 2000: 0.70}
    smote = {50: 0.75, 500: 0.60, 2000: 0.60}
    _, made, against = answers(runs_of({REAL_ONLY: REAL, "SMOTE": smote, MIXED: better}))
    assert made.startswith("Synthetic rows helped at 50 real rows, and were not shown to help at")
    assert "most at 50, by 1 synthetic row a real one: AUROC better by 0.1" in made
    assert made.endswith("of 3 comparisons with real only 1 showed harm.")
    assert against == "Where they help they were shown to be better than SMOTE at no size."
    smote = {50: 0.60, 500: 0.60, 2000: 0.60}
    *_, against = answers(runs_of({REAL_ONLY: REAL, "SMOTE": smote, MIXED: better}))
    assert against == "Where they help they were shown to be better than SMOTE at 50 real rows."


def test_one_seed_and_no_release_decide_nothing():
    (said,) = answers(runs_of({REAL_ONLY: REAL, MIXED: REAL}, seeds=1))
    assert "run more of them" in said
    assert len(answers(runs_of({REAL_ONLY: REAL, "SMOTE": REAL}))) == 1
