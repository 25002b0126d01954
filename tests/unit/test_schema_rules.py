"""Rules in a schema: read and written, refused in one sentence, turned into structural zeros."""

import datetime as dt

import jsonschema
import numpy as np
import pytest

from dpsynth.encoding import base_domain, codecs
from dpsynth.encoding.bins import PrivateBins, cut
from dpsynth.errors import SchemaError
from dpsynth.schema import Range, Rule, Schema
from dpsynth.schema.publish import json_schema
from dpsynth.schema.rules import ordered_pairs
from dpsynth.synthesizers.independent import Independent

COLUMNS = [
    {"name": "pid", "kind": "identifier"},
    {"name": "sex", "kind": "categorical", "values": ["F", "M"], "missing_codes": ["?"]},
    {"name": "missing", "kind": "boolean", "nullable": True},
    {"name": "age", "kind": "integer", "bounds": [0, 90]},
    {"name": "weight", "kind": "continuous", "bounds": [0, 500], "decimals": 1},
    {"name": "in", "kind": "date", "bounds": ["2020-01-01", "2020-12-31"]},
    {"name": "out", "kind": "date", "bounds": ["2020-01-01", "2021-12-31"], "nullable": True},
    {"name": "stage", "kind": "ordinal", "values": ["I", "II", "III"]},
    {"name": "later stage", "kind": "ordinal", "values": ["I", "II", "III"]},
    {"name": "late", "kind": "date", "bounds": ["2030-01-01", "2030-12-31"]},
]
RULES = [
    {"forbid": {"sex": "M", "missing": False}, "reason": "a column may be called as a field"},
    {"forbid": {"age": {"least": 0, "most": 9}, "sex": ["F", "?"]}},
    {"forbid": {"weight": {"most": 2.5}, "missing": {"missing": True}, "stage": "III"}},
    {"forbid": {"in": {"least": dt.date(2020, 2, 1), "most": "2020-03-01"}, "sex": "F"}},
    {"order": ["in", "out"], "reason": "nobody leaves before arriving"},
    {"order": ["stage", "later stage"]},
]


def schema(*rules, columns=COLUMNS):
    return Schema.from_dict({"columns": columns, "rules": list(rules)})


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_rules_survive_a_file(tmp_path, suffix):
    path = tmp_path / f"schema{suffix}"
    made = schema(*RULES)
    made.write(path)
    assert Schema.read(path) == made
    assert Schema.read(path).to_text(suffix) == made.to_text(suffix)
    assert made.rules[0].forbid["missing"] is False
    jsonschema.validate(made.to_dict(), json_schema())


def test_a_schema_without_rules_is_written_as_before():
    assert "rules" not in schema().to_dict()


def test_what_the_rules_come_to_in_codes():
    domain = base_domain(schema(*RULES))
    first, second, third, fourth, days, stages = domain.zeros
    assert first.codes == (("sex", frozenset({1})), ("missing", frozenset({0})))
    assert second.codes == (("age", frozenset(range(10))), ("sex", frozenset({0, 2})))
    assert dict(third.codes)["missing"] == {2}
    assert dict(third.codes)["stage"] == {2}
    grid = codecs(schema(*RULES))["weight"].grid
    light = sorted(dict(third.codes)["weight"])
    assert light == list(range(len(light)))
    assert grid.ends[light[-1]] == 2.5
    assert grid.starts[light[-1] + 1] > 2.5
    grid = codecs(schema(*RULES))["in"].grid
    inside = sorted(dict(fourth.codes)["in"])
    assert dt.date.fromordinal(int(grid.starts[inside[0]])) == dt.date(2020, 2, 1)
    assert dt.date.fromordinal(int(grid.ends[inside[-1]])) == dt.date(2020, 3, 1)
    assert days.second_spans[-1] is None
    assert days.allowed(domain.sizes)[:, -1].all()
    assert stages.allowed(domain.sizes).tolist() == np.triu(np.ones((3, 3), bool)).tolist()


def test_orders_reach_through_other_columns():
    rules = [Rule(order=("a", "b")), Rule(order=("b", "c", "d"))]
    pairs = {("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")}
    assert set(ordered_pairs(rules)) == pairs
    assert ordered_pairs([Rule(forbid={"a": 1, "b": 2})]) == ()


def test_learnt_bins_do_not_straddle_a_rule():
    made = schema(RULES[1], RULES[2], RULES[3])
    tool = codecs(made)["weight"]
    assert tool.marks.size
    rng = np.random.default_rng(0)
    for noisy in (np.zeros(tool.size, int), rng.integers(-50, 500, tool.size)):
        groups = cut(noisy, tool, bins=4, stddev=10.0).groups
        for mark in tool.marks:
            assert groups[mark] != groups[mark - 1]
        assert groups.max() < 4 + tool.marks.size
    planned = PrivateBins(bins=4).domain(made)
    assert planned.sizes["weight"] == 4 + tool.marks.size


