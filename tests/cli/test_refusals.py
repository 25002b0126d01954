"""Every refusal: one sentence, the documented code, nothing written and nothing spent."""

import json
import os

import pytest


def refused(world, done, code, *words):
    """Assert a refusal in one sentence that left the world as it was."""
    assert done.code == code, done.err
    said = [line for line in done.err.splitlines() if line.startswith("dpsynth: ")]
    assert len(said) == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in said[0], said[0]
    assert done.out == ""
    shown = world.run("ledger", "show", world.ledger, "--json").json
    assert shown["entries"] == []
    assert not [name for name in world.names() if name.startswith((".", "release", "model"))]


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan", "inf", "one", "", "1e999999999", "1/0", "١"])
@pytest.mark.parametrize("command", ["release", "fit"])
def test_an_epsilon_that_is_no_number_above_zero(world, command, epsilon):
    done = getattr(world, command)(epsilon=epsilon)
    refused(world, done, 2, "--epsilon must be a number above 0")


@pytest.mark.parametrize("delta", ["1", "2", "-1e-9", "nan", "inf", "1e-9x"])
def test_a_delta_outside_its_range(world, delta):
    refused(world, world.release(delta=delta), 2, "--delta must be a number from 0 to below 1")


@pytest.mark.parametrize("command", ["release", "fit"])
def test_delta_0_asked_of_a_method_that_adds_gaussian_noise(world, command):
    done = getattr(world, command)(delta="0", synthesizer="mst")
    refused(world, done, 2, "mst adds Gaussian noise", "independent")


@pytest.mark.parametrize("control", ["1", "-0.1", "nan", "half"])
def test_a_control_share_outside_its_range(world, control):
    refused(world, world.release("--control", control), 2, "--control must be a share")


@pytest.mark.parametrize("command", ["release", "fit"])
def test_a_missing_ledger_names_the_command_to_type(world, command):
    missing = world.folder / "none.sqlite"
    done = getattr(world, command)(ledger=missing)
    typed = f"dpsynth ledger init {missing} --cap-epsilon E --cap-delta D"
    refused(world, done, 3, typed)
    assert not missing.exists()


def test_a_budget_that_the_cap_does_not_allow(world):
    refused(world, world.release(epsilon="3"), 3, "No row was read")


def test_an_unknown_synthesizer(world):
    refused(world, world.release(synthesizer="magic"), 2, "'magic'", "mst")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rare_below", "--set takes NAME=VALUE"),
        ("=3", "--set takes NAME=VALUE"),
        ("magic=3", "mst has no setting 'magic'"),
        ("rare_below=-3", "rare_below must be above 0"),
        ("one_way_share=x", "'one_way_share' of mst must be an exact number"),
    ],
)
@pytest.mark.parametrize("command", ["release", "fit"])
def test_a_setting_that_cannot_be(world, command, setting, words):
    done = getattr(world, command)("--set", setting, synthesizer="mst")
    refused(world, done, 2, words)


def test_a_setting_given_twice(world):
    done = world.release("--set", "rare_below=1", "--set", "rare_below=2")
    refused(world, done, 2, "--set names 'rare_below' twice")


def test_an_unknown_option(world):
    refused(world, world.release("--fast"), 2, "--fast", "dpsynth release --help")


def test_an_option_left_out(world):
    done = world.run("release", world.table, "--schema", world.schema)
    refused(world, done, 2, "issing option", "dpsynth release --help")


def test_an_unknown_command(world):
    refused(world, world.run("relase"), 2, "relase")


@pytest.mark.parametrize("command", ["release", "fit"])
def test_an_output_that_exists(world, command):
    (world.folder / "there").mkdir()
    done = getattr(world, command)(out="there")
    refused(world, done, 2, "exists already")
    assert list((world.folder / "there").iterdir()) == []


def header(text):
    return (text + "\n1,f,true\n").encode()


UNFIT = {
    "missing.csv": header("age,sex"),
    "twice.csv": header("age,age,ill"),
    "extra.csv": b"age,sex,ill,name\n1,f,true,x\n",
    "ragged.csv": b"age,sex,ill\n1,f\n",
    "latin.csv": "age,sex,ill\n1,é,true\n".encode("latin-1"),
    "empty.csv": b"",
    "cut.parquet": b"PAR1\x15\x04",
    "table.xlsx": b"PK",
}


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("command", ["release", "fit"])
def test_a_table_that_is_structurally_unfit(world, command, name):
    table = world.folder / name
    table.write_bytes(UNFIT[name])
    refused(world, getattr(world, command)(table=table), 4)


