"""Any changed byte is found and named, whoever re-hashes or re-signs what."""

import json
import shutil
from fractions import Fraction

import pytest

from attacks import certificate, dossier, statement
from attacks.verify import verify
from dpsynth.errors import IntegrityError, UsageError
from dpsynth.release import bundle, canonical, manifest

POSITIONS = 24  # bytes flipped in each file, spread over its length

EVERY_FILE = [
    "public/certificate.json",
    "public/certificate.sig",
    "public/ledger.json",
    "public/manifest.json",
    "public/model/model.json",
    "public/model/model.npz",
    "public/plan.json",
    "public/report.html",
    "public/schema.toml",
    "public/summary.md",
    "public/synthetic.csv",
    "public/synthetic.parquet",
    "internal/audit.json",
    "internal/dossier.json",
    "internal/dossier.sig",
    "internal/fidelity.json",
    "internal/manifest.json",
    "internal/report.html",
    "internal/summary.md",
]
each_file = pytest.mark.parametrize("name", EVERY_FILE)


def test_an_intact_release_verifies(made, trusted):
    found = verify(made, trust=trusted)
    assert found.trusted
    assert found.sentence.startswith("intact; signed by the trusted key sha256:")
    assert (found.verdict, found.internal_verdict) == ("PASS", "INCONCLUSIVE")
    assert found.claim["epsilon"] == "1"
    json.dumps(found.to_dict(), allow_nan=False)


def test_public_verifies_alone(made, trusted, tmp_path):
    for directory in (made / "public", tmp_path / "sent" / "public", tmp_path / "sent"):
        if directory.parent.name == "sent":
            shutil.copytree(made / "public", directory)
        found = verify(directory, trust=trusted)
        assert (found.verdict, found.internal_verdict) == ("PASS", None)


def test_without_trust_the_signer_stays_unchecked(made, key):
    found = verify(made)
    assert not found.trusted
    assert found.sentence == f"intact; signer not checked ({key.public.fingerprint})"


def test_the_list_of_files_is_complete(made):
    assert sorted(EVERY_FILE) == sorted(
        f"{folder}/{name}"
        for folder in ("public", "internal")
        for name in manifest.names(made / folder)
    )


