"""The schema: public facts about one table, each with its origin."""

import json
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError
from pydantic import model_validator as validator

from dpsynth.domain import PrivacyUnit
from dpsynth.errors import SchemaError
from dpsynth.schema.columns import AnyColumn, CategoricalColumn, Column, ModeledColumn
from dpsynth.schema.provenance import DECLARED, Provenance
from dpsynth.schema.rules import Rule, check
from dpsynth.schema.wording import one_sentence

FORMAT: Literal["dpsynth-schema/1"] = "dpsynth-schema/1"


@dataclass(frozen=True, kw_only=True)
class OpenItem:
    """A field that keeps the schema from being used.

    Attributes:
        column: the column, or None for the privacy unit.
        field: the field of it.
        why: what to do about it.
        guessed: whether confirming closes it; otherwise it must be declared.
    """

    column: str | None
    field: str
    why: str
    guessed: bool

    def __str__(self) -> str:
        where = "the privacy unit" if self.column is None else f"column {self.column!r}"
        return f"{where}, field '{self.field}': {self.why}"


class Unit(BaseModel):
    """Whose data one guarantee covers.

    Args:
        kind: ``row``, or ``person`` with the column that tells persons apart.
        column: the person column.
        max_rows: rows of one person that are kept at most.
        provenance: origin of ``kind``, ``column`` and ``max_rows``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["row", "person"] = "row"
    column: StrictStr | None = None
    max_rows: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None
    provenance: dict[Literal["kind", "column", "max_rows"], Provenance] = Field(
        default_factory=dict
    )

    @validator(mode="after")
    def _complete(self) -> "Unit":
        if self.kind == "person" and self.column is None:
            raise SchemaError("the privacy unit 'person' needs the person column: give `column`")
        if self.kind == "row" and self.column is not None:
            raise SchemaError("the privacy unit 'row' takes no column: say kind = 'person'")
        if self.kind == "row" and self.max_rows not in (None, 1):
            raise SchemaError("the privacy unit 'row' has max_rows = 1: say kind = 'person'")
        return self


class Schema(BaseModel):
    """Everything about a table that may be known without reading its rows.

    Args:
        columns: in the order of the table.
        rules: what never occurs, by public knowledge; no synthetic row breaks one.
        unit: whose data one guarantee covers.
        expected_rows: an order of magnitude, for estimates; never read off the file.
        target: column to predict, for the reports and audits.
        quasi_identifiers: columns that an attacker may know.
        sensitive: columns that an attacker may want.
        description: free text.
        format: version of this format.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["dpsynth-schema/1"] = FORMAT
    description: StrictStr | None = None
    expected_rows: Annotated[StrictInt, Field(ge=1, le=10**12)] | None = None
    target: StrictStr | None = None
    quasi_identifiers: tuple[StrictStr, ...] = ()
    sensitive: tuple[StrictStr, ...] = ()
    unit: Unit = Unit()
    columns: tuple[AnyColumn, ...]
    rules: tuple[Rule, ...] = ()

    @validator(mode="after")
    def _consistent(self) -> "Schema":
        names = [column.name for column in self.columns]
        seen: dict[str, str] = {}
        for name in names:
            look = unicodedata.normalize("NFKC", name)
            if look in seen:
                raise SchemaError(
                    f"column {name!r} is declared twice or looks like {seen[look]!r}: "
                    "give every column a name of its own"
                )
            seen[look] = name
        modeled = {column.name for column in self.columns if column.is_modeled}
        if not modeled:
            raise SchemaError("the schema declares no column to learn: declare at least one")
        roles = {
            "target": () if self.target is None else (self.target,),
            "quasi_identifiers": self.quasi_identifiers,
            "sensitive": self.sensitive,
        }
        for role, listed in roles.items():
            for name in listed:
                if name not in modeled:
                    raise SchemaError(f"`{role}` names {name!r}, which is not a column to learn")
            if len(set(listed)) < len(listed):
                raise SchemaError(f"`{role}` names a column twice: name each once")
        if self.unit.column is not None:
            if self.unit.column not in names:
                raise SchemaError(f"the person column {self.unit.column!r} is not declared")
            if self.unit.column in modeled:
                raise SchemaError(
                    f"the person column {self.unit.column!r} cannot be learnt: "
                    "declare it as `identifier` or `excluded`"
                )
        check(self.rules, self.columns)
        return self

    # -- reading and writing ------------------------------------------------------------------

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Schema":
        """Build a schema from plain data, or raise SchemaError in one sentence."""
        try:
            return cls.model_validate(data)
        except ValidationError as problem:
            raise SchemaError(one_sentence(problem, data)) from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that ``from_dict`` reads back, without what is at its default."""
        dumped = self.model_dump(mode="json", exclude_none=True, exclude={"rules"})
        pruned: dict[str, Any] = _without_defaults(dumped)
        # Keys of a rule are names of columns, so that none of them stands for a default.
        rules = [rule.model_dump(mode="json", exclude_defaults=True) for rule in self.rules]
        if rules:
            pruned["rules"] = rules
        return {name: pruned[name] for name in _ORDER if name in pruned}

    @classmethod
    def read(cls, path: Path | str) -> "Schema":
        """Read a schema file, TOML or JSON by its suffix."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as problem:
            raise SchemaError(f"cannot read the schema file {path.name!r} as text") from problem
        try:
            if path.suffix.lower() == ".json":
                data = json.loads(text, parse_constant=_refuse_constant)
            else:
                data = tomllib.loads(text)
        except (ValueError, RecursionError) as problem:
            kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
            raise SchemaError(f"the schema file {path.name!r} is not valid {kind}") from problem
        if not isinstance(data, dict):
            raise SchemaError(f"the schema file {path.name!r} must hold a table of fields")
        return cls.from_dict(data)

    def write(self, path: Path | str) -> None:
        """Write the schema, TOML or JSON by the suffix of ``path``."""
        path = Path(path)
        path.write_text(self.to_text(path.suffix), encoding="utf-8", newline="\n")

    def to_text(self, suffix: str = ".toml") -> str:
        """Return what ``write`` writes; equal schemas give equal bytes."""
        if suffix.lower() == ".json":
            return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    # -- what others ask ----------------------------------------------------------------------

    @property
    def modeled(self) -> tuple[ModeledColumn, ...]:
        """The columns that are learnt, in table order."""
        return tuple(column for column in self.columns if isinstance(column, ModeledColumn))

    def column(self, name: str) -> Column:
        """Return the column called ``name``."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"no column is called {name!r} in the schema")

    @property
    def privacy_unit(self) -> PrivacyUnit:
        """The unit in the kernel's words."""
        if self.unit.kind == "row":
            return PrivacyUnit(max_rows=1, name="row")
        if self.unit.max_rows is None:
            raise SchemaError("the privacy unit has no `max_rows`: declare it, or use --max-rows")
        return PrivacyUnit(max_rows=self.unit.max_rows, name="person")

    def open_items(self) -> tuple[OpenItem, ...]:
        """List what must be declared or confirmed before the schema can be used."""
        return tuple(self._open())

    def _open(self) -> Iterator[OpenItem]:
        if self.unit.kind == "person" and self.unit.max_rows is None:
            why = "declare how many rows of one person count at most (--max-rows)"
            yield OpenItem(column=None, field="max_rows", why=why, guessed=False)
        guess = "guessed from the rows; confirm it with a reason, or declare it"
        for part, origin in self.unit.provenance.items():
            if origin.status == "guessed":
                yield OpenItem(column=None, field=part, why=guess, guessed=True)
            elif origin.status == "learnt":
                yield OpenItem(column=None, field=part, why=_UNPAID, guessed=False)
        for column in self.columns:
            for field, why in column.undeclared():
                yield OpenItem(column=column.name, field=field, why=why, guessed=False)
            own = _learnt(column)
            for field, origin in sorted(column.provenance.items()):
                if origin.status == "guessed":
                    yield OpenItem(column=column.name, field=field, why=guess, guessed=True)
                elif origin.status == "learnt" and (
                    field in column.stated() or own.get(field, {}).get("entry") != origin.entry
                ):
                    yield OpenItem(column=column.name, field=field, why=_UNPAID, guessed=False)

    def require_closed(self) -> None:
        """Raise SchemaError if anything is still open; law 4."""
        items = self.open_items()
        if items:
            listed = "; ".join(str(item) for item in items[:3])
            more = f"; and {len(items) - 3} more, see: dpsynth schema check" if items[3:] else ""
            raise SchemaError(f"the schema is not closed: {listed}{more}")

    def confirm(
        self,
        columns: Sequence[str] | None = None,
        *,
        reason: str,
        source: str | None = None,
    ) -> "Schema":
        """Adopt guesses as a person's own statement.

        Args:
            columns: whose guesses; None for all, "unit" for the privacy unit's, which the person
                column's name covers as well.
            reason: why they are right without the rows; kept and published.
            source: the public document that says so; without one the claim is conditional.
        """
        if not reason.strip():
            raise SchemaError("a confirmation needs a reason: say why it holds without the rows")
        names = [each.name for each in self.columns]
        named = None if columns is None else {columns} if isinstance(columns, str) else {*columns}
        unknown = sorted((named or set()) - {*names, "unit"})
        if unknown:
            raise SchemaError(f"no column is called {unknown[0]!r} in the schema")
        adopted = Provenance(status="confirmed", reason=reason, source=source)
        changed = tuple(
            each.model_copy(update={"provenance": _adopt(each.provenance, adopted)})
            if named is None or each.name in named
            else each
            for each in self.columns
        )
        unit = self.unit
        of_unit = {unit.column} | ({"unit"} - {*names})
        if named is None or named & of_unit:
            unit = unit.model_copy(update={"provenance": _adopt(unit.provenance, adopted)})
        return self.model_copy(update={"columns": changed, "unit": unit})

    def with_values(self, values: Mapping[str, Sequence[str]]) -> "Schema":
        """Return the schema with released values among the known ones of open columns.

        For coding and decoding alone: what a release learnt is not declared, and a release's own
        schema does not state it.

        Raises:
            SchemaError: a column is not open, or a value is none that one can learn.
        """
        learnt = {
            name: column.learnt(held)
            for name, held in values.items()
            if isinstance(column := self.column(name), CategoricalColumn)
        }
        if learnt.keys() != values.keys():
            raise SchemaError("values were learnt for a column that is not categorical")
        columns = tuple(learnt.get(column.name, column) for column in self.columns)
        return self.model_copy(update={"columns": columns})

    def provenance_summary(self) -> dict[str, Any]:
        """Return the origin of every fact by column and field; plain data.

        Bins and bounds that a release will learn stand with the label of their ledger entry.
        """
        unit = {
            field: self.unit.provenance.get(field, DECLARED).filled()
            for field in ("kind", "column", "max_rows")
            if getattr(self.unit, field) is not None
        }
        columns = {
            column.name: {
                **{field: column.origin(field).filled() for field in column.stated()},
                **_learnt(column),
            }
            for column in self.columns
        }
        return {"unit": unit, "columns": columns}

    @property
    def is_conditional(self) -> bool:
        """Whether something was confirmed without naming a public source."""
        origins = [*self.unit.provenance.values()]
        for column in self.columns:
            origins.extend(column.provenance.values())
        return any(origin.is_conditional for origin in origins)


