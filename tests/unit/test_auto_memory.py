"""Memory stays under its cap on tables wide enough to break a careless one."""

import tracemalloc
from fractions import Fraction

import pytest

from dpsynth.domain import Domain
from dpsynth.sources.frame import FrameSource
from dpsynth.synthesizers.auto import Auto
from dpsynth.synthesizers.compression import MOST_CELLS
from dpsynth.testing.worlds import small_world

GIBIBYTE = 1 << 30
BYTES_A_CELL = 32  # of all pair tables: what is expected, twice, counts, and what follows
BESIDE = 64 << 20  # bytes: junction tree, solver, ledger


def test_the_cap_follows_from_public_facts():
    """However wide the table: so many pair cells are left before any pair is counted."""
    assert MOST_CELLS * BYTES_A_CELL + BESIDE < GIBIBYTE


@pytest.mark.parametrize(
    ("columns", "codes", "rho"),
    [(20, 120, Fraction(1_000)), (30, 10, Fraction(1, 100))],
    ids=["large tables", "many columns"],
)
def test_peak_memory(columns, codes, rho):
    """With hardly any noise no code is merged: 20 columns of 120 codes have 2.7 million cells."""
    domain = Domain(sizes={f"column_{at}": codes for at in range(columns)})
    curator = small_world(rho=rho, source=FrameSource, domain=domain, rows=2_000)
    settings = Auto(rake=False, most_cells=20_000)
    tracemalloc.start()
    learned = settings.learn(curator, rho=rho)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pair_cells = columns * (columns - 1) // 2 * codes**2
    assert peak < BYTES_A_CELL * pair_cells + BESIDE
    cells = sum(table.size for table in learned.model.probabilities.values())
    assert cells <= settings.most_cells
