"""What can runs in two worlds show? The figures of docs/explanation/how-we-know.md.

    python benchmarks/audits/two_worlds.py runs|curves|cost

``runs``: how likely the test of the claimed curve finds noise that is too small, for a transcript
that is scored as well as can be. ``curves``: what the claimed curve of three plans loses against
what is known. ``cost``: of scoring transcripts of three marginals, without drawing the noise, with
it, and in the game itself. Seeds are in the file. A line of CPU seconds closes each.
One thread: ``OMP_NUM_THREADS=1``.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import dpsynth
from attacks.conformance.game.play import worlds
from attacks.stats.one_run import gaussian_epsilon
from attacks.stats.paired import Errors, detectable_factor, epsilon_lower_bounds, gaussian_power
from attacks.stats.trade_off import claimed_curve, gaussian_curve, gaussian_shift

NARROW: dict[str, Any] = {
    "columns": [
        {"name": "age", "kind": "integer", "bounds": [0, 99], "bins": 6},
        {"name": "sex", "kind": "categorical", "values": ["m", "f"]},
        {"name": "sick", "kind": "boolean"},
    ]
}
DELTA = 1e-5
RUNS = (100, 300, 1_000, 3_000, 10_000, 30_000)
FACTORS = (1.25, 2**0.5, 2.0)


def runs() -> Iterator[str]:
    """Tabulate powers at 5 %, ceilings, and what is seen at 1 %."""
    yield f"{'epsilon':>7} {'factor':>6} " + " ".join(f"{count:>7}" for count in RUNS)
    for epsilon in (1.0, 4.0):
        mu = _shift_of(epsilon)
        for factor in FACTORS:
            found = [gaussian_power(mu, factor=factor, runs=each, level=0.05) for each in RUNS]
            yield f"{epsilon:7g} {factor:6.2f} " + " ".join(f"{each:7.3f}" for each in found)
        curve = gaussian_curve(mu)
        seen = [detectable_factor(curve, mu, runs=each, level=0.01) for each in RUNS]
        yield f"{epsilon:7g}   1 % " + " ".join(f"{each or float('nan'):7.2f}" for each in seen)
    perfect = [
        Errors(false_positives=0, runs_out=each, false_negatives=0, runs_in=each) for each in RUNS
    ]
    ceilings = [epsilon_lower_bounds(each, delta=DELTA)[0].ceiling for each in perfect]
    yield f"{'ceiling':>14} " + " ".join(f"{each:7.2f}" for each in ceilings)


def curves() -> Iterator[str]:
    """Compare claimed curves with Gaussian ones and with the accountant's epsilon and delta."""
    plans = {
        "6 marginals, sigma 10": [_gaussian(100)] * 6,
        "6 marginals, sigma 2": [_gaussian(4)] * 6,
        "the first, and 10 selections of 1/10": [_gaussian(100)] * 6 + [_selection("1/10")] * 10,
    }
    yield f"{'plan':>36} {'fpr':>5} {'claimed':>8} {'Gaussian alone':>14}"
    for name, events in plans.items():
        claim, alone = claimed_curve(events), gaussian_curve(gaussian_shift(events))
        for fpr in (0.01, 0.1, 0.5):
            yield f"{name:>36} {fpr:5.2f} {float(claim(fpr)):8.4f} {float(alone(fpr)):14.4f}"


def cost() -> Iterator[str]:
    """Time transcripts of three marginals in which one cell each moves."""
    from dpsynth.testing import noise

    size = 1_000_000
    began = time.process_time()
    drawn = noise.gaussian(Fraction(100), size=3 * size, seed=5).reshape(size, 3)
    drew = time.process_time()
    scores = (2 * drawn + 1).sum(axis=1) / 200
    wrong = int((scores > 0).sum())
    ended = time.process_time()
    yield f"{size / (ended - drew):,.0f} transcripts a CPU second scored ({wrong} called in)"
    yield f"{size / (ended - began):,.0f} a CPU second drawn by the release's sampler and scored"
    yield _on_a_path(runs=500_000)


def _on_a_path(*, runs: int) -> str:
    """Time the game's own way: one call of the curator for many runs, in both worlds."""
    synthesizer, schema = dpsynth.Independent(), dpsynth.Schema.from_dict(NARROW)
    plan = synthesizer.plan(schema, epsilon=1, delta="1/1000000000")
    path = worlds(synthesizer, plan, schema, seed=0).path
    began = time.process_time()
    wrong = [
        int((path.ratios(path.released(within=within, runs=runs, seed=6)) > 0).sum())
        for within in (False, True)
    ]
    took = time.process_time() - began
    return (
        f"{2 * runs / took:,.0f} a CPU second drawn by the curator on a frozen path of "
        f"{len(path.parts)} tables and scored, {runs / took:,.0f} of each world ({wrong} called in)"
    )


def _shift_of(epsilon: float) -> float:
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_epsilon(middle, DELTA) < epsilon else (low, middle)
    return high


def _gaussian(sigma_squared: int) -> dict[str, str]:
    return {
        "kind": "discrete_gaussian/v1",
        "sigma_squared": str(sigma_squared),
        "l2_sensitivity_squared": "1",
    }


def _selection(epsilon: str) -> dict[str, str]:
    return {"kind": "exponential_selection/v1", "epsilon": epsilon}


MODES: dict[str, Callable[[], Iterator[str]]] = {"runs": runs, "curves": curves, "cost": cost}


def main() -> int:
    """Print one table, and what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("mode", choices=tuple(MODES))
    mode = parser.parse_args().mode
    began = time.process_time()
    for line in MODES[mode]():
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"{time.process_time() - began:.1f} CPU seconds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
