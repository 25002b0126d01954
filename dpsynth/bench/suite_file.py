"""Suites as files: TOML, read strictly."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from dpsynth.bench.datasets import Dataset
from dpsynth.bench.suite import Contender, Suite
from dpsynth.errors import UsageError

FORMAT = "dpsynth-suite/1"
_MOST_SEEDS = 1_000


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
        delta=_delta(given.get("delta", "1e-9")),
        seeds=seeds,
        fresh=fresh is not None,
        protocol=protocol,
        limit_seconds=float(limit),
    )


_Made = TypeVar("_Made", Dataset, Contender)
_KINDS: dict[str, tuple[type, ...]] = {
    "bins": (int,),
    "columns": (int,),
    "expected_rows": (int,),
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


def _delta(given: object) -> str:
    """Return a delta as text; 0 is one, of the methods that can do without."""
    return "0" if _is(given, int, float, str) and str(given) == "0" else _exact(given, "delta")


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
