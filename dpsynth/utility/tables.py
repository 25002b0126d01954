"""The tables of an evaluation, coded together: synthetic, real, holdout, and independent columns.

All of them have their rows in a random order, so that the first k rows of each are a sample of it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpsynth.encoding.codec import Codec, GridCodec, codecs, ordered_columns
from dpsynth.encoding.table import seen
from dpsynth.errors import DataError
from dpsynth.utility.part import Part

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

OTHERS = "all others"
LEVELS = 32  # groups of codes that a column has at most
NAMES = ("synthetic", "real", "holdout", "floor")

Codes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """Four tables with the same columns.

    The holdout is real rows that the synthetic table was not learnt from. The floor has as many
    rows as the synthetic table, each of its cells drawn from the real column on its own. Of both
    and of the synthetic table the first ``compared`` rows stand against the real table where a
    number depends on how many rows it is computed from: ceiling, value and floor are then
    figures of tables of the same size.

    Attributes:
        synthetic: the released rows.
        real: rows that they were learnt from.
        holdout: other real rows.
        floor: independent columns.
        schema: declares them; open columns know the values that the synthetic table holds.
        codes: by table and column, a group of codes for every row; missing cells are a code.
        sizes: by column, the number of groups, 32 at most: ordered codes at the real rows'
            quantiles, others into their 31 most frequent codes and the rest.
        labels: by column, a text for each group.
        values: by table and column, of numbers and dates (in days) alone: what the cells hold,
            moved into the declared range; NaN where missing.
        ordered: columns whose codes stand in a declared order.
        compared: the rows of the smaller of synthetic table and holdout.
        subgroups: columns that are asked for as subgroups; the declared quasi-identifiers where
            nobody asked.
        time: column of the follow-up time, where one is declared.
        event: column that says whether the event happened, likewise.
        positive: values of the target that count as positive; empty where nobody said.
        seed: of the order of rows and the floor.
        whole: where the synthetic rows are some of a larger table: by column, the share of each
            group in all of it.
        whole_rows: how many rows that has.
        kept: what one section found and another needs again; of these very rows alone, so a part
            of the tables begins with none.
    """

    synthetic: "pd.DataFrame" = field(repr=False)
    real: "pd.DataFrame" = field(repr=False)
    holdout: "pd.DataFrame" = field(repr=False)
    floor: "pd.DataFrame" = field(repr=False)
    schema: "Schema"
    codes: Mapping[str, Mapping[str, Codes]] = field(repr=False)
    sizes: Mapping[str, int]
    labels: Mapping[str, list[str]] = field(repr=False)
    values: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(repr=False)
    ordered: frozenset[str]
    compared: int
    subgroups: tuple[str, ...] = ()
    time: str | None = None
    event: str | None = None
    positive: tuple[str, ...] = ()
    seed: int = 0
    whole: Mapping[str, NDArray[np.float64]] | None = field(default=None, repr=False)
    whole_rows: int | None = None
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        synthetic: "pd.DataFrame | Part",
        real: "pd.DataFrame",
        holdout: "pd.DataFrame",
        schema: "Schema",
        *,
        seed: int = 0,
        subgroups: tuple[str, ...] | None = None,
        time: str | None = None,
        event: str | None = None,
        positive: tuple[str, ...] = (),
    ) -> "Tables":
        """Code the tables together.

        Raises:
            DataError: a table lacks a declared column, or is too small to be compared.
            SchemaError: the schema is not closed, or a role names no column to learn.
        """
        part = synthetic if isinstance(synthetic, Part) else None
        if isinstance(synthetic, Part):
            schema, synthetic = synthetic.schema, _checked(synthetic.frame, "synthetic", schema)
        else:
            schema = seen(_checked(synthetic, "synthetic", schema), schema)
        roles = tuple(subgroups or ()) + tuple(name for name in (time, event) if name is not None)
        for name in roles:
            if name not in {column.name for column in schema.modeled}:
                schema.column(name)  # which says it, where there is none
                raise DataError(f"column {name!r} is not one to learn, so it cannot be compared")
        rng = np.random.default_rng(seed)
        frames = {
            name: _shuffled(_checked(frame, name, schema), rng)
            for name, frame in (("synthetic", synthetic), ("real", real), ("holdout", holdout))
        }
        encoders = codecs(schema)
        drawn = {
            name: rng.integers(0, len(real), len(synthetic), dtype=np.int64) for name in encoders
        }
        raw: dict[str, dict[str, Codes]] = {name: {} for name in NAMES}
        values: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in NAMES}
        for column, codec in encoders.items():
            for name, frame in frames.items():
                raw[name][column], numbers = _coded(frame[column], codec)
                if numbers is not None:
                    values[name][column] = numbers
            raw["floor"][column] = raw["real"][column][drawn[column]]
            if column in values["real"]:
                values["floor"][column] = values["real"][column][drawn[column]]
        ordered = ordered_columns(schema)
        labels: dict[str, list[str]] = {}
        whole: dict[str, NDArray[np.float64]] = {}
        for column, codec in encoders.items():
            groups, labels[column] = grouped(
                raw["real"][column], codec.labels(), ordered=column in ordered
            )
            for name in NAMES:
                raw[name][column] = groups[raw[name][column]]
            if part is not None:
                held = np.bincount(groups, part.counts[column], minlength=len(labels[column]))
                whole[column] = held / part.rows
        return cls(
            **frames,
            floor=_independent(frames["real"], drawn),
            schema=schema,
            codes=raw,
            sizes={column: len(texts) for column, texts in labels.items()},
            labels=labels,
            values=values,
            ordered=ordered,
            compared=min(len(synthetic), len(holdout)),
            subgroups=schema.quasi_identifiers if subgroups is None else tuple(subgroups),
            time=time,
            event=event,
            positive=positive,
            seed=seed,
            whole=None if part is None else whole,
            whole_rows=None if part is None else part.rows,
        )

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each table; of a synthetic one that is not held, of all of it."""
        found = {name: len(getattr(self, name)) for name in NAMES}
        return found if self.whole_rows is None else {**found, "synthetic": self.whole_rows}

    @property
    def kinds(self) -> dict[str, str]:
        """The declared kind of each column."""
        return {column.name: column.kind for column in self.schema.modeled}

    def part(self, rows: Mapping[str, Codes], columns: Collection[str]) -> "Tables":
        """Return the tables with some of their rows and columns alone.

        Args:
            rows: by table, the places of the rows, in rising order; two at least.
            columns: names; codes and values of no other are kept.
        """

        def cut(held: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, dict[str, Any]]:
            return {
                name: {
                    column: found[rows[name]]
                    for column, found in held[name].items()
                    if column in columns
                }
                for name in NAMES
            }

        return replace(
            self,
            synthetic=self.synthetic.iloc[rows["synthetic"]],
            real=self.real.iloc[rows["real"]],
            holdout=self.holdout.iloc[rows["holdout"]],
            floor=self.floor.iloc[rows["floor"]],
            codes=cut(self.codes),
            values=cut(self.values),
            sizes={column: size for column, size in self.sizes.items() if column in columns},
            labels={column: held for column, held in self.labels.items() if column in columns},
            compared=min(len(rows[name]) for name in ("synthetic", "holdout", "floor")),
            whole=None,  # that of all rows says nothing of some
            whole_rows=None,
        )

    def alike(self, name: str, most: int | None = None) -> dict[str, Codes]:
        """Return codes of the first ``compared`` rows of a table, or of fewer."""
        size = self.compared if most is None else min(self.compared, most)
        return {column: codes[:size] for column, codes in self.codes[name].items()}


