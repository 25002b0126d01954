"""What no module of ours does."""

import ast
from pathlib import Path

import pytest

import dpsynth

ROOT = Path(dpsynth.__file__).parent.parent
MODULES = sorted(
    path for package in ("dpsynth", "attacks") for path in (ROOT / package).rglob("*.py")
)
EXECUTING = {
    "eval", "exec", "compile", "__import__", "breakpoint",
    "pickle.load", "pickle.loads", "marshal.loads", "joblib.load", "torch.load",
    "yaml.load", "pd.read_pickle", "pandas.read_pickle", "shelve.open",
}  # fmt: skip
CLOCKS = ("datetime.now", "datetime.utcnow", "date.today", "time.time", "time.time_ns")
# A day, for people and for the order of events; never a time of day, and nowhere else.
DATED = {"dpsynth/privacy/ledger.py", "attacks/statement.py"}


def nodes(path):
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def calls(path):
    """Return every call of a file as (line, function, keywords)."""
    return [
        (node.lineno, ast.unparse(node.func), {word.arg: word.value for word in node.keywords})
        for node in nodes(path)
        if isinstance(node, ast.Call)
    ]


def imports(path):
    return {
        alias.name
        for node in nodes(path)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    } | {str(node.module) for node in nodes(path) if isinstance(node, ast.ImportFrom)}


def offenders(found):
    return [
        f"{path.relative_to(ROOT)}:{line}: {text}" for path in MODULES for line, text in found(path)
    ]


def test_there_is_something_to_look_at():
    assert len(MODULES) > 50


def test_nothing_executable_is_loaded():
    found = offenders(
        lambda path: [(line, name) for line, name, _ in calls(path) if name in EXECUTING]
    )
    assert not found, "\n".join(found)
    pickling = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
    assert not [path for path in MODULES if imports(path) & pickling]


def test_numpy_never_unpickles():
    found = offenders(
        lambda path: [
            (line, name)
            for line, name, words in calls(path)
            if name in {"np.load", "numpy.load"}
            and ast.unparse(words.get("allow_pickle", ast.Constant(None))) != "False"
        ]
    )
    assert not found, "\n".join(found)


def test_no_module_patches_another():
    """Planted bugs may patch internals one day, in attacks.mutants alone and in a subprocess."""
    assert not [
        path for path in MODULES if imports(path) & {"unittest.mock", "mock", "forbiddenfruit"}
    ]
    found = []
    for path in MODULES:
        if "mutants" in path.parts:
            continue
        modules = {
            (alias.asname or alias.name).split(".")[0]
            for node in nodes(path)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        for node in nodes(path):
            targets = node.targets if isinstance(node, ast.Assign) else []
            found += [
                f"{path.relative_to(ROOT)}:{target.lineno}: {ast.unparse(target)}"
                for target in targets
                if isinstance(target, ast.Attribute)
                and isinstance(target.value, ast.Name)
                and target.value.id in modules
                and ast.unparse(target) != "tempfile.tempdir"  # a setting, documented as one
            ]
    assert not found, "\n".join(found)


def test_the_day_is_read_in_two_places_only():
    found = {
        str(path.relative_to(ROOT))
        for path in MODULES
        for _, name, _ in calls(path)
        if name.endswith(CLOCKS)
    }
    assert found == DATED


def test_those_places_keep_the_day_only():
    for name in DATED:
        texts = [
            ast.unparse(node)
            for node in nodes(ROOT / name)
            if isinstance(node, ast.Return) and "datetime.now" in ast.unparse(node)
        ]
        assert texts == ["return datetime.now(UTC).date().isoformat()"]


@pytest.mark.parametrize("room", ["dpsynth/release", "dpsynth/models", "attacks/report"])
def test_no_duration_or_machine_name_reaches_a_public_file(room):
    measured = (
        "perf_counter",
        "monotonic",
        "process_time",
        "gethostname",
        "getuser",
        "uname",
        "node",
    )
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in MODULES
        if str(path.relative_to(ROOT)).startswith(room)
        for line, name, _ in calls(path)
        if name.split(".")[0] in {"time", "socket", "platform", "getpass", "os"}
        and name.endswith(measured)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedYet"])
def test_nothing_is_left_to_do(word):
    assert not [path for path in MODULES if word in path.read_text(encoding="utf-8")]


def test_every_silenced_type_error_says_which_and_why():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if "# type: ignore" in line and "]  # " not in line
    ]
    assert not found, "\n".join(found)
