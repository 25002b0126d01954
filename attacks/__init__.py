"""Attacks on a synthetic table, evidence about the mechanism, certificates and their verification.

The names below are the public API. They are imported when first used, so that ``import attacks``
is fast and loads neither pandas nor scipy.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attacks.audit import audit
    from attacks.audit_report import AuditReport
    from attacks.certificate import certify
    from attacks.engine.generators import Planned
    from attacks.results import AttackResult
    from attacks.threat_model import DataKnowledge, GeneratorAccess, Goal, ThreatModel
    from attacks.verify import verify

_HOMES = {
    "AttackResult": "attacks.results",
    "AuditReport": "attacks.audit_report",
    "DataKnowledge": "attacks.threat_model",
    "GeneratorAccess": "attacks.threat_model",
    "Goal": "attacks.threat_model",
    "Planned": "attacks.engine.generators",
    "ThreatModel": "attacks.threat_model",
    "audit": "attacks.audit",
    "certify": "attacks.certificate",
    "verify": "attacks.verify",
}

__all__ = [
    "AttackResult",
    "AuditReport",
    "DataKnowledge",
    "GeneratorAccess",
    "Goal",
    "Planned",
    "ThreatModel",
    "audit",
    "certify",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attacks' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


class _Package(ModuleType):
    """Keeps ``attacks.audit`` the function, though importing the module of that name sets it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
