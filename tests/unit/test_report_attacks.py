"""The attack section: every line told, the worst first, and what the audit could not see."""

import re
import runpy
from pathlib import Path

import pytest

from attacks.audit_report import AuditReport
from attacks.observed import Figure
from attacks.report import choice, families, forest, lines, render_internal, summary, terminal
from attacks.report.canvas import Canvas
from attacks.results import AttackResult, LowerBound, Plant, Witness
from attacks.suite import SUITE
from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel
from dpsynth.cli import console

Page = runpy.run_path(str(Path(__file__).with_name("strict_page.py")))["Page"]
NBSP = "\N{NO-BREAK SPACE}"
POINTS = ("0.1% false alarms", "1.0% false alarms", "ranking")
GOALS = {
    "membership": Goal.MEMBERSHIP,
    "attribute": Goal.ATTRIBUTE,
    "singling_out": Goal.SINGLING_OUT,
    "linkage": Goal.LINKAGE,
    "scan": Goal.IDENTITY,
}


def result(name, *, members=20, controls=10, status="passed", subgroup="", **changed):
    goal = GOALS[name.partition("/")[0]]
    model = ThreatModel(
        goal=goal,
        generator=GeneratorAccess.CALIBRATED,
        data=DataKnowledge.POPULATION_SAMPLE,
        auxiliary=("age", "sex", "site of care"),
    )
    counts = {
        "members_hits": members,
        "members_n": 2000,
        "controls_hits": controls,
        "controls_n": 1000,
        "baseline_rate": 0.01,
        "adjusted_p_value": 0.0001 if status == "failed" else 0.7,
        "detectable_effect": 0.021,
    }
    ran = "@" in name
    return AttackResult(
        name=f"{name}, {subgroup}" if subgroup else name,
        goal=goal.name,
        threat_model=model.to_dict(),
        status=status,
        subgroup=subgroup,
        **{**(counts if ran else {}), **changed},
    )


def many(**changed):
    """Return an audit of over sixty lines, three of which failed, one in a subgroup alone."""
    found = [
        result(f"membership/attack_{place}@{point}") for place in range(12) for point in POINTS
    ]
    found[0] = result(found[0].name, members=300, status="failed")
    found += [
        result(f"attribute/guess_{place}({secret})@all targets", members=900, controls=450)
        for place in range(4)
        for secret in ("diagnosis", "income <b>")
    ]
    found += [result(f"singling_out/{name}@one column") for name in ("univariate", "multivariate")]
    found += [result(f"linkage/halves@{point}") for point in ("nearest", "ten nearest")]
    found += [result("scan/copies@unique records", members=90, controls=0, status="failed")]
    for group in (
        "sex = F",
        "sex = M",
        "site of care = Basel",
        "site of care = Chur",
        "age 0 to 9",
    ):
        worst = group.endswith("Chur")
        found += [
            result(
                f"membership/attack_{place}@ranking",
                members=900 if worst and place == 1 else 20,
                status="failed" if worst and place == 1 else "passed",
                subgroup=group,
            )
            for place in range(3)
        ]
    found += [
        result("membership/shadow", status="not applicable", notes=("nothing can be run",)),
        result("attribute/broken", status="error", notes=("stopped with ValueError",)),
    ]
    return report(tuple(found), **changed)


def report(results, **changed):
    line = result("membership/attack_3@0.1% false alarms", members=60, status="failed")
    settings = {
        "split": "random",
        "tier": "standard",
        "seed": 7,
        "unit": "person",
        "plan": {"attacks": ["membership/attack_3"], "permutations": 10_000},
        "plants": tuple(
            Plant(share=share, planted=planted, line=best)
            for share, planted, best in (
                (0.001, 2, result("membership/attack_3@ranking")),
                (0.01, 20, line),
                (0.1, 200, line),
            )
        ),
        "shift_p_value": 0.41,
        "lower_bounds": (
            LowerBound(
                method="one run",
                guesses=300,
                correct=190,
                epsilon=0.62,
                ceiling=6.41,
                delta=1e-5,
                confidence=0.95,
                persons=3000,
                assumptions=("each person was a fair coin",),
            ),
        ),
        "conventions": (
            Figure(name="identity risk", value=0.031, low=0.02, high=0.04, group="members"),
        ),
        "smoke_test": (Figure(name="nearer to a member", value=0.503, low=0.49, high=0.52),),
    }
    return AuditReport(results=results, **{**settings, **changed})


