"""Writing weights: saving over themselves, kills at any step, full disks, refused tensors."""

import gc
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import COUNTED
from compare import load, names, same, state
from safetensors import SafetensorError

from gatonegro import checkpoints
from gatonegro.checkpoints import (
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    write,
)
from gatonegro.errors import CheckpointError, OptionError
from gatonegro.storage import write_text


@pytest.mark.parametrize("sizes", [(50_000, 50_000), (50_000, 9000), (9000, 50_000), (9000, 9000), (9000, 16_000)])
def test_into_the_folder_it_was_read_from(tmp_path, sizes):
    write(tmp_path, state(1), max_shard_size=sizes[0])
    mapped = load(tmp_path)
    changed = {name: tensor + 1 for name, tensor in mapped.items() if name != "scalar"} | {"scalar": mapped["scalar"]}
    write(tmp_path, changed, max_shard_size=sizes[1])
    assert same(load(tmp_path), changed)
    assert torch.equal(mapped["dense.weight"], state(1)["dense.weight"])  # the old one is still mapped
    if sizes[1] == 50_000:
        assert names(tmp_path) == {SAFE_WEIGHTS_NAME}
    else:
        index = json.loads((tmp_path / SAFE_WEIGHTS_INDEX_NAME).read_text())
        assert names(tmp_path) == {SAFE_WEIGHTS_INDEX_NAME, *index["weight_map"].values()}
        assert index["metadata"]["total_size"] == sum(t.nbytes for t in changed.values())


def test_three_times(tmp_path):
    """Names of shards alternate, and no old shard remains."""
    for seed in range(3):
        write(tmp_path, state(seed), max_shard_size=9000)
        assert same(load(tmp_path), state(seed))
        assert len(names(tmp_path)) == 3


def test_others_may_read_what_is_written(tmp_path):
    (tmp_path / "plain").touch()
    write(tmp_path, state(), max_shard_size=9000)
    mode = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {mode}


def test_leftovers_of_long_ago(tmp_path):
    old, new = (tmp_path / f".model.safetensors.0123456{i}.gatonegro" for i in (1, 2))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    write(tmp_path, state())
    assert names(tmp_path) == {SAFE_WEIGHTS_NAME, new.name}  # another process may be writing that one


KILLED = (
    """
import os, signal, sys, torch
from pathlib import Path
from gatonegro import checkpoints
from gatonegro.hub import locate

torch.set_num_threads(1)  # threads do not live through a fork
made = torch.Generator().manual_seed(1)
new = {name: torch.randn(8, 8, generator=made) for name in "abcd"}
old = {name: tensor + 1 for name, tensor in new.items()}

"""
    + COUNTED
    + """
def die_at(step, folder, size):
    global left
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    left = step
    Path.replace, Path.unlink = counted(Path.replace), counted(Path.unlink)
    checkpoints.writing.save_file = counted(checkpoints.writing.save_file)
    checkpoints.write(folder, new, max_shard_size=size)
    os._exit(0)

def what(folder):
    found = checkpoints.read(locate(folder))
    return next((name for name, state in (("old", old), ("new", new))
                 if found.keys() == state.keys() and all(torch.equal(found[n], state[n]) for n in state)), "broken")

for before in (9999, 512):
    for after in (9999, 512):
        for step in range(99):
            folder = Path(sys.argv[1]) / f"{before}-{after}-{step}"
            checkpoints.write(folder, old, max_shard_size=before)
            whole = die_at(step, folder, after)
            print(before, after, step, what(folder))
            checkpoints.write(folder, new, max_shard_size=after)  # what the dead one left is no hindrance
            assert what(folder) == "new"
            if whole:
                break
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals")
def test_killed_at_any_step(tmp_path):
    """A process killed before each write, replacement and removal leaves the complete old or new checkpoint."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs: dict[tuple, list[str]] = {}
    for line in done.stdout.splitlines():
        before, after, _, loaded = line.split()
        runs.setdefault((before, after), []).append(loaded)
    assert len(runs) == 4
    for loaded in runs.values():
        assert len(loaded) > 3 and set(loaded) == {"old", "new"}
        assert loaded == sorted(loaded, reverse=True)  # one step turns the old into the new


def test_disk_full(tmp_path, monkeypatch):
    write(tmp_path, state())

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoints.writing, "save_file", full)
    with pytest.raises(CheckpointError, match=r"No space left.*disk may be full.*still whole"):
        write(tmp_path, state(1))
    assert names(tmp_path) == {SAFE_WEIGHTS_NAME} and same(load(tmp_path), state())


