"""Small multiples: each column in the real, the synthetic and, where there is one, the holdout."""

from typing import Any

from attacks.report import charts
from attacks.report.lines import is_number
from attacks.report.marginals import BINS
from attacks.report.wording import clean, sequence, share


def tile(found: dict[str, Any], *, ident: str) -> dict[str, Any] | None:
    """Return one column as a chart and its numbers; None where the document does not hold it.

    Args:
        found: ``name``, ``labels``, ``ordered``, and shares ``real``, ``synthetic`` and, where
            there are other real rows, ``holdout``; as long as each other.
        ident: unique in the page.
    """
    labels = [clean(label) for label in sequence(found.get("labels"))]
    kept = {
        which: [float(value) if is_number(value) else 0.0 for value in sequence(found.get(which))]
        for which in ("real", "synthetic", "holdout")
    }
    if not kept["holdout"]:
        del kept["holdout"]
    if not labels or any(len(values) != len(labels) for values in kept.values()):
        return None
    name = clean(found.get("name", ""))
    ordered = found.get("ordered", True) is True
    apart = sum(abs(a - b) for a, b in zip(kept["real"], kept["synthetic"], strict=True)) / 2
    if not ordered:
        order = sorted(range(len(labels)), key=lambda place: -kept["real"][place])
        labels = [labels[place] for place in order]
        kept = {which: [values[place] for place in order] for which, values in kept.items()}
    draw = charts.paired if ordered else charts.paired_bars
    among = ", ".join(kept)
    rows = list(zip(labels, *kept.values(), strict=True))[:BINS]
    return {
        "name": name,
        "apart": share(apart),
        "chart": draw(
            labels,
            kept["real"],
            kept["synthetic"],
            holdout=kept.get("holdout"),
            ident=ident,
            title=f"{name}: {among}",
        ),
        "tables": list(kept),
        "rows": [(label, [share(value) for value in values]) for label, *values in rows],
        "rest": max(0, len(labels) - BINS),
    }
