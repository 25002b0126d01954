import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dpsynth.encoding import base_domain, codec
from dpsynth.schema import (
    BooleanColumn,
    CategoricalColumn,
    ContinuousColumn,
    DateColumn,
    IntegerColumn,
    OrdinalColumn,
    Rollup,
    Schema,
)

RNG = np.random.default_rng(0)


def encode(column, cells):
    series = cells if isinstance(cells, pd.Series) else pd.Series(cells, dtype=object)
    return codec(column).encode(series).codes.tolist()


def decode(column, codes):
    return codec(column).decode(np.asarray(codes), np.random.default_rng(1)).series()


SEX = CategoricalColumn(name="sex", values=("F", "M"))


def test_a_missing_level_comes_last_and_takes_what_is_unexpected():
    column = CategoricalColumn(name="sex", values=("F", "M"), missing_codes=("?",))
    cells = [
        "F",
        " M ",
        "?",
        "X",
        "",
        None,
        math.nan,
        pd.NA,
        pd.NaT,
        3,
        b"F",
        b"\xff",
        [1],
        "M" * 2,
    ]
    assert encode(column, cells) == [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 0, 2, 2, 2]
    assert codec(column).size == 3
    assert codec(column).labels() == ["F", "M", "(missing)"]


def test_without_a_missing_level_the_fallback_takes_it():
    assert encode(SEX, ["M", "X", None, math.inf]) == [1, 0, 0, 0]
    chosen = CategoricalColumn(name="sex", values=("F", "M"), fallback="M")
    assert encode(chosen, ["F", "X", None]) == [0, 1, 1]


def test_an_oversized_cell_is_only_unexpected():
    huge = "9" * 20_000_000
    assert encode(SEX, [huge, "M"]) == [0, 1]
    assert encode(IntegerColumn(name="i", bounds=(3, 9)), [huge, "4"]) == [0, 1]


@pytest.mark.parametrize("cells", [[1, 2], ["1", "2"], ["1.0", " 2 "], [1.0, 2.0], [np.int8(1), 2]])
def test_numbers_as_levels_match_in_every_spelling(cells):
    assert encode(OrdinalColumn(name="x", values=(1, 2)), cells) == [0, 1]


def test_text_levels_match_numbers_and_true_is_not_one():
    column = CategoricalColumn(name="x", values=("1", "True"), nullable=True)
    assert encode(column, [1, True, "1.0", 1.0, Decimal(1), "true"]) == [0, 1, 0, 0, 0, 2]


def test_a_missing_code_that_is_also_a_value_is_missing():
    column = CategoricalColumn(name="hbp", values=(0, 1, 2), missing_codes=(2,))
    assert encode(column, [0, 1, 2, 7]) == [0, 1, 2, 2]
    back = decode(column, [0, 1, 2])
    assert back.tolist() == [0, 1, 2]
    assert back.dtype == "int64"


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("250.83", "250"),
        ("8", "008"),
        ("V57", "V57"),
        ("v5.1", "V05"),
        ("E909", "E90"),
        (250, "250"),
        (250.5, "250"),
        ("25083", "250"),
        ("000", "other"),
        ("V92", "other"),
        ("nonsense", "other"),
        ("x" * 5000, "other"),
        ("?", None),
        (None, None),
    ],
)
def test_icd_9_codes_roll_up_to_categories(code, level):
    column = CategoricalColumn(name="dx", codes="ICD-9-CM", missing_codes=("?",))
    tool = codec(column)
    assert tool.size == 999 + 91 + 100 + 1 + 1
    (found,) = encode(column, [code])
    assert (None if found == tool.size - 1 else column.levels[found]) == level


def test_icd_10_and_its_clinical_modification():
    assert codec(CategoricalColumn(name="dx", codes="ICD-10")).size == 2601
    modified = CategoricalColumn(name="dx", codes="icd10cm".upper())
    assert modified.rule is None  # spelled as nobody spells it: to be declared, not guessed
    modified = CategoricalColumn(name="dx", codes="ICD10-CM")
    assert modified.levels[encode(modified, ["C7A.00"])[0]] == "C7A"
    assert modified.levels[encode(modified, ["E11.9"])[0]] == "E11"


def test_a_prefix_rule_with_its_own_other_level():
    rule = Rollup(rule="prefix", length=2, values=("AB", "C"), other="rest")
    column = CategoricalColumn(name="atc", rollup=rule)
    assert encode(column, ["ABC1", "C", "CX", "", None]) == [0, 1, 2, 2, 2]
    assert decode(column, [0, 1, 2]).tolist() == ["AB", "C", "rest"]


