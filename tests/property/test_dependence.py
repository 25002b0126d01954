"""How far one person moves the dependence of a child on its parents: by brute force."""

from fractions import Fraction
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from dpsynth.domain import Domain, NeighboringRelation, PrivacyUnit
from dpsynth.privacy.queries import DependenceQuery

RESOLUTION = 6
# Sizes of parents and child, rows of the smaller table at most, and weights of the child.
WORLDS = [
    ((2, 2), 5, (6, 0)),
    ((2, 2), 5, (2, 4)),
    ((2, 3), 4, (3, 0, 3)),
    ((3, 2), 4, (1, 5)),
    ((2, 2, 2), 4, (0, 6)),
    ((2, 2, 2), 4, (3, 3)),
    ((3,), 5, (2, 0, 4)),
]


def query_of(shape, weights, *, costs=(0,)):
    names = tuple(f"c{place}" for place in range(len(shape)))
    domain = Domain(sizes=dict(zip(names, shape, strict=True)))
    return DependenceQuery(
        cliques=(names,) * len(costs),
        children=(names[-1],) * len(costs),
        weights={names[-1]: np.array(weights, dtype=np.int64)},
        costs=costs,
        resolution=sum(weights),
        domain=domain,
    )


def score(query, counts):
    (found,) = query.scores(lambda _: np.asarray(counts, dtype=np.int64))
    return int(found)


def tables(cells, rows):
    """Yield every table of exactly ``rows`` rows."""
    for chosen in combinations_with_replacement(range(cells), rows):
        yield np.bincount(np.array(chosen, dtype=np.int64), minlength=cells)


@pytest.mark.parametrize(("shape", "rows", "weights"), WORLDS, ids=str)
@pytest.mark.parametrize("max_rows", [1, 2, 3])
def test_every_tiny_table_stays_within_the_sensitivity_and_some_reach_it(
    shape, rows, weights, max_rows
):
    query = query_of(shape, weights)
    unit = PrivacyUnit(max_rows=max_rows, name="person")
    cells = int(np.prod(shape))
    known = {}

    def scored(counts):
        key = counts.tobytes()
        if key not in known:
            known[key] = score(query, counts)
        return known[key]

    added = [more for count in range(1, max_rows + 1) for more in tables(cells, count)]
    moved = max(
        abs(scored(counts + more) - scored(counts))
        for size in range(rows + 1)
        for counts in tables(cells, size)
        for more in added
    )
    bound = query.sensitivity(unit)
    assert bound == 2 * RESOLUTION * max_rows
    assert moved == 2 * max_rows * (RESOLUTION - min(weights)) <= bound


def test_the_number_of_rows_is_in_neither_score_nor_sensitivity():
    """The same residuals from 10 rows and from 10,000: the same score."""
    query = query_of((2, 2), (3, 3))
    assert score(query, [1, 1, 4, 4]) == score(query, [2_500, 2_500, 2_500, 2_500]) == 0
    assert score(query, [3, 1, 2, 2]) == score(query, [2_501, 2_499, 2_500, 2_500]) == 2 * 6


def test_a_score_is_the_distance_in_rows_from_independence():
    query = query_of((2, 2), (3, 3))
    # x copies p: half of all rows stand where independence puts the other half.
    assert score(query, [50, 0, 0, 50]) == RESOLUTION * 100
    assert score(query, [25, 25, 25, 25]) == 0


def test_a_childs_place_among_the_columns_does_not_matter():
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 9, (2, 3, 4))
    domain = Domain(sizes={"a": 2, "b": 3, "c": 4})
    weights = np.array([1, 2, 3], dtype=np.int64)
    query = DependenceQuery(
        cliques=(("a", "b", "c"), ("c", "b", "a")),
        children=("b", "b"),
        weights={"b": weights},
        costs=(0, 7),
        resolution=6,
        domain=domain,
    )
    first, second = query.scores(
        lambda clique: counts.ravel() if clique[0] == "a" else counts.T.ravel()
    )
    by_hand = sum(
        abs(6 * int(counts[a, b, c]) - int(weights[b]) * int(counts[a, :, c].sum()))
        for a, b, c in product(range(2), range(3), range(4))
    )
    assert first == second + 7 == by_hand


def test_neighboring_candidates_of_one_clique_are_counted_once():
    query = query_of((2, 2), (3, 3), costs=(0, 5, 9))
    asked = []

    def count(clique):
        asked.append(clique)
        return np.array([3, 1, 2, 2], dtype=np.int64)

    assert query.scores(count).tolist() == [12, 7, 3]
    assert asked == [("c0", "c1")]


def test_only_add_or_remove_has_a_derivation():
    unit = PrivacyUnit(max_rows=1, neighboring=NeighboringRelation.REPLACE)
    with pytest.raises(ValueError, match="add_or_remove alone"):
        query_of((2, 2), (3, 3)).sensitivity(unit)
    assert query_of((2, 2), (3, 3)).sensitivity(PrivacyUnit()) == Fraction(12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cliques": ()}, "one length"),
        ({"children": ()}, "one length"),
        ({"costs": (1, 2)}, "one length"),
        ({"costs": (0.5,)}, "whole"),
        ({"resolution": 0}, "resolution must be above 0"),
        ({"resolution": 2**20 + 1}, "resolution must be at most"),
        ({"children": ("zip",)}, "a child must be a column of its clique"),
        ({"children": ("a",)}, "a child must be a column of its clique"),
        ({"cliques": (("a", "a"),)}, "each once"),
        ({"weights": {"b": np.array([1, 1], dtype=np.int64)}}, "add up to the resolution"),
        ({"weights": {"b": np.array([5, -1], dtype=np.int64)}}, "add up to the resolution"),
        ({"weights": {"b": np.array([4], dtype=np.int64)}}, "int64 vector"),
        ({"weights": {"b": np.array([2.0, 2.0])}}, "int64 vector"),
    ],
)
def test_what_cannot_be_asked(changed, message):
    good = {
        "cliques": (("a", "b"),),
        "children": ("b",),
        "weights": {"b": np.array([1, 3], dtype=np.int64)},
        "costs": (0,),
        "resolution": 4,
        "domain": Domain(sizes={"a": 2, "b": 2}),
    }
    DependenceQuery(**good)
    with pytest.raises((ValueError, TypeError), match=message):
        DependenceQuery(**good | changed)
