"""Small models with random weights that tests make themselves, and ids for them."""

from pathlib import Path

import torch

from gatonegro import Config
from gatonegro.engine.kernels import to_array
from gatonegro.families import FAMILIES
from gatonegro.families.configuration import read_config
from gatonegro.models import Model, build, init_weights
from gatonegro.native import NativeModel
from gatonegro.packing import pack

ROOT = Path(__file__).parents[1]
ENCODERS = [name for name in FAMILIES if "masked-lm" in FAMILIES[name].heads]
# wide enough for the compiled kernels, whose heads have a multiple of 16 numbers
WIDE = {
    "vocab_size": 200, "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 160,
    "max_position_embeddings": 70, "type_vocab_size": 2,
}  # fmt: skip
BART = {
    "d_model": 96, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 3, "decoder_attention_heads": 6,
    "encoder_ffn_dim": 160, "decoder_ffn_dim": 128, "max_position_embeddings": 70,
}  # fmt: skip
T5 = {"d_model": 96, "d_kv": 16, "num_heads": 5, "d_ff": 160, "num_layers": 2, "num_decoder_layers": 3}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
GENERATORS = {  # kind → family, and its config.json
    "marian": (
        "marian",
        BART
        | {"activation_function": "swish", "scale_embedding": True, "pad_token_id": 199, "decoder_start_token_id": 199},
    ),
    "bart": ("bart", BART),
    "t5": ("t5", T5),
    "t5-v1.1": ("t5", T5 | GATED),
    "mt5": ("mt5", T5 | GATED),
    "gpt2": ("gpt2", {"n_embd": 96, "n_layer": 3, "n_head": 6, "n_positions": 70}),
}


def config(family: str = "bert", **values) -> Config:
    """Return the configuration of a small encoder."""
    sizes = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
    fields = {"vocab_size": 60, "max_position_embeddings": 40, "type_vocab_size": 2 if family == "bert" else 0}
    pad = {"pad_token_id": FAMILIES[family].defaults["pad_token_id"]}
    return Config(family, **{**sizes, **fields, **pad, **FAMILIES[family].fixed, **values})


def model(family: str = "bert", head: str = "sequence-classification", std: float = 0.3, **values) -> Model:
    """Return a small encoder with random weights, the same ones for the same arguments."""
    torch.manual_seed(0)
    return init_weights(Model(config(family, **values), head), std).eval()


def wide_model(family: str = "bert", head: str = "sequence-classification", **values) -> Model:
    """Return an encoder that is wide enough for the compiled kernels."""
    return model(family, head, 0.1, **{**WIDE, **values})


def generator_config(kind: str, **values) -> Config:
    """Return the configuration of a small model that generates text, a key of `GENERATORS`."""
    family, data = GENERATORS[kind]
    return read_config(FAMILIES[family], {"model_type": family, "vocab_size": 200, **data, **values})


def generator(kind: str, head: str | None = None, **values) -> Model:
    """Return a small model that generates text, with random weights, or one of its family with another head."""
    torch.manual_seed(0)
    head = head or ("causal-lm" if kind == "gpt2" else "seq2seq-lm")
    model = init_weights(build(generator_config(kind, **values), head), 0.1).eval()
    if getattr(model.head, "bias", None) is not None:
        model.head.bias.normal_()
    return model


def native(model: Model, precision: str = "fp32") -> NativeModel:
    """Return the model of the other backend, numpy, that has a model's weights."""
    state = {name: to_array(tensor) for name, tensor in model.own_state_dict().items()}
    twin = NativeModel(model.config, model.task_head, state, precision)
    twin.generation_config = getattr(model, "generation_config", twin.generation_config)
    return twin


def random_ids(lengths, seed: int = 0) -> list[list[int]]:
    """Return sequences of random ids from 3 to 199."""
    random = torch.Generator().manual_seed(seed)
    return [torch.randint(3, 200, (n,), generator=random).tolist() for n in lengths]


BOUNDS = {"fp32": 1e-5, "bf16": 2e-2, "fp16": 1e-2, "int8": 1e-1}  # of a logit, where logits are about 1


@torch.inference_mode()
def logits(model, sequences):
    return model.run(pack(sequences, model.config)).float()
