"""Real identifiers: does a value that only members have stand in the release?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from attacks.results import Witness
from attacks.scan.outside import Cells
from attacks.scan.shown import Shown
from attacks.scan.spelling import text_in_one_spelling
from attacks.stats import difference

if TYPE_CHECKING:
    import pandas as pd

    from dpsynth.schema import Schema

# Chance of a false witness in one audit, about.
LEVEL = 0.001
# Ways that one digit, and one letter of a name, can turn out.
_DIGIT, _LETTER = 10, 4
# So many released numbers, at least, with so few gaps, were numbered one after the other.
_RUN, _GAPS = 3, 1.1


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Identifiers that stand in the release.

    Args:
        members_hits: values that only members have, of ``members_n``, that stand there.
        members_n: values that only members have.
        controls_hits: values that only controls have, of ``controls_n``, that stand there.
        controls_n: values that only controls have.
        expected: ``members_hits`` that chance alone would give, from what the values look like.
    """

    members_hits: int
    members_n: int
    controls_hits: int
    controls_n: int
    expected: float

    def beyond_chance(self, level: float) -> bool:
        """Whether so many hits would come about by chance with at most this probability."""
        return (
            self.members_hits > 0
            and float(special.gammainc(self.members_hits, max(self.expected, 1e-300))) <= level
        )

    def beyond_controls(self, level: float) -> bool:
        """Whether members are hit more often than controls at this level."""
        return level >= difference.p_value(
            hits=self.members_hits,
            trials=self.members_n,
            control_hits=self.controls_hits,
            control_trials=self.controls_n,
        )

    def decides(self, level: float, *, random: bool) -> bool:
        """Whether this is a leak of members' identifiers.

        Args:
            level: chance of a false witness, at most.
            random: whether coins told members from controls.
        """
        apart = self.beyond_controls(level)
        if random and apart:
            return True
        return self.beyond_chance(level) and (apart or not self.controls_hits)


def real_identifiers(
    released: Shown,
    members: "pd.DataFrame",
    controls: "pd.DataFrame",
    schema: "Schema",
    *,
    random: bool,
) -> list[Witness]:
    """Return a witness for each released column that holds members' identifiers.

    Compared are the columns of the members' table that the schema does not model (the person
    column, identifiers, excluded and undeclared ones; dates in them aside) with the released cells
    that no declared value explains, nor one that members have in that very column. Spelling counts
    without case and outer white space.

    A short number meets another by chance. A witness decides where so many hits are beyond chance,
    judged by how many values of that look there can be, and controls' identifiers are hit less
    often or not at all; or, where coins told members from controls, by the latter alone. Where
    controls' identifiers stand in the release as well, it holds a list of real persons, and the
    witness is a flag.

    Args:
        released: what the release shows beside declared values.
        members: as given.
        controls: as given.
        schema: declares what is modeled.
        random: whether coins told members from controls.
    """
    named = [name for name in map(str, members.columns) if not _is_modeled(name, schema)]
    sought = {name: _texts(Cells.of(members[name]).cells) for name in named}
    others = {
        name: _texts(Cells.of(controls[name]).cells) for name in named if name in controls.columns
    }
    witnesses = []
    level = LEVEL / max(1, len(named) * len(released.texts))
    for column, shown in released.texts.items():
        texts = dict(shown)
        for text in _own_values(members, column, schema) & texts.keys():
            del texts[text]
        for name in named:
            everyone = others.get(name, set())
            mine, theirs = sought[name] - everyone, everyone - sought[name]
            hits = mine & texts.keys()
            if not hits:
                continue
            found = Overlap(
                members_hits=len(hits),
                members_n=len(mine),
                controls_hits=len(theirs & texts.keys()),
                controls_n=len(theirs),
                expected=_expected(mine, theirs, texts),
            )
            count = sum(texts[text] for text in hits)
            decides = found.decides(level, random=random)
            if decides or found.beyond_chance(level):
                witnesses.append(_witness(name, column, count, decides=decides))
    return witnesses


def _own_values(members: "pd.DataFrame", column: str, schema: "Schema") -> set[str]:
    """Return what members have in a modeled column: values of it, no identifiers."""
    if not _is_modeled(column, schema):
        return set()
    return _texts(Cells.of(members[column]).cells)


def _witness(name: str, column: str, count: int, *, decides: bool) -> Witness:
    also = "" if decides else "; so do values of controls: a list of real persons went into it"
    return Witness(
        kind="identifier",
        column=column,
        cells=count,
        decides=decides,
        sentence=(
            f"values of {name!r} that members have and controls do not stand in {count} cells of "
            f"the released column {column!r}{also}"
        ),
    )


def _is_modeled(name: str, schema: "Schema") -> bool:
    return any(column.name == name for column in schema.modeled)


def _texts(held: Iterable[object]) -> set[str]:
    return {text for text in map(text_in_one_spelling, held) if text is not None}


def _expected(mine: set[str], theirs: set[str], texts: Iterable[str]) -> float:
    """Return how many of the values would stand among others by chance, by what they look like.

    Values of one look (digits and letters in the same places) are taken as drawn evenly: numbers
    from the range that all of them span, letters from few, for names are not random.
    """
    by_look: dict[str, tuple[set[str], set[str], set[str]]] = {}
    for place, group in enumerate((mine, theirs, texts)):
        for text in group:
            by_look.setdefault(_look(text), (set(), set(), set()))[place].add(text)
    return sum(_met_by_chance(look, *held) for look, held in by_look.items() if held[0] and held[2])


def _met_by_chance(look: str, mine: set[str], theirs: set[str], texts: set[str]) -> float:
    everything = mine | theirs | texts
    ways = float(_DIGIT) ** look.count("0") * float(_LETTER) ** look.count("a")
    if "0" in look and len(everything) > 1 and len({_without_digits(t) for t in everything}) == 1:
        numbers = {text: int("".join(filter(str.isdecimal, text))) for text in everything}
        ways = min(ways, max(numbers.values()) - min(numbers.values()) + 1)
        released = [numbers[text] for text in texts]
        low, high = min(released), max(released)
        if len(texts) >= _RUN and high - low + 1 <= _GAPS * len(texts):
            # Running numbers: whoever has a number in their range is met by one.
            return float(sum(low <= numbers[text] <= high for text in mine))
    return len(mine) * len(texts) / ways


def _look(text: str) -> str:
    return "".join("0" if c.isdecimal() else "a" if c.isalpha() else c for c in text)


def _without_digits(text: str) -> str:
    return "".join(c for c in text if not c.isdecimal())
