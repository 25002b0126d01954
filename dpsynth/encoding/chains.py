"""Columns that declared orders connect: their values within coarse codes, drawn together."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.coarsening import Coarsening
from dpsynth.encoding.codec import Codec, GridCodec
from dpsynth.encoding.grid import Grid
from dpsynth.encoding.orders import Array, Line, OrderedDraw, Pairs
from dpsynth.encoding.rules import after, spans
from dpsynth.schema.selection import Selection

if TYPE_CHECKING:
    from dpsynth.schema.columns import Column
    from dpsynth.schema.document import Schema

Item = TypeVar("Item", bound=Hashable)

_POINT = 1e-60  # the extent of one real number: beside others it is a density


class Chain:
    """Columns that orders connect: their values within coarse codes are drawn together."""

    def __init__(
        self,
        schema: "Schema",
        names: tuple[str, ...],
        pairs: Sequence[tuple[str, str]],
        tools: Mapping[str, Codec],
        coarsenings: Mapping[str, Coarsening],
        given: Mapping[str, Selection],
    ) -> None:
        self.names = names
        place = {name: at for at, name in enumerate(names)}
        self._pairs = tuple((place[a], place[b]) for a, b in pairs if a in place)
        self._tools = [tools[name] for name in names]
        self._given = {place[name]: given[name] for name in given if name in place}
        self._edges = {
            at: edges_of(schema.column(names[at]), part) for at, part in self._given.items()
        }
        self._line = _line(self._tools, list(self._edges.values()))
        held = [coarsenings[name] for name in names]
        self._sizes = [each.size for each in held]
        placed = list(zip(self._tools, held, strict=True))
        self._weights = [_on_line(self._line, tool, each, each.weights) for tool, each in placed]
        self._evenly = [
            _on_line(self._line, tool, each, np.ones(each.groups.size)) for tool, each in placed
        ]
        self._asked = {at: _asked(self._line, part) for at, part in self._given.items()}
        digits = getattr(schema.column(names[0]), "decimals", None)
        slack = 0.0 if digits is None else 2 * 10.0**-digits  # by which rounding may move values
        reach = [_reach(tool, each) for tool, each in placed]
        with np.errstate(invalid="ignore"):  # a missing value has no reach and meets nothing
            self._meet = {
                (low, high): reach[low][1][:, None] + slack > reach[high][0][None, :]
                for low, high in self._pairs
            }
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...], bool], OrderedDraw] = {}

    def likelihood(self) -> Array:
        """Return the chance that what is given holds, by coarse codes of all columns."""
        cells = np.indices(self._sizes).reshape(len(self._sizes), -1)
        chance = np.ones(cells.shape[1])
        for at, part in self._given.items():
            if self._tools[at].has_missing and not part.missing:
                chance[self._missing(at)[cells[at]]] = 0.0
        for rows, together, codes in self._settings(cells):
            every = self._draw_of(together, codes, asked=False).weight
            asked = self._draw_of(together, codes, asked=True).weight
            chance[rows] *= asked / every if every > 0 else 0.0
        return chance.reshape(self._sizes)

    def draw(
        self,
        coarse: Mapping[str, NDArray[Any]],
        codes: dict[str, NDArray[Any]],
        rng: np.random.Generator,
    ) -> dict[str, Array]:
        """Replace base codes in ``codes`` where orders or what is given decide; return values."""
        held = np.stack([coarse[name].astype(np.int64) for name in self.names])
        values = np.full(held.shape, np.nan)
        for rows, together, setting in self._settings(held):
            drawn = self._draw_of(together, setting, asked=True).draw(rows.size, rng)
            final = self._rounded(together, drawn)
            for column, at in enumerate(together):
                cut = grid_of(self._tools[at])
                found = drawn[:, column] if cut is None else cut.locate(drawn[:, column])
                codes[self.names[at]][rows] = found.astype(np.int64)
                values[at, rows] = final[column]
        return {
            name: each
            for name, each, tool in zip(self.names, values, self._tools, strict=True)
            if grid_of(tool) is not None
        }

    def _rounded(self, together: tuple[int, ...], drawn: Array) -> Array:
        """Round to the declared digits, but not where that would bring values out of order."""
        found = np.stack(
            [
                rounded(self._tools[at], drawn[:, column], self._edges.get(at))
                for column, at in enumerate(together)
            ]
        )
        wrong = np.zeros(drawn.shape[0], dtype=np.bool_)
        for low, high in _among(self._pairs, together):
            wrong |= found[low] > found[high]
        found[:, wrong] = drawn[wrong].T
        return found

    def _settings(
        self, cells: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], tuple[int, ...], tuple[int, ...]]]:
        """Yield rows, the columns to draw together in them, and the codes that these have."""
        pattern = np.zeros(cells.shape[1], dtype=np.int64)
        for number, (low, high) in enumerate(self._pairs):
            meets = self._meet[low, high][cells[low], cells[high]]
            pattern |= meets.astype(np.int64) << number
        for found in np.unique(pattern).tolist():
            of_pattern = np.flatnonzero(pattern == found)
            groups = components([p for n, p in enumerate(self._pairs) if found >> n & 1])
            linked = {at for group in groups for at in group}
            alone = [(at,) for at in self._given if at not in linked]
            for together in [*groups, *alone]:
                chosen = cells[list(together)][:, of_pattern]
                distinct, place = np.unique(chosen, axis=1, return_inverse=True)
                place = place.reshape(-1)
                order = np.argsort(place, kind="stable")
                ends = np.cumsum(np.bincount(place, minlength=distinct.shape[1]))
                parts = np.split(of_pattern[order], ends[:-1])
                for codes, rows in zip(distinct.T, parts, strict=True):
                    if len(together) > 1 or not self._missing(together[0])[codes[0]]:
                        yield rows, together, tuple(codes.tolist())

    def _missing(self, at: int) -> NDArray[np.bool_]:
        """Tell which coarse codes of a column are the missing one."""
        return np.asarray(~self._evenly[at].any(1))

    def _draw_of(
        self, together: tuple[int, ...], codes: tuple[int, ...], *, asked: bool
    ) -> OrderedDraw:
        key = (together, codes, asked and any(at in self._asked for at in together))
        if key not in self._known:
            found = self._made(self._weights, *key)
            if (
                not found.weight > 0
                and not self._made(self._weights, together, codes, False).weight
            ):
                # What the noisy answers hold empty may be all that the order leaves: then evenly.
                found = self._made(self._evenly, *key)
            self._known[key] = found
        return self._known[key]

    def _made(
        self,
        tables: Sequence[Array],
        together: tuple[int, ...],
        codes: tuple[int, ...],
        asked: bool,
    ) -> OrderedDraw:
        weights = np.stack([tables[at][code] for at, code in zip(together, codes, strict=True)])
        used = np.flatnonzero(weights.any(0))
        if asked:
            for column, at in enumerate(together):
                weights[column] *= self._asked.get(at, 1.0)
        line = Line(
            starts=self._line.starts[used], ends=self._line.ends[used], whole=self._line.whole
        )
        return OrderedDraw(line, list(weights[:, used]), _among(self._pairs, together))


def extent(starts: Array, ends: Array, whole: bool) -> Array:
    """Return how much lies between two values, both included; 0 where they are crossed."""
    if whole:
        return np.maximum(ends - starts + 1, 0.0)
    # One point is next to nothing beside a range, and everything where a cell is one point.
    return np.where(ends >= starts, np.maximum(ends - starts, _POINT), 0.0)


def grid_of(tool: Codec) -> Grid | None:
    """Return the cells of a numeric or date column; None for levels."""
    found: Grid | None = getattr(tool, "grid", None)
    return found


def edges_of(column: "Column", part: Selection) -> Array:
    """Return where what is given starts and where it is over."""
    return np.array([v for low, high in part.intervals for v in (low, after(column, high))])


def rounded(tool: Codec, values: Array, edges: Array | None) -> Array:
    """Round to the declared digits, but not across a rule's cut or one of ``edges``."""
    return tool.round(values, within=edges) if isinstance(tool, GridCodec) else values


