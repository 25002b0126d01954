"""The rule that turns a claim, and checks on artificial rows, into the public verdict.

A pure function of what the certificate stores, so that ``verify`` can recompute the verdict without
believing it. Unknown, unfinished or missing never counts as safe. The rule for attacks on real
rows, which the dossier applies, is in ``attacks.rules``.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dpsynth.errors import IntegrityError, UnknownNameError, UsageError
from dpsynth.release import canonical

PASS = "PASS"  # noqa: S105  # a verdict, not a password
FAIL = "FAIL"
INCONCLUSIVE = "INCONCLUSIVE"

RESERVED = "dpsynth-"  # a name with this prefix is a preset of ours
LONGEST_NAME = 100
# Plain letters only: no name may look like a preset's and be another.
_NAME = re.compile(r"[a-z0-9]+([./-][a-z0-9]+)*", re.ASCII)

CONDITIONAL = (
    "conditional: part of the schema was read off the rows and confirmed without naming a public "
    "source"
)

PASSED = "passed"
FAILED = "failed"
NOT_APPLICABLE = "not applicable"
STATUSES = (PASSED, FAILED, "inconclusive", NOT_APPLICABLE, "skipped", "error")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a release must satisfy to pass.

    Args:
        name: versioned, of a-z, 0-9 and single ``.``, ``/`` or ``-`` between them; a rule that
            changes gets a new name.
        max_epsilon: largest epsilon of one release, exact.
        max_delta: largest delta of one release, exact.
        required_checks: families of conformance checks (the part of a check's name before the
            slash) of which each must be there.
    """

    name: str
    max_epsilon: Fraction
    max_delta: Fraction
    required_checks: tuple[str, ...] = ()

    @property
    def is_preset(self) -> bool:
        """Whether this version of dpsynth knows this very rule by this name."""
        return PRESETS.get(self.name) == self

    def to_dict(self) -> dict[str, object]:
        """Write the policy as a certificate shows it."""
        return {
            "name": self.name,
            "max_epsilon": canonical.exact_text(self.max_epsilon),
            "max_delta": canonical.exact_text(self.max_delta),
            "required_checks": list(self.required_checks),
        }


DEFAULT = Policy(
    name="dpsynth-default/1",
    max_epsilon=Fraction(10),
    max_delta=Fraction(1, 100_000),
    required_checks=("noise", "selection", "neighbors"),
)
STRICT = Policy(
    name="dpsynth-strict/1",
    max_epsilon=Fraction(1),
    max_delta=Fraction(1, 10_000_000),
    required_checks=DEFAULT.required_checks,
)
# A delta of 1/rows would allow a release to publish one person outright; presets want a tenth.
_ROWS_SHARE = Fraction(1, 10)
PRESETS: Mapping[str, Policy] = {policy.name: policy for policy in (DEFAULT, STRICT)}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """PASS, FAIL or INCONCLUSIVE, with a sentence for each thing that kept it from PASS."""

    outcome: str
    reasons: tuple[str, ...]


def preset(name: str) -> Policy:
    """Return the policy called ``name``."""
    if name not in PRESETS:
        known = ", ".join(sorted(PRESETS))
        raise UnknownNameError(f"no policy is called {name!r}; there are: {known}")
    return PRESETS[name]


def resolve(given: "Policy | Path | str | None") -> Policy:
    """Return the policy that is meant: itself, a preset's name, a TOML file, or the default.

    Raises:
        UsageError: its name cannot stand in a certificate, or is a preset's over another rule.
    """
    if given is None:
        return DEFAULT
    if isinstance(given, Policy):
        try:
            return policy_from_dict(given.to_dict())
        except IntegrityError as error:
            raise UsageError(str(error)) from error
    if str(given) in PRESETS:
        return PRESETS[str(given)]
    if isinstance(given, Path) or str(given).endswith(".toml"):
        return read(Path(given))
    return preset(given)


