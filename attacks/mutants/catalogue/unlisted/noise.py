"""Noise that is not what was charged: by cell, by call, by count, by size."""

from typing import Any

import numpy as np

from attacks.mutants.base import Mutant
from attacks.mutants.catalogue.unlisted.tools import (
    noise_changed,
    spread_of,
)
from attacks.mutants.planting import planted


def _kept_by_shape() -> Any:
    held: dict[int, Any] = {}

    def change(counts: Any, noise: Any, mechanism: Any) -> Any:
        del mechanism
        return held.setdefault(counts.size, noise)

    return change


def _halved_at_zero(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return np.where(counts == 0, noise // 2, noise)


def _seventh_bare(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts, mechanism
    noise[6::7] = 0
    return noise


def _large_bare(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return np.where(counts > 1000, 0, noise)


def _last_bare(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts, mechanism
    noise[-1:] = 0
    return noise


def _cut_tails(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts
    most = int(3 * spread_of(mechanism))
    return np.clip(noise, -most, most)


def _never_zero(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts, mechanism
    return np.where(noise == 0, 1, noise)


def _summing_to_zero(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts, mechanism
    if noise.size > 1:
        noise[-1] = -noise[:-1].sum()
    return noise


def _antithetic(counts: Any, noise: Any, mechanism: Any) -> Any:
    del counts, mechanism
    half = noise.size // 2
    noise[half : 2 * half] = -noise[:half]
    return noise


def _reflected(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return np.where(counts + noise < 0, -noise, noise)


def _empty_bare(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return noise if counts.any() else 0 * noise


def _one_cell_bare(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return 0 * noise if np.count_nonzero(counts) == 1 else noise


def _many_rows_bare(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return 0 * noise if counts.sum() > 10_000 else noise


def _capped_at_total(counts: Any, noise: Any, mechanism: Any) -> Any:
    del mechanism
    return np.minimum(counts + noise, counts.sum()) - counts


_MST, _LAW, _SEEN = "mst", "law", "released"


UNLISTED_NOISE: tuple[Mutant, ...] = (
    planted(
        "noise-kept-by-shape",
        "Tables of as many cells get the same noise.",
        "independence",
        _SEEN,
        _MST,
        *noise_changed(_kept_by_shape()),
    ),
    planted(
        "less-noise-on-empty-cells",
        "Cells without rows get half of the noise.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_halved_at_zero),
    ),
    planted(
        "every-seventh-cell-bare",
        "Every seventh cell gets no noise.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_seventh_bare),
    ),
    planted(
        "cells-over-1000-bare",
        "Cells of more than 1,000 rows get no noise.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_large_bare),
    ),
    planted(
        "last-cell-bare",
        "The last cell, often the missing level, gets no noise.",
        "noise",
        "released",
        _MST,
        *noise_changed(_last_bare),
    ),
    planted(
        "noise-cut-at-three-sigma",
        "Noise is moved into three standard deviations.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_cut_tails),
    ),
    planted(
        "noise-never-zero",
        "No cell keeps its exact count: a 0 becomes a 1.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_never_zero),
    ),
    planted(
        "noise-sums-to-zero",
        "The last cell's noise balances all others: sums are exact.",
        "noise",
        "law",
        _MST,
        *noise_changed(_summing_to_zero),
    ),
    planted(
        "noise-antithetic",
        "The second half of the cells gets minus the first half's noise.",
        "independence",
        _LAW,
        _MST,
        *noise_changed(_antithetic),
    ),
    planted(
        "noise-reflected-at-zero",
        "Noise that would make an answer negative is turned.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_reflected),
    ),
    planted(
        "empty-tables-bare",
        "A table without rows is answered without noise.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_empty_bare),
    ),
    planted(
        "constant-columns-bare",
        "A table with rows in one cell alone is answered exactly.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_one_cell_bare),
    ),
    planted(
        "large-tables-bare",
        "A table of more than 10,000 rows is answered exactly.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_many_rows_bare),
    ),
    planted(
        "answers-capped-at-the-true-total",
        "No answer is above the exact number of rows.",
        "noise",
        _LAW,
        _MST,
        *noise_changed(_capped_at_total),
    ),
)