def _line(tools: Sequence[Codec], edges: Sequence[Array]) -> Line:
    """Cut the range of all columns wherever a cell of one of them, or what is given, does."""
    cuts = [grid_of(tool) for tool in tools]
    if cuts[0] is None:
        levels = np.arange(max(tool.size for tool in tools), dtype=np.float64)
        return Line(starts=levels, ends=levels, whole=True)
    grids = [cut for cut in cuts if cut is not None]
    whole = grids[0].whole
    lasts = np.array([cut.last for cut in grids])
    beyond = lasts + 1 if whole else np.nextafter(lasts, np.inf)
    starts = np.unique(np.concatenate([*(cut.starts for cut in grids), *edges, beyond]))
    least = min(cut.starts[0] for cut in grids)
    starts = starts[(starts >= least) & (starts <= lasts.max())]
    ends = np.append(starts[1:] - 1 if whole else np.nextafter(starts[1:], -np.inf), lasts.max())
    return Line(starts=starts, ends=ends, whole=whole)


def _on_line(line: Line, tool: Codec, held: Coarsening, weights: Array) -> Array:
    """Spread the weights of base codes over the line, by coarse code: (codes, cells)."""
    found = np.zeros((held.size, line.starts.size))
    cut = grid_of(tool)
    if cut is None:
        kept = tool.size - tool.has_missing
        found[held.groups[:kept], np.arange(kept)] = weights[:kept]
        return found
    inside = np.flatnonzero((line.starts >= cut.starts[0]) & (line.starts <= cut.last))
    cells = cut.locate(line.starts[inside])
    share = extent(line.starts[inside], line.ends[inside], line.whole) / extent(
        cut.starts[cells], cut.ends[cells], line.whole
    )
    found[held.groups[cells], inside] = weights[cells] * share
    return found


def _asked(line: Line, part: Selection) -> Array:
    """Return 1 for the cells of the line within ``part``, else 0; its edges cut the line."""
    found = np.isin(line.starts, sorted(part.levels)) if part.levels else np.zeros(line.starts.size)
    for low, high in part.intervals:
        found = np.maximum(found, (line.starts >= low) & (line.ends <= high))
    return np.asarray(found, dtype=np.float64)


def _reach(tool: Codec, held: Coarsening) -> tuple[Array, Array]:
    """Return least and greatest value of every coarse code; NaN for the missing one."""
    least, most = np.full(held.size, np.nan), np.full(held.size, np.nan)
    for span, group in zip(spans(tool), held.groups.tolist(), strict=True):
        if span is not None:
            least[group] = np.fmin(least[group], span[0])
            most[group] = np.fmax(most[group], span[1])
    return least, most


def _among(pairs: Pairs, together: tuple[int, ...]) -> Pairs:
    """Return the pairs within ``together``, by their places in it."""
    return tuple(
        (together.index(low), together.index(high))
        for low, high in pairs
        if low in together and high in together
    )


def components(pairs: Sequence[tuple[Item, Item]]) -> list[tuple[Item, ...]]:
    """Return the groups that pairs connect, each in the order in which pairs name its members."""
    groups: list[list[Item]] = []
    for pair in pairs:
        touched = [group for group in groups if pair[0] in group or pair[1] in group]
        merged = list(dict.fromkeys([*(name for group in touched for name in group), *pair]))
        groups = [*(group for group in groups if group not in touched), merged]
    return [tuple(group) for group in groups]