def rendered(folder, audit, *, claim="no claim"):
    document = audit.to_dict()
    dossier = {"audit": document, "verdict": document["verdict"], "claim": claim}
    render_internal(folder, dossier)
    return (folder / "report.html").read_text("utf-8"), (folder / "summary.md").read_text("utf-8")


def section(text, name):
    found = re.search(rf'<section id="{name}".*?</section>', text, flags=re.DOTALL)
    return found.group() if found else ""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return rendered(tmp_path_factory.mktemp("many"), many())


def test_every_line_is_in_a_table_once_and_every_plot_is_described(page):
    text, _ = page
    audit = many()
    assert len(audit.results) > 60
    for key in ("membership", "inference", "singling-out", "linkability", "identity", "subgroups"):
        body = section(text, key)
        table = re.findall(r'<tr><th scope="row">(.*?)</th>', body)
        for line in lines.lines_of([found.to_dict() for found in audit.results]):
            mine = line.subgroup if key == "subgroups" else not line.subgroup
            if mine and key in (line.family.key, "subgroups"):
                shown = line.title.replace("<", "&lt;").replace(">", "&gt;")
                group = f", <bdi>{line.subgroup}</bdi>" if line.subgroup else ""
                told = [row for row in table if row.startswith(f"<bdi>{shown}</bdi>{group}<div")]
                assert len(told) == 1, line.name
    charts = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(charts) > 10
    assert all(re.search(r"<title>[^<]+</title>\s*<desc [^>]*>[^<]+</desc>", one) for one in charts)


def test_the_page_is_well_formed_offline_and_without_script(page):
    text, _ = page
    found = Page(text)
    assert not set(found.tags) & {"script", "img", "link", "iframe", "object"}
    assert len(found.ids) == len(set(found.ids))
    links = [value for name, value in found.attributes if name == "href"]
    assert links
    assert all(value[0] == "#" and value[1:] in found.ids for value in links)
    assert len(text) < 2**20


def test_a_family_of_many_lines_draws_the_telling_ones_first(page):
    text, _ = page
    body = section(text, "membership")
    first, _, rest = body.partition("Every line as a plot")
    assert "13 attacks, 37 lines: 1 failed, 35 passed, 1 not applicable" in Page(body).text
    drawn = first.count(">ranking<") + first.count("false alarms")
    assert 0 < drawn < rest.count(">ranking<") + rest.count("false alarms")
    assert f"at 0.1{NBSP}% false alarms: failed" in first


def test_failures_are_named_at_once_worst_first_subgroups_too(page):
    text, short = page
    glance = Page(section(text, "glance")).text
    places = [glance.index(name) for name in ("site of care = Chur", "Attack 0", "Copies")]
    assert places[0] < places[1]
    assert "error" in glance
    assert "Attack 0" in short
    assert "Attack 5" in short
    assert len(short.splitlines()) < 60


def test_each_heading_says_what_it_shows_and_what_it_does_not(page):
    text, _ = page
    for family in families.FAMILIES[:5]:
        body = Page(section(text, family.key)).text
        assert family.question in body
        assert "What it does not show:" in body
        assert family.silent[1:60] in body


def test_subgroups_are_put_together_by_the_column_that_makes_them(page):
    text, _ = page
    headings = re.findall(r"<h3><bdi>(.*?)</bdi>", section(text, "subgroups"))
    assert headings == ["sex", "site of care", "age"]


def test_the_audit_tells_what_it_could_see(page):
    text, _ = page
    seen = Page(section(text, "power")).text
    assert f"0.1{NBSP}%" in seen
    assert "it was found" in seen
    assert "p = 0.41" in seen
    bound = Page(section(text, "bound")).text
    assert "6.41" in bound
    assert "each person was a fair coin" in bound
    smoke = Page(section(text, "smoke")).text
    assert "They never enter the verdict" in smoke
    assert "0.09" in Page(section(text, "conventions")).text


def test_a_plant_that_was_not_found_and_a_shift_are_said_loudly(tmp_path):
    blind = report(
        (result("membership/a@ranking"),),
        plants=(Plant(share=0.01, planted=20, line=result("membership/a@ranking")),),
        shift_p_value=1e-6,
    )
    text, _ = rendered(tmp_path, blind)
    seen = Page(section(text, "power")).text
    assert "it was not found, so this audit cannot end in a pass" in seen
    assert "tells them apart (p = 1e-06)" in seen
    assert "INCONCLUSIVE" in text


