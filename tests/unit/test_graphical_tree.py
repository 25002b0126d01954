"""Forests and junction trees."""

import pytest

from dpsynth.models.graphical.tree import SpanningForest, junction_tree


def test_a_forest_refuses_circles():
    forest = SpanningForest("abcd")
    forest.join(("a", "b"))
    forest.join(("d", "c"))
    assert forest.joins(("a", "c"))
    forest.join(("b", "d"))
    assert not forest.joins(("a", "c"))
    with pytest.raises(ValueError, match="connected already"):
        forest.join(("a", "d"))


def test_parents_come_first_and_every_column_is_introduced_once():
    cliques = [("c", "d"), ("x",), ("a", "b"), ("b", "c"), ("b", "e")]
    nodes = junction_tree(cliques)
    assert {node.clique for node in nodes} == set(cliques)
    assert sorted(name for node in nodes for name in node.new) == sorted("abcdex")
    for at, node in enumerate(nodes):
        assert (node.parent is None) == (at == 0)
        if node.parent is not None:
            assert node.parent < at
            assert set(node.separator) == set(node.clique) & set(nodes[node.parent].clique)


def test_wider_cliques_hang_from_their_largest_separator():
    nodes = junction_tree([("a", "b", "c"), ("c", "e"), ("b", "c", "d")])
    separators = {node.clique: node.separator for node in nodes}
    assert separators[("b", "c", "d")] == ("b", "c")
    assert separators[("c", "e")] == ("c",)


@pytest.mark.parametrize(
    ("cliques", "message"),
    [
        ([], "at least one"),
        ([("a", "b"), ("a", "b")], "given once"),
        ([("a", "b"), ("b", "c"), ("c", "a")], "circle"),
        ([("a", "b"), ("b",)], "inside another"),
    ],
)
def test_what_is_no_tree_is_refused(cliques, message):
    with pytest.raises(ValueError, match=message):
        junction_tree(cliques)
