"""The words of PostgreSQL, SQLite and Spark, where they are not those of ``sql.engine.Engine``."""

import math
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlglot import exp

from dpsynth.encoding.cells import number_of_text, text_of
from dpsynth.sources.sql.engine import Engine, Expression, Kind, case, double, text, whole

_SMALL, _LARGE = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_EPOCH = 719_163  # the ordinal of 1970-01-01
_INFINITE_DAYS = 2_000_000_000
# Of so few digits that no power of ten in two digits leads out of the range of a double.
_ORDINARY = r"[+-]?[0-9]{0,150}[.]?[0-9]{0,150}([eE][+-]?[0-9]{1,2})?"
_HALF_ABOVE = 2**1024 - 2**970  # rounds to infinity, and what is below to a finite double
_HALF_LEAST = f"{5**1075}e-1075"  # 2**-1075, which rounds to zero, and what is above does not


def _call(name: str, *arguments: Expression) -> Expression:
    return exp.Anonymous(this=name, expressions=[each.copy() for each in arguments])


class _Letters(Engine):
    """Letters changed one by one: what a locale makes of an i never enters."""

    def upper(self, held: Expression) -> Expression:
        """Write a-z as A-Z."""
        return _call("TRANSLATE", held, text(_SMALL), text(_LARGE))

    def lower(self, held: Expression) -> Expression:
        """Write A-Z as a-z."""
        return _call("TRANSLATE", held, text(_LARGE), text(_SMALL))


class Postgres(_Letters):
    """PostgreSQL 14 or newer, in a session in UTC with ISO dates."""

    dialect = "postgres"

    def sql(self, query: Expression, *, pretty: bool = False) -> str:
        """Keep the layers apart: the planner would write every name out, again and again."""
        for layer in query.find_all(exp.Subquery):
            layer.this.set("offset", exp.Offset(expression=whole(0)))
        return super().sql(query, pretty=pretty)

    def strip(self, held: Expression) -> Expression:
        """Say it by the function's own name."""
        from dpsynth.sources.sql.engine import SPACES

        return _call("BTRIM", held, text(SPACES))

    def part(self, held: Expression, start: Expression, length: Expression) -> Expression:
        """A negative length is an error, also where it would not matter."""
        if not isinstance(length, exp.Literal):
            length = _call("GREATEST", length, whole(0))
        return _call("SUBSTR", held, start, length)

    def place(self, held: Expression, wanted: str) -> Expression:
        """Say it by the function's own name."""
        return _call("STRPOS", held, text(wanted))

    def is_nan(self, held: Expression) -> Expression:
        """A double that is not a number equals itself."""
        return held.copy().eq(exp.cast(text("NaN"), exp.DataType.Type.DOUBLE))

    def double_of_text(self, held: Expression) -> Expression:
        """What is beyond the range of a double, above or below, is an error: it is looked at first.

        A numeric holds any number of a thousand characters, but for its exponent.
        """
        number = exp.cast(held.copy(), exp.DataType.Type.DECIMAL)
        size = _call("ABS", number)
        sign = exp.Like(this=held.copy(), expression=text("-%"))
        infinite = case((sign, self.infinity(-1)), otherwise=self.infinity(1))
        near = case(
            (size.copy() >= exp.cast(text(str(_HALF_ABOVE)), exp.DataType.Type.DECIMAL), infinite),
            (
                size.copy() <= exp.cast(text(_HALF_LEAST), exp.DataType.Type.DECIMAL),
                double(0.0),
            ),
            otherwise=super().double_of_text(held),
        )
        mantissa = _call("REGEXP_REPLACE", held, text("[eE].*$"), text(""))
        nothing = exp.not_(self._finds(mantissa, "[1-9]"))
        return case(
            (self.matches(held, _ORDINARY), super().double_of_text(held)),
            (nothing, double(0.0)),
            # An exponent of five digits outdoes all digits that a thousand characters have.
            (self._finds(held, "[eE][+]?0*[1-9][0-9]{4}"), infinite.copy()),
            (self._finds(held, "[eE]-0*[1-9][0-9]{4}"), double(0.0)),
            otherwise=near,
        )

    def float_text(self, held: Expression) -> Expression:
        """PostgreSQL writes the shortest digits, as Python does, but sets the point otherwise."""
        size = _call("ABS", held)
        numeric = exp.DataType.Type.DECIMAL
        shortest = exp.cast(held.copy(), exp.DataType.Type.TEXT)
        plain = exp.cast(exp.cast(shortest.copy(), numeric), exp.DataType.Type.TEXT)
        # A large whole number in all its digits: 53 bits of it, times a power of two.
        octaves = _call("LN", size) / _call("LN", double(2.0)) - double(53.0)
        power = exp.cast(_call("FLOOR", octaves / double(10.0)), exp.DataType.Type.INT) * whole(10)
        bits = exp.cast(held.copy() / _call("POWER", double(2.0), power), exp.DataType.Type.BIGINT)
        two = exp.cast(whole(2), numeric)
        product = exp.cast(bits, numeric) * _call("POWER", two, exp.cast(power.copy(), numeric))
        digits = exp.cast(_call("TRUNC", product), exp.DataType.Type.TEXT)
        return case(
            (
                size.copy().eq(self.infinity(1)),
                case((held.copy() > double(0.0), text("inf")), otherwise=text("-inf")),
            ),
            (size.copy() >= double(2.0**62), digits),
            (size.copy() >= double(1e-4), plain),
            otherwise=shortest,
        )

    def _finds(self, held: Expression, pattern: str) -> Expression:
        return exp.RegexpLike(this=held.copy(), expression=text(pattern))

    def day(self, held: Expression, kind: Kind) -> Expression:
        """Days subtract to their number; those without end have none."""
        del kind
        date = exp.cast(held.copy(), exp.DataType.Type.DATE)
        first = exp.cast(text("1970-01-01"), exp.DataType.Type.DATE)
        days = exp.cast(exp.paren(date - first), exp.DataType.Type.BIGINT) + whole(_EPOCH)
        late = held.copy() > first.copy()
        never = case((late, whole(_INFINITE_DAYS)), otherwise=whole(-_INFINITE_DAYS))
        return case(
            (held.copy().is_(exp.null()), exp.cast(exp.null(), exp.DataType.Type.BIGINT)),
            (_call("ISFINITE", held), days),
            otherwise=never,
        )

    def hex(self, number: Expression) -> Expression:
        """PostgreSQL writes small letters."""
        return _call("TO_HEX", number)

    def of_hex(self, digits: Expression) -> Expression:
        """A text with x before it casts to bits, and bits to a number."""
        bits = exp.cast(self.joined(text("x"), digits), exp.DataType.build("bit(32)"))
        return exp.cast(bits, exp.DataType.Type.BIGINT)

    def sha256(self, held: Expression) -> Expression:
        """The bytes of a text are those of its UTF-8, whatever the database is stored in."""
        encoded = _call("CONVERT_TO", held, text("UTF8"))
        digits = _call("ENCODE", _call("SHA256", encoded), text("hex"))
        # Ordered as bytes are, whatever the order of the database's language.
        return exp.Collate(this=digits, expression=exp.to_identifier("C", quoted=True))


