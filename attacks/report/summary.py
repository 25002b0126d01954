"""Half a page of Markdown for a ticket."""

import re
from typing import Any

from attacks.report.wording import plural

# Marks that act anywhere, marks that act at the start of a line, and what is made a link unasked.
_ACTIVE = re.compile(r"([\\`*_\[\]<>|~&$@]|^[-+#=]|(?<=:)/(?=/)|(?<=\bwww)\.)")


def md(text: object) -> str:
    """Return text that Markdown shows as it is: no link, no mark-up, no mention."""
    return _ACTIVE.sub(r"\\\1", str(text))


def public(view: dict[str, Any]) -> str:
    """Summarize the public report."""
    verdict, claim, odds, gauge = view["verdict"], view["claim"], view["odds"], view["gauge"]
    lines = [
        "# Privacy report, for publication",
        "",
        f"**{md(verdict['word'])}** {md(verdict['sentence'])}",
        "",
        *(f"- {md(reason)}" for reason in verdict["reasons"]),
        *([""] if verdict["reasons"] else []),
        md(claim["sentence"]),
        "",
        "| | |",
        "| --- | --- |",
        f"| epsilon, at most | {md(claim['epsilon'])} |",
        f"| delta, at most | {md(claim['delta'])} ({md(claim['delta_odds'])}) |",
        f"| protected | {md(claim['whose'])} |",
    ]
    if odds["stated"]:
        lines += [
            f"| right about one {md(claim['unit'])}, from 50 % | at most {md(odds['success'])} |",
            f"| members found at 1 % false alarms | at most {md(odds['found'])} |",
        ]
    if gauge["stated"]:
        lines.append(f"| budget left for this table | {md(gauge['left'])} of its cap |")
    lines += ["", f"Audits of the mechanism, on artificial rows ({md(view['trial']['said'])}):", ""]
    lines += [
        f"- {md(line['name'])}, {md(line['component'])}: {md(line['status']['word'])}, "
        f"{md(line['count'])}"
        for line in view["trial"]["lines"]
    ]
    if not view["trial"]["checks"]:
        lines.append("- none was run")
    if view["not_tested"]:
        points = plural(len(view["not_tested"]), "point")
        lines += ["", f"Not tested: {points}, listed in report.html."]
    if view["conditional"]:
        lines += ["", "Conditional: a public fact was confirmed without naming a public source."]
    lines += ["", "Evidence at most, under the assumptions that report.html lists."]
    return "\n".join(lines) + "\n"


def internal(view: dict[str, Any]) -> str:
    """Summarize the internal report."""
    verdict = view["verdict"]
    lines = [
        "# Internal dossier: not for publication",
        "",
        "**Computed from real persons, outside the guarantee. It must not leave the custodian.**",
        "",
        f"**{md(verdict['word'])}** {md(verdict['sentence'])}",
        "",
        *(f"- {md(reason)}" for reason in verdict["reasons"]),
        *([""] if verdict["reasons"] else []),
    ]
    attack = view["attack"]
    lines += [f"- Found without statistics: {md(w['sentence'])}" for w in attack["witnesses"]]
    lines += [""] if attack["witnesses"] else []
    lines += [f"- {md(sentence)}" for sentence in attack["tables"]]
    lines += [""] if attack["tables"] else []
    if attack["headlines"]:
        lines += [
            "| attack | outcome | members | controls | guessing | difference |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {md(row['name'])} | {md(row['status']['word'])} | {md(row['members'])} "
            f"| {md(row['controls'])} | {md(row['baseline'])} | {md(row['difference'])} |"
            for row in attack["headlines"]
        ]
        rest = attack["lines"] - len(attack["headlines"])
        if rest:
            lines += ["", f"and {plural(rest, 'line')} more in report.html."]
    else:
        lines.append("No attack was run.")
    rows = [row for section in view["utility"]["sections"] for row in section["scores"]]
    if rows:
        lines += ["", "| fidelity | floor | this release | ceiling |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {md(row['name'])} | {row['floor']} | {row['value']} | {row['ceiling']} |"
            for row in rows[:8]
        ]
    return "\n".join(lines) + "\n"


def utility(view: dict[str, Any]) -> str:
    """Summarize the utility report: the scores of each section, between floor and ceiling."""
    lines = [
        f"# {md(view['heading'])} Internal, not for publication"
        if view["study"]
        else "# Utility of a synthetic table: internal, not for publication",
        "",
        "**Computed from real rows, outside the guarantee. It must not leave the custodian.**",
        "",
    ]
    for section in view["sections"]:
        lines += [f"## {md(section['title'])}", ""]
        lines += [
            *(f"- {md(note)}" for note in section["notes"]),
            *([""] if section["notes"] else []),
        ]
        if section["scores"]:
            lines += ["| score | floor | this table | interval | ceiling | better |"]
            lines += ["| --- | ---: | ---: | ---: | ---: | --- |"]
            lines += [
                f"| {md(row['name'])} | {row['floor']} | {row['value']} | {row['interval']} | "
                f"{row['ceiling']} | {md(row['better'])} |"
                for row in section["scores"]
            ]
            lines.append("")
    if not view["sections"]:
        lines += ["Nothing was measured.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"
