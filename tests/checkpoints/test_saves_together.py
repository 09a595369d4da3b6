"""A save is one whole: several processes in one folder, kills at any step, ids of a save, int8 elsewhere."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from commands import COUNTED
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, cli
from gatonegro.errors import CheckpointError, GatonegroError
from gatonegro.families.loading import copy_to

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals")
PROCESSES = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
from gatonegro import AutoModelForSequenceClassification as Auto
from gatonegro.errors import GatonegroError

torch.set_num_threads(1)  # threads do not live through a fork
tiny, folder = sys.argv[1], Path(sys.argv[2])
model = Auto.from_pretrained(tiny)
SIZES = (10**9, 30_000)  # one file, or shards

def save(k, size=10**9, **options):
    "Save a model whose weights and labels all say k."
    for parameter in model.parameters():
        parameter.data.fill_(k)
    model.config.id2label = {i: f"{k} {i}" for i in range(model.config.num_labels)}
    model.save_pretrained(folder, max_shard_size=size, **options)

def load():
    "Return what the weights and labels all say, a named error's class, or a mixture."
    try:
        found = Auto.from_pretrained(folder)
    except GatonegroError as error:
        return type(error).__name__
    says = {float(x) for t in found.state_dict().values() for x in t.unique().tolist()}
    says |= {float(label.split()[0]) for label in found.config.id2label.values()}
    return says.pop() if len(says) == 1 else f"mixture {says}"

def child(work):
    pid = os.fork()
    if pid:
        return pid
    work()
    os._exit(0)

def wait(pid):
    return os.waitpid(pid, 0)[1]
"""
SAVERS = """
count, times = int(sys.argv[3]), int(sys.argv[4])
def saver(n):
    for i in range(times):
        save(1 + n * times + i, SIZES[(n + i) % 2], int8=n == 2)
def reader():
    seen = [load() for _ in range(4 * times)]
    assert not [one for one in seen if isinstance(one, str) and one not in ("CheckpointError", "ConfigError")], seen
save(0)
assert load() == 0
children = [child(lambda n=n: saver(n)) for n in range(count)] + [child(reader), child(reader)]
assert [wait(pid) for pid in children] == [0] * len(children)
last = load()
assert isinstance(last, float) and last in {n * times + times for n in range(count)}, last
print(sorted(path.name for path in folder.iterdir() if ".gatonegro" in path.name or "lock" in path.name))
"""
KILLED = (
    """
from gatonegro import checkpoints
"""
    + COUNTED
    + """def dying(step, size, **options):
    global left
    left = step
    Path.replace, Path.unlink = counted(Path.replace), counted(Path.unlink)
    save(2, size, **options)
for before in SIZES:
    for after in SIZES:
        for idless, int8 in ((False, False), (True, True)):
            for step in range(99):
                save(1, before)
                if idless:
                    config = json.loads((folder / "config.json").read_text())
                    del config["gatonegro_save_id"]
                    (folder / "config.json").write_text(json.dumps(config))
                whole = wait(child(lambda: dying(step, after, int8=int8))) == 0
                print(before, after, idless, int8, step, load())
                save(3, after)  # what the dead one left is no hindrance
                assert load() == 3
                if whole:
                    break
"""
)
RANDOM_KILLS = """
started = time.perf_counter()
save(1, SIZES[1])
long = time.perf_counter() - started
for i in range(int(sys.argv[3])):
    pid = child(lambda: save(i + 2, SIZES[i % 2]))
    time.sleep(random.uniform(0, 1.5 * long))
    os.kill(pid, signal.SIGKILL)
    wait(pid)
    print(load())
"""


def run(code, tiny, folder, *more) -> list[str]:
    command = [sys.executable, "-c", PROCESSES + code, str(tiny), str(folder), *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_fork
@pytest.mark.slow
@pytest.mark.case("S1")
def test_savers_and_readers_at_once(tiny, tmp_path):
    """Four processes save one file, shards and int8 into a folder, and two read it."""
    assert run(SAVERS, tiny, tmp_path / "model", 4, 5) == ["[]"]


@needs_fork
@pytest.mark.slow
@pytest.mark.case("S2")
def test_killed_between_any_two_files(tiny, tmp_path):
    """What a killed save leaves loads as the old model or the new one, or is refused."""
    seen = [line.split(maxsplit=5)[-1] for line in run(KILLED, tiny, tmp_path / "model")]
    assert len(seen) > 40 and set(seen) == {"1.0", "2.0", "CheckpointError"}


@needs_fork
@pytest.mark.slow
@pytest.mark.case("S2")
def test_killed_at_any_time(tiny, tmp_path):
    seen = run(RANDOM_KILLS, tiny, tmp_path / "model", 24)
    assert len(seen) == 24 and not [one for one in seen if "mixture" in one]


def changed(folder, **values):
    path = folder / "config.json"
    data = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({name: value for name, value in data.items() if value is not None}))
    return folder


def saved(tiny, folder, **options):
    AutoModelForSequenceClassification.from_pretrained(tiny).save_pretrained(folder, **options)
    return folder


