"""Numbers and days: the cell of a grid, and the words of ``Grid.words``, by comparisons."""

import math

from sqlglot import exp

from dpsynth.encoding import cells as numpy_cells
from dpsynth.encoding.cells import days_of_codes, number_of_text
from dpsynth.encoding.codec import DateCodec, NumericCodec
from dpsynth.encoding.grid import CELLS, MISSING_WORD, UNPARSABLE_WORD, ZERO, Grid
from dpsynth.schema.values import key
from dpsynth.sources.sql import cells
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
from dpsynth.sources.sql.layers import Layers
from dpsynth.sources.sql.levels import (
    CHECK,
    CODE,
    DAY,
    PARTS,
    STATE,
    TEXT,
    UNITS,
    VALUE,
    WORDS,
    Named,
)

_NUMBERS = (Kind.BOOLEAN, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL)
_NONE = exp.cast(exp.null(), exp.DataType.Type.DOUBLE)


def put_number(
    layers: Layers, place: int, raw: Expression, *, tool: NumericCodec, kind: Kind, engine: Engine
) -> Named:
    """Put the expressions of a numeric column."""
    codes = [key(code) for code in tool.column.missing_codes]
    missing: Expression
    if kind is Kind.TEXT:
        held = layers.put(TEXT, f"t{place}", cells.text_of(raw, kind, engine))
        value = layers.put(VALUE, f"x{place}", cells.number_of(held, engine))
        missing = exp.or_(cells.is_null(held), among(held, [text(each) for each in codes]))
    elif kind in _NUMBERS:
        value = layers.put(TEXT, f"x{place}", engine.as_double(raw, kind))
        null = cells.is_null(value)
        missing = null
        if kind in (Kind.FLOAT, Kind.DECIMAL):
            missing = exp.or_(null, engine.is_nan(value))
    else:
        null = layers.put(
            TEXT, f"t{place}", case((cells.is_null(raw), text("")), otherwise=text("?"))
        )
        value = layers.put(VALUE, f"x{place}", _NONE.copy())
        missing = null.eq(text(""))
    numbers = [number_of_text(each) for each in codes]
    listed = among(value, [_double(n, engine) for n in numbers if n is not None])
    state = layers.put(
        STATE,
        f"s{place}",
        case(
            (missing, whole(numpy_cells.MISSING)),
            (cells.is_null(value), whole(numpy_cells.UNPARSABLE)),
            (listed, whole(numpy_cells.MISSING)),
            otherwise=whole(numpy_cells.NUMBER),
        ),
    )
    return _put_grid(layers, place, value, state, tool=tool, engine=engine)


def put_day(
    layers: Layers, place: int, raw: Expression, *, tool: DateCodec, kind: Kind, engine: Engine
) -> Named:
    """Put the expressions of a column of days."""
    codes = [key(code) for code in tool.column.missing_codes]
    if kind in (Kind.DATE, Kind.TIMESTAMP):
        day = exp.cast(engine.day(raw, kind), exp.DataType.Type.DOUBLE)
        value = layers.put(TEXT, f"x{place}", day)
        missing = cells.is_null(value)
    elif kind is Kind.TEXT:
        if tool.column.format is not None:
            raise UnsupportedCellError(
                f"column {tool.column.name!r} has a `format`, which no engine reads as Python "
                "does: cast it to a date in the query and drop the format"
            )
        held = layers.put(TEXT, f"t{place}", cells.text_of(raw, kind, engine))
        head = layers.put(PARTS, f"h{place}", cells.day_text(held, engine))
        names = [f"{part}{place}" for part in "ymd"]
        parts = [
            layers.put(VALUE, name, case((cells.is_null(head), _NONE), otherwise=part))
            for name, part in zip(names, cells.day_parts(head, engine), strict=True)
        ]
        value = layers.put(DAY, f"x{place}", cells.ordinal(parts[0], parts[1], parts[2], engine))
        missing = exp.or_(cells.is_null(held), among(held, [text(each) for each in codes]))
    else:
        listed = cells.is_one_of(raw, kind, codes, engine)
        null = cells.is_null(raw)
        if kind is Kind.FLOAT:
            null = exp.or_(null, engine.is_nan(raw))
        marked = case((null, text("")), (listed, text("")), otherwise=text("?"))
        found = layers.put(TEXT, f"t{place}", marked)
        value = layers.put(VALUE, f"x{place}", _NONE.copy())
        missing = found.eq(text(""))
    days = days_of_codes(tool.column.missing_codes, layout=tool.column.format)
    means_missing = among(value, [double(day) for day in days])
    state = layers.put(
        STATE,
        f"s{place}",
        case(
            (missing, whole(numpy_cells.MISSING)),
            (cells.is_null(value), whole(numpy_cells.UNPARSABLE)),
            *([(means_missing, whole(numpy_cells.MISSING))] if days else []),
            otherwise=whole(numpy_cells.NUMBER),
        ),
    )
    return _put_grid(layers, place, value, state, tool=tool, engine=engine)


