"""Reading weights: safetensors and pickles that others wrote, shards, damage, hub caches."""

import json
import math
import runpy
import struct
import sys

import hypothesis.strategies as st
import pytest
import torch
from compare import load, names, same, state
from hypothesis import given, settings
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small import ROOT

from gatonegro import checkpoints, errors, hub
from gatonegro.checkpoints import (
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    read,
    write,
)
from gatonegro.errors import CheckpointError

ATTACKS = runpy.run_path(str(ROOT / "attacks" / "make.py"))


@pytest.mark.parametrize("framework", ["pt", "np"])
@pytest.mark.parametrize("name", ATTACKS["ATTACKS"])
def test_attack(tmp_path, name, framework):
    attack = ATTACKS["ATTACKS"][name]
    folder = ATTACKS["make"](name, tmp_path)
    with pytest.raises(CheckpointError, match=attack.message) as caught:
        load(folder, framework, allow_pickle=attack.allow_pickle)
    assert type(caught.value) is getattr(errors, attack.error)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert not (folder / "exploded").exists()


def test_attacks_as_a_program(tmp_path, capsys):
    ATTACKS["main"]([])
    assert "pickle-bomb" in capsys.readouterr().out
    ATTACKS["main"]([str(tmp_path), "nan", "hole"])
    assert names(tmp_path) == {"nan", "hole"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_is_an_error_or_other_numbers(tmp_path_factory, data):
    """A file with flipped or missing bytes is read, or refused with an error of ours."""
    folder = tmp_path_factory.mktemp("damage")
    pickled = data.draw(st.booleans())
    file = folder / (checkpoints.PICKLED_WEIGHTS_NAME if pickled else SAFE_WEIGHTS_NAME)
    if pickled:
        torch.save({"w": torch.ones(3), "v": torch.ones(2, 2)}, file)
    else:
        save_file({"w": torch.ones(3), "v": torch.ones(2, 2)}, file)
    body = bytearray(file.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[place] = data.draw(st.integers(0, 255))
    file.write_bytes(body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body)
    found = []
    for framework in ("pt", "np"):
        try:
            found.append(load(folder, framework, allow_pickle=True))
        except CheckpointError as error:
            assert str(folder) in str(error)
            found.append(str(error))
    assert found[0] == found[1] if isinstance(found[0], str) else same(*found)


@pytest.mark.parametrize("framework", ["pt", "np"])
@pytest.mark.parametrize("size", ["5GB", 10_000, 1])
def test_round_trip(tmp_path, size, framework):
    write(tmp_path / "new" / "folder", state(), max_shard_size=size)
    assert same(load(tmp_path / "new" / "folder", framework), state())
    saved = names(tmp_path / "new" / "folder")
    assert (
        saved == {SAFE_WEIGHTS_NAME}
        if size == "5GB"
        else SAFE_WEIGHTS_INDEX_NAME in saved and len(saved) == {10_000: 3, 1: 7}[size]
    )


def test_safetensors_reads_what_we_wrote(tmp_path):
    write(tmp_path, state(), metadata={"note": "ñ"})
    assert same(load_file(tmp_path / SAFE_WEIGHTS_NAME), state())
    with safe_open(tmp_path / SAFE_WEIGHTS_NAME, "pt") as file:
        assert file.metadata() == {"format": "pt", "note": "ñ"}


def test_we_read_what_safetensors_wrote(tmp_path):
    save_file(state(), tmp_path / SAFE_WEIGHTS_NAME)
    assert same(load(tmp_path), state())


@pytest.mark.parametrize("framework", ["pt", "np"])
def test_pickles_are_read_on_request(tmp_path, framework):
    torch.save(state(), tmp_path / "pytorch_model.bin")
    assert same(load(tmp_path, framework, allow_pickle=True), state())
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "a.bin")
    index = {"weight_map": dict.fromkeys(state(), "a.bin")}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert same(load(tmp_path, framework, allow_pickle=True), state())
    with pytest.raises(errors.PickleRefusedError, match=r"from_pretrained\('.*', allow_pickle=True\)"):
        load(tmp_path, framework)
    write(tmp_path, {"w": torch.ones(2)})
    assert list(load(tmp_path, framework)) == ["w"]  # safetensors go first


def test_pickles_need_torch(tmp_path, monkeypatch):
    torch.save(state(), tmp_path / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(errors.MissingExtraError, match=r"pip install 'gatonegro\[torch\]'"):
        read(hub.locate(tmp_path), "np", allow_pickle=True)


@pytest.fixture(scope="module")
def bert():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    return transformers.BertModel(config).eval()


@pytest.mark.slow
@pytest.mark.parametrize("size", ["5GB", "10KB"])
def test_with_transformers(tmp_path, bert, size):
    """Each reads the other's files, single and sharded."""
    bert.save_pretrained(tmp_path / "theirs", max_shard_size=size)
    assert same(load(tmp_path / "theirs"), dict(sorted(bert.state_dict().items())))
    assert (SAFE_WEIGHTS_INDEX_NAME in names(tmp_path / "theirs")) == (size == "10KB")
    write(tmp_path / "ours", load(tmp_path / "theirs"), max_shard_size=size)
    bert.config.save_pretrained(tmp_path / "ours")
    again = type(bert).from_pretrained(tmp_path / "ours")
    assert same(again.state_dict(), bert.state_dict())


def test_views_ties_and_gradients(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    tied = {
        "a": torch.nn.Parameter(whole),
        "b": whole,
        "part": whole[1],
        "turned": whole.T,
        "spread": torch.ones(1).expand(3, 2),
    }
    write(tmp_path, tied)
    assert same(load(tmp_path), {name: tensor.detach() for name, tensor in sorted(tied.items())})


@pytest.mark.parametrize("framework", ["pt", "np"])
def test_tensors_are_mapped_not_copied(tmp_path, framework):
    write(tmp_path, {"w": torch.ones(1000)})
    tensors = read(hub.locate(tmp_path), framework)
    with (tmp_path / SAFE_WEIGHTS_NAME).open("r+b") as file:  # which no one should do, but it tells
        file.seek(-4, 2)
        file.write(torch.tensor([7.0]).numpy().tobytes())
    assert tensors["w"][-1] == 7
    if framework == "np":
        assert not tensors["w"].flags.writeable


@pytest.mark.parametrize("framework", ["pt", "np"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("number", [math.nan, -math.inf])
def test_one_number_that_is_none_is_found_wherever_it_is(tmp_path, framework, dtype, number):
    tensor = torch.full((600, 1000), torch.finfo(dtype).max, dtype=dtype)  # whose sum is infinite, but no term
    save_file({"w": tensor}, tmp_path / SAFE_WEIGHTS_NAME)
    assert same(load(tmp_path, framework), {"w": tensor})
    tensor[-1, -1] = number
    save_file({"w": tensor}, tmp_path / SAFE_WEIGHTS_NAME)
    with pytest.raises(CheckpointError, match="'w' holds NaN or infinity"):
        load(tmp_path, framework)


def test_arrays_at_odd_places_are_aligned(tmp_path):
    """The format allows tensors at any byte."""
    header = {"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}
    header["w"] = {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]}
    head = json.dumps(header).encode()
    body = len(head).to_bytes(8, "little") + head + b"\x01" + struct.pack("<2f", 1.5, -2)
    (tmp_path / SAFE_WEIGHTS_NAME).write_bytes(body)
    array = read(hub.locate(tmp_path), "np")["w"]
    assert array.flags.aligned and array.tolist() == [1.5, -2]


def test_a_sound_file_that_does_not_fit_into_memory_is_not_called_damaged(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("unable to mmap 37336878 bytes from file <model.safetensors>: Cannot allocate memory (12)")

    write(tmp_path, state())
    monkeypatch.setattr("gatonegro.checkpoints.reading.safe_open", refuse)
    with pytest.raises(MemoryError):
        load(tmp_path)
    (tmp_path / SAFE_WEIGHTS_NAME).write_bytes(b"x")
    with pytest.raises(CheckpointError):
        load(tmp_path)


@pytest.mark.parametrize("framework", ["pt", "np"])
def test_a_file_that_is_replaced_while_it_is_opened(tmp_path, monkeypatch, framework):
    def replace(path, framework):
        write(tmp_path, {"w": torch.ones(2)})
        return safe_open(path, framework)

    write(tmp_path, {"w": torch.zeros(2)})
    monkeypatch.setattr("gatonegro.checkpoints.reading.safe_open", replace)
    with pytest.raises(CheckpointError, match="is of another save"):
        load(tmp_path, framework)


def test_from_a_hub_cache(tmp_path, monkeypatch):
    """Shards are requested from the source one by one, by name."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    root = tmp_path / "models--alguien--modelo"
    write(root / "snapshots" / ("a" * 40), state(), max_shard_size=9000)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("a" * 40)
    source = hub.locate("alguien/modelo", local_files_only=True)
    assert same(read(source), state())
    for path in (root / "snapshots" / ("a" * 40)).glob("*.safetensors"):
        path.unlink()
    with pytest.raises(CheckpointError, match=r"model-00001-of-00002\.safetensors', which is not there"):
        read(hub.locate("alguien/modelo", local_files_only=True))
