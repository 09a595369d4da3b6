"""Bounds on what a file names, on its size and depth, and on the messages that quote it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
import small_checkpoints
import torch
from hypothesis import HealthCheck, given, settings
from safetensors.torch import load_file, save_file

from gatonegro import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, checkpoints, hub, storage
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, InputError, TokenizerError
from gatonegro.families import load_config
from gatonegro.i18n import MAX_MESSAGE, Message

MIB = 2**20


@pytest.fixture
def folder(tiny, tmp_path):
    """A copy of the tiny classifier that a test may damage."""
    for path in tiny.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def change(folder, name="config.json", **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values))
    return folder


@pytest.mark.case("S5")
@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": 2**31 - 1},
        {"hidden_size": 2**31 - 4},
        {"num_attention_heads": 2**31 - 1, "hidden_size": 2**31 - 1},
        {"intermediate_size": 2**31 - 1},
        {"intermediate_size": 2**24, "hidden_size": 2**20},
        {"type_vocab_size": 2**31 - 1},
        {"num_hidden_layers": 9_999},
        {"num_hidden_layers": 40},
        {"vocab_size": 2**28, "hidden_size": 2**20},
    ],
    ids=str,
)
def test_a_model_much_larger_than_its_weights(folder, values):
    with pytest.raises((ConfigError, CheckpointError)):
        AutoModelForSequenceClassification.from_pretrained(change(folder, **values))


@pytest.mark.case("S5")
@pytest.mark.parametrize("positions", [2**31 - 1, 2**24])
def test_positions_that_are_computed(positions):
    """Marian's are in no weight file, so that nothing else would contradict their number."""
    from gatonegro.families import family_of
    from gatonegro.families.configuration import read_config

    data = small_checkpoints.CONFIGS["marian"] | {"vocab_size": 99, "pad_token_id": 98}
    read_config(family_of("marian"), data)
    with pytest.raises(ConfigError, match="max_position_embeddings"):
        read_config(family_of("marian"), data | {"max_position_embeddings": positions})


@pytest.mark.case("S5")
@pytest.mark.parametrize("count", [10**9, -1, 2**64, "1000000000", [1], 1e9, True])
def test_extra_ids_without_end(tmp_path, count):
    small_checkpoints.t5_files(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)("hola").input_ids
    change(tmp_path, "tokenizer_config.json", extra_ids=count)
    with pytest.raises(TokenizerError, match="extra_ids must be a whole number from 0 to 10000"):
        AutoTokenizer.from_pretrained(tmp_path)


@pytest.mark.case("S5")
@pytest.mark.parametrize(
    ("name", "mib", "error"),
    [
        ("config.json", 17, GatonegroError),
        ("tokenizer_config.json", 17, TokenizerError),
        ("special_tokens_map.json", 17, TokenizerError),
        ("added_tokens.json", 17, TokenizerError),
        ("tokenizer.json", 257, TokenizerError),
        ("vocab.txt", 300, TokenizerError),
        ("model.safetensors.index.json", 65, CheckpointError),
    ],
)
def test_files_that_are_too_large_to_read_whole(folder, name, mib, error):
    if name.startswith("model"):
        (folder / "model.safetensors").unlink()
    with (folder / name).open("wb") as file:
        file.truncate(mib * MIB)  # takes no space on the disk
    with pytest.raises(error, match=f"has {mib} MiB; a file of its kind may have at most") as caught:
        AutoTokenizer.from_pretrained(folder)
        AutoModelForSequenceClassification.from_pretrained(folder)
    assert f"tiene {mib} MiB" in caught.value.in_("es")


def test_sizes_are_bounded_by_the_end_of_a_name(tmp_path):
    limits = storage.MAX_FILE_BYTES
    assert list(limits)[-1] == "" and min(limits.values()) == limits[""]
    with (tmp_path / "source.spm").open("wb") as file:
        file.truncate(20 * MIB)
    assert len(storage.read_bytes(tmp_path / "source.spm", TokenizerError)) == 20 * MIB