@pytest.mark.case("S2")
@pytest.mark.parametrize("size", [10**9, 30_000])
def test_config_and_weights_of_two_saves(tiny, tmp_path, size):
    first, second = (saved(tiny, tmp_path / name, max_shard_size=size) for name in "ab")
    (first / "config.json").write_bytes((second / "config.json").read_bytes())
    with pytest.raises(CheckpointError, match=r"another save than config.json") as error:
        AutoModelForSequenceClassification.from_pretrained(first)
    assert "otro guardado" in error.value.in_("es")
    assert cli.main(["convert", str(first), "-o", str(tmp_path / "out")]) == 1 and not (tmp_path / "out").exists()


@pytest.mark.case("S2")
def test_shards_of_two_saves(tiny, tmp_path):
    first, second = (saved(tiny, tmp_path / name, max_shard_size=30_000) for name in "ab")
    changed(first, gatonegro_save_id=None)
    shard = sorted(first.glob("model-*"))[-1]
    shard.write_bytes((second / shard.name).read_bytes())
    with pytest.raises(CheckpointError, match="another save"):
        AutoModelForSequenceClassification.from_pretrained(first)


@pytest.mark.parametrize("id", [None, 5, ["x"], {"a": 1}])
def test_a_config_without_an_id_or_edited_by_hand(tiny, tmp_path, id):
    folder = changed(saved(tiny, tmp_path / "a"), gatonegro_save_id=id, id2label={"0": "x", "1": "y", "2": "z"})
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.id2label[0] == "x"
    changed(saved(tiny, tmp_path / "b"), id2label={"0": "x", "1": "y", "2": "z"})
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path / "b").config.id2label[0] == "x"


def test_weights_without_an_id(tiny, tmp_path):
    folder = saved(tiny, tmp_path / "a")
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors")
    state = AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    assert sum(map(torch.Tensor.numel, state.values())) == sum(map(torch.Tensor.numel, tensors.values())) > 0


def test_each_save_has_an_id_of_its_own(tiny, tmp_path):
    ids = set()
    for _ in range(2):
        folder = saved(tiny, tmp_path / "a")
        with safe_open(folder / "model.safetensors", "pt") as file:
            ids.add(file.metadata()["gatonegro_save_id"])
        assert json.loads((folder / "config.json").read_text())["gatonegro_save_id"] in ids
    assert len(ids) == 2


@pytest.mark.slow
def test_transformers_reads_the_folder_and_saves_it_again(tiny, tmp_path):
    from transformers import AutoModelForSequenceClassification as Reference

    folder, again = saved(tiny, tmp_path / "a"), tmp_path / "again"
    theirs = Reference.from_pretrained(folder)
    theirs.save_pretrained(again)
    theirs.save_pretrained(folder)  # over ours
    ids = torch.tensor([[2, 30, 31, 3]])
    with torch.no_grad():
        wanted = theirs.eval()(ids).logits
        for each in (folder, again):
            torch.testing.assert_close(AutoModelForSequenceClassification.from_pretrained(each)(ids).logits, wanted)
    saved(again, again)  # and ours over theirs
    AutoModelForSequenceClassification.from_pretrained(again)


def test_only_what_the_old_index_names_is_tidied(tiny, tmp_path):
    folder = saved(tiny, tmp_path / "a", max_shard_size=30_000)
    mine = folder / "model-00001-of-00099.safetensors"
    mine.touch()
    saved(tiny, folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", mine.name}


@pytest.mark.slow
def test_int8_is_no_file_that_transformers_opens(make_folder, tmp_path):
    from transformers import AutoModelForSequenceClassification as Reference
    from transformers import BertForSequenceClassification

    wide = make_folder("sequence-classification", hidden_size=96, intermediate_size=192)
    folder = saved(wide, tmp_path / "a", int8=True)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.int8.safetensors"}
    for their in (Reference, BertForSequenceClassification):
        with pytest.raises(OSError, match=r"model\.safetensors"):
            their.from_pretrained(folder, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.stored_int8
    (folder / "model.int8.safetensors").rename(folder / "model.safetensors")  # its name in 0.1.0
    old = AutoModelForSequenceClassification.from_pretrained(folder)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), old.state_dict().values(), strict=True))
    saved(folder, folder, int8=True)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.int8.safetensors"}


@needs_fork
@pytest.mark.parametrize("work", ["tokenizer", "copy", "convert"])
def test_every_writer_waits_for_the_lock(tiny, tmp_path, work):
    import fcntl

    tokenizer, out = AutoTokenizer.from_pretrained(tiny), tmp_path / "out"
    out.mkdir()
    works = {
        "tokenizer": lambda: tokenizer.save_pretrained(out),
        "copy": lambda: copy_to(out, tiny),
        "convert": lambda: cli.main(["convert", str(tiny), "-o", str(out)]),
    }
    held = os.open(out, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    thread = threading.Thread(target=works[work])
    thread.start()
    thread.join(0.5)
    assert thread.is_alive() and not list(out.iterdir())
    os.close(held)
    thread.join()
    assert (out / ("tokenizer_config.json" if work == "tokenizer" else "config.json")).exists()


@pytest.mark.case("S1")
def test_a_copy_that_is_cut_short_is_no_model(tiny, tmp_path, monkeypatch):
    """Over an older copy too: weights and configuration of two models are never taken for one."""
    copy_to(tmp_path / "out", tiny)
    replace, left = Path.replace, [2]

    def die(self, to):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return replace(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            copy_to(tmp_path / "out", tiny)
    with pytest.raises(GatonegroError, match=r"no config\.json"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    copy_to(tmp_path / "out", tiny)
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
