"""No synthetic row breaks a rule: every synthesizer, little and much budget, hard rows."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.encoding import codecs
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.zeros import keeps_zeros
from dpsynth.privacy.ledger import Ledger
from dpsynth.schema import Schema
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep

ROWS = 3_000
STEPS = 6  # of a training: rules hold whatever it learns
CODES = [f"C{number:02d}" for number in range(60)]
FEMALE = ["C50", "C51", "C52", "C53"]
SCHEMA = Schema.from_dict(
    {
        "expected_rows": ROWS,
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
            {"name": "pregnant", "kind": "boolean", "nullable": True},
            {"name": "age", "kind": "integer", "bounds": [0, 90]},
            {"name": "code", "kind": "categorical", "values": CODES},
            {"name": "birth", "kind": "date", "bounds": ["1920-01-01", "2020-12-31"]},
            {"name": "in", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"]},
            {
                "name": "out",
                "kind": "date",
                "bounds": ["2020-01-01", "2021-12-31"],
                "nullable": True,
            },
            {"name": "low", "kind": "continuous", "bounds": [0, 100], "decimals": 1},
            {
                "name": "high",
                "kind": "continuous",
                "bounds": [0, 200],
                "decimals": 1,
                "missing_codes": [-1],
            },
            {"name": "stage", "kind": "ordinal", "values": [1, 2, 3, 4]},
            {"name": "later stage", "kind": "ordinal", "values": [1, 2, 3, 4], "nullable": True},
        ],
        "rules": [
            {"forbid": {"sex": "M", "pregnant": True}},
            {"forbid": {"age": {"least": 0, "most": 9}, "pregnant": True}},
            {"forbid": {"sex": "M", "code": FEMALE}},
            {"forbid": {"low": {"least": 20.55, "most": 40.25}, "sex": "F"}},
            {"order": ["birth", "in", "out"]},
            {"order": ["low", "high"]},
            {"order": ["stage", "later stage"]},
        ],
    }
)


COARSE = {"age": 6, "in": 6, "out": 8}


def _small():
    """A part of the schema that `direct` can count whole, with the same rules over it."""
    names = ("sex", "pregnant", "age", "in", "out", "stage", "later stage")
    found = SCHEMA.to_dict()
    found["columns"] = [
        {**each, "bins": COARSE[each["name"]]} if each["name"] in COARSE else each
        for each in found["columns"]
        if each["name"] in names
    ]
    found["rules"] = [
        {"order": [name for name in each["order"] if name in names]} if "order" in each else each
        for each in found["rules"]
        if sum(name in names for name in each.get("order", each.get("forbid"))) > 1
    ]
    return Schema.from_dict(found)


SMALL = _small()


def rows(seed=0):
    """Rows of which many break every rule."""
    rng = np.random.default_rng(seed)

    def day(first, days):
        return pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, days, ROWS), unit="D")

    low = rng.gamma(2, 10, ROWS).round(1)
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], ROWS),
            "pregnant": pd.array(rng.random(ROWS) < 0.2, dtype="boolean"),
            "age": rng.integers(0, 91, ROWS),
            "code": [CODES[min(int(code), 59)] for code in rng.geometric(0.08, ROWS)],
            "birth": day("2019-06-01", 500),
            "in": day("2020-01-01", 366),
            "out": day("2020-01-01", 400),
            "low": low,
            "high": np.where(rng.random(ROWS) < 0.1, -1, low + rng.normal(1, 4, ROWS)).round(1),
            "stage": rng.integers(1, 5, ROWS),
            "later stage": pd.array(rng.integers(1, 5, ROWS), dtype="Int64"),
        }
    )
    for name in ("pregnant", "out", "later stage"):
        frame.loc[rng.random(ROWS) < 0.1, name] = pd.NA
    return frame


def breaks(frame):
    """Tell the rows that break each rule; a missing value breaks none."""
    for name in ("code", "birth", "low", "high"):  # a table may go without
        frame = frame if name in frame else frame.assign(**{name: pd.NA})
    pregnant = frame["pregnant"].fillna(False).astype(bool)
    male, later = frame["sex"] == "M", frame["later stage"].astype("Float64").fillna(9)
    found = {
        "pregnant man": male & pregnant,
        "pregnant child": (frame["age"] < 10) & pregnant,
        "code": male & frame["code"].isin(FEMALE),
        "range": ~male & (frame["low"] >= 20.55) & (frame["low"] <= 40.25),
        "birth": frame["birth"] > frame["in"],
        "out": frame["in"] > frame["out"],
        "birth and out": frame["birth"] > frame["out"],
        "high": (frame["low"] > frame["high"]) & (frame["high"] != -1),
        "stage": frame["stage"] > later,
    }
    return {name: wrong.fillna(False).astype(bool) for name, wrong in found.items()}


def broken(frame):
    """Count the rows that break each rule."""
    return {name: int(wrong.sum()) for name, wrong in breaks(frame).items()}


def fitted(name, epsilon):
    ledger = Ledger.in_memory(cap_epsilon=100, cap_delta=0.5)
    schema = SMALL if name == "direct" else SCHEMA
    table = rows()[[column.name for column in schema.columns]]
    method = registry.get(name)
    if not issubclass(method, Deep):
        made = method()
    else:
        pytest.importorskip("torch", reason="training needs torch: pip install 'dpsynth[deep]'")
        made = method(training_steps=STEPS)
    return made.fit(table, schema=schema, epsilon=epsilon, delta=1e-9, ledger=ledger)


def test_the_rows_break_every_rule():
    assert all(broken(rows()).values())


@pytest.mark.parametrize("epsilon", [0.1, 10])
@pytest.mark.parametrize("name", sorted(registry.BUILT_IN))
def test_no_synthetic_row_breaks_a_rule(name, epsilon, tmp_path):
    model = fitted(name, epsilon)
    drawn = model.sample(6_000, seed=1)
    assert not any(broken(drawn).values()), broken(drawn)
    if epsilon == 10:  # little budget may lose whole codes to the noise
        assert drawn[["pregnant", "out", "later stage"]].isna().any().all()
        assert drawn["sex"].nunique() == 2
        assert drawn["in"].nunique() > 100
    model.save(tmp_path / "model")
    again = dpsynth.load_model(tmp_path / "model")
    assert len(again.model.domain.zeros) == len(model.model.domain.zeros)
    assert len(again.model.domain.zeros) == (4 if name == "direct" else 9)
    if isinstance(again.model, GraphicalModel):  # a network keeps them while it draws
        assert keeps_zeros(again.model)
    pd.testing.assert_frame_equal(again.sample(100, seed=3), model.sample(100, seed=3))


def test_a_model_that_breaks_its_rules_is_not_loaded(tmp_path):
    free = SCHEMA.model_copy(update={"rules": SCHEMA.rules[3:]})
    ledger = Ledger.in_memory(cap_epsilon=100, cap_delta=0.5)
    made = registry.get("independent")()
    model = made.fit(rows(), schema=free, epsilon=10, delta=1e-9, ledger=ledger)
    model.save(tmp_path / "model")
    assert dpsynth.load_model(tmp_path / "model").schema == free
    path = tmp_path / "model" / "model.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["schema"]["rules"].append({"forbid": {"sex": "M", "pregnant": True}})
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(IntegrityError, match="damaged") as found:
        dpsynth.load_model(tmp_path / "model")
    assert "breaks a rule of its schema" in str(found.value.__cause__)


def test_rules_cost_a_synthesizer_no_marginal():
    """Rows that keep the rules come out as without rules: columns and pairs alike."""
    many = pd.concat([rows(seed) for seed in range(10)], ignore_index=True)
    kept = many[~np.any(list(breaks(many).values()), axis=0)].reset_index(drop=True)
    assert len(kept) > 1_000
    errors = {}
    for rules in (SCHEMA.rules, ()):
        schema = SCHEMA.model_copy(update={"rules": rules})
        ledger = Ledger.in_memory(cap_epsilon=100, cap_delta=0.5)
        model = registry.get("mst")().fit(
            kept, schema=schema, epsilon=10, delta=1e-9, ledger=ledger
        )
        drawn = model.sample(len(kept), seed=0)
        pair = ["sex", "pregnant"]
        exact = kept[pair].value_counts(normalize=True, dropna=False)
        found = drawn[pair].value_counts(normalize=True, dropna=False)
        errors[bool(rules)] = exact.sub(found, fill_value=0).abs().sum() / 2
    assert errors[True] < 0.03
    assert errors[True] < errors[False] + 0.02


DAY = {"kind": "date", "bounds": ["2020-01-01", "2020-12-31"], "bins": 12}
STAR = Schema.from_dict(
    {
        "columns": [
            *({"name": name, **DAY} for name in ("in", "scan", "surgery", "out")),
            {"name": "drug", "kind": "categorical", "values": ["none"], "open": True},
        ],
        "rules": [
            {"order": ["in", "scan"]},
            {"order": ["in", "surgery"]},
            {"order": ["in", "out"]},
            {"forbid": {"drug": "none", "out": {"least": "2020-07-01"}}},
        ],
    }
)


@pytest.fixture(scope="module")
def star():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            name: pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, ROWS), unit="D")
            for name in ("in", "scan", "surgery", "out")
        }
    ).assign(drug=rng.choice(["none", "a", "b"], ROWS))
    ledger = Ledger.in_memory(cap_epsilon=100, cap_delta=0.5)
    made = registry.get("independent")()
    return made.fit(table, schema=STAR, epsilon=10, delta=1e-9, ledger=ledger)


def test_one_day_before_several_and_an_open_column(star):
    drawn = star.sample(20_000, seed=0)
    for later in ("scan", "surgery", "out"):
        assert (drawn["in"] <= drawn[later]).all()
    assert max(map(len, star.model.cliques)) == 2
    assert {"none", "a", "b"} <= set(drawn["drug"])
    assert not ((drawn["drug"] == "none") & (drawn["out"] >= "2020-07-01")).any()


def test_a_part_of_a_bin_among_several_orders_is_refused(star):
    with pytest.raises(UsageError, match="cannot weigh a part of a bin of one of them exactly"):
        star.sample(10, given={"in": "2020-02-10"})
    tool = codecs(STAR)["in"].grid
    ends = [dt.date.fromordinal(int(day)) for day in (tool.starts[2], tool.ends[3])]
    drawn = star.sample(1_000, given={"in": ends, "drug": "a"})
    assert drawn["in"].between(*map(pd.Timestamp, ends)).all()
    for later in ("scan", "surgery", "out"):
        assert (drawn["in"] <= drawn[later]).all()