@pytest.mark.case("S5")
def test_an_index_of_too_many_shards(folder, monkeypatch):
    (folder / "model.safetensors").unlink()
    files = {f"w{i}": f"model-{i}.safetensors" for i in range(9)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    monkeypatch.setattr(checkpoints.reading, "MAX_SHARDS", 8)
    with pytest.raises(CheckpointError, match="names 9 weight files, more than 8"):
        AutoModelForSequenceClassification.from_pretrained(folder)


def nested(depth, kind):
    return json.loads(('{"a":' * depth + "1" + "}" * depth) if kind is dict else "[" * depth + "]" * depth)


@pytest.mark.case("S6")
@pytest.mark.parametrize("kind", [dict, list])
@pytest.mark.parametrize("depth", [65, 492, 900])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "added_tokens.json"])
def test_values_nested_too_deep(folder, kind, depth, name):
    path = folder / name
    data = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(data | {"deep": nested(depth, kind)}))
    with pytest.raises(GatonegroError, match=rf"{name}: is not valid JSON"):
        AutoTokenizer.from_pretrained(folder)
        AutoModelForSequenceClassification.from_pretrained(folder)


@pytest.mark.case("S6")
def test_values_nested_as_deep_as_is_read_can_be_copied(folder):
    config = load_config(hub.locate(change(folder, deep=nested(60, dict))))
    assert config.extra["deep"] == nested(60, dict)
    AutoModelForSequenceClassification.from_pretrained(folder).optimize().save_pretrained(folder)


LONG = "ñ" * 10**7


@pytest.mark.case("S11")
@pytest.mark.parametrize(
    "values",
    [
        {"hidden_act": LONG},
        {"model_type": LONG},
        {"vocab_size": LONG},
        {"architectures": LONG},
        {"problem_type": LONG},
        {"position_embedding_type": LONG},
        {"id2label": {LONG: "a"}},
        {"num_labels": LONG, "id2label": None},
        {"pad_token_id": [LONG]},
    ],
    ids=lambda values: next(iter(values)),
)
def test_no_message_quotes_a_whole_long_value(folder, values, monkeypatch):
    monkeypatch.setitem(storage.MAX_FILE_BYTES, "", 10**9)
    with pytest.raises(GatonegroError) as error:
        AutoModelForSequenceClassification.from_pretrained(change(folder, **values))
    for lang in ("en", "es"):
        assert len(error.value.in_(lang)) <= MAX_MESSAGE + 100
        assert "ñ" * 600 not in error.value.in_(lang)


@pytest.mark.case("S11")
@pytest.mark.parametrize(
    "work",
    [
        lambda folder: AutoTokenizer.from_pretrained(folder, padding_side=LONG),
        lambda folder: AutoTokenizer.from_pretrained(LONG),
        lambda folder: AutoTokenizer.from_pretrained(folder)("hola", padding=LONG),
        lambda folder: AutoTokenizer.from_pretrained(folder)("hola", return_tensors=LONG),
        lambda folder: AutoTokenizer.from_pretrained(folder).add_special_tokens({LONG: "a"}),
        lambda folder: setattr(AutoTokenizer.from_pretrained(folder), "pad_token", LONG),
        lambda folder: AutoModelForSequenceClassification.from_pretrained(folder, dtype=LONG),
        lambda folder: AutoModelForSequenceClassification.from_pretrained(folder).optimize(LONG),
        lambda folder: AutoModelForSequenceClassification.from_pretrained(folder).save_pretrained(
            folder, max_shard_size=LONG
        ),
    ],
)
def test_no_message_quotes_a_users_whole_long_value(folder, work):
    with pytest.raises(GatonegroError) as error:
        work(folder)
    assert len(str(error.value)) < 1000


@pytest.mark.case("S11")
def test_names_of_tensors_and_the_ends_of_messages(folder):
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors | {"x" * 10**6: torch.ones(1)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError) as error:
        AutoModelForSequenceClassification.from_pretrained(folder)
    assert len(str(error.value)) < MAX_MESSAGE + 100
    long = InputError("a" * 10**6 + "; do this.")
    assert len(str(long)) <= MAX_MESSAGE + 1 and str(long).endswith("aaa; do this.")
    assert len(Message("{x} {x!r}", "{x}").format(x="y" * 10**6).en) < 1100


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=6,
)
CONFIG_KEYS = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
    "max_position_embeddings", "type_vocab_size", "id2label", "num_labels", "pad_token_id", "architectures",
    "layer_norm_eps", "problem_type", "gatonegro_save_id", "gatonegro_preprocess",
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(CONFIG_KEYS), JSON_VALUES, min_size=1, max_size=3))
def test_damaged_configs_load_or_are_refused_by_name(tiny, folder, values):
    (folder / "config.json").write_bytes((tiny / "config.json").read_bytes())
    try:
        AutoModelForSequenceClassification.from_pretrained(change(folder, **values))
    except GatonegroError as error:
        assert len(str(error)) < MAX_MESSAGE + 100


