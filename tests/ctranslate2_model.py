"""Reader of CTranslate2's model format, without CTranslate2, into our model.

https://github.com/OpenNMT/CTranslate2/blob/master/python/ctranslate2/specs/model_spec.py says how the file is written,
https://github.com/OpenNMT/CTranslate2/blob/master/src/models/model.cc how it is read, and
https://github.com/OpenNMT/CTranslate2/blob/master/src/layers/transformer.cc what is done with it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gatonegro import Config
from gatonegro.models import LanguageModel, build

NEWEST = 6  # version of the format
KINDS = (torch.float32, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16)
KIND_OF_WIDTH = {4: torch.float32, 2: torch.int16, 1: torch.int8}  # versions before 4 store widths only
PLACES = 500  # largest number of positions
ACTIVATIONS = ("relu", "gelu_new", "swish", "gelu")
# a layer's parts; q, k and v of the same vectors are one matrix
PARTS = {
    "self_attention/linear_0": "attention.query + attention.key + attention.value",
    "self_attention/linear_1": "attention.output",
    "self_attention/layer_norm": "attention_add.norm",
    "attention/linear_0": "cross_attention.query",
    "attention/linear_1": "cross_attention.key + cross_attention.value",
    "attention/linear_2": "cross_attention.output",
    "attention/layer_norm": "cross_attention_add.norm",
    "ffn/linear_0": "feed_forward.up",
    "ffn/linear_1": "feed_forward.down",
    "ffn/layer_norm": "feed_forward_add.norm",
}
ENDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
SIDES = {"encoder": "embeddings", "decoder": "decoder_embeddings"}
IDLE = ("alignment_layer", "alignment_heads")  # alignment settings, without effect on the output


def read(data: bytes) -> tuple[str, dict[str, Tensor]]:
    """Return the name of the model's spec, and its variables in fp32."""
    at = 0

    def take(form: str) -> tuple:
        nonlocal at
        at += struct.calcsize("<" + form)
        return struct.unpack_from("<" + form, data, at - struct.calcsize("<" + form))

    def number(form: str = "I") -> int:
        return take(form)[0]

    def text() -> str:
        return take(f"{number('H')}s")[0].rstrip(b"\0").decode()

    version = number()
    assert 2 <= version <= NEWEST, f"version {version} of the binary is not known"
    spec, _revision = text(), number()
    variables = {}
    for _ in range(number()):
        name, shape = text(), take(f"{number('B')}I")
        kind = number("B")
        size = number() if version >= 4 else kind * number()
        dtype = KINDS[kind] if version >= 4 else KIND_OF_WIDTH[kind]
        variables[name] = torch.frombuffer(bytearray(take(f"{size}s")[0]), dtype=dtype).reshape(shape)
    scales = {name: variables.pop(name) for name in [n for n in variables if n.endswith("weight_scale")]}
    for name, values in variables.items():
        if name.endswith("weight") and values.dtype in (torch.int8, torch.int16):
            scale = scales.get(f"{name}_scale", torch.tensor(1000.0))  # which was once every int16 matrix's
            variables[name] = values.float() / scale.reshape(-1, *[1] * (values.dim() - 1) * scale.dim())
        else:
            variables[name] = values.float()
    for _ in range(number() if version >= 3 else 0):
        alias, name = text(), text()
        variables |= {alias: variables[name]} if name in variables else {}
    assert at == len(data), f"{len(data) - at} bytes too many"
    return spec, variables


def positions(width: int) -> Tensor:
    """Return sinusoidal position vectors from position 1 on: sines in the first half, cosines in the second.

    As in tensor2tensor, the slowest wave is exactly 10,000 times as slow as the first; in the paper it is less slow.
    """
    slow = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2, dtype=torch.float64))
    angle = torch.arange(1, PLACES + 1, dtype=torch.float64)[:, None] * slow
    return torch.cat([angle.sin(), angle.cos()], dim=-1).float()  # (places, width)


