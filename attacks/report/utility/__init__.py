"""The utility report: what an evaluation on real rows found. For the custodian alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attacks.report import page, summary
from attacks.report.utility.view import view_of


def render_utility(directory: Path, evaluation: Mapping[str, Any]) -> None:
    """Write report.html and summary.md of an evaluation into an existing folder.

    Args:
        directory: where to; internal, like everything that is computed from real rows.
        evaluation: as ``dpsynth.utility.scores.Evaluation.to_dict`` gives it.
    """
    view = {"utility": view_of(evaluation)}
    page.write(
        directory, template="utility.html.j2", view=view, summary=summary.utility(view["utility"])
    )
