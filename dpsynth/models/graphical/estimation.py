"""From noisy tables to a consistent model: weighted least squares, shrinkage, exact margins.

For a forest of pairs no iteration over the whole model is needed. Every column's distribution is
the weighted least-squares reconciliation of all tables that hold the column; every pair is then
shrunk toward the product of its two columns by as much as its known noise asks for, and fitted
to them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dpsynth.domain import Domain
from dpsynth.models.graphical.model import GraphicalModel
from dpsynth.models.graphical.tables import Array, NoisyTable, estimate_total

_RAKING_ROUNDS = 60
_RAKING_TOLERANCE = 1e-9  # rows out of place, as a share of all rows
_LEAST_SHARE = 1e-6  # of what independence expects, that a shrunken cell keeps


def fit(domain: Domain, tables: Sequence[NoisyTable]) -> GraphicalModel:
    """Return the model of ``tables``: columns and pairs of columns that form no cycle.

    Args:
        domain: the columns of the model; one that no table holds is taken as uniform.
        tables: at least one; a clique measured twice counts twice.

    Raises:
        ValueError: a table does not fit the domain, or the pairs are no forest.

    Where the domain has structural zeros, it is the model nearest to that which holds them.
    """
    for table in tables:
        if table.values.shape != domain.shape(table.clique):
            raise ValueError(f"the table over {', '.join(table.clique)} does not fit the domain")
    total = estimate_total(tables)
    columns = {name: _column(name, domain.sizes[name], tables, total) for name in domain.columns}
    if domain.zeros:
        from dpsynth.models.graphical.convex import around_zeros

        free = fit(replace(domain, zeros=()), tables)
        return around_zeros(replace(free, domain=domain))
    joint: dict[tuple[str, ...], Array] = {}
    for clique in dict.fromkeys(table.clique for table in tables if len(table.clique) > 1):
        if len(clique) > 2:
            raise ValueError("tables of three or more columns cannot be fitted")
        measured = pooled([table for table in tables if table.clique == clique])
        joint[clique] = fit_pair(measured, columns[clique[0]], columns[clique[1]])
    covered = {name for clique in joint for name in clique}
    alone = ((name,) for name in domain.columns if name not in covered)
    joint.update({clique: columns[clique[0]] for clique in alone})
    shares = {clique: table / total for clique, table in joint.items()}
    return GraphicalModel(domain=domain, total=total, probabilities=shares)


def project_to_simplex(values: Array, variance: Array, *, total: float) -> Array:
    """Return the non-negative vector of sum ``total`` that is nearest to ``values``.

    Nearest in squares divided by ``variance``, so that a cell known better is moved less. Sums
    are unbiased before cells are cut at 0, and exact after.
    """
    order = np.argsort(-values / variance, kind="stable")
    shift = (np.cumsum(values[order]) - total) / np.cumsum(variance[order])
    # Cells stay above 0 up to the last one that its own shift leaves positive; the first always.
    last = np.flatnonzero(values[order] > shift * variance[order])
    chosen = shift[last[-1]] if last.size else shift[0]
    kept = np.maximum(values - chosen * variance, 0.0)
    # One correction for rounding: cells that dwarf the total would otherwise leave a residue.
    return np.asarray(kept * (total / kept.sum()) if kept.sum() > 0 else _even(kept, total))


def fit_pair(table: NoisyTable, rows: Array, columns: Array) -> Array:
    """Return a non-negative table with exactly these margins, close to a noisy one.

    What the noisy table says beyond the product of its margins is shrunk as if deviations were
    normal with variance proportional to the expected counts; the proportion is estimated from the
    table itself, whose noise is known. Without signal that leaves the product.

    Args:
        table: noisy rows over two columns.
        rows: margin over the first column, non-negative.
        columns: margin over the second, of the same sum.
    """
    total = float(rows.sum())
    product = np.outer(rows, columns) / total
    deviation = table.values - product
    # Least squares onto the margins, for even noise: what is left sums to 0 along both axes.
    deviation = deviation - deviation.mean(1, keepdims=True)
    deviation = deviation - deviation.mean(0, keepdims=True)
    freedom = (rows.size - 1) * (columns.size - 1)
    noise = float(table.variance.mean()) * freedom
    signal = max(float((deviation**2).sum()) - noise, 0.0) / total
    prior = signal * product
    shrunk = product + deviation * (prior / (prior + table.variance))
    return _with_margins(np.maximum(shrunk, _LEAST_SHARE * product), rows, columns)


def _column(name: str, size: int, tables: Sequence[NoisyTable], total: float) -> Array:
    """Reconcile every table that holds a column: precision-weighted mean, then the simplex."""
    views = [table.onto(name) for table in tables if name in table.clique]
    if not views:
        return np.full(size, total / size)
    joined = pooled(views)
    return project_to_simplex(joined.values, joined.variance, total=total)


def pooled(tables: Sequence[NoisyTable]) -> NoisyTable:
    """Combine tables over one clique, with their axes in one order, by precision."""
    precision = np.sum([1 / table.variance for table in tables], axis=0)
    weighted = np.sum([table.values / table.variance for table in tables], axis=0)
    return NoisyTable(clique=tables[0].clique, values=weighted / precision, variance=1 / precision)


def _with_margins(table: Array, rows: Array, columns: Array) -> Array:
    """Scale a non-negative table to its margins, and put what scaling leaves over in place.

    Scaling converges quickly where the margins nearly fit, as here. What is missing after a
    fixed number of rounds is moved by the rounding of Altschuler, Weed and Rigollet (2017),
    arXiv:1705.09634, algorithm 2, so that the margins hold whatever the table.
    """
    total = float(rows.sum())
    for _ in range(_RAKING_ROUNDS):
        table = table * _ratio(rows, table.sum(1))[:, None]
        table = table * _ratio(columns, table.sum(0))
        if np.abs(table.sum(1) - rows).sum() <= _RAKING_TOLERANCE * total:
            break
    table = table * np.minimum(_ratio(rows, table.sum(1)), 1.0)[:, None]
    table = table * np.minimum(_ratio(columns, table.sum(0)), 1.0)
    missing_rows = np.maximum(rows - table.sum(1), 0.0)
    missing_columns = np.maximum(columns - table.sum(0), 0.0)
    missing = float(missing_rows.sum())
    if missing > 0:
        table = table + np.outer(missing_rows, missing_columns) / missing
    return table


def _ratio(wanted: Array, found: Array) -> Array:
    return np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0)


def _even(values: Array, total: float) -> Array:
    return np.full(values.shape, total / values.size)
