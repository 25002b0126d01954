"""A fitted model: what may leave the house. Holds noisy answers and public facts, no rows."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding import base_domain
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.encoding.values import read_values
from dpsynth.errors import (
    DataError,
    DpsynthError,
    IntegrityError,
    UnfitEnvironmentError,
    UsageError,
)
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.neural.model import NeuralModel
from dpsynth.models.protocol import Model
from dpsynth.schema import Schema
from dpsynth.synthesizers import archive

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.synthesizers.copies import Copies
    from dpsynth.synthesizers.streamed import SampleStream

FORMAT = "dpsynth-model/1"
_HEADER = "model.json"
_DAMAGE = (OSError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)


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
    model: Model
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

    def sample(
        self,
        rows: int | None = None,
        *,
        seed: int | None = None,
        given: Mapping[str, object] | None = None,
    ) -> "pd.DataFrame":
        """Draw a synthetic table. Free of charge: it is computed from the released model.

        Args:
            rows: how many; the noisy total, rounded, where not given, or of it the part for which
                ``given`` holds.
            seed: makes the draw reproducible. A seed here costs no privacy.
            given: by column, what all rows are to hold: a value as the table shows it, None for a
                missing one, a list of values of which any may be, or for numbers and dates an
                interval ``[least, most]``. The rows follow the model's own distribution given
                that, however rare it is; corrections outside its tree do not bear on them.

        Returns:
            The columns of the schema in its order, with the declared dtypes and ranges. No row
            breaks a declared rule. Where the model has no corrections and nothing is given, its
            tables are met as closely as whole rows allow, in samples of up to 2**29 rows; what
            lies within a bin, and corrections, even out by parts of 2**17 and 2**20 rows.

        Raises:
            UsageError: ``rows`` or ``seed`` is negative or not whole, a column has no such value,
                or the model holds what is given impossible.
            UnknownNameError: no column to learn is called so.
        """
        import pandas as pd

        drawn = self.stream(rows, seed=seed, given=given)
        frames = [block.frame() for block in drawn]
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def sample_batches(
        self,
        rows: int | None = None,
        *,
        batch_rows: int = 1 << 20,
        seed: int | None = None,
        given: Mapping[str, object] | None = None,
    ) -> "Iterator[pd.DataFrame]":
        """Yield the table that ``sample`` draws in parts, in memory that does not grow with it.

        Args:
            rows: as in ``sample``.
            batch_rows: of every part but the last; the rows do not depend on it.
            seed: as in ``sample``: the same seed, the same table.
            given: as in ``sample``.

        Raises:
            UsageError: as ``sample``, or ``batch_rows`` is below 1.
        """
        _require_counts(batch_rows=batch_rows)
        if batch_rows < 1:
            raise UsageError("batch_rows must be at least 1")
        drawn = self.stream(rows, seed=seed, given=given)
        return _cut((block.frame() for block in drawn), batch_rows)

    def write_sample(
        self,
        out: Path | str,
        rows: int | None = None,
        *,
        seed: int | None = None,
        given: Mapping[str, object] | None = None,
        table: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """Write the table that ``sample`` draws, whole or not at all, in bounded memory.

        Args:
            out: a new file that ends in ``.parquet`` or ``.csv``, or the address of a database as
                SQLAlchemy writes it.
            rows: as in ``sample``.
            seed: as in ``sample``: the same seed, the same table.
            given: as in ``sample``.
            table: a new table of the database.
            progress: told the rows written, and of how many, after each block.

        Returns:
            How many rows were written.

        Raises:
            UsageError: as ``sample``; or ``out`` names no such format, or stands already.
            UnfitEnvironmentError: the disk or database refuses, or a package is missing.
        """
        from dpsynth.release.streaming import write_stream

        drawn = self.stream(rows, seed=seed, given=given)
        return write_stream(drawn, out, table=table, progress=progress)

    def stream(
        self,
        rows: int | None = None,
        *,
        seed: int | None = None,
        given: Mapping[str, object] | None = None,
    ) -> "SampleStream":
        """Return what ``sample`` draws as blocks of cells, for a writer; see there."""
        from dpsynth.encoding.within import Within
        from dpsynth.synthesizers.cohort import impossible, selections
        from dpsynth.synthesizers.streamed import SampleStream

        _require_counts(rows=rows, seed=seed)
        schema = self.full_schema
        chosen = selections(schema, given or {})
        within = Within(schema=schema, coarsenings=self.coarsenings, given=chosen)
        rng = np.random.default_rng(seed)
        total, likelihood = self.total, within.likelihood()
        if chosen:
            self.model.check_held(likelihood)
            chance = self.model.log_chance(likelihood)
            if not np.isfinite(chance):
                raise impossible(chosen)
            total *= float(np.exp(chance))
        wanted = max(round(total), 0) if rows is None else rows
        blocks = self.model.blocks(wanted, rng, likelihood=likelihood)
        return SampleStream(schema=schema, rows=wanted, blocks=blocks, within=within, rng=rng)

    def sample_copies(
        self,
        copies: int,
        rows: int | None = None,
        *,
        seed: int | None = None,
        interactions: int = 2,
    ) -> "Copies":
        """Draw several synthetic tables that differ as much as the noise leaves open.

        Every copy comes from a model of its own, drawn around the released noisy answers by their
        known noise; its rows are drawn each on its own. Analyses of all copies together, by
        ``utility.replication.fully_synthetic``, then give intervals that count in the privacy
        noise. Free of charge: computed from released answers.

        Args:
            copies: how many, at least 2; 40 are plenty, and below 20 intervals widen.
            rows: of each copy; the noisy total, rounded, where not given. Larger copies give
                narrower intervals, down to what the answers hold.
            seed: makes the draw reproducible. A seed here costs no privacy.
            interactions: relations of more columns than this are taken not to exist.

        Raises:
            UsageError: an argument is out of range, or the model keeps no noisy answers.
        """
        from dpsynth.synthesizers.copies import draw_copies

        _require_counts(rows=rows, seed=seed, copies=copies, interactions=interactions)
        return draw_copies(self, copies, rows, seed=seed, interactions=interactions)

    def log_likelihood(self, table: "pd.DataFrame") -> NDArray[np.float64]:
        """Return the natural logarithm of the probability of every row's declared codes.

        Of a number or date the probability is that of its cell of the declared grid. Corrections
        outside the model's tree do not bear on it, and neither does what an order among columns
        rules out within one bin.

        Args:
            table: rows with the columns of the schema, in any order; others are left aside.

        Privacy:
            Free of charge on rows that are no secret. On private rows the result is computed from
            them, and outside the guarantee.

        Returns:
            Shape ``(rows,)``, float64; minus infinity where the model holds a row impossible.

        Raises:
            DataError: a column of the schema is missing.
            UsageError: the model is a network that draws more than codes, and cannot tell.
        """
        from dpsynth.encoding import codecs

        held = codecs(self.full_schema)
        absent = [name for name in held if name not in table.columns]
        if absent:
            raise DataError(f"the table has no column {absent[0]!r}, which the model has learned")
        found = np.zeros(len(table))
        coarse = {}
        for name, codec in held.items():
            codes = codec.encode(table[name]).codes
            coarse[name] = self.coarsenings[name].groups[codes]
            with np.errstate(divide="ignore"):
                found += np.log(self.coarsenings[name].weights[codes])
        return np.asarray(found + self.model.log_likelihood(coarse))

    def save(self, folder: Path | str) -> None:
        """Write the model into ``folder``: JSON and plain arrays, nothing executable.

        Raises:
            UnfitEnvironmentError: the model is a network, and safetensors is not installed.
        """
        folder = Path(folder)
        kind = self.model.kind
        if kind == NeuralModel.kind:
            archive.require_safetensors()
        folder.mkdir(parents=True, exist_ok=True)
        header, arrays = self.model.to_arrays()
        held: dict[str, NDArray[Any]] = {f"{kind}/{name}": each for name, each in arrays.items()}
        for index, name in enumerate(self.coarsenings):
            held[f"groups/{index}"] = self.coarsenings[name].groups
            held[f"weights/{index}"] = self.coarsenings[name].weights
        document = {
            "format": FORMAT,
            "synthesizer": dict(self.synthesizer),
            "schema": self.schema.to_dict(),
            kind: header,
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
        write = archive.write_npz if kind == GraphicalModel.kind else archive.write_safetensors
        write(folder, held)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what ``save`` wrote. Executes nothing that the files hold.

        Raises:
            UsageError: there is no model in ``folder``.
            IntegrityError: the files are not a model, or contradict themselves.
            UnfitEnvironmentError: the model is a network, and safetensors is not installed.
        """
        folder = Path(folder)
        if not (folder / _HEADER).is_file():
            raise UsageError(f"there is no model in {folder}: {_HEADER} is missing")
        try:
            document = json.loads((folder / _HEADER).read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise ValueError("another format")
            schema = Schema.from_dict(document["schema"])
            values = read_values(document.get("values", {}))
            names = list(document["coarsened"])
            if NeuralModel.kind in document:
                header = document[NeuralModel.kind]
                sizes = base_domain(schema.with_values(values)).sizes
                arrays = archive.read_safetensors(folder, _expected(header, names, sizes))
                model: Model = NeuralModel.from_arrays(header, _under(NeuralModel.kind, arrays))
            else:
                header, arrays = document[GraphicalModel.kind], archive.read_npz(folder)
                model = GraphicalModel.from_arrays(header, _under(GraphicalModel.kind, arrays))
            made = cls(
                schema=schema,
                model=model,
                coarsenings={
                    name: Coarsening(groups=arrays[f"groups/{i}"], weights=arrays[f"weights/{i}"])
                    for i, name in enumerate(names)
                },
                synthesizer=document["synthesizer"],
                values=values,
                plan=document["plan"],
                ledger_extract=document["ledger"],
            )
            made = replace(made, model=made._ruled())
        except UnfitEnvironmentError:
            raise
        except DpsynthError as error:
            raise IntegrityError(f"the model in {folder} is damaged: {error}") from error
        except _DAMAGE as error:
            raise IntegrityError(
                f"the model in {folder} is damaged or of another format"
            ) from error
        return made

    def _ruled(self) -> Model:
        """Return the model with the schema's rules in its domain, or raise if it breaks one."""
        declared = base_domain(self.full_schema)
        if not set(declared.columns) == set(self.coarsenings) == set(self.model.domain.columns):
            raise ValueError("the model and the schema name different columns")
        for name, coarsening in self.coarsenings.items():
            if coarsening.groups.size != declared.sizes[name]:
                raise ValueError("a column has another number of codes than its schema declares")
            if coarsening.size != self.model.domain.sizes[name]:
                raise ValueError("a column has another number of groups than its model")
        if not declared.zeros:
            return self.model
        groups = {name: coarsening.groups for name, coarsening in self.coarsenings.items()}
        domain = replace(self.model.domain, zeros=declared.regrouped(groups).zeros)
        return self.model.with_zeros(domain)


def _expected(
    header: Mapping[str, Any], names: Sequence[str], sizes: Mapping[str, int]
) -> archive.Expected:
    """Return types and shapes of all arrays of a network and its coarsenings."""
    shapes = NeuralModel.shapes(header)
    found: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        f"{NeuralModel.kind}/{name}": (np.float32, shape) for name, shape in shapes.items()
    }
    for index, name in enumerate(names):
        found[f"groups/{index}"] = np.int64, (sizes[name],)
        found[f"weights/{index}"] = np.float64, (sizes[name],)
    return found


def _under(kind: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of one part, without its name."""
    start = f"{kind}/"
    return {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}


def _cut(frames: "Iterator[pd.DataFrame]", rows: int) -> "Iterator[pd.DataFrame]":
    """Cut the rows of frames anew, so many to each but the last; at least one."""
    import pandas as pd

    waiting: list[pd.DataFrame] = []
    have, told = 0, False
    for frame in frames:
        waiting, have = [*waiting, frame], have + len(frame)
        if have < rows:
            continue
        held = pd.concat(waiting, ignore_index=True) if len(waiting) > 1 else waiting[0]
        for start in range(0, have - rows + 1, rows):
            yield held.iloc[start : start + rows].reset_index(drop=True)
            told = True
        waiting = [held.iloc[have - have % rows :]] if have % rows else []
        have %= rows
    if have or not told:
        yield pd.concat(waiting, ignore_index=True)


def _require_counts(**values: object) -> None:
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise UsageError(f"{name} must be a whole number")
        if value < 0:
            raise UsageError(f"{name} must be at least 0")
