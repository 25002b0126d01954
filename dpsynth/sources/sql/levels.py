"""Levels: the code of a cell, and what tells its contents apart, as ``LevelsCodec`` decides."""

from dataclasses import dataclass

from sqlglot import exp

from dpsynth.encoding.cells import UNREADABLE as UNREADABLE_CELL
from dpsynth.encoding.cells import as_whole_text, number_of_text
from dpsynth.encoding.codec import FLAGS, LevelsCodec
from dpsynth.encoding.undeclared import code_words, text_words
from dpsynth.schema.codes import Rollup
from dpsynth.schema.values import MAX_OPEN_TEXT, key
from dpsynth.sources.sql import cells
from dpsynth.sources.sql.engine import Engine, Expression, Kind, among, case, double, text, whole
from dpsynth.sources.sql.layers import Layers

# Layers of the query, for all kinds of column.
TEXT, PARTS, VALUE, DAY, STATE, UNITS, CODE, CHECK, WORDS = range(1, 10)

_ASCII_UPPER = {
    chr(point): chr(point).upper()
    for point in (0xDF, 0x131, 0x17F, 0x1F0, *range(0x1E96, 0x1E9B), *range(0xFB00, 0xFB07))
}


@dataclass(frozen=True, kw_only=True)
class Named:
    """Where the layers hold what a column comes to.

    Attributes:
        code: the code, from 0; never null.
        words: the content as hexadecimal digits, 16 a word; never null.
        undeclared: of an open column, the text that might be learnt, null where there is none:
            it is for the driver to drop those that ``learnable`` refuses.
    """

    code: str
    words: str
    undeclared: str | None = None


def put_levels(
    layers: Layers, place: int, raw: Expression, *, tool: LevelsCodec, kind: Kind, engine: Engine
) -> Named:
    """Put the expressions of a column of levels."""
    code, words = f"c{place}", f"w{place}"
    if kind in (Kind.FLOAT, Kind.DECIMAL) and tool.rule is None and not tool.is_open:
        coded = layers.put(CODE, code, _of_number(raw, tool, kind, engine))
        layers.put(WORDS, words, engine.hexadecimal(coded))
        return Named(code=code, words=words)
    held = layers.put(TEXT, f"t{place}", cells.text_of(raw, kind, engine))
    if tool.is_open:
        return _put_open(layers, place, held, tool, engine)
    coded = layers.put(CODE, code, _of_text(layers, place, held, tool, engine))
    layers.put(WORDS, words, engine.hexadecimal(coded))
    return Named(code=code, words=words)


def _chosen(held: Expression, codes: dict[str, int]) -> list[tuple[Expression, Expression]]:
    """Return a condition and a code for every code that some texts have."""
    texts: dict[int, list[Expression]] = {}
    for each, code in codes.items():
        texts.setdefault(code, []).append(text(each))
    return [(among(held, each), whole(code)) for code, each in texts.items()]


def _of_text(
    layers: Layers, place: int, held: Expression, tool: LevelsCodec, engine: Engine
) -> Expression:
    whens = [(cells.is_null(held), whole(tool.unexpected)), *_chosen(held, tool.by_text)]
    if tool.rule is not None:
        category = layers.put(PARTS, f"m{place}", _category(held, tool.rule, engine))
        other = tool.by_text.get(tool.rule.other, tool.unexpected)
        unreadable = held.copy().eq(text(cells.UNREADABLE))
        whens += [(unreadable, whole(tool.by_text.get(tool.rule.other, other)))]
        return case(*whens, *_chosen(category, tool.by_text), otherwise=whole(other))
    if tool.flags:
        flag = engine.lower(held)
        words = {
            word: tool.by_text[level] for word, level in FLAGS.items() if level in tool.by_text
        }
        whens += _chosen(flag, words)
    elif tool.numeric:
        numbers = {level: number_of_text(level) for level in tool.by_text}
        same = {n: tool.by_text[k] for k, n in numbers.items() if n is not None and key(n) == k}
        if same:
            number = layers.put(PARTS, f"m{place}", cells.number_of(held, engine))
            whens += [(number.eq(_double(n, engine)), whole(code)) for n, code in same.items()]
    else:
        respelled = {k: code for k, code in tool.by_text.items() if as_whole_text(f"{k}.0") == k}
        if respelled:
            spelled = layers.put(PARTS, f"m{place}", cells.whole_text(held, engine))
            whens += _chosen(spelled, respelled)
    return case(*whens, otherwise=whole(tool.unexpected))