def grouped(codes: Codes, labels: list[str], *, ordered: bool) -> tuple[Codes, list[str]]:
    """Return for each declared code its group, and the groups' labels; at most 32 groups."""
    size = len(labels)
    if size <= LEVELS:
        return np.arange(size, dtype=np.int64), list(labels)
    counts = np.bincount(codes, minlength=size)
    if ordered:
        before = np.cumsum(counts) - counts
        # A code belongs where its rows begin: equal shares, never a split code.
        raw = np.minimum(before * LEVELS // max(int(counts.sum()), 1), LEVELS - 1)
        _, groups = np.unique(raw, return_inverse=True)
        groups = groups.astype(np.int64)
        found = []
        for group in range(int(groups.max()) + 1):
            members = np.flatnonzero(groups == group)
            first, last = labels[members[0]], labels[members[-1]]
            found.append(first if len(members) == 1 else f"{first} to {last}")
        return groups, found
    kept = np.sort(np.argsort(-counts, kind="stable")[: LEVELS - 1])
    groups = np.full(size, LEVELS - 1, dtype=np.int64)
    groups[kept] = np.arange(len(kept))
    return groups, [*(labels[code] for code in kept), OTHERS]


def halves(real: "pd.DataFrame", *, seed: int = 0) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Split real rows in two halves at random: what stands in for a holdout where there is none."""
    order = np.random.default_rng([seed, 1]).permutation(len(real))
    half = len(real) // 2
    return real.iloc[order[:half]], real.iloc[order[half:]]


def _checked(frame: "pd.DataFrame", name: str, schema: "Schema") -> "pd.DataFrame":
    for column in schema.modeled:
        if column.name not in frame.columns:
            raise DataError(f"the {name} table has no column {column.name!r}, which is declared")
    if len(frame) < 2:
        raise DataError(f"the {name} table cannot be compared: give at least two rows")
    return frame


def _shuffled(frame: "pd.DataFrame", rng: np.random.Generator) -> "pd.DataFrame":
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def _coded(series: "pd.Series", codec: Codec) -> tuple[Codes, NDArray[np.float64] | None]:
    codes = np.asarray(codec.encode(series).codes, dtype=np.int64)
    return codes, codec.numbers(series) if isinstance(codec, GridCodec) else None


def _independent(real: "pd.DataFrame", drawn: Mapping[str, Codes]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {name: real[name].take(places).reset_index(drop=True) for name, places in drawn.items()}
    )
