"""Raw tables are held against the values that they hold, missing and unknown ones among them."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from dpsynth.bench import runner_raw
from dpsynth.bench.datasets import Dataset
from dpsynth.bench.raw import RawTable, facts, load_raw
from dpsynth.bench.scoring import Yardstick, score
from dpsynth.errors import UsageError
from dpsynth.schema import Schema

COLUMNS = [
    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 20},
    {"name": "gain", "kind": "continuous", "bounds": [0, 1000], "bins": 4, "nullable": True},
    {"name": "job", "kind": "categorical", "values": ["a", "b", "c"], "missing_codes": ["?"]},
    {"name": "rich", "kind": "categorical", "values": ["no", "yes"]},
]
SCHEMA = Schema.from_dict({"columns": COLUMNS, "target": "rich", "expected_rows": 1000})


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    return pd.DataFrame(
        {
            "age": age,
            "gain": np.where(rng.random(rows) < 0.1, np.nan, rng.random(rows) * 1000),
            "job": rng.choice(["a", "b", "c", "?"], rows),
            "rich": np.where(age + rng.normal(0, 5, rows) > 50, "yes", "no"),
        }
    )


def raw(rows=2_000):
    return RawTable(train=table(rows), test=table(500, seed=1), schema=SCHEMA, positive="yes")


def plainly(real, made):
    """The definition, by counting text."""
    edges = {
        n: np.unique(np.nanquantile(real[n], np.linspace(0, 1, 11)))[1:-1] for n in ("age", "gain")
    }

    def seen(frame):
        found = pd.DataFrame(index=frame.index)
        for name in frame:
            if name in edges:
                place = np.searchsorted(edges[name], frame[name], side="right").astype(str)
                found[name] = np.where(frame[name].isna(), "none", place)
            else:
                found[name] = frame[name].astype(str)
        return found

    one, other = seen(real), seen(made)
    scores = {}
    for width in (1, 2, 3):
        apart = []
        for names in combinations(real.columns, width):
            first, second = (each.groupby(list(names)).size() / len(each) for each in (one, other))
            apart.append(first.sub(second, fill_value=0).abs().sum() / 2)
        scores[f"tvd{width}"] = np.mean(apart)
    return scores


def test_distances_are_those_of_plain_counting():
    real, made = raw(), table(1_500, seed=2)
    made.loc[:200, "job"] = "z"  # a value that the real rows do not have
    assert Yardstick.of(real).distances(made[made.columns[::-1]]) == pytest.approx(
        plainly(real.train, made)
    )


def test_the_rows_themselves_have_no_distance_and_predict():
    real = raw()
    scores = score(real.train, real)
    assert [scores[f"tvd{width}"] for width in (1, 2, 3)] == [0, 0, 0]
    assert min(scores["auc"], scores["auc_logistic"]) > 0.9
    mixed = real.train.assign(rich=np.random.default_rng(3).permutation(real.train["rich"]))
    scores = score(mixed, real)
    assert max(abs(scores[name] - 0.5) for name in ("auc", "auc_logistic")) < 0.2
    assert score(real.train.assign(rich="no"), real)["auc"] == 0.5


def test_a_missing_number_is_a_level_and_no_zero():
    real = raw()
    filled = real.train.fillna({"gain": 0.0})
    assert Yardstick.of(real).distances(filled)["tvd1"] == pytest.approx(0.1 / 4, rel=0.3)


def test_without_a_target_or_test_rows_there_is_no_area():
    real = raw()
    alone = RawTable(train=real.train, test=None, schema=SCHEMA, positive="yes")
    assert set(score(real.train, alone)) == {"tvd1", "tvd2", "tvd3"}


def test_what_is_no_table_is_refused():
    real = raw()
    with pytest.raises(UsageError, match="no column 'job'"):
        score(real.train.drop(columns="job"), real)
    with pytest.raises(UsageError, match="no row"):
        score(real.train[:0], real)


def job(name, **more):
    return {
        "name": name,
        "settings": {},
        "epsilon": "1",
        "delta": "1e-6",
        "seed": 7,
        "schema": SCHEMA.to_dict(),
        "heldout": None,
    } | more


@pytest.mark.parametrize("name", ["independent", "auto"])
def test_a_run_is_that_of_a_user_and_its_seed_decides_it(name):
    rows = table(1_000)
    first, again, other = (
        runner_raw.sample(job(name, seed=seed), runner_raw.fit(job(name, seed=seed), rows))
        for seed in (7, 7, 8)
    )
    assert list(first) == list(rows)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_references_are_what_they_say(tmp_path):
    rows = table(1_000)
    made = {
        name: runner_raw.fit(job(name), rows)
        for name in ("resample", "train", "recoded", "shuffled")
    }
    real = RawTable(train=rows, test=None, schema=SCHEMA, positive="yes")
    found = {name: score(each, real) for name, each in made.items()}
    assert found["train"]["tvd3"] == found["shuffled"]["tvd1"] == 0 < found["shuffled"]["tvd2"]
    assert 0 < found["recoded"]["tvd1"] < 0.3  # the coarse bins of gain, and they alone
    only = found["recoded"]["tvd1"] * 4
    assert only == pytest.approx(_share(rows["gain"], made["recoded"]["gain"]), abs=0.1)
    assert 0 < found["resample"]["tvd2"] < 0.2
    with pytest.raises(ValueError, match="holds no rows out"):
        runner_raw.fit(job("test"), rows)
    rows[:10].to_parquet(tmp_path / "t.parquet")
    assert len(runner_raw.fit(job("test", heldout=str(tmp_path / "t.parquet")), rows)) == 10


def _share(one, other):
    edges = np.nanquantile(one, np.linspace(0, 1, 11))
    counts = [np.histogram(each.dropna(), edges)[0] / len(each) for each in (one, other)]
    return np.abs(counts[0] - counts[1]).sum() / 2


def test_a_table_is_read_with_its_schema_and_split(tmp_path, monkeypatch):
    rows = table(100)
    rows.assign(more=1).to_parquet(tmp_path / "t.parquet")
    about = '{"file": "t.parquet", "columns": [], "positive_value": "no"%s}'
    (tmp_path / "t.json").write_text(about % "", encoding="utf-8")
    SCHEMA.write(tmp_path / "t.toml")
    monkeypatch.setenv("DPSYNTH_DATA", str(tmp_path))
    named = Dataset(name="t", schema="t.toml")
    found = load_raw(named, folder=tmp_path)
    assert (len(found.train), len(found.test), found.positive) == (80, 20, "no")
    assert list(found.train) == list(rows)
    together = pd.concat([found.train, found.test]).sort_values(list(rows)).to_numpy()
    assert (together == rows.sort_values(list(rows)).to_numpy())[:, 2:].all()
    assert load_raw(named, folder=tmp_path, protocol="whole").test is None
    split = ', "official_split": {"train": [0, 60], "test": [60, 100]}'
    (tmp_path / "t.json").write_text(about % split, encoding="utf-8")
    found = load_raw(named, folder=tmp_path)
    pd.testing.assert_frame_equal(found.train, rows[:60])
    with pytest.raises(UsageError, match="'half'"):
        load_raw(named, folder=tmp_path, protocol="half")
    with pytest.raises(UsageError, match="names no schema"):
        load_raw(Dataset(name="t"), folder=tmp_path)
    with pytest.raises(UsageError, match="with which bins does not go"):
        Dataset(name="t", schema="t.toml", bins=3)


def test_a_peer_is_told_what_is_declared():
    told = {each["name"]: each for each in facts(SCHEMA)}
    assert told["age"] == {"name": "age", "kind": "integer", "bounds": [0, 99], "missing": False}
    assert told["job"]["values"] == ["a", "b", "c"]
    assert told["job"]["missing"]
