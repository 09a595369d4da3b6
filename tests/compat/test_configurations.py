"""Configurations have the attributes of transformers', and go through files in both directions."""

import copy
import json
import pickle

import pytest
import torch
import transformers as hf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import ROOT

import gatonegro
from gatonegro import AutoConfig, AutoModel, AutoModelForSequenceClassification
from gatonegro.errors import ConfigError, OptionError
from gatonegro.families import FAMILIES

NAMES = [type(hf.AutoConfig.for_model(family)).__name__ for family in FAMILIES]
SMALL = {
    "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 60, "pad_token_id": 1,
    "decoder_start_token_id": 2, "bos_token_id": 0, "eos_token_id": 2, "forced_eos_token_id": 2,
    "num_decoder_layers": 3, "decoder_attention_heads": 4,
}  # fmt: skip
ABSENT = {"transformers_version", "_name_or_path"}  # from to_dict
# of transformers' objects: what belongs to its hub, its kernels, its remote code, and parts that no text family has
UNUSED = {
    "allow_global_per_layer_attribute_access", "base_config_key", "convert_rope_params_to_dict",
    "default_config_fields",
    "default_rope_type", "default_theta", "dict_dtype_to_str", "extra_config_files", "extra_files", "get_mtp_config",
    "ignore_keys_at_rope_validation", "is_custom_code", "is_heterogeneous", "is_remote_code",
    "keys_to_ignore_at_inference",
    "nested_rope_parameter_keys", "per_layer_attributes", "per_layer_config", "push_to_hub", "register_for_auto_class",
    "rope_scaling", "serialize_explicit_per_layer_config", "standardize_rope_params", "sub_configs",
    "sub_configs_defaults", "transformers_version", "get_config_dict", "update_from_string", "get_text_config",
}  # fmt: skip


def both(name, **values):
    return getattr(gatonegro, name)(**values), getattr(hf, name)(**values)


def same(ours, theirs):
    ours, theirs = ({k: v for k, v in x.to_dict().items() if k not in ABSENT} for x in (ours, theirs))
    assert ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_attributes_are_those_of_transformers(name):
    for values in ({}, SMALL, {"num_labels": 5, "dtype": "float32"}, {"id2label": {"0": "no"}, "label2id": {"no": 0}}):
        ours, theirs = both(name, **values)
        same(ours, theirs)
        for key in dir(theirs):
            if not key.startswith(("_", "validate", "base_model_")) and key not in UNUSED:
                value = getattr(theirs, key)
                assert hasattr(ours, key), key
                if not callable(value) and key != "attribute_map":
                    assert getattr(ours, key) == value and type(getattr(ours, key)) is type(value), key
        assert {**theirs.attribute_map, **ours.attribute_map} == ours.attribute_map
        diff = {key: value for key, value in theirs.to_diff_dict().items() if key not in ABSENT}
        assert ours.to_diff_dict() == diff


@pytest.mark.parametrize("name", NAMES)
def test_each_attribute_can_be_set(name):
    numbers = {int: 36, float: 0.25}
    ours, theirs = both(name)
    for key, value in theirs.to_dict().items():
        if key in ABSENT or key not in ours.to_dict() or type(value) not in numbers or key in ours.family.aliases:
            continue
        for config in (ours, theirs):
            setattr(config, key, numbers[type(value)])
        assert getattr(ours, key) == numbers[type(value)], key
        for first, second in theirs.attribute_map.items():
            assert getattr(ours, first) == getattr(ours, second) == getattr(theirs, first)
    if "decoder_vocab_size" in ours.family.aliases:
        theirs.decoder_vocab_size = theirs.vocab_size  # which follows in ours
    same(ours, theirs)
    ours.novel = theirs.novel = {"a": [1]}
    same(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_files_go_in_both_directions(name, tmp_path):
    ours, theirs = both(name, **SMALL, num_labels=4, problem_type="multi_label_classification", novel="ñ")
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    files = [json.loads((tmp_path / side / "config.json").read_text("utf-8")) for side in ("ours", "theirs")]
    assert files[0] == {key: value for key, value in files[1].items() if key not in ABSENT}
    for folder in ("ours", "theirs"):
        read = getattr(gatonegro, name).from_pretrained(tmp_path / folder)
        same(read, getattr(hf, name).from_pretrained(tmp_path / folder))
        assert read.num_labels == 4 and type(read) is type(AutoConfig.from_pretrained(tmp_path / folder))


keys = st.dictionaries(st.text(st.characters(categories=["Ll"]), min_size=9, max_size=12), st.integers() | st.text())
labels = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=6, unique=True)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=labels, keys=keys, heads=st.sampled_from([1, 2, 4]), size=st.sampled_from([8, 24, 64]),
    act=st.sampled_from(["gelu", "relu", "gelu_new"]), kind=st.sampled_from([None, "regression"]),
)  # fmt: skip
def test_values_come_back_from_files(name, tmp_path, labels, keys, heads, size, act, kind):
    sizes = {"num_attention_heads": heads, "decoder_attention_heads": heads, "hidden_size": size}
    config = getattr(gatonegro, name)(problem_type=kind, **sizes, **keys)
    config.id2label = dict(enumerate(labels))
    if "hidden_act" in config.family.config_keys:
        config.hidden_act = act
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    theirs = hf.AutoConfig.from_pretrained(tmp_path)
    assert again == config == copy.deepcopy(config) == pickle.loads(pickle.dumps(config))
    same(again, theirs)


