"""The same findings for a terminal: pure functions that return what rich can print.

Every cell is a ``Text``, never mark-up, and is cleaned of control characters: a column called
``[red]`` or one that holds an escape sequence prints as its letters.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from attacks.report import bundle, internal, page
from attacks.report.wording import (
    clean,
    exact,
    mapping,
    number,
    percent,
    power_of_ten,
    sequence,
    share,
)

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from attacks.verify import Verification

_STYLES = {"good": "green", "bad": "bold red", "open": "yellow", "rest": "dim"}


def _text(words: object, style: str = "") -> "Text":
    from rich.text import Text

    return Text(clean(words), style=style)


def _table(title: str, *columns: str, right: Sequence[str] = ()) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=_text(title, "bold"), box=box.SIMPLE_HEAD, title_justify="left")
    for name in columns:
        table.add_column(_text(name), justify="right" if name in right else "left", overflow="fold")
    return table


def verdict_line(word: str, sentence: str) -> "Text":
    """Return a verdict in its color and its sentence."""
    found = page.verdict_of(word)
    line = _text(found["word"], f"bold {_STYLES[found['tone']]}")
    return line.append(f"  {clean(sentence)}", style="default")


def audit_table(report: Mapping[str, Any]) -> "Table":
    """Return one line an attack. ``report``: as AuditReport.to_dict gives it."""
    view = [internal.attack_view(mapping(result)) for result in sequence(report.get("results"))]
    table = _table(
        "Attacks on real persons (internal)",
        "attack",
        "outcome",
        "members",
        "controls",
        "guess",
        "was sure to see",
    )
    for attack in view:
        status = attack["status"]
        table.add_row(
            _text(attack["name"]),
            _text(f"{status['mark']} {status['word']}", _STYLES[status["tone"]]),
            _text(attack["members"]),
            _text(attack["controls"]),
            _text(attack["baseline"]),
            _text(attack["effect"]),
        )
    return table


def plan_table(plan: Mapping[str, Any]) -> "Table":
    """Return the bill by phase and question. ``plan``: as Plan.to_dict gives it."""
    groups = bundle.phases([mapping(step) for step in sequence(plan.get("steps"))])
    total = sum((item.rho for _, items in groups for item in items), Fraction(0)) or Fraction(1)
    table = _table(
        f"Bill: epsilon {number(plan.get('epsilon'))}, rho {number(plan.get('rho'))}",
        "phase",
        "question",
        "mechanism",
        "noise",
        "share",
        right=("noise", "share"),
    )
    for name, items in groups:
        for index, item in enumerate(items):
            table.add_row(
                _text(name if index == 0 else ""),
                _text(item.label),
                _text(item.mechanism),
                _text(item.noise),
                _text(share(float(item.rho / total))),
            )
    return table


def ledger_table(extract: Mapping[str, Any]) -> "Table":
    """Return what the table's ledger holds. ``extract``: as in ledger.json, or a whole ledger.

    A document without ``rho_before`` is read as the whole ledger: its entries are what was spent.
    """
    cap = mapping(extract.get("cap"))
    entries = [mapping(entry) for entry in sequence(extract.get("entries"))]
    limit = exact(cap.get("rho")) or Fraction(0)
    paid = sum((bundle.charge_of(entry).rho for entry in entries), Fraction(0))
    spent = exact(extract.get("rho_after"))
    spent = paid if spent is None else spent
    left = max(limit - spent, Fraction(0))
    room = f" ({percent(left / limit, up=False)})" if limit else ""
    table = _table(
        f"Ledger: cap epsilon {number(cap.get('epsilon'), up=False)}, "
        f"rho {number(limit, up=False)}; left rho {number(left, up=False)}{room}",
        "#",
        "release",
        "date",
        "question",
        "noise",
        "rho",
        right=("#", "noise", "rho"),
    )
    for entry in entries:
        charge = bundle.charge_of(entry)
        seeded = " (seeded: protects nobody)" if entry.get("seeded") else ""
        table.add_row(
            _text(entry.get("index", "")),
            _text(entry.get("release", "")),
            _text(entry.get("date", "")),
            _text(charge.label + seeded),
            _text(charge.noise),
            _text(number(charge.rho)),
        )
    return table


def verification_table(found: "Verification") -> "Table":
    """Return what an intact release says, and who said it."""
    claim = found.claim
    bound = f"epsilon {number(claim.get('epsilon'))}, delta {power_of_ten(claim.get('delta'))}"
    signer = "the trusted key" if found.trusted else "not checked against a trusted key"
    rows = [
        ("files", f"{found.files} intact", "good"),
        ("signature", f"good; {signer}", "good" if found.trusted else "open"),
        ("fingerprint", found.fingerprint, ""),
        (
            "claim",
            f"{bound}, one {claim.get('unit')} with at most {claim.get('max_rows')} row(s)",
            "",
        ),
        ("verdict", found.verdict, page.verdict_of(found.verdict)["tone"]),
        *(("", reason, "") for reason in found.reasons),
    ]
    if found.internal_verdict is not None:
        tone = page.verdict_of(found.internal_verdict)["tone"]
        rows.append(("internal verdict", found.internal_verdict, tone))
    rows += [
        ("sign-off", f"{note.decision} by {note.name} ({note.role}), {note.date}", "")
        for note in found.sign_offs
    ]
    table = _table("Verification", "what", "found")
    for what, words, tone in rows:
        table.add_row(_text(what), _text(words, _STYLES.get(tone, "")))
    return table
