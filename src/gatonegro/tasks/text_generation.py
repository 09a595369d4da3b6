"""Text generation: continuations of a prompt by a decoder-only model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gatonegro.checks import FLAG, TEXT, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.errors import InputError, RowError
from gatonegro.generation import OPTION_CHECKS, Generated
from gatonegro.tasks.generation import (
    DEFAULT_NEW_TOKENS,
    GENERATION_OPTIONS,
    decode_text,
    extras,
    generation_options,
    text_keys,
)
from gatonegro.tasks.task import MESSAGES, Encoded, RowOutput, Task
from gatonegro.tasks.windows import check_str
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer

TASK_NAME = "text-generation"


def is_chat(row: Any) -> bool:
    """Return True for a conversation: a list of messages, which are dicts with a role and a content."""
    return isinstance(row, list | tuple) and len(row) > 0 and all(map(_is_message, row))


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and {"role", "content"} <= value.keys()


def check(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for an input row that is neither a text nor a conversation."""
    if not is_chat(row):
        check_str(row, options)


def continues(row: Any, options: Mapping[str, Any]) -> bool:
    """Return True if a conversation's last message is continued, as it is by default if it is the assistant's."""
    wanted = options["continue_final_message"]
    return bool(row[-1]["role"] == "assistant" if wanted is None else wanted)


def _chat_ids(tokenizer: Tokenizer, row: Sequence[Any], options: Mapping[str, Any]) -> list[int]:
    final, variables = continues(row, options), {name: options[name] for name in ("tools", "documents")}
    ids: list[int] = tokenizer.apply_chat_template(
        row, add_generation_prompt=not final, continue_final_message=final, return_dict=False, **variables
    )
    return ids


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode each prompt or conversation as one sequence of token ids, or as the bos token if it is empty."""
    prefix, special = options["prefix"] or "", options["add_special_tokens"]
    texts, limit = [prefix + row for row in rows if not is_chat(row)], config.max_tokens
    encoded = iter(
        tokenizer(texts, add_special_tokens=special, truncation=False, max_length=limit)["input_ids"] if texts else ()
    )
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    ids = [list(_chat_ids(tokenizer, row, options) if is_chat(row) else next(encoded)) or bos for row in rows]
    new_tokens = options["max_new_tokens"] or DEFAULT_NEW_TOKENS
    errors: dict[int, InputError] = {}
    for i, prompt in enumerate(ids):
        if len(prompt) < limit:
            continue
        if options["handle_long_generation"] == "hole" and new_tokens < limit:
            ids[i] = prompt[-(limit - new_tokens) :]
            continue
        errors[i] = RowError(*MESSAGES["long_prompt"].format(tokens=len(prompt), limit=limit))
    readable = [i for i in range(len(rows)) if i not in errors]
    return Encoded([ids[i] for i in readable], readable, limit, errors=errors)


def generate(
    model: TextModel, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Generated]]:
    """Generate continuations of each prompt's token ids with a decoder-only model."""
    config = generation_options(model, tokenizer, TASK_NAME, options, num_beams=1)
    return model.generate_ids(None, ids, config, extras(options, tokenizer, config, len(ids)))


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one dict per generated continuation of a prompt, with its text or its token ids."""
    (sequences,) = output.answers
    out: list[dict[str, Any]] = []
    for sequence in sequences:
        if options["return_tensors"]:
            out.append({"generated_token_ids": sequence.ids})
        else:
            prompt = decode_text(tokenizer, sequence.ids[: sequence.prompt_length], options)
            new = decode_text(tokenizer, sequence.ids, options)[len(prompt) :]
            out.append({"generated_text": _full(output.row, new, options) if options["return_full_text"] else new})
        if options["return_scores"]:
            out[-1]["score"] = sequence.score
    return out


def _full(row: Any, new: str, options: Mapping[str, Any]) -> Any:
    """Return a prompt with its continuation, or a conversation with the model's message."""
    if not is_chat(row):
        return str(row) + new
    if continues(row, options):
        return [*row[:-1], {"role": row[-1]["role"], "content": row[-1]["content"] + new}]
    return [*row, {"role": "assistant", "content": new}]


TEXT_GENERATION = Task(
    name=TASK_NAME,
    head="causal-lm",
    check=check,
    encode=encode,
    generate=generate,
    decode=decode,
    column_names=partial(text_keys, key="generated"),
    options={
        **GENERATION_OPTIONS,
        "stop_sequence": Option(None, optional(OPTION_CHECKS["stop_strings"])),
        "continue_final_message": Option(None, one_of(True, False, None)),
        "tools": Option(None),
        "documents": Option(None),
        "prefix": Option(None, optional(TEXT)),
        "return_full_text": Option(True, FLAG),
        "add_special_tokens": Option(True, FLAG),
        "handle_long_generation": Option(None, one_of("hole", None)),
    },
    example_model="openai-community/gpt2",
    is_single=lambda inputs, options: isinstance(inputs, str | Mapping) or is_chat(inputs),
)
