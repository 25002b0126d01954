"""The manual runs from top to bottom and prints what it shows: README, tutorials, how-tos, attacks.

A ``python`` block runs; a ``text`` block after it is what it printed. A ``console`` block holds
commands of the program after ``$``, each followed by what it prints, with ``...`` for anything; it
ends with code 0 unless the fence says ``exit=N``. A fence with a file name is that file.
"""

import doctest
import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import dpsynth
from dpsynth.cli.app import main

ROOT = Path(dpsynth.__file__).parent.parent
FENCE = re.compile(
    r"^```(?P<kind>\w+)(?P<more>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
GUIDES = [
    ROOT / "README.md",
    ROOT / "docs/explanation/attacks.md",
    ROOT / "docs/explanation/how-we-know.md",
    *ROOT.glob("docs/tutorials/*.md"),
    *ROOT.glob("docs/how-to/*.md"),
]
PAGES = sorted(str(path.relative_to(ROOT)) for path in GUIDES)
NEEDS = {
    "docs/how-to/train-a-generator.md": ("torch", "safetensors"),
    "docs/how-to/release-from-a-database.md": ("sqlalchemy",),
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def same(wanted, got):
    return doctest.OutputChecker().check_output(wanted.strip() + "\n", got.strip() + "\n", FLAGS)


def commands(body):
    """Yield each command of a console block with what it should print."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, wanted = part.partition("\n")
        yield shlex.split(line), wanted


def test_the_manual_has_pages_that_run():
    assert {"README.md", "docs/tutorials/first-release.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capfd):
    for package in NEEDS.get(page, ()):
        pytest.importorskip(package, reason=f"{page} needs {package}: see its extra")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DPSYNTH_HOME", str(tmp_path / "home"))
    namespace, printed = {}, ""
    for block in FENCE.finditer((ROOT / page).read_text(encoding="utf-8")):
        kind, more, body = block["kind"], block["more"].strip(), block["body"]
        if kind == "python":
            said = io.StringIO()
            with redirect_stdout(said):
                exec(compile(body, page, "exec"), namespace)
            printed = said.getvalue()
        elif kind == "text":
            assert same(body, printed), printed
        elif kind == "console":
            wanted_code = int(more.removeprefix("exit=") or 0)
            for words, wanted in commands(body):
                assert words[0] == "dpsynth"
                capfd.readouterr()
                code = main(words[1:])
                said = capfd.readouterr()
                assert code == wanted_code, said.err
                assert same(wanted or "...", said.out or "\n"), said.out
        elif more:
            (tmp_path / more).write_text(body, encoding="utf-8")


def test_the_readme_says_the_two_commands_and_shows_the_report():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
    assert (ROOT / "docs/images/report.png").is_file()
    example = next(block["body"] for block in FENCE.finditer(text) if block["kind"] == "python")
    assert len(example.strip().splitlines()) <= 12


@pytest.mark.parametrize(
    "page",
    sorted(str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]),
)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [found.split("#")[0] for found in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [
        target
        for target in targets
        if target
        and not target.startswith(("http", "mailto"))
        and not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert not missing
