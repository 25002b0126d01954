"""Where a fact comes from. Only declared, learnt and confirmed facts may be used (law 4)."""

from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    StrictStr,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from dpsynth.errors import SchemaError

Status = Literal["declared", "learnt", "guessed", "confirmed"]


class Provenance(BaseModel):
    """The origin of one field.

    Args:
        status: ``declared`` by whoever wrote the schema; ``learnt`` privately and paid for;
            ``guessed`` from the rows, so not usable; ``confirmed`` when a person adopted a guess.
        note: for ``declared``, on what ground, such as "codebook".
        reason: for ``confirmed``, why the person adopted it.
        source: for ``confirmed``, the public document that says the same, if there is one.
        entry: for ``learnt``, the label of the ledger entry that paid for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status = "declared"
    note: StrictStr | None = None
    reason: StrictStr | None = None
    source: StrictStr | None = None
    entry: StrictStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, data: Any) -> Any:
        return {"status": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _complete(self) -> "Provenance":
        if self.status == "confirmed" and not (self.reason or "").strip():
            raise SchemaError("a confirmed field needs its reason: give `reason`")
        if self.status == "learnt" and not self.entry:
            raise SchemaError("a learnt field needs the label of its ledger entry: give `entry`")
        return self

    def filled(self) -> dict[str, str]:
        """Return what is stated, as plain data."""
        names = ("status", "note", "reason", "source", "entry")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Publish the short form, a bare status, beside the long one."""
        words = [word for word in get_args(Status) if word in ("declared", "guessed")]
        return {"anyOf": [{"enum": words}, handler.resolve_ref_schema(handler(core_schema))]}

    @model_serializer
    def _shortest(self) -> str | dict[str, str]:
        filled = self.filled()
        return self.status if len(filled) == 1 else filled

    @property
    def is_conditional(self) -> bool:
        """Whether a guarantee resting on this field hangs on a person's word alone."""
        return self.status == "confirmed" and not self.source


DECLARED = Provenance()
GUESSED = Provenance(status="guessed")
