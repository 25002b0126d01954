"""Each command does its work, says it as text and as JSON, and keeps quiet about the rows."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import tomli_w

from dpsynth.cli.parse import exact_text

ROWS = 457  # as in conftest.py


@pytest.fixture
def released(world):
    done = world.release("--json")
    assert done.code == 0, done.err
    return world, done


def test_release_writes_both_folders_and_says_both_verdicts(released):
    world, done = released
    assert done.json["public_verdict"] == "PASS"
    assert done.json["internal_verdict"] in {"PASS", "FAIL", "INCONCLUSIVE"}
    inside = {path.name for path in (world.folder / "release").iterdir()}
    assert inside == {"public", "internal"}
    dictionary = world.folder / "release" / "public" / "data-dictionary.md"
    assert "the interval is too narrow" in dictionary.read_text(encoding="utf-8")
    shown = world.run("ledger", "show", world.ledger, "--json").json
    assert len(shown["entries"]) > 0
    assert len(shown["looks"]) == 1


def test_nothing_said_holds_the_number_of_rows(released):
    world, done = released
    fitted = world.fit(epsilon="0.5")
    said = done.out + done.err + fitted.out + fitted.err
    spelled = re.sub(r"sha256:[0-9a-f]+", "", said.replace(str(world.folder), ""))
    members = len(pd.read_csv(world.table))
    assert members == ROWS
    assert str(ROWS) not in spelled


def test_verify_says_whom_it_trusts(released):
    world, _ = released
    release, public = world.folder / "release", f"{world.key}.pub"
    unchecked = world.run("verify", release)
    assert unchecked.code == 0
    assert "the policy dpsynth-default/2 is met" in unchecked.out
    assert world.run("verify", release, "--json").json["policy"]["preset"] is True
    assert "intact; signer not checked" in unchecked.out
    assert world.run("verify", release / "public", "--trust", public).code == 0
    assert world.run("keys", "new", "--out", world.folder / "other.pem").code == 0
    stranger = world.run("verify", release, "--trust", world.folder / "other.pem.pub")
    assert stranger.code == 5
    assert "not by the trusted key" in stranger.err


def test_verify_names_a_changed_file(released):
    world, _ = released
    table = world.folder / "release" / "public" / "synthetic.csv"
    table.write_bytes(table.read_bytes() + b"0,f,true\n")
    done = world.run("verify", world.folder / "release", "--json")
    assert done.code == 5
    assert "synthetic.csv" in done.json["error"]


def test_a_second_release_continues_the_ledger(released):
    world, _ = released
    refused = world.release(out="second", epsilon="1.9")  # alone it would fit below the cap of 2
    assert refused.code == 3
    assert not (world.folder / "second").exists()
    assert world.release(out="third", epsilon="0.5").code == 0
    shown = world.run("ledger", "show", world.ledger, "--json").json
    assert len({entry["release"] for entry in shown["entries"]}) == 2
    assert world.run("ledger", "verify", world.ledger).code == 0


def test_sample_is_reproducible_and_free(released):
    world, _ = released
    drawn = []
    for name, seed in (("a.csv", 7), ("b.csv", 7), ("c.csv", 8)):
        out = world.folder / name
        done = world.run(
            "sample", world.folder / "release", "--rows", 50, "--seed", seed, "--out", out, "--json"
        )
        assert (done.code, done.json["rows"]) == (0, 50)
        drawn.append(out.read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]
    parquet = world.folder / "d.parquet"
    public = world.folder / "release" / "public"
    assert world.run("sample", public, "--rows", 5, "--seed", 1, "--out", parquet).code == 0
    assert list(pd.read_parquet(parquet).columns) == ["age", "sex", "ill"]


def test_sample_into_a_database_keeps_its_address_to_itself(released):
    pytest.importorskip("sqlalchemy")
    world, _ = released
    address = f"sqlite:///{world.folder / 'out.db'}"
    to = ("--rows", 30, "--seed", 1, "--out", address)
    done = world.run("sample", world.folder / "release", *to, "--table", "people", "--json")
    assert (done.code, done.json["rows"], done.json["table"]) == (0, 30, "people")
    assert "out.db" not in done.out + done.err
    again = world.run("sample", world.folder / "release", *to, "--table", "people")
    assert (again.code, "a table 'people' already" in again.err) == (2, True)
    assert world.run("sample", world.folder / "release", *to).code == 2
    odd = world.run("sample", world.folder / "release", "--out", world.folder / "t.json")
    assert (odd.code, "must end in" in odd.err) == (2, True)


def test_report_prints_the_summary(released):
    world, _ = released
    public = world.run("report", world.folder / "release")
    assert public.code == 0
    summary = world.folder / "release" / "public" / "summary.md"
    assert public.out.strip() == summary.read_text(encoding="utf-8").strip()
    assert "public/report.html" in public.err
    internal = world.run("report", world.folder / "release", "--internal", "--json").json
    assert "internal" in internal["report"]
    assert world.run("report", world.folder / "release" / "public", "--internal").code == 2


def test_sign_off_is_a_new_signed_file(released):
    world, _ = released
    words = ["--name", "A. Officer", "--role", "privacy officer", "--reason", "reviewed"]
    release = world.folder / "release"
    certificate = (release / "public" / "certificate.json").read_bytes()
    done = world.run("sign-off", release, "--decision", "approved", *words, "--key", world.key)
    assert done.code == 0, done.err
    assert (release / "public" / "certificate.json").read_bytes() == certificate
    shown = world.run("verify", release).out
    assert "approved by A. Officer (privacy officer)" in shown
    assert shown.splitlines()[-1].partition("; ")[2].startswith("signer not checked (sha256:")
    trusting = world.run("verify", release, "--trust", f"{world.key}.pub")
    assert trusting.out.splitlines()[-1].partition("; ")[2].startswith("signed by the trusted key")


def test_a_strangers_sign_off_ends_with_5_unless_the_officer_is_trusted_too(released):
    world, _ = released
    release, officer = world.folder / "release", world.folder / "officer.pem"
    assert world.run("keys", "new", "--out", officer).code == 0
    words = ["--name", "Director", "--role", "director", "--reason", "fine", "--key", officer]
    assert world.run("sign-off", release, "--decision", "approved", *words).code == 0
    trust = ["--trust", f"{world.key}.pub"]
    refused = world.run("verify", release, *trust)
    assert refused.code == 5
    assert "0001.json (a sign-off) was signed by another key, sha256:" in refused.err
    assert "approved" not in refused.out + refused.err
    assert world.run("verify", release, *trust, "--trust", f"{officer}.pub").code == 0


def test_a_schema_that_says_learnt_of_a_stated_bound_is_refused_before_the_ledger_opens(world):
    origin = '[columns.provenance]\nbounds = {status = "learnt", entry = "bins(nothing)"}\n'
    text = world.schema.read_text(encoding="utf-8")
    at = text.index("\n[[columns]]", text.index("bins = ["))
    world.schema.write_text(f"{text[:at]}{origin}{text[at:]}", encoding="utf-8")
    done = world.release()
    assert done.code == 4
    assert "column 'age', field 'bounds': says `learnt`" in done.err
    assert world.run("ledger", "show", world.ledger, "--json").json["entries"] == []


def test_fit_then_sample(world):
    done = world.fit("--json")
    assert done.code == 0, done.err
    model = world.folder / "model"
    assert sorted(path.name for path in model.iterdir())[:2] == ["model.json", "model.npz"]
    out = world.folder / "s.csv"
    assert world.run("sample", model, "--rows", 9, "--seed", 1, "--out", out).code == 0
    assert len(pd.read_csv(out)) == 9
    assert not [name for name in world.names() if name.startswith(".")]


def test_sample_of_a_cohort(world):
    world.fit()
    model = world.folder / "model"
    out = world.folder / "s.csv"
    given = ["--given", "sex=f", "--given", "age=25..50", "--given", "ill=yes"]
    done = world.run("sample", model, "--rows", 40, "--seed", 1, *given, "--out", out)
    assert done.code == 0, done.err
    drawn = pd.read_csv(out)
    assert set(drawn["sex"]) == {"f"}
    assert drawn["age"].between(25, 50).all()
    assert drawn["ill"].all()
    assert len(drawn) == 40


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sex", "--given must be COLUMN=VALUE"),
        ("gender=f", "no column to learn is called 'gender'"),
        ("sex=female", "column 'sex' has no value 'female': there are 'f', 'm'"),
        ("age=old", "column 'age' takes a number, not 'old'"),
        ("age=200..300", "nothing asked of column 'age' lies within its bounds"),
    ],
)
def test_a_cohort_that_cannot_be_is_refused_in_one_sentence(world, given, said):
    world.fit()
    out = world.folder / "s.csv"
    done = world.run("sample", world.folder / "model", "--given", given, "--out", out)
    assert done.code == 2
    assert said in done.err
    assert not out.exists()


def test_rules_that_no_model_can_hold_are_told_by_schema_check(world):
    rules = "".join(
        f'[[rules]]\nforbid = {{ sex = "{sex}", ill = {ill} }}\n'
        for sex in "fm"
        for ill in ("true", "false")
    )
    text = world.schema.read_text(encoding="utf-8")
    world.schema.write_text(text + rules, encoding="utf-8")
    done = world.run("schema", "check", world.schema)
    assert (done.code, done.out) == (4, "")
    assert "the declared rules together forbid every row" in done.err
    one = "[[rules]]" + rules.split("[[rules]]")[1]
    world.schema.write_text(text + one, encoding="utf-8")
    assert world.run("schema", "check", world.schema).code == 0


def test_fit_spends_what_plan_said(world):
    words = ["--synthesizer", "independent", "--epsilon", "1", "--delta", "1e-9"]
    planned = world.run("plan", "--schema", world.schema, *words, "--json").json
    engines = {each["engine"]: each["statements"] for each in planned.pop("engines")}
    assert engines == {"frame": 0, "files": 2, "database": engines["database"]}
    assert 0 < engines["database"] <= 3
    fitted = world.fit("--json").json
    assert fitted["plan"] == planned
    shown = world.run("ledger", "show", world.ledger, "--json").json
    assert shown["spent"]["rho"] == planned["rho"]
    assert [entry["event"] for entry in shown["entries"]] == [
        step["event"] for step in planned["steps"]
    ]


def test_a_release_without_a_delta_is_planned_paid_and_verified(world):
    pure = ["--synthesizer", "independent", "--epsilon", "1/2", "--delta", "0"]
    shown = world.run("plan", "--schema", world.schema, *pure)
    assert shown.code == 0, shown.err
    assert "claim  (epsilon 0.5, delta 0)-DP" in shown.out
    assert "epsilon" in shown.out.splitlines()[0]
    assert re.search(r"^total +0\.500000 +100\.0 %$", shown.out, re.MULTILINE)
    assert "costs  rho 0.0" in shown.out
    done = world.release(synthesizer="independent", epsilon="1/2", delta="0", control="0")
    assert done.code == 0, done.err
    verified = world.run("verify", world.folder / "release", "--json")
    assert verified.code == 0, verified.err
    claim = verified.json["claim"]
    assert (claim["epsilon"], claim["delta"], claim["accounted_epsilon"]) == ("1/2", "0", "0.5")
    summary = (world.folder / "release" / "public" / "summary.md").read_text("utf-8")
    assert "without exception" in summary
    assert "| delta, at most | 0 (no exception) |" in summary
    assert world.run("verify", world.folder / "release").out.count("delta 0") == 1


def test_plan_reads_no_table_and_writes_what_it_prints(world):
    world.table.unlink()
    out = world.folder / "plan.json"
    words = ["--schema", world.schema, "--synthesizer", "mst", "--epsilon", "1", "--delta", "1e-9"]
    done = world.run("plan", *words, "--out", out)
    assert done.code == 0
    assert "No row was read and nothing was spent." in done.out
    printed = world.run("plan", *words, "--json").json
    engines = printed.pop("engines")
    assert [each["engine"] for each in engines] == ["frame", "files", "database"]
    assert json.loads(out.read_text(encoding="utf-8")) == printed


def test_plan_shows_equal_numbered_charges_as_one_line(world):
    words = ["--schema", world.schema, "--synthesizer", "mst", "--epsilon", "1", "--delta", "1e-9"]
    lines = world.run("plan", *words).out.splitlines()
    (choices,) = [line for line in lines if line.startswith("choice of pair")]
    assert choices.split()[:7] == ["choice", "of", "pair", "1", "to", "2,", "each"]
    assert choices.endswith("1.6 %, in all 3.1 %")
    assert sum("marginal(" in line for line in lines) == 3


def test_plan_takes_the_default_synthesizer_and_its_settings(world):
    words = ["--schema", world.schema, "--epsilon", "1", "--delta", "1e-9", "--json"]
    plain = world.run("plan", *words).json
    assert plain["synthesizer"]["name"] == "auto"
    done = world.run("plan", *words, "--set", "target=ill", "--set", "rake=false")
    settings = done.json["synthesizer"]["settings"]
    assert (settings["target"], settings["rake"]) == ("ill", False)
    assert settings | {"target": None, "rake": True} == plain["synthesizer"]["settings"]


def test_the_exit_code_follows_the_public_verdict(world):
    """Confirmed without a public source: INCONCLUSIVE, which only --strict turns into 1."""
    drafted = world.folder / "draft.toml"
    assert world.run("schema", "draft", world.table, "--out", drafted).code == 0
    assert world.run("schema", "check", drafted).code == 4
    confirmed = world.run("schema", "confirm", drafted, "--all", "--reason", "known to the clinic")
    assert confirmed.code == 0
    assert "conditional" in confirmed.err
    done = world.release(schema=drafted, epsilon="0.5")
    assert done.code == 0, done.err
    assert "INCONCLUSIVE" in done.out
    assert "warning" in done.err
    release = world.folder / "release"
    assert world.run("verify", release).code == 0
    assert world.run("verify", release, "--strict").code == 1
    strict = world.release("--strict", schema=drafted, epsilon="0.5", out="strict")
    assert strict.code == 1


def test_a_failed_gate_exits_1_and_still_writes(world):
    policy = world.folder / "policy.toml"
    shown = world.release("--json").json
    certificate = json.loads(
        (world.folder / "release" / "public" / "certificate.json").read_text(encoding="utf-8")
    )
    assert shown["public_verdict"] == "PASS"
    rule = {**certificate["predicate"]["policy"], "name": "house/1", "max_epsilon": "1/10"}
    policy.write_text(tomli_w.dumps(rule), encoding="utf-8")
    done = world.release("--policy", policy, epsilon="0.5", out="failed")
    assert done.code == 1, done.err
    assert (world.folder / "failed" / "public" / "certificate.json").is_file()
    assert world.run("verify", world.folder / "failed").code == 1


def test_schema_confirm_wants_one_of_two(world):
    for words in ([], ["--all", "--column", "age"]):
        done = world.run("schema", "confirm", world.schema, *words, "--reason", "known")
        assert done.code == 2
        assert "--all" in done.err


def test_schema_confirm_column_by_column(world):
    drafted = world.folder / "draft.toml"
    world.run("schema", "draft", world.table, "--out", drafted)
    words = ["--reason", "codebook", "--source", "https://example.org/codebook"]
    done = world.run("schema", "confirm", drafted, "--column", "age", "--column", "sex", *words)
    assert world.run("schema", "confirm", drafted, "--column", "unit", *words).code == 0
    assert done.code == 0, done.err
    state = world.run("schema", "check", drafted, "--json")
    assert state.code == 4
    assert {item["column"] for item in state.json["open"]} == {"ill"}
    assert state.json["conditional"] is False


def test_schema_import(world):
    metadata = {
        "kind": "single_table",
        "n_rows": 457,
        "columns": [
            {
                "name": "sex",
                "type": "categorical",
                "values": ["f", "m"],
                "domain_source": "codebook",
                "nullable": False,
            },
            {"name": "age", "type": "integer", "bounds": [0, 97], "domain_source": "data"},
        ],
    }
    source, out = world.folder / "meta.json", world.folder / "imported.toml"
    source.write_text(json.dumps(metadata), encoding="utf-8")
    done = world.run("schema", "import", source, "--out", out, "--json")
    assert done.code == 4
    assert {item["column"] for item in done.json["open"]} == {"age"}
    assert "457" not in out.read_text(encoding="utf-8")
    metadata["columns"][1]["domain_source"] = "public-knowledge"
    source.write_text(json.dumps(metadata), encoding="utf-8")
    assert world.run("schema", "import", source, "--out", out).code == 2, "never overwritten"
    assert world.run("schema", "import", source, "--out", world.folder / "i.toml").code == 0


def test_audit_of_a_copy_fails_and_says_no_claim(world):
    rng = np.random.default_rng(4)
    names = [f"q{number}" for number in range(12)]
    people = pd.DataFrame(rng.integers(0, 4, size=(400, 12)), columns=names)
    columns = "".join(
        f"[[columns]]\nname = '{name}'\nkind = 'categorical'\nvalues = [0, 1, 2, 3]\n"
        for name in names
    )
    roles = f"quasi_identifiers = {names[:-1]}\nsensitive = ['q11']\n"
    world.schema.write_text(roles + columns, encoding="utf-8")
    inside, outside = world.folder / "in.csv", world.folder / "out.csv"
    people[:200].to_csv(inside, index=False)
    people[200:].to_csv(outside, index=False)
    words = ["--synthetic", inside, "--members", inside, "--controls", outside]
    words += ["--schema", world.schema, "--key", world.key, "--ledger", world.ledger]
    done = world.run("audit", *words, "--split", "random", "--out", world.folder / "a", "--json")
    assert done.code == 1, done.err
    assert done.json["claim"] == "no claim"
    assert done.json["verdict"] == "FAIL"
    assert (world.folder / "a" / "report.html").is_file()
    checked = world.run("verify", world.folder / "a", "--trust", f"{world.key}.pub")
    assert checked.code == 1, "verify ends as the verdict says"
    assert checked.out.startswith("intact; no claim; signed by the trusted key sha256:")
    assert world.run("report", world.folder / "a").code == 0
    assert world.run("verify", world.folder / "a", "--json").json["claim"] == "no claim"
    (world.folder / "a" / "summary.md").write_text("all is well", encoding="utf-8")
    assert world.run("verify", world.folder / "a").code == 5
    shown = world.run("ledger", "show", world.ledger, "--json").json
    assert [look["subject"] for look in shown["looks"]] == ["in.csv"]
    unknown = world.run("audit", *words, "--out", world.folder / "b", "--json")
    assert unknown.code == 1, "a large leak fails under either split"
    assert {found["p_value"] for found in unknown.json["results"]} == {None}


def test_audit_of_a_file_on_disk_says_what_was_read_and_who_was_drawn(world):
    rows = pd.read_csv(world.table)
    inside, outside = world.folder / "in.csv", world.folder / "out.csv"
    rows[:230].to_csv(inside, index=False)
    rows[230:].sort_values("age").assign(age=lambda held: (held["age"] + 7) % 100).to_csv(
        outside, index=False
    )
    pd.concat([rows, rows]).to_parquet(world.folder / "s.parquet", index=False)
    words = ["--synthetic", world.folder / "s.parquet", "--members", inside]
    words += ["--controls", outside, "--schema", world.schema, "--key", world.key]
    words += ["--tier", "smoke", "--engine", "duckdb"]
    done = world.run("audit", *words, "--persons", "40", "--out", world.folder / "a", "--json")
    assert done.code in (0, 1), done.err
    drawn, read = done.json["tables"]
    assert re.match(r"\d+ different rows of the members and \d+ of the controls were drawn", drawn)
    assert read.startswith(f"all {2 * ROWS:,} rows of the synthetic table were read")
    for name in ("audit.json", "summary.md", "report.html"):
        told = (world.folder / "a" / name).read_text(encoding="utf-8")
        assert drawn in told, name
        assert read in told, name
    every = world.run("audit", *words, "--out", world.folder / "b")
    said = " ".join(every.out.split())
    assert read in said, every.err
    assert "were drawn" not in said
    refused = world.run("audit", *words[:-1], "spark", "--out", world.folder / "c")
    assert refused.code == 2
    assert "auto, frame, duckdb" in refused.err


def test_certify_refuses_what_is_certified(released):
    world, _ = released
    done = world.run("certify", world.folder / "release", "--key", world.key)
    assert done.code == 2
    assert "certified already" in done.err


def test_keys(world):
    shown = world.run("keys", "show", world.key)
    assert shown.code == 0
    assert world.run("keys", "show", f"{world.key}.pub").out.split()[0] == shown.out.split()[0]
    assert "PRIVATE" not in shown.out
    assert world.run("keys", "new", "--out", world.key).code == 2
    assert world.run("keys", "show").code == 2
    assert world.run("keys", "new").code == 0
    assert world.run("keys", "show").out.startswith("sha256:")


def test_doctor_finds_this_machine_fit(world):
    done = world.run("doctor", "--folder", world.folder, "--json")
    assert (done.code, done.json["fit"]) == (0, True)
    names = {check["name"] for check in done.json["checks"]}
    assert {"python", "numpy", "random source", "disk", "extra deep"} <= names


def test_doctor_exits_6_where_unfit(world, monkeypatch):
    import dpsynth.cli.doctor as doctor

    assert world.run("doctor", "--folder", world.folder / "none").code == 6
    monkeypatch.setattr(doctor.os, "urandom", lambda count: bytes(count))
    done = world.run("doctor", "--folder", world.folder, "--json")
    assert done.code == 6
    assert [c["name"] for c in done.json["checks"] if c["status"] == "unfit"] == ["random source"]


def test_doctor_knows_old_packages_and_pythons(monkeypatch):
    from dpsynth.cli import doctor

    assert doctor.python((3, 10)).status == "unfit"
    assert doctor._within("2.4.6", ">=2.0,<3")
    assert not doctor._within("1.26.4", ">=2.0,<3")
    assert not doctor._within("3.0", "<3,>=2.0")
    monkeypatch.setattr(doctor, "version", lambda name: "0.0.1")
    assert {check.status for check in doctor.packages()} == {"unfit"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1", "1"),
        ("1/3", "1/3"),
        ("1e-9", "1e-9"),
        ("0.5", "0.5"),
        ("10", "10"),
        ("3/1600", "0.001875"),
    ],
)
def test_exact_text_is_short_and_exact(text, shown):
    from fractions import Fraction

    assert exact_text(Fraction(text)) == shown
    assert Fraction(exact_text(Fraction(text))) == Fraction(text)


def test_open_columns_show_what_they_cost(world):
    text = world.schema.read_text(encoding="utf-8")
    listed = 'values = ["f", "m"]'
    assert listed in text
    opened = world.folder / "open.toml"
    opened.write_text(text.replace(listed, "open = true"), encoding="utf-8")
    words = ["--schema", opened, "--epsilon", "1", "--delta", "1e-9"]
    planned = world.run("plan", *words)
    assert "values(sex)" in planned.out
    assert "5e-10 of delta is set aside for the values of open columns" in planned.out
    assert "set aside" not in world.run("plan", *words[2:], "--schema", world.schema).out
    assert "columns:" not in world.run("ledger", "show", world.ledger).out
    assert world.fit(schema=opened, epsilon="1").code == 0
    shown = world.run("ledger", "show", world.ledger)
    assert "columns: delta 5e-10 spent of the 5e-10 that is kept" in shown.out
    document = world.run("ledger", "show", world.ledger, "--json").json
    assert document["cap"]["reserved_delta"] == document["spent"]["reserved_delta"] == "5e-10"
    again = world.fit(schema=opened, epsilon="0.1", out="again")
    assert again.code == 3
    assert "open columns" in again.err
    assert world.fit(epsilon="0.1", out="closed").code == 0


def test_a_ledger_may_be_made_for_open_columns(world):
    path = world.folder / "open.sqlite"
    cap = ["--cap-epsilon", "2", "--cap-delta", "1e-9"]
    assert world.run("ledger", "init", path, *cap, "--open-categories").code == 0
    assert "delta 0 spent of the 5e-10" in world.run("ledger", "show", path).out


def test_fit_takes_what_release_takes(world):
    import pandas as pd

    table = pd.read_csv(world.table)
    folder = world.folder / "parts"
    folder.mkdir()
    table.iloc[:200].to_parquet(folder / "a.parquet")
    table.iloc[200:].to_parquet(folder / "b.parquet")
    lines = world.folder / "rows.ndjson"
    table.to_json(lines, orient="records", lines=True)
    for number, given in enumerate((folder, lines)):
        done = world.fit(table=given, out=f"model{number}")
        assert done.code == 0, done.err
        drawn = world.run("sample", world.folder / f"model{number}", "--out", f"{given}.csv")
        assert drawn.code == 0, drawn.err
        assert abs(len(pd.read_csv(f"{given}.csv")) - len(table)) < 60
    refused = world.fit("--engine", "abacus", out="none")
    assert (refused.code, "engine" in refused.err) == (2, True)
    assert world.fit("--query", "SELECT 1", out="none").code == 2
    assert not (world.folder / "none").exists()
