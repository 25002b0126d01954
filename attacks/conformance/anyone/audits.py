"""What can be seen of any mechanism with certainty, beside the games."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

import dpsynth
from attacks.conformance import bill
from attacks.conformance.anyone.duel import Bench
from attacks.conformance.anyone.outcome import Finding
from attacks.conformance.anyone.spec import FrameSpec, Levels, Numbers, Texts
from attacks.conformance.anyone.tables import made_up, spread_rows
from attacks.conformance.anyone.watch import Seen

if TYPE_CHECKING:
    import pandas as pd

_CLOSE = 1e-6
_SECRETS = 211  # rows
_DRAWN = 2_000
_AGAIN = 4  # fits with fresh noise that are held against each other
_MOST_SHARED = 1e-3  # chance that an open text of one person may be released at all
EventTuple = tuple[dict[str, str], ...]


def priced(
    events: Sequence[Mapping[str, str]] | None, *, epsilon: float, delta: float
) -> list[Finding]:
    """Return whether the events of a fit cost more than is claimed.

    By the better of two bills: pure epsilons added up, and zCDP. Both are upper bounds for some
    mechanisms, so only a bill that both find too high is held against it.

    Raises:
        UnsupportedEventError: an event is unknown or malformed.
    """
    if not events:
        return []
    dpsynth.claimed_epsilon(
        events, Fraction(str(max(delta, 1e-12)))
    )  # refuses what it does not know
    found = []
    pure = [bill.pure_epsilon(event) for event in events if event["kind"] in _PURE]
    costs = [sum(each or 0.0 for each in pure)] if len(pure) == len(events) else []
    if delta > 0:
        costs.append(bill.least_epsilon(events, str(delta)))
        costs.append(float(dpsynth.claimed_epsilon(events, Fraction(str(delta)))))
    if not costs:
        found.append("a claim without a delta holds an event that needs one")
    elif min(costs) > epsilon * (1 + _CLOSE):
        found.append(f"the events cost epsilon {min(costs):.4g}, and {epsilon:g} is claimed")
    return [Finding(audit="bill", component="accounting", sentence=each) for each in found]


_PURE = ("discrete_laplace/v1", "exponential_selection/v1")


def conduct(pair: str, out: Sequence[Seen], within: Sequence[Seen]) -> list[Finding]:
    """Return what was the same in all fits of either table, and not the same in both."""
    found = []
    here, there = ([each.conduct() for each in seen] for seen in (out, within))
    for name in here[0]:
        values = [{str(each[name]) for each in world} for world in (here, there)]
        if len(values[0]) == len(values[1]) == 1 and values[0] != values[1]:
            component = _COMPONENTS.get(name, "side channels")
            found.append(
                Finding(
                    audit="conduct",
                    component=component,
                    sentence=f"{name}: not the same on two neighboring tables, in all of "
                    f"{len(out)} fits of each ({pair})",
                )
            )
    return found


_COMPONENTS = {
    "how the fit ended": "control flow",
    "whether rows are given when none are asked for": "control flow",
    "what was charged": "charges",
    "columns, types, categories or index of the sample": "post-processing",
}


def surprise(epsilon: float, fits: int) -> float:
    """Return the chance that a mechanism tells two tables apart in all of ``fits`` fits of each.

    Of a pure mechanism, at most: either error is at least ``1 / (1 + exp(epsilon))`` for the best
    rule, and the first fits said what to look for.
    """
    return exp(-2 * max(0, fits - 1) * log(1 + exp(-epsilon)))


def planned(seen: Sequence[Seen]) -> list[Finding]:
    """Return whether fits of one table were charged for different things, or for nothing."""
    events = {repr(each.events) for each in seen if each.ended == "well"}
    if len(events) > 1:
        sentence = "fits of one table with different seeds were charged for different things"
        return [Finding(audit="bill", component="charges", sentence=sentence)]
    return []


def undeclared(spec: FrameSpec, table: "pd.DataFrame", seen: Seen, pair: str) -> list[Finding]:
    """Return values of rows that are not declared, and stand in a sample nevertheless."""
    found = []
    for name, kind in spec.modeled.items():
        if seen.frame is None or name not in seen.frame or name not in table:
            continue
        if isinstance(kind, Levels):
            known = {str(each) for each in kind.values}
            strange = {str(each) for each in table[name].dropna()} - known
            sampled = {str(each) for each in seen.frame[name].dropna()}
            hit = bool(strange & sampled)
        elif isinstance(kind, Numbers):
            held = np.asarray(
                [each for each in table[name] if isinstance(each, float | int)], dtype=np.float64
            )
            outside = held[np.isfinite(held) & ((held < kind.low) | (held > kind.high))]
            drawn = np.asarray(
                [each for each in seen.frame[name] if isinstance(each, float | int)],
                dtype=np.float64,
            )
            hit = bool(np.isin(outside, drawn).any())
        else:
            hit = False
        if hit:
            found.append(
                Finding(
                    audit="raw",
                    component="raw values",
                    sentence=f"an undeclared value of {name} stands in the sample ({pair})",
                )
            )
    return found


def raw(bench: Bench, *, delta: float) -> list[Finding]:
    """Return which secrets of made-up rows stand in what is released of them."""
    spec = bench.spec
    table = spread_rows(spec, made_up(bench.seed, 1), rows=_SECRETS)
    open_ = delta * _SECRETS > _MOST_SHARED
    found = []
    for seen in (bench.once(table, seed=bench.seed + at, rows=_DRAWN) for at in range(3)):
        for name, kind in spec.columns.items():
            if isinstance(kind, Levels) or (isinstance(kind, Numbers) and kind.whole):
                continue
            if isinstance(kind, Texts) and name != spec.person and open_:
                continue
            secrets = {repr(each) for each in table[name]}
            drawn = {
                repr(each)
                for frame in (seen.frame, seen.given)
                if frame is not None and name in frame
                for each in frame[name]
            }
            if secrets & drawn:
                found.append(f"values of {name} stand in the sample as they were in the rows")
            if any(each.strip("'").encode() in seen.held for each in secrets if len(each) > 10):
                found.append(f"values of {name} stand in what is said, charged or left behind")
    return [
        Finding(audit="raw", component="raw values", sentence=each) for each in dict.fromkeys(found)
    ]


def repeats(bench: Bench, factory: Any = None) -> tuple[list[Finding], list[str]]:
    """Return whether fresh noise is fresh, and what could not be looked at.

    Held against fits with seeds: where those differ, two with fresh noise must differ as well.

    Args:
        bench: where to run.
        factory: makes the mechanism anew, or names what does as ``module:name``; or None.
    """
    table = spread_rows(bench.spec, made_up(bench.seed, 2), rows=_SECRETS)
    seeded = [bench.once(table, seed=seed).fingerprint for seed in (11, 22, 33, 44)]
    if len(set(seeded)) < len(seeded):
        return [], ["the noise leaves samples alike: whether it repeats cannot be seen by them"]
    found, notes = [], []
    fresh = [bench.once(table, seed=None).fingerprint for _ in range(_AGAIN)]
    if len(set(fresh)) < len(fresh):
        found.append("fits with fresh noise gave the same sample twice")
    if callable(factory):
        anew = []
        for _ in range(_AGAIN):
            again = Bench(
                mechanism=factory(),
                spec=bench.spec,
                rows=bench.rows,
                seed=bench.seed,
                folder=bench.folder,
            )
            anew.append(again.once(table, seed=None).fingerprint)
        if len(set(anew)) < len(anew):
            found.append("the mechanism, made anew, gave the same sample with fresh noise")
    target = factory if isinstance(factory, str) else _importable(factory)
    if target is None:
        notes.append("noise was not compared between processes: no module:name to make it from")
    else:
        words = [_of_process(target, table, bench.rows) for _ in range(2)]
        if words[0] == words[1]:
            found.append("two processes gave the same sample with fresh noise")
    return [
        Finding(audit="randomness", component="randomness", sentence=each) for each in found
    ], notes


def _importable(factory: Any) -> str | None:
    module, name = getattr(factory, "__module__", None), getattr(factory, "__qualname__", "")
    if (
        module in (None, "__main__")
        or "<" in name
        or getattr(sys.modules.get(str(module)), name, None) is not factory
    ):
        return None
    return f"{module}:{name}"


def _of_process(target: str, table: "pd.DataFrame", rows: int) -> str:
    command = [sys.executable, "-m", "attacks.conformance.anyone.child", target, str(rows)]
    done = subprocess.run(  # noqa: S603  # this interpreter, our own module
        command,
        input=table.to_json(orient="table", index=False),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return done.stdout.strip()
