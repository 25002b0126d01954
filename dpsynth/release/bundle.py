"""What a release holds: the payload of ``public/``, and what stays in ``internal/``.

``public/`` is all that may leave the house. It is a function of the schema, the plan, the ledger's
public extract and the released model: it holds no count of rows, no time of day, no duration, no
digest of the private file and no name of a machine or user.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dpsynth.errors import UsageError
from dpsynth.release import atomic, canonical, manifest, spreadsheet

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from dpsynth.release.streaming import Stream

PUBLIC = "public"
INTERNAL = "internal"
PARQUET = "synthetic.parquet"
CSV = "synthetic.csv"
MODEL = "model"
SCHEMA = "schema.toml"
PLAN = "plan.json"
LEDGER = "ledger.json"
AUDIT = "audit.json"
FIDELITY = "fidelity.json"
EVALUATION = "evaluation.json"
REPORT = "report.html"
SUMMARY = "summary.md"
CERTIFICATE = "certificate.json"
CERTIFICATE_SIGNATURE = "certificate.sig"
DOSSIER = "dossier.json"
DOSSIER_SIGNATURE = "dossier.sig"
SIGN_OFFS = "sign-offs"

PRIVATE_MODE = 0o700


class WritesItself(Protocol):
    """A schema, as far as a bundle cares."""

    def write(self, path: Path, /) -> object:
        """Write the schema to ``path``."""
        ...


class SavesItself(Protocol):
    """A fitted model, as far as a bundle cares."""

    @property
    def schema(self) -> WritesItself:
        """The declared columns."""
        ...

    @property
    def plan(self) -> Mapping[str, object]:
        """The bill that was planned, as a document."""
        ...

    @property
    def ledger_extract(self) -> Mapping[str, object]:
        """The bill that was paid, as a document."""
        ...

    def save(self, folder: Path, /) -> object:
        """Write the model's files into ``folder``."""
        ...


def write(
    directory: Path | str,
    *,
    synthetic: "pd.DataFrame | Callable[[], Stream]",
    model: SavesItself,
    schema: WritesItself | None = None,
    plan: Mapping[str, object] | None = None,
    ledger_extract: Mapping[str, object] | None = None,
    finish: Callable[[Path], object] | None = None,
) -> Path:
    """Write ``directory/public`` as a whole or not at all, and return its path.

    Args:
        directory: the release; made if needed, but ``public`` must not stand in it yet.
        synthetic: the released rows, or what draws them again and again, block by block.
        model: the fitted model, saved below ``model/``.
        schema: the declared columns; the model's own if not given.
        plan: the bill, as the synthesizer's plan gives it; the model's own if not given.
        ledger_extract: the release's own charges, as the account gives them; likewise.
        finish: called with the folder before it gets its name, to add certificate and report;
            without it the folder ends as a payload with a manifest, to be certified later.

    Raises:
        UsageError: the folder exists already.
        UnfitEnvironmentError: the disk refuses; nothing is left behind.
    """
    target = Path(directory) / PUBLIC
    with atomic.folder(target) as building:
        write_public(
            building,
            synthetic=synthetic,
            model=model,
            schema=model.schema if schema is None else schema,
            plan=model.plan if plan is None else plan,
            ledger_extract=model.ledger_extract if ledger_extract is None else ledger_extract,
        )
        if finish is not None:
            finish(building)
        manifest.write(building)
    return target


def write_public(
    directory: Path,
    *,
    synthetic: "pd.DataFrame | Callable[[], Stream]",
    model: SavesItself,
    schema: WritesItself,
    plan: Mapping[str, object],
    ledger_extract: Mapping[str, object],
) -> None:
    """Write the payload of ``public/`` into the existing folder ``directory``; no manifest yet."""
    if callable(synthetic):
        from dpsynth.release.streaming import write_stream

        for name in (PARQUET, CSV):
            write_stream(synthetic(), directory / name)
    else:
        write_parquet(directory / PARQUET, synthetic)
        atomic.write_bytes(directory / CSV, spreadsheet.to_csv(synthetic))
    model.save(directory / MODEL)
    schema.write(directory / SCHEMA)
    atomic.write_bytes(directory / PLAN, canonical.dumps(plan))
    atomic.write_bytes(directory / LEDGER, canonical.dumps(ledger_extract))


def write_internal(
    directory: Path,
    *,
    audit: Mapping[str, object],
    fidelity: Mapping[str, object] | None,
    evaluation: Mapping[str, object] | None = None,
) -> None:
    """Write what was found on the real rows into the existing folder ``directory``."""
    atomic.write_bytes(directory / AUDIT, canonical.dumps(audit))
    if fidelity is not None:
        atomic.write_bytes(directory / FIDELITY, canonical.dumps(fidelity))
    if evaluation is not None:
        atomic.write_bytes(directory / EVALUATION, canonical.dumps(evaluation))


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write ``table`` so that equal tables give equal bytes and dtypes survive the round trip.

    Of pandas' own notes only the dtypes are kept: its version, the table's ``attrs`` and the row
    index say something of the process that made the table, not of the rows.
    """
    import pyarrow.parquet as pq

    pq.write_table(_arrow(table), path, compression="zstd")


def public_folder(directory: Path) -> Path:
    """Return the public folder that ``directory`` is or holds.

    Raises:
        UsageError: it is neither a release nor the public folder of one.
    """
    if (directory / PUBLIC).is_dir():
        return directory / PUBLIC
    if (directory / LEDGER).is_file() and (directory / PLAN).is_file():
        return directory
    raise UsageError(
        f"{directory} is not a release: it holds neither {PUBLIC}/ nor the files of a public folder"
    )


def _arrow(table: "pd.DataFrame") -> "pa.Table":
    import pyarrow as pa

    found = pa.Table.from_pandas(table, preserve_index=False)
    return found.replace_schema_metadata(dtype_notes(found.schema))


def dtype_notes(schema: "pa.Schema") -> dict[bytes, bytes]:
    """Return what a Parquet file says of dtypes, from what pandas notes of a table."""
    notes = json.loads(schema.metadata[b"pandas"])
    kept = {
        "index_columns": [],
        "column_indexes": [],
        "columns": notes["columns"],
        "attributes": {},
    }
    return {b"pandas": canonical.dumps(kept)}
