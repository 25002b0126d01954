"""Fit and sample in a peer's own Python: lines of JSON in, lines of JSON out.

``fit`` keeps one model, ``sample`` draws from it. What a fit prints goes back with its answer.
"""

import contextlib
import io
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd


class DataSynthesizer:
    """Its independent or correlated mode, by the settings."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp())

    def fit(self, frame: pd.DataFrame, seed: int | None) -> None:
        """Describe a table."""
        from DataSynthesizer.DataDescriber import DataDescriber

        table, self._file = self._folder / "table.csv", str(self._folder / "described.json")
        frame.to_csv(table, index=False)
        given = dict(self._settings["describe"])
        if seed is not None:  # else what its documentation gives by default
            given["seed"] = seed % 2**32
        if "domain" in self._settings:
            domain = self._folder / "domain.json"
            domain.write_text(json.dumps(self._settings["domain"]), encoding="utf-8")
            given["categorical_attribute_domain_file"] = str(domain)
        describer = DataDescriber()
        getattr(describer, f"describe_dataset_in_{self._settings['mode']}_attribute_mode")(
            str(table), **given
        )
        describer.save_dataset_description_to_file(self._file)

    def sample(self, rows: int, seed: int) -> pd.DataFrame:
        """Draw rows."""
        from DataSynthesizer.DataGenerator import DataGenerator

        generator = DataGenerator()
        mode = self._settings["mode"]
        name = "independent_mode" if mode == "independent" else "correlated_attribute_mode"
        getattr(generator, f"generate_dataset_in_{name}")(rows, self._file, seed=seed)
        return pd.DataFrame(generator.synthetic_dataset)


class PrivSyn:
    """The model of privsyn-core."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def fit(self, frame: pd.DataFrame, seed: int | None) -> None:
        """Fit on codes."""
        from privsyn import PrivSynModel

        self._model = PrivSynModel(
            random_state=None if seed is None else seed % 2**32,
            artifact_root=tempfile.mkdtemp(),
            **self._settings["model"],
        )
        self._model.fit(frame, self._settings["domain"])

    def sample(self, rows: int, seed: int) -> pd.DataFrame:
        """Draw rows."""
        drawn: pd.DataFrame = self._model.sample(rows, seed=seed)
        return drawn


def main(name: str, settings: str) -> None:
    """Answer until the input ends."""
    peer: Any = {"DataSynthesizer": DataSynthesizer, "privsyn-core": PrivSyn}[name](
        json.loads(settings)
    )
    logging.basicConfig(level=logging.CRITICAL)
    for line in sys.stdin:
        asked, said = json.loads(line), io.StringIO()
        answer: dict[str, Any] = {}
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                if "frame" in asked:
                    peer.fit(pd.DataFrame(asked["frame"]), asked["seed"])
                else:
                    drawn = peer.sample(asked["rows"], asked["seed"])
                    answer["frame"] = json.loads(drawn.to_json(orient="split", index=False))
            except Exception as fault:  # noqa: BLE001  # whatever it is, it can be seen
                answer = {"fault": type(fault).__name__, "text": str(fault)}
        sys.stdout.write(json.dumps(answer | {"said": said.getvalue()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
