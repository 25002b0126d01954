"""A fitted model: what may leave the house. Holds noisy answers and public facts, no rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.coarsening import Coarsening
from dpsynth.encoding.values import read_values
from dpsynth.errors import DpsynthError, IntegrityError, UsageError
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "dpsynth-model/1"
_ARRAYS = "model.npz"
_HEADER = "model.json"


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A model of a table, made by a synthesizer from noisy answers.

    Attributes:
        schema: the declared columns; public.
        model: the distribution over the modeled codes.
        coarsenings: for each modeled column, how its declared codes were grouped, and the share
            of each code in its group.
        values: by open column, the values that a selection released; sorted text.
        synthesizer: name and settings.
        plan: the bill that was planned, as a document.
        ledger_extract: the bill that was paid, as a document.
    """

    schema: Schema
    model: GraphicalModel
    coarsenings: Mapping[str, Coarsening]
    synthesizer: Mapping[str, Any]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    ledger_extract: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_schema(self) -> Schema:
        """The schema with what was learnt of open columns: it codes and decodes, as the model."""
        return self.schema.with_values(self.values)

    @property
    def total(self) -> float:
        """Number of rows that the noisy answers speak for; never the exact one."""
        return self.model.total

    def sample(self, rows: int | None = None, *, seed: int | None = None) -> "pd.DataFrame":
        """Draw a synthetic table. Free of charge: it is computed from the released model.

        Args:
            rows: how many; the noisy total, rounded, where not given.
            seed: makes the draw reproducible. A seed here costs no privacy.

        Returns:
            The columns of the schema in its order, with the declared dtypes and ranges.

        Raises:
            UsageError: ``rows`` or ``seed`` is negative.
        """
        from dpsynth.encoding.table import decode_table

        wanted = max(round(self.total), 0) if rows is None else rows
        if wanted < 0:
            raise UsageError("rows must be at least 0")
        if seed is not None and seed < 0:
            raise UsageError("seed must be at least 0")
        rng = np.random.default_rng(seed)
        drawn = self.model.sample(wanted, rng)
        codes = {name: self.coarsenings[name].expand(drawn[name], rng) for name in drawn}
        return decode_table(codes, self.full_schema, rng, rows=wanted)

    def save(self, folder: Path | str) -> None:
        """Write the model into ``folder``: JSON and plain arrays, nothing executable."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        header, arrays = self.model.to_arrays()
        held: dict[str, NDArray[Any]] = {
            f"graphical/{name}": array for name, array in arrays.items()
        }
        for index, name in enumerate(self.coarsenings):
            held[f"groups/{index}"] = self.coarsenings[name].groups
            held[f"weights/{index}"] = self.coarsenings[name].weights
        document = {
            "format": FORMAT,
            "synthesizer": dict(self.synthesizer),
            "schema": self.schema.to_dict(),
            "graphical": header,
            "coarsened": list(self.coarsenings),
            **(
                {"values": {n: list(held) for n, held in self.values.items()}}
                if self.values
                else {}
            ),
            "plan": dict(self.plan),
            "ledger": dict(self.ledger_extract),
        }
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / _HEADER).write_text(text + "\n", encoding="utf-8")
        np.savez_compressed(folder / _ARRAYS, **held)  # type: ignore[arg-type]  # names are not options

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what ``save`` wrote. Executes nothing that the files hold.

        Raises:
            UsageError: there is no model in ``folder``.
            IntegrityError: the files are not a model, or contradict themselves.
        """
        folder = Path(folder)
        if not (folder / _HEADER).is_file():
            raise UsageError(f"there is no model in {folder}: {_HEADER} is missing")
        try:
            document = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise ValueError("another format")
            # Opened here, because numpy leaves a file open that turns out to be no archive.
            with (
                (folder / _ARRAYS).open("rb") as file,
                np.load(file, allow_pickle=False) as held,
            ):
                arrays = {name: held[name] for name in held.files}
            graphical = {
                name.removeprefix("graphical/"): array
                for name, array in arrays.items()
                if name.startswith("graphical/")
            }
            coarsenings = {
                name: Coarsening(groups=arrays[f"groups/{i}"], weights=arrays[f"weights/{i}"])
                for i, name in enumerate(document["coarsened"])
            }
            made = cls(
                schema=Schema.from_dict(document["schema"]),
                model=GraphicalModel.from_arrays(document["graphical"], graphical),
                coarsenings=coarsenings,
                synthesizer=document["synthesizer"],
                values=read_values(document.get("values", {})),
                plan=document["plan"],
                ledger_extract=document["ledger"],
            )
            made._check()
        except DpsynthError as error:
            raise IntegrityError(f"the model in {folder} is damaged: {error}") from error
        except (OSError, KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
            raise IntegrityError(
                f"the model in {folder} is damaged or of another format"
            ) from error
        return made

    def _check(self) -> None:
        from dpsynth.encoding import base_domain

        declared = base_domain(self.full_schema)
        if not set(declared.columns) == set(self.coarsenings) == set(self.model.domain.columns):
            raise ValueError("the model and the schema name different columns")
        for name, coarsening in self.coarsenings.items():
            if coarsening.groups.size != declared.sizes[name]:
                raise ValueError("a column has another number of codes than its schema declares")
            if coarsening.size != self.model.domain.sizes[name]:
                raise ValueError("a column has another number of groups than its model")
