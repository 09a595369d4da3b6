"""Keywords of `from_pretrained` and `save_pretrained` of models and configurations do what they do in transformers."""

import json
import shutil

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from small_checkpoints import KINDS

import gatonegro
from gatonegro import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
)
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, OptionError

IDS = torch.tensor([[2, 7, 9, 11, 3]])


@pytest.fixture(scope="module")
def classifier(make_folder):
    return make_folder("sequence-classification")


@pytest.fixture(scope="module")
def bare(make_folder):
    return make_folder("pooler")


def logits(model):
    with torch.no_grad():
        out = model.eval()(input_ids=IDS)
    return out.logits if getattr(out, "logits", None) is not None else out.last_hidden_state


def both(head, *args, **options):
    """Return the models that transformers and this library load with the same arguments."""
    return (getattr(library, head).from_pretrained(*args, **options) for library in (hf, gatonegro))


@pytest.mark.parametrize(
    "options",
    [
        {"low_cpu_mem_usage": True},
        {"trust_remote_code": False},
        {"use_safetensors": True},
        {"force_download": True},
        {"token": False},
        {"ignore_mismatched_sizes": True},
        {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}, "num_labels": 3},
        {"problem_type": "multi_label_classification"},
        {"hidden_dropout_prob": 0.2, "layer_norm_eps": 1e-3},
        {"attn_implementation": "eager"},
        {"max_position_embeddings": 64},
    ],
    ids=str,
)
def test_a_keyword_changes_what_it_changes_in_transformers(classifier, options):
    theirs, ours = both("AutoModelForSequenceClassification", classifier, **options)
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-5, rtol=0)
    for name in ("id2label", "label2id", "num_labels", "problem_type", "hidden_dropout_prob"):
        assert getattr(ours.config, name) == getattr(theirs.config, name), name


def test_family_names_and_bert_names_both_change_the_configuration(folders):
    for name, value in (("n_positions", 20), ("max_position_embeddings", 20)):
        theirs, ours = both("AutoConfig", folders["gpt2"], **{name: value})
        assert ours.max_position_embeddings == theirs.n_positions == 20


@pytest.mark.parametrize("kind", KINDS)
def test_another_value_leaves_the_rest_of_a_configuration_as_it_is(folders, kind):
    plain, changed = (
        AutoConfig.from_pretrained(folders[kind]),
        AutoConfig.from_pretrained(folders[kind], use_cache=False),
    )
    assert changed.extra["use_cache"] is False
    assert changed.to_dict() == {**plain.to_dict(), "use_cache": False}
    assert plain.decoder is None or changed.decoder.replace(extra={}) == plain.decoder.replace(extra={})
    auto = AutoModelForCausalLM if kind == "gpt2" else AutoModelForSeq2SeqLM
    ids = torch.tensor([[5, 6, 7]])
    options = {} if kind == "gpt2" else {"decoder_input_ids": ids}
    first, second = (auto.from_pretrained(folders[kind], **more) for more in ({}, {"output_attentions": True}))
    assert torch.equal(first(ids, **options).logits, second(ids, **options).logits)


def test_names_of_no_key_are_refused_with_a_hint(classifier):
    with pytest.raises(OptionError, match=r"no argument hidden_dropout_pro\..*hidden_dropout_prob="):
        AutoModel.from_pretrained(classifier, hidden_dropout_pro=0.2)
    with pytest.raises(OptionError, match=r"no argument cachedir.*cache_dir="):
        AutoConfig.from_pretrained(classifier, cachedir="x")


def test_labels_that_contradict_each_other_are_refused(classifier):
    for options in (
        {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 1, "b": 0, "c": 2}},
        {"id2label": {0: "a", 1: "b", 2: "c"}, "num_labels": 2},
    ):
        with pytest.raises(ConfigError, match="must name the same labels"):
            AutoModelForSequenceClassification.from_pretrained(classifier, **options)


def test_parameters_by_the_names_of_transformers(classifier, tmp_path):
    model = AutoModel.from_pretrained(
        pretrained_model_name_or_path=classifier, config=AutoConfig.from_pretrained(classifier)
    )
    model.save_pretrained(save_directory=tmp_path, max_shard_size="20KB", safe_serialization=True, push_to_hub=False)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert torch.equal(logits(hf.AutoModel.from_pretrained(tmp_path)), logits(hf.AutoModel.from_pretrained(classifier)))


@pytest.mark.parametrize("name", ["push_to_hub", "is_main_process", "state_dict", "variant", "safe_serialization"])
def test_refused_keywords_of_saving_name_what_to_do(classifier, tmp_path, name):
    value = {"push_to_hub": True, "is_main_process": False, "safe_serialization": False}.get(name, "x")
    with pytest.raises(OptionError, match=rf"^{name}=.* is not supported: "):
        AutoModel.from_pretrained(classifier).save_pretrained(tmp_path, **{name: value})


def test_a_configuration_that_is_passed_is_the_models(classifier, bare):
    config = AutoConfig.from_pretrained(classifier, id2label={0: "no", 1: "sí"})
    for model in (
        AutoModelForSequenceClassification.from_pretrained(bare, config=config),
        AutoModelForSequenceClassification.from_pretrained(bare, config=config, problem_type="regression"),
    ):
        assert model.config.id2label == {0: "no", 1: "sí"} and logits(model).shape == (1, 2)
    assert model.config.problem_type == "regression" and config.problem_type is None
    theirs, ours = both("AutoModel", bare, config=str(classifier))
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-5, rtol=0)


