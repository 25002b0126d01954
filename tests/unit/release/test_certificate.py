"""The certificate says what follows from the files beside it, and nothing else."""

import copy
from fractions import Fraction

import pytest
from jsonschema import Draft202012Validator

import dpsynth
from attacks import certificate, keys, shapes, statement
from attacks.claim import claim_of, decimal_text, read_claim
from attacks.conformance.checks import witness
from attacks.verify import verify
from dpsynth.errors import IntegrityError, UnsupportedEventError, UsageError
from dpsynth.privacy.ledger import Charge
from dpsynth.release import bundle, canonical, manifest

SHAPES = ("certificate", "conformance", "dossier", "sign-off", "plan", "ledger")


def test_the_claim_is_rebuilt_from_plan_ledger_and_schema(made):
    claim = read_claim(made / "public")
    assert (claim["epsilon"], claim["delta"]) == ("1", "1/1000000000")
    assert (claim["unit"], claim["max_rows"], claim["unit_column"]) == ("person", 2, "id")
    assert sum(Fraction(item["rho"]) for item in claim["ledger"]) == Fraction(claim["rho"])
    assert Fraction(99, 100) < Fraction(claim["accounted_epsilon"]) <= 1
    assert claim["random_source"] == "operating system"
    assert claim["provenance"]["columns"]["age"]["bounds"] == {"status": "declared"}


def test_the_table_total_grows_over_releases(make):
    first = make.model()
    third = make.model(spent_before=2)
    claims = [claim_of(m.plan, m.ledger_extract, m.schema) for m in (first, third)]
    alone, together = (claim["table_cumulative"] for claim in claims)
    assert Fraction(together["rho_after"]) == 3 * Fraction(alone["rho_after"])
    assert Fraction(together["rho_before"]) == 2 * Fraction(alone["rho_after"])
    # zCDP: three releases cost more than one, and far less than three times its epsilon.
    assert Fraction(alone["epsilon"]) < Fraction(together["epsilon"])
    assert Fraction(together["epsilon"]) < 2 * Fraction(alone["epsilon"])
    assert claims[0]["accounted_epsilon"] == claims[1]["accounted_epsilon"]


def changed(document, path, value):
    copied = copy.deepcopy(document)
    *parents, last = path
    inner = copied
    for step in parents:
        inner = inner[step]
    inner[last] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("rho",), "1/2", "add up to the rho of plan"),
        (("steps", 0, "rho"), "1/100", "wrong cost"),
        (("steps", 0, "event", "sigma_squared"), "5", "not the steps"),
        (("unit", "max_rows"), 1, "privacy unit"),
        (("unit", "neighboring"), "replace", "privacy unit"),
    ],
)
def test_a_plan_that_contradicts_the_ledger_is_refused(make, path, value, word):
    model = make.model()
    with pytest.raises(IntegrityError, match=word):
        claim_of(changed(model.plan, path, value), model.ledger_extract, model.schema)


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("rho_release",), "1/2", "rho_release"),
        (("rho_before",), "1/2", "rho_after"),
        (("rho_before",), "-1", "rho_after"),
        (("cap", "rho"), "1/1000", "cap"),
        (("release",), "another", "another release"),
        (("entries",), [], "no entry"),
        (("entries", 0, "label"), "marginal(age)", "digest"),
        (("entries", 1, "previous"), "0" * 64, "digest"),
        (("entries", 0, "seeded"), True, "digest"),
    ],
)
def test_a_ledger_that_contradicts_itself_is_refused(make, path, value, word):
    model = make.model()
    with pytest.raises(IntegrityError, match=word):
        claim_of(model.plan, changed(model.ledger_extract, path, value), model.schema)


def rechained(extract, change):
    """Apply ``change`` to every entry and make all digests fit again, as a forger would."""
    from dpsynth.privacy import ledger

    copied = copy.deepcopy(extract)
    previous = copied["entries"][0]["previous"]
    for entry in copied["entries"]:
        change(entry)
        entry["previous"] = previous
        body = {name: value for name, value in entry.items() if name != "digest"}
        entry["digest"] = previous = ledger._digest(ledger._canonical(body))
    return copied


def test_an_unknown_event_is_refused_not_ignored(make):
    model = make.model()

    def rename(entry):
        entry["event"]["kind"] = "discrete_gaussian/v2"

    plan = copy.deepcopy(model.plan)
    for step in plan["steps"]:
        rename(step)
    with pytest.raises(UnsupportedEventError):
        claim_of(plan, rechained(model.ledger_extract, rename), model.schema)


