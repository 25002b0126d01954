"""Does a whole release tell more of a person than its noisy answers do?

The command that makes releases is run on neighboring tables from copies of one ledger, with every
answer frozen. What it prints, its exit code, the names of files and every byte of what may leave
the house must then be the same. Names and digests that are new in every run are known from two runs
on one table: what is the same in those must be the same on the neighbor. Nothing may be left behind
beside the release, and nothing in it but the public folder may be open to others. What the attacks
on real persons find may change none of that.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from attacks.conformance.checks import Check, witness
from attacks.conformance.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth import Ledger
    from dpsynth.testing.rehearsal import Rehearsed, Released

FLOW, PAST, SIDE = "control flow", "post-processing", "side channels"
_NEW = re.compile(rb"[0-9a-f]{16,}")  # a name or a digest
_OWN = ("internal verdict", "internal audit")  # lines for the custodian alone
_PARTS = {"synthetic": PAST, "model": PAST, "plan": FLOW, "schema": FLOW}
_MANIFEST = "manifest.json"  # digests of the others


def audit(trial: Trial) -> list[Check]:
    """Return whether a release gives anything away beside its answers."""
    from dpsynth.cli.app import main
    from dpsynth.testing import rehearsal

    faults: dict[str, str] = {}  # sentences, with the component of each
    seen: list[Released] = []
    with rehearsal.stage(
        trial.synthesizer,
        trial.schema,
        epsilon=trial.epsilon,
        delta=trial.delta,
        command=main,
    ) as stage:
        for table, neighbor in _pairs(trial):
            first = rehearsal.Rehearsed(trial.synthesizer, seed=trial.seed)
            here = stage.release(table, synthesizer=first)
            again = partial(
                rehearsal.Rehearsed, trial.synthesizer, seed=trial.seed, recorded=first.tape
            )
            same = stage.release(table, synthesizer=again())
            there = stage.release(neighbor, synthesizer=again())
            if not seen:
                for verdict in ("FAIL", "error"):
                    other = stage.release(table, synthesizer=again(), internal=verdict)
                    faults |= _independent(here, same, other)
            seen += [here, there]
            faults |= {**_alone(here), **_differences(here, same, there)}
    # One person after the other leads from any of these tables to any other.
    if len({each.code for each in seen}) > 1:
        faults["the exit code depends on the rows"] = FLOW
    if len({_NEW.sub(b"", "\n".join(each.said).encode()) for each in seen}) > 1:
        faults["what is said depends on the rows"] = SIDE
    if any(each.code for each in seen) and not faults:
        raise ValueError("no release of made-up rows could be made")
    faults |= _fits(trial)
    looked = {
        FLOW: "the same exit code and plan, whatever the rows and the attacks on real persons",
        PAST: "the same model and synthetic table from the same answers",
        SIDE: "the same words, names of files and public bytes, and nothing left behind",
    }
    return [
        witness(
            f"release/{component}",
            component,
            "; ".join(each for each in faults if faults[each] == component) or sound,
            violations=sum(held == component for held in faults.values()),
            trials=len(seen) // 2,
        )
        for component, sound in looked.items()
    ]


def _pairs(trial: Trial) -> "Iterator[tuple[pd.DataFrame, pd.DataFrame]]":
    """Yield tables with their neighbors: of some rows, of none, and of cells nobody expects."""
    import pandas as pd

    from dpsynth.testing import crowds
    from dpsynth.testing.rows import named_rows, odd_rows

    some = trial.table.iloc[:200].reset_index(drop=True)
    person = named_rows(trial.table.iloc[200:202].reset_index(drop=True), trial.schema, every=False)
    odd = named_rows(odd_rows(trial.schema, person, missing=False), trial.schema, every=False)
    every, whose = crowds.crowd(trial.schema, seed=trial.seed)
    for table, more in ((some, person), (some.iloc[:0], person), (some, odd)):
        yield table, pd.concat([table, more], ignore_index=True) if len(table) else more
    yield every.loc[whose != 0].reset_index(drop=True), every


def _alone(seen: "Released") -> dict[str, str]:
    found = {}
    if seen.left:
        found["a release leaves files that nobody asked for"] = SIDE
    if seen.open_to_all:
        found["what only the custodian may see is open to others on the machine"] = SIDE
    return found


def _differences(here: "Released", same: "Released", there: "Released") -> dict[str, str]:
    """Return what tells the neighbor apart from the table that was released twice."""
    found = {}
    if len({here.code, same.code, there.code}) > 1:
        found["the exit code depends on one person"] = FLOW
    if not _alike(*("\n".join(seen.said).encode() for seen in (here, same, there))):
        found["what is said depends on one person"] = SIDE
    names = [(*seen.public, *seen.internal, *seen.left) for seen in (here, same, there)]
    if len(set(names)) > 1:
        return {**found, "names of files depend on one person": SIDE}
    for name in sorted(here.public, key=lambda name: name == _MANIFEST):
        if found and name == _MANIFEST:
            break
        content = here.public[name]
        if not _alike(content, same.public[name], there.public[name]):
            part = name.partition("/")[0].partition(".")[0]
            sentence = f"the public file {name} depends on one person beside the answers"
            found[sentence] = _PARTS.get(part, SIDE)
    return found


def _alike(here: bytes, same: bytes, there: bytes) -> bool:
    """Whether two contents are one, but for names and digests that are new in every run."""
    if here == there:
        return True
    if _NEW.split(here) != _NEW.split(there):
        return False
    tokens = [_NEW.findall(each) for each in (here, same, there)]
    fixed = zip(*tokens, strict=True) if len({len(each) for each in tokens}) == 1 else ()
    return bool(tokens[0]) and all(a == c for a, b, c in fixed if a == b)


def _independent(here: "Released", same: "Released", other: "Released") -> dict[str, str]:
    """Return what the attacks on real persons changed outside of the custodian's folder."""
    told = [
        tuple(
            line for line in "\n".join(seen.said).splitlines() if not any(o in line for o in _OWN)
        )
        for seen in (here, same, other)
    ]
    public = here.public.keys() == other.public.keys() and all(
        _alike(content, same.public[name], other.public[name])
        for name, content in here.public.items()
    )
    faults = {
        "the exit code follows the attacks on real persons": here.code != other.code,
        "the public folder follows the attacks on real persons": not public,
        "what is said follows the attacks on real persons": told[0] != told[2],
    }
    return {each: FLOW for each, found in faults.items() if found}


def _fits(trial: Trial) -> dict[str, str]:
    """Fit without a release: the plan that is carried out follows from the schema alone."""
    from dpsynth.testing import rehearsal
    from dpsynth.testing.outcome import outcome_of

    plans = []
    for rows in (7, 20):
        run = rehearsal.Rehearsed(trial.synthesizer, seed=trial.seed)
        table = trial.table.iloc[:rows].reset_index(drop=True)
        with rehearsal.ledger_for(trial.plan) as ledger:
            seen = outcome_of(partial(_fit, run, trial, table, ledger))
        plans.append((repr(seen.fault), None if seen.model is None else dict(seen.model.plan)))
    if plans[0] != plans[1]:
        return {"the plan that is carried out follows the rows": FLOW}
    return {}


def _fit(
    run: "Rehearsed", trial: Trial, table: "pd.DataFrame", ledger: "Ledger"
) -> tuple[object, tuple[()]]:
    model = run.fit(
        table, schema=trial.schema, epsilon=trial.epsilon, delta=trial.delta, ledger=ledger
    )
    return model, ()
