"""Many trials: installed synthesizers, on made-up schemas that reach all of their parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from attacks import policy
from attacks.conformance import evidence
from attacks.conformance.tiers import Tier

if TYPE_CHECKING:
    from dpsynth.schema import Schema

_Planned = tuple[Mapping[str, Any], "Schema", str, Tier]
EPSILON, DELTA = "1", "1/1000000000"
_COLUMNS: list[dict[str, Any]] = [
    {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 10},
    {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
    {"name": "ward", "kind": "categorical", "values": list("abcde"), "nullable": True},
    {"name": "cost", "kind": "continuous", "bounds": [0, 1000], "bins": 8},
    {"name": "person", "kind": "identifier"},
]
_PERSONS = {"kind": "person", "column": "person", "max_rows": 3}
_OPEN = {"name": "town", "kind": "categorical", "open": True}
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "rows": {"columns": _COLUMNS, "expected_rows": 1000},
    "persons of 3 rows": {"columns": _COLUMNS, "unit": _PERSONS, "expected_rows": 1000},
    "open columns": {
        "columns": [*_COLUMNS[:3], _COLUMNS[4], _OPEN],
        "unit": _PERSONS,
        "expected_rows": 1000,
    },
    "narrow": {"columns": _COLUMNS[1:2], "expected_rows": 1000},
}
# Which of them a tier has time for, where that is not all: those that reach most come first.
_TRIED: Mapping[Tier, Sequence[str]] = {
    Tier.smoke: ("persons of 3 rows",),
    Tier.standard: ("persons of 3 rows", "open columns"),
}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial.

    Attributes:
        plan: what was on trial.
        schema: what the schema is called.
        verdict: of this trial.
        evidence: see ``attacks.conformance.evidence``.
    """

    plan: Mapping[str, Any]
    schema: str
    verdict: policy.Verdict
    evidence: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Write as a stored result holds it."""
        return {
            "synthesizer": self.plan["synthesizer"],
            "schema": self.schema,
            "epsilon": self.plan["epsilon"],
            "delta": self.plan["delta"],
            "status": self.verdict.outcome,
            "reasons": list(self.verdict.reasons),
            "evidence": dict(self.evidence),
        }


def schemas(tier: Tier = Tier.full) -> "dict[str, Schema]":
    """Return the made-up schemas that ``tier`` tries where none is given."""
    from dpsynth.schema import Schema

    return {name: Schema.from_dict(dict(SCHEMAS[name])) for name in _TRIED.get(tier, SCHEMAS)}


def try_all(
    synthesizers: Sequence[Any],
    among: "Mapping[str, Schema]",
    *,
    epsilon: str = EPSILON,
    delta: str = DELTA,
    tier: Tier = Tier.smoke,
    jobs: int = 1,
    progress: Callable[[str], object] = lambda _: None,
) -> Iterator[Tried | str]:
    """Put each synthesizer on trial with each schema.

    Args:
        synthesizers: who is tried.
        among: made-up schemas by name.
        epsilon: exact text.
        delta: exact text.
        tier: how much is tried.
        jobs: trials at a time; with more than one each runs in a process of its own, which knows
            the synthesizers that are installed and no others.
        progress: told what is being tried, or what was where there are several at a time.

    Yields:
        A trial, or a sentence on why there is none: torch is missing, or the synthesizer has no
        plan for that schema and budget.
    """
    from dpsynth.errors import DpsynthError

    planned: list[_Planned] = []
    for each in synthesizers:
        for name, schema in among.items():
            try:
                plan = each.plan(schema, epsilon=epsilon, delta=delta).to_dict()
            except DpsynthError as error:
                yield f"{each.name}, {name}: {error}"
                continue
            if trains(plan) and find_spec("torch") is None:
                yield f"{each.name}, {name}: torch is not installed (pip install 'dpsynth[deep]')"
                continue
            planned.append((plan, schema, name, tier))
    if jobs == 1:
        yield from (_tried(each, progress) for each in planned)
        return
    # Trainings take longest: were they begun last, one process would wait for the other.
    order = sorted(range(len(planned)), key=lambda at: not trains(planned[at][0]))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_tried, planned[at]): at for at in order}
        found = {}
        for number, done in enumerate(as_completed(running), 1):
            found[running[done]] = tried = done.result()
            progress(f"{number} of {len(planned)}: {tried.plan['synthesizer']['name']}")
    yield from (found[at] for at in range(len(planned)))


def _tried(planned: _Planned, progress: Callable[[str], object] = lambda _: None) -> Tried:
    plan, schema, name, tier = planned

    def told(audit: str) -> None:
        progress(f"{plan['synthesizer']['name']}, {name}: {audit}")

    found = evidence.gather(plan, schema, tier=tier, progress=told)
    verdict = policy.trial_verdict(found, policy.DEFAULT, versions=found["versions"])
    return Tried(plan=plan, schema=name, verdict=verdict, evidence=found)


def trains(plan: Mapping[str, Any]) -> bool:
    """Whether a plan trains, so that torch is needed."""
    return any(step["event"]["kind"] == "sampled_gaussian/v1" for step in plan["steps"])


def result_of(tried: Sequence[Tried], skipped: Sequence[str], *, tier: Tier) -> dict[str, Any]:
    """Return the result of all trials: the worst of their verdicts; INCONCLUSIVE if none ran."""
    outcomes = {each.verdict.outcome for each in tried} or {policy.INCONCLUSIVE}
    worst = next(
        each for each in (policy.FAIL, policy.INCONCLUSIVE, policy.PASS) if each in outcomes
    )
    return {
        "format": evidence.FORMAT,
        "tier": tier.value,
        "status": worst,
        "skipped": list(skipped),
        "trials": [each.to_dict() for each in tried],
    }
