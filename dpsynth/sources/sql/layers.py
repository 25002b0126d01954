"""Named expressions, each layer a subquery over the one before: nothing is written twice."""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from dpsynth.sources.sql.engine import Expression


class Layers:
    """Expressions by name, in layers that may speak of the names of the layers before."""

    def __init__(self) -> None:
        self._layers: list[dict[str, Expression]] = []

    def put(self, depth: int, name: str, expression: Expression) -> exp.Column:
        """Name an expression in layer ``depth``, and return what a later layer calls it."""
        while len(self._layers) <= depth:
            self._layers.append({})
        self._layers[depth][name] = expression
        return exp.column(name, quoted=True)

    def query(self, table: Expression, wanted: Sequence[str]) -> exp.Select:
        """Return a query for ``wanted`` names, over ``table``, that carries no more than it must.

        Args:
            table: a table, or a query in parentheses.
            wanted: names that were put.
        """
        needed = [set(wanted)]
        for layer in reversed(self._layers):
            asked = needed[-1]
            kept = asked - set(layer)
            for name in asked & set(layer):
                kept |= {column.name for column in layer[name].find_all(exp.Column)}
            needed.append(kept)
        found: Expression = table
        # The first layer reads the table's own columns, and passes none of them on.
        for depth, layer in enumerate(self._layers):
            asked = needed[len(self._layers) - 1 - depth]
            chosen = [_named(name, layer) for name in sorted(asked) if depth or name in layer]
            found = exp.select(*chosen, copy=False).from_(_source(found, depth), copy=False)
        assert isinstance(found, exp.Select)
        order: Mapping[str, int] = {name: place for place, name in enumerate(wanted)}
        found.set("expressions", sorted(found.expressions, key=lambda each: order[each.alias]))
        return found


def _named(name: str, layer: Mapping[str, Expression]) -> Expression:
    expression = layer[name].copy() if name in layer else exp.column(name, quoted=True)
    return exp.alias_(expression, name, quoted=True, copy=False)


def _source(found: Expression, depth: int) -> Expression:
    return found.copy() if not depth else found.subquery(f"layer_{depth}", copy=False)  # type: ignore[attr-defined]  # sqlglot's own way
