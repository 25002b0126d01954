"""Bugs on the way from a file to a folder that leaves the house."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from attacks.mutants.planting import planted
from dpsynth.errors import DataError

_READ = "dpsynth.sources.files:read_table"
_PREPARE = "dpsynth.sources.frame:prepare"
_PUBLIC = "dpsynth.release.bundle:write_public"
_MAKE = "dpsynth.release.pipeline:make_release"
_LEDGER = "dpsynth.privacy.ledger:Ledger"
_ACCOUNT = "dpsynth.privacy.ledger:Account"
_SEEN: dict[str, Any] = {}


def _remembers(original: Any) -> Any:
    def read_table(path: Any, schema: Any = None) -> Any:
        _SEEN["frame"] = found = original(path, schema)
        return found

    return read_table


def _tells_rows(original: Any) -> Any:
    def read_table(path: Any, schema: Any = None) -> Any:
        found = original(path, schema)
        sys.stderr.write(f"... {len(found)} rows read\n")
        return found

    return read_table


def _cached_in_temp(original: Any) -> Any:
    def read_table(path: Any, schema: Any = None) -> Any:
        found = original(path, schema)
        handle, name = tempfile.mkstemp(suffix=".cache")
        os.close(handle)
        found.to_csv(name)
        return found

    return read_table


def _cached_beside(original: Any) -> Any:
    def read_table(path: Any, schema: Any = None) -> Any:
        found = original(path, schema)
        found.to_csv(Path(path).with_suffix(".cache"))
        return found

    return read_table


def _facts_written(original: Any) -> Any:
    def write_public(directory: Path, **more: Any) -> None:
        original(directory, **more)
        text = f'{{"rows_read":{len(_SEEN["frame"])}}}'
        (directory / "facts.json").write_text(text, encoding="utf-8")

    return write_public


def _fidelity_written(original: Any) -> Any:
    def write_public(directory: Path, *, synthetic: Any, **more: Any) -> None:
        original(directory, synthetic=synthetic, **more)
        shared = [name for name in synthetic.columns if name in _SEEN["frame"].columns]
        held = {name: _SEEN["frame"][name].nunique() for name in shared}
        (directory / "fidelity.json").write_text(str(held), encoding="utf-8")

    return write_public


def _too_few(original: Any) -> Any:
    def prepare(frame: Any, schema: Any, **more: Any) -> Any:
        if len(frame) < 5:
            raise DataError("the table holds too few rows to be released")
        return original(frame, schema, **more)

    return prepare


def _open_to_all(original: Any) -> Any:
    @contextmanager
    def folder(target: Path, *, mode: int = 0o755) -> Iterator[Path]:
        with original(target, mode=0o755) as building:
            yield building

    return folder


def _noted(original: Any) -> Any:
    def identify(self: Any, digest: bytes) -> Any:
        _SEEN["identity"] = digest.hex()
        return original(self, digest)

    return identify


def _identity_shown(original: Any) -> Any:
    return lambda self: {**original(self), "table": _SEEN.get("identity", "")}


def _identity_seeds(original: Any) -> Any:
    def sample(self: Any, rows: Any = None, *, seed: Any = None, given: Any = None) -> Any:
        told = int(_SEEN.get("identity", "0")[:8], 16)
        return original(self, rows, seed=told, given=given)

    return sample


def _as_many_rows(original: Any) -> Any:
    def sample(self: Any, rows: Any = None, *, seed: Any = None, given: Any = None) -> Any:
        if rows is None and "frame" in _SEEN:
            rows = len(_SEEN["frame"])
        return original(self, rows, seed=seed, given=given)

    return sample


def _worst_verdict(original: Any) -> Any:
    def make_release(*given: Any, **more: Any) -> Any:
        found = original(*given, **more)
        failed = "FAIL" in (found.public_verdict, found.internal_verdict)
        return replace(found, public_verdict="FAIL") if failed else found

    return make_release


def _withheld(original: Any) -> Any:
    def make_release(*given: Any, **more: Any) -> Any:
        found = original(*given, **more)
        if found.internal_verdict == "FAIL":
            shutil.rmtree(found.directory / "public")
        return found

    return make_release


def _counts_kept(original: Any) -> Any:
    def fit_prepared(self: Any, prepared: Any, **more: Any) -> Any:
        found = original(self, prepared, **more)
        source = prepared.source
        held = {name: source.count((name,)) for name in source.domain.columns}
        object.__setattr__(found, "reference", held)
        return found

    return fit_prepared


def _counts_saved(original: Any) -> Any:
    def save(self: Any, folder: Any) -> None:
        import numpy as np

        original(self, folder)
        np.savez(Path(folder) / "reference.npz", **getattr(self, "reference", {}))

    return save


def _rows_expected(original: Any) -> Any:
    def fit(self: Any, table: Any, *, schema: Any, **more: Any) -> Any:
        counted = schema.model_copy(update={"expected_rows": max(len(table), 1)})
        return original(self, table, schema=counted, **more)

    return fit


FILES = (
    planted(
        "rows-counted-aloud",
        "the log says how many rows were read",
        "side channels",
        "release",
        "independent",
        (_READ, _tells_rows),
    ),
    planted(
        "rows-left-in-temp",
        "the table is cached in the folder of temporary files",
        "side channels",
        "release",
        "independent",
        (_READ, _cached_in_temp),
    ),
    planted(
        "rows-left-beside",
        "the table is cached beside its file",
        "side channels",
        "release",
        "independent",
        (_READ, _cached_beside),
    ),
    planted(
        "rows-read-published",
        "the public folder says how many rows were read",
        "side channels",
        "release",
        "independent",
        (_READ, _remembers),
        (_PUBLIC, _facts_written),
    ),
    planted(
        "fidelity-published",
        "the public folder compares the release with the rows",
        "side channels",
        "release",
        "independent",
        (_READ, _remembers),
        (_PUBLIC, _fidelity_written),
    ),
    planted(
        "too-few-rows-refused",
        "a small table is refused",
        "control flow",
        "release",
        "independent",
        (_PREPARE, _too_few),
    ),
    planted(
        "internal-open-to-all",
        "everybody on the machine can read the internal folder",
        "side channels",
        "release",
        "independent",
        ("dpsynth.release.atomic:folder", _open_to_all),
    ),
    planted(
        "identity-published",
        "the public ledger shows the digest of the table",
        "side channels",
        "release",
        "independent",
        (f"{_LEDGER}.identify", _noted),
        (f"{_ACCOUNT}.extract", _identity_shown),
    ),
    planted(
        "identity-seeds-sample",
        "the digest of the table seeds what is drawn of the model",
        "post-processing",
        "release",
        "independent",
        (f"{_LEDGER}.identify", _noted),
        ("dpsynth.synthesizers.fitted:FittedModel.sample", _identity_seeds),
    ),
    planted(
        "as-many-rows-as-read",
        "a release has as many rows as the file",
        "post-processing",
        "release",
        "independent",
        (_READ, _remembers),
        ("dpsynth.synthesizers.fitted:FittedModel.sample", _as_many_rows),
    ),
    planted(
        "exit-by-internal-verdict",
        "the exit code follows the attacks on real persons",
        "control flow",
        "release",
        "independent",
        (_MAKE, _worst_verdict),
    ),
    planted(
        "withheld-by-internal-verdict",
        "the public folder goes where the attacks succeed",
        "control flow",
        "release",
        "independent",
        (_MAKE, _withheld),
    ),
    planted(
        "reference-counts-saved",
        "the model holds exact counts, to watch for drift",
        "charges",
        "neighbors",
        "independent",
        ("dpsynth.synthesizers.facade:Synthesizer.fit_prepared", _counts_kept),
        ("dpsynth.synthesizers.fitted:FittedModel.save", _counts_saved),
    ),
    planted(
        "expected-rows-counted",
        "expected rows are those of the file",
        "control flow",
        "release",
        "independent",
        ("dpsynth.synthesizers.facade:Synthesizer.fit", _rows_expected),
    ),
)