def test_a_trained_head_is_dropped_only_where_the_user_says_so(classifier):
    options = {"num_labels": 7}
    for head in (AutoModelForSequenceClassification, hf.AutoModelForSequenceClassification):
        with pytest.raises((CheckpointError, RuntimeError), match="ignore_mismatched_sizes"):
            head.from_pretrained(classifier, **options)
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
    (theirs, their_info), (ours, info) = both("AutoModelForSequenceClassification", classifier, **options)
    assert info == their_info and len(info["mismatched_keys"]) == 2
    assert torch.equal(ours.head.dense.weight, theirs.bert.pooler.dense.weight)


def test_other_weights_of_another_size_are_random_where_the_user_says_so(classifier):
    options = {"max_position_embeddings": 80}
    with pytest.raises(CheckpointError, match="positions"):
        AutoModel.from_pretrained(classifier, **options)
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
    (_, their_info), (ours, info) = both("AutoModel", classifier, **options)
    assert info == their_info and ours.embeddings.positions.weight.shape[0] == 80
    assert torch.equal(ours.embeddings.tokens.weight, AutoModel.from_pretrained(classifier).embeddings.tokens.weight)


@pytest.mark.parametrize(
    "head", ["ForQuestionAnswering", "ForMultipleChoice", "ForNextSentencePrediction", "LMHeadModel"]
)
def test_a_checkpoint_of_another_head_gives_its_encoder(head, bare, tmp_path):
    config = hf.AutoConfig.from_pretrained(bare, is_decoder=False)
    torch.manual_seed(0)
    getattr(hf, f"Bert{head}")(config).save_pretrained(tmp_path)
    theirs, ours = both("AutoModel", tmp_path)
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-5, rtol=0)
    fresh = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=3, ignore_mismatched_sizes=True)
    assert torch.equal(fresh.embeddings.tokens.weight, ours.embeddings.tokens.weight)
    with pytest.raises(CheckpointError):
        AutoModelForSequenceClassification.from_pretrained(tmp_path)


def test_loading_info_names_what_the_checkpoint_lacks_and_has_besides(bare, classifier):
    for head, folder, options in (
        ("AutoModel", classifier, {}),
        ("AutoModelForSequenceClassification", bare, {"num_labels": 3}),
        ("AutoModelForTokenClassification", bare, {"num_labels": 3}),
    ):
        (_, theirs), (_, ours) = both(head, folder, output_loading_info=True, **options)
        assert {name: set(value) for name, value in ours.items()} == {name: set(v) for name, v in theirs.items()}


def test_files_in_a_subfolder_and_of_a_variant(classifier, tmp_path):
    shutil.copytree(classifier, tmp_path / "sub" / "folder")
    name = tmp_path / "sub" / "folder" / "model.safetensors"
    halves = {key: tensor.half() for key, tensor in load_file(name).items()}
    save_file(halves, name.with_name("model.fp16.safetensors"), {"format": "pt"})
    options = {"subfolder": "sub/folder", "variant": "fp16", "dtype": torch.float32}
    theirs, ours = both("AutoModelForSequenceClassification", tmp_path, **options)
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-5, rtol=0)
    assert not torch.equal(logits(ours), logits(AutoModelForSequenceClassification.from_pretrained(classifier)))
    with pytest.raises(CheckpointError, match=r"model\.fp8\.safetensors"):
        AutoModel.from_pretrained(tmp_path, subfolder="sub/folder", variant="fp8")
    for options in ({"subfolder": "../x"}, {"subfolder": 3}, {"variant": "../x"}, {"cache_dir": 3}, {"token": 3}):
        with pytest.raises(GatonegroError):
            AutoModel.from_pretrained(classifier, **options)


def test_a_device_map_of_one_device(classifier):
    for device in ("cpu", {"": "cpu"}, torch.device("cpu"), {"": -1}, {"bert": "cpu", "classifier": "cpu"}):
        assert AutoModel.from_pretrained(classifier, device_map=device).device.type == "cpu"
    assert AutoModel.from_pretrained(classifier, device_map="auto").device == gatonegro.engine.resolve_device("auto")
    for wrong in ({}, {"bert": "cpu", "classifier": "disk"}, "nowhere", 2.5):
        with pytest.raises(OptionError, match="device"):
            AutoModel.from_pretrained(classifier, device_map=wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trust_remote_code", True),
        ("load_in_8bit", True),
        ("from_tf", True),
        ("gguf_file", "x"),
        ("proxies", {"http": "x"}),
    ],
)
def test_refused_keywords_of_loading_name_what_to_do(classifier, name, value):
    with pytest.raises(OptionError, match=rf"^{name}=.* is not supported: "):
        AutoModel.from_pretrained(classifier, **{name: value})


def test_settings_of_outputs_are_stored_in_the_configuration(classifier, tmp_path):
    ours = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(classifier, output_hidden_states=True))
    ours.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["output_hidden_states"] is True
    assert hf.AutoConfig.from_pretrained(tmp_path).output_hidden_states is True