def test_charges_for_a_smaller_person_than_claimed_are_refused(make):
    model = make.model()

    def shrink(item):
        event = item["event"]
        # Same cost, so every sum still fits: noise and sensitivity both for one row, not two.
        event["sigma_squared"] = str(Fraction(event["sigma_squared"]) / 4)
        event["l2_sensitivity_squared"] = "1"

    plan = copy.deepcopy(model.plan)
    for step in plan["steps"]:
        shrink(step)
    with pytest.raises(IntegrityError, match="fewer rows than max_rows"):
        claim_of(plan, rechained(model.ledger_extract, shrink), model.schema)


def test_another_relation_in_the_ledger_is_refused(make):
    model = make.model()
    extract = rechained(model.ledger_extract, lambda entry: entry.update(neighboring="replace"))
    with pytest.raises(IntegrityError, match="another relation"):
        claim_of(model.plan, extract, model.schema)


def test_unconfirmed_guesses_are_refused_and_confirmed_ones_are_conditional(make, tmp_path):
    schema = copy.deepcopy(make.schema)
    schema["columns"][2]["provenance"] = {"bounds": "guessed"}
    model = make.model(schema=schema)
    with pytest.raises(IntegrityError, match="guesses"):
        claim_of(model.plan, model.ledger_extract, model.schema)
    origin = {"status": "confirmed", "reason": "the form allows no other age"}
    schema["columns"][2]["provenance"] = {"bounds": origin}
    made = make.certified(tmp_path / "r", key=make.key, model=make.model(schema=schema))
    assert made.verdict == "INCONCLUSIVE"
    assert "conditional" in made.reasons[0]
    schema["columns"][2]["provenance"] = {"bounds": {**origin, "source": "the codebook"}}
    model = make.model(schema=schema)
    assert make.certified(tmp_path / "s", key=make.key, model=model).verdict == "PASS"


def test_a_seeded_run_cannot_be_certified(make, tmp_path):
    with pytest.raises(UsageError, match="known seed"):
        make.certified(tmp_path / "r", key=make.key, model=make.model(seeded=True))
    assert not (tmp_path / "r" / "public").exists()


def test_a_failed_check_fails_the_certificate(make, tmp_path):
    checks = [*make.checks, witness("selection/law", "selection", "it did not", violations=1)]
    made = make.certified(tmp_path / "r", key=make.key, checks=checks)
    assert made.verdict == "FAIL"
    assert verify(tmp_path / "r").verdict == "FAIL"


def test_a_claim_above_the_accountant_fails(make, tmp_path):
    model = make.model()
    model.plan["epsilon"] = "1/2"
    made = make.certified(tmp_path / "r", key=make.key, model=model)
    assert (made.verdict, made.reasons) == ("FAIL", ("the ledger adds up to more than the claim",))


def test_the_subject_is_every_file_but_certificate_signature_and_manifest(made):
    content = canonical.read(made / "public" / bundle.CERTIFICATE)
    named = {item["name"] for item in content["subject"]}
    assert named == set(manifest.names(made / "public")) - certificate.UNSIGNED_NAMES
    assert named >= {"report.html", "summary.md", "synthetic.parquet", "model/model.npz"}


def test_the_report_gets_everything_but_digests(make, tmp_path):
    seen = []

    def render(directory, predicate):
        seen.append((sorted(path.name for path in directory.iterdir()), predicate))
        make.render(directory, predicate)

    public = bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())
    certificate.certify_public(
        public, key=make.key, conformance=make.tried(), not_tested=["timing"], render=render
    )
    (present, predicate), *_ = seen
    assert "certificate.json" not in present
    assert predicate == canonical.read(public / bundle.CERTIFICATE)["predicate"]


def test_an_existing_folder_is_certified_once(make, tmp_path, monkeypatch):
    keys.new_key(tmp_path / "k.pem")
    bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())
    monkeypatch.setattr(certificate, "_render", make.render)
    monkeypatch.setattr(certificate, "_not_tested", lambda _: ["timing"])
    given = {"key": tmp_path / "k.pem", "conformance": make.tried()}
    made = certificate.certify(tmp_path / "r", **given)
    # What was tried by other versions counts for nothing.
    assert made.verdict == "INCONCLUSIVE"
    assert "another version of" in made.reasons[0]
    assert verify(tmp_path / "r").verdict == "INCONCLUSIVE"
    with pytest.raises(UsageError, match="certified already"):
        certificate.certify(tmp_path / "r" / "public", **given)


def test_a_changed_payload_is_not_certified(make, tmp_path):
    public = bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())
    (public / bundle.CSV).write_text("id,sex,age\n")
    with pytest.raises(IntegrityError, match=r"synthetic\.csv"):
        certificate.certify(tmp_path / "r", conformance=make.tried())


