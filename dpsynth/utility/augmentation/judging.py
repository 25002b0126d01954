"""Does it help? Means over seeds with their intervals, and paired tests, said in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dpsynth.errors import UsageError
from dpsynth.utility.augmentation.curves import DESIGNS, SAME_ROWS, Run
from dpsynth.utility.augmentation.methods import REAL_ONLY, method_called
from dpsynth.utility.downstream.measures import MEASURES
from dpsynth.utility.downstream.models import TITLES
from dpsynth.utility.scores import Score, Section

LEVEL = 0.05  # of all comparisons of one report together
HELPS, HURTS, NEITHER = "helps", "hurts", "no difference shown"
PAIRED = "seeds, each with the same real rows and test rows for both"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A method at one size: the mean over seeds and its 95 % interval (Student's).

    Attributes:
        n: real rows.
        mean: of the figure.
        low: lower end; the mean itself of a single seed.
        high: upper end.
        seeds: how many.
    """

    n: int
    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One method less another at one size, over the same seeds.

    Attributes:
        method: the one on trial.
        against: the other.
        n: real rows.
        difference: mean of the paired differences, turned so that above 0 is better.
        low: lower end of their 95 % interval (Student's), of this comparison alone.
        high: upper end.
        p: two-sided, of the paired t test, times as many as Holm's rule asks for.
        seeds: pairs.
        verdict: "helps" or "hurts" where ``p`` is below 0.05, so that all verdicts of one report
            together raise a false alarm in one of 20 at most; else "no difference shown".
    """

    method: str
    against: str
    n: int
    difference: float
    low: float
    high: float
    p: float
    seeds: int
    verdict: Literal["helps", "hurts", "no difference shown"]


def points(runs: Sequence[Run], *, figure: str = "auroc") -> dict[str, list[Point]]:
    """Return the learning curve of every method, by rising number of real rows."""
    _require_one_kind(runs, figure)
    found: dict[str, list[Point]] = {}
    for method in _methods(runs):
        found[method] = []
        for n in sorted({run["n"] for run in runs}):
            values = np.array(
                [run[figure] for run in runs if (run["method"], run["n"]) == (method, n)]
            )
            if values.size:
                low, high = _interval(values)
                found[method].append(
                    Point(n=n, mean=float(values.mean()), low=low, high=high, seeds=values.size)
                )
    return found


def comparisons(
    runs: Sequence[Run], *, figure: str = "auroc", against: str = REAL_ONLY
) -> list[Comparison]:
    """Compare every method with one of them at every size, paired by seed.

    Differences of seeds are taken as independent. Where the splits are of one table they overlap,
    and intervals are then somewhat too narrow.

    Raises:
        UsageError: the runs are of several designs or classifiers, or hold no such method.
    """
    from scipy import stats

    _require_one_kind(runs, figure)
    by_place = {(run["method"], run["n"], run["seed"]): run[figure] for run in runs}
    if against not in _methods(runs):
        raise UsageError(f"there is no run of {against!r} to compare with")
    sign = 1 if MEASURES[figure].better == "higher" else -1
    raw = []
    for method in _methods(runs):
        for n in sorted({run["n"] for run in runs}):
            pairs = [
                (value, by_place[against, n, seed])
                for (name, size, seed), value in by_place.items()
                if (name, size) == (method, n) and (against, n, seed) in by_place
            ]
            if method == against or len(pairs) < 2:
                continue
            differences = sign * np.array([first - second for first, second in pairs])
            spread = differences.std()
            p = float(stats.ttest_1samp(differences, 0).pvalue) if spread > 0 else 1.0
            if spread == 0 and differences[0] != 0:
                p = 0.0
            raw.append((method, n, differences, p))
    adjusted = _holm([p for *_, p in raw])
    return [
        Comparison(
            method=method,
            against=against,
            n=n,
            difference=float(differences.mean()),
            low=_interval(differences)[0],
            high=_interval(differences)[1],
            p=p,
            seeds=len(differences),
            verdict=_verdict(float(differences.mean()), p),
        )
        for (method, n, differences, _), p in zip(raw, adjusted, strict=True)
    ]


def augmentation_section(
    runs: Sequence[Run], *, figure: str = "auroc", against: str = REAL_ONLY
) -> Section:
    """Return the chapter of one design and classifier.

    ``tables`` holds ``learning_curves`` {method: [{n, mean, low, high}]}, ``design``, ``model``,
    ``figure``, and ``table`` {columns, rows} with a row for each comparison.
    """
    compared = comparisons(runs, figure=figure, against=against)
    curves = points(runs, figure=figure)
    design, title = str(runs[0]["design"]), MEASURES[figure].title
    most = max(run["n"] for run in runs)
    reference = {point.n: point.mean for point in curves[against]}
    scores = [
        Score(
            name=f"{title} at {most} real rows",
            value=point.mean,
            ceiling=reference.get(most),
            floor=0.5 if figure == "auroc" else None,
            low=point.low,
            high=point.high,
            better=MEASURES[figure].better,
            group=method,
            note=f"mean over {point.seeds} seeds; ceiling: {against}; floor: a guess",
        )
        for method, found in curves.items()
        for point in found
        if point.n == most
    ]
    return Section(
        key="augmentation",
        title=f"Augmentation: {TITLES[runs[0]['model']]}, {design}",
        scores=tuple(scores),
        tables={
            "design": design,
            "model": runs[0]["model"],
            "figure": figure,
            "learning_curves": {
                method: [
                    {"n": each.n, "mean": each.mean, "low": each.low, "high": each.high}
                    for each in found
                ]
                for method, found in curves.items()
            },
            "table": {
                "columns": ["method", "real rows", f"difference in {title}", "95 %", "verdict"],
                "rows": [
                    [
                        each.method,
                        each.n,
                        f"{each.difference:+.4f}",
                        f"{each.low:+.4f} to {each.high:+.4f}",
                        each.verdict,
                    ]
                    for each in compared
                ],
            },
        },
        notes=(
            f"In this design {DESIGNS[design]}.",
            *answers(runs, figure=figure, against=against),
            *said(compared),
            *_cautions(design),
        ),
    )


def answers(runs: Sequence[Run], *, figure: str = "auroc", against: str = REAL_ONLY) -> list[str]:
    """Say in plain words how much real data, how much synthetic, and whether synthetic rows help.

    Args:
        runs: of one design and one classifier.
        figure: of merit.
        against: what synthetic rows are held against: real rows alone.

    Returns:
        A sentence on real rows, one on synthetic rows, and where these help somewhere one that
        holds them against the remedies that need no release.
    """
    compared = comparisons(runs, figure=figure, against=against)
    if not compared:
        return ["A single seed shows no difference: run more of them, such as 10."]
    title = MEASURES[figure].title
    found = [_of_real_rows(runs, figure, against)]
    made = [each for each in compared if method_called(each.method).needs_release]
    if not made:
        return found
    gains = [each for each in made if each.verdict == HELPS]
    harms = sum(each.verdict == HURTS for each in made)
    tried = f"of {len(made)} comparisons with {against} {{}} showed harm"
    if not gains:
        words = tried.format(harms or "none")
        return [*found, f"Synthetic rows were not shown to help anywhere: {words}."]
    at = ", ".join(f"{n:,}" for n in sorted({each.n for each in gains}))
    best = max(gains, key=lambda each: each.difference)
    found.append(
        f"Synthetic rows helped at {at} real rows, and were not shown to help at other sizes; most "
        f"at {best.n:,}, by {best.method}: {title} better by {best.difference:.3f} "
        f"({best.low:.3f} to {best.high:.3f}); {tried.format(harms or 'none')}."
    )
    return [*found, *_against_the_free(runs, gains, figure)]


def _of_real_rows(runs: Sequence[Run], figure: str, against: str) -> str:
    """Say whether more real rows still help, by the last step of the curve."""
    title, curve = MEASURES[figure].title, points(runs, figure=figure)[against]
    ends = " and ".join(f"{each.mean:.3f} at {each.n:,}" for each in (curve[0], curve[-1]))
    if len(curve) < 2:
        return f"Real rows alone reach {title} {curve[0].mean:.3f} at {curve[0].n:,}."
    sign = 1 if MEASURES[figure].better == "higher" else -1
    before, last = curve[-2].n, curve[-1].n
    by_place = {(run["n"], run["seed"]): run[figure] for run in runs if run["method"] == against}
    seeds = [seed for n, seed in by_place if n == last and (before, seed) in by_place]
    rises = sign * np.array([by_place[last, seed] - by_place[before, seed] for seed in seeds])
    low, high = _interval(rises)
    step = f"from {before:,} to {last:,} it changed for the better by {rises.mean():.3f}"
    more = "so more real rows would help" if low > 0 else "so no gain of more real rows was shown"
    return f"Real rows alone reach {title} {ends}; {step} ({low:.3f} to {high:.3f}), {more}."


def _against_the_free(runs: Sequence[Run], gains: Sequence[Comparison], figure: str) -> list[str]:
    """Hold what helps against the remedies that need no release."""
    free = [name for name in _methods(runs) if not method_called(name).needs_release]
    found = []
    for name in free:
        if name == gains[0].against:
            continue
        better = {
            (each.method, each.n)
            for each in comparisons(runs, figure=figure, against=name)
            if each.verdict == HELPS
        }
        at = sorted({each.n for each in gains if (each.method, each.n) in better})
        where = f"at {', '.join(f'{n:,}' for n in at)} real rows" if at else "at no size"
        found.append(f"Where they help they were shown to be better than {name} {where}.")
    return found


def said(compared: Sequence[Comparison]) -> list[str]:
    """Say of every method where it helps, where it hurts, and where nothing was shown."""
    found = []
    for method in dict.fromkeys(each.method for each in compared):
        mine = [each for each in compared if each.method == method]
        parts = []
        for verdict in (HELPS, HURTS, NEITHER):
            sizes = [f"{each.n:,}" for each in mine if each.verdict == verdict]
            if sizes:
                parts.append(f"{verdict} at {', '.join(sizes)} real rows")
        uses = "" if not method_called(method).needs_release else " (synthetic rows)"
        found.append(f"{method}{uses}, against {mine[0].against}: {'; '.join(parts)}.")
    return found


def _cautions(design: str) -> list[str]:
    found = [
        f"A verdict is of a paired t test over {PAIRED}, by Holm's rule over all comparisons here; "
        "no difference shown does not mean that there is none.",
        "Seeds split one table, so their runs overlap and intervals are somewhat too narrow.",
    ]
    if design == SAME_ROWS:
        found.append(
            "Synthetic rows of a release of the same rows hold nothing new: noise of the release "
            "and the shape of its model are all that they add."
        )
    return found


def _methods(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run["method"] for run in runs))


def _require_one_kind(runs: Sequence[Run], figure: str) -> None:
    if figure not in MEASURES:
        raise UsageError(f"no figure is called {figure!r}; there are: {', '.join(MEASURES)}")
    kinds = {(run["design"], run["model"]) for run in runs}
    if len(kinds) != 1:
        raise UsageError("runs must be of one design and one classifier to be compared")


def _interval(values: "np.ndarray[Any, np.dtype[np.float64]]") -> tuple[float, float]:
    from scipy import stats

    mean, count = float(values.mean()), values.size
    if count < 2:
        return mean, mean
    around = float(stats.t.ppf(0.975, count - 1)) * float(values.std(ddof=1)) / count**0.5
    return mean - around, mean + around


def _holm(raw: Sequence[float]) -> list[float]:
    """Return p values by Holm's step-down rule, in the order given."""
    order = np.argsort(raw, kind="stable")
    found, least = np.ones(len(raw)), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(raw) - rank) * raw[place]))
        found[place] = least
    return [float(each) for each in found]


def _verdict(difference: float, p: float) -> Literal["helps", "hurts", "no difference shown"]:
    if p >= LEVEL:
        return "no difference shown"
    return "helps" if difference > 0 else "hurts"