def read(path: Path) -> Policy:
    """Read a policy of the user's own: TOML with the fields of ``Policy``, numbers as text.

    Raises:
        UsageError: it cannot be read, a field is missing or unknown, or it takes a name of ours.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the policy {path} is not a readable TOML file") from error
    fields = {"name", "max_epsilon", "max_delta", "required_checks"}
    checks = document.get("required_checks")
    if set(document) != fields or not isinstance(checks, list):
        raise UsageError(
            f"the policy {path} must have exactly the fields {', '.join(sorted(fields))}"
        )
    if str(document["name"]).startswith(RESERVED):
        raise UsageError(
            f"the policy {path} must have a name that does not start with {RESERVED!r}"
        )
    try:
        return policy_from_dict(document)
    except IntegrityError as error:
        raise UsageError(f"the policy {path}: {error}") from error


def policy_from_dict(document: Mapping[str, object]) -> Policy:
    """Read what ``Policy.to_dict`` wrote; a preset's name must carry the preset's rule.

    Raises:
        IntegrityError: it does not, the name holds another character than a name may, or a limit
            is no exact number.
    """
    name = document["name"]
    if not (isinstance(name, str) and len(name) <= LONGEST_NAME and _NAME.fullmatch(name)):
        raise IntegrityError(
            "a policy's name must consist of a-z and 0-9, with single dots, slashes and hyphens "
            f"between them, and have at most {LONGEST_NAME} characters"
        )
    policy = Policy(
        name=name,
        max_epsilon=canonical.exact_number(document["max_epsilon"], name="policy.max_epsilon"),
        max_delta=canonical.exact_number(document["max_delta"], name="policy.max_delta"),
        required_checks=_texts(document["required_checks"]),
    )
    known = PRESETS.get(policy.name)
    if policy.name.startswith(RESERVED) and policy != known:
        raise IntegrityError(f"the policy {policy.name!r} is not the one known by that name")
    return policy


def most_delta(rows: int, policy: Policy) -> Fraction | None:
    """Return the largest delta that presets allow a release that trains on so many rows."""
    return _ROWS_SHARE / rows if policy.is_preset else None


def public_verdict(
    claim: Mapping[str, object], checks: Sequence[Mapping[str, object]], policy: Policy
) -> Verdict:
    """Judge a release by its claim and by checks on artificial rows; real rows have no say.

    Args:
        claim: as a certificate states it.
        checks: conformance checks, each with ``name`` and ``status``.
        policy: the rule.
    """
    epsilon = canonical.exact_number(claim["epsilon"], name="claim.epsilon")
    delta = canonical.exact_number(claim["delta"], name="claim.delta")
    accounted = canonical.exact_number(claim["accounted_epsilon"], name="claim.accounted_epsilon")
    rows = claim.get("expected_rows")  # stated where something trained
    limit = most_delta(rows, policy) if isinstance(rows, int) else None
    against = [
        *(["the ledger adds up to more than the claim"] if accounted > epsilon else []),
        *(["the noise came from a known seed"] if claim["seeded"] else []),
        *(
            [f"epsilon is above the {float(policy.max_epsilon):g} that the policy allows"]
            if epsilon > policy.max_epsilon
            else []
        ),
        *(
            [f"delta is above the {float(policy.max_delta):g} that the policy allows"]
            if delta > policy.max_delta
            else []
        ),
        *(
            [f"delta is above the {float(limit):.2g} that {rows} declared rows allow"]
            if limit is not None and delta > limit
            else []
        ),
        *(f"the check {_name(check)} failed" for check in checks if status_of(check) == FAILED),
    ]
    open_points = [
        *([CONDITIONAL] if claim["conditional"] else []),
        *(
            f"no check of the family {family!r} ran to an end"
            for family in policy.required_checks
            if not any(_belongs(check, family) for check in checks)
        ),
        *(["no check was run"] if not checks else []),
        *(
            f"the check {_name(check)} did not come to a result ({check['status']})"
            for check in checks
            if check["status"] not in (PASSED, FAILED, NOT_APPLICABLE)
        ),
    ]
    return _verdict(against, open_points)


def status_of(check: Mapping[str, object]) -> str:
    """Return the status of a check; numbers that contradict "passed" outweigh the word."""
    statistic, most, least = (check.get(key) for key in ("statistic", "bound", "lower_bound"))
    if check["status"] == PASSED and isinstance(statistic, int | float):
        below = not isinstance(most, int | float) or statistic <= most
        above = not isinstance(least, int | float) or statistic >= least
        return PASSED if below and above else FAILED
    return str(check["status"])


def _verdict(against: list[str], open_points: list[str]) -> Verdict:
    reasons = (*against, *open_points)
    if against:
        return Verdict(outcome=FAIL, reasons=reasons)
    return Verdict(outcome=INCONCLUSIVE if open_points else PASS, reasons=reasons)


def _belongs(check: Mapping[str, object], family: str) -> bool:
    name = str(check["name"])
    concluded = status_of(check) in (PASSED, FAILED, NOT_APPLICABLE)
    return concluded and (name == family or name.startswith(f"{family}/"))


def _name(item: Mapping[str, object]) -> str:
    return repr(str(item["name"]))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()
