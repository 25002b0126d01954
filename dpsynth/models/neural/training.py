"""From noisy gradients to weights: steps of Adam, and the average of the last of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Gradients = Callable[[], dict[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the noisy gradients are used; public, and free of charge.

    Attributes:
        steps: how many gradients there are.
        rate: largest step of Adam.
        warm_up: steps until it is reached.
        last: share of ``rate`` at the end of a half cosine.
        average: weight of the past in the average of weights.
    """

    steps: int
    rate: float
    warm_up: int = 20
    last: float = 0.1
    average: float = 0.98

    def factor(self, step: int) -> float:
        """Return the share of ``rate`` at ``step``, which counts from 0."""
        falling = self.last + (1 - self.last) * 0.5 * (1 + cos(pi * min(1.0, step / self.steps)))
        return min(1.0, (step + 1) / self.warm_up) * falling


def generator() -> torch.Generator:
    """Return the source of first weights and other public draws: the same in every fit."""
    return torch.Generator().manual_seed(0)


def train(
    model: nn.Module,
    gradients: Gradients,
    schedule: Schedule,
    *,
    progress: Callable[[int], object] | None = None,
    begun: Mapping[str, Tensor] | None = None,
    save: Callable[[dict[str, Tensor]], object] | None = None,
) -> None:
    """Move ``model`` by ``schedule.steps`` gradients; leave it at the average of its path.

    The average is taken of weights that are noisy already: it costs nothing, and is what leaves.

    Args:
        model: whose parameters are all trained.
        gradients: returns the next noisy mean gradient.
        schedule: how they are used.
        progress: to be told the steps done after each.
        begun: what ``save`` was given last by a training that was interrupted; this one goes on
            from there.
        save: to be given, after each step, all that is needed to go on.
    """
    named = dict(model.named_parameters())
    optimizer = torch.optim.Adam(named.values(), lr=schedule.rate, betas=(0.9, 0.99))
    path = {name: each.detach().clone() for name, each in named.items()}
    done = 0 if begun is None else _go_on(begun, named, path, optimizer)
    for step in range(done, schedule.steps):
        for name, gradient in gradients().items():
            named[name].grad = gradient
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate * schedule.factor(step)
        optimizer.step()
        past = min(schedule.average, (step + 1) / (step + 10))
        for name, each in named.items():
            path[name].mul_(past).add_(each.detach(), alpha=1 - past)
        if save is not None and step + 1 < schedule.steps:
            save(_standing(step + 1, named, path, optimizer))
        if progress is not None:
            progress(step + 1)
    with torch.no_grad():
        for name, each in named.items():
            each.copy_(path[name])
            each.grad = None


def _standing(
    done: int,
    named: Mapping[str, nn.Parameter],
    path: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> dict[str, Tensor]:
    found = {"done": torch.tensor(done)}
    for name, each in named.items():
        found[f"weights/{name}"] = each.detach().clone()
        found[f"path/{name}"] = path[name].clone()
        for key, value in optimizer.state[each].items():
            found[f"{key}/{name}"] = value.clone()
    return found


def _go_on(
    begun: Mapping[str, Tensor],
    named: Mapping[str, nn.Parameter],
    path: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> int:
    """Put everything back as it stood; return the steps that are done."""
    with torch.no_grad():
        for name, each in named.items():
            each.copy_(begun[f"weights/{name}"])
            path[name].copy_(begun[f"path/{name}"])
            moments = ("step", "exp_avg", "exp_avg_sq")
            optimizer.state[each] = {key: begun[f"{key}/{name}"].clone() for key in moments}
    return int(begun["done"])


def learn_rows(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    rows: NDArray[np.int64],
    schedule: Schedule,
    *,
    batch: int,
) -> None:
    """Train on rows that are no secret: public ones, or drawn from a model that is paid for.

    Args:
        model: what is trained; left at the average of its path, as by ``train``.
        loss: of rows, one number a row.
        rows: shape ``(rows, columns)``, codes.
        schedule: how often, and how far.
        batch: rows of a step, drawn with replacement; the same ones in every fit.
    """
    source = generator()
    held = torch.from_numpy(rows)
    named = dict(model.named_parameters())

    def gradients() -> dict[str, Tensor]:
        chosen = held[torch.randint(len(held), (batch,), generator=source)]
        found = torch.autograd.grad(loss(chosen).mean(), list(named.values()))
        return dict(zip(named, found, strict=True))

    train(model, gradients, schedule)
