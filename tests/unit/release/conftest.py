"""A small release made by hand: real schema, real ledger, a model that is only two files."""

import shutil
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dpsynth
from attacks import certificate, dossier, keys, policy
from attacks.audit_report import AuditReport
from attacks.conformance import evidence, follows
from attacks.conformance.checks import TEST, Check, witness
from attacks.conformance.tiers import Tier
from attacks.results import AttackResult
from dpsynth.domain import PrivacyUnit
from dpsynth.privacy.accounting import rho_from_epsilon, zcdp_rho
from dpsynth.privacy.events import DiscreteGaussianEvent, event_to_dict
from dpsynth.privacy.ledger import Charge
from dpsynth.release import bundle

EPSILON, DELTA = Fraction(1), Fraction(1, 10**9)
VERSIONS = {"dpsynth": "0.1.0", "python": "3.11.0"}
CHECKS = [
    *(
        replace(
            witness(f"{audit}/what must hold", audit, "it held", violations=0, trials=7),
            audit=audit,
        )
        for audit in policy.DEFAULT.required_audits
        if audit not in ("law", "game")
    ),
    follows.ruled(
        Check(
            name="noise/scale of discrete_gaussian(stddev 3)",
            status="",
            component="noise",
            kind=TEST,
            audit="law",
            statistic=1.0021,
            level=1e-8,
            trials=50_000,
            given={"rule": follows.ENERGY, "sigma_squared": "9", "wider": True},
        )
    ),
    Check(name="selection", status="not applicable", audit="law", detail="nothing is selected"),
    Check(name="game", status="not applicable", audit="game", detail="nothing was played"),
]
NOT_TESTED = ["timing"]

SCHEMA: dict[str, Any] = {
    "unit": {"kind": "person", "column": "id", "max_rows": 2},
    "columns": [
        {"name": "id", "kind": "identifier"},
        {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
        {"name": "age", "kind": "integer", "bounds": [0, 99]},
    ],
}


@dataclass(frozen=True, kw_only=True)
class TwoFiles:
    """Stands for a fitted model: all that a bundle wants of one is that it saves itself."""

    schema: Any
    plan: dict[str, Any]
    ledger_extract: dict[str, Any]
    files: dict[str, bytes] = field(
        default_factory=lambda: {"model.json": b'{"format":"test"}\n', "model.npz": b"PK\x05\x06"}
    )

    def save(self, folder: Path) -> None:
        folder.mkdir()
        for name, data in self.files.items():
            (folder / name).write_bytes(data)


def make_model(*, schema: dict[str, Any] = SCHEMA, seeded: bool = False, spent_before: int = 0):
    """Charge two marginals to a ledger, as a synthesizer would, and describe that."""
    declared = dpsynth.Schema.from_dict(schema)
    unit: PrivacyUnit = declared.privacy_unit
    rho = rho_from_epsilon(EPSILON, DELTA)
    events = [
        DiscreteGaussianEvent(
            sigma_squared=Fraction(unit.max_rows**2) / (2 * share * rho),
            l2_sensitivity_squared=Fraction(unit.max_rows**2),
        )
        for share in (Fraction(1, 3), Fraction(2, 3))
    ]
    labels = ["marginal(sex)", "marginal(age)"]
    ledger = dpsynth.Ledger.in_memory(cap_epsilon=Fraction(5), cap_delta=Fraction(1, 10**6))
    charges = [Charge(event=e, label=text) for e, text in zip(events, labels, strict=True)]
    for _ in range(spent_before):
        ledger.open_release(rho=rho, seeded=seeded).charge(charges)
    account = ledger.open_release(rho=rho, seeded=seeded)
    account.charge(charges)
    plan = {
        "format": "dpsynth-plan/1",
        "synthesizer": {"name": "independent", "settings": {}},
        "epsilon": str(EPSILON),
        "delta": str(DELTA),
        "rho": str(rho),
        "unit": {
            "name": unit.name,
            "column": declared.unit.column,
            "max_rows": unit.max_rows,
            "neighboring": "add_or_remove",
        },
        "steps": [
            {
                "phase": "measure",
                "label": label,
                "event": event_to_dict(event),
                "rho": str(zcdp_rho(event)),
            }
            for event, label in zip(events, labels, strict=True)
        ],
        "estimate": None,
    }
    return TwoFiles(schema=declared, plan=plan, ledger_extract=account.extract())


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": pd.array([1, 2, 3], dtype="Int64"),
            "sex": ["f", "m", "f"],
            "age": pd.array([30, None, 99], dtype="Int64"),
        }
    )


