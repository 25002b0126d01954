"""What an intact release says, as ``attacks.verify`` returns it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attacks import dossier, policy
from attacks.report.wording import clean
from dpsynth.release import canonical


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """One signed decision about the release."""

    decision: str
    name: str
    role: str
    reason: str
    date: str
    fingerprint: str
    trusted: bool

    @property
    def sentence(self) -> str:
        """The decision for a person, never without its signer."""
        signer = f"signed by the trusted key {self.fingerprint}"
        if not self.trusted:
            signer = f"signer not checked ({self.fingerprint})"
        # On one line, whatever stands in the file: no name may look like another decision.
        name, role = (" ".join(clean(text).split()) for text in (self.name, self.role))
        return f"{self.decision} by {name} ({role}) on {self.date}; {signer}"

    def to_dict(self) -> dict[str, object]:
        """Write as a JSON-able document."""
        return {**vars(self), "sentence": self.sentence}


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What an intact release says.

    Attributes:
        verdict: of the certificate: PASS, FAIL or INCONCLUSIVE; of an audit of another tool's
            table, the audit's.
        reasons: a sentence for each thing that kept it from PASS.
        fingerprint: of the key that signed certificate or audit.
        trusted: whether that is a key that the caller trusts.
        claim: the certificate's, rebuilt; None for an audit, which claims nothing.
        policy: the rule behind the verdict; None for an audit.
        internal_verdict: of the dossier, or None where only the public folder was there.
        internal_fingerprint: of the key that signed the dossier, or None.
        sign_offs: decisions, oldest first.
        files: how many files were checked.
    """

    verdict: str
    reasons: tuple[str, ...]
    fingerprint: str
    trusted: bool
    claim: Mapping[str, Any] | None
    policy: policy.Policy | None
    internal_verdict: str | None
    internal_fingerprint: str | None
    sign_offs: tuple[SignOff, ...]
    files: int

    @property
    def sentence(self) -> str:
        """The result for a person, in one sentence."""
        signer = f"signer not checked ({self.fingerprint})"
        if self.trusted:
            signer = f"signed by the trusted key {self.fingerprint}"
        return f"intact; {signer}" if self.claim is not None else f"intact; no claim; {signer}"

    @property
    def policy_sentence(self) -> str:
        """Which rule the verdict is by, and what it means where no one may know it."""
        if self.policy is None:
            return f"{dossier.NO_CLAIM}: this says what attacks found, and proves no guarantee"
        rule, name = self.policy, self.policy.name
        what = {
            policy.PASS: f"every required audit of the mechanism passed and the policy {name} "
            "is met",
            policy.FAIL: f"an audit of the mechanism failed or the policy {name} is not met",
        }.get(self.verdict, f"something that the policy {name} requires could not be shown")
        if rule.is_preset:
            return what
        audits = ", ".join(rule.required_audits) or "none"
        return (
            f"{what}; {name} is not a preset that this version of dpsynth knows: epsilon up to "
            f"{canonical.exact_text(rule.max_epsilon)}, delta up to "
            f"{canonical.exact_text(rule.max_delta)}, required audits: {audits}"
        )

    def to_dict(self) -> dict[str, object]:
        """Write as a JSON-able document."""
        return {
            "intact": True,
            "trusted": self.trusted,
            "sentence": self.sentence,
            "fingerprint": self.fingerprint,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "claim": dossier.NO_CLAIM if self.claim is None else dict(self.claim),
            "policy": None
            if self.policy is None
            else {**self.policy.to_dict(), "preset": self.policy.is_preset},
            "policy_sentence": self.policy_sentence,
            "internal_verdict": self.internal_verdict,
            "internal_fingerprint": self.internal_fingerprint,
            "sign_offs": [found.to_dict() for found in self.sign_offs],
            "files": self.files,
        }
