"""Text classification: labels for a text or for a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro.checks import Check, Option, check_row_text, number, one_of, optional, short, whole
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError, RowError
from gatonegro.i18n import Message
from gatonegro.models import SCORE_FUNCTIONS, Model
from gatonegro.tasks.task import LENGTH, NOTICES, Encoded, Notice, RowOutput, Task, notice, truncates
from gatonegro.tokenization import Tokenizer

LAST_WINDOW = 2 / 3  # how much the last window of a long text counts
NOT_GIVEN = object()  # `top_k` not given: one dict for a text; given: a list of dicts, as in transformers


def check(row: Any, options: Mapping[str, Any]) -> None:
    if isinstance(row, Mapping):
        if "text" not in row or not row.keys() <= {"text", "text_pair"}:
            keys = short(list(row))
            raise RowError(
                f"is a dict with the keys {keys} where {{'text': …, 'text_pair': …}} is wanted.",
                f"es un dict con las claves {keys} donde hace falta {{'text': …, 'text_pair': …}}.",
            )
        for value in row.values():
            check_row_text(value)
    elif isinstance(row, list | tuple):
        kind = type(row).__name__
        raise RowError(
            f"is a {kind} where a text is wanted; pass a flat list of texts, and pairs as "
            "{'text': …, 'text_pair': …}.",
            f"es {kind} donde hace falta un texto; pasa una lista de textos sin anidar, y los pares como "
            "{'text': …, 'text_pair': …}.",
        )
    else:
        check_row_text(row)


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Return windows of texts that fit the model; pairs are cut, since half a pair is no pair."""
    limit = min(config.max_tokens, tokenizer.model_max_length)
    if options["max_length"] is not None:
        limit = min(limit, options["max_length"])
    texts = [row if isinstance(row, str) else row["text"] for row in rows]
    pairs = [None if isinstance(row, str) else row.get("text_pair") for row in rows]
    alone = [i for i, pair in enumerate(pairs) if pair is None]
    paired = [i for i, pair in enumerate(pairs) if pair is not None]
    cut = truncates(options)
    room, pair_room = (limit - tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True))
    no_room = Message(
        f"max_length={limit} leaves no room for a token of each text beside the special ones; make it larger.",
        f"max_length={limit} no deja sitio para un token de cada texto junto a los especiales; auméntalo.",
    )
    if room < 1 or (paired and not alone and pair_room < 2):
        raise OptionError(*no_room)
    errors: dict[int, InputError] = {}
    if pair_room < 2:
        errors = {i: RowError(f"is a pair, and {no_room.en}", f"es un par, y {no_room.es}") for i in paired}
        paired = []
    ids: list[list[int]] = []
    token_types: list[list[int]] = []
    row_of: list[int] = []
    notices = {}
    for at, second in ((alone, None), (paired, [pairs[i] for i in paired])):
        if not at:
            continue
        batch = tokenizer(
            [texts[i] for i in at],
            second,
            truncation=options["truncation"] if cut else True,
            max_length=limit,
            stride=max(0, room // 4) if second is None and not cut else 0,
            return_overflowing_tokens=second is None and not cut,
            return_offsets_mapping=False if second is None else None,  # encodings show what a pair lost
        )
        ids += batch["input_ids"]
        row_of += [at[i] for i in batch.get("overflow_to_sample_mapping", range(len(at)))]
        token_types += batch.get("token_type_ids", [])
        if second is not None and not cut:
            lost = [i for i, encoding in zip(at, batch.encodings or (), strict=True) if encoding.overflowing]
            notices = {i: [Notice("cut", NOTICES["pair"].format(limit=limit))] for i in lost}
    with_types = config.type_vocab_size > 1 and bool(token_types)
    return Encoded(ids, row_of, limit, token_types if with_types else None, errors=errors, notices=notices)


def combine(answers: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
    """Return the logits of a whole text (labels,) from those of its windows.

    The last window counts for `LAST_WINDOW`, the others share the rest by their tokens: a review's verdict stands at
    its end. That the ends of a text say most of it is known, https://arxiv.org/abs/1905.05583 §5.3.1; how much, see
    `benchmarks/long_texts.py`.
    """
    *others, last = answers
    weights = np.array(lengths[:-1], np.float32) / sum(lengths[:-1]) * np.float32(1 - LAST_WINDOW)  # (w - 1,)
    combined: np.ndarray = (np.stack(others) * weights[:, None]).sum(0) + last * np.float32(LAST_WINDOW)
    return combined


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> Any:
    name = options["function_to_apply"]
    name = config.score_function if name is None else str(name).lower()
    logits = output.answers[0] if len(output.answers) == 1 else combine(output.answers, output.lengths)
    scores = SCORE_FUNCTIONS[name](logits).tolist()  # labels
    top_k, least = options["top_k"], options["min_score"]
    ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
    found: list[dict[str, Any]] = [{"label": config.id2label[i], "score": scores[i]} for i in ranked]
    if least is not None and found[0]["score"] < least:
        found[0]["unsure"] = True
        output.notices.append(notice("unsure", score=found[0]["score"], least=least))
    return found[0] if top_k is NOT_GIVEN else found[:top_k]


def wrap(inputs: Any, answers: Any, called_with: Mapping[str, Any]) -> Any:
    """Return a list of one for a text, unless this call passed `top_k`, as transformers does."""
    return [answers] if isinstance(inputs, str) and "top_k" not in called_with else answers


TRUNCATION = one_of(True, False, None, "longest_first", "only_first", "only_second", "do_not_truncate")
FUNCTION = Check(
    lambda name: isinstance(name, str) and name.lower() in SCORE_FUNCTIONS,
    Message(f"one of {', '.join(SCORE_FUNCTIONS)}", f"una de {', '.join(SCORE_FUNCTIONS)}"),
)
TOP_K = optional(whole(0))

TEXT_CLASSIFICATION = Task(
    name="text-classification",
    head="sequence-classification",
    check=check,
    encode=encode,
    ask=Model.predict,
    decode=decode,
    wrap=wrap,
    options={
        "top_k": Option(NOT_GIVEN, TOP_K),
        "function_to_apply": Option(None, optional(FUNCTION)),
        "min_score": Option(None, optional(number())),  # a best label with less is marked: "unsure": True
        "truncation": Option(False, TRUNCATION),
        "max_length": Option(None, LENGTH),
        "padding": Option(False),
    },
)