def test_a_table_that_is_not_there(world):
    refused(world, world.release(table=world.folder / "none.csv"), 4, "none.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("columns = [", "not valid TOML"),
        ("[[columns]]\nname='a'\nkind='colour'", "categorical"),
        ("[[columns]]\nname='sex'\nkind='categorical'", "values"),
    ],
)
def test_a_schema_that_is_unfit(world, text, words):
    schema = world.folder / "bad.toml"
    schema.write_text(text, encoding="utf-8")
    refused(world, world.release(schema=schema), 4, words)


def test_a_schema_with_a_key_that_does_not_exist(world):
    text = world.schema.read_text(encoding="utf-8")
    world.schema.write_text(text.replace("target =", "targets ="), encoding="utf-8")
    refused(world, world.release(), 4, "targets")


def test_a_guess_is_never_used(world):
    drafted = world.folder / "draft.toml"
    assert world.run("schema", "draft", world.table, "--out", drafted).code == 0
    refused(world, world.release(schema=drafted), 4, "guessed")
    refused(world, world.fit(schema=drafted), 4, "guessed")


def test_a_key_that_is_none(world):
    key = world.folder / "no.pem"
    key.write_text("no key", encoding="utf-8")
    key.chmod(0o600)
    refused(world, world.release(key=key), 2, "no.pem")


def test_a_policy_that_does_not_exist(world):
    refused(world, world.release("--policy", "lenient"), 2, "lenient")


@pytest.mark.parametrize("arguments", [["--epsilon", "0"], ["--fast"], []])
def test_with_json_the_refusal_is_json_too(world, arguments):
    words = ["--schema", world.schema, "--synthesizer", "mst", "--delta", "1e-9", *arguments]
    done = world.run("plan", *words, "--json")
    assert done.code == 2
    assert done.json["exit_code"] == 2
    assert f"dpsynth: {done.json['error']}\n" in done.err


def test_an_interrupt_ends_with_130(world, monkeypatch):
    import dpsynth.release.pipeline

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dpsynth.release.pipeline, "make_release", stop)
    done = world.release("--json")
    assert done.code == 130
    assert done.json["exit_code"] == 130
    assert "stays charged" in done.err


def test_a_bug_never_shows_what_its_message_says(world, monkeypatch):
    import dpsynth.release.pipeline

    def fail(*_, **__):
        raise ValueError("could not convert string to float: 'Mrs Smith'")

    monkeypatch.setattr(dpsynth.release.pipeline, "make_release", fail)
    done = world.release("--json")
    assert done.code == 70
    assert "ValueError" in done.err
    assert "Smith" not in done.err + done.out
    monkeypatch.setenv("DPSYNTH_DEBUG", "1")
    assert "Smith" in world.release().err


def test_a_disk_that_refuses_ends_with_6(world, monkeypatch):
    import dpsynth.release.pipeline

    def fail(*_, **__):
        raise OSError(28, os.strerror(28), "release")

    monkeypatch.setattr(dpsynth.release.pipeline, "make_release", fail)
    done = world.release()
    assert done.code == 6
    assert os.strerror(28) in done.err


@pytest.mark.parametrize("arguments", [[], ["ledger"], ["schema"], ["keys"]])
def test_no_arguments_print_the_help(run, arguments):
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: dpsynth")


def test_the_version_is_printed(run):
    import dpsynth

    assert run("--version").out == f"dpsynth {dpsynth.__version__}\n"


def test_errors_of_every_kind_are_json(world):
    for done in (
        world.run("ledger", "show", world.folder / "none.sqlite", "--json"),
        world.run("schema", "check", world.folder / "none.toml", "--json"),
        world.run("verify", world.folder, "--json"),
        world.run("sample", world.folder, "--out", world.folder / "s.csv", "--json"),
        world.run("report", world.folder, "--json"),
        world.run("keys", "show", world.folder / "none.pem", "--json"),
    ):
        assert done.code in (2, 3, 4, 5)
        assert set(json.loads(done.out)) == {"error", "kind", "exit_code"}
        assert done.json["exit_code"] == done.code
