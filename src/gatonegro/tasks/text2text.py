"""Summarization and text-to-text generation with an encoder–decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gatonegro.config import Config
from gatonegro.tasks.generating import OPTIONS, flat, generate, prefix_of, text_of
from gatonegro.tasks.task import Encoded, RowOutput, Task, notice, truncates
from gatonegro.tasks.tokens import check_str
from gatonegro.tokenization import Tokenizer

MAX_READ = 4096  # tokens of a text, where positions have no end


def encode(
    tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any], *, task: str
) -> Encoded:
    """Return one sequence per text, with the task's prefix; a text that is too long loses its end."""
    limit, front = min(config.max_tokens, MAX_READ), prefix_of(config, task)
    if truncates(options):
        limit = min(limit, tokenizer.model_max_length)
    ids = tokenizer([front + row for row in rows], truncation=truncates(options), max_length=limit)["input_ids"]
    long = [i for i, some in enumerate(ids) if len(some) > limit]
    for i in long:
        ids[i] = tokenizer(front + rows[i], truncation=True, max_length=limit)["input_ids"]
    return Encoded(ids, range(len(rows)), limit, notices={i: [notice("cut", limit=limit)] for i in long})


def decode(
    tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any], *, key: str
) -> list[dict[str, Any]]:
    (answers,) = output.answers
    out = []
    for one in answers:
        if options["return_tensors"]:
            out.append({f"{key}_token_ids": one.ids})
        else:
            out.append({f"{key}_text": text_of(tokenizer, one.ids, options)})
        if options["return_scores"]:
            out[-1] |= {"score": one.score} | ({"unfinished": one.unfinished} if one.unfinished else {})
    return out


def _task(name: str, key: str, example: str) -> Task:
    return Task(
        name=name,
        head="seq2seq-lm",
        check=check_str,
        encode=partial(encode, task=name),
        generate=partial(generate, task=name),
        decode=partial(decode, key=key),
        wrap=flat,
        options=OPTIONS,
        example=example,
    )


SUMMARIZATION = _task("summarization", "summary", "facebook/bart-large-cnn")
TEXT2TEXT = _task("text2text-generation", "generated", "google-t5/t5-small")
