"""Whatever the noise says, a model is a consistent distribution that can be written and sampled."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.domain import Domain
from dpsynth.models.graphical.estimation import fit, project_to_simplex
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import NoisyTable
from dpsynth.models.graphical.tree import SpanningForest

noisy = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-2, 1e6)


@st.composite
def measurements(draw):
    """Up to five columns, a random forest over them, counts of any sign and size."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    domain = Domain(sizes={f"c{i}": size for i, size in enumerate(sizes)})
    forest = SpanningForest(domain.columns)
    cliques = [(name,) for name in domain.columns]
    for pair in draw(st.permutations(list(combinations(domain.columns, 2)))):
        if forest.joins(pair) and draw(st.booleans()):
            forest.join(pair)
            cliques.append(pair)
    tables = []
    for clique in cliques:
        cells = domain.size(clique)
        values = np.array(draw(st.lists(noisy, min_size=cells, max_size=cells)))
        variance = np.full(domain.shape(clique), draw(positive))
        tables.append(
            NoisyTable(clique=clique, values=values.reshape(variance.shape), variance=variance)
        )
    return domain, tables


@given(measured=measurements(), rows=st.integers(0, 300), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_a_fit_is_consistent_and_can_be_sampled(measured, rows, seed):
    domain, tables = measured
    model = fit(domain, tables)
    assert model.total >= 1
    ones = {name: model.marginal((name,)) for name in domain.columns}
    for name, counts in ones.items():
        assert np.isfinite(counts).all()
        assert (counts >= 0).all()
        assert np.isclose(counts.sum(), model.total)
        assert counts.shape == (domain.sizes[name],)
    for first, second in combinations(domain.columns, 2):
        pair = model.marginal((first, second))
        assert np.allclose(pair.sum(1), ones[first], atol=1e-6 * model.total)
        assert np.allclose(pair.sum(0), ones[second], atol=1e-6 * model.total)
    drawn = model.sample(rows, np.random.default_rng(seed))
    assert tuple(drawn) == domain.columns
    for name, codes in drawn.items():
        assert codes.shape == (rows,)
        found = np.bincount(codes, minlength=domain.sizes[name])
        # Nothing is drawn that the model holds impossible; tiny shares may be drawn at most once
        # a group of rows that share a parent's code.
        assert (found[ones[name] == 0] == 0).all()
    read = GraphicalModel.from_arrays(*model.to_arrays())
    assert read.cliques == model.cliques


@given(
    values=st.lists(noisy, min_size=1, max_size=30),
    variances=st.lists(positive, min_size=30, max_size=30),
    total=st.floats(1, 1e6),
)
def test_projection_is_idempotent_and_keeps_order(values, variances, total):
    variance = np.array(variances[: len(values)])
    once = project_to_simplex(np.array(values), variance, total=total)
    assert np.isclose(once.sum(), total)
    assert np.allclose(project_to_simplex(once, variance, total=total), once, atol=1e-6 * total)
    even = project_to_simplex(np.array(values), np.ones(len(values)), total=total)
    order = np.argsort(values)
    assert (np.diff(even[order]) >= -1e-9 * total).all()
