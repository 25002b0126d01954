"""What an officer demands of an audit: limits of the verdict, and when the command must fail."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from attacks.audit_report import AuditReport
from attacks.rules import Limits
from dpsynth.errors import UsageError

FAMILIES = ("membership", "attribute", "singling-out", "linkage", "scan")
WORDS = ("fail", "inconclusive", "never")


def demanded(given: Sequence[str]) -> tuple[str, ...]:
    """Return on what the command fails, "fail" where nothing is named.

    Raises:
        UsageError: something is neither a verdict, nor "never", nor a family of attacks.
    """
    for word in given:
        if word not in (*WORDS, *FAMILIES):
            raise UsageError(
                f"--fail-on does not know {word!r}; choose from: {', '.join((*WORDS, *FAMILIES))}"
            )
    if "never" in given and len(given) > 1:
        raise UsageError("--fail-on never goes with nothing else")
    return tuple(given) or ("fail",)


def failed(report: AuditReport, on: Sequence[str]) -> bool:
    """Return whether the report is one on which the officer wants the command to fail."""
    if report.verdict == "FAIL" and ("fail" in on or "inconclusive" in on):
        return True
    if report.verdict == "INCONCLUSIVE" and "inconclusive" in on:
        return True
    families = {
        found.name.partition("/")[0] for found in report.results if found.status == "failed"
    }
    if any(witness.decides for witness in report.witnesses):
        families.add("scan")
    return not families.isdisjoint(on)


def limits(policy: Path | None) -> Limits:
    """Read the limits of a verdict from a TOML file; the usual ones without a file.

    Raises:
        UsageError: the file cannot be read, or a limit is unknown or out of range.
    """
    if policy is None:
        return Limits()
    try:
        with policy.open("rb") as file:
            document = tomllib.load(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise UsageError(f"{policy} is not a TOML file that can be read") from None
    known = [field.name for field in fields(Limits)]
    for name in document:
        if name not in known:
            raise UsageError(f"{policy} sets {name!r}; an audit policy sets: {', '.join(known)}")
    try:
        return Limits(**{"name": policy.stem, **document})
    except ValueError as error:
        raise UsageError(f"{policy}: {error}") from None


def knows(given: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Read ``part=column,column`` of every option.

    Raises:
        UsageError: one has another form, or a part is given twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        part, equals, columns = text.partition("=")
        named = tuple(name.strip() for name in columns.split(",") if name.strip())
        if not equals or not part.strip():
            raise UsageError(f"--knows {text!r} should be PART=COLUMN, such as zip=postcode")
        if part.strip() in found:
            raise UsageError(f"--knows gives {part.strip()!r} twice; name its columns with commas")
        found[part.strip()] = named
    return found
