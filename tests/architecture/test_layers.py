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
    # Planted bugs alone may know internals: they break them.
    found = reach("attacks", f"dpsynth.{room}")
    assert not [each for each in found if not each.startswith("attacks/mutants/")]


def test_only_commands_of_the_attacks_know_the_command_line():
    found = {path.split(":")[0] for path in reach("attacks", "dpsynth.cli")}
    # One of them runs the program as a user does.
    commands = {"attacks/cli.py", "attacks/conform.py", "attacks/mutants/cli.py"}
    assert found == {*commands, "attacks/conformance/whole.py"}


def test_a_model_never_sees_the_kernel():
    assert not reach("dpsynth/models", "dpsynth.privacy", "dpsynth.sources")


# Networks are classes of torch: these modules need it, and only functions import them.
TORCH_ROOMS = ("dpsynth.layers", "dpsynth.models.neural", "dpsynth.privacy.dpsgd")


def imported_at_once(path: Path) -> list[str]:
    """Return every module that importing a file imports, as far as its own lines say."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [str(node.module), *(f"{node.module}.{each.name}" for each in node.names)]
    return found


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("package", ["dpsynth", "attacks"])
def test_heavy_optional_packages_are_imported_inside_functions(package):
    heavy = {
        "causaldata", "diffprivlib", "dp_accounting", "imblearn", "opacus", "pyreadstat", "pyspark",
        "safetensors", "sklearn", "torch",
    }  # fmt: skip
    offenders = [
        f"{path}: {name}"
        for path in modules(package)
        for name in imported_at_once(path)
        if name.split(".")[0] in heavy - ({"torch"} if in_torch_room(path) else set())
    ]
    assert not offenders, "\n".join(offenders)


def in_torch_room(path: Path) -> bool:
    return within(module_of(path), TORCH_ROOMS)


def loads_torch() -> set[str]:
    """Return our modules whose import loads torch."""
    found = {
        module_of(path)
        for path in modules("dpsynth")
        if any(name.split(".")[0] == "torch" for name in imported_at_once(path))
    }
    known = {module_of(path): imported_at_once(path) for path in modules("dpsynth")}
    while more := {name for name, each in known.items() if name not in found and found & set(each)}:
        found |= more
    return found


def test_torch_is_loaded_by_its_rooms_alone():
    """So importing dpsynth, listing synthesizers, planning and the command line do not need it."""
    assert {"dpsynth.layers", "dpsynth.privacy.dpsgd.engines"} <= loads_torch()
    outside = [name for name in sorted(loads_torch()) if not within(name, TORCH_ROOMS)]
    assert not outside, "\n".join(outside)
