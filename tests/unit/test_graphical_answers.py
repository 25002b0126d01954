"""Answers to many cliques at once equal those to one at a time."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.answers import expected_tables
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tree import junction_tree

SIZES = dict(zip("abcdefg", (2, 3, 4, 2, 3, 5, 1), strict=True))
TREES = [
    [tuple("abc"), tuple("bcd"), tuple("ce"), ("f",), ("g",)],
    [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("f", "g")],
    [("b", "a", "c"), ("c", "d", "b"), ("d", "b", "e"), ("e", "f"), ("g",)],
    [("a", "f"), ("b", "f"), ("c", "f"), ("d", "f"), ("e", "g")],
    [tuple("abcdefg")],
    [(name,) for name in "abcdefg"],
]


def model_over(cliques, seed=0):
    """A model of random conditionals, some of them 0, node by node."""
    rng = np.random.default_rng(seed)
    domain = Domain(sizes=SIZES)
    tables = {}
    nodes = junction_tree(cliques)
    for node in nodes:
        fresh = rng.random(domain.shape((*node.separator, *node.new)))
        fresh *= rng.random(fresh.shape) > 0.2
        fresh = fresh.reshape(domain.size(node.separator), -1) + 1e-3
        fresh /= fresh.sum(1, keepdims=True)
        above = np.ones(1)
        if node.parent is not None:
            held = nodes[node.parent].clique
            parent = tables[held]
            gone = tuple(axis for axis, name in enumerate(held) if name not in node.separator)
            left = [name for name in held if name in node.separator]
            above = (
                parent.sum(gone).transpose([left.index(name) for name in node.separator]).ravel()
            )
        joint = (above[:, None] * fresh).reshape(domain.shape((*node.separator, *node.new)))
        order = [(*node.separator, *node.new).index(name) for name in node.clique]
        tables[node.clique] = joint.transpose(order)
    return GraphicalModel(domain=domain, total=50.0, probabilities=tables)


@pytest.mark.parametrize("cliques", TREES)
def test_all_pairs_in_both_orders_and_some_triples(cliques):
    model = model_over(cliques)
    wanted = [(name,) for name in SIZES]
    wanted += combinations("abcdefg", 2)
    wanted += [pair[::-1] for pair in combinations("abcdefg", 2)]
    wanted += [("a", "c", "f"), ("g", "b", "e")]
    found = expected_tables(model, wanted)
    assert set(found) == set(wanted)
    for clique in wanted:
        assert found[clique] == pytest.approx(model.marginal(clique), rel=1e-9, abs=1e-9)
