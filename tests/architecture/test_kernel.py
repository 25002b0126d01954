"""The kernel can be audited in a day: small, and standing on little."""

import ast
import sys
from pathlib import Path

import dpsynth.privacy

KERNEL = Path(dpsynth.privacy.__file__).parent
MOST_LINES = 2_000
THIRD_PARTY = {"numpy", "scipy"}
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


def test_it_is_small():
    counted = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in sorted(KERNEL.rglob("*.py"))
    }
    assert sum(counted.values()) < MOST_LINES, counted


def test_it_stands_on_little():
    offenders = [
        f"{path.name}: {name}"
        for path in sorted(KERNEL.rglob("*.py"))
        for name in sorted(imported(path))
        if name.split(".")[0] not in sys.stdlib_module_names | THIRD_PARTY
        and not name.startswith(OURS)
    ]
    assert not offenders, "\n".join(offenders)


def test_its_floor_stands_on_nothing_of_ours_above():
    root = KERNEL.parent
    for name in ("domain.py", "errors.py"):
        assert {found.split(".")[0] for found in imported(root / name)} <= sys.stdlib_module_names
