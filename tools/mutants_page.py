"""Print the tables of docs/explanation/mutants.md, or keep a result and renew the page.

Usage: ``tools/mutants_page.py`` prints; ``--write`` renews the page from the kept result;
``--write RESULT.json`` keeps another, as ``dpsynth mutants --tier full --json`` printed it.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "explanation" / "mutants.md"
KEPT = DOCS / "audits" / "mutants.json"
BEGIN = "<!-- the zoo: written by tools/mutants_page.py --write -->\n"
END = "<!-- end of the zoo -->\n"


def main() -> None:
    """Print, or write."""
    given = [each for each in sys.argv[1:] if each != "--write"]
    result = json.loads(Path(given[0] if given else KEPT).read_text(encoding="utf-8"))
    if "--write" not in sys.argv:
        sys.stdout.write(tables(result))
        return
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")


def renewed(page: str, result: dict[str, Any]) -> str:
    """Return the page with the tables of this result."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + tables(result) + END + rest.partition(END)[2]


def tables(result: dict[str, Any]) -> str:
    """Write a result as Markdown: a summary, the matrix, survivors, correct mechanisms."""
    made = result["made"]
    rate = 100 * result["kill_rate"]
    lines = [
        f"Made by `{made['command']}` on {made['date']} with dpsynth {made['version']}, Python "
        f"{made['python']}, {made['platform']}, in {result['seconds'] / 60:.0f} minutes. "
        f"Recorded in [mutants.json](../audits/{KEPT.name}).",
        "",
        f"**{result['killed']} of {result['mutants']} mutants killed by the audit that must find "
        f"them ({rate:.1f} %). {result['false_alarms']} false alarms in {result['correct_runs']} "
        f"runs of {len(result['controls'])} correct mechanisms; at the stated level up to "
        f"{result['false_alarms_allowed']} would have been put down to chance.**",
        "",
        *_matrix(result["rows"]),
        "",
        *_not_killed(result),
        *_controls(result),
    ]
    return "\n".join(lines) + "\n"


def _matrix(rows: list[dict[str, Any]]) -> list[str]:
    """Write a line a mutant; K where the required audit killed it, x where another found it."""
    audits = list(dict.fromkeys(name for row in rows for name in row["took"]))
    lines = [
        "| mutant | what is wrong | broken | " + " | ".join(audits) + " | seconds |",
        "| --- | --- | --- |" + " :-: |" * len(audits) + " --: |",
    ]
    for row in rows:
        marks = [_mark(row, name) for name in audits]
        cells = [f"`{row['mutant']}`", row["sentence"], row["component"], *marks]
        lines.append("| " + " | ".join([*cells, f"{row['seconds']:.1f}"]) + " |")
    return lines


def _mark(row: dict[str, Any], audit: str) -> str:
    if audit == row["audit"]:
        return "**K**" if row["killed"] else "**!**"
    return "x" if audit in row["killers"] else ""


def _not_killed(result: dict[str, Any]) -> list[str]:
    survivors = [row for row in result["rows"] if not row["killed"]]
    lines = [
        f"- `{row['mutant']}` survived: {row['audit']} did not name {row['component']}"
        + "".join(f"; {name}: {said}" for name, said in row["errors"].items())
        for row in survivors
    ]
    if result["skipped"]:
        lines.append(f"- Left out, without torch: {', '.join(result['skipped'])}.")
    return [*lines, ""] if lines else []


def _controls(result: dict[str, Any]) -> list[str]:
    alarmed = Counter(name for name, _ in {(a["control"], a["seed"]) for a in result["alarms"]})
    lines = ["| correct mechanism | seeds | false alarms |", "| --- | --: | --: |"]
    lines += [
        f"| `{name}` | {seeds} | {alarmed.get(name, 0)} |"
        for name, seeds in result["controls"].items()
    ]
    few = {
        name: runs for name, runs in result["audit_runs"].items() if runs < result["correct_runs"]
    }
    if few:
        lines += ["", "Fewer runs: " + ", ".join(f"`{name}` {few[name]}" for name in few) + "."]
    lines += [
        f"\n- `{each['control']}`, seed {each['seed']}, {each['audit']}: {each['sentence']}"
        for each in result["alarms"]
    ]
    return lines


if __name__ == "__main__":
    main()