@each_file
def test_a_flipped_bit_anywhere_is_found_and_named(release, name):
    path = release / name
    data = path.read_bytes()
    for position in sorted({index * len(data) // POSITIONS for index in range(POSITIONS)}):
        for bit in (1, 0x80):
            changed = bytearray(data)
            changed[position] ^= bit
            path.write_bytes(changed)
            with pytest.raises(IntegrityError) as caught:
                verify(release)
            assert path.name in str(caught.value), position


@each_file
@pytest.mark.parametrize("length", [0, 1, 0.5])
def test_a_truncated_file_is_found_and_named(release, name, length):
    path = release / name
    data = path.read_bytes()
    path.write_bytes(data[: int(length * len(data)) if length == 0.5 else length])
    with pytest.raises(IntegrityError, match=path.name):
        verify(release)


@each_file
def test_a_lengthened_file_is_found_and_named(release, name):
    with (release / name).open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(IntegrityError, match=(release / name).name):
        verify(release)


@each_file
def test_a_missing_file_is_found_and_named(release, name):
    (release / name).unlink()
    with pytest.raises(IntegrityError, match=(release / name).name):
        verify(release)


@each_file
def test_rehashing_the_manifest_does_not_help(release, name):
    path = release / name
    if path.name == manifest.NAME:
        return
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    manifest.write(release / name.partition("/")[0])
    with pytest.raises(IntegrityError, match=path.name):
        verify(release)


@each_file
def test_a_link_or_folder_in_place_of_a_file_is_found(release, name, tmp_path):
    path = release / name
    shutil.copy(path, tmp_path / "elsewhere")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=path.name):
        verify(release)
    path.unlink()
    path.mkdir()
    with pytest.raises(IntegrityError, match=path.name):
        verify(release)


@pytest.mark.parametrize("folder", ["public", "internal", "public/model"])
@pytest.mark.parametrize("rehash", [False, True])
def test_an_extra_file_is_found_and_named(release, folder, rehash):
    (release / folder / "extra.txt").write_text("more")
    if rehash:
        manifest.write(release / folder.partition("/")[0])
    with pytest.raises(IntegrityError, match=r"extra\.txt"):
        verify(release)


def test_an_extra_entry_beside_the_folders_is_found_and_named(release):
    (release / "notes.txt").write_text("")
    with pytest.raises(IntegrityError, match=r"notes\.txt"):
        verify(release)


@pytest.mark.parametrize("folder", ["public", "internal"])
def test_a_linked_folder_is_refused(release, folder, tmp_path):
    (release / folder).rename(tmp_path / "elsewhere")
    (release / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=f"'{folder}'"):
        verify(release)


def test_no_folder_and_no_release(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        verify(tmp_path / "nowhere")
    with pytest.raises(IntegrityError, match="unfinished, or not a release"):
        verify(tmp_path)


def resigned(release, change, *, key):
    """Change the certificate's content and sign again, with a manifest that fits."""
    public = release / "public"
    content = canonical.read(public / bundle.CERTIFICATE)
    change(content)
    data = canonical.dumps(content)
    (public / bundle.CERTIFICATE).write_bytes(data)
    (public / bundle.CERTIFICATE_SIGNATURE).write_bytes(key.sign(data))
    manifest.write(public)
    if (release / "internal").exists():
        shutil.rmtree(release / "internal")


def test_a_resigned_forgery_passes_only_where_nobody_asks_who_signed(release, stranger, trusted):
    resigned(release, lambda content: None, key=stranger)
    found = verify(release)
    assert found.sentence == f"intact; signer not checked ({stranger.public.fingerprint})"
    with pytest.raises(IntegrityError, match=stranger.public.fingerprint) as caught:
        verify(release, trust=trusted)
    assert caught.value.exit_code == 5


def test_a_dossier_signed_by_another_key_is_refused_under_trust(made, release, stranger, trusted):
    internal = release / "internal"
    data = (internal / bundle.DOSSIER).read_bytes()
    (internal / bundle.DOSSIER_SIGNATURE).write_bytes(stranger.sign(data))
    manifest.write(internal)
    verify(release)
    with pytest.raises(IntegrityError, match=r"internal/dossier\.json was signed by"):
        verify(release, trust=trusted)


def test_the_right_key_under_trust_must_be_a_public_key(made, tmp_path):
    (tmp_path / "k").write_text("not a key")
    with pytest.raises(UsageError, match="public key"):
        verify(made, trust=tmp_path / "k")


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("verdict", "FAIL", "verdict"),
        ("reasons", ["because"], "verdict"),
        ("conformance", {"checks": []}, "verdict"),
        ("conformance", {"checks": [{"name": "noise/x", "status": "skipped"}]}, "verdict"),
        ("conformance", {"subject": "0" * 64}, "another synthesizer"),
        ("conformance", {"versions": {"dpsynth": "0.0.1"}}, "verdict"),
        ("policy", None, "policy"),
    ],
)
def test_even_the_signer_cannot_state_a_verdict_that_does_not_follow(
    release, key, field, value, word
):
    def change(content):
        predicate = content["predicate"]
        if value is None:
            predicate[field]["max_epsilon"] = "1000"
        elif field == "conformance":
            predicate[field].update(value)
        else:
            predicate[field] = value

    resigned(release, change, key=key)
    with pytest.raises(IntegrityError, match=word):
        verify(release)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epsilon", "1/2"),
        ("delta", "1/1000000000000"),
        ("rho", "1/1000"),
        ("accounted_epsilon", "0.5"),
        ("max_rows", 20),
        ("unit", "row"),
        ("conditional", True),
        ("ledger", None),
        ("ledger_head", "0" * 64),
        ("provenance", {}),
        ("synthesizer", {"name": "mst", "settings": {}}),
    ],
)
def test_even_the_signer_cannot_state_a_claim_that_does_not_follow(release, key, field, value):
    def change(content):
        claim = content["predicate"]["claim"]
        claim[field] = claim["ledger"][:1] if value is None else value

    resigned(release, change, key=key)
    with pytest.raises(IntegrityError, match=rf"claim\.{field} in certificate\.json"):
        verify(release)


