"""Belief propagation against the joint distribution, written out."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.propagation import Propagation, canonical_order
from dpsynth.models.graphical.triangulation import GrowingGraph


def problem(seed, scale=2.0):
    rng = np.random.default_rng(seed)
    domain = Domain(sizes={f"c{i}": int(rng.integers(1, 6)) for i in range(6)})
    graph = GrowingGraph(domain, most_cells=10_000, most_clique_cells=10_000)
    pairs = list(combinations(domain.columns, 2))
    factors = [canonical_order(domain, (name,)) for name in domain.columns]
    for at in rng.permutation(len(pairs))[: rng.integers(0, 9)]:
        graph.join(pairs[at])
        factors.append(canonical_order(domain, pairs[at]))
    logs = [scale * rng.standard_normal(domain.shape(columns)) for columns in factors]
    return domain, graph.cliques, factors, logs


def written_out(domain, factors, logs):
    joint = np.zeros(domain.shape(domain.columns))
    for columns, values in zip(factors, logs, strict=True):
        axes = [domain.columns.index(name) for name in columns]
        order = np.argsort(axes)
        shape = [domain.sizes[n] if n in columns else 1 for n in domain.columns]
        joint = joint + values.transpose(order).reshape(shape)
    top = joint.max()
    weight = np.exp(joint - top)
    return float(np.log(weight.sum()) + top), weight / weight.sum()


def onto(joint, domain, columns):
    letters = dict(zip(domain.columns, "uvwxyz", strict=True))
    return np.einsum(f"uvwxyz->{''.join(letters[name] for name in columns)}", joint)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("scale", [2.0, 600.0])
def test_everything_is_that_of_the_joint(seed, scale):
    """Factors over hundreds of powers of e vanish as products, and are found in logarithms."""
    domain, cliques, factors, logs = problem(seed, scale)
    log_total, joint = written_out(domain, factors, logs)
    tree = Propagation(domain, cliques, factors, factors)
    found_total, beliefs, margins = tree.run(logs)
    assert found_total == pytest.approx(log_total, rel=1e-9, abs=1e-9)
    for columns, margin in zip(factors, margins, strict=True):
        assert margin == pytest.approx(onto(joint, domain, columns), abs=1e-9)
    for node, belief in zip(tree.nodes, beliefs, strict=True):
        assert belief == pytest.approx(onto(joint, domain, node.clique), abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_both_ways_agree(seed):
    domain, cliques, factors, logs = problem(seed)
    tree = Propagation(domain, cliques, factors, factors[::-1])
    plain, logarithmic = tree._run_plain(logs), tree._run_in_logs(logs)
    assert plain[0] == pytest.approx(logarithmic[0])
    for first, second in zip(plain[2], logarithmic[2], strict=True):
        assert first == pytest.approx(second, abs=1e-12)


def test_axes_must_stand_in_canonical_order():
    domain = Domain(sizes={"a": 4, "b": 2})
    assert canonical_order(domain, ("a", "b")) == ("b", "a")
    with pytest.raises(ValueError, match="canonical order"):
        Propagation(domain, [("a", "b")], [("a", "b")], [])