@dataclass
class Transliterator:
    """Model of ours with the words of both its vocabularies.

    One table holds the embeddings of both: first the source's, which are never generated, then the target's.
    """

    model: LanguageModel
    source: dict[str, int]
    target: dict[str, int]

    @classmethod
    def load(cls, folder: Path) -> Transliterator:
        spec, variables = read((folder / "model.bin").read_bytes())
        assert spec in ("TransformerBase", "TransformerSpec"), spec
        words = [_words(folder / f"{side}_vocabulary.txt") for side in ("source", "target")]
        target = range(len(words[0]), len(words[0]) + len(words[1]))
        return cls(
            model_of(variables),
            dict(zip(words[0], range(len(words[0])), strict=True)),
            dict(zip(words[1], target, strict=True)),
        )

    def read(self, text: str) -> list[int]:
        """Return the ids of a source text."""
        return [self.source.get(letter, self.source["<unk>"]) for letter in text]

    def begin(self, text: str = "") -> list[int]:
        """Return the ids of a prefix of the target."""
        return [self.target[token] for token in ("<s>", *text)]

    def word(self, ids: Iterable[int]) -> str:
        """Return the generated text without its end token."""
        tokens = {i: token for token, i in self.target.items()}
        return "".join(tokens[i] for i in ids).removeprefix("<s>").removesuffix("</s>")

    @property
    def end(self) -> int:
        return self.target["</s>"]


def _words(path: Path) -> list[str]:
    words = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return words if "<unk>" in words else [*words, "<unk>"]  # as CTranslate2 does


def model_of(variables: dict[str, Tensor]) -> LanguageModel:
    """Build a model of ours with these variables."""
    variables = {name.replace("/embeddings_0/", "/embeddings/"): values for name, values in variables.items()}
    source, target = (variables.pop(f"{side}/embeddings/weight") for side in SIDES)
    output, bias = variables.pop("decoder/projection/weight"), variables.pop("decoder/projection/bias")
    state = {
        "embeddings.tokens.weight": torch.cat([source, target]),
        "head.output.weight": torch.cat([torch.zeros_like(source), output]),
        "head.bias": torch.cat([torch.full((len(source),), float("-inf")), bias])[None],
    }
    stacks = {}
    for side, embeddings in SIDES.items():
        flags = {
            n: int(variables.pop(n)) for n, values in list(variables.items()) if n.startswith(side) and not values.dim()
        }
        flags = {name.removeprefix(f"{side}/"): value for name, value in flags.items()}
        places = variables.pop(f"{side}/position_encodings/encodings", positions(source.shape[1]))
        state[f"{embeddings}.positions.weight"] = places
        stacks[side] = Config(
            model_type="marian",
            vocab_size=len(source) + len(target),
            hidden_size=source.shape[1],
            num_hidden_layers=len([n for n in variables if n.startswith(side) and n.endswith("/ffn/linear_0/bias")]),
            num_attention_heads=flags.pop("num_heads", 8),
            intermediate_size=len(variables[f"{side}/layer_0/ffn/linear_0/bias"]),
            max_position_embeddings=len(places),
            hidden_act=ACTIVATIONS[flags.pop("activation", 0)],
            layer_norm_eps=1e-5,
            pre_norm=bool(flags.pop("pre_norm", 1)),
            final_norm=f"{side}/layer_norm/gamma" in variables,
            scale_embedding=bool(flags.pop("scale_embeddings", 1)),
            embedding_norm=False,
            tie_word_embeddings=False,
            lm_head_bias=True,
            add_cross_attention=side == "decoder",
        )
        assert not any(value for name, value in flags.items() if name not in IDLE), flags
    model = build(stacks["encoder"].replace(decoder=stacks["decoder"]), "seq2seq-lm")
    assert isinstance(model, LanguageModel)
    for name, values in variables.items():
        side, *where, end = name.split("/")
        if where == ["layer_norm"]:
            state[f"{side}.norm.{ENDS[end]}"] = values
            continue
        layer = where[0].replace("layer_", "layers.")
        parts = PARTS["/".join(where[1:])].split(" + ")
        for part, own in zip(parts, values.chunk(len(parts)), strict=True):
            state[f"{side}.{layer}.{part}.{ENDS[end]}"] = own
    model.load_state_dict(state)
    return model.eval()
