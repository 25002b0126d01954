"""The two pages: what they say, what they may never hold, and that nothing in them can act."""

import json
import os
import re
import runpy
import subprocess
import sys
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attacks.report import lines, marginals, public, render_internal, render_public, summary
from attacks.report.canvas import Canvas

Page = runpy.run_path(str(Path(__file__).with_name("strict_page.py")))["Page"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "$\\frac{",
    "$x$",
    "]]></svg><img src=x>",
    "{{ 7 * 7 }}",
    "pay\u202egpj",
    "bell\x07\x1b[31m",
    "שלום",
    "@0@",
    "=1+1",
    "&amp; & &#60;",
    "x" * 300,
    "two\nlines",
    "%s",
]


def claim_of(names, **changed):
    rho = Fraction(1, 100)
    event = {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": str(len(names) / (2 * rho)),
        "l2_sensitivity_squared": "1",
    }
    charges = [
        {
            "index": place,
            "phase": "one_way",
            "label": f"marginal({name})",
            "event": event,
            "rho": str(rho / len(names)),
            "date": "2026-11-22",
        }
        for place, name in enumerate(names)
    ]
    return {
        "epsilon": "1",
        "delta": "1/1000000000",
        "rho": str(rho),
        "unit": "person",
        "unit_column": "id",
        "max_rows": 5,
        "neighboring": "add_or_remove",
        "synthesizer": {"name": "mst", "settings": {}},
        "release": "r1",
        "ledger": charges,
        "seeded": False,
        "random_source": "operating system",
        "table_cumulative": {
            "rho_before": "12/1000",
            "rho_after": "22/1000",
            "epsilon": "1.52",
            "delta": "1/1000000000",
            "cap_epsilon": "3",
            "cap_rho": "89/1000",
        },
        "provenance": {
            "unit": {"kind": {"status": "declared"}},
            "columns": {
                name: {
                    "kind": {"status": "declared", "note": "codebook"},
                    "values": {"status": "confirmed", "reason": f"looked up {name}"},
                }
                for name in names
            },
        },
        "conditional": True,
        **changed,
    }


def trial_of(*checks):
    return {
        "subject": "0" * 64,
        "tier": "smoke",
        "date": "2026-11-22",
        "versions": {"python": "3.11.9"},
        "columns": {"declared": 3, "fitted": 3},
        "checks": list(checks),
    }


def predicate_of(names, **changed):
    return {
        "claim": claim_of(names),
        "conformance": trial_of(
            {"name": "noise/law", "status": "passed", "trials": 200_000, "detail": "as planned"},
            {"name": "neighbors/replay", "status": "error", "detail": "did not finish"},
        ),
        "not_tested": ["timing"],
        "policy": {
            "name": "dpsynth-default/2",
            "max_epsilon": "10",
            "max_delta": "1/100000",
            "required_audits": ["noise", "neighbors"],
        },
        "verdict": "INCONCLUSIVE",
        "reasons": ["the check neighbors/replay did not come to a result (error)"],
        "csv": "cells that begin with = are led by an apostrophe",
        "date": "2026-11-22",
        "versions": {"python": "3.11.9"},
        "limitations": ["true facts about groups are not kept secret"],
        **changed,
    }


def folder_of(tmp_path, names, *, rows=200, name="public"):
    folder = tmp_path / name
    folder.mkdir()
    rng = np.random.default_rng(5)
    values = ["alpha", "<b>", "$\\sum$", "ש"]
    frame = pd.DataFrame(
        {
            column: rng.normal(size=rows) if place % 2 else rng.choice(values, size=rows)
            for place, column in enumerate(names)
        }
    )
    frame.to_parquet(folder / "synthetic.parquet")
    claim = claim_of(names)
    ledger = {
        "cap": {"epsilon": "3", "delta": "1/1000000000", "rho": "89/1000"},
        "rho_before": "12/1000",
        "rho_release": "1/100",
        "rho_after": "22/1000",
        "entries": [
            {key: line[key] for key in ("index", "label", "event", "date")}
            for line in claim["ledger"]
        ],
    }
    (folder / "ledger.json").write_text(json.dumps(ledger))
    return folder