@pytest.mark.parametrize("name", ["claim", "verdict", "limitations"])
def test_a_certificate_that_does_not_fit_its_schema_is_refused(release, key, name):
    resigned(release, lambda content: content["predicate"].pop(name), key=key)
    with pytest.raises(IntegrityError, match="JSON Schema at predicate"):
        verify(release)


def test_a_subject_must_be_exactly_the_files(release, key):
    def drop(content):
        content["subject"] = [i for i in content["subject"] if i["name"] != "synthetic.csv"]

    resigned(release, drop, key=key)
    with pytest.raises(IntegrityError, match=r"'synthetic\.csv' is not among the signed files"):
        verify(release)


def test_a_subject_listed_twice_is_refused(release, key):
    resigned(release, lambda content: content["subject"].append(content["subject"][0]), key=key)
    with pytest.raises(IntegrityError, match="twice"):
        verify(release)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ledger.json", b'{"entries":[]}'),
        ("ledger.json", b"[" * 50_000),
        ("plan.json", b'{"a":1,"a":1}'),
        ("plan.json", b"\xff\xfe"),
        ("schema.toml", b"\xff\xfe"),
        ("schema.toml", b"columns = 1"),
        ("schema.toml", b"a = " + b"[" * 50_000),
    ],
)
def test_hostile_files_that_are_signed_are_still_refused(release, key, name, data):
    (release / "public" / name).write_bytes(data)

    def change(content):
        for item in content["subject"]:
            item["digest"]["sha256"] = manifest.digest(release / "public" / item["name"])

    resigned(release, change, key=key)
    with pytest.raises(IntegrityError, match=name):
        verify(release)


def test_a_number_that_would_take_forever_is_refused_at_once(release, key):
    path = release / "public" / "plan.json"
    path.write_bytes(path.read_bytes().replace(b'"1/1000000000"', b'"1e999999999"'))

    def change(content):
        for item in content["subject"]:
            item["digest"]["sha256"] = manifest.digest(release / "public" / item["name"])

    resigned(release, change, key=key)
    with pytest.raises(IntegrityError, match=r"plan\.json does not fit its JSON Schema at delta"):
        verify(release)


def test_a_ledger_entry_edited_with_everything_resigned_is_refused(release, key):
    path = release / "public" / "ledger.json"
    content = canonical.read(path)
    content["entries"][0]["date"] = "2001-01-01"
    path.write_bytes(canonical.dumps(content))

    def change(found):
        for item in found["subject"]:
            item["digest"]["sha256"] = manifest.digest(release / "public" / item["name"])
        found["predicate"]["claim"]["ledger"][0]["date"] = "2001-01-01"

    resigned(release, change, key=key)
    with pytest.raises(IntegrityError, match="digest"):
        verify(release)


def edited_dossier(release, key, *, audit=None, predicate=None):
    """Change the internal files and sign again, with a manifest that fits."""
    internal = release / "internal"
    if audit is not None:
        content = canonical.read(internal / bundle.AUDIT)
        audit(content)
        (internal / bundle.AUDIT).write_bytes(canonical.dumps(content))
    content = canonical.read(internal / bundle.DOSSIER)
    if predicate is not None:
        predicate(content["predicate"])
    files = {
        name: seen
        for name, seen in manifest.digests(internal).items()
        if name not in dossier.UNSIGNED_NAMES
    }
    statement.write_signed(
        internal / bundle.DOSSIER,
        internal / bundle.DOSSIER_SIGNATURE,
        statement.statement(files, kind=dossier.KIND, predicate=content["predicate"]),
        shape="dossier",
        key=key,
    )
    manifest.write(internal)


def set_hits(content):
    content["results"][0]["members_hits"] = 100


def set_status(content):
    content["results"][0]["status"] = "passed"


def set_verdict(content):
    content["verdict"] = "PASS"


@pytest.mark.parametrize("change", [set_hits, set_status, set_verdict])
def test_a_dossier_must_follow_from_its_counts(release, key, change):
    edited_dossier(release, key, audit=change)
    with pytest.raises(IntegrityError, match="does not follow from the stored counts"):
        verify(release)


