"""How much a trial runs, tier by tier."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much a trial runs.

    Attributes:
        scout: fits of each table of each pair, to find the pairs that tell most.
        pairs: how many of them are played.
        runs: fits of each of their tables, in a first game.
        more: fits of each table in the last game, of the pair that told most, where no claim is
            rejected before.
        rows: sampled of each fit.
    """

    scout: int
    pairs: int
    runs: int
    more: int
    rows: int


TIERS: Mapping[str, Effort] = {
    "smoke": Effort(scout=5, pairs=4, runs=100, more=1_200, rows=600),
    "standard": Effort(scout=10, pairs=5, runs=400, more=6_000, rows=1_000),
    "full": Effort(scout=12, pairs=6, runs=1_500, more=30_000, rows=2_000),
}
