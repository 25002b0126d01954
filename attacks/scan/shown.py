"""What the cells of a release show that no declared value explains, gathered frame by frame."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attacks.scan.outside import Cells, outside
from attacks.scan.spelling import text_in_one_spelling
from dpsynth.schema.columns import ModeledColumn

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema


class Shown:
    """Cells of a release that no declared value explains.

    Attributes:
        texts: by column, those values in one spelling, and how many cells hold each.
        undeclared: by modeled column, cells outside the declared domain.
    """

    def __init__(self, schema: "Schema") -> None:
        self._modeled = {column.name: column for column in schema.modeled}
        self.texts: dict[str, dict[str, int]] = {}
        self.undeclared: dict[str, int] = dict.fromkeys(self._modeled, 0)

    @classmethod
    def of(cls, frames: "Iterable[pd.DataFrame]", schema: "Schema") -> "Shown":
        """Gather them from all frames of a release."""
        found = cls(schema)
        for frame in frames:
            found.add(frame)
        return found

    def watching(self, frames: "Iterable[pd.DataFrame]") -> "Iterator[pd.DataFrame]":
        """Gather from frames on their way to somebody else."""
        for frame in frames:
            self.add(frame)
            yield frame

    def add(self, frame: "pd.DataFrame") -> None:
        """Gather from some more rows."""
        for place, name in enumerate(map(str, frame.columns)):
            held = Cells.of(frame.iloc[:, place])
            column = self._modeled.get(name)
            chosen = list(range(len(held.cells)))
            if column is not None:
                strange = outside(held, column)
                chosen = strange.nonzero()[0].tolist()
                self._count(held, column, rows=int(held.rows[strange].sum()))
            counts = self.texts.setdefault(name, {})
            for cell in chosen:
                text = text_in_one_spelling(held.cells[cell])
                if text is not None:
                    counts[text] = counts.get(text, 0) + int(held.rows[cell])

    def _count(self, held: Cells, column: ModeledColumn, *, rows: int) -> None:
        if not column.learns_values:
            self.undeclared[column.name] += rows + (0 if column.has_missing else held.nulls)
