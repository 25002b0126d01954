"""dpsynth replicate: what it prints, writes, registers and refuses."""

import json

import pytest

pytest.importorskip("statsmodels")

ANALYSES = """
format = "dpsynth-analyses/1"

[[analyses]]
name = "illness by age"
formula = "ill ~ age + sex"
family = "binomial"
"""


@pytest.fixture
def modeled(world):
    assert world.fit(synthesizer="direct").code == 0
    (world.folder / "analyses.toml").write_text(ANALYSES, encoding="utf-8")
    return world


def replicate(world, *more, sources=("model",)):
    analyses = ("--analyses", world.folder / "analyses.toml", "--seed", 3)
    return world.run("replicate", *(world.folder / each for each in sources), *analyses, *more)


def test_a_release_is_enough(modeled):
    done = replicate(modeled, "--copies", 6, "--json")
    assert done.code == 0, done.err
    assert done.json["format"] == "dpsynth-replication/1"
    assert done.json["internal"] is False
    assert done.json["scores"] == []
    table = done.json["tables"]["coefficients"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    assert {row["coefficient"] for row in rows} == {"Intercept", "age", "sex[T.m]"}
    assert all(row["measured"] and row["copies"] == 6 for row in rows)
    assert done.json == replicate(modeled, "--copies", 6, "--json").json


def test_real_rows_make_it_internal_and_the_look_is_registered(modeled):
    before = modeled.run("ledger", "show", modeled.ledger, "--json").json
    done = replicate(
        modeled, "--copies", 4, "--real", modeled.table, "--holdout", modeled.table, "--ledger",
        modeled.ledger, "--out", modeled.folder / "result",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "for the custodian alone" in done.out
    after = modeled.run("ledger", "show", modeled.ledger, "--json").json
    assert len(after["looks"]) == len(before["looks"]) + 1
    assert after["entries"] == before["entries"]
    written = json.loads((modeled.folder / "result" / "replication.json").read_text())
    assert written["internal"] is True
    assert {each["group"] for each in written["scores"]} == {"illness by age"}
    assert all(each["ceiling"] == 1 for each in written["scores"])


def test_worlds_and_copies_are_written_with_the_dictionary(modeled):
    out = modeled.folder / "result"
    done = replicate(modeled, "--copies", 4, "--worlds", 2, "--keep-copies", "--out", out)
    assert done.code == 0, done.err
    names = {path.name for path in out.iterdir()}
    copies = {f"copy-{number:03}.parquet" for number in range(1, 5)}
    assert names == {"replication.json", "data-dictionary.md"} | copies
    written = json.loads((out / "replication.json").read_text())
    assert written["tables"]["coverage"]["rows"]
    dictionary = (out / "data-dictionary.md").read_text()
    assert "| sex | categorical | f, m | no |" in dictionary
    assert "too narrow" in dictionary
    assert "world" in done.err or "roughly" in done.err


def test_tables_made_elsewhere(modeled):
    for name, seed in (("a.csv", 1), ("b.csv", 2)):
        modeled.run(
            "sample", modeled.folder / "model", "--seed", seed, "--out", modeled.folder / name
        )
    schema = ("--schema", modeled.schema)
    done = replicate(modeled, *schema, "--rule", "partially", "--json", sources=("a.csv", "b.csv"))
    assert done.code == 0, done.err
    assert any("not known how these copies were made" in note for note in done.json["notes"])
    assert replicate(modeled, sources=("a.csv", "b.csv")).code == 2
    bad = replicate(modeled, *schema, "--rule", "half", sources=("a.csv", "b.csv"))
    assert bad.code == 2
    assert "fully, partially" in bad.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--holdout", "x.csv"), "--real"),
        (("--ledger", "x.sqlite"), "--real"),
        (("--keep-copies",), "--out"),
        (("--copies", "1"), "copies"),
    ],
)
def test_options_that_do_not_go_together_end_with_2(modeled, more, said):
    done = replicate(modeled, *more)
    assert done.code == 2
    assert said in done.err


def test_bad_analyses_end_with_2_in_one_sentence(modeled):
    path = modeled.folder / "analyses.toml"
    for text, said in (
        ("", "starts with format"),
        (ANALYSES.replace("ill ~ age", "__import__('os') ~ age"), "formula of 'illness by age'"),
        (ANALYSES.replace("sex", "weight"), "'weight'"),
        ("[[", "cannot be read"),
    ):
        path.write_text(text, encoding="utf-8")
        done = replicate(modeled, "--json")
        assert done.code == 2
        assert said in done.json["error"]
    assert replicate(modeled, sources=("people.csv",)).code == 2