def result(name, **changed):
    return {
        "name": name,
        "goal": "MEMBERSHIP",
        "threat_model": {
            "goal": "MEMBERSHIP",
            "generator": "WHITE_BOX",
            "data": "POPULATION_SAMPLE",
            "auxiliary": "age, $\\frac",
        },
        "status": "passed",
        "members_hits": 30,
        "members_n": 1000,
        "controls_hits": 10,
        "controls_n": 900,
        "baseline_rate": 0.01,
        "rate_members": 0.03,
        "rate_members_interval": [0.0203, 0.0425],
        "rate_controls": 0.0111,
        "rate_controls_interval": [0.0053, 0.0204],
        "difference": 0.0189,
        "difference_interval": [0.001, 0.04],
        "detectable_effect": 0.031,
        "p_value": None,
        "adjusted_p_value": None,
        "auc": 0.51,
        "auc_interval": [0.49, 0.53],
        "notes": ["<i>note</i>"],
        **changed,
    }


def dossier_of(**changed):
    return {
        "verdict": "PASS",
        "sentence": "PASS: no attack did better on members.",
        "claim": "see certificate",
        "audit": {
            "split": "unknown",
            "tier": "smoke",
            "unit": "person",
            "results": [
                result("membership/marginal@1% false alarms"),
                result("membership/marginal@10% false alarms"),
                result("attribute/inference(marital-status@home)@all targets"),
                {"name": "attribute/inference", "status": "not applicable"},
            ],
        },
        "fidelity": {
            "measures": [
                {"name": "pairs", "value": 0.05, "ceiling": 0.02, "floor": 0.12},
                {"name": "single columns", "value": 0.01, "ceiling": 0.02, "floor": None},
            ],
            "columns": [
                {
                    "name": name,
                    "ordered": bool(place % 2),
                    "labels": ["<b>", "b", "c"],
                    "real": [0.5, 0.3, 0.2],
                    "synthetic": [0.4, 0.4, 0.2],
                }
                for place, name in enumerate(HOSTILE)
            ],
        },
        **changed,
    }


def written(folder):
    return (folder / "report.html").read_text("utf-8"), (folder / "summary.md").read_text("utf-8")


@pytest.fixture
def pages(tmp_path):
    outside = folder_of(tmp_path, HOSTILE)
    render_public(outside, predicate_of(HOSTILE))
    inside = tmp_path / "internal"
    inside.mkdir()
    certificate = {"predicate": predicate_of(HOSTILE)}
    (outside / "certificate.json").write_text(json.dumps(certificate))
    digest = sha256((outside / "certificate.json").read_bytes()).hexdigest()
    render_internal(inside, dossier_of(release={"certificate": digest}))
    return {"public": written(outside), "internal": written(inside)}


@pytest.mark.parametrize("tier", ["public", "internal"])
def test_nothing_in_a_page_can_act_or_fetch(pages, tier):
    text, _ = pages[tier]
    page = Page(text)
    assert not set(page.tags) & {"script", "iframe", "object", "embed", "img", "link", "base"}
    assert len(page.ids) == len(set(page.ids))
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in {"href", "src", "xlink:href"}:
            assert value.startswith("#")
            assert value[1:] in page.ids
    assert any(
        value == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        for name, value in page.attributes
        if name == "content"
    )
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("tier", ["public", "internal"])
def test_hostile_names_are_text(pages, tier):
    text, short = pages[tier]
    page = Page(text)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "pay\\u{202e}gpj" in page.text
    for letter in ("\u202e", "\x07", "\x1b"):
        assert letter not in text
        assert letter not in short
    assert "<script" not in text.lower()
    assert "<img" not in text.lower()


@pytest.mark.parametrize("tier", ["public", "internal"])
def test_every_chart_is_named_described_and_followed_by_its_numbers(pages, tier):
    text, _ = pages[tier]
    charts = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(charts) > len(HOSTILE)
    for chart in charts:
        assert 'role="img"' in chart
        assert re.search(r'aria-label="[^"]+"', chart)
        assert re.search(r"<title>[^<]+</title>", chart)
        assert re.search(r"<desc [^>]*>[^<]+</desc>", chart)
    for tile in re.findall(r'<div class="tile">.*?</details>', text, flags=re.DOTALL):
        assert tile.index("<svg") < tile.index("<table>")
    assert text.count('<div class="tile">') == len(HOSTILE)


