"""Open columns: what many hold is learnt, and nothing else of them leaves."""

import hashlib
import json
import pickle
import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.encoding import base_domain
from dpsynth.encoding import undeclared as undeclared_values
from dpsynth.encoding.codec import codec
from dpsynth.encoding.table import encode_table, seen
from dpsynth.encoding.undeclared import Undeclared
from dpsynth.encoding.values import PrivateValues
from dpsynth.errors import BudgetExceededError, IntegrityError, SchemaError, UsageError
from dpsynth.schema import Schema
from dpsynth.sources.frame import prepare
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep

# Those that train are on trial with few steps: tests/deep/test_generators.py.
LEARNERS = {name for name in registry.BUILT_IN if not issubclass(registry.get(name), Deep)}
MAX_ROWS = 3
TOWN = {"name": "town", "kind": "categorical", "open": True}


def schema(*, persons=True, **town):
    unit = {"kind": "person", "column": "id", "max_rows": MAX_ROWS} if persons else {"kind": "row"}
    columns = [
        {"name": "id", "kind": "identifier"},
        {**TOWN, **town},
        {"name": "sex", "kind": "categorical", "values": ["F", "M"]},
    ]
    return Schema.from_dict({"unit": unit, "columns": columns})


def key(purpose):
    return hashlib.blake2b(purpose.encode(), digest_size=32).digest()


def table(towns, persons=None):
    people = range(len(towns)) if persons is None else persons
    return pd.DataFrame({"id": list(people), "town": towns, "sex": "F"})


def source(towns, persons=None, *, control=0, **town):
    return prepare(table(towns, persons), schema(**town), key=key, control=control).source


def held(towns, persons=None, **town):
    texts, counts = source(towns, persons, **town).values("town")
    assert counts.dtype == np.int64
    return dict(zip(texts, counts.tolist(), strict=True))


# -- what is declared ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"rollup": {"rule": "icd-10"}}, "rollup"),
        ({"values": [1, 2]}, "values"),
        ({"dtype": "int64"}, "dtype"),
        ({"values": ["a", "other"]}, "other"),
        ({"values": ["rest"], "other": "rest"}, "other"),
        ({"missing_codes": ["other"]}, "other"),
        ({"other": " "}, "other"),
        ({"other": "a\nb"}, "other"),
        ({"open": False, "values": ["a"], "other": "rest"}, "other"),
    ],
)
def test_what_contradicts_an_open_list_is_refused(facts, field):
    with pytest.raises(SchemaError, match=f"column 'town', field '{field}'"):
        schema(**facts)


def test_an_open_column_needs_no_list_and_says_so_in_the_provenance():
    declared = schema(codes="ICD-10", nullable=True)
    assert declared.open_items() == ()
    assert base_domain(declared).sizes["town"] == 2
    summary = declared.provenance_summary()["columns"]
    assert summary["town"]["open"] == {"status": "declared"}
    assert summary["town"]["learnt_values"] == {"status": "learnt", "entry": "values(town)"}
    assert "open" not in summary["sex"]
    assert Schema.from_dict(declared.to_dict()) == declared
    assert "open" not in declared.to_dict()["columns"][2]
    guessed = schema(provenance={"open": "guessed"})
    assert [item.field for item in guessed.open_items()] == ["open"]


def test_learnt_values_stand_behind_the_declared_ones():
    declared = schema(values=["b", "?"], missing_codes=["?"])
    full = declared.with_values({"town": ("a", "c")})
    assert full.column("town").levels == ("b", "a", "c", "other")
    assert base_domain(full).sizes["town"] == base_domain(declared).sizes["town"] + 2
    assert declared.with_values({}) == declared
    for wrong in (("b",), ("a", "a"), ("other",), ("?",), ("a\n",), (" a",), ("",), ("x" * 101,)):
        with pytest.raises(SchemaError, match="town"):
            declared.with_values({"town": wrong})
    with pytest.raises(SchemaError, match="sex"):
        declared.with_values({"sex": ("a",)})
    with pytest.raises(SchemaError, match="not categorical"):
        declared.with_values({"id": ("a",)})


# -- what a cell becomes ------------------------------------------------------------------------


HOSTILE = [
    "x" * 101,
    "x" * 10_000,
    "two\nlines",
    "bell\a",
    "\x1b[31mred",
    "right to left \u202e",
    "\ud800",
    "nul\0",
    "tab\tbed",
    b"\xff\xfe",
    ["a list"],
    {"a": "dict"},
    1 + 2j,
    object(),
]