def test_labels_stay_together():
    for config in both("BertConfig"):
        config.num_labels = 3
        assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
        config.id2label = {0: "no", 1: "sí"}
        config.label2id = {"no": 0, "sí": 1}
        config.num_labels = 2  # as many as there are
        assert config.id2label == {0: "no", 1: "sí"} and config.label2id == {"no": 0, "sí": 1}
        assert config.num_labels == 2


def test_a_change_of_a_model_is_saved_and_read(tmp_path):
    config = gatonegro.DistilBertConfig(dim=24, n_layers=1, n_heads=2, hidden_dim=30, vocab_size=50)
    model = AutoModelForSequenceClassification.from_config(config)
    assert model.head.dropout.p == config.seq_classif_dropout == 0.2  # the head's own
    model.config.seq_classif_dropout = 0.4
    model.config.id2label = {0: "no", 1: "sí"}
    model.config.problem_type = "multi_label_classification"
    model.save_pretrained(tmp_path)
    assert config.id2label != model.config.id2label  # a copy
    theirs = hf.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    for read in (again, theirs):
        assert read.config.seq_classif_dropout == 0.4 and read.config.id2label == {0: "no", 1: "sí"}
        assert read.config.problem_type == "multi_label_classification"
    assert again.head.dropout.p == 0.4 and again.config.dtype == theirs.config.dtype == torch.float32
    assert again.config.name_or_path == theirs.config.name_or_path == str(tmp_path)


def test_models_are_built_from_a_familys_class():
    for name, sizes in (("BertConfig", {}), ("T5Config", {"d_kv": 6}), ("GPT2Config", {}), ("MarianConfig", {})):
        ours, theirs = both(name, **{**SMALL, **sizes})
        made, reference = AutoModel.from_config(ours), hf.AutoModel.from_config(theirs)
        assert made.num_parameters() == reference.num_parameters() - (2 * 1024 * 24 if name == "MarianConfig" else 0)
    assert AutoConfig.for_model("bert", hidden_size=24) == gatonegro.BertConfig(hidden_size=24)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: gatonegro.PreTrainedConfig(), "BertConfig"),
        (lambda: gatonegro.BertConfig(hidden_size="wide"), "hidden_size"),
        (lambda: gatonegro.BertConfig(is_decoder=True), "is_decoder"),
        (lambda: setattr(gatonegro.BertConfig(), "hidden_size", 0), "hidden_size"),
        (lambda: setattr(gatonegro.BertConfig(), "num_labels", 0), "num_labels"),
        (lambda: setattr(gatonegro.BertConfig(), "id2label", 5), "id2label"),
        (lambda: setattr(gatonegro.BertConfig(), "pre_norm", True), "pre_norm cannot be changed in a BertConfig"),
        (lambda: setattr(gatonegro.T5Config(), "feed_forward_proj", "gated-no"), "feed_forward_proj"),
        (lambda: AutoModel.from_config(gatonegro.BertConfig(hidden_size=34)), "hidden_size 34"),
        (lambda: gatonegro.BertConfig(hidden_size=34).save_pretrained("nowhere"), "hidden_size 34"),
        (lambda: AutoConfig.for_model("llama"), "llama"),
    ],
)
def test_what_cannot_be_is_refused_by_name(action, message):
    with pytest.raises(ConfigError, match=message):
        action()


def test_a_dtype_of_a_file_is_a_dtype_or_text():
    assert gatonegro.BertConfig(torch_dtype="bfloat16").dtype is gatonegro.BertConfig(dtype=torch.bfloat16).dtype
    assert gatonegro.BertConfig(dtype="load").dtype == "load"  # no function of torch


def test_a_refused_change_changes_nothing():
    config = gatonegro.BartConfig()
    for name, value in (("d_model", -1), ("encoder_layers", "x"), ("scale_embedding", "x"), ("decoder_layers", 0)):
        with pytest.raises(ConfigError):
            setattr(config, name, value)
    assert config == gatonegro.BartConfig() and config.decoder.num_hidden_layers == 12


def test_a_class_refuses_another_familys_files(tmp_path):
    gatonegro.RobertaConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="RobertaConfig, not a BertConfig"):
        gatonegro.BertConfig.from_pretrained(tmp_path)
    config = gatonegro.PretrainedConfig.from_pretrained(tmp_path, hidden_dropout_prob=0.3, num_labels=4)
    assert type(config) is gatonegro.RobertaConfig and config.hidden_dropout_prob == 0.3 and config.num_labels == 4
    with pytest.raises(OptionError, match="novel"):
        AutoConfig.from_pretrained(tmp_path, novel=True)
    _, unused = AutoConfig.from_pretrained(tmp_path, return_unused_kwargs=True, novel=True, num_labels=4)
    assert unused == {"novel": True}


def test_a_copy_is_not_changed_with_its_original():
    config = gatonegro.T5Config()
    other = copy.deepcopy(config)
    config.d_model, config.num_layers = 64, 3
    assert (other.d_model, other.num_layers, other.decoder.hidden_size) == (512, 6, 512)
    assert (config.hidden_size, config.decoder.hidden_size, config.num_decoder_layers) == (64, 64, 6)
    assert config != other and other == gatonegro.T5Config()
    assert json.loads(config.to_json_string())["d_model"] == 64 and "T5Config {" in repr(config)


def test_the_table_of_defaults_is_that_of_transformers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import config_defaults

    assert json.loads(config_defaults.TARGET.read_text("utf-8")) == config_defaults.defaults()
