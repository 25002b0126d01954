"""Recorded times of attacks, as tables."""

import json

from dpsynth.bench import attack_times

MADE = {"commit": "abc1234", "date": "2026-11-23", "machine": "a machine, 2 cores"}
BESIDE = {
    "attack": "inference",
    "cpu_seconds": 0.6,
    "peak_mib": 200,
    "peer": "anonymeter",
    "peer_cpu_seconds": 270.0,
    "peer_peak_mib": 400,
    "times_faster": 450.0,
    "answers": {"guesses": 60_000, "without_a_tie": 59_000, "different": 0},
    "versions": {"numpy": "2.4.6"},
    "peer_versions": {"numpy": "1.26.4"},
    **MADE,
}
AUDIT = {
    "table": "adult",
    "rows": 48_842,
    "columns": 15,
    "tier": "standard",
    "cpu_seconds": 21.8,
    "peak_mib": 455,
    "verdict": "PASS",
    "steps": {"reading": 0.1, "boosting": 4.0},
    "versions": {"numpy": "2.4.6"},
    **MADE,
}


def test_attacks_beside_a_peer(tmp_path):
    path = tmp_path / "times.jsonl"
    path.write_text(json.dumps(BESIDE) + "\n", encoding="utf-8")
    shown = attack_times.beside_peer(attack_times.read(path))
    assert "| 0.60 | 200 | 270.0 | 400 | 450 | 100 |" in shown
    assert "- inference: guesses 60,000, without a tie 59,000, different 0" in shown
    # Either side's versions are its own.
    assert "numpy 2.4.6; the peer with numpy 1.26.4." in shown


def test_audits_and_where_their_time_goes():
    shown = attack_times.audits([AUDIT, {**AUDIT, "tier": "smoke", "cpu_seconds": 11.4}])
    assert "| adult | 48,842 | 15 | standard | 21.8 | 455 | PASS |" in shown
    assert shown.index("| boosting | 4.00 |") < shown.index("| reading | 0.10 |")
    assert shown.count("Commit abc1234") == 1
