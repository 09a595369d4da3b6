"""Text generation: continuations of a prompt by a decoder-only model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatonegro.checks import FLAG, TEXT, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.errors import InputError, RowError
from gatonegro.generation import Generated
from gatonegro.models import LanguageModel, Model
from gatonegro.tasks.generating import NEW_TOKENS, OPTIONS, generation_options, streamed, text_of
from gatonegro.tasks.task import Encoded, RowOutput, Task
from gatonegro.tasks.tokens import check_str
from gatonegro.tokenization import Tokenizer

NAME = "text-generation"


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Return one sequence per prompt; an empty one begins with the bos token."""
    front, special = options["prefix"] or "", options["add_special_tokens"]
    texts, most = [front + row for row in rows], config.max_tokens
    read = tokenizer(texts, add_special_tokens=special, truncation=False, max_length=most)["input_ids"]
    ids = [list(some) for some in read]
    begin = tokenizer.bos_token_id
    ids = [some or ([] if begin is None else [begin]) for some in ids]
    new = options["max_new_tokens"] or NEW_TOKENS
    errors: dict[int, InputError] = {}
    for i, some in enumerate(ids):
        if len(some) < most:
            continue
        if options["handle_long_generation"] == "hole" and new < most:
            ids[i] = some[-(most - new) :]
            continue
        errors[i] = RowError(
            f"is {len(some)} tokens, and the model reads and writes {most} in all; shorten it, or pass "
            'handle_long_generation="hole" with a smaller max_new_tokens= to go on from its end.',
            f"tiene {len(some)} tokens, y el modelo lee y escribe {most} en total; acórtalo, o pasa "
            'handle_long_generation="hole" con un max_new_tokens= menor para seguir desde su final.',
        )
    kept = [i for i in range(len(rows)) if i not in errors]
    return Encoded([ids[i] for i in kept], kept, most, errors=errors)


def generate(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Generated]]:
    assert isinstance(model, LanguageModel)
    config = generation_options(model, tokenizer, NAME, options, beams=1)
    with streamed(options, ids, config) as put:
        return model.generate_ids(None, ids, config, put)


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    (answers,) = output.answers
    out: list[dict[str, Any]] = []
    for one in answers:
        if options["return_tensors"]:
            out.append({"generated_token_ids": one.ids})
        else:
            begun = text_of(tokenizer, one.ids[: one.prompt_length], options)
            new = text_of(tokenizer, one.ids, options)[len(begun) :]
            out.append({"generated_text": str(output.row) + new if options["return_full_text"] else new})
        if options["return_scores"]:
            out[-1]["score"] = one.score
    return out


TEXT_GENERATION = Task(
    name=NAME,
    head="causal-lm",
    check=check_str,
    encode=encode,
    generate=generate,
    decode=decode,
    options={
        **OPTIONS,
        "prefix": Option(None, optional(TEXT)),
        "return_full_text": Option(True, FLAG),
        "add_special_tokens": Option(True, FLAG),
        "handle_long_generation": Option(None, one_of("hole", None)),
    },
    example="openai-community/gpt2",
)