def test_a_planned_attack_cannot_be_left_out(release, key):
    def plan(*attacks):
        return lambda content: content.update(plan={"attacks": list(attacks)})

    edited_dossier(release, key, audit=plan("membership/likelihood"))
    verify(release)
    edited_dossier(release, key, audit=plan("membership/likelihood", "scan/copies"))
    with pytest.raises(IntegrityError, match="nothing of an attack that was planned"):
        verify(release)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", "PASS"),
        ("attacks", []),
        ("sentence", "PASS: all is well."),
        ("split", "unknown"),
        ("rule", "dpsynth-audit/0"),
        ("release", None),
        ("release", {"certificate": "0" * 64}),
    ],
)
def test_a_dossier_must_describe_its_files(release, key, field, value):
    edited_dossier(release, key, predicate=lambda predicate: predicate.update({field: value}))
    with pytest.raises(IntegrityError, match=r"dossier\.json|audit\.json"):
        verify(release)


@pytest.mark.parametrize("content", [{}, {"results": 1}, {"results": [{}]}])
def test_a_malformed_audit_is_an_integrity_error(release, key, content):
    def replace(found):
        found.update(content)
        if not content:
            found.clear()

    edited_dossier(release, key, audit=replace)
    with pytest.raises(IntegrityError, match=r"audit\.json"):
        verify(release)


def test_a_leak_found_does_not_touch_the_public_verdict(make, tmp_path):
    make.certified(tmp_path / "r", key=make.key)
    before = manifest.check(tmp_path / "r" / "public")
    assert make.audited(tmp_path / "r", key=make.key, hits=100).verdict == "FAIL"
    found = verify(tmp_path / "r")
    assert (found.verdict, found.internal_verdict) == ("PASS", "FAIL")
    assert manifest.check(tmp_path / "r" / "public") == before


def decide(release, key, **changes):
    given = {
        "name": "A. Officer",
        "role": "privacy officer",
        "decision": "approved",
        "reason": "for the registry's annual report",
        "date": "2026-01-02",
    }
    return dossier.sign_off(release, key=key, **{**given, **changes})


def test_a_sign_off_is_a_new_signed_file(release, key, stranger, trusted, officer):
    before = manifest.check(release / "internal")
    decide(release, key)
    decide(release, stranger, decision="withdrawn", reason="a mistake in the schema")
    after = manifest.check(release / "internal")
    assert before.items() <= after.items()
    found = verify(release, trust=[trusted, officer])
    assert all("signed by the trusted key" in item.sentence for item in found.sign_offs)
    assert [(item.decision, item.name) for item in found.sign_offs] == [
        ("approved", "A. Officer"),
        ("withdrawn", "A. Officer"),
    ]
    assert found.sign_offs[1].fingerprint == stranger.public.fingerprint


def test_a_sign_off_cannot_be_edited_or_taken_out(release, key):
    decide(release, key)
    decide(release, key, decision="rejected")
    first = release / "internal" / "sign-offs" / "0001.json"
    data = first.read_bytes()
    first.write_bytes(data.replace(b"approved", b"rejected"))
    manifest.write(release / "internal")
    with pytest.raises(IntegrityError, match=r"0001\.sig does not sign"):
        verify(release)
    first.unlink()
    first.with_suffix(".sig").unlink()
    manifest.write(release / "internal")
    with pytest.raises(IntegrityError, match="without gaps"):
        verify(release)
    for suffix in (".json", ".sig"):
        second = release / "internal" / "sign-offs" / "0002.json"
        second.with_suffix(suffix).rename(first.with_suffix(suffix))
    manifest.write(release / "internal")
    with pytest.raises(IntegrityError, match=r"0001\.json"):
        verify(release)


@pytest.mark.parametrize(
    "changes", [{"decision": "maybe"}, {"name": " "}, {"role": ""}, {"reason": "\n"}]
)
def test_a_sign_off_must_be_complete(release, key, changes):
    with pytest.raises(UsageError):
        decide(release, key, **changes)
    assert not (release / "internal" / "sign-offs").exists()


