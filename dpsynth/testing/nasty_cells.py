"""Cells that engines read differently, by what holds them."""

import datetime as dt

import numpy as np

# Each is another text than all others, however alike they look.
LOOK_ALIKES = (
    "a", "b", "A", "e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "\N{FULLWIDTH LATIN SMALL LETTER A}", "\N{CYRILLIC SMALL LETTER A}", "a\N{ZERO WIDTH SPACE}",
    "\N{LATIN SMALL LIGATURE FI}", "fi", "stra\N{LATIN SMALL LETTER SHARP S}e", "strasse", "a  b",
    "a b", "a\tb", "\N{GRINNING FACE}", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "I", "i",
)  # fmt: skip
AROUND = (
    "", "", "", " ", "  ", "\t", "\n", "\r\n", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0",
    "\N{EM SPACE}", "\N{IDEOGRAPHIC SPACE}", "\N{ZERO WIDTH SPACE}", "\N{WORD JOINER}",
    "\N{OGHAM SPACE MARK}",
)  # fmt: skip
STRAYS = (
    "", " ", "\N{EM SPACE}", "nan", "NaN", "None", "NULL", "null", "N/A", "x" * 101, "y" * 1_000,
    "z" * 1_001, "it's", '"', "--", "\\", "%", "_", "a;b", "{}", "$1",
    "\N{ZERO WIDTH NO-BREAK SPACE}", "True", "0", "-0", "1e3", "\x7f", "\x01",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
)  # fmt: skip
NUMERALS = (
    "7", "7.0", "7.", "7.00", "+7", "07", "7,0", "7e0", "0.7e1", " 7 ", "-0", "-0.0", "0", "0.0",
    ".5", "5.", "1e400", "-1e400", "1e-400", "inf", "-Infinity", "+inf", "+-inf", "nan", "1_000",
    "0x7", "\N{ARABIC-INDIC DIGIT THREE}", "9007199254740993", "2.5", "3.5", "-2.5", "1e5",
    "99999999999", "1.7976931348623157e308", "5e-324", "0.1", "0.30000000000000004", "abc", "",
)  # fmt: skip
FLOATS = (
    0.0, -0.0, float("nan"), float("inf"), float("-inf"), 0.5, 1.5, 2.5, -0.5, -1.5, 0.1, 0.2, 0.3,
    0.1 + 0.2, 1e-320, 5e-324, -5e-324, 1e300, -1e300, 2.0**53, 2.0**53 + 2, -(2.0**63), 1e15 + 0.3,
    7.0, 1e-9, 99.99999999999999, 100.0, 100.00000000000001, 1e-6, 2.0**-20, 3 * 2.0**-21, 1e22,
    float(np.nextafter(7.0, 8.0)), float(np.nextafter(7.0, 6.0)),
)  # fmt: skip
INTEGERS = (
    0, 1, 2, 3, 7, -1, -7, 99, 100, 101, 2**31 - 1, 2**31, -(2**31), 2**53 - 1, 2**53, 2**53 + 1,
    2**62 + 1, 2**63 - 1, -(2**63), -(2**53) - 1,
)  # fmt: skip
DAYS = tuple(
    dt.date.fromisoformat(text)
    for text in (
        "2020-02-29", "2020-03-01", "1970-01-01", "1969-12-31", "1900-03-01", "0001-01-01",
        "9999-12-31", "2024-12-31", "2025-01-01", "1582-10-10", "2020-01-01", "2020-06-30",
    )
)  # fmt: skip
CLOCKS = (
    dt.time(), dt.time(0, 0, 0, 1), dt.time(12, 30), dt.time(23, 59, 59, 999_999), dt.time(22, 0),
)  # fmt: skip
DAY_TEXTS = (
    "2020-02-29", "2020-02-30", "2020-02-29T23:59:59", "2020-02-29 23:59:59+05:00", " 2020-03-01 ",
    "2020-03-01x", "20200301", "2020-3-1", "never", "", "2020-06-30T", "0000-01-01", "2021-02-29",
    "9999-12-31", "0001-01-01", "2020-W10-1", "1900-02-29", "2000-02-29", "2020-01-01\N{EM SPACE}",
    "2020\N{HYPHEN}01\N{HYPHEN}01", "-020-01-01", "99/99/9999", "2020-00-10", "2020-01-32",
)  # fmt: skip
ANSWERS = (
    "true", "TRUE", "t", "Yes", "y", "1", "1.0", "false", "F", "no", "N", "0", "0.0", " yes ", "2",
    "-1", "oui", "", "tr\N{LATIN SMALL LETTER DOTLESS I}e", "\N{FULLWIDTH LATIN SMALL LETTER T}",
    "1.00", "01",
)  # fmt: skip
CODES = (
    "E11.9", "e11", "E11", "E1", "E119", "250.01", "250", "25", "V45", "v45.8", "I10", "", "E11 ",
    "428", "4280", "zzz", "?", "\N{LATIN SMALL LETTER SHARP S}11", "A\N{SUPERSCRIPT TWO}", "C4A.1",
    "7.0", "x" * 1_001,
)  # fmt: skip
IDS = (
    "7", "7.0", " 7 ", "007", "7.5", "p1", "P1", "p1 ", "", " ", "é", "e\N{COMBINING ACUTE ACCENT}",
)  # fmt: skip
NAMES = (
    "age", "Sex", "select", "a b", 'q"uote', "it's", "per%cent", ":colon", "quest?ion", "naïve",
    "$1", "back`tick", "x.y", "{brace}", "rows", "count", "-- comment", "semi;colon", "back\\slash",
    "_",
)  # fmt: skip
DECIMALS = ("0", "-0.0000", "1", "2.5", "7", "99", "0.3", "1e15", "-7.0001")