_ORDER = tuple(Schema.model_fields)
_OFF = ("nullable", "open")  # switches that are off by default
_UNPAID = (
    "says `learnt`, but it stands here before any charge is made: leave the field out so that the "
    "release learns and pays for it, or say how it is known (declared, or confirmed with a source)"
)


def _adopt(origins: Mapping[Any, Provenance], adopted: Provenance) -> dict[Any, Provenance]:
    return {
        field: adopted if origin.status == "guessed" else origin
        for field, origin in origins.items()
    }


def _learnt(column: Column) -> dict[str, dict[str, str]]:
    """What a release learns of a column because nothing declares it, and who pays."""
    if isinstance(column, ModeledColumn) and column.learns_values:
        return {
            "learnt_values": Provenance(status="learnt", entry=f"values({column.name})").filled()
        }
    if not isinstance(column, ModeledColumn) or not column.learns_bins:
        return {}
    origin = Provenance(status="learnt", entry=f"bins({column.name})").filled()
    fields = ("bins",) if getattr(column, "limits", None) is not None else ("bounds", "bins")
    return dict.fromkeys(fields, origin)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _without_defaults(data: Any) -> Any:
    if isinstance(data, dict):
        kept = {name: _without_defaults(value) for name, value in data.items()}
        return {
            name: value
            for name, value in kept.items()
            if not (value == [] or value == {} or (name in _OFF and value is False))
        }
    if isinstance(data, list):
        return [_without_defaults(value) for value in data]
    return data
