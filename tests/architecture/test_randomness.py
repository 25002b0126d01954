"""Privacy noise has one source."""

import ast
from pathlib import Path

import dpsynth.privacy

KERNEL = Path(dpsynth.privacy.__file__).parent
ALLOWED = KERNEL / "randomness.py"
# The ledger's names and key are secrets of the custodian, not noise: they touch no answer.
NOT_NOISE = {"ledger.py": {"secrets.token_hex", "secrets.token_bytes"}}
GENERATORS = ("np.random", "numpy.random", "os.urandom", "os.getrandom", "secrets.", "random.")


def uses(path: Path) -> list[tuple[int, str]]:
    """Return line and text of everything in a file that could make random numbers."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if text.startswith(GENERATORS):
                found.append((node.lineno, text))
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found += [(node.lineno, name) for name in names if name in {"random", "numpy.random"}]
        elif isinstance(node, ast.ImportFrom) and node.module in {
            "random",
            "numpy.random",
            "secrets",
        }:
            found.append((node.lineno, f"from {node.module}"))
    return found


def test_only_one_module_of_the_kernel_makes_generators():
    offenders = [
        f"{path.name}:{line}: {text}"
        for path in sorted(KERNEL.rglob("*.py"))
        if path != ALLOWED
        for line, text in uses(path)
        if text not in NOT_NOISE.get(path.name, set())
    ]
    assert not offenders, "\n".join(offenders)


def test_that_module_does_make_them():
    assert any(text.startswith("os.urandom") for _, text in uses(ALLOWED))


def test_no_module_uses_a_global_generator():
    root = Path(dpsynth.__file__).parent.parent
    globals_of_numpy = {
        "default_rng",
        "Generator",
        "Philox",
        "PCG64",
        "SeedSequence",
        "BitGenerator",
    }
    # It runs in the peer's own environment, and that peer draws from the global state alone.
    peers = {"runner_anonymeter.py"}
    offenders = [
        f"{path.relative_to(root)}:{line}: {text}"
        for package in ("dpsynth", "attacks")
        for path in sorted((root / package).rglob("*.py"))
        if path.name not in peers
        for line, text in uses(path)
        if text.startswith(("random.", "from random"))
        or (
            text.startswith(("np.random.", "numpy.random."))
            and text.split(".")[2].partition("(")[0] not in globals_of_numpy
        )
    ]
    assert not offenders, "\n".join(offenders)