def test_numbers_are_clamped_and_the_unparsable_falls_back():
    column = IntegerColumn(name="age", bounds=(10, 20))
    cells = ["15", 15.4, "15.6", -5, 10**400, "-inf", "Infinity", "x", "1_2", "", None, math.nan]
    assert encode(column, cells) == [5, 5, 6, 0, 10, 0, 10, 0, 0, 0, 0, 0]
    nullable = IntegerColumn(name="age", bounds=(10, 20), nullable=True, missing_codes=(99,))
    assert encode(nullable, ["x", None, 99, "99.0", 98, -math.inf]) == [11, 11, 11, 11, 10, 0]
    chosen = IntegerColumn(name="age", bounds=(10, 20), fallback=12)
    assert encode(chosen, ["x", None, "13"]) == [2, 2, 3]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([1, 2, math.nan]),
        pd.Series(["1", "2", None]),
        pd.Series(["1", "2.0", None], dtype="category"),
        pd.Series([1, 2, None], dtype="int8[pyarrow]"),
        pd.Series([Decimal(1), Decimal("2.0"), Decimal("NaN")], dtype=object),
        pd.Series([True, 2, Decimal("sNaN")], dtype=object),
    ],
    ids=lambda series: str(series.dtype),
)
def test_every_kind_of_series_gives_the_same_codes_and_content(series):
    column = IntegerColumn(name="x", bounds=(1, 3), nullable=True)
    encoded = codec(column).encode(series)
    assert encoded.codes.tolist() == [0, 1, 3]
    assert encoded.content.tolist() == [2**61 + 1, 2**61 + 2, 2**63 - 1]


def test_content_keeps_what_codes_lose_and_no_sign_of_zero():
    column = ContinuousColumn(name="x", bounds=(0, 1), bins=2)
    encoded = codec(column).encode(pd.Series([0.0, -0.0, 5.0, 6.0]))
    assert encoded.codes.tolist() == [0, 0, 1, 1]
    assert encoded.content[0] == encoded.content[1]
    assert encoded.content[2] != encoded.content[3]


def test_content_says_the_millionth_and_the_cell_only_where_that_is_another():
    one = ContinuousColumn(name="x", bounds=(0, 10), bins=(0, 5.3, 10), nullable=True)
    two = ContinuousColumn(name="x", bounds=(0, 10), bins=(0, 2, 7, 10), nullable=True)
    cells = pd.Series([5.3, 5.2999996, 5.2999994, "5.3", np.float32(5.3), 1e300, None, "?"])
    first, second = (codec(each).encode(cells) for each in (one, two))
    zero = 2**61
    assert first.codes.tolist()[:4] == [1, 0, 0, 1]
    assert first.content.tolist() == [
        zero + 5_300_000,
        2**62,  # nearest to 5.3, which is in the next cell
        zero + 5_299_999,
        zero + 5_300_000,
        zero + 5_300_000,
        zero + 2 * 10**18,
        2**63 - 1,
        2**63 - 2,
    ]
    # Other bins, the same content, but for the cell between a bin and its neighbor.
    kept = np.delete(np.arange(8), 1)
    assert second.content[kept].tolist() == first.content[kept].tolist()
    assert second.content[1] == second.content[0]


def test_booleans_in_many_words():
    column = BooleanColumn(name="x", nullable=True)
    cells = ["true", "T", "yes", "1", 1, 1.0, True, "FALSE", "n", 0, False, "2", "", None]
    assert encode(column, cells) == [1] * 7 + [0] * 4 + [2] * 3
    assert decode(column, [0, 1, 2]).isna().tolist() == [False, False, True]
    assert decode(column, [0, 1, 2]).dtype == "boolean"
    assert encode(BooleanColumn(name="x"), ["?", True]) == [0, 1]
    assert encode(BooleanColumn(name="x", missing_codes=(9,)), [9, "9", 1]) == [2, 2, 1]


