"""Rows given what they are to hold: exact, however rare, and refused in words where impossible.

Chi-square tests raise a false alarm once in 10**6 runs if seeds were fresh; here they are fixed.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from dpsynth.domain import Domain
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.schema import Schema
from dpsynth.synthesizers.cohort import from_text
from dpsynth.synthesizers.fitted import FittedModel

ALARM = 1e-6
SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["F", "M"], "missing_codes": ["?"]},
            {"name": "code", "kind": "categorical", "values": [f"C{n}" for n in range(6)]},
            {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
            {"name": "dose", "kind": "continuous", "bounds": [0, 10], "bins": 4, "nullable": True},
            {"name": "temperature", "kind": "continuous", "bins": [30, 37, 39, 45], "decimals": 1},
            {"name": "ill", "kind": "boolean"},
            {"name": "in", "kind": "date", "bounds": ["2020-01-01", "2020-01-31"], "bins": 3},
            {"name": "out", "kind": "date", "bounds": ["2020-01-01", "2020-01-31"], "bins": 4},
            {"name": "pid", "kind": "identifier"},
            {"name": "notes", "kind": "excluded"},
        ],
        "rules": [{"order": ["in", "out"]}, {"forbid": {"sex": "M", "code": "C5"}}],
    }
)
SIZES = {"sex": 3, "code": 4, "age": 10, "dose": 5, "temperature": 3, "ill": 2, "in": 3, "out": 4}
GROUPS = {"code": [0, 1, 3, 3, 3, 2]}  # C2, C3 and C4 are merged, C5 stays alone by the rule
WEIGHTS = {"code": [1.0, 1.0, 0.2, 0.3, 0.5, 1.0], "age": np.ones(10)}
RARE = 1e-4


def model():
    """A chain of pairs, the first woman with C1 as rare as one in ten thousand."""
    from dpsynth.encoding import base_domain

    rng = np.random.default_rng(0)
    groups = {n: np.array(GROUPS.get(n, np.arange(size))) for n, size in SIZES.items()}
    ruled = base_domain(SCHEMA).regrouped({"code": groups["code"]})
    domain = Domain(sizes=SIZES, zeros=ruled.zeros)
    chain = [
        ("sex", "code"),
        ("code", "age"),
        ("age", "dose"),
        ("dose", "temperature"),
        ("temperature", "ill"),
        ("ill", "in"),
    ]
    joint = rng.gamma(0.6, size=(3, 4)) + 0.02
    joint[1, 2] = 0.0
    joint /= joint.sum()
    joint[0, 1] = 0
    joint *= (1 - RARE) / joint.sum()
    joint[0, 1] = RARE
    tables = {chain[0]: joint}
    for pair in chain[1:]:
        margin = tables[list(tables)[-1]].sum(0)
        rows = rng.gamma(0.6, size=(SIZES[pair[0]], SIZES[pair[1]])) + 0.02
        tables[pair] = margin[:, None] * rows / rows.sum(1, keepdims=True)
    last = np.where(domain.zeros[1].allowed(SIZES), rng.gamma(1, size=(3, 4)) + 0.05, 0.0)
    margin = tables["ill", "in"].sum(0)
    tables["in", "out"] = margin[:, None] * last / last.sum(1, keepdims=True)
    return FittedModel(
        schema=SCHEMA,
        model=GraphicalModel(domain=domain, total=50_000.0, probabilities=tables),
        coarsenings={
            name: Coarsening(groups=each, weights=np.asarray(WEIGHTS.get(name, np.ones(each.size))))
            for name, each in groups.items()
        },
        synthesizer={"name": "by hand", "settings": {}},
    )


MODEL = model()


def fits(counts, shares):
    """Whether counts follow shares, up to one run in a million."""
    expected = counts.sum() * shares / shares.sum()
    assert not counts[shares == 0].any()
    often = expected > 5
    statistic = ((counts - expected)[often] ** 2 / expected[often]).sum()
    return statistic < chi2.isf(ALARM, max(often.sum() - 1, 1))


def test_a_rare_cohort_is_drawn_at_once_and_exactly():
    rows = 40_000
    drawn = MODEL.sample(rows, seed=0, given={"sex": "F", "code": "C1"})
    assert len(drawn) == rows
    assert (drawn["sex"] == "F").all()
    assert (drawn["code"] == "C1").all()
    # Down the chain nothing but the code bears on age, and on the dose through it.
    ages = MODEL.model.probabilities["code", "age"][1]
    counts = np.bincount(drawn["age"] // 10, minlength=10)
    assert fits(counts, ages)
    wrong = MODEL.model.probabilities["code", "age"][2]
    assert not fits(counts, wrong)
    pair = MODEL.model.probabilities["age", "dose"]
    doses = (ages / pair.sum(1)) @ pair
    present = drawn["dose"].notna()
    cells = np.where(present, np.minimum(drawn["dose"].fillna(0) // 2.5, 3), 4).astype(int)
    assert fits(np.bincount(cells, minlength=5), doses)


def test_a_cohort_is_as_large_as_the_model_expects():
    assert len(MODEL.sample(seed=0, given={"sex": "F", "code": "C1"})) == round(50_000 * RARE)
    share = MODEL.model.marginal(("code",))[3] * 0.3
    assert len(MODEL.sample(seed=0, given={"code": "C3"})) == round(share)


def test_upstream_columns_follow_bayes():
    drawn = MODEL.sample(40_000, seed=1, given={"code": "C3"})
    assert (drawn["code"] == "C3").all()
    shares = MODEL.model.probabilities["sex", "code"][:, 3]
    counts = np.array([(drawn["sex"] == value).sum() for value in ("F", "M", "?")])
    assert fits(counts, shares)


def test_intervals_weigh_cells_by_what_of_them_lies_inside():
    drawn = MODEL.sample(60_000, seed=2, given={"age": [37, 52]})
    assert drawn["age"].between(37, 52).all()
    weights = MODEL.model.marginal(("age",)) * np.array([0, 0, 0, 0.3, 1, 0.3, 0, 0, 0, 0])
    assert fits(np.bincount(drawn["age"] // 10, minlength=10), weights)
    assert fits(np.bincount(drawn["age"], minlength=100)[37:40], np.ones(3))
    doses = MODEL.sample(2_000, seed=2, given={"dose": [1.0, 1.5]})["dose"]
    assert doses.between(1.0, 1.5).all()


def test_a_real_number_is_given_by_its_digits_or_by_its_density():
    drawn = MODEL.sample(3_000, seed=2, given={"temperature": 37.0})
    assert (drawn["temperature"] == 37.0).all()
    # Half of what is written 37.0 lies in either bin, of width 7 and of width 2.
    pair = MODEL.model.probabilities["temperature", "ill"]
    shares = pair[0] * 0.05 / 7 + pair[1] * 0.05 / 2
    assert fits(np.bincount(drawn["ill"].astype(int), minlength=2), shares)
    expected = MODEL.total * (pair[0].sum() * 0.05 / 7 + pair[1].sum() * 0.05 / 2)
    assert len(MODEL.sample(seed=2, given={"temperature": 37.0})) == round(expected)
    drawn = MODEL.sample(1_000, seed=2, given={"dose": 3.25})
    assert (drawn["dose"] == 3.25).all()
    assert MODEL.sample(seed=2, given={"dose": 3.25}).empty  # of a chance of 0


def test_a_day_is_given_and_the_order_holds():
    drawn = MODEL.sample(30_000, seed=3, given={"out": dt.date(2020, 1, 9), "ill": True})
    assert (drawn["out"] == pd.Timestamp(2020, 1, 9)).all()
    assert (drawn["in"] <= drawn["out"]).all()
    assert drawn["ill"].all()
    # Of ten days in the first bin nine are left; a model of codes alone would keep them all.
    joint = MODEL.model.probabilities["in", "out"][0, 1]
    days = (drawn["in"] - pd.Timestamp(2020, 1, 1)).dt.days.to_numpy()
    assert joint > 0
    assert fits(np.bincount(days, minlength=9), np.ones(9))


def test_several_values_missing_ones_and_other_spellings():
    drawn = MODEL.sample(500, seed=4, given={"code": ["C0", "C2"], "sex": None, "dose": None})
    assert set(drawn["code"]) == {"C0", "C2"}
    assert (drawn["sex"] == "?").all()
    assert drawn["dose"].isna().all()
    same = MODEL.sample(50, seed=4, given={"in": pd.Timestamp(2020, 1, 5), "age": 30.0})
    again = MODEL.sample(50, seed=4, given={"age": np.float64(30), "in": "2020-01-05"})
    pd.testing.assert_frame_equal(same, again)
    again = MODEL.sample(50, seed=4, given={"in": np.datetime64("2020-01-05", "ns"), "age": 30})
    pd.testing.assert_frame_equal(same, again)
    for null in (pd.NA, pd.NaT, np.nan):
        assert MODEL.sample(5, seed=4, given={"dose": null})["dose"].isna().all()
    assert MODEL.sample(5, seed=4, given={"ill": np.True_, "age": np.int64(7)})["ill"].all()
    assert (MODEL.sample(50, seed=4, given={"age": [80, None]})["age"] >= 80).all()
    assert MODEL.sample(0, seed=4, given={"sex": "F"}).empty


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"sexx": "F"}, UnknownNameError, "no column to learn is called 'sexx': did you mean"),
        ({"pid": 1}, UnknownNameError, "no column to learn is called 'pid'"),
        ({"notes": "x"}, UnknownNameError, "no column to learn is called 'notes'"),
        ({"code": "c1"}, UnknownNameError, "column 'code' has no value 'c1': "),
        ({"code": []}, UsageError, "list of values for column 'code' is empty"),
        ({"ill": None}, UsageError, "column 'ill' has no missing level"),
        ({"age": "old"}, UsageError, "column 'age' takes a number"),
        ({"age": 120}, UsageError, "lies within its bounds"),
        ({"age": [50, 40]}, UsageError, "ends before it starts"),
        ({"age": [40]}, UsageError, "takes one value or an interval"),
        ({"in": "soon"}, UsageError, "takes a date such as 2024-01-31"),
        ({"sex": {"F": 1}.items()}, UsageError, "takes a value"),
        (
            {"sex": "M", "code": "C5"},
            UsageError,
            "holds what is given for 'sex', 'code' impossible",
        ),
        ({"in": "2020-01-20", "out": "2020-01-10"}, UsageError, "impossible"),
        ({"temperature": 36.55}, UsageError, "is written with fewer digits than 36.55 has"),
    ],
)
def test_what_cannot_be_given_is_refused_in_one_sentence(given, error, said):
    with pytest.raises(error) as found:
        MODEL.sample(10, given=given)
    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert not str(found.value).endswith(".")


def test_text_of_the_command_line():
    found = from_text(SCHEMA, ["sex=F", "age=40..60", "in=..2020-01-10", "code=a..b=c", "dose="])
    assert found == {
        "sex": "F",
        "age": ["40", "60"],
        "in": [None, "2020-01-10"],
        "code": "a..b=c",
        "dose": None,
    }
    assert len(MODEL.sample(5, given=from_text(SCHEMA, ["age=40..60", "ill=yes"]))) == 5
    for word, flag in {"1": True, "T": True, "0": False, "n": False}.items():
        assert (MODEL.sample(5, given=from_text(SCHEMA, [f"ill={word}"]))["ill"] == flag).all()
        assert (MODEL.sample(5, given={"ill": int(flag)})["ill"] == flag).all()
    with pytest.raises(UsageError, match="must be COLUMN=VALUE"):
        from_text(SCHEMA, ["sex"])
    with pytest.raises(UsageError, match="names the column 'sex' twice"):
        from_text(SCHEMA, ["sex=F", "sex=M"])


def test_likelihoods_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="does not fit the domain"):
        MODEL.model.sample(1, rng, likelihood={("sex",): np.ones(2)})
    with pytest.raises(ValueError, match="no clique of the model holds sex, out together"):
        MODEL.model.sample(1, rng, likelihood={("sex", "out"): np.ones((3, 4))})
    with pytest.raises(ValueError, match="impossible"):
        MODEL.model.sample(1, rng, likelihood={("sex",): np.zeros(3)})
    assert MODEL.model.log_chance({("sex",): np.full(3, 0.25)}) == pytest.approx(np.log(0.25))
