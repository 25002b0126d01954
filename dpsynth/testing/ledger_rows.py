"""What stands in a ledger file, read by SQLite alone and not through the ledger's own code.

What a debit is worth is what another program would find; what an extract says is held against that.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from dpsynth.privacy.accounting import reserved_delta, split_trained, total_reserved_delta
from dpsynth.privacy.events import Event, event_from_dict
from dpsynth.privacy.ledger import EXTRACT_FORMAT, Cap

_BODIES = {
    "entries": "SELECT body, digest FROM entries ORDER BY position",
    "internal": "SELECT body, digest FROM internal ORDER BY position",
}
_REWRITES = {
    "entries": "UPDATE entries SET body = ?, digest = ? WHERE position = ?",
    "internal": "UPDATE internal SET body = ?, digest = ? WHERE position = ?",
}


def entries_on_disk(path: Path) -> int:
    """Return how many entries another program finds in a ledger file."""
    with closing(_reader(path)) as held:
        found: int = held.execute("SELECT count(*) FROM entries").fetchone()[0]
    return found


def bodies_on_disk(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a ledger file as documents, oldest first."""
    with closing(_reader(path)) as held:
        rows = held.execute(_BODIES["entries"]).fetchall()
    return [{**json.loads(body), "digest": digest} for body, digest in rows]


def cost_of(cap: Cap, events: Iterable[Event]) -> Fraction:
    """Return the sum of what each of ``events`` costs by itself, exact."""
    known: dict[Event, Fraction] = {}
    total = Fraction(0)
    for event in events:
        if event not in known:
            known[event] = Fraction(cap.cost(event))
        total += known[event]
    return total


def extract_on_disk(path: Path, release: str) -> dict[str, object]:
    """Return what the extract of a release must say, by the file alone.

    Args:
        path: of the ledger.
        release: its name.

    Returns:
        The extract; nothing where the file holds no charge of that release.
    """
    with closing(_reader(path)) as held:
        meta: dict[str, Any] = dict(held.execute("SELECT name, value FROM meta"))
    bodies = bodies_on_disk(path)
    mine = [at for at, body in enumerate(bodies) if body["release"] == release]
    if not mine:
        return {}
    events = [event_from_dict(body["event"]) for body in bodies]
    cap = Cap(epsilon=Fraction(meta["epsilon"]), delta=Fraction(meta["delta"]))
    if meta.get("selects") or reserved_delta(events[0]):
        cap = cap.for_selections()
    own, past = [events[at] for at in mine], events[: mine[-1] + 1]
    others = [events[at] for at in range(mine[-1]) if at not in set(mine)]
    shown = {"epsilon": str(cap.epsilon), "delta": str(cap.delta), "rho": str(cap.rho)}
    reserves = {}
    if split_trained(past)[0]:
        shown["order"] = str(cap.order)
    if cap.reserved:
        shown["reserved_delta"] = str(cap.reserved)
        reserves = {
            f"reserved_delta_{name}": str(total_reserved_delta(some))
            for name, some in (("before", others), ("release", own), ("after", past))
        }
    return {
        "format": EXTRACT_FORMAT,
        "release": release,
        "cap": shown,
        "rho_before": str(cost_of(cap, others)),
        "rho_release": str(cost_of(cap, own)),
        "rho_after": str(cost_of(cap, others) + cost_of(cap, own)),
        **reserves,
        "entries": [bodies[at] for at in mine],
    }


def dated(original: Path, copy: Path, day: Callable[[int], str]) -> None:
    """Write ``original`` as it would be, had it been written on other days.

    Nothing else differs: the chain is made anew by what is published of it, a SHA-256 of canonical
    JSON, so that a sound ledger opens the copy.

    Args:
        original: a ledger.
        copy: where nothing stands that is still needed.
        day: from the position of an entry or note to the day that it bears.
    """
    copy.write_bytes(original.read_bytes())
    with closing(sqlite3.connect(copy)) as held:
        held.execute("PRAGMA synchronous = OFF")
        for trigger in held.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            held.execute(f"DROP TRIGGER {trigger[0]}")
        for table, rewrite in _REWRITES.items():
            before = ""
            for at, (body, _) in enumerate(held.execute(_BODIES[table]).fetchall()):
                document = {**json.loads(body), "date": day(at)}
                if before:
                    document["previous"] = before
                text = json.dumps(
                    document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
                )
                before = hashlib.sha256(text.encode()).hexdigest()
                held.execute(rewrite, (text, before, at))
        held.commit()


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
