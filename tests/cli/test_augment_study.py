"""``dpsynth augment-study``: what it writes, what it says, and what it refuses."""

import json
import re
import stat

import pandas as pd
import pytest

pytest.importorskip("imblearn")

FEW = ("--sizes", "20,40", "--seeds", "2", "--drawn", "80", "--classifier", "logistic")


@pytest.fixture
def fitted(world):
    assert world.fit(synthesizer="mst", epsilon="2").code == 0
    return world


def study(world, *words, out="found"):
    return world.run("augment-study", world.table, "--out", world.folder / out, *words)


def of_model(world, *words, **changed):
    return study(world, "--model", world.folder / "model", *FEW, *words, **changed)


def test_it_writes_an_internal_page_with_curves_and_their_numbers(fitted):
    done = of_model(fitted, "--json", "--ratio", "2")
    assert done.code == 0, done.err
    folder = fitted.folder / "found"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    document = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert stat.S_IMODE((folder / "study.json").stat().st_mode) == 0o600
    said = done.json
    assert said["sections"] == document["sections"]
    assert "runs" not in said
    (section,) = said["sections"]
    assert said["design"] == section["tables"]["design"] == "larger holder"
    curves = section["tables"]["learning_curves"]
    assert {"real only", "class weights", "random oversampling", "SMOTE"} < set(curves)
    assert "2 synthetic rows a real one" in curves
    assert [point["n"] for point in curves["real only"]] == [20, 40]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Do synthetic rows help where real ones are few?" in page
    assert "Internal, not for publication" in page
    for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        assert 'role="img"' in drawing
        assert re.search(r"<title>[^<]+</title>", drawing)
        assert re.search(r"<desc [^>]*>[^<]{12,}</desc>", drawing)
    below = page[page.rindex("</svg>") :]
    mean = curves["real only"][-1]["mean"]
    assert f"{mean:.4f} (" in below  # the numbers of the curves, below them
    assert "2 seeds tell little" in done.err
    assert "part 1 of 4: larger holder, logistic: seed 0, 20 real rows" in done.err


def test_the_screen_shows_curves_and_says_plainly_what_they_mean(fitted):
    done = of_model(fitted, "--method", "real only", "--method", "synthetic only")
    assert done.code == 0, done.err
    assert "Augmentation: logistic regression, larger holder" in done.out
    assert re.search(r"real only +0\.\d{3} ± \d\.\d{3}", done.out)
    assert "Synthetic rows were not shown to help anywhere" in done.out or "helped at" in done.out
    assert "for the custodian alone" in done.out
    assert "SMOTE" not in done.out
    assert "457" not in done.err  # a count of rows


def test_releases_of_the_same_rows_are_made_and_thrown_away(world):
    before = world.names()
    done = study(
        world,
        *("--schema", world.schema, "--epsilon", "1", "--synthesizer", "mst", *FEW, "--json"),
        *("--ledger", world.ledger, "--method", "real only", "--method", "synthetic only"),
    )
    assert done.code == 0, done.err
    assert done.json["design"] == "same rows"
    after = set(world.names()) - set(before)
    assert after == {"found", *(f"found/{n}" for n in ("report.html", "study.json", "summary.md"))}
    shown = world.run("ledger", "show", world.ledger, "--json").json
    assert shown["entries"] == []  # the table's own ledger pays for nothing


def test_another_site_and_rows_to_test_on(fitted):
    other = pd.read_csv(fitted.table).iloc[::-1]
    other.to_csv(fitted.folder / "other.csv", index=False)
    done = of_model(fitted, "--other-site", "--json", "--test", fitted.folder / "other.csv")
    assert done.code == 0, done.err
    assert done.json["design"] == "transfer"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--schema", "SCHEMA"), "--model, another holder's release, or --epsilon"),
        (("--schema", "SCHEMA", "--model", "MODEL", "--epsilon", "1"), "give one"),
        (("--epsilon", "1"), "give --schema"),
        (("--schema", "SCHEMA", "--epsilon", "1", "--other-site"), "--other-site"),
        (("--schema", "SCHEMA", "--epsilon", "0"), "--epsilon"),
        (("--model", "MODEL", "--sizes", "ten"), "--sizes"),
        (("--model", "MODEL", "--classifier", "forest"), "forest"),
        (("--model", "MODEL", "--method", "magic"), "real only"),
        (("--model", "MODEL", "--test-share", "1"), "--test-share"),
        (("--model", "MODEL", "--task", "age"), "age"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(fitted, words, said):
    words = [
        {"SCHEMA": fitted.schema, "MODEL": fitted.folder / "model"}.get(word, word)
        for word in words
    ]
    done = study(fitted, *words)
    assert done.code == 2, done.err
    lines = [line for line in done.err.splitlines() if line.startswith("dpsynth: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert done.out == ""
    assert not [name for name in fitted.names() if name.startswith((".", "found"))]
