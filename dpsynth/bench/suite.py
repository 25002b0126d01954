"""A suite: which synthesizers are measured on which tables, at which budgets, how often."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from dpsynth.bench.datasets import Dataset
from dpsynth.errors import UnknownNameError, UsageError

PROTOCOLS = {
    "whole": "fit all rows; distances to them",
    "half": "fit half of the rows; distances to them and to the other half",
    "target": "fit the training rows; distances to them, and the target's AUC on the test rows",
}
RESAMPLE = "resample"  # not private: a bootstrap of the rows that were to be fitted
REFERENCES = {  # none of them private; all but the first need a table with a schema
    RESAMPLE: "a bootstrap of the rows that were to be fitted",
    "train": "these rows themselves",
    "test": "the rows that were held out",
    "recoded": "the rows, coded and decoded by the declared bins",
    "shuffled": "the rows, every column on its own",
}
INDEPENDENT = "independent"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A synthesizer in a suite.

    Args:
        name: as registered with dpsynth or known to the peer, or one of ``REFERENCES``.
        peer: the peer whose it is; our own where not given.
        label: what tables call it. Several entries may have one, for other seeds at other budgets.
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
        delta: exact text; "0" asks for the pure form of our own.
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
        names = [dataset.name for dataset in self.datasets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"data set {twice[0]!r} is listed twice in the suite")
        self._refuse_twice()
        named = {name for contender in self.contenders for name in contender.datasets or ()}
        unknown = sorted(named - {dataset.name for dataset in self.datasets})
        if unknown:
            raise UsageError(f"the suite has no data set {unknown[0]!r}")

    def _refuse_twice(self) -> None:
        """Refuse one label for two things, or for the same run twice."""
        what: dict[str, tuple[object, ...]] = {}
        runs: set[tuple[object, ...]] = set()
        for each in self.contenders:
            same = (each.name, each.peer, dict(each.settings))
            budgets = each.epsilon or self.epsilon
            tables = each.datasets or [dataset.name for dataset in self.datasets]
            mine = {(each.label, *at) for at in product(tables, budgets, each.seeds or self.seeds)}
            if what.setdefault(each.label, same) != same or runs & mine:
                raise UsageError(f"synthesizer {each.label!r} is listed twice in the suite")
            runs |= mine

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
        floor = contender.peer is None and contender.name in REFERENCES
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


def _plain(dataset: Dataset) -> dict[str, Any]:
    """Return what is not at its default, so that a field of a later version changes no key."""
    held = {each.name: getattr(dataset, each.name) for each in fields(dataset)}
    return {
        each.name: held[each.name] for each in fields(dataset) if held[each.name] != each.default
    }
