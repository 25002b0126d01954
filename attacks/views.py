"""What attackers of columns know of a target, and what they are after, by the schema alone."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attacks import presets
from attacks.observed import View
from dpsynth.errors import UsageError

if TYPE_CHECKING:
    from dpsynth.schema import Schema

Knows = Mapping[str, Sequence[str]]


def views(
    schema: "Schema", *, attackers: Sequence[str] = (), knows: Knows | None = None
) -> tuple[View, ...]:
    """Return one view for all secrets that an attacker guesses from the same columns.

    The first attacker knows the declared quasi-identifiers; others are presets.

    Args:
        schema: the declared columns; its sensitive ones are the secrets.
        attackers: names of presets, see ``attacks.presets``.
        knows: by name of a part of a preset, the columns that hold it.

    Raises:
        UsageError: there is no such attacker, or no column that one of them would know.
    """
    modeled = {column.name for column in schema.modeled}
    secrets = [name for name in schema.sensitive if name in modeled]
    quasi = [name for name in schema.quasi_identifiers if name in modeled]
    found = _by_known(
        "", {secret: tuple(name for name in quasi if name != secret) for secret in secrets}
    )
    chosen = [_preset(name) for name in attackers]
    parts = {part.name for preset in chosen for part in preset.parts}
    for part in knows or {}:
        if part not in parts:
            raise UsageError(
                f"no attacker of this audit knows {part!r}; their parts: "
                f"{', '.join(sorted(parts)) or 'none, no attacker with parts was named'}"
            )
    for preset in chosen:
        own = {part.name for part in preset.parts}
        given = {part: held for part, held in (knows or {}).items() if part in own}
        found += _by_known(
            preset.name,
            {secret: preset.columns(schema, given=given, secret=secret) for secret in secrets},
        )
    return tuple(found)


def subgroup_columns(schema: "Schema", asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that subgroups are made of; refuse one that is not modeled.

    Args:
        schema: the declared columns.
        asked: names; the quasi-identifiers if not given.
    """
    modeled = [column.name for column in schema.modeled]
    for name in asked or ():
        if name not in modeled:
            raise UsageError(
                f"subgroups of {name!r} cannot be drawn: it is not a modeled column of the schema"
            )
    wanted = schema.quasi_identifiers if asked is None else asked
    return tuple(name for name in wanted if name in modeled)


def _preset(name: str) -> presets.Preset:
    if name not in presets.PRESETS:
        raise UsageError(
            f"there is no attacker {name!r}; choose from: {', '.join(presets.PRESETS)}"
        )
    return presets.PRESETS[name]


def _by_known(name: str, known: Mapping[str, tuple[str, ...]]) -> list[View]:
    together: dict[tuple[str, ...], list[str]] = {}
    for secret, columns in known.items():
        together.setdefault(columns, []).append(secret)
    return [
        View(name=name, known=columns, secrets=tuple(secrets))
        for columns, secrets in together.items()
    ]
