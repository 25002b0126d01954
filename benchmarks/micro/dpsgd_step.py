"""What a private step costs beside a plain one, by gradient engine; same run, same thread.

    OMP_NUM_THREADS=1 python benchmarks/micro/dpsgd_step.py

A network of 150-256-256-150 (143,254 weights) and 2,048 rows, all of them in every batch. A plain
step is forward, backward and Adam; a private one is batch, clipping, noise, division and Adam.
Each time is the least CPU time of several rounds, taken in turn; the clipped sums of the engines
are compared before anything is timed. The ghost clipping of opacus stands here for its speed alone:
no release can train by it, for its norms and its sums come from two passes.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from dpsynth.privacy.dpsgd.engines import Engine, Loss, Sums, Units, engine_of
from dpsynth.privacy.dpsgd.rule import StepRule
from dpsynth.privacy.dpsgd.step import PrivateGradients
from dpsynth.privacy.dpsgd.stream import KeyedStream
from dpsynth.privacy.randomness import PrivacyRandom
from dpsynth.privacy.source import UnitRows

WIDTHS = (150, 256, 256, 150)
ROWS = 2_048
CLIP = 1.0
ROUNDS = {"plain": 80, "book_keeping": 80, "ghost": 30, "hooks": 2}
SAME = 2e-4  # of the largest entry of a sum: further apart, no time means anything


class Ghost:
    """Norms by the ghost clipping of opacus, then a second backward pass; one row a unit."""

    def clipped_sums(self, model: nn.Module, loss: Loss, units: Units, *, clip: float) -> Sums:
        """See ``Engine``."""
        from opacus.grad_sample import GradSampleModuleFastGradientClipping

        wrapped = GradSampleModuleFastGradientClipping(
            model, loss_reduction="sum", strict=True, max_grad_norm=clip
        )
        trainable = dict(model.named_parameters())
        try:
            losses = loss(wrapped, units.rows)
            losses.sum().backward(retain_graph=True)
            factors = torch.clamp(clip / wrapped.get_norm_sample(), max=1.0)
            wrapped.disable_hooks()
            gradients = torch.autograd.grad((losses * factors).sum(), list(trainable.values()))
        finally:
            wrapped.to_standard_module()
            for each in trainable.values():
                each.grad = None
        return dict(zip(trainable, gradients, strict=True))


def engine_called(name: str) -> Engine:
    """Return an engine of dpsynth, or ghost clipping."""
    return Ghost() if name == "ghost" else engine_of(name)


def network() -> nn.Module:
    """Return the network, the same at every call."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in pairwise(WIDTHS):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def loss(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """Return the squared error of each row as its own image."""
    given = rows.float()
    return ((model(given) - given) ** 2).mean(1)


def plain(codes: torch.Tensor) -> Callable[[], None]:
    """Return a step without any privacy."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        loss(model, codes).mean().backward()
        optimizer.step()

    return step


def private(codes: torch.Tensor, engine: str) -> Callable[[], None]:
    """Return a private step; at rate 1, so that every batch is as large."""
    model = network()
    named = dict(model.named_parameters())
    optimizer = torch.optim.Adam(named.values())
    gradients = PrivateGradients(
        UnitRows(codes=codes.numpy(), units=np.arange(ROWS)),
        max_rows=1,
        rule=StepRule(
            rate=Fraction(1),
            noise_multiplier=Fraction(1),
            clip=CLIP,
            steps=sum(ROUNDS.values()),
            expected_units=ROWS,
        ),
        engine=engine_called(engine),
        stream=KeyedStream.fresh(PrivacyRandom()),
    )

    def step() -> None:
        for name, gradient in gradients.release(model, loss).items():
            named[name].grad = gradient
        optimizer.step()

    return step


def largest_difference(codes: torch.Tensor) -> float:
    """Return how far clipped sums are from those of hooks, in parts of the largest entry."""
    units = Units(rows=codes, present=torch.ones(len(codes), 1, dtype=torch.bool))
    model = network()
    expected = engine_of("hooks").clipped_sums(model, loss, units, clip=CLIP)
    size = max(each.abs().max().item() for each in expected.values())
    apart = [
        (found[name] - each).abs().max().item() / size
        for engine in ("book_keeping", "ghost")
        for found in [engine_called(engine).clipped_sums(model, loss, units, clip=CLIP)]
        for name, each in expected.items()
    ]
    return max(apart)


def measured() -> dict[str, float]:
    """Return CPU milliseconds a step by engine."""
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 3, size=(ROWS, WIDTHS[0])))
    apart = largest_difference(codes[:256])
    if not apart < SAME:
        sys.exit(f"the engines differ by {apart:.1e} of the largest entry: nothing was timed")
    steps = {name: plain(codes) if name == "plain" else private(codes, name) for name in ROUNDS}
    least = dict.fromkeys(ROUNDS, float("inf"))
    for number in range(max(ROUNDS.values())):
        for name, step in steps.items():
            if number < ROUNDS[name]:
                started = time.process_time()
                step()
                least[name] = min(least[name], 1e3 * (time.process_time() - started))
    return least


def main() -> None:
    """Print CPU milliseconds a step and the ratios, as text or as JSON."""
    parser = argparse.ArgumentParser(description="What a private step costs beside a plain one.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Full backward hook is firing")  # of opacus
    found = measured()
    ratios = {
        "book_keeping / plain": found["book_keeping"] / found["plain"],
        "ghost / book_keeping": found["ghost"] / found["book_keeping"],
        "hooks / book_keeping": found["hooks"] / found["book_keeping"],
    }
    if given.json:
        sys.stdout.write(json.dumps({"cpu_ms": found, "ratios": ratios}, indent=1) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:22} {value:9.2f} CPU ms a step\n")
    for name, value in ratios.items():
        sys.stdout.write(f"{name:22} {value:9.2f}\n")


if __name__ == "__main__":
    main()
