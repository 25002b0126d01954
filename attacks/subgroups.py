"""Lines of their own for groups of persons: a leak in one of them may vanish in the crowd."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from attacks.base import Evidence
from attacks.engine.released import Counts, column_counts
from attacks.membership.vulnerable import isolation, most_isolated
from attacks.observed import Mask, Observed, Stage
from attacks.suite import Entry
from dpsynth.encoding import codecs
from dpsynth.encoding.codec import Codec

if TYPE_CHECKING:
    from dpsynth.schema import Schema

GROUPS = 12  # a column of more groups is left out: its lines would be too small to say anything
BANDS = 4  # of an ordered column
ISOLATED = "most isolated tenth"
SMALLEST = 50  # attacked persons of a group, members and controls together


def drawn(
    found: Sequence[Observed],
    *,
    entries: Sequence[Entry],
    evidence: Evidence,
    stage: Stage,
    columns: Sequence[str],
    schema: "Schema",
) -> list[Observed]:
    """Return the lines of all groups of persons that are drawn of lines of everybody.

    Groups follow from the schema and the release, and a person's from the one row drawn of that
    person: never from the labels. Of lines about some persons only no groups of a column are drawn:
    too few would be left.

    Args:
        found: lines of everybody.
        entries: the attacks that they are of.
        evidence: the release.
        stage: who is attacked.
        columns: whose groups get lines.
        schema: declares them.
    """
    wanted = {entry.name for entry in entries if entry.by_group}
    of_all = [line for line in found if line.asked is None and _attack(line.name) in wanted]
    lines = [
        line.among(mask, name=f"{line.name}, {group}", subgroup=group)
        for group, mask in groups(evidence, stage, columns=columns, schema=schema)
        for line in of_all
    ]
    return [*lines, *_of_isolated(found, evidence, stage)]


def _attack(line: str) -> str:
    """Return the name of the attack that a line is of, without the column that it guesses."""
    return line.partition("@")[0].partition("(")[0]


def _of_isolated(found: Sequence[Observed], evidence: Evidence, stage: Stage) -> list[Observed]:
    """Return the lines of membership attacks for the tenth of persons whom fewest resemble.

    An attack may fail on the crowd and find those whom it can tell from everybody else.
    """
    scored = [line for line in found if line.scores is not None]
    if not scored or stage.size < SMALLEST:
        return []
    mask = most_isolated(isolation(evidence, stage.targets), share=0.1)
    return [line.among(mask, name=f"{line.name}, {ISOLATED}", subgroup=ISOLATED) for line in scored]


def groups(
    evidence: Evidence, stage: Stage, *, columns: Sequence[str], schema: "Schema"
) -> Iterator[tuple[str, Mask]]:
    """Yield the name of each group, from declared values alone, and who is in it."""
    tools = codecs(schema)
    for column in columns:
        place = evidence.release.columns.index(column)
        codes = stage.one_row.codes[:, place]
        tool = tools[column]
        band = np.arange(tool.size)
        if tool.size > GROUPS:
            if not evidence.ordered[column]:
                continue
            band = _bands(column_counts(evidence.release, column, size=tool.size), tool)
        labels = tool.labels()
        for number in range(int(band.max(initial=-1)) + 1):
            held = np.flatnonzero(band == number)
            mask = band[codes] == number
            if held.size and int(np.count_nonzero(mask)) >= SMALLEST:
                first, last = labels[held[0]], labels[held[-1]]
                name = f"{column} = {first}" if held.size == 1 else f"{column} {first} to {last}"
                yield name, mask


def _bands(released: Counts, tool: Codec) -> NDArray[np.int64]:
    """Return the band of each code: even shares of the release; missing is one of its own."""
    values = tool.size - tool.has_missing
    counts = released[:values]
    middle = np.cumsum(counts) - counts / 2
    bands = np.minimum(middle * BANDS // max(1, counts.sum()), BANDS - 1).astype(np.int64)
    return np.append(bands, BANDS) if tool.has_missing else bands
