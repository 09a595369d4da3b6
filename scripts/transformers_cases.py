"""Concrete test cases for the mixins of `transformers`, from tables; `transformers_tests.py` adds them to a test tree.

Run inside that tree, where the imports below find the mixins and `transformers`, or what stands in for it.
"""

import importlib
import os
import shutil
import unittest
from pathlib import Path

import torch
import transformers

ENCODER = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
}
SEQ2SEQ = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 37,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
HEADS = ("Model", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMaskedLM")
T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4}
T5 |= {"relative_attention_num_buckets": 8, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
# prefix of the classes → config, their ends, extra inputs; XLM-RoBERTa and CamemBERT are RoBERTa, MT5 is T5
MODELS = {
    "Bert": (ENCODER, HEADS, ("token_type_ids",)),
    "Roberta": (ENCODER, HEADS, ()),
    "DistilBert": (
        {"vocab_size": 99, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 37, "max_position_embeddings": 64},
        HEADS,
        (),
    ),
    "GPT2": (
        {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
        ("Model", "LMHeadModel"),
        (),
    ),
    "Bart": (SEQ2SEQ | {"forced_eos_token_id": None}, ("Model", "ForConditionalGeneration"), ("decoder",)),
    "Marian": (SEQ2SEQ | {"decoder_start_token_id": 3}, ("Model", "MTModel"), ("decoder",)),
    "T5": (T5, ("Model", "ForConditionalGeneration"), ("decoder",)),
}
TOKENIZERS = {  # prefix of the classes → folder in $GATONEGRO_TOKENIZERS
    "Bert": "bert",
    "DistilBert": "distilbert",
    "Roberta": "roberta",
    "XLMRoberta": "xlm-roberta",
    "Bart": "bart",
    "GPT2": "gpt2",
    "T5": "t5",
}


def mixin(module, name):
    """Return a class of the test tree, or None where this version has none of that name."""
    try:
        return getattr(importlib.import_module(f"tests.{module}"), name, None)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("tests."):
            raise
        return None


ModelTesterMixin = mixin("test_modeling_common", "ModelTesterMixin")
GenerationTesterMixin = mixin("generation.test_utils", "GenerationTesterMixin")
TrainingTesterMixin = mixin("test_training_mixin", "TrainingTesterMixin")
ConfigTester = mixin("test_configuration_common", "ConfigTester")
TokenizerTesterMixin = mixin("test_tokenization_common", "TokenizerTesterMixin")
BackendTesterMixin = mixin("test_tokenizers_backend_mixin", "TokenizersBackendTesterMixin")
CONFIG_CHECKS = [name for name in dir(ConfigTester) if name.startswith(("create_and_test_", "check_"))]


class ModelTester:
    """Small configurations and inputs, as the mixin asks for them."""

    batch_size, seq_length, hidden_size, num_hidden_layers, num_attention_heads = 3, 7, 32, 2, 4
    encoder_seq_length = decoder_seq_length = key_length = seq_length
    is_training, num_labels, vocab_size, use_labels = True, 3, 99, True

    def __init__(self, prefix, values, extra):
        self.prefix, self.values, self.extra = prefix, values, extra

    def get_config(self):
        """Return a new configuration of the family."""
        return getattr(transformers, self.prefix + "Config")(**self.values)

    def prepare_config_and_inputs_for_common(self):
        """Return a configuration and the inputs of a forward pass."""
        shape = self.batch_size, self.seq_length
        ids = torch.randint(4, self.vocab_size, shape)
        inputs = {"input_ids": ids, "attention_mask": torch.ones(shape, dtype=torch.long)}
        if "token_type_ids" in self.extra:
            inputs["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
        if "decoder" in self.extra:
            inputs |= {"decoder_input_ids": ids.clone(), "decoder_attention_mask": torch.ones(shape, dtype=torch.long)}
        return self.get_config(), inputs


def define(name, bases, values):
    """Make a test case of mixins and attributes."""
    globals()[name] = type(name, (*filter(None, bases), unittest.TestCase), {"__module__": __name__, **values})


def config_check(name):
    """Return a test that runs one check of `ConfigTester`."""

    def test(self):
        getattr(self.config_tester, name)()

    return test


for prefix, (config_values, ends, extra) in MODELS.items():

    def set_up_model(self, prefix=prefix, values=config_values, extra=extra):
        self.model_tester = ModelTester(prefix, values, extra)

    def set_up_config(self, prefix=prefix, values=config_values):
        self.config_tester = ConfigTester(self, config_class=getattr(transformers, prefix + "Config"), **values)

    classes = tuple(getattr(transformers, prefix + end) for end in ends)
    decoder = "decoder" in extra
    values = {"setUp": set_up_model, "all_model_classes": classes, "is_encoder_decoder": decoder, "model_tester": None}
    if ModelTesterMixin:
        define(f"{prefix}ModelTest", [ModelTesterMixin, GenerationTesterMixin], values)
    if TrainingTesterMixin:
        define(f"{prefix}TrainingTest", [TrainingTesterMixin], values)
    if ConfigTester:
        checks = {f"test_{name}": config_check(name) for name in CONFIG_CHECKS}
        define(f"{prefix}ConfigTest", [], {"setUp": set_up_config, **checks})

for prefix, folder in TOKENIZERS.items():

    @classmethod
    def set_up_class(cls):
        super(cls, cls).setUpClass()
        shutil.copytree(cls.from_pretrained_id[0], cls.tmpdirname, dirs_exist_ok=True)

    path = str(Path(os.environ["GATONEGRO_TOKENIZERS"], folder))
    fast = getattr(transformers, f"{prefix}TokenizerFast")
    values = {"setUpClass": set_up_class, "tokenizer_class": fast, "rust_tokenizer_class": fast}
    values |= {"from_pretrained_id": path, "test_slow_tokenizer": False}
    if TokenizerTesterMixin:
        define(f"{prefix}TokenizationTest", [TokenizerTesterMixin], values)
    if BackendTesterMixin:
        define(f"{prefix}BackendTest", [BackendTesterMixin], values)
