"""Which lines of an audit must be read first, where there are too many to read all."""

from collections.abc import Callable, Hashable, Sequence

from attacks.report.lines import Line

_CONCLUSIVE = frozenset({"passed", "failed", "uncalibrated"})


def told(line: Line) -> bool:
    """Whether a line must be read whatever stands beside it: it failed, broke or was too blind."""
    return line.status["tone"] in ("bad", "open")


def telling(lines: Sequence[Line]) -> list[Line]:
    """Return what must be read at once, in the given order.

    Of each attack that is its worst line; and of each group its worst line among the attacks that
    failed on the group and not on everybody: a leak that only the groups show.
    """
    whole = conclusive([line for line in lines if not line.subgroup])
    kept = worst_of(whole, key=lambda line: (line.family.key, line.attack))
    failed = {line.attack for line in whole if line.status["word"] == "failed"}
    groups = [
        line
        for line in lines
        if line.subgroup and line.status["tone"] == "bad" and line.attack not in failed
    ]
    return [*kept, *worst_of(groups, key=lambda line: line.subgroup)]


def conclusive(lines: Sequence[Line]) -> list[Line]:
    """Leave out what was inconclusive at one operating point of an attack and not at another."""
    found = {_attack(line) for line in lines if line.status["word"] in _CONCLUSIVE}
    return [
        line
        for line in lines
        if line.status["word"] != "inconclusive" or _attack(line) not in found
    ]


def _attack(line: Line) -> tuple[str, str]:
    return line.name.partition("@")[0], line.subgroup


def worst_of(lines: Sequence[Line], *, key: Callable[[Line], Hashable]) -> list[Line]:
    """Return the worst line of each kind, in the given order."""
    worst: dict[Hashable, Line] = {}
    for line in sorted(lines, key=lambda line: line.rank):
        worst.setdefault(key(line), line)
    kept = {id(line) for line in worst.values()}
    return [line for line in lines if id(line) in kept]


def headlines(lines: Sequence[Line]) -> list[Line]:
    """Return all that did not pass, and the worst line of each attack on each column."""
    worst = worst_of(conclusive(lines), key=lambda line: (line.attack, line.column))
    kept = {id(line) for line in worst}
    return [line for line in lines if id(line) in kept or told(line)]
