"""A public prior: made from public rows or shares, recorded wherever the model goes."""

import gc
import pickle
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from attacks.certificate import predicate_of
from attacks.conformance import neighbors
from attacks.conformance.evidence import document_of
from attacks.conformance.tiers import Tier
from attacks.conformance.trial import Trial
from attacks.policy import DEFAULT
from dpsynth.domain import Domain
from dpsynth.errors import UnknownNameError, UsageError
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.privacy.ledger import Ledger
from dpsynth.schema import Schema
from dpsynth.synthesizers.prior import PublicPrior, expected_pairs, informed

SCHEMA = Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
            {"name": "stage", "kind": "ordinal", "values": ["I", "II", "III", "IV"]},
            {"name": "ward", "kind": "categorical", "values": list("abcdefgh")},
            {"name": "cost", "kind": "continuous", "bounds": [0, 1000]},
        ]
    }
)
SOURCE = "yearbook of a registry, table 3"


def rows_of(rows, seed):
    rng = np.random.default_rng(seed)
    stage = rng.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    ward = np.where(rng.random(rows) < 0.8, 2 * stage + rng.integers(0, 2, rows), 0)
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], rows, p=[0.7, 0.3]),
            "stage": np.array(["I", "II", "III", "IV"])[stage],
            "ward": np.array(list("abcdefgh"))[ward],
            "cost": rng.gamma(2.0, 60.0, rows).clip(0, 999),
        }
    )


PUBLIC = rows_of(3_000, seed=1)


def prior(**settings):
    return PublicPrior.from_table(PUBLIC, SCHEMA, source=SOURCE, **settings)


def fitted(synthesizer, table, *, epsilon):
    with Ledger.in_memory(cap_epsilon=Fraction(20), cap_delta=Fraction(1, 10**6)) as ledger:
        return synthesizer.fit(table, schema=SCHEMA, epsilon=epsilon, delta=1e-9, ledger=ledger)


# -- how it is made -----------------------------------------------------------------------------


def test_a_public_table_is_counted_in_the_codes_of_the_schema():
    found = prior()
    # The bins of cost are learned privately: nothing can be said of them.
    assert set(found.columns) == {"sex", "stage", "ward"}
    assert set(found.pairs) == set(combinations(["sex", "stage", "ward"], 2))
    for shares in [*found.columns.values(), *found.pairs.values()]:
        assert shares.sum() == pytest.approx(1)
        assert (shares > 0).all()
    share = (PUBLIC["stage"] == "III").mean()
    assert found.columns["stage"][2] == pytest.approx(share, abs=1e-3)
    assert not prior(pairs=False).pairs
    assert prior().strength == 1_000
    assert PublicPrior.from_table(PUBLIC.head(7), SCHEMA, source=SOURCE).strength == 7


def test_pairs_that_chance_explains_are_independent():
    found = prior()
    for pair, table in found.pairs.items():
        product = np.outer(*(found.columns[name] for name in pair))
        apart = np.abs(table - product).sum()
        assert (apart > 0.5) if pair == ("stage", "ward") else (apart < 0.02)


def test_a_public_table_may_lack_columns():
    found = PublicPrior.from_table(PUBLIC[["ward"]], SCHEMA, source=SOURCE)
    assert set(found.columns) == {"ward"}
    for lacking in (PUBLIC[["cost"]], PUBLIC.iloc[:0]):
        with pytest.raises(UsageError, match="shares no column"):
            PublicPrior.from_table(lacking, SCHEMA, source=SOURCE)


def test_shares_may_be_given_as_a_rule():
    pair = np.full((4, 2), 1 / 8)
    found = PublicPrior.from_shares(
        {"ward": np.full(8, 1 / 8), ("stage", "sex"): pair}, SCHEMA, source=SOURCE, strength=50
    )
    assert set(found.columns) == {"ward", "stage", "sex"}
    assert found.columns["stage"].tolist() == [0.25] * 4
    assert found.summary["rows"] is None


@pytest.mark.parametrize(
    ("shares", "error", "words"),
    [
        ({"nobody": [1.0]}, UnknownNameError, "nobody"),
        ({"cost": [1.0]}, UnknownNameError, "no declared codes"),
        ({"sex": [0.5, 0.6]}, UsageError, "sum to 1"),
        ({"sex": [1.5, -0.5]}, UsageError, "not be negative"),
        ({"sex": [float("nan"), 1.0]}, UsageError, "not be negative"),
        ({"sex": [1.0]}, UsageError, "2 numbers"),
        ({"sex": "half"}, UsageError, "2 numbers"),
        ({("sex", "stage"): [[1.0, 0.0]]}, UsageError, "2 times 4 numbers"),
        ({("sex", "sex"): np.eye(2) / 2}, UsageError, "two different"),
        ({("sex", "stage", "ward"): [1.0]}, UsageError, "two different"),
        ({}, UsageError, "at least one column"),
    ],
)
def test_wrong_shares_are_refused(shares, error, words):
    with pytest.raises(error, match=words):
        PublicPrior.from_shares(shares, SCHEMA, source=SOURCE)


