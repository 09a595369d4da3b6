"""Every argument of transformers' text API is ours too, or has a row in `arguments.json`."""

import inspect
import re

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
from gatonegro.tokenization import Tokenizer

# what transformers' tokenizers take, in which `from_pretrained` ends
TOKENIZERS = ("Bert", "Roberta", "GPT2", "T5", "Marian", "XLMRoberta", "Camembert")
TOKENIZER_INITS = [getattr(transformers, f"{name}Tokenizer").__init__ for name in TOKENIZERS]
# parameters that only transformers itself passes
INTERNAL = {
    *("tokenizer_padding", "tokenizer_truncation", "post_processor", "added_tokens_decoder", "unk_id", "tokenizer"),
    *("token_config", "padding_strategy", "truncation_strategy"),
}


def forwards(model_types):
    """Return `forward` of all classes of transformers that the families' tables name."""
    heads = (head for kind in model_types for head in FAMILIES[kind].heads.values())
    return tuple(getattr(transformers, head.architecture).forward for head in heads)


ENCODERS = {name for name, family in FAMILIES.items() if "masked-lm" in family.heads}
CALL = gatonegro.Pipeline.__call__
# table → our function, and transformers' functions, whose parameters and popped keywords are its arguments
COUNTERPARTS = {
    "AutoModel.from_pretrained": (
        gatonegro.AutoModel.from_pretrained,
        (PreTrainedModel.from_pretrained, _BaseAutoModelClass.from_pretrained),
    ),
    "Pipeline.__call__": (CALL, (transformers.Pipeline.__call__,)),
    "ZeroShotClassificationPipeline.__call__": (
        CALL,
        (
            transformers.ZeroShotClassificationPipeline.__call__,
            transformers.ZeroShotClassificationPipeline._sanitize_parameters,
        ),
    ),
    # dropped by transformers 5; tests/golden/answers.json has the names of 4.57.6
    "QuestionAnsweringPipeline.__call__": (CALL, ()),
    "SummarizationPipeline.__call__": (CALL, ()),
    "TranslationPipeline.__call__": (CALL, ()),
    "Text2TextGenerationPipeline.__call__": (CALL, ()),
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
    "AutoModel.from_config": (gatonegro.AutoModel.from_config, (_BaseAutoModelClass.from_config,)),
    "AutoTokenizer.from_pretrained": (
        gatonegro.AutoTokenizer.from_pretrained,
        (
            *(transformers.AutoTokenizer.from_pretrained, PreTrainedTokenizerBase.from_pretrained),
            *(PreTrainedTokenizerBase.__init__, TokenizersBackend.__init__, *TOKENIZER_INITS),
        ),
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
    "pipeline": (gatonegro.pipeline, (transformers.pipeline, transformers.Pipeline.__init__)),
}
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
    options += ARGUMENTS["Pipeline.__call__"] if options else []
    options += hub.ARGUMENTS if table.endswith(".from_pretrained") else []
    options += ["kwargs", *OPTION_CHECKS, *UNSUPPORTED_OPTIONS] if table == "generate" else []
    return {*inspect.signature(COUNTERPARTS[table][0]).parameters, *options}


@pytest.mark.parametrize("table", ARGUMENTS)
def test_each_argument_of_transformers_is_known(table):
    _, theirs = COUNTERPARTS[table]
    known = {*parameters_of(table), *ARGUMENTS[table]}
    assert set().union(*map(arguments_of, theirs)) - known - INTERNAL == set()


@pytest.mark.parametrize("table", ARGUMENTS)
def test_rows_are_well_formed(table):
    parameters = parameters_of(table)
    for name, row in ARGUMENTS[table].items():
        assert name not in inspect.signature(COUNTERPARTS[table][0]).parameters
        assert row.keys() in ({"as"}, {"idle"}, {"refused"}, {"idle", "refused"}), name
        assert "as" not in row or row["as"] in parameters, name
        assert "refused" not in row or row["refused"] in MESSAGES, name
        assert row.get("idle", True) is True or "refused" in row, name
