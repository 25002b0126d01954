"""The files of a release that a report shows, read without trusting their shape."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

from attacks.report.wording import (
    clean,
    exact,
    humanize,
    mapping,
    number,
    power_of_ten,
    sequence,
)
from dpsynth.errors import IntegrityError


def document(path: Path) -> dict[str, Any]:
    """Read a JSON object, or return an empty one where the file is not part of the release."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise IntegrityError(f"{path.name} of the release is not readable as JSON") from error
    return mapping(found)


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One line of the bill, in words.

    Args:
        label: what was asked, cleaned.
        mechanism: how it was answered.
        noise: how far an answer is typically off.
        rho: its cost in zCDP.
    """

    label: str
    mechanism: str
    noise: str
    rho: Fraction


def charge_of(step: Mapping[str, Any]) -> Charge:
    """Read one step of a plan or one entry of a ledger."""
    event = mapping(step.get("event"))
    rho = exact(step.get("rho"))
    return Charge(
        label=clean(step.get("label", "unnamed")),
        mechanism=humanize(str(event.get("kind", "unknown")).split("/")[0]),
        noise=noise_of(event, unit="score units" if step.get("phase") == "select" else "rows"),
        rho=rho if rho is not None else cost_of(event),
    )


def noise_of(event: Mapping[str, Any], *, unit: str = "rows") -> str:
    """Return the standard deviation of the noise, in words, or what a selection spends."""
    sigma_squared, scale = exact(event.get("sigma_squared")), exact(event.get("scale"))
    threshold, reserved = exact(event.get("threshold")), exact(event.get("delta"))
    if sigma_squared is not None and threshold is not None and reserved is not None:
        return (
            f"{sqrt(sigma_squared):.3g} units; values from {number(threshold)} units on; "
            f"delta {power_of_ten(reserved)}"
        )
    if sigma_squared is not None:
        return f"{sqrt(sigma_squared):.3g} {unit}"
    if scale is not None:
        return f"{sqrt(2) * float(scale):.3g} {unit}"
    rate, multiplier = exact(event.get("rate")), exact(event.get("noise_multiplier"))
    steps = exact(event.get("steps"))
    if rate is not None and multiplier is not None and steps is not None:
        return (
            f"{number(multiplier, digits=3)} clip norms, in each of {number(steps)} sums over "
            f"samples of {number(100 * rate, digits=3)} %"
        )
    if (epsilon := exact(event.get("epsilon"))) is not None:
        return f"choice at epsilon {number(epsilon, digits=3)}"
    return "not stated"


def cost_of(event: Mapping[str, Any]) -> Fraction:
    """Return the zCDP cost of an event as its kind defines it; 0 where nothing is known.

    The certificate's claim is recomputed by the accountant; this one only sizes bars.
    """
    sigma_squared = exact(event.get("sigma_squared"))
    sensitivity = exact(event.get("l2_sensitivity_squared"))
    if sigma_squared and sensitivity is not None:
        return sensitivity / (2 * sigma_squared)
    scale, reach = exact(event.get("scale")), exact(event.get("l1_sensitivity"))
    if scale and reach is not None:
        return (reach / scale) ** 2 / 2
    if (epsilon := exact(event.get("epsilon"))) is not None:
        return epsilon**2 / 8
    return Fraction(0)


def phases(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Charge]]]:
    """Group the steps of a plan by phase, in order."""
    found: dict[str, list[Charge]] = {}
    for step in steps:
        found.setdefault(humanize(step.get("phase", "charges")), []).append(charge_of(step))
    return list(found.items())


def charges(entries: Any) -> list[Charge]:
    """Read the entries of a ledger extract."""
    return [charge_of(mapping(entry)) for entry in sequence(entries)]