@pytest.mark.parametrize("tier", ["public", "internal"])
def test_words_that_promise_too_much_are_not_used(pages, tier):
    for text in pages[tier]:
        words = (Page(text).text if "<html" in text else text).lower()
        for forbidden in ("anonym", "compliant", "safe", "risk-free", "privacy score"):
            assert forbidden not in words


def test_the_first_words_are_the_verdict_its_policy_and_the_claim(pages):
    page = Page(pages["public"][0])
    start = page.text[:1500]
    assert "INCONCLUSIVE" in start
    assert "dpsynth-default/2" in start
    assert "did not come to a result" in start
    assert "any one person, with up to 5 rows" in start
    assert "a factor of 2.72" in start
    assert "10⁻⁹" in start
    # e / (1 + e) = 73.106 %, and e of one percent = 2.718 %, both rounded up.
    assert "73.2\N{NO-BREAK SPACE}%" in page.text
    assert "2.8\N{NO-BREAK SPACE}%" in page.text
    # 0.067 of 0.089 is left, rounded down.
    assert "75.2\N{NO-BREAK SPACE}%" in page.text


def test_the_public_page_speaks_of_its_evidence_and_its_gaps(pages):
    page = Page(pages["public"][0])
    for words in ("passed", "error", "did not finish", "timing", "true facts about groups"):
        assert words in page.text
    assert "This release is conditional" in page.text
    assert "no public source named" in page.text
    assert "200,000" in page.text


def test_the_public_page_knows_nothing_but_predicate_and_public_files(tmp_path):
    folder = folder_of(tmp_path, ["age", "sex"])
    render_public(folder, predicate_of(["age", "sex"]))
    before = written(folder)
    beside = tmp_path / "internal"
    beside.mkdir()
    (beside / "audit.json").write_text(json.dumps(dossier_of()["audit"]))
    render_public(folder, predicate_of(["age", "sex"]))
    assert written(folder) == before
    assert "controls" not in Page(before[0]).text


def test_the_internal_page_says_in_bold_what_it_is(pages):
    text, short = pages["internal"]
    assert re.search(
        r"<strong>This part is internal\. It is computed from real persons, outside", text
    )
    assert short.startswith("# Internal dossier: not for publication")
    page = Page(text)
    assert "tell whether a person's record was in the private table" in page.text
    assert "can also read the fitted model" in page.text
    assert "3.0\N{NO-BREAK SPACE}% (2.0\N{NO-BREAK SPACE}% to 4.2\N{NO-BREAK SPACE}%)" in page.text
    assert "30 of 1,000 members, 10 of 900 controls" in page.text
    assert "3.1 points" in page.text
    assert "not applicable" in page.text
    assert "not measured" in page.text
    assert "No attack did better on members." in page.text


def test_the_claim_stands_beside_the_attacks_only_if_they_are_about_it(pages, tmp_path):
    assert "That is the claim" in Page(pages["internal"][0]).text
    inside = tmp_path / "internal"
    render_internal(inside, dossier_of(release={"certificate": "0" * 64}))
    assert "That is the claim" not in Page(written(inside)[0]).text


def test_checks_are_told_by_audit_and_none_is_hidden_by_the_others(tmp_path):
    common = {"audit": "law", "component": "noise", "kind": "test", "trials": 50_000}
    checks = [
        {**common, "name": f"noise/{place}", "status": "passed", "p_value": 0.25, "level": 1e-8}
        for place in range(20)
    ]
    checks.append({**common, "name": "noise/last", "status": "failed", "detail": "too little"})
    checks.append(
        {
            **common,
            "name": "noise/scale",
            "status": "passed",
            "detectable": 1.024,
            "given": {"rule": "energy", "sigma_squared": "9"},
        }
    )
    render_public(tmp_path, predicate_of(["age"], conformance=trial_of(*checks), verdict="FAIL"))
    text, short = written(tmp_path)
    page = Page(text)
    assert "21 of 22 checks passed" in page.text
    assert "Noise: last: failed" in page.text
    assert "Noise: 19" in page.text
    assert "smallest p-value 0.25" in page.text
    assert "noise too small by a factor of 1.03" in page.text  # rounded against the claim
    assert "frozen inputs, noise: failed, 21 of 22 checks passed" in short


