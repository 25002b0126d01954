"""Drive anonymeter's three attacks; executed by its own Python, through the harness.

The rows of a job are those of three tables, told apart by the column ``PART``: the release, the
members and the controls. Answers come back as a frame of texts, for comparison.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

PART = "_part"


def load(name: str) -> dict[str, str]:
    """Import what a run needs, compile what is compiled at first use, and return versions."""
    from anonymeter import evaluators

    few = pd.DataFrame({"a": np.arange(12.0), "b": list("xyzx") * 3, "c": np.arange(12) % 5})
    if name == "inference":
        evaluators.InferenceEvaluator(
            ori=few, syn=few, aux_cols=["a", "c"], secret=few.columns[1], n_attacks=2
        ).evaluate(n_jobs=1)
    elif name == "linkability":
        evaluators.LinkabilityEvaluator(
            ori=few, syn=few, aux_cols=(["a"], ["b", "c"]), n_attacks=2
        ).evaluate(n_jobs=1)
    packages = ("anonymeter", "numba", "numpy", "pandas", "polars")
    return {package: version(package) for package in packages}


def attack(job: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Run the attack that the job names; return what it answered."""
    part = frame.pop(PART)
    release, members, controls = (
        frame[part == name].reset_index(drop=True) for name in ("release", "members", "controls")
    )
    run = {"inference": _inference, "linkability": _linkability, "singling-out": _singling_out}
    return run[job["name"]](job["settings"], release, members, controls)


def _inference(
    settings: Mapping[str, Any],
    release: pd.DataFrame,
    members: pd.DataFrame,
    controls: pd.DataFrame,
) -> pd.DataFrame:
    """Guess each secret of every member and control from all the other columns."""
    from anonymeter.evaluators import InferenceEvaluator

    guesses = {}
    for secret in settings["secrets"]:
        done = InferenceEvaluator(
            ori=members,
            syn=release,
            control=controls,
            aux_cols=[name for name in release.columns if name != secret],
            secret=secret,
            n_attacks=len(members),
        ).evaluate(n_jobs=1)
        sides = (
            (done._guesses_success, members.index),
            (done._guesses_control, controls.index),
        )
        guesses[secret] = np.concatenate([said.reindex(who).astype(str) for said, who in sides])
    return pd.DataFrame(guesses)


def _linkability(
    settings: Mapping[str, Any],
    release: pd.DataFrame,
    members: pd.DataFrame,
    controls: pd.DataFrame,
) -> pd.DataFrame:
    """Link the two halves of every member and control through their closest released rows."""
    from anonymeter.evaluators import LinkabilityEvaluator

    # It draws the order of its targets from numpy's global state: set, so that it can be repeated.
    np.random.seed(settings["seed"])  # noqa: NPY002  # it draws from there
    most = settings["neighbors"]
    done = LinkabilityEvaluator(
        ori=members,
        syn=release,
        control=controls,
        aux_cols=(settings["first"], settings["second"]),
        n_attacks=len(members),
        n_neighbors=most,
    ).evaluate(n_jobs=1)
    np.random.seed(settings["seed"])  # noqa: NPY002  # it draws from there
    sides = []
    for people, found in ((members, done._attack_links), (controls, done._control_links)):
        order = people.sample(len(people), replace=False).index
        linked = np.zeros(len(people), dtype=bool)
        linked[order[list(found.find_links(most))]] = True
        rows = [pd.DataFrame(index=order, data=idx) for idx in (found._idx_0, found._idx_1)]
        both = pd.concat(rows, axis=1).sort_index()
        both.columns = [f"{half}{place}" for half in "ab" for place in range(most)]
        sides.append(both.assign(linked=linked))
    return pd.concat(sides, ignore_index=True).astype(str)


def _singling_out(
    settings: Mapping[str, Any],
    release: pd.DataFrame,
    members: pd.DataFrame,
    controls: pd.DataFrame,
) -> pd.DataFrame:
    """State conditions on several columns, and hold each against members and controls."""
    from anonymeter.evaluators import SinglingOutEvaluator
    from anonymeter.evaluators import singling_out_evaluator as module

    asked = []
    evaluate = module._evaluate_queries_and_return_successful

    def kept(df: Any, queries: Any) -> Any:
        right = evaluate(df=df, queries=queries)
        asked.append((queries, right))
        return right

    module._evaluate_queries_and_return_successful = kept
    SinglingOutEvaluator(
        ori=members,
        syn=release,
        control=controls,
        n_attacks=settings["attacks"],
        n_cols=settings["columns"],
        seed=settings["seed"],
    ).evaluate(mode="multivariate")
    (queries, among_members), _, (_, among_controls) = asked
    hits = [{id(query) for query in right} for right in (among_members, among_controls)]
    return pd.DataFrame(
        {
            "query": [str(query) for query in queries],
            "members": [json.dumps(id(query) in hits[0]) for query in queries],
            "controls": [json.dumps(id(query) in hits[1]) for query in queries],
        }
    )