def fake_render(directory: Path, predicate: dict[str, Any]) -> None:
    """Stands for the report: two files that show the verdict."""
    for name in (bundle.REPORT, bundle.SUMMARY):
        (directory / name).write_text(predicate["verdict"] + "\n")


def tried(model=None, *, checks=CHECKS, versions=VERSIONS) -> dict[str, Any]:
    """Return evidence of a trial of ``model``, whose checks nobody ran."""
    model = model or make_model()
    return evidence.document_of(
        model.plan, model.schema, checks, tier=Tier.smoke, versions=versions, date="2026-01-02"
    )


def certified(
    directory: Path,
    *,
    key: keys.SigningKey,
    checks=CHECKS,
    model=None,
    date=None,
    versions=VERSIONS,
    **options: Any,
):
    """Write ``directory/public`` whole, and return its certificate."""
    found = []
    model = model or make_model()
    options.setdefault("conformance", tried(model, checks=checks))

    def finish(public: Path) -> None:
        found.append(
            certificate.certify_public(
                public,
                key=key,
                not_tested=NOT_TESTED,
                render=fake_render,
                versions=versions,
                date=date,
                **options,
            )
        )

    bundle.write(directory, synthetic=table(), model=model, finish=finish)
    return found[0]


def audited(
    directory: Path, *, key: keys.SigningKey, hits: int = 50, alone: bool = False
) -> dossier.Dossier:
    """Write ``directory/internal``: 100 members and 100 controls, ``hits`` members found.

    Or, ``alone``, ``directory`` itself: an audit of another tool's table, without a claim.
    """
    internal = directory if alone else directory / bundle.INTERNAL
    internal.mkdir(parents=True)
    report = AuditReport(
        split="random",
        tier="smoke",
        seed=0,
        unit="person",
        results=(
            AttackResult(
                name="membership/likelihood@10",
                goal="MEMBERSHIP",
                threat_model={"goal": "membership"},
                status="failed" if hits > 50 else "inconclusive",
                members_hits=hits,
                members_n=100,
                controls_hits=50,
                controls_n=100,
                baseline_rate=0.5,
                p_value=0.001,
                adjusted_p_value=0.002,
            ),
        ),
    )
    return dossier.certify_internal(
        internal,
        report,
        fidelity=None if alone else {"measures": []},
        key=key,
        public=None if alone else directory / bundle.PUBLIC,
        render=fake_render,
        versions=VERSIONS,
    )


@pytest.fixture(scope="session")
def key(tmp_path_factory) -> keys.SigningKey:
    return keys.new_key(tmp_path_factory.mktemp("keys") / "key.pem")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory) -> keys.SigningKey:
    return keys.new_key(tmp_path_factory.mktemp("stranger") / "key.pem")


def public_half(key: keys.SigningKey, path: Path) -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    path.write_bytes(
        Ed25519PublicKey.from_public_bytes(key.public.raw).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return path


@pytest.fixture(scope="session")
def trusted(key, tmp_path_factory) -> Path:
    """The public half of ``key``, as a file."""
    return public_half(key, tmp_path_factory.mktemp("trusted") / "key.pub")


@pytest.fixture(scope="session")
def officer(stranger, tmp_path_factory) -> Path:
    """The public half of ``stranger``, as a file."""
    return public_half(stranger, tmp_path_factory.mktemp("officer") / "key.pub")


@pytest.fixture(scope="session")
def made(key, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "release"
    certified(directory, key=key)
    audited(directory, key=key)
    return directory


@pytest.fixture
def release(made, tmp_path) -> Path:
    """A fresh copy of an intact release with both folders."""
    directory = tmp_path / "release"
    shutil.copytree(made, directory)
    return directory


@pytest.fixture
def make(key, tmp_path):
    """Everything that builds, for tests that want a release of their own."""
    return Maker(key=key, base=tmp_path)


@dataclass(frozen=True, kw_only=True)
class Maker:
    key: keys.SigningKey
    base: Path

    schema = SCHEMA
    checks = CHECKS
    not_tested = NOT_TESTED
    versions = VERSIONS
    model = staticmethod(make_model)
    table = staticmethod(table)
    certified = staticmethod(certified)
    tried = staticmethod(tried)
    audited = staticmethod(audited)
    render = staticmethod(fake_render)
