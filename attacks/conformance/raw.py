"""The raw-value scan: does anything of the rows stand in what is released, as it was?

On a table whose every person has an identifier of its own, and whose every continuous value is one
of 2**52: that one of them comes out by chance does not happen.
"""

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from attacks.conformance.checks import Check, witness
from attacks.conformance.trial import ROWS, Trial

if TYPE_CHECKING:
    import pandas as pd

RAW = "raw values"
_DRAWN = 3 * ROWS
_APART = 1 << 32  # from the seed of the rows: of one seed, rows and samples hold the same fractions
_MANY_DIGITS = 12  # behind the point, of a value that no other row has by chance
_LEAST_TEXT = 6  # characters of a text that is looked for: shorter ones occur by themselves


def audit(trial: Trial) -> list[Check]:
    """Return what of the rows was found in the models, their documents and their samples."""
    models = trial.fitted.models[:2]
    secrets = _secrets(trial.table, trial)
    tables, files, lengths = list[str](), list[str](), list[str]()
    for model in models:
        tables += _in_table(model.sample(_DRAWN, seed=trial.seed + _APART), secrets)
        files += _in_files(model, secrets)
        if any(ROWS in array.shape for array in _arrays(model)):
            lengths.append("an array as long as the table stands in the model")
    if models and all(_is_whole(model, ROWS) for model in models):
        lengths.append("the exact number of rows stands in the model")
    looked = {
        "raw/synthetic table": (tables, "no identifier or lone value of a row in what is sampled"),
        "raw/model files": (files, "no identifier or lone value of a row in what is saved"),
        "raw/number of rows": (lengths, "nothing as long as the table, or of its exact number"),
    }
    return [
        witness(
            name,
            RAW,
            "; ".join(dict.fromkeys(found)) or sound,
            violations=len(found),
            trials=len(models),
        )
        for name, (found, sound) in looked.items()
    ]


def _secrets(table: "pd.DataFrame", trial: Trial) -> dict[str, set[object]]:
    """Return by column the cells that nothing else could bring forth."""
    from dpsynth.schema.columns import ContinuousColumn, IdentifierColumn

    found: dict[str, set[object]] = {}
    for column in trial.schema.columns:
        if column.name not in table:
            continue
        cells = table[column.name].dropna()
        if isinstance(column, IdentifierColumn):
            found[column.name] = set(cells.astype(str))
        elif isinstance(column, ContinuousColumn):
            # What is rounded, or piles up at a bound, others have as well.
            if column.decimals is not None and column.decimals < _MANY_DIGITS:
                continue
            alone = cells[~cells.duplicated(keep=False)]
            found[column.name] = {float(each) for each in alone if float(each) % 2**-10}
    return found


def _in_table(drawn: "pd.DataFrame", secrets: dict[str, set[object]]) -> list[str]:
    found = []
    for name, held in secrets.items():
        if name not in drawn:
            continue
        cells = drawn[name].dropna()
        texts = any(isinstance(each, str) for each in held)
        hit = {str(each) if texts else float(each) for each in cells}
        if hit & held:
            found.append(f"values of {name} stand in the synthetic table as they were")
    return found


def _in_files(model: Any, secrets: dict[str, set[object]]) -> list[str]:
    """Look for texts in all that is written of a model, and for numbers in its documents."""
    texts = {each for held in secrets.values() for each in held if isinstance(each, str)}
    numbers = {each for held in secrets.values() for each in held if isinstance(each, float)}
    with TemporaryDirectory() as folder:
        model.save(folder)
        from pathlib import Path

        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    found = []
    for name, content in files.items():
        held = content.decode("utf-8", "replace")
        if any(text in held for text in texts if len(text) >= _LEAST_TEXT):
            found.append(f"an identifier of a person stands in {name}")
        if name.endswith(".json") and numbers & set(_numbers(json.loads(held))):
            found.append(f"a value of a row stands in {name}")
    if any(
        numbers & set(array.ravel().tolist()) for array in _arrays(model) if array.dtype == float
    ):
        found.append("a value of a row stands in an array of the model")
    return found


def _numbers(document: object) -> list[float]:
    if isinstance(document, dict):
        return [number for each in document.values() for number in _numbers(each)]
    if isinstance(document, list):
        return [number for each in document for number in _numbers(each)]
    return [document] if isinstance(document, float) else []


def _arrays(model: Any) -> list[Any]:
    _, arrays = model.model.to_arrays()
    merged = [held for each in model.coarsenings.values() for held in (each.groups, each.weights)]
    return [np.asarray(each) for each in (*arrays.values(), *merged)]


def _is_whole(model: Any, rows: int) -> bool:
    return float(model.total) == rows
