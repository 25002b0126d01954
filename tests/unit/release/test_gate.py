"""The gate, as the release command calls it, with real checks, attacks and reports."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import dpsynth
from attacks import keys
from attacks.gate import Gate
from attacks.verify import verify
from dpsynth.errors import UsageError
from dpsynth.release import bundle, canonical, manifest

SCHEMA = dpsynth.Schema.from_dict(
    {
        "columns": [
            {"name": "sex", "kind": "categorical", "values": ["f", "m"]},
            {"name": "age", "kind": "ordinal", "values": ["young", "middle", "old"]},
        ],
        "quasi_identifiers": ["age"],
        "sensitive": ["sex"],
    }
)


def people(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sex": np.array(["f", "m"])[rng.integers(0, 2, rows)],
            "age": np.array(["young", "middle", "old"])[rng.integers(0, 3, rows)],
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "people.ledger"
    ledger = dpsynth.Ledger.create(path, cap_epsilon=Fraction(5), cap_delta=Fraction(1, 10**6))
    ledger.close()
    return dpsynth.Independent().fit(
        people(2000, 0), schema=SCHEMA, epsilon="1", delta="1/1000000000", ledger=path
    )


def test_the_gate_from_plan_to_dossier(model, tmp_path):
    gate = Gate()
    keys.new_key(tmp_path / "k.pem")
    key = tmp_path / "k.pem"
    assert gate.check_key(key)[1] is False
    assert gate.check_policy(None) == "dpsynth-default/2"
    checks = gate.conform(model.plan, SCHEMA)
    synthetic = model.sample(500, seed=1)
    bundle.write(
        tmp_path / "r",
        synthetic=synthetic,
        model=model,
        finish=lambda folder: gate.certify_public(folder, key=key, checks=checks),
    )
    public = verify(tmp_path / "r")
    assert (public.verdict, public.reasons) == ("PASS", ())
    before = manifest.check(tmp_path / "r" / "public")
    found = gate.audit_internal(
        tmp_path / "r",
        synthetic=synthetic,
        members=people(300, 0),
        controls=people(300, 1),
        schema=SCHEMA,
        tier="smoke",
        key=key,
    )
    whole = verify(tmp_path / "r", trust=tmp_path / "k.pem.pub")
    assert whole.internal_verdict == found.verdict
    assert manifest.check(tmp_path / "r" / "public") == before
    assert (tmp_path / "r" / "internal").stat().st_mode & 0o077 == 0
    for folder in ("public", "internal"):
        assert "<html" in (tmp_path / "r" / folder / "report.html").read_text()


def test_the_dossier_shows_what_the_release_is_good_for_where_that_is_asked(model, tmp_path):
    keys.new_key(tmp_path / "k.pem")
    asked = {"synthetic": model.sample(200, seed=1), "members": people(200, 0)}
    schema = SCHEMA.model_copy(update={"target": "sex"})

    def internal(name, **more):
        (tmp_path / name / "public").mkdir(parents=True)
        (tmp_path / name / "public" / bundle.CERTIFICATE).write_text("{}")
        Gate().audit_internal(
            tmp_path / name,
            **asked | {"controls": people(80, 1)} | more,
            schema=schema,
            tier="smoke",
            key=tmp_path / "k.pem",
        )
        folder = tmp_path / name / "internal"
        return folder, (folder / "report.html").read_text(encoding="utf-8")

    folder, page = internal("plain")
    assert not (folder / bundle.EVALUATION).exists()
    assert "dpsynth release --evaluate measures the rest" in page
    assert "Classifiers trained on" not in page
    folder, page = internal("asked", evaluate=True)
    document = canonical.read(folder / bundle.EVALUATION)
    assert document["rows"]["holdout"] == 80  # the controls, not a half of the members
    assert document["rows"]["real"] == 200
    for words in (
        "Classifiers trained on",
        "ROC curves",
        "Calibration",
        "Groups of age",
        "ceiling",
    ):
        assert words in page
    assert bundle.EVALUATION in manifest.check(folder)
    asked["synthetic"].to_parquet(tmp_path / "rows.parquet", index=False)
    folder, _ = internal("file", evaluate=True, synthetic=tmp_path / "rows.parquet")
    assert canonical.read(folder / bundle.EVALUATION)["rows"] == document["rows"]
    folder, page = internal("without", evaluate=True, controls=people(0, 1))
    assert not (folder / bundle.EVALUATION).exists()
    assert "dpsynth release --evaluate measures the rest" in page


def test_an_unusable_key_or_policy_is_found_before_anything_is_spent(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="cannot be read"):
        Gate().check_key(tmp_path / "none.pem")
    with pytest.raises(UsageError, match="no policy"):
        Gate().check_policy("none")
    at_most = Fraction(1, 50_000)
    assert Gate().check_policy(None, training=(5_000, at_most)) == "dpsynth-default/2"
    with pytest.raises(UsageError, match=r"5000 declared rows above 2e-05; .*nothing was charged"):
        Gate().check_policy("dpsynth-strict/2", training=(5_000, at_most * 2))
    own = tmp_path / "own.toml"
    own.write_text('name = "ours"\nmax_epsilon = "2"\nmax_delta = "1/1000"\nrequired_audits = []\n')
    assert Gate().check_policy(own, training=(5_000, at_most * 2)) == "ours"
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    fingerprint, new = Gate().check_key(None)
    assert (fingerprint, new) == (keys.user_key()[0].public.fingerprint, True)


def test_an_audit_that_stops_leaves_no_internal_folder(model, tmp_path, monkeypatch):
    monkeypatch.setattr("attacks.dossier.bundle.write_internal", lambda *a, **k: 1 / 0)
    keys.new_key(tmp_path / "k.pem")
    (tmp_path / "r").mkdir()
    with pytest.raises(ZeroDivisionError):
        Gate().audit_internal(
            tmp_path / "r",
            synthetic=people(50, 2),
            members=people(50, 0),
            controls=people(50, 1),
            schema=SCHEMA,
            tier="smoke",
            key=tmp_path / "k.pem",
        )
    assert list((tmp_path / "r").iterdir()) == []
