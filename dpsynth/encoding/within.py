"""From coarse codes to values, given the declared order of columns and what a user asks for.

A model gives the coarse codes of a row. Within them the values of different columns are
independent, except that declared orders hold: what is drawn follows exactly that distribution,
conditional on the codes, so that no marginal of the model changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.chains import Chain, components, edges_of, extent, grid_of, rounded
from dpsynth.encoding.coarsening import Coarsening
from dpsynth.encoding.codec import Codec, codecs
from dpsynth.encoding.orders import Array, Line
from dpsynth.schema.rules import ordered_pairs
from dpsynth.schema.selection import Selection

if TYPE_CHECKING:
    from dpsynth.schema.document import Schema

_ROUNDING = 1e-12
Codes = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Within:
    """How values lie within the coarse codes of a model.

    Args:
        schema: the declared columns and rules.
        coarsenings: by modeled column, from base codes to the model's.
        given: by column, the part of it that every row is to be in.
    """

    schema: "Schema"
    coarsenings: Mapping[str, Coarsening]
    given: Mapping[str, Selection] = field(default_factory=dict)
    _tools: Mapping[str, Codec] = field(init=False, repr=False)
    _chains: tuple["Chain", ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tools = codecs(self.schema)
        object.__setattr__(self, "_tools", tools)
        pairs = ordered_pairs(self.schema.rules)
        chains = tuple(
            Chain(self.schema, names, pairs, tools, self.coarsenings, self.given)
            for names in components(pairs)
        )
        object.__setattr__(self, "_chains", chains)

    def likelihood(self) -> dict[tuple[str, ...], Array]:
        """Return the chance that what is given holds, by coarse codes of the columns it hangs on.

        Multiplied into the model, these tables make its codes follow the exact conditional
        distribution of the rows for which it holds.
        """
        found: dict[tuple[str, ...], Array] = {}
        ordered: set[str] = set()
        for chain in self._chains:
            if any(self._splits(name) for name in chain.names if name in self.given):
                found[chain.names] = chain.likelihood()
                ordered |= set(chain.names)
        for name in self.given:
            if name not in ordered:
                found[name,] = self._shares(name)
        return found

    def draw(
        self, coarse: Mapping[str, NDArray[Any]], rng: np.random.Generator
    ) -> tuple[Codes, dict[str, Array]]:
        """Return base codes by column, and the values that are settled with them.

        Args:
            coarse: the model's codes by column.
            rng: of the sampling, which is post-processing and costs no privacy.
        """
        codes = {name: self._coarsening(name).expand(held, rng) for name, held in coarse.items()}
        values: dict[str, Array] = {}
        ordered = {name for chain in self._chains for name in chain.names}
        for name in self.given:
            if name not in ordered and grid_of(self._tools[name]) is not None:
                values[name] = self._inside(name, codes[name], rng)
        for chain in self._chains:
            values |= chain.draw(coarse, codes, rng)
        return codes, values

    def _splits(self, name: str) -> bool:
        """Whether what is given is true of some values of a coarse code and not of others."""
        shares = self._shares(name)
        return bool(((shares > 0) & (shares < 1 - _ROUNDING)).any())

    def _coarsening(self, name: str) -> Coarsening:
        """Return the column's regrouping, its weights kept to what is given."""
        held = self.coarsenings[name]
        if name not in self.given:
            return held
        shares = within_shares(self.given[name], self._tools[name])
        return Coarsening(groups=held.groups, weights=held.weights * shares)

    def _shares(self, name: str) -> Array:
        held = self.coarsenings[name]
        shares = within_shares(self.given[name], self._tools[name])
        found = np.bincount(held.groups, weights=held.weights * shares, minlength=held.size)
        return np.asarray(found, dtype=np.float64)

    def _inside(self, name: str, codes: NDArray[Any], rng: np.random.Generator) -> Array:
        """Draw values evenly where a cell and what is given overlap; NaN where missing."""
        tool = self._tools[name]
        cut, part = grid_of(tool), self.given[name]
        assert cut is not None, "the column is numeric or a date"
        values = np.full(codes.size, np.nan)
        present = codes < cut.size
        for low, high in part.intervals:
            starts, ends = np.maximum(cut.starts, low), np.minimum(cut.ends, high)
            line = Line(starts=starts, ends=np.maximum(starts, ends), whole=cut.whole)
            drawn = line.draw(codes[present].astype(np.int64), rng)
            values[present] = rounded(tool, drawn, edges_of(self.schema.column(name), part))
        return values


def within_shares(part: Selection, tool: Codec) -> Array:
    """Return the share of every base code that lies within ``part``, values in it being even."""
    found = np.zeros(tool.size)
    found[sorted(part.levels)] = 1.0
    cut = grid_of(tool)
    if cut is not None:
        for low, high in part.intervals:
            starts, ends = np.maximum(cut.starts, low), np.minimum(cut.ends, high)
            found[: cut.size] += extent(starts, ends, cut.whole) / extent(
                cut.starts, cut.ends, cut.whole
            )
    if part.missing:
        found[-1] = 1.0
    return np.minimum(found, 1.0)
