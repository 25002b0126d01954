"""What the expressions need of an engine, and how it is said there.

``Engine`` says it in the words that sqlglot turns into every dialect; an engine that lacks
something, or means something else by a word, overrides that one method. The tests put each engine
and numpy side by side, cell by cell.
"""

from enum import Enum

from sqlglot import exp

from dpsynth.errors import DataError

Expression = exp.Expr


class Kind(Enum):
    """What an engine's column holds, as far as reading a cell goes."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    DATE = "date"
    TIMESTAMP = "timestamp"
    OTHER = "other"  # nothing that can be read: every cell is UNREADABLE or null


class UnsupportedCellError(DataError):
    """No expression reads such a column as numpy would; found before any row is read."""


# Python's str.strip() takes these off.
SPACES = "".join(
    map(chr, [*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)])
) + "".join(map(chr, [0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))


def text(value: str) -> Expression:
    """Return a literal text."""
    return exp.Literal.string(value)


def whole(value: int) -> Expression:
    """Return a literal whole number."""
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))


def double(value: float) -> Expression:
    """Return a literal double of exactly this value."""
    return exp.cast(text(repr(float(value))), exp.DataType.Type.DOUBLE)


def case(*whens: tuple[Expression, Expression], otherwise: Expression) -> Expression:
    """Return the value of the first condition that holds."""
    if not whens:
        return otherwise
    # sqlglot's own builder copies all that is built at every step.
    ifs = [exp.If(this=_once(condition), true=_once(value)) for condition, value in whens]
    return exp.Case(ifs=ifs, default=_once(otherwise))


def _once(expression: Expression) -> Expression:
    """Return an expression that stands nowhere else yet."""
    return expression.copy() if expression.parent is not None else expression


def among(held: Expression, values: list[Expression]) -> Expression:
    """Return whether ``held`` is one of ``values``; false where there are none."""
    if not values:
        return exp.false()
    return exp.In(this=held.copy(), expressions=[_once(value) for value in values])


class Engine:
    """An engine's words; the dialect is one of sqlglot's names."""

    dialect = "duckdb"

    def sql(self, query: Expression, *, pretty: bool = False) -> str:
        """Write a query in the engine's dialect."""
        return query.sql(dialect=self.dialect, identify=True, pretty=pretty, copy=False)

    def strip(self, held: Expression) -> Expression:
        """Take ``SPACES`` off both ends."""
        return exp.Trim(this=held.copy(), expression=text(SPACES))

    def characters(self, held: Expression) -> Expression:
        """Count code points."""
        return exp.Length(this=held.copy())

    def matches(self, held: Expression, pattern: str) -> Expression:
        """Tell whether all of a text matches an ASCII pattern of the plain kind."""
        return exp.RegexpLike(this=held.copy(), expression=text(f"^(?:{pattern})$"))

    def first(self, held: Expression, length: int) -> Expression:
        """Return the first characters of a text."""
        return self.part(held, whole(1), whole(length))

    def part(self, held: Expression, start: Expression, length: Expression) -> Expression:
        """Return ``length`` characters from ``start``, which counts from 1."""
        return exp.Substring(this=held.copy(), start=start, length=length)

    def place(self, held: Expression, wanted: str) -> Expression:
        """Return where a text stands in another, from 1; 0 where it does not."""
        return exp.StrPosition(this=held.copy(), substr=text(wanted))

    def joined(self, *texts: Expression) -> Expression:
        """Put texts behind each other; none of them is null."""
        found = texts[0].copy()
        for each in texts[1:]:
            found = exp.DPipe(this=found, expression=each.copy(), safe=True)
        return exp.paren(found) if len(texts) > 1 else found

    def without_zeros(self, digits: Expression) -> Expression:
        """Take leading zeros off."""
        return exp.Trim(this=digits.copy(), expression=text("0"), position="LEADING")

    def upper(self, held: Expression) -> Expression:
        """Write a-z as A-Z; what becomes of other characters never matters."""
        return exp.Upper(this=held.copy())

    def lower(self, held: Expression) -> Expression:
        """Write A-Z as a-z; what becomes of other characters never matters."""
        return exp.Lower(this=held.copy())

    def replace(self, held: Expression, old: str, new: str) -> Expression:
        """Replace a character wherever it stands."""
        return exp.func("REPLACE", held.copy(), text(old), text(new), dialect=self.dialect)

    def as_text(self, held: Expression) -> Expression:
        """Write a whole number in decimal digits."""
        return exp.cast(held.copy(), exp.DataType.Type.TEXT)

    def decimal_text(self, held: Expression) -> Expression:
        """Write a decimal in plain notation, with or without zeros at its end."""
        return exp.cast(held.copy(), exp.DataType.Type.TEXT)

    def float_text(self, held: Expression) -> Expression:
        """Write a double that is neither whole nor null as Python's ``repr`` does."""
        del held
        raise UnsupportedCellError(
            "a column of fractions cannot be read as text inside this engine: "
            "cast it to text in the query"
        )

    def is_nan(self, held: Expression) -> Expression:
        """Tell whether a double is not a number."""
        return exp.IsNan(this=held.copy())

    def as_double(self, held: Expression, kind: Kind) -> Expression:
        """Return a number as the nearest double, ties to even."""
        if kind is Kind.DECIMAL:  # a cast may round twice
            return self.double_of_text(self.decimal_text(held))
        if kind is Kind.BOOLEAN:
            null = exp.cast(exp.null(), exp.DataType.Type.DOUBLE)
            empty = held.copy().is_(exp.null())
            return case((empty, null), (held.copy(), double(1.0)), otherwise=double(0.0))
        return exp.cast(held.copy(), exp.DataType.Type.DOUBLE)

    def double_of_text(self, held: Expression) -> Expression:
        """Return the nearest double of a text in decimal notation; infinite beyond the range."""
        return exp.cast(held.copy(), exp.DataType.Type.DOUBLE)

    def infinity(self, sign: int) -> Expression:
        """Return an infinite double."""
        return exp.cast(text("inf" if sign > 0 else "-inf"), exp.DataType.Type.DOUBLE)

    def floor(self, held: Expression) -> Expression:
        """Return the greatest whole double that is not above."""
        return exp.Floor(this=held.copy())

    def as_whole(self, held: Expression) -> Expression:
        """Return a whole double below 2**62 in magnitude as a 64-bit integer."""
        return exp.cast(held.copy(), exp.DataType.Type.BIGINT)

    def day(self, held: Expression, kind: Kind) -> Expression:
        """Count the day of a date or time as ``datetime.date.toordinal`` does."""
        del kind
        date = exp.cast(held.copy(), exp.DataType.Type.DATE)
        first = exp.cast(text("1970-01-01"), exp.DataType.Type.DATE)
        days = exp.DateDiff(this=date, expression=first, unit=exp.var("DAY"))
        return exp.cast(days, exp.DataType.Type.BIGINT) + whole(719_163)

    def date_text(self, held: Expression, kind: Kind) -> Expression:
        """Write a day as ISO 8601 has it."""
        if kind is not Kind.DATE:
            raise UnsupportedCellError(
                "a column of times cannot be read as text inside this engine: "
                "cast it to text in the query"
            )
        return exp.cast(held.copy(), exp.DataType.Type.TEXT)

    def hexadecimal(self, number: Expression) -> Expression:
        """Write a number from 0 to 2**63 - 1 with 16 lower-case digits."""
        return exp.func("LPAD", self.hex(number), whole(16), text("0"), dialect=self.dialect)

    def hex(self, number: Expression) -> Expression:
        """Write a number from 0 to 2**63 - 1 in lower-case hexadecimal."""
        return exp.LowerHex(this=number.copy())

    def of_hex(self, digits: Expression) -> Expression:
        """Return the number that 8 hexadecimal digits write."""
        raise NotImplementedError

    def sha256(self, held: Expression) -> Expression:
        """Return the SHA-256 of a text's UTF-8 bytes as 64 lower-case digits."""
        return exp.SHA2(this=held.copy(), length=whole(256))