def _of_number(raw: Expression, tool: LevelsCodec, kind: Kind, engine: Engine) -> Expression:
    """Compare a fraction as a number: engines write fractions in ways of their own."""
    whens = [(cells.is_null(raw), whole(tool.unexpected))]
    for code in dict.fromkeys(tool.by_text.values()):
        texts = [level for level, held in tool.by_text.items() if held == code]
        whens.append((cells.is_one_of(raw, kind, texts, engine), whole(code)))
    if tool.flags:
        for word, level in (("1", "True"), ("0", "False")):
            if level in tool.by_text:
                found = cells.is_one_of(raw, kind, [word], engine)
                whens.append((found, whole(tool.by_text[level])))
    elif tool.numeric and kind is Kind.DECIMAL:
        number = engine.as_double(raw, kind)
        for level, code in tool.by_text.items():
            value = number_of_text(level)
            if value is not None and key(value) == level:
                whens.append((number.copy().eq(_double(value, engine)), whole(code)))
    return case(*whens, otherwise=whole(tool.unexpected))


def _double(number: float, engine: Engine) -> Expression:
    if abs(number) == float("inf"):
        return engine.infinity(1 if number > 0 else -1)
    return double(number)


def _category(held: Expression, rule: Rollup, engine: Engine) -> Expression:
    """Return the level that a code's rule leads to."""
    if rule.rule == "prefix":
        assert rule.length is not None, "a prefix has a length"
        return engine.first(held, rule.length)
    spelled = held
    for old, new in _ASCII_UPPER.items():
        spelled = engine.replace(spelled, old, new)
    spelled = engine.upper(spelled)
    point = engine.place(spelled, ".")
    head = case(
        (point > whole(0), engine.part(spelled, whole(1), point - whole(1))), otherwise=spelled
    )
    start = engine.first(head, 1)
    rest = engine.part(head, whole(2), whole(2))
    return case(
        (engine.matches(head, "[0-9]"), engine.joined(text("00"), head)),
        (engine.matches(head, "[0-9][0-9]"), engine.joined(text("0"), head)),
        (engine.matches(head, "[A-Z][0-9]"), engine.joined(start, text("0"), rest)),
        otherwise=engine.first(head, 3),
    )


def _put_open(
    layers: Layers, place: int, held: Expression, tool: LevelsCodec, engine: Engine
) -> Named:
    code, words, undeclared = f"c{place}", f"w{place}", f"u{place}"
    known = [text(each) for each in tool.by_text]
    spelled = cells.whole_text(held, engine)
    one = layers.put(PARTS, f"m{place}", case((among(held, known), held), otherwise=spelled))
    other = tool.kept - 1
    coded = layers.put(
        CODE,
        code,
        case(
            (cells.is_null(one), whole(tool.unexpected)),
            *_chosen(one, tool.by_text),
            otherwise=whole(other),
        ),
    )
    unreadable = one.eq(text(cells.UNREADABLE))
    by_code = [(coded.eq(whole(each)), text(code_words(each))) for each in {other, tool.kept}]
    no_text = exp.or_(cells.is_null(one), coded.copy() >= whole(tool.kept))
    layers.put(
        WORDS,
        words,
        case(
            (no_text, case(*by_code, otherwise=text(code_words(tool.unexpected)))),
            (unreadable.copy(), text(text_words(UNREADABLE_CELL))),
            otherwise=engine.first(engine.sha256(one), 32),
        ),
    )
    short = engine.characters(one) <= whole(MAX_OPEN_TEXT)
    free = exp.and_(exp.not_(among(one, known)), exp.not_(unreadable.copy()), short)
    layers.put(CHECK, undeclared, case((free, one.copy()), otherwise=exp.null()))
    return Named(code=code, words=words, undeclared=undeclared)