LATE = {"order": ["late", "in"]}
BAD = [
    ({"forbid": {"sx": "M", "age": 1}}, "rule 1: no column is called 'sx': did you mean 'sex'?"),
    ({"forbid": {"pid": "1", "age": 1}}, "rule 1: column 'pid' is not learnt"),
    ({"forbid": {"sex": "X", "age": 1}}, "rule 1: column 'sex' has no value 'X': there are"),
    ({"forbid": {"stage": "IIl", "age": 1}}, "did you mean 'II'"),
    ({"forbid": {"sex": "M"}}, "rule 1: `forbid` needs two columns"),
    ({"forbid": {"sex": "M", "age": []}}, "rule 1: the list of values of column 'age' is empty"),
    ({"forbid": {"sex": "M", "age": {}}}, "rule 1, field 'forbid.age': a range needs"),
    ({"forbid": {"sex": "M", "age": 91}}, "rule 1: nothing asked of column 'age' lies within"),
    ({"forbid": {"sex": "M", "age": 1.5}}, "rule 1: column 'age' holds whole numbers"),
    ({"forbid": {"sex": "M", "age": "old"}}, "rule 1: column 'age' takes a number, not 'old'"),
    ({"forbid": {"sex": "M", "in": "May"}}, "rule 1: column 'in' takes a date"),
    ({"forbid": {"sex": {"least": 1}, "age": 1}}, "rule 1: column 'sex' has levels and takes"),
    ({"forbid": {"sex": "M", "age": {"least": 9, "most": 8}}}, "ends before it starts"),
    ({"forbid": {"stage": "I", "age": {"missing": True}}}, "column 'age' has no missing level"),
    ({"forbid": {"sex": ["F", "M"], "missing": [True, False]}}, "rule 1: it forbids every value"),
    ({"forbid": {"age": {"least": 0}, "weight": {"most": 900}}}, "it forbids every value"),
    ({"order": ["in"]}, "rule 1: `order` needs two columns"),
    ({"order": ["in", "in"]}, "rule 1: `order` needs two columns"),
    ({"order": ["in", "age"]}, "rule 1: `order` needs columns of one kind, not date and integer"),
    ({"order": ["sex", "missing"]}, "rule 1: column 'sex' is categorical and has no order"),
    (LATE, "rule 1: every value of 'late' lies above every value of 'in'"),
    ({}, "rule 1: a rule has either `forbid` or `order`"),
    ({"order": ["in", "out"], "forbid": {"sex": "M", "age": 1}}, "a rule has either"),
    ({"forbids": {}}, "rule 1, field 'forbids' is not known"),
    ("male and pregnant", "rule 1"),
]


@pytest.mark.parametrize(("rule", "said"), BAD)
def test_a_wrong_rule_is_refused_in_one_sentence(rule, said):
    with pytest.raises(SchemaError) as found:
        schema(rule)
    message = str(found.value)
    assert said in message
    assert "\n" not in message
    assert not message.endswith(".")


def test_more_that_no_order_can_hold():
    with pytest.raises(SchemaError, match="put 'in', 'out' in a circle"):
        schema({"order": ["in", "out"]}, {"order": ["out", "in"]})
    real = {"kind": "continuous", "bounds": [0, 1.25]}
    columns = [{"name": "a", **real, "decimals": 2}, {"name": "b", **real, "decimals": 1}]
    with pytest.raises(SchemaError, match="must declare the same `decimals`"):
        schema({"order": ["a", "b"]}, columns=columns)
    columns = [{"name": name, **real, "decimals": 1} for name in "ab"]
    with pytest.raises(SchemaError, match="'a' have more digits than `decimals`"):
        schema({"order": ["a", "b"]}, columns=columns)
    columns = [{"name": n, "kind": "ordinal", "values": [n, "x"]} for n in "ab"]
    with pytest.raises(SchemaError, match="must declare the same values"):
        schema({"order": ["a", "b"]}, columns=columns)


def test_a_column_that_is_not_yet_declared_waits():
    columns = [{"name": "a", "kind": "categorical"}, {"name": "b", "kind": "boolean"}]
    assert schema({"forbid": {"a": "x", "b": True}}, columns=columns).open_items()


def test_rules_that_leave_no_row_are_refused_before_anything_is_charged():
    flag = {"kind": "boolean"}
    columns = [{"name": name, **flag} for name in "ab"]
    rules = [{"forbid": {"a": a, "b": b}} for a in (True, False) for b in (True, False)]
    made = schema(*rules, columns=columns)
    with pytest.raises(SchemaError, match="together forbid every row"):
        Independent().plan(made, epsilon=1, delta=1e-9)
    assert Independent().plan(schema(*rules[1:], columns=columns), epsilon=1, delta=1e-9).steps


def test_rules_that_need_too_large_a_table_are_refused_before_anything_is_charged():
    columns = [{"name": name, "kind": "integer", "bounds": [0, 999], "bins": 500} for name in "abc"]
    made = schema({"order": ["a", "b"]}, columns=columns)
    with pytest.raises(SchemaError, match=r"over 'a', 'b' need one table of 250,000 cells"):
        Independent().plan(made, epsilon=1, delta=1e-9)
    learnt = [{key: each[key] for key in ("name", "kind", "bounds")} for each in columns]
    made = schema({"order": ["a", "b", "c"]}, columns=learnt)
    assert Independent().plan(made, epsilon=1, delta=1e-9).steps


def test_a_rule_may_cut_a_range_without_bounds():
    columns = [{"name": "n", "kind": "integer"}, {"name": "m", "kind": "integer"}, COLUMNS[1]]
    made = schema(
        {"forbid": {"n": {"least": 5}, "sex": "M"}}, {"order": ["n", "m"]}, columns=columns
    )
    grid = codecs(made)["n"].grid
    (rule, order) = base_domain(made).zeros
    assert grid.starts[min(dict(rule.codes)["n"])] == 5
    assert max(dict(rule.codes)["n"]) == grid.size - 1
    assert order.first_spans[-1] == (2.0**40, 2.0**40)
    assert Independent().plan(made, epsilon=1, delta=1e-9).steps


def test_a_range_is_a_value_of_python_too():
    rule = Rule(forbid={"age": Range(least=0, most=9), "sex": "M"})
    assert schema().model_copy(update={"rules": (rule,)}).rules[0].columns == ("age", "sex")
