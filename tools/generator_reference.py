"""Renew the tables of docs/reference/generators.md from the generators themselves, with --write.

Without it, the page is printed. What is made stands between ``<!-- presets -->`` and
``<!-- end -->``.
"""

import inspect
import re
import sys
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

from dpsynth import synthesizer
from dpsynth.domain import Domain, PrivacyUnit
from dpsynth.synthesizers import registry
from dpsynth.synthesizers.deep import Deep
from dpsynth.synthesizers.deep_facts import Facts, Training

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "generators.md"
MADE = re.compile(r"(<!-- presets -->\n).*?(<!-- end -->)", re.DOTALL)
TABLES = ((2_000, 15, 225), (30_000, 15, 225), (30_000, 50, 1_000), (1_000_000, 15, 225))
BUDGETS = (Fraction(1, 10), Fraction(1), Fraction(10))
HEADER = ("rows", "columns", "codes", "epsilon", "batch", "steps", "clip", "step size", "weights")


def renewed(page: str) -> str:
    """Return the page with the generators as they are now."""
    made = "\n".join(_section(name, method) for name, method in generators())
    return MADE.sub(lambda found: f"{found[1]}\n{made}\n{found[2]}", page)


def generators() -> list[tuple[str, Deep]]:
    """Return every registered synthesizer that trains on the rows, by name."""
    made = ((name, synthesizer(name)) for name in sorted(registry.BUILT_IN))
    return [(name, method) for name, method in made if isinstance(method, Deep)]


def _section(name: str, method: Deep) -> str:
    first, _, rest = (inspect.getdoc(method) or "").partition("\n\n")
    about = rest.partition("Args:")[0]
    settings = [f"`{each.name} = {_shown(each.default)}`" for each in fields(method)]
    lines = [f"## {name}", "", " ".join(first.split()), "", *(_paragraphs(about))]
    lines += [f"Settings and their defaults: {', '.join(settings)}.", ""]
    lines.append("| " + " | ".join((*HEADER, "minutes", "MiB")) + " |")
    lines.append("|" + " ---: |" * (len(HEADER) + 2))
    for rows, columns, codes in TABLES:
        lines += _rows(method, rows, columns, codes)
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> list[str]:
    found = (" ".join(part.split()) for part in text.replace("``", "`").split("\n\n"))
    return [line for part in found if part for line in (part, "")]


def _rows(method: Deep, rows: int, columns: int, codes: int) -> list[str]:
    """Return a line for each training that differs; budgets that agree share one."""
    domain = Domain(sizes=_sizes(columns, codes))
    found: dict[tuple[Training, int], list[Fraction]] = {}
    for epsilon in BUDGETS:
        facts = Facts(rows=rows, max_rows=1, columns=columns, codes=codes, epsilon=float(epsilon))
        key = (method.training(facts), method.weights(facts))
        found.setdefault(key, []).append(epsilon)
    lines = []
    for (training, weights), budgets in found.items():
        estimate = method.estimate(
            domain, unit=PrivacyUnit(), expected_rows=rows, epsilon=budgets[0]
        )
        assert estimate is not None, "the number of rows is given"
        cells = [
            f"{rows:,}",
            str(columns),
            f"{codes:,}",
            "any" if len(found) == 1 else ", ".join(f"{float(each):g}" for each in budgets),
            f"{round(training.rate * rows):,}",
            str(training.steps),
            f"{training.clip:.3g}",
            f"{training.step_size:g}",
            f"{weights:,}",
            f"{estimate.minutes:.2g}",
            f"{estimate.mebibytes:,}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _sizes(columns: int, codes: int) -> dict[str, int]:
    """Share ``codes`` out over columns, as evenly as it goes."""
    least, more = divmod(codes, columns)
    return {f"c{place}": least + (place < more) for place in range(columns)}


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def main() -> None:
    """Print, or write."""
    made = renewed(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        sys.stdout.write(made)


if __name__ == "__main__":
    main()
