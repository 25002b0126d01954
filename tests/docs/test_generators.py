"""The page of the generators shows what they are."""

import runpy
from pathlib import Path

import dpsynth
from dpsynth.synthesizers import registry

ROOT = Path(dpsynth.__file__).parent.parent
PAGE = (ROOT / "docs" / "reference" / "generators.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "generator_reference.py"))


def test_every_generator_is_shown_with_its_presets():
    assert TOOL["renewed"](PAGE) == PAGE, (
        "run: .venv/bin/python tools/generator_reference.py --write"
    )
    trained = [name for name in registry.BUILT_IN if getattr(registry.get(name), "trained", False)]
    assert trained
    assert all(f"\n## {name}\n" in PAGE for name in trained)
