"""Token classification: labels per token or per entity, with offsets in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from gatonegro.checks import FLAG, Check, Option, check_row_text, optional, whole
from gatonegro.config import Config
from gatonegro.errors import RowError
from gatonegro.i18n import Message
from gatonegro.models import Model, softmax
from gatonegro.tasks.task import Encoded, RowOutput, Task
from gatonegro.tasks.tokens import check_str, encode_tokens
from gatonegro.tokenization import Tokenizer

# from the probabilities of a word's tokens (n, labels) to those of the word (labels,). None and "simple" leave each
# token its own
STRATEGIES: dict[str, Callable[[np.ndarray], np.ndarray] | None] = {
    "none": None,
    "simple": None,
    "first": lambda x: x[0],
    "average": lambda x: x.mean(0),
    "max": lambda x: x[x.max(1).argmax()],
}
PREFIX = re.compile(r"([BI])-(.*)", re.DOTALL)


def check(row: Any, options: Mapping[str, Any]) -> None:
    if not options["is_split_into_words"]:
        check_str(row, options)
    elif not isinstance(row, list | tuple):
        kind = type(row).__name__
        raise RowError(
            f"is a {kind} where a list of words is wanted, for is_split_into_words is True.",
            f"es {kind} donde hace falta una lista de palabras, pues is_split_into_words es True.",
        )
    else:
        for word in row:
            check_row_text(word, Message("a word", "una palabra"))


def single(inputs: Any, options: Mapping[str, Any]) -> bool:
    """Return True for one text; with `is_split_into_words`, for a flat list of words."""
    if options["is_split_into_words"]:
        return isinstance(inputs, list | tuple) and bool(inputs) and all(isinstance(word, str) for word in inputs)
    return isinstance(inputs, str | Mapping)


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    return encode_tokens(tokenizer, config, rows, options, lambda row, encoding: _ordinary(encoding))


def _ordinary(encoding: Any) -> list[int]:
    return [i for i, special in enumerate(encoding.special_tokens_mask) if not special]


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return dicts as `transformers` does: `entity` and `index` per token, or `entity_group` per entity."""
    probs = softmax(np.concatenate(output.answers))  # (m, labels)
    strategy = options["aggregation_strategy"].lower()
    text, tokens = _tokens(tokenizer, output, options)
    choose = STRATEGIES[strategy]
    if choose is None:
        groups: Iterable[list[int]] = ([i] for i in range(len(tokens)))
    else:
        prefix = getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
        groups = _words(text, tokens, bool(prefix), tokenizer.unk_token_id)
    found = []
    for group in groups:
        scores = probs[group[0]] if choose is None else choose(probs[group])
        best = int(scores.argmax())
        one = {"entity": config.id2label[best], "score": float(scores[best])}
        if choose is None:
            one |= {"index": tokens[group[0]]["index"], "word": tokens[group[0]]["word"]}
        else:
            one |= {"word": tokenizer.convert_tokens_to_string([tokens[i]["word"] for i in group])}
        found.append(one | {"start": tokens[group[0]]["start"], "end": tokens[group[-1]]["end"]})
    if strategy != "none":
        found = list(_grouped(tokenizer, found))
    ignored = options["ignore_labels"]
    original_span = getattr(output.row, "original_span", None)  # where a text was changed before it was read
    out = []
    for one in found:
        if one.get("entity", one.get("entity_group")) not in ignored:
            if original_span is not None:
                one["start"], one["end"] = original_span(one["start"], one["end"])
            out.append(one)
    return out


def _tokens(tokenizer: Tokenizer, output: RowOutput, options: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text, and per token that is not special its word, id, index and offsets."""
    ids, offsets, words = (
        output.note.ids,
        output.note.offsets,
        output.note.word_ids,
    )  # each is copied when it is asked for
    names = tokenizer.convert_ids_to_tokens(ids)
    split, unknown = options["is_split_into_words"], tokenizer.unk_token_id
    text, starts = output.row, [0]
    if split:
        delimiter = options["delimiter"]
        text = delimiter.join(output.row)
        starts = [0, *accumulate(len(word) + len(delimiter) for word in output.row)]
    tokens = []
    for i in _ordinary(output.note):
        shift = starts[words[i] or 0] if split else 0
        a, b = (place + shift for place in offsets[i])
        word = text[a:b] if ids[i] == unknown else names[i]
        tokens.append({"word": word, "id": ids[i], "index": i, "start": a, "end": b})
    return text, tokens


def _words(text: str, tokens: list[dict[str, Any]], marked: bool, unknown: int | None) -> Iterator[list[int]]:
    """Yield the tokens of each word: by the tokenizer's mark of continuation if it has one, else up to a space.

    This is transformers' own rule, and as rough: "Madrid," is one word of a tokenizer without marks.
    """
    group: list[int] = []
    for i, token in enumerate(tokens):
        a, b = token["start"], token["end"]
        if token["id"] == unknown:
            goes_on = False
        elif marked:
            goes_on = len(token["word"]) != b - a
        else:
            goes_on = a > 0 and " " not in text[a - 1 : a + 1]
        if group and not goes_on:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _grouped(tokenizer: Tokenizer, found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield neighbours of the same type as one entity; a B- tag begins a new one."""
    group: list[dict[str, Any]] = []
    for one in [*found, None]:
        place, kind = _kind(one["entity"]) if one else ("B", None)
        if group and (one is None or place == "B" or kind != _kind(group[-1]["entity"])[1]):
            yield {
                "entity_group": group[0]["entity"].split("-", 1)[-1],
                "score": sum(part["score"] for part in group) / len(group),
                "word": tokenizer.convert_tokens_to_string([part["word"] for part in group]),
                "start": group[0]["start"],
                "end": group[-1]["end"],
            }
            group = []
        if one is not None:
            group.append(one)


def _kind(label: str) -> tuple[str, str]:
    found = PREFIX.fullmatch(label)
    return (found[1], found[2]) if found else ("I", label)


LABELS = Check(
    lambda labels: isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels),
    Message("a list of labels", "una lista de etiquetas"),
)
STRATEGY = Check(
    lambda name: isinstance(name, str) and name.lower() in STRATEGIES,
    Message(f"one of {', '.join(STRATEGIES)}", f"una de {', '.join(STRATEGIES)}"),
)

TOKEN_CLASSIFICATION = Task(
    name="token-classification",
    head="token-classification",
    check=check,
    single=single,
    encode=encode,
    ask=Model.predict,
    decode=decode,
    options={
        "aggregation_strategy": Option("none", STRATEGY),
        "ignore_labels": Option(("O",), LABELS),
        # tokens that two windows of a long text share; by default a quarter of a window
        "stride": Option(None, optional(whole(0))),
        "is_split_into_words": Option(False, FLAG),
        "delimiter": Option(" ", Check(lambda text: isinstance(text, str), Message("a str", "un str"))),
    },
    example="mrm8488/bert-spanish-cased-finetuned-ner",
)