def test_dates_by_the_day():
    column = DateColumn(name="d", bounds=(dt.date(2020, 2, 28), dt.date(2020, 3, 1)), nullable=True)
    cells = [
        "2020-02-29",
        "2020-02-29T23:59:59",
        dt.date(2020, 3, 1),
        dt.datetime(2020, 2, 28, 12, tzinfo=dt.UTC),
        pd.Timestamp("2020-02-29 10:00", tz="Europe/Berlin"),
        np.datetime64("2020-02-29T01"),
        "1066-10-14",
        "9999-12-31",
        "2020-02-30",
        "29.02.2020",
        5,
        pd.NaT,
    ]
    assert encode(column, cells) == [1, 1, 2, 0, 1, 1, 0, 2, 3, 3, 3, 3]
    assert codec(column).labels() == ["2020-02-28", "2020-02-29", "2020-03-01", "(missing)"]
    back = decode(column, [1, 3])
    assert back.dtype.kind == "M"
    assert back[0] == pd.Timestamp("2020-02-29")
    assert pd.isna(back[1])


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(pd.to_datetime(["2020-01-02", None])),
        pd.Series(pd.to_datetime(["2020-01-02 10:00", None])).dt.tz_localize("UTC"),
        pd.Series(pd.to_datetime(["2020-01-02", None])).astype("datetime64[s]"),
        pd.Series([dt.date(2020, 1, 2), None]),
        pd.Series(["2020-01-02", None]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_dates_from_every_kind_of_series(series):
    column = DateColumn(name="d", bounds=(dt.date(2020, 1, 1), dt.date(2020, 1, 3)), nullable=True)
    encoded = codec(column).encode(series)
    assert encoded.codes.tolist() == [1, 3]
    expected = codec(column).encode(pd.Series(["2020-01-02", None]))
    assert encoded.content.tolist() == expected.content.tolist()


def test_dates_as_text_in_a_declared_format():
    column = DateColumn(
        name="d",
        bounds=(dt.date(2020, 1, 1), dt.date(2020, 1, 31)),
        format="%d.%m.%Y",
        dtype="str",
        missing_codes=("00.00.0000",),
    )
    assert encode(column, ["02.01.2020", "2020-01-02", "00.00.0000"]) == [1, 31, 31]
    assert decode(column, [1, 31]).tolist() == ["02.01.2020", "00.00.0000"]


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (IntegerColumn(name="x", bounds=(-5, 10**6)), "int64"),
        (IntegerColumn(name="x", bounds=(0, 10**5), dtype="uint32"), "uint32"),
        (IntegerColumn(name="x", bounds=(0, 300), nullable=True), "Int64"),
        (IntegerColumn(name="x"), "int64"),
        (IntegerColumn(name="x", bounds=(0, 1000), bins=7, dtype="float64"), "float64"),
        (IntegerColumn(name="x", bins=(0, 10, 100, 1000)), "int64"),
        (ContinuousColumn(name="x", bounds=(-3.5, 1e9)), "float64"),
        (ContinuousColumn(name="x", bounds=(2, 2)), "float64"),
        (ContinuousColumn(name="x"), "float64"),
        (ContinuousColumn(name="x", bounds=(0, 1), bins=(0, 0.1, 1), decimals=2), "float64"),
    ],
)
def test_decoding_stays_in_range_and_encodes_back(column, dtype):
    tool = codec(column)
    codes = np.repeat(np.arange(tool.size), 20)
    back = tool.decode(codes, np.random.default_rng(2)).series()
    assert back.dtype == dtype
    if column.limits is not None:
        assert back.min() >= column.limits[0]
        assert back.max() <= column.limits[1]
    if getattr(column, "decimals", None) is None:
        assert tool.encode(back).codes.tolist() == codes.tolist()
    if isinstance(column, IntegerColumn):
        numbers = back.dropna().astype(float)
        assert (numbers == np.rint(numbers)).all()
    assert len(tool.labels()) == tool.size == len(set(tool.labels()))


@pytest.mark.parametrize(
    ("column", "needs"),
    [
        (IntegerColumn(name="x", bounds=(0, 127)), False),
        (IntegerColumn(name="x", bounds=(0, 128)), True),
        (IntegerColumn(name="x", bounds=(0, 10**6), bins=200), False),
        (IntegerColumn(name="x"), True),
        (ContinuousColumn(name="x", bounds=(0, 1)), True),
        (ContinuousColumn(name="x", bins=(0, 1, 2)), False),
        (DateColumn(name="x", bounds=(dt.date(2020, 1, 1), dt.date(2020, 4, 30))), False),
        (DateColumn(name="x", bounds=(dt.date(2020, 1, 1), dt.date(2021, 4, 30))), True),
        (DateColumn(name="x", bounds=(dt.date(2000, 1, 1), dt.date(2021, 1, 1)), bins=4), False),
        (CategoricalColumn(name="x", codes="ICD-10"), False),
    ],
)
def test_bins_are_learnt_only_where_nothing_declares_them(column, needs):
    assert codec(column).needs_bins is needs


def test_declared_edges_and_equal_widths():
    edges = ContinuousColumn(name="x", bins=(0, 1, 10))
    assert encode(edges, [-1, 0, 0.999, 1, 10, 11]) == [0, 0, 0, 1, 1, 1]
    assert codec(edges).labels() == ["[0, 1)", "[1, 10]"]
    whole = IntegerColumn(name="x", bounds=(0, 9), bins=3)
    assert codec(whole).labels() == ["0 to 3", "4 to 6", "7 to 9"]
    days = DateColumn(
        name="x", bins=(dt.date(2020, 1, 1), dt.date(2021, 1, 1), dt.date(2022, 1, 1))
    )
    assert codec(days).labels() == ["2020-01-01 to 2020-12-31", "2021-01-01 to 2022-01-01"]


def test_labels_carry_declared_meanings():
    column = CategoricalColumn(name="sex", values=(0, 1), labels={"0": "male"})
    assert codec(column).labels() == ["0 (male)", "1"]


def test_the_base_domain_is_declared():
    schema = Schema(
        columns=(SEX, IntegerColumn(name="age", bounds=(0, 90), nullable=True)),
    )
    assert dict(base_domain(schema).sizes) == {"sex": 2, "age": 92}
