"""Text classification: labels of a text or of a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro.checks import Check, Option, check_row_text, number, one_of, optional, short_repr, text_problem, whole
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError, RowError
from gatonegro.i18n import Message, format_number
from gatonegro.scores import SCORE_FUNCTIONS
from gatonegro.tasks.task import (
    MAX_LENGTH,
    MESSAGES,
    NOTICES,
    Encoded,
    Notice,
    RowOutput,
    Task,
    notice,
    wants_truncation,
)
from gatonegro.tokenization import Tokenizer

LAST_WINDOW_WEIGHT = 2 / 3  # share of a long text's last window in its logits
NOT_GIVEN = object()  # `top_k` not given: one dict for a text; given: a list of dicts, as in transformers


def check(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for an input row that is neither a text nor a pair {'text': …, 'text_pair': …}."""
    if isinstance(row, Mapping):
        if "text" not in row or not row.keys() <= {"text", "text_pair"}:
            raise RowError(*MESSAGES["dict_keys"].format(keys=short_repr(list(row))))
        for name, value in row.items():
            if problem := text_problem(value):
                raise RowError(f"has a {name} that is {problem.en}", f"tiene un {name} que es {problem.es}")
    elif isinstance(row, list | tuple):
        raise RowError(*MESSAGES["not_text_or_pair"].format(kind=type(row).__name__))
    else:
        check_row_text(row)


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode texts as token ids, splitting a long text into overlapping windows and truncating a long pair of texts."""
    limit = min(config.max_tokens, tokenizer.model_max_length)
    if options["max_length"] is not None:
        limit = min(limit, options["max_length"])
    texts = [row if isinstance(row, str) else row["text"] for row in rows]
    pairs = [None if isinstance(row, str) else row.get("text_pair") for row in rows]
    single = [i for i, pair in enumerate(pairs) if pair is None]
    paired = [i for i, pair in enumerate(pairs) if pair is not None]
    cut = wants_truncation(options)
    capacity, pair_capacity = (limit - tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True))
    too_small = MESSAGES["short_max_length"].format(limit=limit)
    if capacity < 1 or (paired and not single and pair_capacity < 2):
        raise OptionError(*too_small)
    errors: dict[int, InputError] = {}
    if pair_capacity < 2:
        errors = {i: RowError(f"is a pair, and {too_small.en}", f"es un par, y {too_small.es}") for i in paired}
        paired = []
    ids: list[list[int]] = []
    token_types: list[list[int]] = []
    row_of: list[int] = []
    notices = {}
    for group, second in ((single, None), (paired, [pairs[i] for i in paired])):
        if not group:
            continue
        batch = tokenizer(
            [texts[i] for i in group],
            second,
            truncation=options["truncation"] if cut else True,
            max_length=limit,
            stride=max(0, capacity // 4) if second is None and not cut else 0,
            return_overflowing_tokens=second is None and not cut,
            return_offsets_mapping=False if second is None else None,  # encodings show the lost tokens of a pair
        )
        ids += batch["input_ids"]
        row_of += [group[i] for i in batch.get("overflow_to_sample_mapping", range(len(group)))]
        token_types += batch.get("token_type_ids", [])
        if second is not None and not cut:
            lost = [i for i, encoding in zip(group, batch.encodings or (), strict=True) if encoding.overflowing]
            notices = {i: [Notice("cut", NOTICES["pair"].format(limit=limit))] for i in lost}
    return Encoded(ids, row_of, limit, token_types, errors=errors, notices=notices)


def combine_windows(answers: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
    """Return a long text's logits as the weighted mean of the logits of its windows.

    The last window has the weight `LAST_WINDOW_WEIGHT`, since a review's verdict is at its end; the others share the
    rest by length. See https://arxiv.org/abs/1905.05583 §5.3.1 and `benchmarks/long_texts.py`.
    """
    *others, last = answers
    weights = np.array(lengths[:-1], np.float32) / sum(lengths[:-1]) * np.float32(1 - LAST_WINDOW_WEIGHT)  # (w - 1,)
    combined: np.ndarray = (np.stack(others) * weights[:, None]).sum(0) + last * np.float32(LAST_WINDOW_WEIGHT)
    return combined  # labels


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> Any:
    """Return a text's best label with its score or, with `top_k`, a list of its best labels with their scores."""
    name = options["function_to_apply"]
    name = config.score_function if name is None else str(name).lower()
    if name != "none" and options["min_score"] is not None:
        number(0, 1)("min_score", options["min_score"])
    logits = output.answers[0] if len(output.answers) == 1 else combine_windows(output.answers, output.lengths)
    scores = SCORE_FUNCTIONS[name](logits).tolist()  # labels
    top_k, min_score = options["top_k"], options["min_score"]
    ranked = sorted(range(len(scores)), key=lambda i: -scores[i])
    labels: list[dict[str, Any]] = [{"label": config.id2label[i], "score": scores[i]} for i in ranked]
    if min_score is not None and labels[0]["score"] < min_score:
        labels[0]["unsure"] = True
        output.notices.append(notice("unsure", score=format_number(labels[0]["score"], 2), least=min_score))
    return labels[0] if top_k is NOT_GIVEN else labels[:top_k]


def wrap(inputs: Any, answers: Any, call_options: Mapping[str, Any]) -> Any:
    """Wrap the answer to a single text in a list unless the call passed `top_k`, as `transformers` does."""
    return [answers] if isinstance(inputs, str) and "top_k" not in call_options else answers


def columns(config: Config, answer: Any) -> Mapping[str, Any]:
    """Return a text's answer as a row of a table; with several labels, each is a column with its score."""
    if isinstance(answer, Mapping):
        return answer
    if len(answer) == 1:
        return answer[0]  # type: ignore[no-any-return]
    scores = {label["label"]: label["score"] for label in answer}
    marks = {name: value for label in answer for name, value in label.items() if name not in ("label", "score")}
    return {label: scores.get(label) for label in config.id2label.values()} | marks


TRUNCATION_CHECK = one_of(True, False, None, "longest_first", "only_first", "only_second", "do_not_truncate")
FUNCTION_CHECK = Check(
    lambda name: isinstance(name, str) and name.lower() in SCORE_FUNCTIONS,
    Message(f"one of {', '.join(SCORE_FUNCTIONS)}", f"una de {', '.join(SCORE_FUNCTIONS)}"),
)

TEXT_CLASSIFICATION = Task(
    name="text-classification",
    head="sequence-classification",
    check=check,
    encode=encode,
    predict="predict",
    decode=decode,
    wrap=wrap,
    columns=columns,
    column_names=lambda config, options: (
        ("label", "score") if options["top_k"] in (NOT_GIVEN, 1) or config.num_labels == 1 else config.id2label.values()
    ),
    options={
        "top_k": Option(NOT_GIVEN, optional(whole(0))),
        "function_to_apply": Option(None, optional(FUNCTION_CHECK)),
        "min_score": Option(None, optional(number())),  # below it, the best label has "unsure": True
        "truncation": Option(False, TRUNCATION_CHECK),
        "max_length": Option(None, MAX_LENGTH),
        "padding": Option(False),
    },
)