def test_witnesses_come_before_everything_else(tmp_path):
    witness = Witness(
        kind="identifier", column="id", cells=12, decides=True, sentence="real identifiers stand"
    )
    text, short = rendered(tmp_path, many(witnesses=(witness,)))
    assert text.index("Found without any statistics") < text.index("At a glance")
    assert "real identifiers stand" in section(text, "witnesses")
    assert "Found without statistics: real identifiers stand" in short
    assert not section(rendered(tmp_path, many())[0], "witnesses")


def test_the_page_says_why_acting_on_it_leaves_the_promise(tmp_path):
    certified, _ = rendered(tmp_path, many(), claim="see certificate")
    act = Page(section(certified, "act")).text
    assert "withholding or repeating a release because of this page leaves the promise" in act
    assert "Charging the ledger again does not repair that" in act
    other, _ = rendered(tmp_path, many(), claim="no claim")
    assert "there is no promise to leave" in Page(section(other, "act")).text


def test_without_a_coin_no_p_value_is_shown(tmp_path):
    plain = result("membership/a@ranking", status="uncalibrated", adjusted_p_value=None)
    text, _ = rendered(tmp_path, report((plain,), split="unknown", plants=(), shift_p_value=None))
    assert "no p-value has a meaning" in Page(section(text, "power")).text
    assert "not given" in Page(section(text, "membership")).text
    assert "uncalibrated" in Page(section(text, "membership")).text


def test_an_audit_of_nothing_is_still_a_page(tmp_path):
    text, short = rendered(tmp_path, report((), plan={}, plants=(), lower_bounds=()))
    assert "No attack gave a rate" in Page(text).text
    assert "No attack was run" in short


def test_colors_belong_to_the_page_which_has_a_dark_side(page):
    text, _ = page
    assert "prefers-color-scheme: dark" in text
    charts = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    colors = set(re.findall(r"#[0-9a-f]{6}", charts))
    assert not colors
    named = set(re.findall(r"var\(--([a-z]+)\)", charts))
    light, dark = (
        set(re.findall(r"--([a-z-]+):", part)) for part in text.split("@media screen")[:2]
    )
    assert named <= light
    assert named <= dark
    sheet = Canvas(90, 20)
    sheet.text(5, 15, "#1d2a35", room=90)
    assert ">#1d2a35<" in sheet.svg(ident="one", title="t", description="d")


def test_the_summary_fits_a_ticket_and_counts_what_it_leaves_out(page):
    _, short = page
    whole = [found for found in many().results if not found.subgroup]
    rows = [line for line in short.splitlines() if line.startswith("| ")][2:]
    (rest,) = re.findall(r"and (\d+) lines more in report\\?\.html", short)
    assert len(rows) + int(rest) == len(whole)


def test_sixty_lines_on_a_terminal_are_short_and_hide_no_failure():
    text = terminal.attack_text(many().to_dict(), table=console.table)
    told = text.splitlines()
    assert len(told) < 45
    assert max(map(len, told)) <= terminal.COLUMNS
    assert text.count("  failed") == 3
    assert "4 lines failed or broke in all" in text
    assert "site of care = Chur: Attack 1" in text
    assert "error" in text
    assert "SINGLING OUT" in text
    assert "planted copies of members: 0.1 % NOT FOUND, 1 % found, 10 % found" in text
    shown = sum(line.startswith("  ") for line in told)
    (rest,) = re.findall(r"(\d+) more lines", text)
    assert shown + int(rest) == len(many().results)


def test_a_line_is_read_as_it_stands_in_the_file():
    found = lines.line_of(
        result("membership/attack_1@1.0% false alarms", subgroup="sex = F").to_dict()
    )
    assert found.point == f"at 1{NBSP}% false alarms"
    assert (found.subgroup, found.label) == ("sex = F", f"at 1{NBSP}% false alarms")
    assert found.family is families.MEMBERSHIP
    assert found.difference.value == pytest.approx(0.0)
    column = lines.line_of(result("attribute/cap(a, b)@all targets").to_dict())
    assert (column.attack, column.column, column.label) == ("Cap", "a, b", "a, b")
    assert lines.points(-0.0004) == "+0.0 points"
    assert lines.points(-0.0131) == "\N{MINUS SIGN}1.3 points"