def test_a_sign_off_needs_an_intact_release_with_a_dossier(release, key):
    (release / "public" / "summary.md").write_text("changed")
    with pytest.raises(IntegrityError, match=r"summary\.md"):
        decide(release, key)
    shutil.rmtree(release / "internal")
    with pytest.raises(UsageError, match="no internal"):
        decide(release, key)


def test_a_certificate_of_a_seeded_run_is_refused(make, tmp_path, monkeypatch):
    model = make.model(seeded=True)
    honest = certificate.read_claim
    monkeypatch.setattr(
        certificate, "read_claim", lambda public: {**honest(public), "seeded": False}
    )
    make.certified(tmp_path / "r", key=make.key, model=model)
    with pytest.raises(IntegrityError, match=r"claim\.seeded"):
        verify(tmp_path / "r")


def test_even_a_certificate_that_admits_the_seed_is_refused(make, tmp_path, monkeypatch):
    honest = certificate.read_claim
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "read_claim", lambda public: {**honest(public), "seeded": False})
        make.certified(tmp_path / "r", key=make.key, model=make.model(seeded=True))
    admit = {"seeded": True, "random_source": "known seed"}
    resigned(
        tmp_path / "r", lambda content: content["predicate"]["claim"].update(admit), key=make.key
    )
    with pytest.raises(IntegrityError, match="noise came from a known seed"):
        verify(tmp_path / "r")


def test_without_trust_every_sign_off_says_that_its_signer_is_not_checked(release, key, stranger):
    decide(release, key)
    decide(release, stranger, name="The Director\napproved by A. Officer")
    found = verify(release)
    for item, signer in zip(found.sign_offs, (key, stranger), strict=True):
        assert not item.trusted
        assert item.sentence.endswith(f"; signer not checked ({signer.public.fingerprint})")
        assert "\n" not in item.sentence
    assert [item["trusted"] for item in found.to_dict()["sign_offs"]] == [False, False]
    assert found.to_dict()["sign_offs"][1]["fingerprint"] == stranger.public.fingerprint


def test_under_trust_a_strangers_sign_off_is_no_approval(release, key, stranger, trusted, officer):
    decide(release, key)
    verify(release, trust=trusted)
    decide(release, stranger, name="The Director")
    with pytest.raises(IntegrityError, match=r"sign-offs/0002\.json .*by another key") as caught:
        verify(release, trust=trusted)
    assert stranger.public.fingerprint in str(caught.value)
    assert "Director" not in str(caught.value)
    with pytest.raises(IntegrityError, match=r"certificate\.json was signed by another key"):
        verify(release, trust=[officer])
    assert verify(release, trust=[officer, trusted]).trusted


def test_no_key_at_all_is_no_trust(release):
    assert not verify(release, trust=[]).trusted


@pytest.mark.parametrize("name", ["sign-offs/0001", "dossier", "certificate"])
def test_what_was_decided_on_cannot_be_signed_again_by_another_key(release, key, stranger, name):
    decide(release, key)
    decide(release, key, decision="rejected")
    folder = release / ("public" if name == "certificate" else "internal")
    document = folder / f"{name}.json"
    document.with_suffix(".sig").write_bytes(stranger.sign(document.read_bytes()))
    manifest.write(folder)
    with pytest.raises(IntegrityError, match=rf"{name}\.sig' is not the file that was signed"):
        verify(release)


def test_a_dossier_by_another_key_than_the_certificate_is_said(release, key, stranger):
    internal = release / "internal"
    data = (internal / bundle.DOSSIER).read_bytes()
    (internal / bundle.DOSSIER_SIGNATURE).write_bytes(stranger.sign(data))
    manifest.write(internal)
    found = verify(release)
    assert (found.fingerprint, found.internal_fingerprint) == (
        key.public.fingerprint,
        stranger.public.fingerprint,
    )


@pytest.mark.parametrize("name", ["\u2010default/2", " dpsynth-default/2", "Dpsynth-default/2", ""])
def test_a_policy_whose_name_looks_like_a_presets_is_refused(release, key, name):
    def change(content):
        content["predicate"]["policy"] = {
            "name": name,
            "max_epsilon": "1000000",
            "max_delta": "1",
            "required_audits": [],
        }

    resigned(release, change, key=key)
    with pytest.raises(IntegrityError, match=r"policy"):
        verify(release)