def test_a_hostile_cell_is_other_and_is_never_a_value():
    towns = pd.Series(HOSTILE, dtype=object)
    found = codec(schema().column("town")).encode(towns)
    assert found.codes.tolist() == [0] * len(HOSTILE)
    assert found.undeclared.texts == ()
    assert held(list(HOSTILE)) == {}


@pytest.mark.parametrize("cell", [None, float("nan"), pd.NA, pd.NaT, "", "  "])
def test_a_null_is_missing_or_else_other(cell):
    for nullable, code in ((True, 1), (False, 0)):
        found = codec(schema(nullable=nullable).column("town")).encode(pd.Series([cell, "a"]))
        assert found.codes.tolist() == [code, 0]
        assert found.undeclared.texts == ("a",)


def test_one_spelling_a_value_from_any_file_and_type():
    towns = ["7", 7, 7.0, "7.0", " 7 ", "B", "b", "other", "Other", "?", True, "1.50", "café"]
    towns.append("cafe\u0301")  # looks the same and is another text
    found = held(towns, missing_codes=["?"], values=["B"])
    assert found == {
        "7": 5, "b": 1, "Other": 1, "True": 1, "1.50": 1, "café": 1, "cafe\u0301": 1,
    }  # fmt: skip


def test_a_released_value_codes_as_it_was_counted():
    towns = ["7", 7.0, "b", "B", None, "other", "x" * 200, "c"]
    declared = schema(values=["B"], nullable=True)
    opened = source(towns, values=["B"], nullable=True)
    full = declared.with_values({"town": ("7", "c")})
    closed = opened.closed({"town": ("7", "c")}, base_domain(full))
    again = codec(full.column("town")).encode(pd.Series(towns, dtype=object)).codes
    assert closed.count(("town",)).tolist() == np.bincount(again, minlength=5).tolist()
    assert closed.count(("town",)).tolist() == [1, 2, 1, 3, 1]
    with pytest.raises(KeyError):
        closed.values("town")
    with pytest.raises(ValueError, match="named once"):
        opened.closed({"town": ("7", "7")}, base_domain(full))


def test_a_released_value_that_no_row_holds_has_its_code():
    full = schema().with_values({"town": ("nowhere",)})
    closed = source(["a", "b"]).closed({"town": ("nowhere",)}, base_domain(full))
    assert closed.count(("town",)).tolist() == [0, 2]


# -- who is counted -----------------------------------------------------------------------------


def test_a_person_counts_once_a_value_and_within_max_rows():
    assert held(["a", "a", "a", "b"], persons=[1, 1, 2, 2]) == {"a": 2, "b": 1}
    many = held([f"town {n}" for n in range(50)], persons=[1] * 50)
    assert len(many) == MAX_ROWS
    assert set(many.values()) == {1}


def test_without_persons_every_row_is_a_unit():
    frame = table(["a", "a", "b"])
    found = prepare(frame, schema(persons=False), key=key).source.values("town")
    assert found[0] == ("a", "b")
    assert found[1].tolist() == [2, 1]


def test_what_only_rows_that_are_not_counted_hold_is_not_there():
    nobody = held(["a", "ghost"], persons=[1, None])
    assert nobody == {"a": 1}
    half = source([f"town {n}" for n in range(400)], control=Fraction(1, 2)).values("town")[0]
    assert 120 < len(half) < 280


def test_which_rows_are_kept_does_not_follow_their_order():
    towns = [f"town {n}" for n in range(40)]
    forward = held(towns, persons=[1] * 40)
    assert held(towns[::-1], persons=[1] * 40) == forward


def test_one_more_person_changes_nothing_but_what_is_counted():
    """MAX_ROWS values that nobody has, and more rows than are allowed: by the mechanism alone."""
    towns, persons = ["a", "b", "a", None], [1, 2, 3, 4]
    here = source(towns, persons)
    there = source([*towns, *(f"new {n}" for n in range(9))], [*persons, *[99] * 9])
    (texts, counts), (more, counts_more) = here.values("town"), there.values("town")
    before = dict(zip(texts, counts.tolist(), strict=True))
    after = dict(zip(more, counts_more.tolist(), strict=True))
    assert {text: after[text] for text in texts} == before
    assert sorted(set(after) - set(before)) == sorted(t for t in more if t.startswith("new"))
    assert len(after) - len(before) == MAX_ROWS
    assert (repr(here), here.domain) == (repr(there), there.domain)
    full = schema().with_values({"town": ("a",)})
    one, two = (each.closed({"town": ("a",)}, base_domain(full)) for each in (here, there))
    assert one.domain == two.domain
    assert (two.count(("town",)) - one.count(("town",))).tolist() == [0, MAX_ROWS]