class Sqlite(Engine):
    """SQLite with ``functions`` of ours, which it runs in this very process.

    A column of SQLite has no type. Every cell is read as its text (``spelled``), as the reader of
    a frame of objects reads it, so that there is but one kind of column.
    """

    dialect = "sqlite"

    def spelled(self, held: Expression) -> Expression:
        """Return any cell as text."""
        return _call("dpsynth_text", held)

    def strip(self, held: Expression) -> Expression:
        """SQLite would take off any characters, but those of a literal with a NUL."""
        return _call("dpsynth_strip", held)

    def matches(self, held: Expression, pattern: str) -> Expression:
        """SQLite has no expressions."""
        return _call("dpsynth_matches", held, text(pattern))

    def part(self, held: Expression, start: Expression, length: Expression) -> Expression:
        """A negative length would count from the other side."""
        return _call("dpsynth_part", held, start, length)

    def place(self, held: Expression, wanted: str) -> Expression:
        """Say it by the function's own name."""
        return _call("INSTR", held, text(wanted))

    def without_zeros(self, digits: Expression) -> Expression:
        """Say it by the function's own name."""
        return _call("LTRIM", digits, text("0"))

    def is_nan(self, held: Expression) -> Expression:
        """SQLite has none: it stores a null."""
        del held
        return exp.false()

    def double_of_text(self, held: Expression) -> Expression:
        """SQLite's own reading is not exact in the last bit."""
        return _call("dpsynth_double", held)

    def infinity(self, sign: int) -> Expression:
        """SQLite reads no word for it."""
        return double(math.copysign(math.inf, sign))

    def floor(self, held: Expression) -> Expression:
        """Not every SQLite has it."""
        return _call("dpsynth_floor", held)

    def hexadecimal(self, number: Expression) -> Expression:
        """Write 16 digits at once."""
        return _call("PRINTF", text("%016x"), number)

    def hex(self, number: Expression) -> Expression:
        """Write as many digits as there are."""
        return _call("PRINTF", text("%x"), number)

    def of_hex(self, digits: Expression) -> Expression:
        """SQLite reads no such digits."""
        return _call("dpsynth_of_hex", digits)

    def sha256(self, held: Expression) -> Expression:
        """SQLite has none."""
        return _call("dpsynth_sha256", held)

    def sql(self, query: Expression, *, pretty: bool = False) -> str:
        """Write doubles by their bits, and layers one after the other: its parser is not deep.

        Layers with a limit are never merged.
        """
        layers: list[tuple[str, str]] = []
        while isinstance(query, exp.Select):
            query.transform(_exact_double, copy=False)
            source = query.args["from_"].this if "from_" in query.args else None
            query.set("limit", exp.Limit(expression=whole(-1)))
            if not isinstance(source, exp.Subquery):
                break
            source.replace(exp.to_table(source.alias))
            layers.append((source.alias, super().sql(query, pretty=pretty)))
            query = source.this
        if not layers:
            return super().sql(query.transform(_exact_double, copy=False), pretty=pretty)
        layers.append(("", super().sql(query, pretty=pretty)))
        within = [f'"{layers[at][0]}" AS ({layers[at + 1][1]})' for at in range(len(layers) - 1)]
        return f"WITH {', '.join(reversed(within))} {layers[0][1]}"


