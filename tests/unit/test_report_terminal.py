"""Tables for a terminal: the right figures, and no name that can write to the screen."""

from dataclasses import dataclass, field
from io import StringIO

from rich.console import Console

from attacks.report import terminal


def printed(table):
    console = Console(file=StringIO(), width=160, color_system=None)
    console.print(table)
    return console.file.getvalue()


STEP = {
    "phase": "one_way",
    "label": "marginal([red]age\x1b[31m)",
    "event": {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": "2500",
        "l2_sensitivity_squared": "1",
    },
    "rho": "1/5000",
}


def test_the_bill_names_each_question_its_noise_and_its_share():
    choice = {
        "phase": "selection",
        "label": "pick",
        "event": {"kind": "exponential_selection/v1", "epsilon": "1/25"},
        "rho": "1/5000",
    }
    text = printed(terminal.plan_table({"epsilon": "1", "rho": "1/2500", "steps": [STEP, choice]}))
    assert "marginal([red]age\\u{1b}[31m)" in text
    assert "50 rows" in text
    assert "choice at epsilon 0.04" in text
    assert text.count("50.0\N{NO-BREAK SPACE}%") == 2


def test_the_ledger_shows_what_is_left_rounded_down():
    entry = {**STEP, "index": 0, "release": "r1", "date": "2026-11-22", "seeded": True}
    entry.pop("rho")
    extract = {"cap": {"epsilon": "3", "rho": "3/5000"}, "entries": [entry]}
    text = printed(terminal.ledger_table(extract))
    assert "left rho 0.0004 (66.6\N{NO-BREAK SPACE}%)" in text
    assert "seeded: protects nobody" in text
    assert "0.0002" in text
    assert "\x1b" not in text


def test_an_audit_shows_rates_beside_the_guess():
    result = {
        "name": "membership/marginal@1% false alarms",
        "status": "failed",
        "members_n": 10,
        "controls_n": 10,
        "rate_members": 0.9,
        "rate_members_interval": [0.55, 0.99],
        "rate_controls": 0.0,
        "rate_controls_interval": [0.0, 0.31],
        "baseline_rate": 0.01,
        "detectable_effect": None,
    }
    text = printed(terminal.audit_table({"results": [result]}))
    assert "Membership: marginal, 1% false alarms" in text
    assert "failed" in text
    assert "90.0\N{NO-BREAK SPACE}% (55.0\N{NO-BREAK SPACE}% to 99.0\N{NO-BREAK SPACE}%)" in text


@dataclass
class Found:
    """As much of a verification as the table reads."""

    verdict: str = "PASS"
    reasons: tuple = ()
    fingerprint: str = "SHA256:abc"
    trusted: bool = False
    claim: dict = field(
        default_factory=lambda: {"epsilon": "1", "delta": "1/10", "unit": "row", "max_rows": 1}
    )
    internal_verdict: str | None = "FAIL"
    sign_offs: tuple = ()
    files: int = 9


def test_a_signer_who_was_not_checked_is_said_not_to_be():
    assert "not checked against a trusted key" in printed(terminal.verification_table(Found()))
    assert "FAIL" in printed(terminal.verification_table(Found()))
    trusted = printed(terminal.verification_table(Found(trusted=True)))
    assert "the trusted key" in trusted
    assert "not checked" not in trusted
