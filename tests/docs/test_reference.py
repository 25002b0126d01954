"""The reference of the command line is the program's own, and the codes are the documented ones."""

import re
import runpy
from pathlib import Path

import dpsynth
from dpsynth import errors
from dpsynth.cli.exits import Exit

ROOT = Path(dpsynth.__file__).parent.parent
PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "cli_reference.py"))
PROMISED = """
    schema-draft schema-check schema-import schema-confirm plan release sample audit certify verify
    report ledger-show ledger-init ledger-verify keys-new keys-show demo doctor fit
    bench-run bench-compare bench-table evaluate
"""


def test_every_command_and_option_is_described():
    assert TOOL["renewed"](PAGE) == PAGE, "run: .venv/bin/python tools/cli_reference.py --write"


def test_every_promised_command_is_there():
    there = set(re.findall(r"^### dpsynth (.+)$", PAGE, re.MULTILINE))
    assert {name.replace("-", " ") for name in PROMISED.split()} <= there
    assert {"bench peers install", "bench peers list"} <= there


def test_every_command_has_json_and_every_option_a_meaning():
    for section in PAGE.split("\n### ")[1:]:
        assert "`--json`" in section, section.splitlines()[0]
        meanings = re.findall(r"^\| `[^|]+` \|[^|]*\| (.*) \|$", section, re.MULTILINE)
        assert meanings
        assert all(meaning.endswith((".", ")")) for meaning in meanings)


def test_every_exit_code_is_described_and_no_other():
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert described == {int(code) for code in Exit}


def test_every_error_has_a_documented_code():
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.DpsynthError)
    }
    assert codes <= {int(code) for code in Exit}
