"""Fused tables, and exchanging rows until the tables are as wanted."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.fusing import FusedTables
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.raking import Correction
from dpsynth.models.graphical.refining import refine

DOMAIN = Domain(sizes={"a": 3, "b": 2, "c": 4, "d": 1, "e": 70, "f": 2, "g": 5})
TRIPLES = [("c", "a", "g"), ("f", "b", "e"), ("d",)]
CLIQUES = [*combinations(DOMAIN.columns, 2), *TRIPLES, ("b", "a")]


def rows_of(domain, rows, seed=0):
    """Dependent codes: every column leans on the first."""
    rng = np.random.default_rng(seed)
    lead = rng.random(rows)
    return {
        name: np.floor(size * (0.5 * lead + 0.5 * rng.random(rows))).astype(
            np.min_scalar_type(size - 1)
        )
        for name, size in domain.sizes.items()
    }


def counted(codes, domain, clique, weights):
    place = np.ravel_multi_index(tuple(codes[name] for name in clique), domain.shape(clique))
    return np.bincount(place, weights=weights, minlength=domain.size(clique))


@pytest.mark.parametrize("rows", [5, 400, 20_000])
def test_fused_tables_are_the_tables(rows):
    """Triples, twins, columns of one code, and tables of more cells than rows among them."""
    codes = rows_of(DOMAIN, rows)
    tables = FusedTables(CLIQUES, codes, DOMAIN)
    weights = np.random.default_rng(1).random(rows)
    found = tables.summed(weights)
    for part, clique in zip(tables.slices, CLIQUES, strict=True):
        assert found[part] == pytest.approx(counted(codes, DOMAIN, clique, weights))
    some = np.array([rows - 1, 0, 3])
    cells = tables.cells_of(some)
    values = np.random.default_rng(2).normal(size=tables.cells)
    expected = values[cells].sum(0)
    assert tables.scores(values, slice(0, rows))[some] == pytest.approx(expected, rel=1e-4)
    for part, clique in zip(tables.slices, CLIQUES, strict=True):
        place = np.ravel_multi_index(
            tuple(codes[name][some] for name in clique), DOMAIN.shape(clique)
        )
        assert any((line - part.start == place).all() for line in cells)


def test_many_tables_take_few_walks_over_many_rows():
    codes = rows_of(DOMAIN, 20_000)
    assert len(FusedTables(CLIQUES, codes, DOMAIN).carriers) <= 3
    few = {name: column[:100] for name, column in codes.items()}
    assert len(FusedTables(CLIQUES, few, DOMAIN).carriers) > 3


def posed(seed, rows=4_000):
    """Half of the rows are taken at random; the tables of all of them, halved, are wanted."""
    codes = rows_of(DOMAIN, rows, seed)
    tables = FusedTables(CLIQUES, codes, DOMAIN)
    times = np.random.default_rng(seed).permutation(np.repeat([0, 1], rows // 2))
    return codes, tables, tables.summed(np.full(rows, 0.5)), times


def error(tables, wanted, importance, times):
    return float(importance @ (wanted - tables.summed(times.astype(float))) ** 2)


@pytest.mark.parametrize("seed", range(4))
def test_the_error_falls_and_the_number_of_rows_stays(seed):
    _, tables, wanted, times = posed(seed)
    importance = 1 / np.sqrt(np.maximum(wanted, 1))
    given = times.copy()
    found = refine(tables, wanted, importance, times, np.random.default_rng(0))
    assert (times == given).all()
    assert found.sum() == times.sum()
    assert found.min() >= 0
    before, after = (error(tables, wanted, importance, each) for each in (times, found))
    assert after < before / 5
    again = refine(tables, wanted, importance, found, np.random.default_rng(1))
    assert error(tables, wanted, importance, again) <= after


def test_what_is_right_already_is_left_alone():
    _, tables, _, times = posed(0)
    right = tables.summed(times.astype(float))
    found = refine(tables, right, np.ones(right.size), times, np.random.default_rng(0))
    assert (found == times).all()


def test_rows_of_no_importance_may_be_anything():
    _, tables, wanted, times = posed(0)
    found = refine(tables, wanted, np.zeros(wanted.size), times, np.random.default_rng(0))
    assert (found == times).all()


def test_the_same_seed_makes_the_same_choice():
    _, tables, wanted, times = posed(0)
    importance = np.ones(wanted.size)
    found = [
        refine(tables, wanted, importance, times, np.random.default_rng(seed)) for seed in (3, 3, 4)
    ]
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


BINARY = Domain(sizes={"p": 2, "x": 2, "y": 2, "z": 3})


def leaning(correction=None):
    """x and y lean on p and are independent given it; x = 1 and z = 2 never meet."""
    pair = np.array([[0.4, 0.1], [0.1, 0.4]])
    never = np.array([[0.2, 0.1, 0.2], [0.3, 0.2, 0.0]])
    model = GraphicalModel(
        domain=BINARY,
        total=5_000.0,
        probabilities={("p", "x"): pair, ("p", "y"): pair, ("x", "z"): never},
    )
    shares = model.marginal(("p", "z")) / model.total if correction is None else correction
    given = Correction(clique=("p", "z"), shares=shares, stddev=1e-4)
    return GraphicalModel(
        domain=BINARY, total=5_000.0, probabilities=model.probabilities, corrections=[given]
    )


def test_columns_end_within_rounding_and_nothing_impossible_appears():
    model = leaning()
    for seed in range(20):
        drawn = model.sample(5_000, np.random.default_rng(seed))
        for name in BINARY.columns:
            difference = np.bincount(drawn[name]) - model.marginal((name,))
            assert np.abs(difference).max() < 2.5  # a row or two
        assert not ((drawn["x"] == 1) & (drawn["z"] == 2)).any()


def test_siblings_stay_independent_and_tables_unbiased():
    """Mean over 60 samples. False alarms: below 1e-5 (five standard errors, 30 statements).

    The standard error of a cell is that of rows drawn one by one, which these are better than.
    """
    model, runs, rows = leaning(), 60, 5_000
    samples = [model.sample(rows, np.random.default_rng(seed)) for seed in range(runs)]
    for clique in combinations(BINARY.columns, 2):
        expected = model.marginal(clique).ravel()
        found = np.mean([counted(drawn, BINARY, clique, None) for drawn in samples], axis=0)
        assert np.abs(found - expected).max() < 5 * np.sqrt(rows / 4 / runs)
    for drawn in samples[:5]:
        for value in (0, 1):
            at = drawn["p"] == value
            correlation = np.corrcoef(drawn["x"][at], drawn["y"][at])[0, 1]
            assert abs(correlation) < 5 / np.sqrt(at.sum())


def test_pairs_come_closer_than_drawing_alone():
    plain = GraphicalModel(domain=BINARY, total=5_000.0, probabilities=leaning().probabilities)
    expected = plain.marginal(("p", "z")).ravel()
    errors = [
        np.mean(
            [
                np.abs(counted(each.sample(5_000, np.random.default_rng(seed)), BINARY,
                               ("p", "z"), None) - expected).sum()
                for seed in range(10)
            ]
        )
        for each in (leaning(), plain)
    ]  # fmt: skip
    assert errors[0] < errors[1] / 3