def test_a_game_shows_its_bound_beside_what_it_could_have_shown(tmp_path):
    given = {
        "rule": "game",
        "name": "game/frozen path",
        "score": "likelihood",
        "world": "one person unlike all others",
        "runs_out": 4_000,
        "false_positives": 1_480,
        "runs_in": 4_000,
        "false_negatives": 1_490,
        "events": [
            {
                "kind": "discrete_gaussian/v1",
                "sigma_squared": "9",
                "l2_sensitivity_squared": "4",
            }
        ],
        "delta": "1/1000000000",
        "level": 0.01,
        "reach": 1.0,
    }
    game = {
        "name": "game/frozen path",
        "status": "passed",
        "audit": "game",
        "kind": "game",
        "component": "claim",
        "p_value": 0.5,
        "trials": 8_000,
        "detectable": 1.16,
        "given": given,
    }
    seen = {**game, "name": "neighbors/sensitivity", "audit": "neighbors", "kind": "witness"}
    seen |= {"violations": 0, "given": {}, "component": "sensitivity"}
    render_public(tmp_path, predicate_of(["age"], conformance=trial_of(game, seen)))
    page = Page(written(tmp_path)[0])
    assert "epsilon at least 0." in page.text
    assert "8,000 runs can show" in page.text
    assert "noise too small by a factor of 1.16" in page.text
    assert "0 violations in 8,000 comparisons" in page.text
    assert "any single one" in page.text


def test_a_name_in_the_summary_is_no_markup():
    assert summary.md("[a](http://b) `c` <i> *d* @e") == (
        "\\[a\\](http:\\//b) \\`c\\` \\<i\\> \\*d\\* \\@e"
    )
    assert summary.md("www.b") == "www\\.b"
    assert summary.md("- x") == "\\- x"
    assert summary.md("20 of 21, e-mail, 3.5") == "20 of 21, e-mail, 3.5"


def test_a_table_of_another_tool_has_no_claim(tmp_path):
    render_internal(tmp_path, dossier_of(claim="no claim"))
    assert "No claim:" in Page(written(tmp_path)[0]).text


def test_operating_points_share_one_attacker_and_columns_keep_their_names():
    assert lines.attack_parts("attribute/inference(marital-status@home)@all targets") == (
        "Vote of the nearest records",
        "marital-status@home",
        "all targets",
    )
    assert lines.attack_parts("membership/gen_lra") == ("Gen lra", "", "")
    assert lines.attack_parts("attribute/cap(a@b)") == ("Cap", "a@b", "")
    point = lines.attack_parts("membership/marginal@1.0% false alarms")[2]
    assert point == "at 1\N{NO-BREAK SPACE}% false alarms"
    assert lines.attack_parts("membership/x@10% false alarms")[2].startswith(
        "at 10\N{NO-BREAK SPACE}%"
    )
    assert lines.attack_parts("membership/x@0.1% false alarms")[2].startswith(
        "at 0.1\N{NO-BREAK SPACE}%"
    )


def test_same_input_same_bytes_in_another_process(tmp_path):
    folder = folder_of(tmp_path, HOSTILE)
    predicate = predicate_of(HOSTILE)
    render_public(folder, predicate)
    first = written(folder)
    render_public(folder, predicate)
    assert written(folder) == first
    (tmp_path / "predicate.json").write_text(json.dumps(predicate))
    program = (
        "import json, sys; from pathlib import Path; from attacks.report import render_public; "
        "render_public(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(folder), str(tmp_path / "predicate.json")],
        check=True,
        env={
            **os.environ,
            "PYTHONHASHSEED": "77",
            "TZ": "Asia/Tokyo",
            "MPLCONFIGDIR": str(tmp_path / "mpl"),
        },
    )
    assert written(folder) == first


def test_a_hundred_columns_stay_below_two_megabytes(tmp_path):
    names = [f"column number {place} of a wide table" for place in range(100)]
    folder = folder_of(tmp_path, names, rows=2000)
    render_public(folder, predicate_of(names))
    assert (folder / "report.html").stat().st_size <= 2 * 2**20
    assert written(folder)[0].count('<div class="tile">') == 100


def test_numbers_that_are_missing_are_said_to_be(tmp_path):
    render_public(tmp_path, {})
    text, short = written(tmp_path)
    page = Page(text)
    assert "INCONCLUSIVE" in page.text
    assert "nothing limits an attacker" in page.text
    assert "No check was run" in page.text
    assert "none was run" in short


