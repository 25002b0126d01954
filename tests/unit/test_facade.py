"""The path from a table to a model: the bill comes first, and is what is paid."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.errors import (
    BudgetExceededError,
    DataError,
    IntegrityError,
    LedgerMissingError,
    SchemaError,
    UnknownNameError,
    UsageError,
)
from dpsynth.privacy.ledger import Identity
from dpsynth.privacy.randomness import SeededRandom
from dpsynth.sources.frame import prepare
from dpsynth.synthesizers.facade import as_fraction, budget, control_share, identity_warning

ROWS = 400


def schema_of(**more):
    return dpsynth.Schema.from_dict(
        {
            "columns": [
                {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
                {"name": "age", "kind": "integer", "bounds": [0, 110]},
                {"name": "cost", "kind": "continuous", "bounds": [0, 100_000], "nullable": True},
                {"name": "weight", "kind": "continuous"},
                {"name": "seen", "kind": "date", "bounds": ["1990-01-01", "2020-12-31"]},
                {"name": "id", "kind": "identifier"},
            ],
            **more,
        }
    )


def people(rows=ROWS, seed=3):
    rng = np.random.default_rng(seed)
    cost = rng.exponential(900, rows)
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], rows),
            "age": rng.integers(0, 100, rows),
            "cost": np.where(rng.random(rows) < 0.1, np.nan, np.minimum(cost, 100_000)),
            "weight": rng.normal(70, 15, rows),
            "seen": pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D"),
            "id": np.arange(rows),
        }
    )


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "people.ledger"
    with dpsynth.Ledger.create(
        path, cap_epsilon=Fraction(100), cap_delta=Fraction(1, 10**9)
    ) as made:
        yield made


SYNTHESIZERS = [dpsynth.MST(), dpsynth.Independent()]


@pytest.mark.parametrize("synthesizer", SYNTHESIZERS, ids=lambda each: each.name)
@pytest.mark.parametrize("epsilon", ["0.01", "1", "40"])
@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_the_ledger_shows_exactly_the_plan(synthesizer, epsilon, rows, ledger):
    """Bins are learned here, fewer than planned where the noise drowns them."""
    schema = schema_of()
    plan = synthesizer.plan(schema, epsilon=epsilon, delta="1e-9")
    model = synthesizer.fit(
        people(rows), schema=schema, epsilon=epsilon, delta="1e-9", ledger=ledger
    )
    assert [entry.event for entry in ledger] == [step.event for step in plan.steps]
    assert ledger.spent == plan.rho == sum(step.rho for step in plan.steps)
    assert model.sample(50, seed=1)["age"].between(0, 110).all()


def test_a_plan_needs_public_facts_only():
    document = dpsynth.MST().plan(schema_of(expected_rows=1000), epsilon=1, delta=1e-9).to_dict()
    assert document["epsilon"] == "1"
    assert document["delta"] == "1/1000000000"
    assert document["estimate"]["rows"] == 1000
    phases = [step["phase"] for step in document["steps"]]
    assert phases == ["bins"] * 3 + ["one-way"] * 5 + ["select"] * 4 + ["pairs"] * 4
    assert sum(Fraction(step["rho"]) for step in document["steps"]) == Fraction(document["rho"])
    assert dpsynth.claimed_epsilon([step["event"] for step in document["steps"]], "1e-9") <= 1


def test_a_guess_is_never_used(ledger):
    columns = [
        {
            "name": "sex",
            "kind": "categorical",
            "values": ["F", "M"],
            "provenance": {"values": {"status": "guessed"}},
        }
    ]
    schema = dpsynth.Schema.from_dict({"columns": columns})
    with pytest.raises(SchemaError, match="sex"):
        dpsynth.MST().plan(schema, epsilon=1, delta=1e-9)
    with pytest.raises(SchemaError, match="sex"):
        dpsynth.MST().fit(people()[["sex"]], schema=schema, epsilon=1, delta=1e-9, ledger=ledger)
    assert ledger.entries() == ()


def test_a_structural_fault_spends_nothing(ledger):
    with pytest.raises(DataError, match="age"):
        dpsynth.MST().fit(
            people().drop(columns="age"), schema=schema_of(), epsilon=1, delta=1e-9, ledger=ledger
        )
    assert ledger.entries() == ()


def test_what_is_no_table_or_no_schema_is_refused_in_words(ledger):
    with pytest.raises(UsageError, match="schema must be a dpsynth"):
        dpsynth.Auto().plan({"columns": []}, epsilon=1, delta=1e-9)
    with pytest.raises(UsageError, match="table must be a path, a frame"):
        dpsynth.Auto().fit([1], schema=schema_of(), epsilon=1, delta=1e-9, ledger=ledger)


def test_a_missing_ledger_is_refused(tmp_path):
    with pytest.raises(LedgerMissingError, match="dpsynth ledger init"):
        dpsynth.MST().fit(
            people(), schema=schema_of(), epsilon=1, delta=1e-9, ledger=tmp_path / "none"
        )


def test_a_second_release_continues_the_ledger_and_the_last_is_refused(ledger):
    path = ledger.name
    for _ in range(2):
        dpsynth.Independent().fit(people(), schema=schema_of(), epsilon=50, delta=1e-9, ledger=path)
    first = ledger.spent
    assert first == 2 * dpsynth.Independent().plan(schema_of(), epsilon=50, delta=1e-9).rho
    with pytest.raises(BudgetExceededError):
        dpsynth.Independent().fit(people(), schema=schema_of(), epsilon=50, delta=1e-9, ledger=path)
    assert ledger.spent == first


def test_releases_of_two_units_do_not_share_a_ledger(ledger):
    """A person of three rows pays three times what a ledger of rows would say."""
    columns = [{"name": "pid", "kind": "identifier"}, {"name": "sick", "kind": "boolean"}]
    table = pd.DataFrame({"pid": ["a", "a", "b"], "sick": [True, False, True]})
    unit = {"kind": "person", "column": "pid", "max_rows": 3}
    by_row = dpsynth.Schema.from_dict({"columns": columns})
    by_person = dpsynth.Schema.from_dict({"columns": columns, "unit": unit})
    fewer = dpsynth.Schema.from_dict({"columns": columns, "unit": {**unit, "max_rows": 1}})
    for schema in (by_person, fewer):  # both protect all that a person has in the table
        dpsynth.Independent().fit(table, schema=schema, epsilon=1, delta=1e-9, ledger=ledger)
    before = ledger.spent
    with pytest.raises(UsageError, match="one person, named in the column 'pid', and this one one"):
        dpsynth.Independent().fit(table, schema=by_row, epsilon=1, delta=1e-9, ledger=ledger)
    assert ledger.spent == before


def test_a_model_survives_the_disk_and_samples_alike(ledger, tmp_path):
    model = dpsynth.MST().fit(
        people(), schema=schema_of(), epsilon=10, delta=1e-9, ledger=ledger, control="0.2"
    )
    model.save(tmp_path / "model")
    again = dpsynth.load_model(tmp_path / "model")
    pd.testing.assert_frame_equal(again.sample(70, seed=5), model.sample(70, seed=5))
    assert again.total == model.total
    assert again.plan == model.plan
    assert list(model.sample(3, seed=1).columns) == ["sex", "age", "cost", "weight", "seen", "id"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "model.json",
        "model.npz",
    ]


def test_a_damaged_model_is_refused(ledger, tmp_path):
    model = dpsynth.Independent().fit(
        people(), schema=schema_of(), epsilon=10, delta=1e-9, ledger=ledger
    )
    folder = tmp_path / "model"
    with pytest.raises(UsageError, match="no model"):
        dpsynth.load_model(folder)
    model.save(folder)
    header = (folder / "model.json").read_text()
    (folder / "model.json").write_text(header.replace('"sex"', '"six"', 1))
    with pytest.raises(IntegrityError):
        dpsynth.load_model(folder)
    (folder / "model.json").write_text(header.replace("dpsynth-model/1", "dpsynth-model/9"))
    with pytest.raises(IntegrityError):
        dpsynth.load_model(folder)
    (folder / "model.json").write_text(header)
    (folder / "model.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(IntegrityError):
        dpsynth.load_model(folder)


def test_samples_are_checked(ledger):
    model = dpsynth.Independent().fit(
        people(), schema=schema_of(), epsilon=10, delta=1e-9, ledger=ledger
    )
    assert len(model.sample(0)) == 0
    assert abs(len(model.sample()) - ROWS) < 200
    with pytest.raises(UsageError, match="rows"):
        model.sample(-1)
    with pytest.raises(UsageError, match="seed"):
        model.sample(1, seed=-1)
    for wrong in (2.5, "3", True):
        with pytest.raises(UsageError, match="rows must be a whole number"):
            model.sample(wrong)
        with pytest.raises(UsageError, match="seed must be a whole number"):
            model.sample(1, seed=wrong)
    with pytest.raises(UsageError, match="given takes values by column"):
        model.sample(1, given="sex")
    assert len(model.sample(np.int64(3), seed=np.int64(1))) == 3


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan", "inf", "one", "1/0", None])
def test_epsilon_is_a_number_above_zero(epsilon):
    with pytest.raises(UsageError, match="epsilon must be"):
        budget(epsilon, "1e-9")


@pytest.mark.parametrize("delta", ["0", "1", "2", "nan"])
def test_delta_lies_between_zero_and_one(delta):
    with pytest.raises(UsageError, match="delta must be"):
        budget("1", delta)


def declared_schema(**more):
    columns = [
        {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
        {"name": "age", "kind": "integer", "bounds": [0, 110], "bins": [0, 20, 65, 110]},
        {"name": "id", "kind": "identifier"},
    ]
    return dpsynth.Schema.from_dict({"columns": columns, **more})


@pytest.mark.parametrize("delta", [0, 0.0, "0", "0.0", Fraction(0)])
def test_a_claim_without_a_delta_spends_pure_epsilons(delta, ledger):
    schema, synthesizer = declared_schema(), dpsynth.Independent()
    plan = synthesizer.plan(schema, epsilon="1/3", delta=delta)
    table = people()[["sex", "age", "id"]]
    model = synthesizer.fit(table, schema=schema, epsilon="1/3", delta=delta, ledger=ledger)
    assert [entry.event for entry in ledger] == [step.event for step in plan.steps]
    assert ledger.spent == plan.rho == sum(step.rho for step in plan.steps)
    documents = [step["event"] for step in plan.to_dict()["steps"]]
    assert dpsynth.claimed_epsilon(documents, "0") == plan.epsilon == Fraction(1, 3)
    assert plan.to_dict()["delta"] == "0"
    assert model.sample(50, seed=1)["age"].between(0, 110).all()


def test_a_claim_without_a_delta_needs_a_method_without_gaussian_noise(ledger):
    asked = {"schema": declared_schema(), "epsilon": 1, "delta": 0}
    with pytest.raises(UsageError, match=r"mst adds Gaussian .* one of: independent"):
        dpsynth.MST().plan(**asked)
    with pytest.raises(UsageError, match="mst adds Gaussian"):
        dpsynth.MST().fit(people()[["sex", "age", "id"]], ledger=ledger, **asked)
    with pytest.raises(UsageError, match="epsilon must be"):
        dpsynth.Independent().plan(declared_schema(), epsilon=0, delta=0)
    with pytest.raises(UsageError, match="epsilon must be at most"):
        dpsynth.Independent().plan(declared_schema(), epsilon="1e10", delta=0)
    with pytest.raises(UsageError, match="larger epsilon"):
        dpsynth.Independent().plan(declared_schema(), epsilon="1e-20", delta=0)
    assert ledger.entries() == ()


@pytest.mark.parametrize("method", [dpsynth.Independent(), dpsynth.PrivBayes()])
@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_bins_are_learned_without_a_delta(method, rows, ledger):
    """Three columns declare none, one of them not even bounds. Seeded: no false alarm."""
    plan = method.plan(schema_of(), epsilon=8, delta=0)
    assert [step.phase for step in plan.steps][:4] == ["bins"] * 3 + ["one-way"]
    account = ledger.open_release(rho=plan.rho, seeded=True)
    model = method.fit_prepared(
        prepare(people(rows), schema_of(), key=lambda purpose: purpose.encode().ljust(32)),
        schema=schema_of(),
        plan=plan,
        account=account,
        rng=SeededRandom(rows),
    )
    assert [entry.event for entry in ledger] == [step.event for step in plan.steps]
    drawn = model.sample(300, seed=1)
    assert drawn["age"].between(0, 110).all()
    if rows == ROWS:
        # The grid of an undeclared range reaches to a million millions; no noise may be kept there.
        assert drawn["weight"].abs().max() < 1_000
        assert 60 < drawn["weight"].mean() < 80


def test_a_plan_without_a_delta_must_add_up_to_its_epsilon():
    plan = dpsynth.Independent().plan(declared_schema(), epsilon=1, delta=0)
    with pytest.raises(ValueError, match="add up to its epsilon"):
        replace(plan, epsilon=Fraction(1, 2))


def test_a_budget_too_small_to_be_spent_is_refused_in_the_plan():
    unit = {"kind": "person", "column": "id", "max_rows": 10**6}
    with pytest.raises(UsageError, match="larger epsilon"):
        dpsynth.MST().plan(schema_of(unit=unit), epsilon="1e-9", delta="1e-9")
    with pytest.raises(UsageError, match="epsilon must be at most"):
        budget("1e400", "1e-9")


def test_a_float_means_its_decimal_text():
    assert as_fraction(1e-9, name="delta") == Fraction(1, 10**9)
    assert as_fraction("1/3", name="epsilon") == Fraction(1, 3)


def test_the_share_of_controls_is_checked():
    assert control_share(0) == 0
    assert control_share("0.1") == Fraction(1, 10)
    with pytest.raises(UsageError, match="control"):
        control_share(1)


def test_changed_content_is_said_and_the_rest_is_not():
    assert "Nothing was reset" in identity_warning(Identity.CHANGED)
    assert identity_warning(Identity.NEW) is None
    assert identity_warning(Identity.SAME) is None


def test_a_synthesizer_is_found_by_name_with_its_settings_as_a_plan_writes_them():
    assert dpsynth.synthesizer("mst", one_way_share="1/3").one_way_share == Fraction(1, 3)
    assert dpsynth.synthesizer("mst", **dpsynth.MST().settings) == dpsynth.MST()
    with pytest.raises(UnknownNameError, match="no synthesizer is called 'magic'"):
        dpsynth.synthesizer("magic")
    with pytest.raises(UnknownNameError, match="no setting 'magic'"):
        dpsynth.synthesizer("mst", magic=1)
    with pytest.raises(UsageError, match="'one_way_share' of mst must be an exact number"):
        dpsynth.synthesizer("mst", one_way_share="half")
    with pytest.raises(UsageError, match="mst cannot have these settings: rare_below must be abo"):
        dpsynth.synthesizer("mst", rare_below=0)
    assert dpsynth.synthesizer("auto", one_way_share="1/3").one_way_share == Fraction(1, 3)


@pytest.mark.parametrize("name", ["auto", "aim"])
def test_a_setting_of_two_values_takes_no_word(name):
    # Any text counts as true, also "no".
    with pytest.raises(UsageError, match="rake must be true or false"):
        dpsynth.synthesizer(name, rake="no")


@pytest.mark.parametrize("name", ["auto", "aim", "direct", "privbayes"])
def test_no_setting_asks_for_more_memory_than_there_may_be(name):
    # A larger limit ended in MemoryError or OverflowError, after the ledger had been charged.
    with pytest.raises(UsageError, match="most_cells must be at most 2000000"):
        dpsynth.synthesizer(name, most_cells=2_000_001)
    assert dpsynth.synthesizer(name, most_cells=2_000_000).most_cells == 2_000_000


def test_a_method_that_iterates_is_estimated_to_take_longer():
    schema = schema_of(expected_rows=100_000)
    plans = {name: dpsynth.synthesizer(name).plan(schema, epsilon=1, delta=1e-9)
             for name in ("mst", "auto", "aim")}  # fmt: skip
    minutes = {name: plan.estimate.minutes for name, plan in plans.items()}
    assert minutes["mst"] + 0.9 / 60 < minutes["auto"] == minutes["aim"] < 0.1


def test_rows_have_the_probability_that_the_model_gives_them(ledger):
    columns = [
        {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
        {"name": "ill", "kind": "boolean", "nullable": True},
        {"name": "age", "kind": "integer", "bounds": [0, 19], "bins": 4},
    ]
    schema = dpsynth.Schema.from_dict({"columns": columns})
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], ROWS, p=[0.7, 0.3]),
            "ill": rng.random(ROWS) < 0.2,
            "age": rng.integers(0, 20, ROWS),
        }
    )
    model = dpsynth.Auto().fit(table, schema=schema, epsilon=5, delta=1e-9, ledger=ledger)
    every = pd.MultiIndex.from_product([["F", "M"], [False, True, None], [2, 7, 12, 17]])
    rows = pd.DataFrame(every.to_list(), columns=["sex", "ill", "age"])
    chance = np.exp(model.log_likelihood(rows))
    assert chance.shape == (24,)  # one age a declared bin
    assert chance.sum() == pytest.approx(1)
    assert chance[rows["sex"] == "F"].sum() == pytest.approx(0.7, abs=0.05)
    drawn = model.sample(rows=20_000, seed=1)
    seen = (drawn["sex"] == "M") & drawn["age"].between(5, 9)
    assert chance[(rows["sex"] == "M") & (rows["age"] == 7)].sum() == pytest.approx(
        seen.mean(), abs=0.01
    )
    with pytest.raises(DataError, match="no column 'ill', which the model has learned"):
        model.log_likelihood(rows[["sex", "age"]])


def test_an_estimate_of_memory_counts_the_cells_of_a_model():
    """Beside the rows, direct fits of 200,000 cells took 80 MiB when measured, of a million 360."""
    unit = PrivacyUnit()

    def mebibytes(sizes, method):
        domain = Domain(sizes=dict(zip("abcdef", sizes, strict=False)))
        found = method.estimate(domain, unit=unit, expected_rows=1_000, epsilon=Fraction(1))
        return found.mebibytes

    direct = dpsynth.synthesizer("direct", most_cells=1_000_000)
    few = mebibytes([10, 10], direct)
    assert 70 < mebibytes([10, 10, 10, 10, 20], direct) - few < 90
    assert 350 < mebibytes([10] * 6, direct) - few < 450
    for name in ("auto", "aim", "privbayes"):
        small = dpsynth.synthesizer(name, most_cells=10_000)
        large = dpsynth.synthesizer(name, most_cells=1_000_000)
        assert mebibytes([10] * 6, large) - mebibytes([10] * 6, small) > 300
        assert mebibytes([10, 10], large) == few
