"""Every argument of transformers' text API is ours too, or has a row in `arguments.json`."""

import inspect
import json
import re
from pathlib import Path

import pytest
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.auto_factory import _BaseAutoModelClass
from transformers.tokenization_utils_tokenizers import TokenizersBackend

import gatonegro
from gatonegro import hub
from gatonegro.compat import ARGUMENTS
from gatonegro.compat.border import MESSAGES
from gatonegro.families import FAMILIES
from gatonegro.generation import OPTION_CHECKS, UNSUPPORTED_OPTIONS
from gatonegro.models import LanguageModel, Model
from gatonegro.tasks import TASKS
from gatonegro.tasks.task import TOKENIZER_OPTIONS
from gatonegro.tokenization import Tokenizer
from gatonegro.tokenization.classes import SETTINGS

# what transformers' tokenizers take, in which `from_pretrained` ends
TOKENIZERS = ("Bert", "Roberta", "GPT2", "T5", "Marian", "XLMRoberta", "Camembert")
TOKENIZER_INITS = [getattr(transformers, f"{name}Tokenizer").__init__ for name in TOKENIZERS]
# parameters that only transformers itself passes
INTERNAL = {
    *("tokenizer_padding", "tokenizer_truncation", "post_processor", "added_tokens_decoder", "unk_id", "tokenizer"),
    *("token_config", "padding_strategy", "truncation_strategy", "task"),
}


def forwards(model_types):
    """Return `forward` of all classes of transformers that the families' tables name."""
    heads = (head for kind in model_types for head in FAMILIES[kind].heads.values())
    return tuple(getattr(transformers, head.architecture).forward for head in heads)


def calls_of(name):
    """Return transformers' functions that take the arguments of a pipeline's calls, none for what it dropped."""
    kind = getattr(transformers, name, None)
    return () if kind is None else (kind.__call__, kind._sanitize_parameters)


ENCODERS = {name for name, family in FAMILIES.items() if "masked-lm" in family.heads}
CALL = gatonegro.Pipeline.__call__
# table → our function, and transformers' functions, whose parameters and popped keywords are its arguments
COUNTERPARTS = {
    "AutoModel.from_pretrained": (
        gatonegro.AutoModel.from_pretrained,
        (PreTrainedModel.from_pretrained, _BaseAutoModelClass.from_pretrained),
    ),
    "Pipeline.__call__": (CALL, (transformers.Pipeline.__call__,)),
    **{f"{task.class_name}.__call__": (CALL, calls_of(task.class_name)) for task in TASKS.values()},
    "PreTrainedConfig.from_pretrained": (
        gatonegro.PreTrainedConfig.from_pretrained,
        (PreTrainedConfig.from_pretrained, PreTrainedConfig._get_config_dict, transformers.AutoConfig.from_pretrained),
    ),
    "PreTrainedConfig.save_pretrained": (
        gatonegro.PreTrainedConfig.save_pretrained,
        (PreTrainedConfig.save_pretrained,),
    ),
    "GenerationConfig": (gatonegro.GenerationConfig.__init__, ()),  # whose fields another test compares
    "GenerationConfig.from_pretrained": (
        gatonegro.GenerationConfig.from_pretrained,
        (transformers.GenerationConfig.from_pretrained,),
    ),
    "GenerationConfig.save_pretrained": (
        gatonegro.GenerationConfig.save_pretrained,
        (transformers.GenerationConfig.save_pretrained,),
    ),
    "generate": (
        LanguageModel.generate,
        (transformers.GenerationMixin.generate, transformers.GenerationMixin._extract_generation_mode_kwargs),
    ),
    "Model.forward": (Model.forward, forwards(ENCODERS)),
    "LanguageModel.forward": (LanguageModel.forward, forwards(FAMILIES.keys() - ENCODERS)),
    "PreTrainedConfig.to_json_string": (
        gatonegro.PreTrainedConfig.to_json_string,
        (PreTrainedConfig.to_json_string, transformers.GenerationConfig.to_json_string),
    ),
    "AutoModel.from_config": (gatonegro.AutoModel.from_config, (_BaseAutoModelClass.from_config,)),
    "AutoTokenizer.from_pretrained": (
        gatonegro.AutoTokenizer.from_pretrained,
        (
            *(transformers.AutoTokenizer.from_pretrained, PreTrainedTokenizerBase.from_pretrained),
            *(PreTrainedTokenizerBase.__init__, TokenizersBackend.__init__, *TOKENIZER_INITS),
        ),
    ),
    "PreTrainedModel.resize_token_embeddings": (
        Model.resize_token_embeddings,
        (PreTrainedModel.resize_token_embeddings,),
    ),
    "PreTrainedModel.save_pretrained": (Model.save_pretrained, (PreTrainedModel.save_pretrained,)),
    "PreTrainedTokenizer.save_pretrained": (Tokenizer.save_pretrained, (PreTrainedTokenizerBase.save_pretrained,)),
    "PreTrainedTokenizer.__call__": (
        Tokenizer.__call__,
        (PreTrainedTokenizerBase.__call__, PreTrainedTokenizerBase.encode, TokenizersBackend._encode_plus),
    ),
    "PreTrainedTokenizer.pad": (Tokenizer.pad, (PreTrainedTokenizerBase.pad,)),
    "PreTrainedTokenizer.prepare_for_model": (Tokenizer.prepare_for_model, ()),  # dropped by transformers 5
    "PreTrainedTokenizer.add_special_tokens": (
        Tokenizer.add_special_tokens,
        (PreTrainedTokenizerBase.add_special_tokens,),
    ),
    **{
        table: (getattr(ours, name), (getattr(theirs, name),))
        for table, ours, theirs in (
            ("GenerationConfig.validate", gatonegro.GenerationConfig, transformers.GenerationConfig),
            ("GenerationConfig.update", gatonegro.GenerationConfig, transformers.GenerationConfig),
            ("PreTrainedModel.resize_token_embeddings", Model, PreTrainedModel),
            ("PreTrainedModel.num_parameters", Model, PreTrainedModel),
            ("PreTrainedModel.set_input_embeddings", Model, transformers.T5Model),
            ("PreTrainedModel.get_encoder", Model, PreTrainedModel),
            ("PreTrainedModel.set_attn_implementation", Model, PreTrainedModel),
            ("PreTrainedTokenizer.apply_chat_template", Tokenizer, PreTrainedTokenizerBase),
        )
        for name in [table.split(".")[1]]
    },
    "pipeline": (gatonegro.pipeline, (transformers.pipeline, transformers.Pipeline.__init__)),
}
# further arguments of 4.57.6, and attributes of its objects, which test_methods.py compares
DROPPED = json.loads(Path(__file__).with_name("arguments-4.57.6.json").read_text(encoding="utf-8"))
POPPED = re.compile(r"""kwargs\.(?:pop|get)\(\s*["'](\w+)["']|["'](\w+)["'] in kwargs""")


