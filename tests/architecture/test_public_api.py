"""The public names: complete, importable, documented, and nothing else."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import dpsynth

SOURCE = Path(dpsynth.__file__)


def test_all_is_what_can_be_had():
    assert sorted(set(dpsynth.__all__)) == sorted(dpsynth.__all__), "a name is listed twice"
    assert dir(dpsynth) == sorted(dpsynth.__all__)
    assert set(dpsynth._HOMES) == set(dpsynth.__all__) - {"__version__"}


def test_type_checkers_see_the_same_names():
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    shown = {
        (alias.name, node.module)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert shown == set(dpsynth._HOMES.items())


@pytest.mark.parametrize("name", sorted(dpsynth._HOMES))
def test_every_name_is_there_and_documented(name):
    found = getattr(dpsynth, name)
    assert getattr(import_module(dpsynth._HOMES[name]), name) is found
    assert (inspect.getdoc(found) or "").endswith((".", ")", "`", ":")) or inspect.getdoc(found)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'fit_predict'"):
        dpsynth.fit_predict  # noqa: B018


def test_the_version_is_the_distributions():
    import tomllib

    declared = tomllib.loads((SOURCE.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert dpsynth.__version__ == declared["project"]["version"]
