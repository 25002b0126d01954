"""Cells as text, numbers and days: ``dpsynth.encoding.cells`` in an engine's words."""

from decimal import Decimal

from sqlglot import exp

from dpsynth.encoding.cells import number_of_text
from dpsynth.schema.values import MAX_TEXT, key
from dpsynth.sources.sql.engine import (
    Engine,
    Expression,
    Kind,
    UnsupportedCellError,
    among,
    case,
    double,
    text,
    whole,
)

# Stands for UNREADABLE, which some engines cannot hold: no stripped text begins so.
UNREADABLE = "\tunreadable"
NULL = exp.null()

_DECIMAL = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_INFINITE = r"[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"
_WHOLE_WITH_POINT = r"[+-]?[0-9]+\.0*"
_DAY, _WEEK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{4}-W[0-9]{2}-[1-7]"
_LONG = 100  # digits: a text of more keeps its leading zeros
_LAST_DAY = 3_652_059


def is_null(held: Expression) -> Expression:
    """Tell whether a cell is null."""
    return held.copy().is_(exp.null())


def text_of(raw: Expression, kind: Kind, engine: Engine) -> Expression:
    """Return a cell's text, ``UNREADABLE``, or null where it is null."""
    if kind is Kind.TEXT:
        long = engine.characters(raw) > whole(MAX_TEXT)
        short = exp.func("NULLIF", engine.strip(raw), text(""))
        return case((long, text(UNREADABLE)), otherwise=short)
    if kind is Kind.BOOLEAN:
        return case((is_null(raw), NULL), (raw.copy(), text("True")), otherwise=text("False"))
    if kind is Kind.INTEGER:
        return engine.as_text(raw)
    if kind in (Kind.DATE, Kind.TIMESTAMP):
        return engine.date_text(raw, kind)
    if kind is Kind.FLOAT:
        null = exp.or_(is_null(raw), engine.is_nan(raw))
        near = exp.and_(raw.copy() < double(2.0**62), raw.copy() > double(-(2.0**62)))
        plain = exp.and_(near, raw.copy().eq(engine.floor(raw)))
        as_whole = engine.as_text(engine.as_whole(raw))
        return case((null, NULL), (plain, as_whole), otherwise=engine.float_text(raw))
    if kind is Kind.DECIMAL:
        raise UnsupportedCellError(
            "a column of decimals cannot be read as text inside this engine: "
            "cast it to text in the query"
        )
    return case((is_null(raw), NULL), otherwise=text(UNREADABLE))


def is_one_of(raw: Expression, kind: Kind, texts: list[str], engine: Engine) -> Expression:
    """Tell whether the text of a number is one of some texts; false or null for a null.

    A fraction is compared as a number: engines write fractions in ways of their own.
    """
    if kind not in (Kind.FLOAT, Kind.DECIMAL):
        return among(text_of(raw, kind, engine), [text(each) for each in texts])
    doubles = []
    for each in texts:
        number = number_of_text(each)
        if number is not None and _same_text(each, number, kind):
            doubles.append((number, each))
    if kind is Kind.FLOAT:
        held = [_infinite(number, engine) or double(number) for number, _ in doubles]
        return exp.and_(exp.not_(engine.is_nan(raw)), among(raw, held))
    plain = [text(format(Decimal(each), "f")) for number, each in doubles if abs(number) < 1e308]
    return among(_plain_decimal(raw, engine), plain)


def _same_text(spelled: str, number: float, kind: Kind) -> bool:
    if kind is Kind.FLOAT or abs(number) > 1e308:
        return key(number) == spelled
    from dpsynth.encoding.cells import text_of as text_of_cell

    return text_of_cell(Decimal(spelled)) == spelled


def _plain_decimal(raw: Expression, engine: Engine) -> Expression:
    """Write a decimal without zeros at the end of its fraction."""
    held = engine.decimal_text(raw)
    bare = exp.Trim(this=held, expression=text("0"), position="TRAILING")
    tidy = exp.Trim(this=bare, expression=text("."), position="TRAILING")
    found = case((engine.place(held, ".") > whole(0), tidy), otherwise=held)
    return case((found.copy().isin(text("-0"), text("")), text("0")), otherwise=found)


def _infinite(number: float, engine: Engine) -> Expression | None:
    if abs(number) < float("inf"):
        return None
    return engine.infinity(1 if number > 0 else -1)


