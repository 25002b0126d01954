"""Every file that is missing, extra or changed is named."""

import os

import pytest

from dpsynth.errors import IntegrityError
from dpsynth.release import canonical, manifest


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "f"
    (found / "sub").mkdir(parents=True)
    (found / "a.txt").write_text("a")
    (found / "sub" / "b.txt").write_text("b")
    manifest.write(found)
    return found


def test_an_intact_folder_lists_every_file(folder):
    assert list(manifest.check(folder)) == ["a.txt", "sub/b.txt"]


def test_an_inner_manifest_is_a_file_like_any_other(folder):
    manifest.write(folder / "sub")
    with pytest.raises(IntegrityError, match=r"'sub/manifest\.json' is not listed"):
        manifest.check(folder)
    manifest.write(folder)
    assert "sub/manifest.json" in manifest.check(folder)


def test_every_difference_is_named_at_once(folder):
    (folder / "a.txt").write_text("A")
    (folder / "sub" / "b.txt").rename(folder / "sub" / "c.txt")
    with pytest.raises(IntegrityError) as caught:
        manifest.check(folder)
    for part in (
        "'sub/b.txt' is missing",
        "'sub/c.txt' is not listed",
        "'a.txt' was changed",
    ):
        assert part in str(caught.value)


def test_a_folder_without_manifest_is_unfinished(folder):
    (folder / manifest.NAME).unlink()
    with pytest.raises(IntegrityError, match="unfinished"):
        manifest.check(folder)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "sub/../a.txt", "..\\a.txt", "a.txt/"]
)
def test_a_name_that_leaves_the_folder_is_never_followed(folder, name, monkeypatch):
    files = manifest.digests(folder)
    (folder / manifest.NAME).write_bytes(manifest.render({**files, name: "0" * 64}))
    opened = []
    real = manifest.digest
    monkeypatch.setattr(manifest, "digest", lambda path: opened.append(path) or real(path))
    with pytest.raises(IntegrityError, match="is missing"):
        manifest.check(folder)
    assert sorted(opened) == [folder / "a.txt", folder / "sub" / "b.txt"]


def test_links_devices_and_empty_folders_are_refused(folder):
    (folder / "link").symlink_to(folder / "a.txt")
    with pytest.raises(IntegrityError, match="'link'"):
        manifest.check(folder)
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(IntegrityError, match="'pipe'"):
        manifest.check(folder)
    (folder / "pipe").unlink()
    (folder / "empty").mkdir()
    with pytest.raises(IntegrityError, match="'empty/'"):
        manifest.check(folder)


def test_a_linked_folder_is_refused(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.txt").write_text("b")
    (folder / "sub" / "b.txt").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="'sub'"):
        manifest.check(folder)


def test_a_deep_or_crowded_folder_is_refused(folder, monkeypatch):
    deep = folder.joinpath(*["d"] * 30)
    deep.mkdir(parents=True)
    (deep / "x").write_text("")
    with pytest.raises(IntegrityError, match="deeper"):
        manifest.check(folder)
    monkeypatch.setattr(manifest, "MOST_FILES", 1)
    monkeypatch.setattr(manifest, "DEEPEST_FOLDER", 100)
    with pytest.raises(IntegrityError, match="more files"):
        manifest.check(folder)


@pytest.mark.parametrize("content", [b"[]", b'{"files":[]}', b"{", b"\xff", b'{"files":{"a":1}}'])
def test_a_malformed_manifest_is_an_integrity_error(folder, content):
    (folder / manifest.NAME).write_bytes(content)
    with pytest.raises(IntegrityError):
        manifest.check(folder)


def test_another_format_is_refused(folder):
    data = canonical.dumps({"format": "dpsynth-manifest/2", "files": manifest.digests(folder)})
    (folder / manifest.NAME).write_bytes(data)
    with pytest.raises(IntegrityError, match=r"manifest\.json of f was changed"):
        manifest.check(folder)


def test_a_folder_in_place_of_a_file(folder):
    (folder / "a.txt").unlink()
    (folder / "a.txt").mkdir()
    (folder / "a.txt" / "x").write_text("")
    with pytest.raises(IntegrityError, match=r"'a\.txt' is missing"):
        manifest.check(folder)
    (folder / manifest.NAME).unlink()
    (folder / manifest.NAME).mkdir()
    (folder / manifest.NAME / "x").write_text("")
    with pytest.raises(IntegrityError, match="unfinished"):
        manifest.check(folder)
