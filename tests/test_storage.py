"""Tests of atomic writes."""

import os
import stat
from pathlib import Path

import pytest

from gatonegro import storage
from gatonegro.errors import CheckpointError, InputError, OptionError, TokenizerError


def test_the_bytes_reach_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    steps = []
    replace, fsync = Path.replace, os.fsync

    def synced(file):
        steps.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        fsync(file)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("name"), replace(self, to))[1])
    storage.write_text(tmp_path / "new" / "a.json", "ñ\n")
    assert steps == (["file", "name"] if os.name == "nt" else ["file", "name", "folder"])
    assert (tmp_path / "new" / "a.json").read_bytes() == "ñ\n".encode()


def test_what_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path):
    storage.write_text(tmp_path / "a", "old")
    with pytest.raises(TokenizerError, match="cannot be written") as error, \
            storage.atomic_write(tmp_path / "a", TokenizerError) as beside:  # fmt: skip
        beside.write_text("half")
        raise OSError("No space left on device")
    assert "no se puede escribir (No space left" in error.value.in_("es")
    with pytest.raises(KeyboardInterrupt), storage.atomic_write(tmp_path / "a") as beside:
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_a_copy_is_the_file_that_a_link_points_to_and_never_itself(tmp_path):
    (tmp_path / "a").write_bytes(b"\0\xff")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with storage.replace_files(tmp_path / "new") as staging:
        staging.copy(tmp_path / "link")
    copy = tmp_path / "new" / "link"
    assert copy.read_bytes() == b"\0\xff" and not copy.is_symlink()
    (tmp_path / "new" / "a").symlink_to(tmp_path / "a")
    with pytest.raises(CheckpointError, match="the model itself"), storage.replace_files(tmp_path / "new") as staging:
        staging.copy(tmp_path / "a")


@pytest.mark.parametrize("name", [None, 7, "", "a\0b", b"x"])
def test_a_name_that_no_folder_has(name):
    for kind in (OptionError, InputError):
        with pytest.raises(kind, match="must be a path"):
            storage.output_folder(name, kind)


def test_a_path_that_cannot_be_encoded_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be written|surrogate"):
        storage.write_text(tmp_path / "\ud800" / "a.json", "x")


@pytest.mark.skipif(storage.fcntl is None, reason="the lock is another on Windows")
def test_a_save_removes_the_temporary_files_of_killed_saves(tmp_path):
    old, new, other = (
        tmp_path / name for name in (".a.json.0123abcd.gatonegro", ".a.json.0123abce.gatonegro", ".mine.0123abcd.tmp")
    )
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (0, 0))
    with storage.lock_folder(tmp_path):
        assert {*tmp_path.iterdir()} == {new, other}