@pytest.mark.parametrize("step", ["render", "sign", "signature", "manifest"])
def test_a_crash_while_certifying_leaves_nothing_that_verifies(make, tmp_path, monkeypatch, step):
    def crash(*args, **kwargs):
        raise KeyboardInterrupt

    public = bundle.write(tmp_path / "r", synthetic=make.table(), model=make.model())
    monkeypatch.setattr(certificate, "_render", crash if step == "render" else make.render)
    monkeypatch.setattr(certificate, "_not_tested", lambda _: ["timing"])
    with monkeypatch.context() as patch:
        if step == "sign":
            patch.setattr("attacks.statement.canonical.dumps", crash)
        elif step == "signature":
            patch.setattr(keys.SigningKey, "sign", crash)
        elif step == "manifest":
            patch.setattr("attacks.certificate.manifest.write", crash)
        monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
        with pytest.raises(KeyboardInterrupt):
            certificate.certify(public, conformance=make.tried())
    with pytest.raises(IntegrityError):
        verify(tmp_path / "r")
    monkeypatch.setattr(certificate, "_render", make.render)
    again = make.tried(versions=statement.versions())
    certificate.certify(public, conformance=again)  # and nothing stands in the way of another
    assert verify(tmp_path / "r").verdict == "PASS"


@pytest.mark.parametrize("name", SHAPES)
def test_each_published_schema_is_valid_and_closed(name):
    document = shapes.document(name)
    Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"

    def objects(part):
        if isinstance(part, dict):
            if "properties" in part:
                yield part
            for inner in part.values():
                yield from objects(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from objects(inner)

    assert all("additionalProperties" in part for part in objects(document))


def test_what_we_write_fits_what_we_publish(made):
    for folder, name, shape in (
        ("public", bundle.CERTIFICATE, "certificate"),
        ("public", bundle.PLAN, "plan"),
        ("public", bundle.LEDGER, "ledger"),
        ("internal", bundle.DOSSIER, "dossier"),
    ):
        content = shapes.read(made / folder / name, shape)
        with pytest.raises(IntegrityError, match=name):
            shapes.require({**content, "more": 1}, shape, name=name)
        for field in content:
            missing = {key: value for key, value in content.items() if key != field}
            with pytest.raises(IntegrityError, match=name):
                shapes.require(missing, shape, name=name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(10), "10"),
        (Fraction(1, 4), "0.25"),
        (Fraction(770994056016, 10**12), "0.770994056016"),
        (Fraction(1, 3), "1/3"),
    ],
)
def test_decimal_text_is_exact(value, text):
    assert decimal_text(value) == text
    assert Fraction(text) == value


def test_what_counts_as_learnt_must_have_been_paid_for(make):
    schema = copy.deepcopy(make.schema)
    schema["columns"][2]["bounds"] = [0, 9999]  # so wide a range needs bins, and bins a charge
    model = make.model(schema=schema)
    with pytest.raises(IntegrityError, match=r"'bins' of column 'age' was learnt by 'bins\(age\)'"):
        claim_of(model.plan, model.ledger_extract, model.schema)


@pytest.mark.parametrize("entry", ["bins(nothing)", "bins(age)", "marginal(age)"])
def test_a_stated_fact_is_never_learnt(make, entry):
    schema = copy.deepcopy(make.schema)
    schema["columns"][2]["provenance"] = {"bounds": {"status": "learnt", "entry": entry}}
    model = make.model(schema=schema)
    with pytest.raises(IntegrityError, match="no ledger entry taught"):
        claim_of(model.plan, model.ledger_extract, model.schema)


def spelled(number, how):
    """Spell an exact number in another way."""
    value = Fraction(number)
    return {
        "not in lowest terms": f"{2 * value.numerator}/{2 * value.denominator}",
        "zeros in front": "0" * 2000 + number,
        "other digits": "".join(chr(ord("\uff10") + int(c)) if c.isdigit() else c for c in number),
        "a line break": number + "\n",
        "a blank": " " + number,
    }[how]