def _exact_double(node: Any) -> Any:
    if not (isinstance(node, exp.Cast) and node.to.this is exp.DataType.Type.DOUBLE):
        return node
    if not (isinstance(node.this, exp.Literal) and node.this.is_string):
        return node
    return _call("dpsynth_bits", text(float(node.this.this).hex()))


def _matcher() -> Callable[[str | None, str], bool | None]:
    import re

    known: dict[str, re.Pattern[str]] = {}

    def matches(held: str | None, pattern: str) -> bool | None:
        if pattern not in known:
            known[pattern] = re.compile(pattern, re.ASCII)
        return None if held is None else known[pattern].fullmatch(held) is not None

    return matches


def _part(held: str | None, start: int | None, length: int | None) -> str | None:
    if held is None or start is None or length is None:
        return None
    return held[start - 1 : start - 1 + max(length, 0)]


def _text(held: object) -> str | None:
    return held if held is None or isinstance(held, str) else text_of(held)


def functions() -> dict[str, tuple[int, Callable[..., Any]]]:
    """Return what ``Sqlite`` needs registered, by name: how many arguments, and what it does."""

    def unless_null(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda held: None if held is None else function(held)

    return {
        "dpsynth_text": (1, _text),
        "dpsynth_strip": (1, unless_null(str.strip)),
        "dpsynth_matches": (2, _matcher()),
        "dpsynth_part": (3, _part),
        "dpsynth_double": (1, unless_null(number_of_text)),
        "dpsynth_bits": (1, float.fromhex),
        "dpsynth_floor": (
            1,
            unless_null(lambda x: float(math.floor(x)) if math.isfinite(x) else x),
        ),
        "dpsynth_of_hex": (1, unless_null(lambda digits: int(digits, 16))),
        "dpsynth_sha256": (
            1,
            unless_null(lambda held: sha256(held.encode("utf-8", "surrogatepass")).hexdigest()),
        ),
    }


class Spark(_Letters):
    """Spark 4, whatever its session says of time zones and of escapes in texts."""

    dialect = "spark"

    def matches(self, held: Expression, pattern: str) -> Expression:
        r"""Java's ``$`` lets a line break follow; its ``\z`` does not."""
        return exp.RegexpLike(this=held.copy(), expression=text(rf"^(?:{pattern})\z"))

    def place(self, held: Expression, wanted: str) -> Expression:
        """Say it by the function's own name."""
        return _call("INSTR", held, text(wanted))

    def is_nan(self, held: Expression) -> Expression:
        """Say it by the function's own name."""
        return _call("ISNAN", held)

    def double_of_text(self, held: Expression) -> Expression:
        """Java reads every decimal number, the large ones as infinite."""
        return exp.TryCast(this=held.copy(), to=exp.DataType.build("double"))

    def floor(self, held: Expression) -> Expression:
        """Spark's is a whole number."""
        return exp.cast(exp.Floor(this=held.copy()), exp.DataType.Type.DOUBLE)

    def day(self, held: Expression, kind: Kind) -> Expression:
        """Days since the epoch are what a date is."""
        del kind
        days = _call("UNIX_DATE", exp.cast(held.copy(), exp.DataType.Type.DATE))
        return exp.cast(days, exp.DataType.Type.BIGINT) + whole(_EPOCH)

    def day_in_utc(self, held: Expression) -> Expression:
        """Return the date in UTC of a time with a zone, whatever zone the session is in."""
        days = _call("FLOOR", exp.paren(_call("UNIX_SECONDS", held) / double(86_400.0)))
        return _call("DATE_FROM_UNIX_DATE", exp.cast(days, exp.DataType.Type.INT))

    def hex(self, number: Expression) -> Expression:
        """Spark writes capitals."""
        return exp.Lower(this=_call("HEX", number))

    def of_hex(self, digits: Expression) -> Expression:
        """From base 16 to base 10, both as text."""
        return exp.cast(_call("CONV", digits, whole(16), whole(10)), exp.DataType.Type.BIGINT)

    def sha256(self, held: Expression) -> Expression:
        """Spark's takes text and writes small letters."""
        return _call("SHA2", held, whole(256))

    def sql(self, query: Expression, *, pretty: bool = False) -> str:
        """Write texts by their bytes: what a backslash means is a setting of the session."""
        return super().sql(query.transform(_plain_text, copy=False), pretty=pretty)


def _plain_text(node: Any) -> Any:
    if not (isinstance(node, exp.Literal) and node.is_string):
        return node
    held = node.this
    if held.isascii() and held.isprintable() and not set(held) & set("\\'\""):
        return node
    return exp.cast(exp.HexString(this=held.encode("utf-8").hex()), exp.DataType.Type.TEXT)
