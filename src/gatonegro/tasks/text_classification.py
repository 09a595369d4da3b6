"""A label for a text, or for a pair of texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError
from gatonegro.models import Model
from gatonegro.nn.loss import FUNCTIONS
from gatonegro.packing import Packed
from gatonegro.tasks.task import LENGTH, Encoded, Said, Task, check_text, truncates, whole
from gatonegro.tokenization import Tokenizer

TRUNCATIONS = (True, False, None, "longest_first", "only_first", "only_second", "do_not_truncate")
END = 2 / 3  # how much the last window of a long text counts
UNSAID = object()  # `top_k` not given: one dict for a text; given: a list of dicts, as in transformers


def check(row: Any, options: Mapping[str, Any]) -> None:
    if isinstance(row, Mapping):
        if "text" not in row or not row.keys() <= {"text", "text_pair"}:
            keys = str(list(row))[:80]
            raise InputError(
                f"a dict with the keys {keys} where {{'text': …, 'text_pair': …}} is wanted.",
                f"un dict con las claves {keys} donde hace falta {{'text': …, 'text_pair': …}}.",
            )
        for value in row.values():
            check_text(value)
    elif isinstance(row, list | tuple):
        kind = type(row).__name__
        raise InputError(
            f"a {kind} where a text is wanted; pass a flat list of texts, and pairs as {{'text': …, 'text_pair': …}}.",
            f"{kind} donde hace falta un texto; pasa una lista de textos sin anidar, y los pares como "
            "{'text': …, 'text_pair': …}.",
        )
    else:
        check_text(row)


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Texts into windows that fit the model; pairs are cut, since half a pair is no pair."""
    limit = min(config.max_tokens, tokenizer.model_max_length)
    if options["max_length"] is not None:
        limit = min(limit, options["max_length"])
    texts = [row if isinstance(row, str) else row["text"] for row in rows]
    pairs = [None if isinstance(row, str) else row.get("text_pair") for row in rows]
    alone = [i for i, pair in enumerate(pairs) if pair is None]
    paired = [i for i, pair in enumerate(pairs) if pair is not None]
    cut = truncates(options)
    room = limit - tokenizer.num_special_tokens_to_add()
    if room < 1 or (paired and limit - tokenizer.num_special_tokens_to_add(pair=True) < 2):
        raise OptionError(
            f"max_length={limit} leaves no room for a token of each text beside the special ones; make it larger.",
            f"max_length={limit} no deja sitio para un token de cada texto junto a los especiales; auméntalo.",
        )
    ids: list[list[int]] = []
    segments: list[list[int]] = []
    owners: list[int] = []
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
            return_offsets_mapping=False,
        )
        ids += batch["input_ids"]
        owners += [at[i] for i in batch.get("overflow_to_sample_mapping", range(len(at)))]
        segments += batch.get("token_type_ids", [])
    lost = [
        row
        for row, found in zip(owners, ids, strict=True)
        if pairs[row] is not None and len(found) == limit and not cut
        and len(tokenizer(texts[row], pairs[row], truncation=False, max_length=limit)["input_ids"]) > limit
    ]  # fmt: skip
    return Encoded(ids, owners, limit, segments if config.type_vocab_size > 1 and segments else None, lost)


def ask(model: Model, packed: Packed, at: Tensor | None) -> Tensor:
    return model.run(packed)  # (n, labels)


def combine(answers: Tensor, weights: Tensor) -> Tensor:
    """The logits of a whole text (labels,) from those of its windows (w, labels).

    The last window counts for `END`, the others share the rest by their tokens: a review's verdict stands at its end.
    That the ends of a text say most of it is known, https://arxiv.org/abs/1905.05583 §5.3.1; how much, see
    `benchmarks/long_texts.py`.
    """
    share = weights[:-1].to(answers.dtype) / weights[:-1].sum() * (1 - END)  # (w - 1,)
    return (answers[:-1] * share[:, None]).sum(0) + answers[-1] * END


def decode(tokenizer: Tokenizer, config: Config, said: Said, options: Mapping[str, Any]) -> Any:
    name = options["function_to_apply"]
    name = config.scored_by if name is None else str(name).lower()
    several_windows = len(said.answers) > 1
    logits = combine(torch.stack(said.answers), torch.tensor(said.lengths)) if several_windows else said.answers[0]
    scores = FUNCTIONS[name](logits.float()).tolist()  # labels
    top_k, least = options["top_k"], options["min_score"]
    ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
    found: list[dict[str, Any]] = [{"label": config.id2label[i], "score": scores[i]} for i in ranked]
    if least is not None and found[0]["score"] < least:
        found[0]["unsure"] = True
    return found[0] if top_k is UNSAID else found[:top_k]


def wrap(inputs: Any, answers: Any, called_with: Mapping[str, Any]) -> Any:
    """One text comes back as a list of one, unless this very call asked for `top_k`: transformers' own oddity."""
    return [answers] if isinstance(inputs, str) and "top_k" not in called_with else answers


TEXT_CLASSIFICATION = Task(
    name="text-classification",
    head="sequence-classification",
    check=check,
    encode=encode,
    ask=ask,
    decode=decode,
    wrap=wrap,
    options={
        "top_k": UNSAID,
        "function_to_apply": None,
        "min_score": None,  # a best label with less is marked: "unsure": True
        "truncation": False,
        "max_length": None,
        "padding": False,
    },
    allowed={
        "top_k": (
            lambda k: k is None or k is UNSAID or whole(0)(k),
            ("a whole number of at least 0, or None for all", "un número entero, 0 o más, o None para todas"),
        ),
        "function_to_apply": (
            lambda name: name is None or (isinstance(name, str) and name.lower() in FUNCTIONS),
            (f"None or one of {', '.join(FUNCTIONS)}", f"None o una de {', '.join(FUNCTIONS)}"),
        ),
        "min_score": (
            lambda s: s is None or (isinstance(s, int | float) and not isinstance(s, bool) and abs(s) < math.inf),
            ("a number, or None", "un número, o None"),
        ),
        "max_length": LENGTH,
        "truncation": (
            lambda way: way in TRUNCATIONS,
            (f"one of {', '.join(map(repr, TRUNCATIONS))}", f"uno de {', '.join(map(repr, TRUNCATIONS))}"),
        ),
    },
    model="sentiment-es-en",
)