def test_a_weak_epsilon_is_called_weak(tmp_path):
    changed = claim_of(["age"], epsilon="8")
    render_public(tmp_path, predicate_of(["age"], claim=changed))
    assert "limits a strong attacker very little" in Page(written(tmp_path)[0]).text


def test_a_seeded_release_protects_nobody(tmp_path):
    render_public(tmp_path, predicate_of(["age"], claim=claim_of(["age"], seeded=True)))
    assert "protects nobody" in Page(written(tmp_path)[0]).text


def test_one_row_is_not_given_up_to_one_rows(tmp_path):
    claim = public.claim_of(claim_of(["age"], unit="row", max_rows=1), {})
    assert claim["sentence"].startswith("This release protects the presence of any one row: adding")


def test_marginals_are_shares_short_enough_to_read():
    labels = [f"{low}" for low in range(1000)]
    column = marginals.arranged("age", "integer", labels, np.arange(1000.0))
    assert len(column.labels) <= marginals.BINS
    assert column.labels[0] == "0 to 24"
    assert column.labels[-1] == "975 to 999"
    assert sum(column.shares) == pytest.approx(1)
    # The same number of values in each bin: a flat column must look flat.
    flat = marginals.arranged("age", "integer", range(85), np.ones(85))
    assert len(set(flat.shares[:-1])) == 1
    ranges = [f"{low} to {low + 4}" for low in range(0, 500, 5)]
    gap = marginals.arranged(
        "x", "integer", [*ranges, "(missing)"], np.ones(101), missing_last=True
    )
    assert gap.labels[0] == "0 to 14"
    assert gap.labels[-2:] == ("495 to 499", "(missing)")
    assert gap.shares[-1] == pytest.approx(1 / 101)
    many = marginals.arranged("code", "categorical", labels, np.arange(1000.0))
    assert many.labels[0] == "999"
    assert many.labels[-1] == "all 961 other values"
    assert sum(many.shares) == pytest.approx(1)
    # A noisy count may be below zero; a share may not.
    assert marginals.arranged("x", "boolean", ["a", "b"], [-3.0, 6.0]).shares == (1.0, 0.0)


def test_a_drawing_holds_no_date_no_creator_and_no_markup_of_a_name():
    sheet = Canvas(100, 40)
    sheet.text(5, 20, "$\\frac{</text><script>", room=400)
    drawn = sheet.svg(ident="one", title="<&>", description="d")
    assert "$\\frac{&lt;/text&gt;&lt;script&gt;" in drawn
    assert not re.search(r"\d{4}-\d{2}|[Mm]atplotlib|metadata|https?:", drawn)
    assert "<title>&lt;&amp;&gt;</title>" in drawn


def test_the_model_is_shown_by_declared_value_as_drawing_from_it_would(tmp_path):
    import dpsynth

    schema = dpsynth.Schema.from_dict(
        {
            "format": "dpsynth-schema/1",
            "unit": {"kind": "row"},
            "columns": [
                {"name": "sex", "kind": "categorical", "dtype": "str", "values": ["f", "m"]},
                {"name": "age", "kind": "integer", "dtype": "int64", "bounds": (0, 59)},
            ],
        }
    )
    ages = np.repeat(np.arange(60), 500)
    table = pd.DataFrame({"sex": ["f", "f", "f", "m"] * (len(ages) // 4), "age": ages})
    ledger = dpsynth.Ledger.in_memory(cap_epsilon=Fraction(50), cap_delta=Fraction(1, 1000))
    fitted = dpsynth.Independent().fit(
        table, schema=schema, epsilon=20, delta="0.000001", ledger=ledger
    )
    fitted.save(tmp_path / "model")
    (sex, age), origin = marginals.of_release(tmp_path)
    assert origin == "the released model"
    assert dict(zip(sex.labels, sex.shares, strict=True))["f"] == pytest.approx(0.75, abs=0.02)
    assert age.ordered
    assert age.labels[0].startswith("0")
    assert age.labels[-1].endswith("59")
    drawn = fitted.sample(60_000, seed=1)["age"].to_numpy()
    edges = [int(label.split(" to ")[0]) for label in age.labels]
    seen = np.histogram(drawn, bins=[*edges, 60])[0] / drawn.size
    assert np.abs(seen - np.asarray(age.shares)).max() < 0.01
