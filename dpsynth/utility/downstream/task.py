"""What is to be predicted: a declared column, and which of its values count as positive."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding import codecs
from dpsynth.errors import UsageError
from dpsynth.schema.columns import BooleanColumn, LevelsColumn
from dpsynth.schema.values import key

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

Labels = NDArray[np.int64]
UNLABELED = -1  # the target is missing: nothing can be learnt from the row, or tested on it


@dataclass(frozen=True, kw_only=True)
class Task:
    """A classification task.

    Attributes:
        target: name of the column.
        classes: what the classes are called, in order. Of two the second is the positive one.
        groups: by class, the codes of the target that belong to it.
    """

    target: str
    classes: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]

    @property
    def binary(self) -> bool:
        """Whether one class is the positive one."""
        return len(self.classes) == 2

    @classmethod
    def of(
        cls, schema: "Schema", target: str | None = None, positive: tuple[str, ...] = ()
    ) -> "Task":
        """Name a task by declared values alone.

        Args:
            schema: declares the column.
            target: its name; the schema's own target where not given.
            positive: values that count as positive, as text, against all others. Where none is
                given every value is a class; of a column of two values the last is positive.

        Raises:
            UsageError: no such column is learnt, it has no list of values, or a value is not in it.
        """
        name = schema.target if target is None else target
        if name is None:
            raise UsageError("no column is to be predicted: name one, or declare a `target`")
        column = next((each for each in schema.modeled if each.name == name), None)
        if column is None:
            raise UsageError(f"the schema declares no column {name!r} that could be predicted")
        if not isinstance(column, LevelsColumn | BooleanColumn) or column.learns_values:
            raise UsageError(
                f"column {name!r} has no declared list of values: "
                "only categorical, ordinal and boolean columns with one can be predicted"
            )
        levels = (False, True) if isinstance(column, BooleanColumn) else column.levels
        texts = [key(level) for level in levels]
        wanted = [key(value) for value in positive]
        unknown = [each for each in wanted if each not in texts]
        if unknown:
            raise UsageError(f"column {name!r} declares no value {unknown[0]!r}")
        if not wanted and len(texts) > 2:
            return cls(
                target=name,
                classes=tuple(texts),
                groups=tuple((code,) for code in range(len(texts))),
            )
        chosen = {texts.index(each) for each in wanted} or {len(texts) - 1}
        others = tuple(code for code in range(len(texts)) if code not in chosen)
        if not others:
            raise UsageError(f"every value of column {name!r} counts as positive: leave some out")
        negative = texts[others[0]] if len(others) == 1 else "any other"
        return cls(
            target=name,
            classes=(negative, " or ".join(texts[code] for code in sorted(chosen))),
            groups=(others, tuple(sorted(chosen))),
        )

    def labels(self, frame: "pd.DataFrame", schema: "Schema") -> Labels:
        """Return the class of each row, shape ``(rows,)``; -1 where the target is missing."""
        codec = codecs(schema)[self.target]
        classes = np.full(codec.size, UNLABELED, dtype=np.int64)
        for place, codes in enumerate(self.groups):
            classes[list(codes)] = place
        found: Labels = classes[codec.encode(frame[self.target]).codes]
        return found