def test_file_that_is_held_open(tmp_path, monkeypatch):
    """On Windows, a mapped file can be neither replaced nor removed; simulated."""
    write(tmp_path, state())

    def held(self, *_, **__):
        raise PermissionError(13, "The process cannot access the file", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", held)
        with pytest.raises(CheckpointError, match=r"Windows.*write to another folder"):
            write(tmp_path, state(1))
    assert same(load(tmp_path), state())
    unlink = Path.unlink
    write(tmp_path, state(), max_shard_size=9000)
    with monkeypatch.context() as patch:  # the old shards cannot be removed: no harm done
        patch.setattr(Path, "unlink", lambda p, **k: unlink(p, **k) if p.suffix == ".gatonegro" else held(p))
        write(tmp_path, state(2))
        assert same(load(tmp_path), state(2))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="nothing here says which files are mapped")
def test_saving_over_what_was_loaded_where_mapped_files_cannot_be_replaced(tmp_path, monkeypatch):
    """On Windows, loaded tensors are copied, so that the file is not mapped; simulated."""
    replace = Path.replace

    def refuse_if_mapped(self, target):
        if str(target) in Path("/proc/self/maps").read_text():
            raise PermissionError(13, "The process cannot access the file", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_if_mapped)
    write(tmp_path, state())
    mapped = load(tmp_path)
    with pytest.raises(CheckpointError, match="Windows"):
        write(tmp_path, mapped)
    monkeypatch.setattr(checkpoints.reading, "COPY_MAPPED_TENSORS", True)
    del mapped
    gc.collect()
    copied = load(tmp_path)
    write(tmp_path, {name: tensor * 2 for name, tensor in copied.items()})
    assert torch.equal(load(tmp_path)["dense.weight"], 2 * copied["dense.weight"])


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        write(tmp_path / "file", state())
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_text(tmp_path / "file" / "config.json", "{}")


def test_what_is_not_written(tmp_path):
    write(tmp_path, state())
    for bad, text in (
        ({"w": torch.tensor([1.0, float("nan")])}, "'w' holds NaN"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "complex64"),
        ({}, "no tensor"),
    ):
        with pytest.raises(CheckpointError, match=text):
            write(tmp_path, bad)
    assert same(load(tmp_path), state())


def test_large_numbers_are_no_infinity(tmp_path):
    """Their sum is, in fp32."""
    write(tmp_path, {"w": torch.full((8,), 3e38), "d": torch.full((8,), 1e300, dtype=torch.float64)})
    assert load(tmp_path)["w"][0] == 3e38


@pytest.mark.parametrize(("size", "many"), [(300, 1), ("300", 1), ("0.3KB", 1), ("1 kib", 3), ("2GiB", 4), ("1MB", 4)])
def test_sizes(tmp_path, size, many):
    write(tmp_path, {name: torch.ones(75) for name in "abcd"}, max_shard_size=size)
    shards = list(tmp_path.glob("*.safetensors"))
    assert len(shards) == -(-4 // many)


@pytest.mark.parametrize("size", [0, -1, "many", "5TB?", None, True, "1.2.3MB"])
def test_sizes_that_are_none(tmp_path, size):
    with pytest.raises(OptionError, match="max_shard_size"):
        write(tmp_path, state(), max_shard_size=size)


def test_write_text(tmp_path):
    write_text(tmp_path / "deep" / "config.json", '{"ñ": 1}\n')
    write_text(tmp_path / "deep" / "config.json", '{"ñ": 2}\n')
    assert (tmp_path / "deep" / "config.json").read_bytes() == '{"ñ": 2}\n'.encode()
    assert names(tmp_path / "deep") == {"config.json"}
