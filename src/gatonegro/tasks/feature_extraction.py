"""Vectors: one for each token, or one for a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.models import Model
from gatonegro.packing import Packed
from gatonegro.tasks.task import FLAG, LENGTH, Encoded, Said, Task
from gatonegro.tasks.tokens import check_str, encode_tokens
from gatonegro.tokenization import Tokenizer

# of the vectors of a text's tokens (t, hidden), that of the text; https://arxiv.org/abs/1908.10084 compares them
POOLINGS = {
    "mean": lambda x: x.mean(0),
    "cls": lambda x: x[0],
    "max": lambda x: x.amax(0),
}


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    return encode_tokens(tokenizer, config, rows, options, lambda row, encoding: range(len(encoding)))


def ask(model: Model, packed: Packed, at: Tensor | None) -> Tensor:
    return model.encode(packed)[at]  # (m, hidden)


def decode(tokenizer: Tokenizer, config: Config, said: Said, options: Mapping[str, Any]) -> Any:
    """As in `transformers`, a list of one list of vectors; with `pooling`, one vector."""
    x = torch.cat(said.answers).float()  # (t, hidden)
    pooling = options["pooling"]
    x = x[None] if pooling is None else POOLINGS[pooling](x)  # (1, t, hidden) or (hidden,)
    if options["normalize"]:
        x = F.normalize(x, dim=-1)
    return x if options["return_tensors"] else x.tolist()


FEATURE_EXTRACTION = Task(
    name="feature-extraction",
    head="none",
    check=check_str,
    encode=encode,
    ask=ask,
    decode=decode,
    options={
        "pooling": None,
        "normalize": False,  # to length 1, so that a dot product is the cosine
        "return_tensors": False,
        "truncation": False,
        "max_length": None,
    },
    allowed={
        "pooling": (
            lambda way: way is None or (isinstance(way, str) and way in POOLINGS),
            (f"None or one of {', '.join(POOLINGS)}", f"None o uno de {', '.join(POOLINGS)}"),
        ),
        "normalize": FLAG,
        "return_tensors": (
            lambda kind: kind is None or isinstance(kind, bool) or (isinstance(kind, str) and kind == "pt"),
            ('True, False or "pt"', 'True, False o "pt"'),
        ),
        "truncation": FLAG,
        "max_length": LENGTH,
    },
    example="intfloat/multilingual-e5-small",
)
