"""What a sample says, as numbers and as words, for somebody who tells two worlds apart by it."""

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attacks.conformance.anyone.spec import FrameSpec, Kind, Levels, Numbers
from attacks.conformance.anyone.tables import canary_value, crowd_value
from attacks.conformance.anyone.watch import Seen

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_MOST_LEVELS = 12
_MOST_PAIRS = 6
_BINS = 8
_FEW = 40  # different values in a sample, so few that they say something


class Column:
    """A sampled column, read once.

    Attributes:
        like: which cells say what the canary says.
        usual: which cells say what everybody says.
        numbers: features, in the order of ``names_of``.
        values: the different values, where there are few.
        content: bytes that two columns share where they are the same.
    """

    def __init__(self, cells: "pd.Series", kind: Kind) -> None:
        missing = np.asarray(cells.isna(), dtype=np.bool_)
        if isinstance(kind, Numbers):
            self._of_numbers(cells, kind, missing)
        else:
            self._of_texts(cells, kind, missing)

    def _of_numbers(self, cells: "pd.Series", kind: Numbers, missing: Bools) -> None:
        import pandas as pd

        if cells.dtype == object:
            cells = pd.to_numeric(cells, errors="coerce")
        held = np.asarray(cells, dtype=np.float64)
        scaled = (held - kind.low) / (kind.high - kind.low)
        # Near is enough: whoever draws within bins seldom hits a number.
        self.like, self.usual = (
            np.abs(scaled - (value - kind.low) / (kind.high - kind.low)) <= 1 / _BINS
            for value in (canary_value(kind), crowd_value(kind))
        )
        finite = scaled[np.isfinite(scaled)]
        inside = (finite >= 0) & (finite <= 1)
        near = np.clip(finite, -10.0, 10.0) if finite.size else np.zeros(1)
        bins = np.bincount(np.clip((near * _BINS).astype(np.int64), 0, _BINS - 1), minlength=_BINS)
        self.numbers = [
            float(self.like.mean()),
            float(self.usual.mean()),
            float(missing.mean()),
            1 - float(inside.sum()) / len(held),
            *(bins / bins.sum()).tolist(),
            *(float(measure) for measure in (near.mean(), near.std(), near.min(), near.max())),
        ]
        different = np.unique(held[:_FEW])
        if different.size < _FEW / 2:
            different = np.unique(held)
        few = different.tolist() if different.size <= _FEW else []
        least, largest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        self.values: tuple[Any, ...] = (*map(str, few), least, largest)
        self.content = held.tobytes()

    def _of_texts(self, cells: "pd.Series", kind: Kind, missing: Bools) -> None:
        held = cells.to_numpy(dtype=object)
        known = list(kind.values) if isinstance(kind, Levels) else [crowd_value(kind)]
        known = known if isinstance(kind, Levels) else [*known, canary_value(kind)]
        codes = np.full(held.size, -1, dtype=np.int64)
        for code, value in enumerate(known):
            codes[held == value] = code
        strange = (codes < 0) & ~missing
        self.like, self.usual = codes == len(known) - 1, codes == 0
        counts = np.bincount(codes + 1, minlength=len(known) + 1)
        shares = counts[1:] / held.size
        self.numbers = [shares[-1], shares[0], missing.sum() / held.size, strange.sum() / held.size]
        if isinstance(kind, Levels):
            self.numbers += shares[:_MOST_LEVELS].tolist()
        others = sorted({str(each) for each in held[strange]})[:_FEW] if strange.any() else []
        self.values = (*np.flatnonzero(counts).tolist(), *others)
        self.content = codes.tobytes() + "\0".join(map(str, held[strange])).encode()

    @staticmethod
    def names_of(kind: Kind) -> list[str]:
        """Return what the numbers of such a column are."""
        found = ["like the canary", "like others", "missing", "undeclared"]
        if isinstance(kind, Levels):
            found += [f"level {at}" for at in range(min(len(kind.values), _MOST_LEVELS))]
        elif isinstance(kind, Numbers):
            found += [f"part {at} of {_BINS}" for at in range(_BINS)]
            found += ["mean", "spread", "least", "largest"]
        return found


class Reader:
    """Turns what was seen into features, the same for all fits.

    Args:
        spec: of the columns.
    """

    def __init__(self, spec: FrameSpec) -> None:
        self._kinds = spec.modeled
        self._pairs = list(combinations(self._kinds, 2))[:_MOST_PAIRS]
        self.names = self._names()

    def _names(self) -> list[str]:
        found = ["rows like the canary", "rows like others"]
        for name, kind in self._kinds.items():
            found += [f"{name}: {each}" for each in Column.names_of(kind)]
        for first, second in self._pairs:
            found += [f"{first} and {second} of the canary", f"{first} of it, {second} of others"]
        return [
            "rows given when none are asked for",
            *found,
            *(f"{each}, times rows" for each in found),
        ]

    def read(self, seen: Seen) -> tuple[Floats, dict[str, object]]:
        """Return features of one fit, shape ``(len(names),)``, and words, each a name and a value.

        Where no sample came, or one without the columns, the features are zeros.
        """
        count = float(seen.default_rows or 0)
        words: dict[str, object] = {
            **seen.conduct(),
            "rows given when none are asked for": seen.default_rows,
        }
        frame = seen.frame
        if frame is None or not len(frame) or not set(self._kinds) <= set(frame.columns):
            return np.concatenate([[count], np.zeros(len(self.names) - 1)]), words
        columns = {name: Column(frame[name], kind) for name, kind in self._kinds.items()}
        like = {name: column.like for name, column in columns.items()}
        usual = {name: column.usual for name, column in columns.items()}
        found = [
            float(np.logical_and.reduce(list(like.values())).mean()),
            float(np.logical_and.reduce(list(usual.values())).mean()),
        ]
        for column in columns.values():
            found += column.numbers
        for first, second in self._pairs:
            found += [
                float((like[first] & like[second]).mean()),
                float((like[first] & usual[second]).mean()),
            ]
        shares = np.array(found)
        made = np.concatenate([[count], shares, shares * count])
        words |= self._given(seen)
        digest = hashlib.sha256()
        for name, column in columns.items():
            digest.update(column.content)
            words[f"values of {name}"] = column.values
        words["the sample"] = digest.hexdigest()[:16]
        return np.nan_to_num(np.clip(made, -1e9, 1e9)), words

    def _given(self, seen: Seen) -> dict[str, object]:
        """Return what the rows say that came when none were asked for."""
        frame = seen.given
        if frame is None or not len(frame) or not set(self._kinds) <= set(frame.columns):
            return {}
        texts = [name for name, kind in self._kinds.items() if not isinstance(kind, Numbers)]
        held = {name: frame[name].tolist() for name in texts}
        canary = [canary_value(self._kinds[name]) for name in texts]
        return {
            "values, when none are asked for": tuple(
                tuple(sorted(set(map(str, cells)))[:_FEW]) for cells in held.values()
            ),
            "rows like the canary, when none are asked for": sum(
                list(row) == canary for row in zip(*held.values(), strict=True)
            ),
        }
