"""Drive our own attacks on the job that a peer gets, tables and all; executed by the harness.

What is counted starts from the three data frames: the schema's codes are part of it.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from attacks.attribute.nearest import Nearest
from attacks.base import Evidence
from attacks.engine.counts import record_words
from attacks.engine.encode import encode, missing, ordered, sizes
from attacks.engine.predicates import isolated
from attacks.engine.table import CodedTable, joined
from attacks.linkage.base import Halves
from attacks.linkage.closest import ClosestRows
from attacks.linkage.game import links
from attacks.observed import Stage
from attacks.singling_out.multivariate import Multivariate
from dpsynth.schema import Schema

PART = "_part"
TRIED = 6  # conditions on each released record: enough for 2,000 that it alone meets


def load(name: str) -> dict[str, str]:
    """Return versions; what a run needs is imported above."""
    del name
    return {package: version(package) for package in ("dpsynth", "numpy", "pandas")}


def attack(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Run the attack that the job names; return what it answered."""
    part = frame.pop(PART)
    schema = Schema.read(job["settings"]["schema"])
    release, members, controls = (
        encode(frame[part == name], schema, name=name, persons=False)
        for name in ("release", "members", "controls")
    )
    evidence = Evidence(
        release=release,
        population=controls.take(np.arange(0)),
        sizes=sizes(schema),
        ordered=ordered(schema),
        missing=missing(schema),
        seed=job["settings"]["seed"],
    )
    if job["name"] == "singling-out":
        return _singling_out(job["settings"], evidence, members, controls)
    targets = joined(members, controls)
    stage = Stage(targets=targets, one_row=targets, views=())
    if job["name"] == "inference":
        return _inference(job["settings"], evidence, stage)
    return _linkability(job["settings"], evidence, stage)


def _inference(settings: Mapping[str, Any], evidence: Evidence, stage: Stage) -> pd.DataFrame:
    """Guess each secret from all the other columns, members first."""
    said = Nearest(every_column=True).guess_each(evidence, stage, tuple(settings["secrets"]))
    return pd.DataFrame({secret: said[secret].values for secret in settings["secrets"]})


def _linkability(settings: Mapping[str, Any], evidence: Evidence, stage: Stage) -> pd.DataFrame:
    """Link the two halves of every target through their closest released rows."""
    halves = Halves(first=tuple(settings["first"]), second=tuple(settings["second"]))
    linked = links(ClosestRows(), evidence, stage, halves, reaches=(settings["neighbors"],))
    return pd.DataFrame({"linked": linked[:, 0]})


def _singling_out(
    settings: Mapping[str, Any], evidence: Evidence, members: CodedTable, controls: CodedTable
) -> pd.DataFrame:
    """State as many conditions as are asked for, and hold each against members and controls."""
    made = Multivariate(conditions=settings["columns"], each=TRIED, most=10**9).predicates(evidence)
    # As the peer does, each different condition once.
    order = np.argsort(made.columns, axis=1)
    parts = (made.columns, made.low, made.high)
    words = record_words(np.hstack([np.take_along_axis(part, order, axis=1) for part in parts]))
    _, first = np.unique(words, return_index=True)
    asked = made.take(np.sort(first)[: settings["attacks"]])
    assert len(asked) == settings["attacks"], "fewer conditions than asked for"
    hits = [isolated(asked, table) >= 0 for table in (members, controls)]
    stated = [
        json.dumps([columns.tolist(), low.tolist(), high.tolist()])
        for columns, low, high in zip(asked.columns, asked.low, asked.high, strict=True)
    ]
    return pd.DataFrame({"query": stated, "members": hits[0], "controls": hits[1]})
