"""One value, one sequence of bytes; and whatever two readers could read differently is refused."""

import json
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.errors import IntegrityError
from dpsynth.release import canonical

# Bits and text from appendix B of RFC 8785.
RFC_NUMBERS = {
    0x0000000000000000: "0",
    0x8000000000000000: "0",
    0x0000000000000001: "5e-324",
    0x8000000000000001: "-5e-324",
    0x7FEFFFFFFFFFFFFF: "1.7976931348623157e+308",
    0x4340000000000000: "9007199254740992",
    0xC340000000000000: "-9007199254740992",
    0x4430000000000000: "295147905179352830000",
    0x44B52D02C7E14AF5: "9.999999999999997e+22",
    0x44B52D02C7E14AF6: "1e+23",
    0x444B1AE4D6E2EF4E: "999999999999999700000",
    0x444B1AE4D6E2EF4F: "999999999999999900000",
    0x444B1AE4D6E2EF50: "1e+21",
    0x3EB0C6F7A0B5ED8C: "9.999999999999997e-7",
    0x3EB0C6F7A0B5ED8D: "0.000001",
    0x41B3DE4355555553: "333333333.3333332",
    0x41B3DE4355555555: "333333333.3333333",
    0xBECBF647612F3696: "-0.0000033333333333333333",
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(("bits", "text"), RFC_NUMBERS.items(), ids=RFC_NUMBERS.values())
def test_numbers_are_written_as_the_standard_says(bits, text):
    (number,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    assert canonical.dumps(number) == text.encode()


def test_keys_are_sorted_by_utf16_code_unit():
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    read = json.loads(canonical.dumps(dict.fromkeys(keys, 0)))
    assert list(read) == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


@given(values)
def test_reading_and_writing_again_gives_the_same_bytes(value):
    data = canonical.dumps(value)
    read = canonical.loads(data, name="x")
    assert canonical.dumps(read) == data
    assert read == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53, "\ud800", {"\udfff": 1}], ids=repr
)
def test_what_is_not_portable_is_refused(value):
    with pytest.raises(ValueError, match=r"finite|2\^53|surrogates"):
        canonical.dumps(value)


@pytest.mark.parametrize("value", [{1: 2}, {"a": {3}}, Fraction(1, 2), b"x"], ids=repr)
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError):
        canonical.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b"[" + b"9" * 5000 + b"]",
        b'["\xff"]',
        b"[" * 100_000,
        b"",
        b'{"a":1} x',
    ],
    ids=lambda data: repr(data[:12]),
)
def test_hostile_json_is_an_integrity_error_that_names_the_file(data, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"x\.json"):
        canonical.read(path)


def test_another_spelling_of_the_same_value_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(canonical.dumps({"a": 1, "b": [0.5]}))
    assert canonical.read(path) == {"a": 1, "b": [0.5]}
    for other in (b'{"b":[0.5],"a":1}', b'{"a":1, "b":[0.5]}', b'{"a":1,"b":[0.50]}'):
        path.write_bytes(other)
        with pytest.raises(IntegrityError, match="canonically"):
            canonical.read(path)


def test_a_document_beyond_the_limit_is_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setattr(canonical, "LARGEST_DOCUMENT", 10)
    path = tmp_path / "x.json"
    path.write_bytes(b'{"a":"aaaaaaaaaaaa"}')
    with pytest.raises(IntegrityError, match="larger"):
        canonical.read(path)
    with pytest.raises(IntegrityError, match="larger"):
        canonical.loads(path.read_bytes(), name="x.json")


def test_deep_documents_are_not_written():
    value: object = 0
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="deeper"):
        canonical.dumps(value)


@pytest.mark.parametrize("text", ["3/8", "2", "0.25", "-1/3"])
def test_exact_numbers_are_read(text):
    assert canonical.exact_number(text, name="x") == Fraction(text)


@pytest.mark.parametrize("text", ["1e999999999", "1/0", "1/00", "", "x", "½", "9" * 5000, 1, None])
def test_other_numbers_are_refused_at_once(text):
    with pytest.raises(IntegrityError, match="exact number"):
        canonical.exact_number(text, name="x")


@pytest.mark.parametrize("text", ["3/8", "2", "0", "-1/3"])
def test_exact_fractions_have_one_spelling(text):
    assert canonical.exact_fraction(text, name="x") == Fraction(text)


@pytest.mark.parametrize("text", ["6/16", "02", "2/1", "0.25", "2.0", "-0", "0/5", "", None])
def test_other_spellings_of_fractions_are_refused(text):
    with pytest.raises(IntegrityError, match="x must be"):
        canonical.exact_fraction(text, name="x")
