"""Whatever computes numbers from real rows outside the mechanism is on the record, and internal.

A command that is added and looks at real rows belongs into ``LOOKS``.
"""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("statsmodels")
pytest.importorskip("imblearn")

ANALYSES = """
format = "dpsynth-analyses/1"

[[analyses]]
name = "illness by age"
formula = "ill ~ age"
family = "binomial"
"""


@pytest.fixture
def ward(world):
    """A world with a model, other rows, and analyses."""
    assert world.fit(synthesizer="mst", epsilon="1").code == 0
    for seed, name in enumerate(("synthetic", "real", "holdout")):
        rng = np.random.default_rng(seed)
        age = rng.integers(0, 101, 160)
        table = {"age": age, "sex": rng.choice(["f", "m"], 160), "ill": rng.random(160) < age / 150}
        pd.DataFrame(table).to_csv(world.folder / f"{name}.csv", index=False)
    (world.folder / "analyses.toml").write_text(ANALYSES, encoding="utf-8")
    return world


def evaluate(world):
    names = ("synthetic", "real", "holdout")
    tables = [word for name in names for word in (f"--{name}", world.folder / f"{name}.csv")]
    return ["evaluate", *tables, "--schema", world.schema]


def replicate(world):
    folder = world.folder
    asked = ["--analyses", folder / "analyses.toml", "--copies", "3"]
    return ["replicate", folder / "model", *asked, "--real", folder / "real.csv"]


def study(world, *more):
    few = ["--sizes", "20", "--seeds", "2", "--drawn", "50", "--classifier", "logistic"]
    return ["augment-study", world.folder / "real.csv", *few, *more]


def enlarged(world):
    return study(world, "--model", world.folder / "model")


def transferred(world):
    return study(world, "--model", world.folder / "model", "--other-site")


def same_rows(world):
    budget = ["--schema", world.schema, "--epsilon", "1", "--synthesizer", "mst"]
    return study(world, *budget)


LOOKS = {
    evaluate: "utility evaluation",
    replicate: "replication of named analyses",
    enlarged: "augmentation study",
    transferred: "augmentation study",
    same_rows: "augmentation study",
}
each_look = pytest.mark.parametrize("command", LOOKS, ids=lambda found: found.__name__)
UNREGISTERED = "warning: this look at real rows is not registered"


def shown(world):
    return world.run("ledger", "show", world.ledger, "--json").json


@each_look
def test_a_look_is_registered_once_and_costs_nothing(ward, command):
    before = shown(ward)
    done = ward.run(*command(ward), "--out", ward.folder / "found", "--ledger", ward.ledger)
    assert done.code == 0, done.err
    assert UNREGISTERED not in done.err
    after = shown(ward)
    assert after["entries"] == before["entries"]
    assert after["looks"][:-1] == before["looks"]
    assert len(after["looks"]) == len(before["looks"]) + 1
    assert LOOKS[command] in json.dumps(after["looks"][-1])


@each_look
def test_a_look_that_is_not_registered_is_said_to_be_none(ward, command):
    done = ward.run(*command(ward), "--out", ward.folder / "found")
    assert done.code == 0, done.err
    assert done.err.count(UNREGISTERED) == 1


@each_look
def test_a_look_is_registered_before_anything_is_computed(ward, command):
    """A ledger that cannot be written stops the command before it has a number to show."""
    (ward.folder / "broken.sqlite").write_text("no ledger", encoding="utf-8")
    done = ward.run(
        *command(ward), "--out", ward.folder / "found", "--ledger", ward.folder / "broken.sqlite"
    )
    assert done.code not in (0, 70), done.err
    assert done.out == ""
    assert not (ward.folder / "found").exists()


def test_the_public_part_of_a_release_knows_nothing_of_any_look(world, tmp_path):
    """Its files are the same bytes before and after all looks, and hold no word of them."""
    assert world.release("--evaluate").code == 0
    assert (world.folder / "release" / "internal" / "evaluation.json").is_file()
    reasons = json.dumps(shown(world)["looks"])
    for reason in ("audit of a release", "utility evaluation of a release"):
        assert reasons.count(f'"{reason}"') == 1
    public = world.folder / "release" / "public"
    before = {path: path.read_bytes() for path in sorted(public.rglob("*")) if path.is_file()}
    rows = pd.read_csv(world.table)
    rows[::2].to_csv(world.folder / "real.csv", index=False)
    rows[1::2].to_csv(world.folder / "holdout.csv", index=False)
    rows.to_csv(world.folder / "synthetic.csv", index=False)
    out = ["--ledger", world.ledger, "--out"]
    assert world.run(*evaluate(world), *out, world.folder / "first").code == 0
    model = ["--model", world.folder / "release"]
    assert world.run(*study(world, *model), *out, world.folder / "second").code == 0
    after = {path: path.read_bytes() for path in sorted(public.rglob("*")) if path.is_file()}
    assert after == before
    for path, held in before.items():
        if path.suffix in {".html", ".md", ".json"}:
            text = held.decode("utf-8").lower()
            for word in ("total variation", "hellinger", "auroc", "learning curve", "holdout"):
                assert word not in text, (path.name, word)