def _double(number: float, engine: Engine) -> Expression:
    return double(number) if math.isfinite(number) else engine.infinity(1 if number > 0 else -1)


def _put_grid(
    layers: Layers,
    place: int,
    value: Expression,
    state: Expression,
    *,
    tool: NumericCodec | DateCodec,
    engine: Engine,
) -> Named:
    cut = tool.grid
    scale, most, enough = cut.told_by
    is_number = state.copy().eq(whole(numpy_cells.NUMBER))
    inside = _clipped(value, -most, most)
    if cut.whole:
        units = nearest_whole(inside, engine)
    else:
        units = engine.floor(exp.paren(inside) * double(scale) + double(0.5))
    units = case((is_number, units), otherwise=double(0))
    found = layers.put(UNITS, f"q{place}", units)
    located = _of_units(found, cut, engine) if enough else _located(value, cut)
    code = layers.put(
        CODE, f"c{place}", case((is_number.copy(), located), otherwise=whole(tool.unexpected))
    )
    word: Expression = engine.as_whole(found) + whole(ZERO)
    if not enough:
        nearest = _located(exp.paren(found.copy() / double(scale)), cut)
        checked = layers.put(CHECK, f"k{place}", nearest)
        word = case((checked.eq(code.copy()), word), otherwise=code.copy() + whole(CELLS))
    layers.put(
        WORDS,
        f"w{place}",
        case(
            (state.copy().eq(whole(numpy_cells.MISSING)), text(f"{MISSING_WORD:016x}")),
            (state.copy().eq(whole(numpy_cells.UNPARSABLE)), text(f"{UNPARSABLE_WORD:016x}")),
            otherwise=engine.hexadecimal(exp.paren(word)),
        ),
    )
    return Named(code=f"c{place}", words=f"w{place}")


def _clipped(value: Expression, low: float, high: float) -> Expression:
    return case(
        (value.copy() > double(high), double(high)),
        (value.copy() < double(low), double(low)),
        otherwise=value.copy(),
    )


def nearest_whole(value: Expression, engine: Engine) -> Expression:
    """Return the nearest whole number, ties to even: as ``numpy.rint``."""
    below = engine.floor(value)
    rest = exp.paren(exp.paren(value.copy()) - below.copy())
    half = exp.paren(below.copy() / double(2))
    even = half.copy().eq(engine.floor(half))
    return case(
        (exp.or_(rest.copy() < double(0.5), exp.and_(rest.copy().eq(double(0.5)), even)), below),
        otherwise=below.copy() + double(1),
    )


def _of_units(units: Expression, cut: Grid, engine: Engine) -> Expression:
    """Return the cell of a whole number: of those that are cells of their own, by subtraction."""
    starts = cut.starts
    if (starts[1:] == starts[:-1] + 1).all() and starts[-1] == cut.last and starts[0] % 1 == 0:
        inside = _clipped(units, float(starts[0]), float(cut.last))
        return engine.as_whole(exp.paren(exp.paren(inside) - double(float(starts[0]))))
    return _tree(units, [(math.ceil(start), False) for start in starts[1:].tolist()])


def _located(value: Expression, cut: Grid) -> Expression:
    """Return the cell of a value, as ``Grid.locate`` does."""
    starts = cut.starts[1:].tolist()
    if not cut.whole:
        return _tree(value, [(start, False) for start in starts])
    steps = []
    for start in map(math.ceil, starts):  # a value is rounded first, ties to even
        far = abs(start) > 2**52
        steps.append((start if far else start - 0.5, not far and start % 2 == 1))
    return _tree(value, steps)


def _tree(value: Expression, steps: list[tuple[float, bool]], before: int = 0) -> Expression:
    """Count the steps that a value has passed; a step may have to be passed strictly."""
    if not steps:
        return whole(before)
    middle = len(steps) // 2
    step, strict = steps[middle]
    passed = value.copy() > double(step) if strict else value.copy() >= double(step)
    return case(
        (passed, _tree(value, steps[middle + 1 :], before + middle + 1)),
        otherwise=_tree(value, steps[:middle], before),
    )
