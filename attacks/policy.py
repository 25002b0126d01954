"""The rule that turns a claim, and a trial on artificial rows, into the public verdict.

A pure function of what the certificate stores, so that ``verify`` can recompute the verdict without
believing it. FAIL: a deterministic witness, a rejection at the familywise level, more spent than
claimed. INCONCLUSIVE: an audit that did not end or could not have seen noise too small by a factor
of two, or a trial by other versions or on another platform. Unknown, unfinished or missing never
counts as safe. The rule for attacks on real rows, which the dossier applies, is in
``attacks.rules``.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from attacks.conformance.checks import FAILED, NOT_APPLICABLE, PASSED, statuses_of
from attacks.conformance.follows import CHOICES, ENERGY, GAME
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

LARGEST_UNSEEN = 2.0  # factor on the noise that must be seen with 95 % power


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a release must satisfy to pass.

    Args:
        name: versioned, of a-z, 0-9 and single ``.``, ``/`` or ``-`` between them; a rule that
            changes gets a new name.
        max_epsilon: largest epsilon of one release, exact.
        max_delta: largest delta of one release, exact.
        required_audits: audits of the mechanism that must each have come to a result; keys of
            ``attacks.conformance.audits.AUDITS``.
    """

    name: str
    max_epsilon: Fraction
    max_delta: Fraction
    required_audits: tuple[str, ...] = ()

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
            "required_audits": list(self.required_audits),
        }


DEFAULT = Policy(
    name="dpsynth-default/2",
    max_epsilon=Fraction(10),
    max_delta=Fraction(1, 100_000),
    required_audits=(
        "bill",
        "neighbors",
        "law",
        "released",
        "game",
        "randomness",
        "ledger",
        "raw",
    ),
)
STRICT = Policy(
    name="dpsynth-strict/2",
    max_epsilon=Fraction(1),
    max_delta=Fraction(1, 10_000_000),
    required_audits=DEFAULT.required_audits,
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
    fields = {"name", "max_epsilon", "max_delta", "required_audits"}
    audits = document.get("required_audits")
    if set(document) != fields or not isinstance(audits, list):
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
        required_audits=_texts(document["required_audits"]),
    )
    known = PRESETS.get(policy.name)
    if policy.name.startswith(RESERVED) and policy != known:
        raise IntegrityError(f"the policy {policy.name!r} is not the one known by that name")
    return policy


def most_delta(rows: int, policy: Policy) -> Fraction | None:
    """Return the largest delta that presets allow a release that trains on so many rows."""
    return _ROWS_SHARE / rows if policy.is_preset else None


def public_verdict(
    claim: Mapping[str, object],
    evidence: Mapping[str, Any],
    policy: Policy,
    *,
    versions: Mapping[str, str],
) -> Verdict:
    """Judge a release by its claim and by a trial on artificial rows; real rows have no say.

    Args:
        claim: as a certificate states it.
        evidence: of the trial; see ``attacks.conformance.evidence``. Statuses follow from the
            numbers beside them, whatever is written.
        policy: the rule.
        versions: of the software that made the release, and its platform.
    """
    failed, unfinished = _of_trial(evidence, policy, versions=versions)
    conditional = [CONDITIONAL] if claim["conditional"] else []
    return _verdict([*_against_claim(claim, policy), *failed], [*conditional, *unfinished])


def trial_verdict(
    evidence: Mapping[str, Any], policy: Policy, *, versions: Mapping[str, str]
) -> Verdict:
    """Judge a trial by itself, where nothing is claimed or released; see ``public_verdict``."""
    return _verdict(*_of_trial(evidence, policy, versions=versions))


def _of_trial(
    evidence: Mapping[str, Any], policy: Policy, *, versions: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return a sentence for each thing that failed, and for each that came to no result."""
    checks: Sequence[Mapping[str, Any]] = evidence["checks"]
    statuses = statuses_of(checks)
    failed = [
        f"the check {_name(check)} failed"
        for check, status in zip(checks, statuses, strict=True)
        if status == FAILED
    ]
    concluded = {
        check.get("audit")
        for check, status in zip(checks, statuses, strict=True)
        if status in (PASSED, FAILED, NOT_APPLICABLE)
    }
    unlike = _unlike(evidence, versions)
    unfinished = [
        *([f"the mechanism was tried with another {_listed(unlike)}"] if unlike else []),
        *(
            f"the audit {audit!r} did not come to a result"
            for audit in policy.required_audits
            if audit not in concluded
        ),
        *(["no check was run"] if not checks else []),
        *(
            f"the check {_name(check)} did not come to a result ({status})"
            for check, status in zip(checks, statuses, strict=True)
            if status not in (PASSED, FAILED, NOT_APPLICABLE)
        ),
        *_weak(checks),
    ]
    return failed, unfinished


def _against_claim(claim: Mapping[str, object], policy: Policy) -> list[str]:
    epsilon = canonical.exact_number(claim["epsilon"], name="claim.epsilon")
    delta = canonical.exact_number(claim["delta"], name="claim.delta")
    accounted = canonical.exact_number(claim["accounted_epsilon"], name="claim.accounted_epsilon")
    rows = claim.get("expected_rows")  # stated where something trained
    limit = most_delta(rows, policy) if isinstance(rows, int) else None
    return [
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
    ]


def _weak(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what might have missed noise, or a rate of selection, wrong by a factor of two."""
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for check in checks:
        by_rule.setdefault(str(check.get("given", {}).get("rule")), []).append(check)
    laws = [*by_rule.get(ENERGY, []), *by_rule.get(CHOICES, [])]
    games = by_rule.get(GAME, [])
    return [
        *(
            f"the check {_name(check)} might have missed a scale that is wrong by a factor of two"
            for check in laws
            if not _sees(check)
        ),
        *([] if laws or not checks else ["no check could see noise that is too small"]),
        *(
            ["no game would have seen noise too small by a factor of two"]
            if games and not any(_sees(game) for game in games)
            else []
        ),
    ]


def _sees(check: Mapping[str, Any]) -> bool:
    found = check.get("detectable")
    return isinstance(found, int | float) and found <= LARGEST_UNSEEN


def _unlike(evidence: Mapping[str, Any], versions: Mapping[str, str]) -> list[str]:
    tried = evidence["versions"]
    return sorted(name for name in {*tried, *versions} if tried.get(name) != versions.get(name))


def _listed(names: Sequence[str]) -> str:
    return "platform" if list(names) == ["platform"] else f"version of {', '.join(names)}"


def _verdict(against: list[str], open_points: list[str]) -> Verdict:
    reasons = (*against, *open_points)
    if against:
        return Verdict(outcome=FAIL, reasons=reasons)
    return Verdict(outcome=INCONCLUSIVE if open_points else PASS, reasons=reasons)


def _name(item: Mapping[str, object]) -> str:
    return repr(str(item["name"]))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()