def test_private_values_are_not_shown_or_pickled():
    found = codec(schema().column("town")).encode(pd.Series(["a secret"])).undeclared
    assert "secret" not in repr(found)
    assert "secret" not in repr(source(["a secret"]))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(found)
    assert isinstance(found, Undeclared)


def test_a_hundred_thousand_values_take_no_time():
    towns = [f"town number {n}" for n in range(100_000)]
    started = time.process_time()
    opened = source(towns)
    texts, counts = opened.values("town")
    released = texts[:256]
    opened.closed({"town": released}, base_domain(schema().with_values({"town": released})))
    assert time.process_time() - started < 5.0  # 0.9 s where the machine is quiet
    assert counts.tolist() == [1] * 100_000


# -- plan, fit, model ---------------------------------------------------------------------------


def people(rows=1500, seed=1):
    rng = np.random.default_rng(seed)
    towns = [*(["north", "south"] * (rows // 2)), *(f"hamlet {n}" for n in range(40))]
    return pd.DataFrame(
        {"id": range(len(towns)), "town": towns, "sex": rng.choice(["F", "M"], len(towns))}
    )


def fitted(frame, declared, *, delta="1e-6", synthesizer="independent"):
    """At an epsilon so large that the noise of the system's bits decides no test here."""
    made = dpsynth.synthesizer(synthesizer)
    with dpsynth.Ledger.in_memory(cap_epsilon=8, cap_delta=delta) as ledger:
        plan = made.plan(declared, epsilon=8, delta=delta)
        model = made.fit(frame, schema=declared, epsilon=8, delta=delta, ledger=ledger)
        events = [entry.event for entry in ledger.entries()]
        assert events == [step.event for step in plan.steps]
        assert ledger.left == 0
        assert ledger.spent_delta == ledger.cap.reserved == plan.reserved_delta
    return model


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_what_many_hold_comes_out_and_what_few_hold_never_does(name, tmp_path):
    model = fitted(people(), schema(), synthesizer=name)
    assert model.values == {"town": ("north", "south")}
    drawn = model.sample(2000, seed=1)
    assert {"north", "south"} <= set(drawn["town"]) <= {"north", "south", "other"}
    assert abs((drawn["town"] == "north").mean() - 0.48) < 0.08
    model.save(tmp_path)
    for path in tmp_path.iterdir():
        assert b"hamlet" not in path.read_bytes()
    assert "hamlet" not in repr(model)
    again = dpsynth.load_model(tmp_path)
    assert again.values == model.values
    assert again.sample(50, seed=2).equals(model.sample(50, seed=2))


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_where_nothing_is_released_the_run_ends_as_ever(name):
    for frame in (people(rows=4), people().iloc[:0], people(rows=4).assign(town=None)):
        for nullable in (False, True):
            model = fitted(frame, schema(nullable=nullable), synthesizer=name)
            assert model.values == {"town": ()}
            assert set(model.sample(40, seed=1)["town"].dropna()) <= {"other"}


@pytest.mark.parametrize("name", ["auto", "mst"])
def test_rules_and_cohorts_speak_of_known_and_of_learnt_values(name):
    rule = {"forbid": {"town": ["north", "other"], "sex": "M"}}
    declared = Schema.from_dict({**schema(values=["north"]).to_dict(), "rules": [rule]})
    model = fitted(people(), declared, synthesizer=name)
    assert model.values == {"town": ("south",)}
    drawn = model.sample(800, seed=3)
    assert set(drawn.loc[drawn["sex"] == "M", "town"]) == {"south"}
    assert {"north", "south"} <= set(drawn["town"])
    cohort = model.sample(30, seed=4, given={"town": "south"})
    assert set(cohort["town"]) == {"south"}
    with pytest.raises(UsageError, match="town"):
        model.sample(3, given={"town": "hamlet 7"})


def test_the_plan_states_the_parts():
    declared = schema(values=["east"])
    plan = dpsynth.Independent().plan(declared, epsilon=1, delta="1e-6")
    document = plan.to_dict()
    assert document["reserved_delta"] == "1/2000000"
    assert Fraction(document["steps"][0]["event"]["delta"]) == plan.reserved_delta
    assert plan.steps[0].label == "values(town)"
    assert plan.steps[0].rho == plan.rho / 10
    assert plan.steps[0].event.l2_sensitivity_squared == MAX_ROWS
    without = dpsynth.Independent().plan(
        Schema.from_dict({"columns": [{"name": "sex", "kind": "boolean"}]}), epsilon=1, delta="1e-6"
    )
    assert "reserved_delta" not in without.to_dict()
    assert plan.rho < without.rho, "rho goes with what is left of delta"


def test_many_open_columns_share_three_tenths_and_one_reserve():
    columns = [{**TOWN, "name": f"town {n}"} for n in range(6)]
    declared = Schema.from_dict({"columns": columns})
    plan = dpsynth.Independent().plan(declared, epsilon=1, delta="1e-6")
    values = [step for step in plan.steps if step.phase == "values"]
    assert len({step.event for step in values}) == 1
    assert sum(step.rho for step in values) == plan.rho * Fraction(3, 10)
    assert sum(step.event.delta for step in values) == plan.reserved_delta == plan.delta / 2


def test_a_plan_that_reserves_all_of_its_delta_is_refused():
    plan = dpsynth.Independent().plan(schema(), epsilon=1, delta="1e-6")
    with pytest.raises(ValueError, match="must leave some of its delta"):
        type(plan)(**{**vars(plan), "delta": plan.reserved_delta})


def test_open_columns_need_a_delta():
    with pytest.raises(UsageError, match=r"'town' is open.* needs a delta"):
        dpsynth.Independent().plan(schema(), epsilon=1, delta=0)
    with pytest.raises(UsageError, match="too small to set any aside"):
        dpsynth.Independent().plan(schema(), epsilon=1, delta=Fraction(1, 10**120))


def test_a_ledger_that_began_without_open_columns_refuses_before_any_row_is_read():
    closed = Schema.from_dict({"columns": [{"name": "sex", "kind": "boolean"}]})
    with dpsynth.Ledger.in_memory(cap_epsilon=9, cap_delta="1e-6") as ledger:
        made = dpsynth.Independent()
        frame = pd.DataFrame({"sex": [True, False]})
        made.fit(frame, schema=closed, epsilon=1, delta="1e-6", ledger=ledger)
        spent = ledger.spent
        with pytest.raises(BudgetExceededError, match="open columns"):
            made.fit(people(), schema=schema(), epsilon=1, delta="1e-6", ledger=ledger)
        assert ledger.spent == spent


def test_at_most_so_many_values_are_learnt_those_that_most_hold():
    towns = [f"town {n}" for n in range(6) for _ in range(300 * (n + 1))]
    with dpsynth.Ledger.in_memory(cap_epsilon=1, cap_delta="1e-6") as ledger:
        from dpsynth.privacy.curator import Curator
        from dpsynth.privacy.randomness import SeededRandom

        reserved = Fraction(1, 2 * 10**6)
        account = ledger.open_release(rho=Fraction(1, 100), reserved=reserved, seeded=True)
        unit = schema().privacy_unit
        curator = Curator(source(towns), unit=unit, account=account, rng=SeededRandom(2))
        found = PrivateValues(most=2).learn(
            curator, schema(), rho=Fraction(1, 100), reserved=reserved
        )
    assert found == {"town": ("town 4", "town 5")}
    with pytest.raises(ValueError, match="most"):
        PrivateValues(most=0)


@pytest.mark.parametrize(
    "values", [{"town": "abc"}, {"town": [1]}, {"sex": ["x"]}, {"town": ["other"]}, {"town": []}]
)
def test_a_model_whose_values_were_changed_is_refused(tmp_path, values):
    fitted(people(), schema()).save(tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    document["values"] = values
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match="damaged"):
        dpsynth.load_model(tmp_path)


def test_tables_are_compared_by_what_the_released_one_holds():
    released = pd.DataFrame({"id": [1, 2], "town": ["a", "other"], "sex": ["F", "M"]})
    full = seen(released, schema())
    assert full.column("town").levels == ("a", "other")
    real = codec(full.column("town")).encode(pd.Series(["a", "secret", None]))
    assert real.codes.tolist() == [0, 1, 1]


def test_texts_that_one_word_cannot_tell_apart_are_different_content(monkeypatch):
    # No key enters the digest, so 64 bits of it can be made to agree. Were such rows one content,
    # one more of them could swap the control coins of others.
    def half_forged(text):
        return "0" * 16 + hashlib.sha256(text.encode()).hexdigest()[:16]

    monkeypatch.setattr(undeclared_values, "text_words", half_forged)
    content = encode_table(table(["Bern", "Basel", "Bern", None]), schema(persons=False)).content
    assert len({row.tobytes() for row in content}) == 3
    assert content[0].tolist() == content[2].tolist()
