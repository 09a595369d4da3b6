"""Token classification: labels per token or per entity, with character offsets."""

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
from gatonegro.operators.plain import softmax
from gatonegro.preprocessing.transform import PreprocessedText
from gatonegro.tasks.task import MESSAGES, Encoded, RowOutput, Task
from gatonegro.tasks.windows import check_str, encode_tokens
from gatonegro.tokenization import Tokenizer

# (probabilities of a word's tokens (n, labels)) → those of the word (labels,); None: tokens are not joined to words
STRATEGIES: dict[str, Callable[[np.ndarray], np.ndarray] | None] = {
    "none": None,
    "simple": None,
    "first": lambda x: x[0],
    "average": lambda x: x.mean(0),
    "max": lambda x: x[x.max(1).argmax()],
}
BIO_TAG = re.compile(r"([BI])-(.*)", re.DOTALL)


def check(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for an input row that is not a text or, with `is_split_into_words`, a list of words."""
    if not options["is_split_into_words"]:
        check_str(row, options)
    elif not isinstance(row, list | tuple):
        kind = type(row).__name__
        raise RowError(*MESSAGES["not_words"].format(kind=kind))
    else:
        for word in row:
            check_row_text(word, Message("a word", "una palabra"))


def is_single(inputs: Any, options: Mapping[str, Any]) -> bool:
    """Return True if the input is a single text or, with `is_split_into_words`, a single list of words."""
    if options["is_split_into_words"]:
        return isinstance(inputs, list | tuple) and bool(inputs) and all(isinstance(word, str) for word in inputs)
    return isinstance(inputs, str | Mapping)


def wrap(inputs: Any, answers: Any, call_options: Mapping[str, Any]) -> Any:
    """Return the answer to a single list of words in a list, as `transformers` does."""
    single = call_options.get("is_split_into_words") and isinstance(inputs, list | tuple)
    return [answers] if single and inputs and isinstance(inputs[0], str) else answers


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode texts or lists of words as token ids, splitting long ones into overlapping windows."""
    return encode_tokens(tokenizer, config, rows, options, lambda row, encoding: _text_tokens(encoding))


def _text_tokens(encoding: Any) -> list[int]:
    """Return the indices of all tokens of an encoded text except special tokens."""
    return [i for i, special in enumerate(encoding.special_tokens_mask) if not special]


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a text's labelled tokens or, with an aggregation strategy, its entities, as `transformers` does."""
    probs = softmax(np.concatenate(output.answers))  # (m, labels)
    strategy = options["aggregation_strategy"].lower()
    text, tokens = _tokens(tokenizer, output, options)
    aggregate = STRATEGIES[strategy]
    if aggregate is None:
        groups: Iterable[list[int]] = ([i] for i in range(len(tokens)))
    else:
        prefix = getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
        groups = _group_words(text, tokens, bool(prefix), tokenizer.unk_token_id)
    entities: list[dict[str, Any]] = []
    for group in groups:
        scores = probs[group[0]] if aggregate is None else aggregate(probs[group])
        best = int(scores.argmax())
        entity: dict[str, Any] = {"entity": config.id2label[best], "score": float(scores[best])}
        if aggregate is None:
            entity |= {"index": tokens[group[0]]["index"], "word": tokens[group[0]]["word"]}
        else:
            entity |= {"word": tokenizer.convert_tokens_to_string([tokens[i]["word"] for i in group])}
        entities.append(entity | {"start": tokens[group[0]]["start"], "end": tokens[group[-1]]["end"]})
    if strategy != "none":
        entities = list(_group_entities(tokenizer, entities))
    entities = [e for e in entities if e.get("entity", e.get("entity_group")) not in options["ignore_labels"]]
    if isinstance(output.row, PreprocessedText):
        for entity in entities:
            entity["start"], entity["end"] = output.row.original_span(entity["start"], entity["end"])
    return entities


def _tokens(tokenizer: Tokenizer, output: RowOutput, options: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text and, for each token that is not special, a dict with its word, id, index and offsets."""
    encoding = output.data
    ids, offsets, words = encoding.ids, encoding.offsets, encoding.word_ids  # each access makes a copy
    names = tokenizer.convert_ids_to_tokens(ids)
    split, unknown = options["is_split_into_words"], tokenizer.unk_token_id
    text, starts = output.row, [0]
    if split:
        delimiter = options["delimiter"]
        text = delimiter.join(output.row)
        starts = [0, *accumulate(len(word) + len(delimiter) for word in output.row)]
    tokens = []
    for i in _text_tokens(encoding):
        shift = starts[words[i] or 0] if split else 0
        a, b = (offset + shift for offset in offsets[i])
        word = text[a:b] if ids[i] == unknown else names[i]
        a = b - len(text[a:b].lstrip() or text[a:b])  # no entity begins at a space
        tokens.append({"word": word, "id": ids[i], "index": i, "start": a, "end": b})
    return text, tokens


def _group_words(text: str, tokens: list[dict[str, Any]], marked: bool, unknown: int | None) -> Iterator[list[int]]:
    """Yield the indices of each word's tokens, found by the tokenizer's subword prefixes or else by spaces.

    The rule is that of `transformers`: without prefixes (`marked` is False), "Madrid," is one word.
    """
    group: list[int] = []
    for i, token in enumerate(tokens):
        a, b = token["start"], token["end"]
        if token["id"] == unknown:
            continues = False
        elif marked:
            continues = len(token["word"]) != b - a
        else:
            continues = a > 0 and " " not in text[a - 1 : a + 1]
        if group and not continues:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _group_entities(tokenizer: Tokenizer, tagged: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Join adjacent words with the same entity type into one entity, starting a new one at each B- label."""
    group: list[dict[str, Any]] = []
    for part in [*tagged, None]:
        position, kind = _parse_tag(part["entity"]) if part else ("B", None)
        if group and (part is None or position == "B" or kind != _parse_tag(group[-1]["entity"])[1]):
            yield {
                "entity_group": group[0]["entity"].split("-", 1)[-1],
                "score": sum(part["score"] for part in group) / len(group),
                "word": tokenizer.convert_tokens_to_string([part["word"] for part in group]),
                "start": group[0]["start"],
                "end": group[-1]["end"],
            }
            group = []
        if part is not None:
            group.append(part)


def _parse_tag(label: str) -> tuple[str, str]:
    """Split an entity label such as "B-PER" into "B" and "PER", with "I" as the prefix of labels without one."""
    match = BIO_TAG.fullmatch(label)
    return (match[1], match[2]) if match else ("I", label)


LABELS_CHECK = Check(
    lambda labels: isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels),
    Message("a list of labels", "una lista de etiquetas"),
)
STRATEGY_CHECK = Check(
    lambda name: isinstance(name, str) and name.lower() in STRATEGIES,
    Message(f"one of {', '.join(STRATEGIES)}", f"una de {', '.join(STRATEGIES)}"),
)

TOKEN_CLASSIFICATION = Task(
    name="token-classification",
    head="token-classification",
    check=check,
    is_single=is_single,
    encode=encode,
    predict="predict",
    decode=decode,
    wrap=wrap,
    columns=lambda config, answer: {"entities": answer},
    column_names=lambda config, options: ("entities",),
    options={
        "aggregation_strategy": Option("none", STRATEGY_CHECK),
        "ignore_labels": Option(("O",), LABELS_CHECK),
        # tokens shared by adjacent windows of a long text; by default a quarter of a window
        "stride": Option(None, optional(whole(0))),
        "is_split_into_words": Option(False, FLAG),
        "offset_mapping": Option(None, Check(lambda given: given is None, MESSAGES["own_offsets"])),
        "delimiter": Option(" ", Check(lambda text: isinstance(text, str), Message("a str", "un str"))),
    },
    example_model="mrm8488/bert-spanish-cased-finetuned-ner",
)
