"""Summarization and text-to-text generation with an encoder–decoder model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gatonegro.config import Config
from gatonegro.tasks.generation import (
    GENERATION_OPTIONS,
    as_tensors,
    decode_text,
    flatten_single,
    generate,
    task_prefix,
    text_keys,
)
from gatonegro.tasks.task import Encoded, RowOutput, Task, notice, wants_truncation
from gatonegro.tasks.windows import check_str
from gatonegro.tokenization import Tokenizer

MAX_SOURCE_TOKENS = 4096  # for models without a maximum number of positions


def encode(
    tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any], *, task: str
) -> Encoded:
    """Encode each text, after the task's prefix, as one sequence of token ids, truncated to the model's limit."""
    limit, prefix = min(config.max_tokens, MAX_SOURCE_TOKENS), task_prefix(config, task)
    if wants_truncation(options):
        limit = min(limit, tokenizer.model_max_length)
    ids = tokenizer([prefix + row for row in rows], truncation=wants_truncation(options), max_length=limit)["input_ids"]
    long = [i for i, row_ids in enumerate(ids) if len(row_ids) > limit]
    for i in long:
        ids[i] = tokenizer(prefix + rows[i], truncation=True, max_length=limit)["input_ids"]
    return Encoded(ids, range(len(rows)), limit, notices={i: [notice("cut", limit=limit)] for i in long})


def decode(
    tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any], *, key: str
) -> list[dict[str, Any]]:
    """Return one dict per generated sequence, with its text or its token ids."""
    (sequences,) = output.answers
    out = []
    for sequence in sequences:
        if options["return_tensors"]:
            out.append({f"{key}_token_ids": sequence.ids})
        else:
            out.append({f"{key}_text": decode_text(tokenizer, sequence.ids, options)})
        if options["return_scores"]:
            out[-1] |= {"score": sequence.score}
            out[-1] |= {"unfinished": sequence.unfinished} if sequence.unfinished else {}
    return as_tensors(out, f"{key}_token_ids", tokenizer.pad_token_id) if options["return_tensors"] else out


def _task(name: str, key: str, example_model: str) -> Task:
    return Task(
        name=name,
        head="seq2seq-lm",
        check=check_str,
        encode=partial(encode, task=name),
        generate=partial(generate, task=name),
        decode=partial(decode, key=key),
        wrap=flatten_single,
        column_names=partial(text_keys, key=key),
        options=GENERATION_OPTIONS,
        example_model=example_model,
    )


SUMMARIZATION = _task("summarization", "summary", "facebook/bart-large-cnn")
TEXT2TEXT = _task("text2text-generation", "generated", "google-t5/t5-small")
