"""Each public attribute of transformers' objects is ours too, or has a row in `names.json`; so has each argument."""

import inspect
import json
from pathlib import Path

import pytest
import torch
import transformers as hf
from small import generator, model

import gatonegro
from gatonegro.compat import ARGUMENTS, refusal

DROPPED = json.loads(Path(__file__).with_name("arguments-4.57.6.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def objects(folders, parts):
    """Return, for each class in the tables, objects of ours that it stands for."""
    tokenizer = gatonegro.AutoTokenizer.from_pretrained(folders["bart"])
    return {
        "PreTrainedTokenizer": tokenizer,
        "BatchEncoding": tokenizer("gato"),
        "PreTrainedModel": model(),
        "LanguageModel": generator("t5"),
        "PreTrainedConfig": gatonegro.BertConfig(),
        "GenerationConfig": gatonegro.GenerationConfig(),
        "Pipeline": gatonegro.pipeline("text-generation", str(folders["gpt2"])),
        "ModelOutput": gatonegro.SequenceClassifierOutput(logits=torch.ones(1)),
        "TextStreamer": gatonegro.TextIteratorStreamer(tokenizer),
    }


THEIRS = {
    "PreTrainedTokenizer": hf.BertTokenizer,
    "BatchEncoding": hf.BatchEncoding,
    "PreTrainedModel": hf.BertForSequenceClassification,
    "LanguageModel": hf.T5ForConditionalGeneration,
    "PreTrainedConfig": hf.BertConfig,
    "GenerationConfig": hf.GenerationConfig,
    "Pipeline": hf.TextGenerationPipeline,
    "ModelOutput": hf.modeling_outputs.SequenceClassifierOutput,
    "TextStreamer": hf.TextIteratorStreamer,
}
# ours that pass `**options` on to a function with these arguments
PASSED_ON = {
    "batch_decode": gatonegro.PreTrainedTokenizer.decode,
    "encode": gatonegro.PreTrainedTokenizer.__call__,
    "save_pretrained": gatonegro.PreTrainedModel.save_pretrained,
}
WALKED = {"from_pretrained", "forward", "generate"}  # by test_arguments.py
UNUSED = {"tie_weights": {"missing_keys", "recompute_mapping"}}  # which here does nothing


def public(cls):
    """Return the names of a class's public attributes, without those of PyTorch's modules."""
    return [name for name in dir(cls) if name[0] != "_" and not hasattr(torch.nn.Module, name)]


@pytest.mark.parametrize("table", THEIRS)
def test_attributes(objects, table):
    known = "PreTrainedModel" if table == "LanguageModel" else table
    for name in [*public(THEIRS[table]), *DROPPED.get(table, ())]:
        assert hasattr(objects[table], name) or refusal(f"{known}.{name}") is not None, name


@pytest.mark.parametrize("table", THEIRS)
def test_arguments_of_methods(objects, table):
    for name in set(public(THEIRS[table])) - WALKED:
        ours, theirs = getattr(objects[table], name, None), getattr(THEIRS[table], name)
        if not all(inspect.isfunction(getattr(x, "__func__", x)) for x in (ours, theirs)):
            continue
        own = {*inspect.signature(ours).parameters, *UNUSED.get(name, ())}
        own |= {*inspect.signature(PASSED_ON[name]).parameters} if name in PASSED_ON else set()
        rows = {argument for key, rows in ARGUMENTS.items() if key.split(".")[-1] == name for argument in rows}
        rows |= {*ARGUMENTS["PreTrainedConfig.from_pretrained"]} if name == "get_config_dict" else set()
        rows |= {*ARGUMENTS["PreTrainedConfig.to_json_string"]} if name == "to_json_file" else set()
        for p in inspect.signature(theirs).parameters.values():
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                assert p.name == "self" or p.name in own | rows, f"{name}({p.name}=)"


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("PreTrainedModel", "loss_function"),
        ("LanguageModel", "prepare_inputs_for_generation"),
        ("PreTrainedTokenizer", "parse_response"),
        ("PreTrainedConfig", "base_config_key"),
        ("Pipeline", "postprocess"),
    ],
)
def test_an_attribute_that_is_not_here_says_what_to_use(objects, table, name):
    with pytest.raises(AttributeError, match=rf"gatonegro has no \w+\.{name}: "):
        getattr(objects[table], name)


def test_idle_arguments_of_methods(objects, tmp_path):
    config = objects["GenerationConfig"]
    assert config.to_json_string(ignore_metadata=False) == config.to_json_string()
    config.to_json_file(json_file_path=tmp_path / "a.json", keys_to_pop=None)
    config.validate(user_set_attributes={"top_k"})
    other = gatonegro.BertForSequenceClassification(gatonegro.BertConfig(vocab_size=99, num_hidden_layers=1))
    assert other.resize_token_embeddings(new_num_tokens=120, pad_to_multiple_of=None).num_embeddings == 120
    with pytest.raises(gatonegro.errors.OptionError):
        other.resize_token_embeddings(120, mean_resizing=False)
    with pytest.raises(gatonegro.errors.OptionError, match="subtract"):
        other.num_parameters(exclude_embeddings=True)
    with pytest.raises(gatonegro.errors.OptionError, match="offsets"):
        objects["PreTrainedTokenizer"].apply_chat_template([], return_assistant_tokens_mask=True)
