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


def ring(columns, *, codes=4, chords=()):
    """Join columns in a circle, then by chords; return the graph and how many chords were held."""
    domain = Domain(sizes={f"c{i}": codes for i in range(columns)})
    graph = growing(cells=60_000, clique_cells=4**6, domain=domain)
    for at in range(columns):
        assert graph.join((f"c{at}", f"c{(at + 1) % columns}"))
    return graph, sum(graph.join((f"c{a}", f"c{b}")) for a, b in chords)


@pytest.mark.parametrize("seed", range(5))
def test_wide_trees_stay_junction_trees_within_the_limits(seed):
    rng = np.random.default_rng(seed)
    chords = [tuple(rng.choice(80, 2, replace=False)) for _ in range(150)]
    graph, held = ring(80, chords=chords)
    junction_tree(graph.cliques)  # raises where they are none
    cells = [4 ** len(clique) for clique in graph.cliques]
    assert sum(cells) == graph.cells <= 60_000
    assert max(cells) <= 4**6
    assert 10 < held < 150  # some were refused


def test_a_chord_between_near_columns_costs_the_same_in_a_table_ten_times_as_wide():
    """Only what lies between the columns is arranged anew: work is counted, time is not."""
    spent = []
    for columns in (30, 300):
        graph, _ = ring(columns)
        before = graph.work
        near = [(f"c{at}", f"c{at + 2}") for at in range(0, 20, 4)]
        assert all(graph.join(chord) for chord in near)
        spent.append(graph.work - before)
    assert spent[1] <= spent[0] * 1.5 + 10


def test_what_no_clique_could_hold_is_refused_without_work():
    graph, _ = ring(30)
    before = graph.work
    assert not graph.join(tuple(f"c{at}" for at in range(7)))  # 4**7 cells in one clique
    assert graph.work == before


def eliminated_at_once(domain, pairs):
    """Cells of the junction tree that eliminates the cheapest column of all, again and again."""
    near = {
        name: {b for pair in pairs if name in pair for b in pair} - {name}
        for name in domain.columns
    }
    cliques = []
    while near:
        first = min(near, key=lambda name: domain.size((name, *near[name])))
        clique = {first, *near[first]}
        if not any(clique <= held for held in cliques):
            cliques.append(clique)
        for name in near.pop(first):
            near[name] = (near[name] | clique) - {name, first}
    return sum(domain.size(tuple(clique)) for clique in cliques)


def test_nothing_is_gained_by_arranging_all_columns_anew():
    """What was arranged part by part is no larger than what one start from nothing finds."""
    ratios = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        domain = Domain(sizes={f"c{i}": int(rng.integers(2, 6)) for i in range(12)})
        pairs = list(combinations(domain.columns, 2))
        chosen = [pairs[at] for at in rng.permutation(len(pairs))[: 8 + seed]]
        graph = growing(cells=10**9, clique_cells=10**9, domain=domain)
        assert all(graph.join(pair) for pair in chosen)
        ratios.append(graph.cells / eliminated_at_once(domain, chosen))
    assert max(ratios) <= 1.2
    assert np.mean(ratios) <= 1.01


@pytest.mark.parametrize("seed", [24, 25])
def test_no_clique_is_left_inside_one_beside_what_was_arranged_anew(seed):
    """Many columns of few codes: large cliques, of which a part can be all that is arranged."""
    rng = np.random.default_rng(seed)
    columns = int(rng.integers(20, 45))
    codes = {f"c{i}": int(rng.integers(1, 3 if seed % 2 else 5)) for i in range(columns)}
    graph = growing(cells=2 * 10**8, clique_cells=10**8, domain=Domain(sizes=codes))
    for _ in range(120):
        graph.join(tuple(f"c{i}" for i in rng.choice(columns, 2, replace=False)))
        cliques = [set(clique) for clique in graph.cliques]
        assert not any(one < other for one in cliques for other in cliques)
    junction_tree(graph.cliques)