def whole_text(held: Expression, engine: Engine) -> Expression:
    """Return "7" for "7.0", and any other text as it is; null for null."""
    head = engine.part(held, whole(1), engine.place(held, ".") - whole(1))
    signed = engine.first(held, 1).isin(text("-"), text("+"))
    digits = case((signed, engine.part(head, whole(2), whole(MAX_TEXT))), otherwise=head)
    bare = engine.without_zeros(digits)
    zero = bare.copy().eq(text(""))
    minus = engine.first(held, 1).eq(text("-"))
    short = case((zero, text("0")), (minus, engine.joined(text("-"), bare)), otherwise=bare)
    long = engine.characters(held) >= whole(_LONG)
    return case(
        (exp.not_(engine.matches(held, _WHOLE_WITH_POINT)), held.copy()),
        (long, head),
        otherwise=short,
    )


def number_of(held: Expression, engine: Engine) -> Expression:
    """Return the number that a text writes; null for anything else."""
    minus = engine.first(held, 1).eq(text("-"))
    infinite = case((minus, engine.infinity(-1)), otherwise=engine.infinity(1))
    return case(
        (engine.matches(held, _DECIMAL), engine.double_of_text(held)),
        (engine.matches(held, _INFINITE), infinite),
        otherwise=exp.cast(NULL.copy(), exp.DataType.Type.DOUBLE),
    )


def person_of(held: Expression, engine: Engine) -> Expression:
    """Return the canonical id of a text, as ``person_numbers`` has it; null for nobody's."""
    nobody = exp.or_(is_null(held), held.copy().eq(text(UNREADABLE)))
    return case((nobody, NULL), otherwise=whole_text(held, engine))


def day_text(held: Expression, engine: Engine) -> Expression:
    """Return the ten characters that may write a day, or null."""
    count = engine.characters(held)
    after = engine.part(held, whole(11), whole(1)).isin(text("T"), text(" "))
    wanted = exp.or_(count.copy().eq(whole(10)), exp.and_(count > whole(10), after))
    head = engine.first(held, 10)
    shaped = exp.or_(engine.matches(head, _DAY), engine.matches(head, _WEEK))
    return case((exp.and_(wanted, shaped), head), otherwise=NULL)


def day_parts(head: Expression, engine: Engine) -> tuple[Expression, Expression, Expression]:
    """Return year, month (or 100 + week) and day of what ``day_text`` found, as doubles."""
    week = engine.part(head, whole(6), whole(1)).eq(text("W"))

    def number(start: int, length: int) -> Expression:
        return engine.double_of_text(engine.part(head, whole(start), whole(length)))

    month = case((week, number(7, 2) + double(100)), otherwise=number(6, 2))
    day = case((week, number(10, 1)), otherwise=number(9, 2))
    return number(1, 4), month, day


def ordinal(year: Expression, month: Expression, day: Expression, engine: Engine) -> Expression:
    """Count a day as ``datetime.date.toordinal`` does; null where there is no such day."""

    def parts(divisor: float) -> Expression:
        before = exp.paren(year.copy() - double(1))
        return engine.floor(before / double(divisor))

    def divides(divisor: float) -> Expression:
        return year.copy().eq(engine.floor(year.copy() / double(divisor)) * double(divisor))

    before = exp.paren(
        exp.paren(year.copy() - double(1)) * double(365) + parts(4) - parts(100) + parts(400)
    )
    leap = exp.paren(exp.and_(divides(4), exp.or_(exp.not_(divides(100)), divides(400))))
    passed, days, starts = 0, [], []
    for number, length in enumerate((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1):
        is_month = month.copy().eq(double(number))
        days.append((is_month, double(length)))
        starts.append((is_month.copy(), double(passed)))
        passed += length
    extra = case((exp.and_(leap, month.copy().eq(double(2))), double(1)), otherwise=double(0))
    moved = case((exp.and_(leap, month.copy() > double(2)), double(1)), otherwise=double(0))
    fits = exp.and_(
        year.copy() >= double(1),
        day.copy() >= double(1),
        day.copy() <= exp.paren(case(*days, otherwise=double(0)) + extra),
    )
    plain = before.copy() + case(*starts, otherwise=double(0)) + moved + day.copy()
    # Weeks: the day of the week on which the year begins, Monday being 0.
    first = exp.paren(before.copy() - engine.floor(before / double(7)) * double(7))
    monday: Expression = before.copy() + double(1) - first
    monday = monday + case((first.copy() > double(3), double(7)), otherwise=double(0))
    week = exp.paren(month.copy() - double(100))
    weekly = exp.paren(monday + exp.paren(week - double(1)) * double(7) + day.copy() - double(1))
    long = exp.or_(first.copy().eq(double(3)), exp.and_(first.copy().eq(double(2)), leap.copy()))
    weeks = case((long, double(53)), otherwise=double(52))
    is_week = exp.and_(
        month.copy() >= double(101),
        week.copy() <= weeks,
        weekly.copy() <= double(_LAST_DAY),
        year.copy() >= double(1),
    )
    none = exp.cast(NULL.copy(), exp.DataType.Type.DOUBLE)
    return case((is_week, weekly), (fits, plain), otherwise=none)