def test_a_policy_of_ones_own_is_named_and_is_no_preset(make, tmp_path, made):
    from attacks.policy import Policy

    rule = Policy(name="ours/1", max_epsilon=Fraction(50), max_delta=Fraction(1, 2))
    make.certified(tmp_path / "r", key=make.key, rule=rule)
    found = verify(tmp_path / "r")
    assert found.policy == rule
    assert "ours/1 is not a preset that this version" in found.policy_sentence
    assert "epsilon up to 50, delta up to 1/2, required audits: none" in found.policy_sentence
    assert found.to_dict()["policy"] == {**rule.to_dict(), "preset": False}
    usual = verify(made)
    assert usual.to_dict()["policy"]["preset"] is True
    assert usual.policy_sentence == (
        "every required audit of the mechanism passed and the policy dpsynth-default/2 is met"
    )


def test_an_audit_of_another_tools_table_verifies_and_claims_nothing(
    make, tmp_path, trusted, officer
):
    make.audited(tmp_path / "audit", key=make.key, hits=100, alone=True)
    found = verify(tmp_path / "audit", trust=trusted)
    assert (found.verdict, found.claim, found.policy) == ("FAIL", None, None)
    assert found.sentence.startswith("intact; no claim; signed by the trusted key")
    assert found.to_dict()["claim"] == "no claim"
    assert "not checked" in verify(tmp_path / "audit").sentence
    with pytest.raises(IntegrityError, match=r"dossier\.json was signed by another key"):
        verify(tmp_path / "audit", trust=officer)


AUDIT_FILES = ["audit.json", "dossier.json", "dossier.sig", "manifest.json", "report.html"]


@pytest.mark.parametrize("name", AUDIT_FILES)
def test_an_audit_with_a_changed_or_missing_file_is_refused(make, tmp_path, name):
    folder = tmp_path / "audit"
    make.audited(folder, key=make.key, alone=True)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-2] + b"0" + data[-1:])
    with pytest.raises(IntegrityError, match=name):
        verify(folder)
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match=name):
        verify(folder)


def test_an_audits_verdict_is_worked_out_from_its_counts(make, tmp_path):
    folder = tmp_path / "audit"
    made = make.audited(folder, key=make.key, hits=100, alone=True)
    content = canonical.read(folder / bundle.AUDIT)
    content["results"][0]["members_hits"] = 50
    (folder / bundle.AUDIT).write_bytes(canonical.dumps(content))
    reseal_audit(folder, made.predicate, make.key)
    with pytest.raises(IntegrityError, match="stored counts"):
        verify(folder)


@pytest.mark.parametrize(
    "change", [{"claim": "see certificate"}, {"release": {"certificate": "0" * 64}}]
)
def test_an_audit_alone_cannot_speak_of_a_certificate(make, tmp_path, change):
    folder = tmp_path / "audit"
    made = make.audited(folder, key=make.key, alone=True)
    reseal_audit(folder, {**made.predicate, **change}, make.key)
    with pytest.raises(IntegrityError, match="speaks of a certificate"):
        verify(folder)


def test_a_releases_internal_folder_is_not_an_audit(release):
    with pytest.raises(IntegrityError, match="verified with the release around it"):
        verify(release / "internal")


def test_nothing_can_be_added_to_an_audit(make, tmp_path):
    folder = tmp_path / "audit"
    make.audited(folder, key=make.key, alone=True)
    (folder / "sign-offs").mkdir()
    (folder / "sign-offs" / "0001.json").write_text("{}")
    manifest.write(folder)
    with pytest.raises(IntegrityError, match=r"sign-offs/0001\.json"):
        verify(folder)


def reseal_audit(folder, predicate, key):
    files = {
        name: seen
        for name, seen in manifest.digests(folder).items()
        if name not in dossier.UNSIGNED_NAMES
    }
    statement.write_signed(
        folder / bundle.DOSSIER,
        folder / bundle.DOSSIER_SIGNATURE,
        statement.statement(files, kind=dossier.KIND, predicate=predicate),
        shape="dossier",
        key=key,
    )
    manifest.write(folder)