@pytest.mark.parametrize("entry", SUITE, ids=lambda entry: entry.name)
def test_every_attack_of_the_suite_stands_under_a_heading(entry):
    assert lines.line_of({"name": entry.name}).title
    goal = entry.attack.threat_model.goal.name
    assert families.family_of({"goal": goal, "name": entry.name}) is not families.OTHER


def test_old_figures_are_still_read():
    old = {
        "name": "membership/marginal@x",
        "auc": 0.6,
        "auc_interval": [0.5, 0.7],
        "status": "passed",
    }
    (figure,) = lines.line_of(old).figures
    assert (figure["value"], figure["low"], figure["high"]) == (0.6, 0.5, 0.7)
    assert summary.md("a|b") == "a\\|b"


def test_an_attack_that_came_to_a_result_is_not_called_blind_for_one_operating_point():
    known = result("attribute/inference(diagnosis)@all targets", members=900, controls=450)
    blind = result("attribute/inference(diagnosis)@confident guesses", status="inconclusive")
    alone = result("linkage/halves@nearest", status="inconclusive")
    found = lines.lines_of([one.to_dict() for one in (known, blind, alone)])
    told = choice.telling(found)
    assert [line.name for line in told] == [known.name, alone.name]
    assert choice.headlines(found) == found


def test_attacks_are_called_by_their_titles_in_the_verdict(tmp_path):
    text, _ = rendered(tmp_path, report((result("membership/gen-lra@ranking", members=999),)))
    start = Page(text).text[:1500]
    assert "gen-lra" not in start


def test_figures_of_members_and_controls_stand_side_by_side(tmp_path):
    figures = (
        *(Figure(name=f"share {place}", value=0.5) for place in range(8)),
        Figure(name="TCAP", value=0.25, group="members"),
        Figure(name="TCAP", value=0.125, low=0.1, high=0.15, group="controls"),
    )
    line = result("attribute/attribution(diagnosis)@all targets", figures=figures)
    area = (
        Figure(name=lines.AREA, value=0.61, low=0.58, high=0.64),
        Figure(name=lines.ISOLATED, value=0.7, low=0.6, high=0.8),
        Figure(name="suspected", value=0.25, group="members"),
    )
    ranked = result("membership/distance@ranking", figures=area)
    text, _ = rendered(tmp_path, report((line, ranked)))
    row = re.search(r'<tr><th scope="row">TCAP</th>(.*?)</tr>', section(text, "inference"))
    assert row.group(1) == "<td>0.250</td><td>0.125 (0.100 to 0.150)</td><td></td>"
    membership = section(text, "membership")
    assert "0.5, guessing" in membership
    assert "0.610 (0.580 to 0.640)</td><td>0.700 (0.600 to 0.800)</td><td>0.250" in membership
    assert "suspected: members" in membership
    assert "whose records are most isolated" in membership


def test_the_numbers_of_a_line_are_those_of_the_file(page):
    body = section(page[0], "membership")
    row = re.search(r"<tr><th scope=\"row\"><bdi>Attack 0, at 0\.1.% .*?</tr>", body).group()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert "300 of 2,000 members, 10 of 1,000 controls" in row
    assert cells[1].startswith(f"15.0{NBSP}% (13.5")
    assert cells[2].startswith(f"1.0{NBSP}% (0.5")
    assert cells[3] == f"1.0{NBSP}%"
    assert cells[4].startswith("+14.0 points (+1")
    assert cells[5:] == ["2.1 points", "0.0001"]


def test_the_words_of_a_plot_name_the_largest_difference():
    failed = result("membership/a@ranking", members=300, status="failed", subgroup="sex = F")
    told = lines.lines_of([result("membership/b@ranking").to_dict(), failed.to_dict()])
    assert forest.said(told) == (
        "2 lines, 1 failed. The largest difference is +14.0 points: A, ranking, sex = F, "
        f"members 15.0{NBSP}%, controls 1.0{NBSP}%."
    )


def test_scales_are_stretched_towards_nothing_and_hold_what_is_beyond():
    panels = forest.Panels(labels=0, rates=(100, 200), gaps=(0, 150))
    assert [panels.rate(value) for value in (-1, 0, 0.01, 0.25, 1, 2)] == pytest.approx(
        [100, 100, 110, 150, 200, 200]
    )
    assert [panels.gap(value) for value in (-1, -0.25, 0, 0.25, 1)] == pytest.approx(
        [0, 0, 50, 100, 150]
    )
