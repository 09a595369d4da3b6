"""A text goes on: what a decoder alone writes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatonegro.config import Config
from gatonegro.errors import RowError
from gatonegro.generation import Written
from gatonegro.models import LanguageModel, Model
from gatonegro.tasks.task import FLAG, Encoded, Said, Task
from gatonegro.tasks.tokens import check_str
from gatonegro.tasks.writing import ALLOWED_HERE, NEW_TOKENS, OPTIONS, TEXT, how, streamed, text_of
from gatonegro.tokenization import Tokenizer

NAME = "text-generation"


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Each prompt; an empty one begins with the token that texts begin with."""
    front, special = options["prefix"] or "", options["add_special_tokens"]
    texts, most = [front + row for row in rows], config.max_tokens
    read = tokenizer(texts, add_special_tokens=special, truncation=False, max_length=most)["input_ids"]
    ids = [list(some) for some in read]
    begin = tokenizer.bos_token_id
    ids = [some or ([] if begin is None else [begin]) for some in ids]
    new = options["max_new_tokens"] or NEW_TOKENS
    for i, some in enumerate(ids):
        if len(some) < config.max_tokens:
            continue
        if options["handle_long_generation"] == "hole" and new < config.max_tokens:
            ids[i] = some[-(config.max_tokens - new) :]
            continue
        raise RowError(
            f"is {len(some)} tokens, and the model reads and writes {config.max_tokens} in all; shorten it, or "
            'pass handle_long_generation="hole" with a smaller max_new_tokens= to go on from its end.',
            f"tiene {len(some)} tokens, y el modelo lee y escribe {config.max_tokens} en total; acórtalo, o "
            'pasa handle_long_generation="hole" con un max_new_tokens= menor para seguir desde su final.',
            item=i,
        )
    return Encoded(ids, range(len(rows)), config.max_tokens)


def write(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Written]]:
    assert isinstance(model, LanguageModel)
    config = how(model, tokenizer, NAME, options, beams=1)
    with streamed(options, ids, config) as put:
        return model.write(None, ids, config, put)


def decode(tokenizer: Tokenizer, config: Config, said: Said, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    (answers,) = said.answers
    out: list[dict[str, Any]] = []
    for one in answers:
        if options["return_tensors"]:
            out.append({"generated_token_ids": one.ids})
        else:
            begun = text_of(tokenizer, one.ids[: one.begun], options)
            new = text_of(tokenizer, one.ids, options)[len(begun) :]
            out.append({"generated_text": said.row + new if options["return_full_text"] else new})
        if options["return_scores"]:
            out[-1]["score"] = one.score
    return out


TEXT_GENERATION = Task(
    name=NAME,
    head="causal-lm",
    check=check_str,
    encode=encode,
    write=write,
    decode=decode,
    options={
        **OPTIONS,
        "prefix": None,
        "return_full_text": True,
        "add_special_tokens": True,
        "handle_long_generation": None,
    },
    allowed={
        **ALLOWED_HERE,
        "prefix": TEXT,
        "add_special_tokens": FLAG,
        "return_full_text": FLAG,
        "handle_long_generation": (lambda x: x in (None, "hole"), ('"hole" or None', '"hole" o None')),
    },
    example="openai-community/gpt2",
)
