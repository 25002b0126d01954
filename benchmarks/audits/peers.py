"""Put other libraries' synthesizers on trial, each in an environment of its own.

    python3.11 -m venv peers/datasynthesizer
    peers/datasynthesizer/bin/pip install DataSynthesizer==0.1.13
    python3.11 -m venv peers/privsyn
    peers/privsyn/bin/pip install privsyn-core==0.1.1
    python benchmarks/audits/peers.py --datasynthesizer peers/datasynthesizer/bin/python \
        --privsyn peers/privsyn/bin/python --runs 60 --out audits.jsonl

What is printed is what was seen with these versions and settings, on made-up tables. It is evidence
about a claim as its documentation makes it, read with docs/benchmarks/audits-of-peers.md.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from attacks.conformance import put_on_trial
from attacks.conformance.anyone import FrameSpec
from attacks.conformance.anyone.spec import ADD_OR_REMOVE, REPLACE

WORKER = Path(__file__).with_name("peer_worker.py")
WARDS = {"sex": ["f", "m"], "ward": ["a", "b", "c"]}
CODES = {"sex": [0, 1], "ward": [0, 1, 2]}
_TYPES = {
    "attribute_to_datatype": dict.fromkeys(WARDS, "String"),
    "attribute_to_is_categorical": dict.fromkeys(WARDS, True),
}


_DECLARED = {**_TYPES, "attribute_to_is_candidate_key": dict.fromkeys(WARDS, False)}


class FaultError(Exception):
    """The peer raised."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A peer, as one may use it.

    Attributes:
        name: for people.
        peer: its distribution.
        settings: for the worker.
        columns: of its tables.
        neighboring: the adjacency that is tried.
        epsilon: as claimed.
        delta: as claimed.
    """

    name: str
    peer: str
    settings: Mapping[str, Any]
    columns: Mapping[str, Any]
    neighboring: str
    epsilon: float = 1.0
    delta: float = 0.0


SETTINGS = (
    Setting(
        name="DataSynthesizer, independent mode, all declared",
        peer="DataSynthesizer",
        settings={
            "mode": "independent",
            "describe": {"epsilon": 1.0, **_DECLARED},
            "domain": WARDS,
        },
        columns=WARDS,
        neighboring=REPLACE,
    ),
    Setting(
        name="DataSynthesizer, independent mode, as by default",
        peer="DataSynthesizer",
        settings={"mode": "independent", "describe": {"epsilon": 1.0, **_TYPES}},
        columns=WARDS,
        neighboring=REPLACE,
    ),
    Setting(
        name="privsyn-core, settings of its page",
        peer="privsyn-core",
        settings={
            "model": {
                "epsilon": 1.0,
                "delta": 1e-6,
                "extra_params": {"update_iterations": 5, "consist_iterations": 25},
            },
            "domain": {name: len(values) for name, values in CODES.items()},
        },
        columns=CODES,
        neighboring=ADD_OR_REMOVE,
        delta=1e-6,
    ),
)


class Peer:
    """A worker in the peer's Python, in the protocol of a trial."""

    def __init__(self, python: Path, setting: Setting) -> None:
        self._worker = subprocess.Popen(  # noqa: S603  # a peer's interpreter, our own script
            [
                str(python.absolute()),
                "-W",
                "ignore",
                str(WORKER),
                setting.peer,
                json.dumps(setting.settings),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the worker's answer, and say what the peer said."""
        assert self._worker.stdin is not None, "it was opened with a pipe"
        assert self._worker.stdout is not None, "it was opened with a pipe"
        self._worker.stdin.write(json.dumps(question) + "\n")
        self._worker.stdin.flush()
        answer: dict[str, Any] = json.loads(self._worker.stdout.readline())
        sys.stdout.write(answer.pop("said"))
        if "fault" in answer:
            raise FaultError(f"{answer['fault']}: {answer['text']}")
        return answer

    def fit(self, frame: pd.DataFrame, *, seed: int | None) -> "Peer":
        """Fit in the worker, which keeps one model."""
        self.ask({"frame": frame.to_dict(orient="list"), "seed": seed})
        return self

    def sample(self, rows: int | None, *, seed: int | None) -> pd.DataFrame:
        """Draw from the last fit; neither peer knows by itself how many rows to give."""
        if rows is None:
            raise FaultError("this peer has to be told how many rows")
        found = self.ask({"rows": rows, "seed": seed})["frame"]
        return pd.DataFrame(found["data"], columns=found["columns"])

    def close(self) -> None:
        """End the worker."""
        assert self._worker.stdin is not None, "it was opened with a pipe"
        self._worker.stdin.close()
        self._worker.wait()


def version(python: Path, distribution: str) -> str:
    """Return the installed version of a peer."""
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    done = subprocess.run(  # noqa: S603
        [str(python.absolute()), "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def main() -> None:
    """Try each setting of each peer that is there."""
    parser = argparse.ArgumentParser(description="Other libraries on trial.")
    parser.add_argument("--datasynthesizer", type=Path, metavar="PYTHON")
    parser.add_argument("--privsyn", type=Path, metavar="PYTHON")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    parser.add_argument("--runs", type=int, default=60, help="fits of a table in the last game")
    parser.add_argument("--rows", type=int, default=300, help="sampled of each fit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="lines of JSON, one a setting")
    asked = parser.parse_args()
    pythons = {"DataSynthesizer": asked.datasynthesizer, "privsyn-core": asked.privsyn}
    for setting in SETTINGS:
        python = pythons[setting.peer]
        if python is None or asked.only not in setting.name:
            continue
        spec = FrameSpec(
            columns=FrameSpec.of(setting.columns).columns, neighboring=setting.neighboring
        )
        peer = Peer(python, setting)
        found = put_on_trial(
            peer,
            spec,
            epsilon=setting.epsilon,
            delta=setting.delta,
            seed=asked.seed,
            name=f"{setting.name} {version(python, setting.peer)}",
            runs=asked.runs,
            rows=asked.rows,
            pairs_played=3,
            odd_cells=False,
        )
        peer.close()
        sys.stdout.write(f"{found.to_text()}\n\n")
        sys.stdout.flush()
        if asked.out is not None:
            line = {"settings": dict(setting.settings), **found.to_dict()}
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