SPELLINGS = ["not in lowest terms", "zeros in front", "other digits", "a line break", "a blank"]
PLACES = {
    "epsilon": [("plan", "epsilon")],
    "delta": [("plan", "delta")],
    "rho": [("plan", "rho")],
    "a step's rho": [("plan", "steps", 0, "rho")],
    "an event": [
        ("plan", "steps", 0, "event", "sigma_squared"),
        ("ledger", "entries", 0, "event", "sigma_squared"),
    ],
    "the cap's epsilon": [("ledger", "cap", "epsilon")],
    "the cap's delta": [("ledger", "cap", "delta")],
    "the cap's rho": [("ledger", "cap", "rho")],
    "rho_before": [("ledger", "rho_before")],
    "rho_release": [("ledger", "rho_release")],
    "rho_after": [("ledger", "rho_after")],
}


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("place", PLACES)
def test_an_exact_number_has_one_spelling(make, place, how):
    model = make.model()
    documents = {"plan": model.plan, "ledger": model.ledger_extract}
    claim_of(documents["plan"], documents["ledger"], model.schema)
    for path in PLACES[place]:
        inner = documents
        for step in path:
            number, inner = inner[step], inner[step]
        documents = changed(documents, path, spelled(number, how))
    with pytest.raises(IntegrityError, match=r"lowest terms|exact number"):
        claim_of(documents["plan"], documents["ledger"], model.schema)


@pytest.mark.parametrize("text", ["1.0", "01", "1/01", "00", "0.5"])
@pytest.mark.parametrize("shape", ["plan", "ledger"])
def test_the_published_schemas_of_plan_and_ledger_know_one_spelling(shape, text):
    pattern = shapes.document(shape)["$defs"]["exact"]
    Draft202012Validator(pattern).validate("3/8")
    assert list(Draft202012Validator(pattern).iter_errors(text))


def test_the_person_column_must_be_the_schemas(make):
    model = make.model()
    plan = changed(model.plan, ("unit", "column"), "sex")
    with pytest.raises(IntegrityError, match="person column"):
        claim_of(plan, model.ledger_extract, model.schema)


@pytest.mark.parametrize("factor", [2, Fraction(99, 100), 1 + Fraction(1, 10**8), 10**6])
def test_the_caps_rho_is_worked_out_again(make, factor):
    model = make.model()
    cap = model.ledger_extract["cap"]
    assert Fraction(cap["rho"]) == dpsynth.rho_of(cap["epsilon"], cap["delta"])
    rho = str(Fraction(cap["rho"]) * factor)
    with pytest.raises(IntegrityError, match="the cap of"):
        claim_of(model.plan, changed(model.ledger_extract, ("cap", "rho"), rho), model.schema)


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("epsilon", "0", "out of range"),
        ("epsilon", "9" * 4000, "out of range"),
        ("delta", "0", "between 0 and 1"),
        ("delta", "1", "between 0 and 1"),
        ("rho", "9" * 4000, "does not give"),
        ("rho", "1/" + "9" * 4000, "cap allows"),
    ],
    ids=lambda value: value[:12],
)
def test_a_cap_out_of_range_is_refused(make, field, value, word):
    model = make.model()
    with pytest.raises(IntegrityError, match=word):
        claim_of(model.plan, changed(model.ledger_extract, ("cap", field), value), model.schema)


@pytest.mark.parametrize("delta", ["1", "2"])
def test_a_delta_that_promises_nothing_is_refused(make, delta):
    model = make.model()
    with pytest.raises(IntegrityError, match=r"delta of plan\.json must be below 1"):
        claim_of(changed(model.plan, ("delta",), delta), model.ledger_extract, model.schema)


def test_gaussian_noise_claims_nothing_without_a_delta(make):
    model = make.model()
    with pytest.raises(IntegrityError, match="an event has no epsilon without a delta"):
        claim_of(changed(model.plan, ("delta",), "0"), model.ledger_extract, model.schema)


def test_a_claim_without_a_delta_is_the_sum_of_pure_epsilons():
    columns = [{"name": name, "kind": "boolean"} for name in ("a", "b", "c")]
    schema = dpsynth.Schema.from_dict({"columns": columns})
    plan = dpsynth.Independent().plan(schema, epsilon="1/2", delta=0)
    ledger = dpsynth.Ledger.in_memory(cap_epsilon=9, cap_delta="1e-9")
    account = ledger.open_release(rho=plan.rho, seeded=False)
    account.charge([Charge(event=step.event, label=step.label) for step in plan.steps])
    claim = claim_of(plan.to_dict(), account.extract(), schema)
    assert (claim["epsilon"], claim["delta"], claim["accounted_epsilon"]) == ("1/2", "0", "0.5")
    assert Fraction(claim["rho"]) == 3 * Fraction(1, 6) ** 2 / 2
    low = changed(plan.to_dict(), ("epsilon",), "1/3")
    assert claim_of(low, account.extract(), schema)["accounted_epsilon"] == "0.5"


def test_a_trial_of_something_else_certifies_nothing(make, tmp_path):
    other = make.model()
    other.plan["synthesizer"]["settings"]["bins"] = 4
    with pytest.raises(UsageError, match="another synthesizer, schema or budget"):
        make.certified(tmp_path / "r", key=make.key, conformance=make.tried(other))
    assert not (tmp_path / "r" / "public").exists()
