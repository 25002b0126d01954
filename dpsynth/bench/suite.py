"""A suite: which synthesizers are measured on which tables, at which budgets, how often."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from dpsynth.bench.datasets import Dataset
from dpsynth.errors import UnknownNameError, UsageError

FORMAT = "dpsynth-suite/1"
PROTOCOLS = {
    "whole": "fit all rows; distances to them",
    "half": "fit half of the rows; distances to them and to the other half",
    "target": "fit the training rows; distances to them, and the target's AUC on the test rows",
}
RESAMPLE = "resample"  # not private: a bootstrap of the rows that were to be fitted
INDEPENDENT = "independent"
_MOST_SEEDS = 1_000


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A synthesizer in a suite.

    Args:
        name: as registered with dpsynth or known to the peer; "resample" is the floor.
        peer: the peer whose it is; our own where not given.
        label: what tables call it; unique in the suite.
        settings: given to it.
        epsilon: budgets, where not those of the suite.
        seeds: seeds, where not those of the suite.
        datasets: names of data sets, where not all of the suite.
    """

    name: str
    peer: str | None = None
    label: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    epsilon: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    datasets: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.label:
            label = self.name if self.peer is None else f"{self.peer}-{self.name}"
            object.__setattr__(self, "label", label)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: what is fitted, with which budget and seed.

    Attributes:
        suite: name of the suite.
        dataset: the table.
        contender: the synthesizer.
        epsilon: of the claim as exact text; None for the floor, which makes none.
        delta: of the claim as exact text; None likewise.
        seed: of noise and sampling; with ``fresh`` the number of the run, and no seed.
        fresh: noise comes from the operating system.
        protocol: one of ``PROTOCOLS``.
        limit_seconds: wall time after which a run is ended and counts as failed.
    """

    suite: str
    dataset: Dataset
    contender: Contender
    epsilon: str | None
    delta: str | None
    seed: int
    fresh: bool
    protocol: str
    limit_seconds: float

    @property
    def key(self) -> str:
        """Digest of all that decides the outcome; a finished cell of this key is not run again."""
        parts = {
            "dataset": _plain(self.dataset),
            "name": self.contender.name,
            "peer": self.contender.peer,
            "settings": dict(self.contender.settings),
            "label": self.contender.label,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "seed": self.seed,
            "fresh": self.fresh,
            "protocol": self.protocol,
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
        return sha256(text.encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A grid of runs.

    Args:
        name: of the suite.
        datasets: tables.
        contenders: synthesizers; the floor and independent columns are added where missing.
        epsilon: budgets, exact text.
        delta: exact text.
        seeds: of noise and sampling; with ``fresh`` the numbers of the runs.
        fresh: noise from the operating system in place of the seeds.
        protocol: one of ``PROTOCOLS``.
        limit_seconds: wall time a run may take.
        folder: what file names are relative to.
    """

    name: str
    datasets: tuple[Dataset, ...]
    contenders: tuple[Contender, ...]
    epsilon: tuple[str, ...]
    delta: str
    seeds: tuple[int, ...]
    fresh: bool = False
    protocol: str = "whole"
    limit_seconds: float = 600
    folder: Path = field(default_factory=Path)

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            known = ", ".join(PROTOCOLS)
            raise UnknownNameError(f"no protocol is called {self.protocol!r}; there are: {known}")
        if not (self.datasets and self.epsilon and self.seeds):
            raise UsageError("a suite needs at least one data set, epsilon and seed")
        listed = {contender.label for contender in self.contenders}
        floors = [Contender(name=name) for name in (RESAMPLE, INDEPENDENT) if name not in listed]
        object.__setattr__(self, "contenders", (*floors, *self.contenders))
        for what, names in (
            ("data set", [dataset.name for dataset in self.datasets]),
            ("synthesizer", [contender.label for contender in self.contenders]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise UsageError(f"{what} {twice[0]!r} is listed twice in the suite")
        named = {name for contender in self.contenders for name in contender.datasets or ()}
        unknown = sorted(named - {dataset.name for dataset in self.datasets})
        if unknown:
            raise UsageError(f"the suite has no data set {unknown[0]!r}")

    def cells(self) -> Iterator[Cell]:
        """Yield every run, table by table and seed by seed, so that a part compares as well."""
        for dataset in self.datasets:
            for seed in self._seeds():
                for contender in self.contenders:
                    yield from self._cells(dataset, contender, seed)

    def _seeds(self) -> tuple[int, ...]:
        own = [seed for contender in self.contenders for seed in contender.seeds or ()]
        return tuple(dict.fromkeys((*self.seeds, *own)))

    def _cells(self, dataset: Dataset, contender: Contender, seed: int) -> Iterator[Cell]:
        if seed not in (self.seeds if contender.seeds is None else contender.seeds):
            return
        if contender.datasets is not None and dataset.name not in contender.datasets:
            return
        floor = contender.peer is None and contender.name == RESAMPLE
        budgets = self.epsilon if contender.epsilon is None else contender.epsilon
        for epsilon in (None,) if floor else budgets:
            yield Cell(
                suite=self.name,
                dataset=dataset,
                contender=contender,
                epsilon=epsilon,
                delta=None if floor else self.delta,
                seed=seed,
                fresh=self.fresh,
                protocol=self.protocol,
                limit_seconds=self.limit_seconds,
            )


def read_suite(path: Path) -> Suite:
    """Read a suite from TOML. A key that nobody knows is an error: a typo must not pass silently.

    Raises:
        UsageError: not TOML, not of this format, or a key is unknown or of the wrong kind.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    if data.pop("format", None) != FORMAT:
        raise UsageError(f"{path} must say: format = {FORMAT!r}")
    return replace(_suite(data, default_name=path.stem), folder=path.absolute().parent)


def _suite(data: dict[str, Any], *, default_name: str) -> Suite:
    allowed = {each.name for each in fields(Suite)} - {"folder", "contenders"} | {"synthesizers"}
    _refuse_unknown(data, allowed, where="the suite")
    given = dict(data)
    if "seeds" in given and "fresh" in given:
        raise UsageError("a suite names seeds, or how many runs with fresh noise, but not both")
    fresh = given.pop("fresh", None)
    if fresh is not None and not _is(fresh, int):
        raise UsageError("fresh must be a whole number of runs")
    seeds = tuple(range(fresh)) if fresh is not None else _seeds(given.pop("seeds", []))
    if not 1 <= len(seeds) <= _MOST_SEEDS:
        raise UsageError(f"a suite needs 1 to {_MOST_SEEDS} seeds, or fresh = N")
    name, protocol = given.get("name", default_name), given.get("protocol", "whole")
    limit = given.get("limit_seconds", 600)
    if not (_is(name, str) and _is(protocol, str)):
        raise UsageError("name and protocol must be text")
    if not _is(limit, int, float) or limit <= 0:
        raise UsageError("limit_seconds must be above 0")
    return Suite(
        name=name,
        datasets=tuple(_table(Dataset, each, "datasets") for each in _tables(given, "datasets")),
        contenders=tuple(
            _table(Contender, each, "synthesizers") for each in _tables(given, "synthesizers")
        ),
        epsilon=_budgets(given.get("epsilon", []), "epsilon"),
        delta=_exact(given.get("delta", "1e-9"), "delta"),
        seeds=seeds,
        fresh=fresh is not None,
        protocol=protocol,
        limit_seconds=float(limit),
    )


_Made = TypeVar("_Made", Dataset, Contender)
_KINDS: dict[str, tuple[type, ...]] = {
    "bins": (int,),
    "columns": (int,),
    "positive": (int,),
    "rows": (int,),
    "values": (int,),
    "settings": (dict,),
}


def _table(kind: type[_Made], given: Mapping[str, Any], where: str) -> _Made:
    """Make one entry of an array of tables."""
    _refuse_unknown(given, {each.name for each in fields(kind)}, where=where)
    if not _is(given.get("name"), str):
        raise UsageError(f"every entry of {where} needs a name")
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name == "epsilon":
            made[name] = _budgets(value, f"epsilon of {given['name']!r}")
        elif name == "seeds":
            made[name] = _seeds(value)
        elif name in ("datasets", "drop", "ordered"):
            if not (_is(value, list) and all(_is(each, str) for each in value)):
                raise UsageError(f"{name} of {given['name']!r} must be a list of names")
            made[name] = tuple(value)
        elif not _is(value, *_KINDS.get(name, (str,))):
            raise UsageError(f"{name} of {given['name']!r} is of the wrong kind")
        else:
            made[name] = value
    return kind(**made)


def _tables(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = data.get(name, [])
    if not (_is(found, list) and all(_is(each, dict) for each in found)):
        raise UsageError(f"{name} must be written as [[{name}]] tables")
    return list(found)


def _refuse_unknown(given: Mapping[str, Any], allowed: set[str], *, where: str) -> None:
    unknown = sorted(set(given) - allowed)
    if unknown:
        known = ", ".join(sorted(allowed))
        raise UsageError(f"{where}: no key is called {unknown[0]!r}; there are: {known}")


def _budgets(given: object, name: str) -> tuple[str, ...]:
    listed: Sequence[object] = given if isinstance(given, list) else [given]
    return tuple(_exact(each, name) for each in listed)


def _exact(given: object, name: str) -> str:
    """Return a number as text that ``Fraction`` reads exactly; 1e-9 in TOML means one billionth."""
    try:
        value = Fraction(str(given)) if _is(given, int, float, str) else Fraction(0)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0:
        raise UsageError(f"{name} must be above 0, such as 1, 0.5 or '1e-9'")
    return str(given)


def _seeds(given: object) -> tuple[int, ...]:
    """Return seeds from a list of numbers or from text such as "100-109", both ends included."""
    if isinstance(given, str):
        first, _, last = given.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            seeds = range(int(first), int(last or first) + 1)
            if 1 <= len(seeds) <= _MOST_SEEDS:
                return tuple(seeds)
    elif isinstance(given, list) and all(_is(each, int) and each >= 0 for each in given):
        return tuple(dict.fromkeys(given))
    raise UsageError('seeds must be whole numbers as [1, 2, 3], or a range as "100-109"')


def _is(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _plain(dataset: Dataset) -> dict[str, Any]:
    """Return what is not at its default, so that a field of a later version changes no key."""
    held = {each.name: getattr(dataset, each.name) for each in fields(dataset)}
    return {
        each.name: held[each.name] for each in fields(dataset) if held[each.name] != each.default
    }
