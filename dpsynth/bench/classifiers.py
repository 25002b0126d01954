"""Classifiers that learnt from releases, as tables for a page: mean and range over seeds."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from dpsynth.bench.records import OK, Record

PRIVATE = "private"  # of a model that was trained with privacy on the real rows
MODELS = {"boosting": "gradient boosting", "logistic": "logistic regression", "network": "network"}
FIGURES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "f1_at_share": "F1, cut at the class's share",
    "accuracy": "accuracy",
}
REAL, FLOOR = "train", "shuffled"
SAID = {REAL: "real rows", FLOOR: "real rows, columns independent"}


def figures(records: Sequence[Record]) -> str:
    """Return a table for each data set: gradient boosting, or a private classifier, on real rows.

    Args:
        records: of the study, in any order.
    """
    return "\n".join(_table(name, _of(records, name)) for name in _names(records))


def models(records: Sequence[Record]) -> str:
    """Return a table for each data set: AUROC of each of the three classifiers."""
    return "\n".join(_models(name, _of(records, name)) for name in _names(records))


def reached(records: Sequence[Record], synthesizer: str) -> str:
    """Return which share of the real-trained AUROC gradient boosting reaches, and in how many runs.

    Args:
        records: of the study.
        synthesizer: whose releases.
    """
    lines = ["| data set | epsilon | runs | AUROC, real-trained | AUROC | of it | least of a run |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in _names(records):
        held = _of(records, name)
        whole = _values([each for each in held if each["synthesizer"] == REAL], "boosting_auroc")
        if not whole.size:
            continue
        for epsilon in _budgets(held):
            runs = [e for e in held if (e["synthesizer"], e["epsilon"]) == (synthesizer, epsilon)]
            found = _values(runs, "boosting_auroc")
            if epsilon is not None and found.size:
                real = float(whole.mean())
                lines.append(
                    f"| {name} | {epsilon} | {found.size} | {real:.4f} | {found.mean():.4f} | "
                    f"{found.mean() / real:.1%} | {found.min() / real:.1%} |"
                )
    return "\n".join(lines) + "\n"


def missing(records: Sequence[Record], wanted: Iterable[tuple[str, str | None, str, int]]) -> str:
    """Return what the study lists and the records lack, in one list.

    Args:
        records: of the study.
        wanted: table, budget, label and seed of every run, in the order in which they are made.
    """
    done = {(e["dataset"], e["epsilon"], e["synthesizer"], e["seed"]) for e in records}
    counts: dict[tuple[str, str], dict[str, list[int]]] = {}
    for run in wanted:
        held = counts.setdefault((run[0], run[1] or "none"), {}).setdefault(run[2], [0, 0])
        held[0] += run not in done
        held[1] += 1
    each = [found for labels in counts.values() for found in labels.values()]
    total = sum(runs for _, runs in each)
    lacking = sum(absent for absent, _ in each)
    if not lacking:
        return f"All {total} runs of the study are recorded.\n"
    lines = [f"{lacking} of the {total} runs of the study are not recorded yet:\n"]
    for (name, epsilon), labels in counts.items():
        absent = {label: found for label, found in labels.items() if found[0]}
        words = "; ".join(f"{label}, {n} of {m}" for label, (n, m) in absent.items())
        if all(n == m for n, m in labels.values()):
            words = "all"
        if absent:
            lines.append(f"* {name}, epsilon {epsilon}: {words}")
    return "\n".join(lines) + "\n"


def _table(name: str, records: Sequence[Record]) -> str:
    lines = [f"### {name}\n", f"| epsilon | learnt from | runs | {' | '.join(FIGURES.values())} |"]
    lines.append(f"| --- | --- | ---: |{' ---: |' * len(FIGURES)}")
    for epsilon, label, runs in _groups(records):
        done = [each for each in runs if each["status"] == OK]
        if not done:
            said = f"failed: {runs[0]['failure']}"
            lines.append(
                f"| {_budget(epsilon)} | {label} | 0 | {said} |{' |' * (len(FIGURES) - 1)}"
            )
            continue
        kind = PRIVATE if done[0]["peer"] else "boosting"
        cells = [_spread(_values(done, f"{kind}_{figure}")) for figure in FIGURES]
        lines.append(f"| {_budget(epsilon)} | {label} | {len(done)} | {' | '.join(cells)} |")
    lines.append(f"\n{_footer(records)}")
    return "\n".join(lines) + "\n"


def _models(name: str, records: Sequence[Record]) -> str:
    lines = [f"### {name}\n", f"| epsilon | learnt from | runs | {' | '.join(MODELS.values())} |"]
    lines.append(f"| --- | --- | ---: |{' ---: |' * len(MODELS)}")
    for epsilon, label, runs in _groups(records):
        done = [each for each in runs if each["status"] == OK and not each["peer"]]
        if done:
            cells = [_spread(_values(done, f"{model}_auroc")) for model in MODELS]
            lines.append(f"| {_budget(epsilon)} | {label} | {len(done)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _groups(records: Sequence[Record]) -> list[tuple[str | None, str, list[Record]]]:
    """Return runs by budget and label: what bounds them first, then budgets from small to large."""
    found = []
    for epsilon in _budgets(records):
        here = [each for each in records if each["epsilon"] == epsilon]
        labels = sorted({e["synthesizer"] for e in here}, key=lambda label: _rank(here, label))
        for label in labels:
            runs = [each for each in here if each["synthesizer"] == label]
            found.append((epsilon, SAID.get(label, label), runs))
    return found


def _rank(records: Sequence[Record], label: str) -> tuple[bool, bool, float]:
    """Return a place: releases before private classifiers, failures last, better ones first."""
    runs = [each for each in records if each["synthesizer"] == label]
    kind = PRIVATE if runs[0]["peer"] else "boosting"
    values = _values(runs, f"{kind}_auroc")
    return bool(runs[0]["peer"]), not values.size, -float(values.mean()) if values.size else 0.0


def _budgets(records: Sequence[Record]) -> list[str | None]:
    return sorted({each["epsilon"] for each in records}, key=lambda e: Fraction(e or 0))


def _budget(epsilon: str | None) -> str:
    return "none" if epsilon is None else epsilon


def _names(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(each["dataset"] for each in records))


def _of(records: Sequence[Record], name: str) -> list[Record]:
    return [each for each in records if each["dataset"] == name]


def _values(records: Sequence[Record], name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([each[name] for each in records if name in each], dtype=np.float64)


def _spread(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    """Return mean and range."""
    if not values.size:
        return ""
    if values.max() - values.min() < 5e-4:
        return f"{values.mean():.3f}"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


def _footer(records: Sequence[Record]) -> str:
    seeds = sorted({each["seed"] for each in records})
    deltas = sorted({each["delta"] for each in records if each["delta"] not in (None, "0")})
    commits = sorted({each["commit"] for each in records})
    machines = sorted({each["machine"] for each in records})
    words = [f"{records[0]['rows']:,} rows x {records[0]['columns']} columns to learn from"]
    words += [f"delta {delta}" for delta in deltas]
    words.append(f"seeds {seeds[0]} to {seeds[-1]}")
    words += [f"commit {', '.join(commits)}", *machines]
    return "; ".join(words) + "."