# -- nothing private passes for a prior -----------------------------------------------------------


@pytest.mark.parametrize("source", ["", "  ", "2024", None, 7])
def test_a_source_must_be_named(source):
    with pytest.raises(UsageError, match="source="):
        PublicPrior.from_table(PUBLIC, SCHEMA, source=source)
    with pytest.raises(TypeError, match="source"):
        PublicPrior.from_table(PUBLIC, SCHEMA)


@pytest.mark.parametrize("strength", [0, -1, 1.5, True, "100"])
def test_a_strength_is_a_number_of_rows(strength):
    with pytest.raises(UsageError, match="strength"):
        prior(strength=strength)


@pytest.mark.parametrize("made", [dpsynth.Auto, dpsynth.AIM, dpsynth.Direct])
@pytest.mark.parametrize("wrong", [PUBLIC, {"source": SOURCE}, "public.csv"])
def test_a_table_is_no_prior(made, wrong):
    with pytest.raises(TypeError, match="PublicPrior"):
        made(prior=wrong)


def test_the_private_table_itself_is_refused_and_nothing_is_spent():
    table = rows_of(50, seed=3)
    own = PublicPrior.from_table(table, SCHEMA, source=SOURCE)
    with Ledger.in_memory(cap_epsilon=Fraction(2), cap_delta=Fraction(1, 10**6)) as ledger:
        with pytest.raises(UsageError, match="made from the private table itself"):
            dpsynth.Auto(prior=own).fit(table, schema=SCHEMA, epsilon=1, delta=1e-9, ledger=ledger)
        assert ledger.entries() == ()


def test_a_prior_keeps_no_row():
    table = rows_of(50, seed=3)
    own = PublicPrior.from_table(table, SCHEMA, source=SOURCE)
    del table
    gc.collect()
    assert own._table() is None
    with pytest.raises(TypeError):
        pickle.dumps(own)


def test_a_prior_of_another_schema_is_refused():
    other = Schema.from_dict(
        {"columns": [{"name": "stage", "kind": "ordinal", "values": ["I", "II", "III"]}]}
    )
    for made in (dpsynth.Auto, dpsynth.AIM, dpsynth.Direct):
        with pytest.raises(UsageError, match="other codes of 'sex'"):
            made(prior=prior()).plan(other, epsilon=1, delta=1e-9)


# -- where it is recorded -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["auto", "aim", "direct"])
def test_plan_model_and_certificate_name_the_source(name, tmp_path):
    made = dpsynth.synthesizer(name, prior=prior(strength=40))
    plan = made.plan(SCHEMA, epsilon=1, delta=1e-9)
    without = dpsynth.synthesizer(name).plan(SCHEMA, epsilon=1, delta=1e-9)
    assert plan.steps == without.steps  # public knowledge changes no charge
    told = plan.to_dict()["synthesizer"]["settings"]["prior"]
    assert told["source"] == SOURCE
    assert (told["strength"], told["rows"], told["pairs"]) == (40, 3_000, 3)
    assert len(told["sha256"]) == 64
    assert told["sha256"] != prior(pairs=False).summary["sha256"]
    model = fitted(made, rows_of(100, seed=2), epsilon=1)
    model.save(tmp_path)
    loaded = dpsynth.load_model(tmp_path)
    assert loaded.synthesizer["settings"]["prior"] == told
    claim = {"synthesizer": plan.to_dict()["synthesizer"]}
    untried = document_of(plan.to_dict(), SCHEMA, [], tier=Tier.smoke, versions={})
    certified = predicate_of(
        {**claim, **BARE},
        conformance=untried,
        not_tested=[],
        rule=DEFAULT,
        date="2026-01-01",
        versions={},
    )
    assert any(SOURCE in sentence for sentence in certified["limitations"])
    assert certified["claim"]["synthesizer"]["settings"]["prior"]["source"] == SOURCE


BARE = {
    "epsilon": "1",
    "delta": "1/1000000000",
    "accounted_epsilon": "1",
    "conditional": False,
    "seeded": False,
    "random_source": "operating system",
    "max_rows": 1,
}


