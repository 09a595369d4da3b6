"""Reading weights: safetensors and pickles that others wrote, shards, damage, hub caches."""

import json
import runpy

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


@pytest.mark.parametrize("name", ATTACKS["ATTACKS"])
def test_attack(tmp_path, name):
    attack = ATTACKS["ATTACKS"][name]
    folder = ATTACKS["make"](name, tmp_path)
    with pytest.raises(CheckpointError, match=attack.message) as caught:
        load(folder, allow_pickle=attack.allow_pickle)
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
    try:
        assert all(isinstance(t, torch.Tensor) for t in load(folder, allow_pickle=True).values())
    except CheckpointError as error:
        assert str(folder) in str(error)


@pytest.mark.parametrize("size", ["5GB", 10_000, 1])
def test_round_trip(tmp_path, size):
    write(tmp_path / "new" / "folder", state(), max_shard_size=size)
    assert same(load(tmp_path / "new" / "folder"), state())
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


def test_pickles_are_read_on_request(tmp_path):
    torch.save(state(), tmp_path / "pytorch_model.bin")
    assert same(load(tmp_path, allow_pickle=True), state())
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "a.bin")
    index = {"weight_map": dict.fromkeys(state(), "a.bin")}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert same(load(tmp_path, allow_pickle=True), state())
    with pytest.raises(errors.PickleRefusedError, match=r"from_pretrained\('.*', allow_pickle=True\)"):
        load(tmp_path)
    write(tmp_path, {"w": torch.ones(2)})
    assert list(load(tmp_path)) == ["w"]  # safetensors go first


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


def test_tensors_are_mapped_not_copied(tmp_path):
    write(tmp_path, {"w": torch.ones(1000)})
    tensors = load(tmp_path)
    with (tmp_path / SAFE_WEIGHTS_NAME).open("r+b") as file:  # which no one should do, but it tells
        file.seek(-4, 2)
        file.write(torch.tensor([7.0]).numpy().tobytes())
    assert tensors["w"][-1] == 7


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
