"""The words of engines that nobody here could run: their statements parse, and that is all we know.

No source counts by them. A statement that reads a cell otherwise than numpy breaks the promise
of a release, so that an engine is opened to users by the differential test and by nothing else.
"""

from sqlglot import exp

from dpsynth.sources.sql.dialects import Spark, _call, _Letters
from dpsynth.sources.sql.engine import (
    SPACES,
    Expression,
    Kind,
    case,
    text,
    whole,
)

_EPOCH = 719_163  # the ordinal of 1970-01-01


class Databricks(Spark):
    """Spark's words."""

    dialect = "databricks"


class BigQuery(_Letters):
    """BigQuery, in GoogleSQL."""

    dialect = "bigquery"

    def matches(self, held: Expression, pattern: str) -> Expression:
        r"""RE2 knows ``\z``."""
        return _call("REGEXP_CONTAINS", held, text(rf"^(?:{pattern})\z"))

    def is_nan(self, held: Expression) -> Expression:
        """Say it by the function's own name."""
        return _call("IS_NAN", held)

    def double_of_text(self, held: Expression) -> Expression:
        """A number beyond the range does not cast: it is infinite."""
        number = exp.TryCast(this=held.copy(), to=exp.DataType.build("double"))
        minus = exp.Like(this=held.copy(), expression=text("-%"))
        beyond = case((minus, self.infinity(-1)), otherwise=self.infinity(1))
        return exp.func("COALESCE", number, beyond)

    def day(self, held: Expression, kind: Kind) -> Expression:
        """Days since the epoch have a function."""
        del kind
        return _call("UNIX_DATE", exp.cast(held.copy(), exp.DataType.Type.DATE)) + whole(_EPOCH)

    def hex(self, number: Expression) -> Expression:
        """Small letters."""
        return _call("FORMAT", text("%x"), number)

    def of_hex(self, digits: Expression) -> Expression:
        """A text with 0x before it casts."""
        return exp.cast(self.joined(text("0x"), digits), exp.DataType.Type.BIGINT)

    def sha256(self, held: Expression) -> Expression:
        """It takes text, and answers bytes."""
        return _call("TO_HEX", _call("SHA256", held))


class Snowflake(_Letters):
    """Snowflake."""

    dialect = "snowflake"

    def strip(self, held: Expression) -> Expression:
        """The characters come second."""
        return _call("TRIM", held, text(SPACES))

    def matches(self, held: Expression, pattern: str) -> Expression:
        """The whole text must match, unasked."""
        return _call("REGEXP_LIKE", held, text(pattern))

    def is_nan(self, held: Expression) -> Expression:
        """A double that is not a number equals itself."""
        return held.copy().eq(exp.cast(text("NaN"), exp.DataType.Type.DOUBLE))

    def double_of_text(self, held: Expression) -> Expression:
        """A number beyond the range does not cast: it is infinite."""
        number = _call("TRY_TO_DOUBLE", held)
        minus = exp.Like(this=held.copy(), expression=text("-%"))
        beyond = case((minus, self.infinity(-1)), otherwise=self.infinity(1))
        return exp.func("COALESCE", number, beyond)

    def hex(self, number: Expression) -> Expression:
        """Capitals, with blanks before them."""
        return exp.Lower(this=_call("LTRIM", _call("TO_CHAR", number, text("X" * 16))))

    def of_hex(self, digits: Expression) -> Expression:
        """By a format."""
        return _call("TO_NUMBER", digits, text("X" * 8))

    def sha256(self, held: Expression) -> Expression:
        """Small letters."""
        return _call("SHA2", held, whole(256))


class SqlServer(_Letters):
    """SQL Server 2025, whose texts must be in a binary collation of UTF-8."""

    dialect = "tsql"

    def matches(self, held: Expression, pattern: str) -> Expression:
        r"""Its expressions are RE2's, which know ``\z``."""
        return _call("REGEXP_LIKE", held, text(rf"^(?:{pattern})\z"))

    def is_nan(self, held: Expression) -> Expression:
        """SQL Server stores none."""
        del held
        return whole(1).eq(whole(0))

    def hexadecimal(self, number: Expression) -> Expression:
        """The bytes of a bigint are 16 digits."""
        return exp.Lower(
            this=_call("CONVERT", exp.var("VARCHAR(16)"), self._bytes(number), whole(2))
        )

    def _bytes(self, number: Expression) -> Expression:
        wide = exp.cast(number.copy(), exp.DataType.Type.BIGINT)
        return _call("CONVERT", exp.var("VARBINARY(8)"), wide)

    def of_hex(self, digits: Expression) -> Expression:
        """By way of bytes."""
        found = _call("CONVERT", exp.var("VARBINARY(4)"), digits, whole(2))
        return _call("CONVERT", exp.var("BIGINT"), found)

    def sha256(self, held: Expression) -> Expression:
        """The bytes of a text are those of its collation, which must be UTF-8."""
        hashed = _call("HASHBYTES", text("SHA2_256"), held)
        return exp.Lower(this=_call("CONVERT", exp.var("VARCHAR(64)"), hashed, whole(2)))


WORDS = {
    "bigquery": BigQuery,
    "databricks": Databricks,
    "snowflake": Snowflake,
    "sqlserver": SqlServer,
}