def arguments_of(function):
    """Return the names that a function of transformers takes: its parameters, and those it pops from `**kwargs`."""
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    popped = {name for match in POPPED.findall(inspect.getsource(function)) for name in match if name}
    return {name for name in named | popped if name not in ("self", "cls") and not name.startswith("_")}


def parameters_of(table):
    """Return the names of our function's parameters, and of the options that it takes besides."""
    options = [name for task in TASKS.values() if table == f"{task.class_name}.__call__" for name in task.options]
    options += [*ARGUMENTS["Pipeline.__call__"], *TOKENIZER_OPTIONS] if options else []
    options += ["question", "context"] if table == "QuestionAnsweringPipeline.__call__" else []
    options += (
        inspect.signature(Tokenizer.__call__).parameters if table == "PreTrainedTokenizer.prepare_for_model" else []
    )
    options += hub.ARGUMENTS if table.endswith(".from_pretrained") else []
    options += SETTINGS if table == "AutoTokenizer.from_pretrained" else []
    options += ["kwargs", *OPTION_CHECKS, *UNSUPPORTED_OPTIONS] if table == "generate" else []
    return {*inspect.signature(COUNTERPARTS[table][0]).parameters, *options}


@pytest.mark.parametrize("table", COUNTERPARTS)
def test_each_argument_of_transformers_is_known(table):
    _, theirs = COUNTERPARTS[table]
    known = {*parameters_of(table), *ARGUMENTS.get(table, ())}
    assert {*DROPPED.get(table, ())}.union(*map(arguments_of, theirs)) - known - INTERNAL == set()


@pytest.mark.parametrize("table", ARGUMENTS)
def test_rows_are_well_formed(table):
    parameters = parameters_of(table)
    for name, row in ARGUMENTS[table].items():
        assert name not in inspect.signature(COUNTERPARTS[table][0]).parameters
        assert row.keys() in ({"as"}, {"idle"}, {"refused"}, {"idle", "refused"}), name
        assert "as" not in row or row["as"] in parameters, name
        assert "refused" not in row or row["refused"] in MESSAGES, name
        assert row.get("idle", True) is True or "refused" in row, name