TOKENIZER_KEYS = (
    "model_max_length", "padding_side", "truncation_side", "extra_ids", "added_tokens_decoder", "model_input_names",
    "additional_special_tokens", "extra_special_tokens", "pad_token", "unk_token", "tokenizer_class", "do_lower_case",
    "clean_up_tokenization_spaces", "strip_accents",
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(TOKENIZER_KEYS), JSON_VALUES, min_size=1, max_size=3))
def test_damaged_tokenizer_configs_load_or_are_refused_by_name(tiny, folder, values):
    (folder / "tokenizer_config.json").write_bytes((tiny / "tokenizer_config.json").read_bytes())
    try:
        tokenizer = AutoTokenizer.from_pretrained(change(folder, "tokenizer_config.json", **values))
        tokenizer(["hola gato", "el"], padding=True, truncation=True)
    except GatonegroError as error:
        assert len(str(error)) < MAX_MESSAGE + 100


@pytest.mark.case("S10")
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
@pytest.mark.parametrize("kind", ["marian", "t5", "gpt2", "bert"])
def test_a_file_that_may_not_be_read(kind, tiny, tmp_path, monkeypatch):
    """For root, who may read everything, the system's answer is simulated."""
    if kind == "bert":
        (tmp_path / "vocab.txt").write_bytes((tiny / "vocab.txt").read_bytes())
    else:
        small_checkpoints.TOKENIZERS[kind](tmp_path)
    read = Path.read_bytes
    for path in sorted(tmp_path.iterdir()):

        def denied(self, name=path.name):
            if self.name == name:
                raise PermissionError(13, "Permission denied", str(self))
            return read(self)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", denied)
            with pytest.raises(TokenizerError, match=rf"{path.name}: cannot be read \(Permission denied\)") as error:
                AutoTokenizer.from_pretrained(tmp_path)
        assert "damaged" not in str(error.value) and "dañado" not in error.value.in_("es")


@pytest.mark.case("S10")
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "vocab.txt"])
def test_a_disk_that_cannot_be_read(folder, name, monkeypatch):
    read = Path.read_bytes

    def broken(self):
        if self.name == name:
            raise OSError(5, "Input/output error", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", broken)
    with pytest.raises(GatonegroError, match=r"cannot be read \(Input/output error\)") as error:
        AutoTokenizer.from_pretrained(folder)
    assert "damaged" not in str(error.value)


@pytest.mark.slow
@pytest.mark.case("S5")
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept only by Linux")
def test_a_hostile_count_takes_no_memory(folder):
    """In 6 GB of address space, PyTorch's own included, each is refused and none ends the process."""
    code = (
        "import resource, sys, json; from pathlib import Path\n"
        "from gatonegro import AutoModelForSequenceClassification as Auto\n"
        "from gatonegro.errors import GatonegroError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (6 * 10**9, 6 * 10**9))\n"
        "path = Path(sys.argv[1], 'config.json'); data = json.loads(path.read_text())\n"
        "for key in ('vocab_size', 'hidden_size', 'intermediate_size', 'max_position_embeddings', 'type_vocab_size'):\n"
        "    for value in (2**16, 2**20, 2**24, 2**28, 2**31 - 4):\n"
        "        path.write_text(json.dumps(data | {key: value}))\n"
        "        try: Auto.from_pretrained(path.parent); print('loaded', key, value)\n"
        "        except GatonegroError: pass\n"
        "print('end')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr[-2000:]


def test_the_configuration_alone_needs_no_weights(folder):
    (folder / "model.safetensors").unlink()
    assert AutoConfig.from_pretrained(folder).num_labels == 3
