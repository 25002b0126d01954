"""What an observer of a fit sees beside its answers: how it ended, what it said and wrote."""

import io
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dpsynth.privacy.ledger import LedgerEntry
from dpsynth.testing.logged import Lines

if TYPE_CHECKING:
    import pandas as pd

SAMPLED = 40  # rows, drawn with one seed: what may differ is the model alone
_OF_THE_RUN = ("release", "entries")  # names and digests of a ledger, new in every run
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_NEW_NAMES = ("release", "digest", "previous", "date")  # of its entries


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """One fit, as somebody sees it who may not see the rows.

    Attributes:
        model: what was fitted; None where the fit raised.
        entries: what the ledger shows; empty where the fit raised.
        fault: what the fit raised.
        said: warnings, log lines and output, in order of kind; also of saving and of sampling.
        documents: what a release writes beside the arrays of the model.
        files: what the model saves, by name.
        sample: rows drawn with one seed, where the model can be sampled.
    """

    model: Any
    entries: tuple[LedgerEntry, ...]
    fault: Exception | None
    said: tuple[str, ...] = field(repr=False)
    documents: dict[str, Any] = field(repr=False)
    files: dict[str, bytes] = field(repr=False)
    sample: "pd.DataFrame | None" = field(repr=False)

    def differences(self, other: "Outcome") -> list[str]:
        """Return in public words what tells two fits apart; the numbers of the models aside."""
        found = []
        if (type(self.fault), str(self.fault)) != (type(other.fault), str(other.fault)):
            found.append("the neighbor's fit ended otherwise")
        if self.said != other.said:
            found.append("warnings, log lines or output differ")
        if self.model is None or other.model is None:
            return found
        if self.documents != other.documents:
            found.append("the documents beside the model differ")
        if self.files.keys() != other.files.keys():
            found.append("the names of the model's files differ")
        elif self.files != other.files:
            found.append("the bytes of the model's files differ")
        first, second = self.sample, other.sample
        if (first is None) != (second is None):
            found.append("one of the models cannot be sampled")
        elif first is not None and second is not None:
            if list(first.dtypes.items()) != list(second.dtypes.items()):
                found.append("columns or their types differ in the synthetic table")
            elif not first.equals(second):
                found.append("the same model and seed gave another synthetic table")
        return found


def outcome_of(
    fit: Callable[[], tuple[Any, tuple[LedgerEntry, ...]]], *, written: bool = True
) -> Outcome:
    """Run ``fit`` and return what an observer sees of it, whether it ends well or not.

    Args:
        fit: returns a model and its ledger entries.
        written: also write the model down and sample from it, which takes as long as many a fit.
    """
    model: Any = None
    entries: tuple[LedgerEntry, ...] = ()
    fault: Exception | None = None
    documents: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    sample: pd.DataFrame | None = None
    lines, out, err = Lines(), io.StringIO(), io.StringIO()
    root = logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            warnings.simplefilter("always")
            try:
                model, entries = fit()
                if written:
                    documents, files, sample = _documents(model), _files(model), _sample(model)
            except Exception as error:  # noqa: BLE001  # whatever it is, it can be seen
                fault = error
    finally:
        root.setLevel(level)
        root.removeHandler(lines)
    said = [f"{type(each.message).__name__}: {each.message}" for each in warned]
    return Outcome(
        model=model,
        entries=tuple(entries),
        fault=fault,
        said=(*said, *lines.held, out.getvalue(), err.getvalue()),
        documents=documents,
        files=files,
        sample=sample,
    )


def _documents(model: Any) -> dict[str, Any]:
    """Return what a release writes beside the arrays of a model, its own names in a ledger aside.

    The ledgers of two runs differ in their names for the release and so in all digests.
    """
    held = {name: getattr(model, name, None) for name in ("synthesizer", "values", "plan")}
    extract = getattr(model, "ledger_extract", None) or {}
    schema = getattr(model, "full_schema", None)
    return {
        **held,
        "ledger": {name: each for name, each in extract.items() if name not in _OF_THE_RUN},
        "charged": [(each["label"], each["event"]) for each in extract.get("entries", ())],
        "schema": None if schema is None else schema.to_dict(),
    }


def _files(model: Any) -> dict[str, bytes]:
    """Return the files of a saved model; those of two runs differ in their names in a ledger."""
    save = getattr(model, "save", None)
    if save is None:
        return {}
    extract = getattr(model, "ledger_extract", None) or {}
    with TemporaryDirectory() as folder:
        try:
            save(Path(folder))
        except _UNFIT:
            return {}
        return masked(Path(folder), extract)


def masked(folder: Path, extract: Mapping[str, Any]) -> dict[str, bytes]:
    """Return all files of a folder by name, without the names that a ledger makes up in every run.

    Args:
        folder: of a model or a release.
        extract: of its ledger.
    """
    names = {str(extract.get("release", ""))}
    names |= {str(each.get(key, "")) for each in extract.get("entries", ()) for key in _NEW_NAMES}
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for name in sorted(names - {""}, key=len, reverse=True):
        found = {file: held.replace(name.encode(), b"#") for file, held in found.items()}
    return found


def _sample(model: Any) -> "pd.DataFrame | None":
    draw = getattr(model, "sample", None)
    if draw is None:
        return None
    try:
        found: pd.DataFrame = draw(SAMPLED, seed=0)
    except _UNFIT:
        return None
    return found