def test_the_replay_on_neighbors_goes_without_the_prior():
    schema = Schema.from_dict({"columns": [SCHEMA.to_dict()["columns"][0]]})
    known = PublicPrior.from_table(PUBLIC, schema, source=SOURCE)
    trial = Trial(
        synthesizer=dpsynth.Auto(prior=known), schema=schema, epsilon="1", delta="1e-9", pairs=0
    )
    checks = neighbors.audit(trial)
    assert {check.status for check in checks} == {"passed"}


# -- what it does ---------------------------------------------------------------------------------


def test_a_prior_counts_for_as_many_rows_as_its_strength():
    table = NoisyTable(clique=("sex",), values=np.array([30.0, 70.0]), variance=np.full(2, 1e6))
    shares = prior().columns["sex"]
    total = 200.0
    joined = informed(prior(), table, total=total)
    assert joined.values == pytest.approx(total * shares, rel=0.01)
    sure = NoisyTable(clique=("sex",), values=np.array([60.0, 140.0]), variance=np.full(2, 1e-3))
    assert informed(prior(), sure, total=total).values == pytest.approx([60.0, 140.0], rel=0.01)
    assert informed(None, table, total=total) is table
    # As if counted on 100 of the 200 rows: the variance of a count of 100 p, on the scale of 200,
    # and some doubt.
    known = prior(strength=100).column("sex", total=total)
    assert known.variance == pytest.approx(100 * (shares + 0.1 / 2) * 4)


def test_expected_pairs_have_the_margins_and_the_relations_that_are_known():
    domain = Domain(sizes={"sex": 2, "stage": 4, "ward": 8})
    rows = {"sex": [40.0, 40], "ward": [10.0] * 8, "stage": [40.0, 20, 10, 10]}
    tables = {
        name: NoisyTable(clique=(name,), values=np.array(each), variance=np.full(len(each), 1e-3))
        for name, each in rows.items()
    }
    pairs = [("ward", "stage"), ("stage", "ward"), ("sex", "ward")]
    found = expected_pairs(prior(), pairs, tables, {}, domain, total=80.0)
    product = expected_pairs(None, pairs, tables, {}, domain, total=80.0)
    assert found[0] == pytest.approx(found[1].T)
    assert found[0].sum(1) == pytest.approx(rows["ward"], abs=0.5)
    assert found[0].sum(0) == pytest.approx(rows["stage"], abs=0.5)
    assert product[0] == pytest.approx(np.outer(rows["ward"], rows["stage"]) / 80)
    assert np.abs(found[0] - product[0]).sum() > 20
    assert np.abs(found[2] - product[2]).sum() < 4  # nothing is known of these two together
    groups = {"ward": np.array([0, 0, 1, 1, 2, 2, 3, 3])}
    halved = Domain(sizes={"sex": 2, "stage": 4, "ward": 4})
    merged = {**tables, "ward": NoisyTable(
        clique=("ward",), values=np.full(4, 20.0), variance=np.full(4, 1e-3))}  # fmt: skip
    (coarse,) = expected_pairs(prior(), [("ward", "stage")], merged, groups, halved, total=80.0)
    assert coarse == pytest.approx(found[0].reshape(4, 2, 4).sum(1), abs=4)


@pytest.mark.parametrize("name", ["auto", "aim", "direct"])
def test_a_prior_helps_where_rows_are_few(name):
    """With 150 rows at epsilon 1/2, public rows of the same kind come closer than noise."""
    private = rows_of(150, seed=5)

    def distance(model):
        drawn = model.sample(2_000, seed=0)
        truth = rows_of(20_000, seed=6)
        first, second = (
            pd.crosstab(each["stage"], each["ward"], normalize=True).reindex(
                index=["I", "II", "III", "IV"], columns=list("abcdefgh"), fill_value=0
            )
            for each in (drawn, truth)
        )
        return float(np.abs(first - second).to_numpy().sum()) / 2

    schemaless = dpsynth.synthesizer(name)
    known = dpsynth.synthesizer(name, prior=prior())
    alone = np.mean([distance(fitted(schemaless, private, epsilon=0.5)) for _ in range(3)])
    helped = np.mean([distance(fitted(known, private, epsilon=0.5)) for _ in range(3)])
    # Of 12 fits each: with the prior 0.31 at most, without it 0.46 at least.
    assert helped < 0.35 < alone


def test_much_private_data_overrule_a_wrong_prior():
    private = rows_of(5_000, seed=5)
    wrong = PublicPrior.from_shares({"sex": [0.0, 1.0]}, SCHEMA, source="a rule that is wrong")
    model = fitted(dpsynth.Auto(prior=wrong), private, epsilon=10)
    share = (model.sample(5_000, seed=0)["sex"] == "F").mean()
    assert share == pytest.approx((private["sex"] == "F").mean(), abs=0.03)
