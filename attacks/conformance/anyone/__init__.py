"""Anybody's mechanism on trial, with nothing but fit, events and sample."""

from attacks.conformance.anyone.outcome import Finding, Outcome
from attacks.conformance.anyone.own import Own
from attacks.conformance.anyone.protocol import Fitted, Mechanism
from attacks.conformance.anyone.spec import FrameSpec, Levels, Numbers, Texts
from attacks.conformance.anyone.trial import put_on_trial

__all__ = [
    "Finding",
    "Fitted",
    "FrameSpec",
    "Levels",
    "Mechanism",
    "Numbers",
    "Outcome",
    "Own",
    "Texts",
    "put_on_trial",
]
