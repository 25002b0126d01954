"""A sample on its way out: blocks of cells, each drawn when it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dpsynth.encoding.chains import grid_of
from dpsynth.encoding.codec import codecs
from dpsynth.encoding.table import DecodedBlock, Decoder
from dpsynth.models.protocol import Codes

if TYPE_CHECKING:
    from dpsynth.encoding.within import Within
    from dpsynth.schema import Schema

_NUMBERED = 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleStream:
    """The rows of one sample, block by block; to be walked through once.

    Attributes:
        schema: the columns, with what was learnt of open ones.
        rows: of all blocks together.
        blocks: codes of the model, at least one block.
        within: how values lie within them.
        rng: of the sampling; shared with ``blocks``, so that one seed gives one table.
    """

    schema: "Schema"
    rows: int
    blocks: Iterator[Codes] = field(repr=False)
    within: "Within" = field(repr=False)
    rng: np.random.Generator = field(repr=False)

    def __iter__(self) -> Iterator[DecodedBlock]:
        decoder = Decoder(self.schema, total=self.rows)
        for drawn in self.blocks:
            codes, values = self.within.draw(drawn, self.rng)
            yield decoder.block(codes, self.rng, values=values)

    @property
    def repeating(self) -> list[str]:
        """Columns that cannot hold more than 2**16 different cells: a file may number these."""
        found = []
        for name, tool in codecs(self.schema).items():
            cut = grid_of(tool)
            if cut is None or (cut.whole and cut.last - cut.starts[0] < _NUMBERED):
                found.append(name)
        return found

    def empty(self) -> DecodedBlock:
        """Return a block of no rows, with the columns and types of all others."""
        none = {name: np.zeros(0, np.uint8) for name in self.within.coarsenings}
        return Decoder(self.schema, total=0).block(none, np.random.default_rng(0))
