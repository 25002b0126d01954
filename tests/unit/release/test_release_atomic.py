"""Either the whole thing or nothing that anyone would read."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from dpsynth.errors import UnfitEnvironmentError, UsageError
from dpsynth.release import atomic


def test_a_folder_gets_its_name_only_when_the_block_ends_well(tmp_path):
    target = tmp_path / "a" / "b"
    with atomic.folder(target, mode=0o700) as building:
        (building / "x").write_text("1")
        assert building.parent == target.parent
        assert not target.exists()
    assert (target / "x").read_text() == "1"
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert [path.name for path in target.parent.iterdir()] == ["b"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path, error):
    def build():
        with atomic.folder(tmp_path / "out") as building:
            (building / "x").write_text("1")
            raise error

    with pytest.raises(error):
        build()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_nothing_is_overwritten(tmp_path, kind):
    target = tmp_path / "out"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists already"), atomic.folder(target):
        pass
    assert os.path.lexists(target)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path):
    target = tmp_path / "out"

    def build():
        with atomic.folder(target):
            target.mkdir()
            (target / "theirs").write_text("1")

    with pytest.raises(UsageError, match="exists already"):
        build()
    assert [path.name for path in target.iterdir()] == ["theirs"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "x"
    atomic.write_bytes(path, b"old")
    atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.iterdir()] == ["x"]


def test_a_refusing_disk_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnfitEnvironmentError, match="cannot"):
        atomic.write_bytes(tmp_path / "nowhere" / "x", b"")
    with pytest.raises(UnfitEnvironmentError, match="cannot"), atomic.folder(tmp_path / "file/out"):
        pass


def test_a_kill_leaves_no_folder_by_that_name(tmp_path):
    program = (
        "import sys, time, pathlib\n"
        "from dpsynth.release import atomic\n"
        "with atomic.folder(pathlib.Path(sys.argv[1])) as building:\n"
        "    (building / 'x').write_text('1')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    target = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(target)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert not target.exists()
