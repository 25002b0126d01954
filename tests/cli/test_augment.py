"""``dpsynth augment``: mixes, says that the result is private, and keeps it out of a release."""

import json
import shutil
import stat

import pandas as pd
import pytest

ROWS = 457  # as in conftest.py


@pytest.fixture
def fitted(world):
    assert world.fit(synthesizer="mst", epsilon="2").code == 0
    return world


def augment(world, *words, out="mixed.csv"):
    return world.run(
        "augment",
        world.table,
        "--model",
        world.folder / "model",
        "--out",
        world.folder / out,
        *words,
    )


def test_it_mixes_and_says_that_the_result_is_private(fitted):
    done = augment(fitted, "--rows", 50, "--origin", "from", "--seed", 7)
    assert done.code == 0, done.err
    assert "as private as the real table" in done.out
    assert "warning: it holds REAL rows" in done.err
    path = fitted.folder / "mixed.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    mixed = pd.read_csv(path)
    real = pd.read_csv(fitted.table)
    assert mixed["from"].tolist() == ["real"] * ROWS + ["synthetic"] * 50
    pd.testing.assert_frame_equal(mixed[real.columns].iloc[:ROWS], real)
    again = augment(fitted, "--rows", 50, "--origin", "from", "--seed", 7, out="again.csv")
    assert again.code == 0
    assert path.read_bytes() == (fitted.folder / "again.csv").read_bytes()


def test_json_and_parquet_and_balance(fitted):
    done = augment(fitted, "--balance", "ill", "--seed", 1, "--json", out="mixed.parquet")
    assert done.code == 0, done.err
    assert done.json["holds_real_rows"] is True
    assert done.json["synthetic_rows"] is None
    path = fitted.folder / "mixed.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    counts = pd.read_parquet(path)["ill"].value_counts()
    assert counts[True] == counts[False]


def test_nothing_said_counts_the_real_rows(fitted):
    for name, words in {"a.csv": ("--share", "0.5"), "b.csv": ("--balance", "ill")}.items():
        done = augment(fitted, *words, "--json", out=name)
        assert done.code == 0, done.err
        said = (done.out + done.err).replace(str(fitted.folder), "")
        real = pd.read_csv(fitted.table)
        for secret in (ROWS, int(real["ill"].sum()), ROWS - int(real["ill"].sum())):
            assert str(secret) not in said


def test_a_group_is_given_as_for_sample(fitted):
    words = ("--given", "age=20..39", "--given", "sex=f", "--group-share", "0.5")
    assert augment(fitted, *words, "--origin", "from").code == 0
    mixed = pd.read_csv(fitted.folder / "mixed.csv")
    added = mixed[mixed["from"] == "synthetic"]
    assert added["age"].between(20, 39).all()
    assert set(added["sex"]) == {"f"}


def test_it_is_never_written_into_what_may_leave_the_house(fitted):
    """The folders are laid out as ``release`` does, with a fitted model inside."""
    release, linked = fitted.folder / "release", fitted.folder / "linked"
    (release / "internal").mkdir(parents=True)
    moved = fitted.folder / "moved"  # a public part that was taken elsewhere
    for public in (release / "public", moved):
        shutil.copytree(fitted.folder / "model", public / "model")
    for name in ("ledger.json", "plan.json"):
        (moved / name).write_text("{}", encoding="utf-8")
    linked.symlink_to(release / "public")
    before = fitted.names()
    for place in (release / "public", release / "public" / "model", linked, moved):
        words = ("--model", release, "--out", place / "mixed.csv", "--rows", 5)
        refused = fitted.run("augment", fitted.table, *words)
        assert refused.code == 2, place
        assert "may leave the house" in refused.err
    assert fitted.names() == before
    words = ("--model", release, "--rows", 5, "--out")
    assert fitted.run("augment", fitted.table, *words, fitted.folder / "mixed.csv").code == 0


def test_a_fitted_model_may_leave_the_house_too(fitted):
    assert augment(fitted, "--rows", 5, out="model/mixed.csv").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one of rows"),
        (("--rows", "5", "--share", "0.5"), "one of rows"),
        (("--balance", "age"), "holds numbers"),
        (("--rows", "5", "--given", "sex=x"), "no value 'x'"),
        (("--rows", "5", "--origin", "ill"), "new column"),
    ],
)
def test_bad_words_end_with_2_and_write_nothing(fitted, words, said):
    before = fitted.names()
    done = augment(fitted, *words, "--json")
    assert done.code == 2
    assert said in json.loads(done.out)["error"]
    assert fitted.names() == before


def test_bad_files_are_refused(fitted):
    assert augment(fitted, "--rows", 5, out="mixed.txt").code == 2
    assert augment(fitted, "--rows", 5, out="model.csv").code == 0
    assert augment(fitted, "--rows", 5, out="model.csv").code == 2
    fitted.table.write_text("age,sex\n1,f\n", encoding="utf-8")
    assert augment(fitted, "--rows", 5).code == 4


def test_help_says_that_the_result_is_private(run):
    done = run("augment", "--help")
    assert done.code == 0
    assert "as private as TABLE" in " ".join(done.out.split())
