"""What a fit takes its second derivatives to be, against the real ones where these are known."""

from itertools import combinations

import numpy as np
import pytest

from dpsynth.domain import Domain
from dpsynth.models.graphical.convex import fit_cliques
from dpsynth.models.graphical.minimize import minimize
from dpsynth.models.graphical.preconditioning import Preconditioner
from dpsynth.models.graphical.tables import NoisyTable

SIZES = {"a": 3, "b": 4, "c": 2}
ROWS = 10_000.0
STRENGTH = 5.0


def tables():
    """All pairs and all columns of three independent columns, without noise."""
    rng = np.random.default_rng(0)
    shares = {name: rng.dirichlet(np.full(size, 5.0)) for name, size in SIZES.items()}
    found = []
    for clique in [*combinations(SIZES, 2), *((name,) for name in SIZES)]:
        values = np.array(ROWS)
        for name in clique:
            values = np.multiply.outer(values, shares[name])
        found.append(NoisyTable(clique=clique, values=values, variance=np.ones(values.shape)))
    return found


def made(held):
    expected = np.concatenate([table.values.ravel() for table in held])
    strength = np.full(expected.size, STRENGTH)
    return Preconditioner.of(
        held, curvature=expected + strength, strength=strength, expected=expected
    )


def as_matrix(linear, size):
    return np.array([linear(row) for row in np.eye(size)])


def second_derivatives(held):
    """Of ``ROWS * log Z + penalty`` where columns are independent: a covariance of cells."""
    joint = tables()[0].values[..., None] * tables()[-1].values / ROWS
    places = np.indices(joint.shape).reshape(3, -1)
    cells = []
    for table in held:
        axes = [list(SIZES).index(name) for name in table.clique]
        place = np.ravel_multi_index(tuple(places[axes]), table.values.shape)
        cells.append(np.eye(table.values.size)[:, place])
    inside = np.concatenate(cells)
    shares = joint.ravel() / ROWS
    mean = inside @ shares
    covariance = (inside * shares) @ inside.T - np.outer(mean, mean)
    return ROWS * covariance + STRENGTH * np.eye(len(inside))


def test_it_is_symmetric_and_positive_definite():
    held = tables()
    matrix = as_matrix(made(held), sum(table.values.size for table in held))
    assert matrix == pytest.approx(matrix.T, abs=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_it_inverts_most_of_what_tables_share():
    """Scaled cell by cell the curvatures lie a thousandfold apart; here, but for constants, few."""
    held = tables()
    real = second_derivatives(held)
    matrix = as_matrix(made(held), len(real))
    root = np.linalg.cholesky(matrix)
    left = np.linalg.eigvalsh(root.T @ real @ root)
    # A constant added to a table changes nothing but its penalty: one direction each.
    inside = left[len(held) :]
    assert inside[-1] / inside[0] < 4
    scale = 1 / np.sqrt(np.diag(real))
    alone = np.linalg.eigvalsh(real * np.outer(scale, scale))[len(held) :]
    assert alone[-1] / alone[0] > 100


def test_tables_of_different_widths_and_none_at_all():
    alone = tables()[-2:]
    expected = np.concatenate([table.values for table in alone])
    found = made(alone)(np.ones(expected.size))
    assert found == pytest.approx(1 / (expected + STRENGTH))
    empty = np.empty(0)
    assert Preconditioner.of([], curvature=empty, strength=empty, expected=empty)(empty).size == 0


def test_a_fit_takes_fewer_steps_for_it(monkeypatch):
    truth = np.random.default_rng(1).dirichlet(np.full(200, 0.5)).reshape(5, 5, 8) * 100_000
    domain = Domain(sizes={"a": 5, "b": 5, "c": 8})
    pairs = [
        NoisyTable(clique=pair, values=values, variance=np.full(values.shape, 9.0))
        for pair in combinations("abc", 2)
        for values in [np.einsum(f"abc->{''.join(pair)}", truth)]
    ]
    base = {name: truth.sum(tuple(k for k in range(3) if k != at)) for at, name in enumerate("abc")}
    columns = [
        NoisyTable(clique=(name,), values=rows, variance=np.full(rows.shape, 9.0))
        for name, rows in base.items()
    ]
    calls = []

    def counted(function, start, *, inverse, **options):
        def one_more(point):
            calls[-1] += 1
            return function(point)

        for known in (inverse, np.copy):
            calls.append(0)
            found = minimize(one_more, start, inverse=known, **options)
        return found

    monkeypatch.setattr("dpsynth.models.graphical.convex.minimize", counted)
    fit_cliques(
        domain,
        [*pairs, *columns],
        cliques=[("a", "b", "c")],
        base=base,
        total=100_000.0,
        precision=0.01,
    )
    assert calls[0] < 0.7 * calls[1]
