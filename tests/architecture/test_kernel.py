"""The kernel can be audited in a day: small, and standing on little."""

import ast
import sys
import tokenize
from io import StringIO
from pathlib import Path

import dpsynth.privacy

KERNEL = Path(dpsynth.privacy.__file__).parent
MOST_LINES = 2_000  # of code: docs/adr/0011
MOST_LINES_OF_TRAINING = 1_500  # of dpsgd/, counted apart
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
THIRD_PARTY = {"numpy", "scipy"}
FOR_TRAINING = {
    "cryptography",
    "dpsynth.layers",
    "opacus",
    "torch",
}  # nothing else knows them
OURS = ("dpsynth._validate", "dpsynth.domain", "dpsynth.errors", "dpsynth.privacy")


def imported(path: Path) -> set[str]:
    """Return every module that a file imports, also inside functions and for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "dpsynth":
                found |= {f"dpsynth.{alias.name}" for alias in node.names}
            else:
                found.add(str(node.module))
    return found


def _root(name: str) -> str:
    return ".".join(name.split(".")[: 1 + name.startswith("dpsynth.")])


def lines_of_code(text: str) -> int:
    """Count the physical lines that hold more than a comment, a docstring or nothing."""
    held: set[int] = set()
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type not in NO_CODE:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            held.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(held)


def test_a_line_of_code_is_what_a_reader_audits():
    text = '''"""A module.

Two lines more.
"""

# a comment

TEXT = """counted,

all three of it"""


def f(a,  # a comment beside code
      b):
    """Say nothing."""
    # no code

    return (
        a
    )  # counted
'''
    assert lines_of_code(text) == 3 + 2 + 3


def test_it_is_small():
    for found, most in (
        (KERNEL.glob("*.py"), MOST_LINES),
        ((KERNEL / "dpsgd").rglob("*.py"), MOST_LINES_OF_TRAINING),
    ):
        counted = {path.name: lines_of_code(path.read_text(encoding="utf-8")) for path in found}
        assert sum(counted.values()) < most, counted


def test_nothing_of_the_kernel_escapes_the_count():
    assert {path.name for path in KERNEL.iterdir() if path.is_dir()} <= {"dpsgd", "__pycache__"}


def test_it_stands_on_little():
    offenders = [
        f"{path.name}: {name}"
        for path in sorted(KERNEL.rglob("*.py"))
        for name in sorted(imported(path))
        if name.split(".")[0] not in sys.stdlib_module_names | THIRD_PARTY
        and not name.startswith(OURS)
        and not (path.parent.name == "dpsgd" and _root(name) in FOR_TRAINING)
    ]
    assert not offenders, "\n".join(offenders)


def test_layers_stand_on_torch_alone():
    found = {name.split(".")[0] for name in imported(KERNEL.parent / "layers.py")}
    assert found - set(sys.stdlib_module_names) == {"torch"}


def test_its_floor_stands_on_nothing_of_ours_above():
    root = KERNEL.parent
    for name in ("domain.py", "errors.py"):
        assert {found.split(".")[0] for found in imported(root / name)} <= sys.stdlib_module_names
