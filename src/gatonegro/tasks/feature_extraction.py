"""Feature extraction: one vector per token, or one per text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro.checks import FLAG, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.scores import as_tensor, l2_normalize
from gatonegro.tasks.task import MAX_LENGTH, Encoded, RowOutput, Task
from gatonegro.tasks.windows import check_str, encode_tokens
from gatonegro.tokenization import Tokenizer

# (vectors of a text's tokens (t, hidden)) → vector of the text (hidden,); compared in https://arxiv.org/abs/1908.10084
POOLINGS = {"mean": lambda x: x.mean(0), "cls": lambda x: x[0], "max": lambda x: x.max(0)}


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode texts as token ids for feature extraction, splitting long texts into overlapping windows."""
    return encode_tokens(tokenizer, config, rows, options, lambda row, encoding: range(len(encoding)))


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> Any:
    """Return the vectors of a text's tokens or, with `pooling`, one vector for the text, as lists or a tensor."""
    x = np.concatenate(output.answers)  # (t, hidden)
    pooling = options["pooling"]
    x = x[None] if pooling is None else POOLINGS[pooling](x)  # (1, t, hidden) or (hidden,)
    if options["normalize"]:
        x = l2_normalize(x)
    return as_tensor(x) if options["return_tensors"] else x.tolist()


FEATURE_EXTRACTION = Task(
    name="feature-extraction",
    head="none",
    check=check_str,
    encode=encode,
    predict="embed",
    decode=decode,
    columns=lambda config, answer: {"embedding": answer},
    column_names=lambda config, options: ("embedding",),
    options={
        "pooling": Option(None, optional(one_of(*POOLINGS))),
        "normalize": Option(False, FLAG),  # to length 1, so that a dot product is the cosine
        "return_tensors": Option(False, one_of(True, False, None, "pt")),
        "truncation": Option(False, FLAG),
        "max_length": Option(None, MAX_LENGTH),
    },
    example_model="intfloat/multilingual-e5-small",
    precision="fp32",  # vectors are stored, and compared with those of other machines and libraries
)
