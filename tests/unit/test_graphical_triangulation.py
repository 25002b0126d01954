"""A graph that grows within a limit, against plain triangulation."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.tree import junction_tree
from dpsynth.models.graphical.triangulation import GrowingGraph

DOMAIN = Domain(sizes={"a": 4, "b": 3, "c": 5, "d": 2, "e": 6, "f": 2})


def growing(cells=10_000, clique_cells=10_000, domain=DOMAIN):
    return GrowingGraph(domain, most_cells=cells, most_clique_cells=clique_cells)


def test_columns_alone_are_cliques_of_their_own():
    graph = growing()
    assert sorted(graph.cliques) == [(name,) for name in "abcdef"]
    assert graph.cells == pytest.approx(22)
    assert graph.holds(("a",))
    assert not graph.holds(("a", "b"))


def test_a_circle_is_triangulated_where_it_is_cheapest():
    graph = growing()
    for pair in ("ab", "bc", "cd", "da"):
        assert graph.join(tuple(pair))
    # Across b and d: 4 * 3 * 2 + 5 * 3 * 2 cells; across a and c: 4 * 3 * 5 + 4 * 5 * 2.
    assert {frozenset(clique) for clique in graph.cliques if len(clique) > 1} == {
        frozenset("abd"), frozenset("bcd")
    }  # fmt: skip
    assert graph.holds(("b", "d"))
    assert graph.cells == pytest.approx(24 + 30 + 6 + 2)


def test_what_does_not_fit_changes_nothing():
    graph = growing(cells=60)
    assert graph.join(("a", "b"))
    before = (graph.cliques, graph.cells)
    assert not graph.join(("c", "e", "a"))
    assert (graph.cliques, graph.cells) == before
    assert not growing(clique_cells=11).join(("a", "b"))
    assert growing(clique_cells=12).join(("a", "b"))


@pytest.mark.parametrize("limits", [{"most_cells": 21}, {"most_clique_cells": 5}])
def test_columns_over_the_limit_are_refused(limits):
    with pytest.raises(ValueError, match="more cells"):
        GrowingGraph(DOMAIN, **{"most_cells": 100, "most_clique_cells": 100, **limits})


@pytest.mark.parametrize("seed", range(40))
def test_the_cliques_always_form_a_junction_tree_within_the_limits(seed):
    rng = np.random.default_rng(seed)
    domain = Domain(sizes={f"c{i}": int(rng.integers(1, 7)) for i in range(9)})
    graph = growing(cells=600, clique_cells=150, domain=domain)
    joined = []
    candidates = [*combinations(domain.columns, 2), *combinations(domain.columns, 3)]
    for at in rng.permutation(len(candidates))[:40]:
        if graph.join(candidates[at]):
            joined.append(candidates[at])
        junction_tree(graph.cliques)  # raises where they are none
        cells = [domain.size(clique) for clique in graph.cliques]
        assert sum(cells) == round(graph.cells) <= 600
        assert max(cells) <= 150
        assert all(graph.holds(clique) for clique in joined)
    assert {name for clique in graph.cliques for name in clique} == set(domain.columns)
