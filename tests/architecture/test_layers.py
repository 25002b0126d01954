"""Who may import whom, beside the contracts of .importlinter: no exceptions by laziness."""

import ast
from pathlib import Path

import pytest

import dpsynth

ROOT = Path(dpsynth.__file__).parent.parent


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def names(path: Path) -> set[str]:
    """Return every module name that a file mentions to an importer, static or dynamic."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {part.value for part in node.args if isinstance(part, ast.Constant)}
    return found


def reach(package: str, *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(package)
        for name in sorted(names(path))
        if any(name == target or name.startswith(f"{target}.") for target in forbidden)
    ]


def test_the_engine_never_imports_the_attacks():
    assert not reach("dpsynth", "attacks")


@pytest.mark.parametrize("room", ["privacy", "synthesizers", "models", "sources"])
def test_an_attack_uses_the_engine_as_any_user_could(room):
    assert not reach("attacks", f"dpsynth.{room}")


def test_only_commands_of_the_attacks_know_the_command_line():
    assert {found.split(":")[0] for found in reach("attacks", "dpsynth.cli")} == {"attacks/cli.py"}


def test_a_model_never_sees_the_kernel():
    assert not reach("dpsynth/models", "dpsynth.privacy", "dpsynth.sources")


OPTIONAL = {
    "causaldata", "diffprivlib", "dp_accounting", "opacus", "pyreadstat", "pyspark", "safetensors",
    "sklearn", "torch",
}  # fmt: skip
# Whoever needs torch imports one of these, inside a function.
ROOMS_OF_TORCH = ("dpsynth/privacy/dpsgd/", "dpsynth/models/neural/", "dpsynth/layers.py")


@pytest.mark.parametrize("package", ["dpsynth", "attacks"])
def test_optional_packages_are_imported_inside_functions(package):
    offenders = []
    for path in modules(package):
        place = str(path.relative_to(ROOT))
        allowed = {"torch"} if place.startswith(ROOMS_OF_TORCH) else set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                mentioned = {word.split(".")[0] for word in ast.unparse(node).split()}
                offenders += [f"{place}: {name}" for name in mentioned & OPTIONAL - allowed]
    assert not offenders, "\n".join(offenders)
