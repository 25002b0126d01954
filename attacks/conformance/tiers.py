"""How much is tried: one small table of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """How much of a trial is run; the time that the whole default set takes at most."""

    smoke = "smoke"  # a minute
    standard = "standard"  # ten minutes
    full = "full"  # an hour


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What one trial costs.

    Attributes:
        fits: of one table, for what is seen in the noise and the choices of many fits.
        pairs: of small neighboring tables that are drawn at random, beside the worst ones.
        games: fits of each of two neighboring tables that are told apart.
        odd: whether replays try cells that no schema expects.
        loud: whether neighbors are also replayed with a budget so large that noise hides nothing.
        columns: to learn at most, where models are fitted; the bill and the laws are those of the
            whole plan all the same. None for all.
        steps: of a training, and of a warm start, at most, where models are fitted; likewise.
        without: audits that are left out.
    """

    fits: int
    pairs: int
    games: int
    odd: bool
    loud: bool
    columns: int | None = None
    steps: int | None = None
    without: tuple[str, ...] = ()


EFFORTS: Mapping[Tier, Effort] = {
    Tier.smoke: Effort(
        fits=2,
        pairs=0,
        games=4,
        odd=False,
        loud=True,
        columns=6,
        steps=12,
        # Smoke runs within a release, and has seconds.
        without=("release",),
    ),
    Tier.standard: Effort(fits=40, pairs=12, games=48, odd=True, loud=True),
    Tier.full: Effort(fits=200, pairs=60, games=400, odd=True, loud=True),
}


_AUDITS_LEFT_OUT = {"release": "whole releases of neighboring tables"}


def left_out(tier: Tier) -> tuple[str, ...]:
    """Return what a trial of ``tier`` does not try and a larger one does, in words."""
    effort = EFFORTS[tier]
    found = [_AUDITS_LEFT_OUT[name] for name in effort.without]
    if not effort.odd:
        found += ["cells that no schema expects", "trainings on a narrow table"]
    if not effort.pairs:
        found.append("drawn pairs of tables")
    if not effort.loud:
        found.append("a budget that hides nothing")
    if effort.columns is not None:
        found.append(f"fits of more than {effort.columns} columns")
    if effort.steps is not None:
        found.append(f"trainings and warm starts of more than {effort.steps} steps")
    return tuple(found)
