"""The laws of ``dpsynth.privacy.bounding`` as a query, digest by digest the same.

Digests are compared as text of 16 lower-case hexadecimal digits, which order as the numbers do.
The keys stand in the statement, so it belongs to the custodian's own engine and to no log.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from sqlglot import exp

from dpsynth.sources.sql import cells
from dpsynth.sources.sql.engine import Engine, Expression, case, text, whole
from dpsynth.sources.sql.query import CodedQuery

NOBODY = "0" * 16
UNIT, GROUP, COPY, DIGEST, RANK, KEPT, ASIDE = (
    "unit_digest", "group_digest", "copy_number", "row_digest", "row_rank", "kept", "aside",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Laws:
    """What decides about rows: the keys by purpose, the bound, the share of controls.

    Attributes:
        key: subkeys of the table's secret key by purpose.
        max_rows: rows that one unit may contribute.
        control: share of the units to set aside.
    """

    key: Callable[[str], bytes] = field(repr=False)
    max_rows: int
    control: Fraction


def bounded_query(coded: CodedQuery, laws: Laws, engine: Engine) -> exp.Select:
    """Return ``coded`` with the digests, and whether each row is kept and whether it is aside.

    ``KEPT`` and ``ASIDE`` are 0 or 1. A row is counted where it is kept and not aside; the
    identity of the table sums ``DIGEST`` over all rows.
    """
    persons = coded.person is not None
    unit = _unit(coded, laws, engine)
    first = exp.select(exp.Star(), exp.alias_(unit, UNIT, quoted=True)).from_(
        coded.query.subquery("coded", copy=False), copy=False
    )
    words = [exp.column(named.words, quoted=True) for named in coded.columns.values()]
    before = [exp.column(UNIT, quoted=True)] if persons else []
    group = _hashed(engine, laws.key("rows"), "row:", *before, *words, digits=32)
    second = exp.select(exp.Star(), exp.alias_(group, GROUP, quoted=True)).from_(
        first.subquery("with_units", copy=False), copy=False
    )
    # The rows of one group are equal, so that any order of them gives the same table.
    third = exp.select(
        exp.Star(), exp.alias_(_number([GROUP], GROUP) - whole(1), COPY, quoted=True)
    ).from_(second.subquery("with_groups", copy=False), copy=False)
    copy = exp.column(COPY, quoted=True)
    held = exp.column(GROUP, quoted=True)
    again = _hashed(engine, laws.key("rows"), "copy:", held, engine.hexadecimal(copy))
    digest = case((copy.eq(whole(0)), engine.first(held, 16)), otherwise=again)
    fourth = exp.select(exp.Star(), exp.alias_(digest, DIGEST, quoted=True)).from_(
        third.subquery("with_copies", copy=False), copy=False
    )
    rank = _number([str(coded.person)], DIGEST) if persons else whole(1)
    fifth = exp.select(exp.Star(), exp.alias_(rank, RANK, quoted=True)).from_(
        fourth.subquery("with_digests", copy=False), copy=False
    )
    within: Expression = exp.column(RANK, quoted=True) <= whole(laws.max_rows)
    if persons:
        nobody = cells.is_null(exp.column(str(coded.person), quoted=True))
        within = exp.and_(exp.not_(nobody), within)
    return exp.select(
        exp.Star(),
        exp.alias_(_flag(within), KEPT, quoted=True),
        exp.alias_(_flag(_aside(laws, UNIT if persons else DIGEST, engine)), ASIDE, quoted=True),
    ).from_(fifth.subquery("with_ranks", copy=False), copy=False)


def identity_query(bounded: exp.Select, engine: Engine) -> exp.Select:
    """Return a query for the three numbers of ``DigestSums``: one row."""
    digest = exp.column(DIGEST, quoted=True)
    high = engine.of_hex(engine.first(digest, 8))
    low = engine.of_hex(engine.part(digest, whole(9), whole(8)))

    def total(part: Expression) -> Expression:
        return exp.func("COALESCE", exp.Sum(this=part), whole(0))

    return exp.select(
        exp.alias_(exp.Count(this=exp.Star()), "held", quoted=True),
        exp.alias_(total(high), "high", quoted=True),
        exp.alias_(total(low), "low", quoted=True),
    ).from_(bounded.subquery("bounded", copy=False), copy=False)


def _unit(coded: CodedQuery, laws: Laws, engine: Engine) -> Expression:
    if coded.person is None:
        return text("")
    person = exp.column(coded.person, quoted=True)
    hashed = _hashed(engine, laws.key("persons"), "person:", person)
    return case((cells.is_null(person), text(NOBODY)), otherwise=hashed)


def _aside(laws: Laws, unit: str, engine: Engine) -> Expression:
    below = int(laws.control * 2**64)
    if below in (0, 2**64):
        return exp.true() if below else exp.false()
    coin = _hashed(engine, laws.key("controls"), "coin:", exp.column(unit, quoted=True))
    return coin < text(f"{below:016x}")


def _hashed(
    engine: Engine, key: bytes, purpose: str, *parts: Expression, digits: int = 16
) -> Expression:
    message = engine.joined(text(key.hex() + purpose), *parts)
    return engine.first(engine.sha256(message), digits)


def _number(partition: list[str], order: str) -> Expression:
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column(name, quoted=True) for name in partition],
        order=exp.Order(expressions=[exp.Ordered(this=exp.column(order, quoted=True))]),
    )


def _flag(condition: Expression) -> Expression:
    return case((condition, whole(1)), otherwise=whole(0))