class DuckDB(Engine):
    """DuckDB's own words, where sqlglot's lead elsewhere."""

    def matches(self, held: Expression, pattern: str) -> Expression:
        """Use the full match."""
        return exp.func("REGEXP_FULL_MATCH", held.copy(), text(pattern))

    def double_of_text(self, held: Expression) -> Expression:
        """A number beyond the range does not cast: it is infinite."""
        number = exp.TryCast(this=held.copy(), to=exp.DataType.build("double"))
        minus = exp.Like(this=held.copy(), expression=text("-%"))
        beyond = case((minus, self.infinity(-1)), otherwise=self.infinity(1))
        is_null = held.copy().is_(exp.null())
        return exp.func("COALESCE", number, case((is_null, number.copy()), otherwise=beyond))

    def hex(self, number: Expression) -> Expression:
        """DuckDB writes capitals."""
        return exp.Lower(this=exp.Anonymous(this="to_hex", expressions=[number.copy()]))

    def of_hex(self, digits: Expression) -> Expression:
        """A text with 0x before it casts."""
        return exp.cast(self.joined(text("0x"), digits), exp.DataType.Type.UBIGINT)

    def sha256(self, held: Expression) -> Expression:
        """DuckDB's takes text and writes lower case."""
        return exp.Anonymous(this="sha256", expressions=[held.copy()])
