"""Question answering: the span of a context that answers a question, as in `transformers` 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro.checks import FLAG, Option, check_row_text, optional, short_repr, whole
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError, RowError
from gatonegro.i18n import Message
from gatonegro.preprocessing.transform import PreprocessedText
from gatonegro.tasks.task import MESSAGES, Encoded, RowOutput, Task, one_input
from gatonegro.tokenization import Tokenizer

MAX_SEQUENCE, MAX_STRIDE = 384, 128  # defaults, in tokens
EXCLUDED = np.float32(-10_000)  # logit of a token that is no part of an answer
PARTS = {"question": Message("a question", "una pregunta"), "context": Message("a context", "un contexto")}


def arguments(args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the rows and options of a call: of dicts, or of questions and contexts, by position or by name."""
    others = dict(options)
    given = {name: others.pop(name) for name in PARTS if name in others}
    if not given:
        if len(args) == 2 and all(isinstance(text, str) for text in args):
            return dict(zip(PARTS, args, strict=True)), others
        return (list(args), others) if len(args) > 1 else one_input(args, others)
    if args or len(given) < 2:
        raise OptionError(*MESSAGES["question_and_context"])
    questions, contexts = given["question"], given["context"]
    if not isinstance(questions, list | tuple):
        return given, others
    contexts = [contexts] * len(questions) if isinstance(contexts, str) else contexts
    if not isinstance(contexts, list | tuple) or len(contexts) != len(questions):
        raise InputError(*MESSAGES["question_lengths"].format(questions=len(questions), contexts=short_repr(contexts)))
    return [dict(zip(PARTS, pair, strict=True)) for pair in zip(questions, contexts, strict=True)], others


def check(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for an input row that is not {'question': …, 'context': …} with texts; it may have other keys."""
    if not isinstance(row, Mapping) or not row.keys() >= PARTS.keys():
        raise RowError(*MESSAGES["no_question"].format(row=short_repr(row)))
    for name, what in PARTS.items():
        check_row_text(row[name], what)


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode each question with windows of its context, which comes first if the tokenizer pads on the left."""
    most = min(config.max_tokens, tokenizer.model_max_length)
    limit = min(MAX_SEQUENCE if options["max_seq_len"] is None else options["max_seq_len"], most)
    stride = min(limit // 2, MAX_STRIDE) if options["doc_stride"] is None else options["doc_stride"]
    if stride > limit:
        raise OptionError(*MESSAGES["doc_stride"].format(stride=stride, limit=limit))
    asked = [row["question"] for row in rows]
    asked = tokenizer(asked, add_special_tokens=False, truncation=False, max_length=limit)["input_ids"]
    rest = limit - tokenizer.num_special_tokens_to_add(pair=True)
    first = tokenizer.padding_side == "right"
    ids, token_types, row_of, row_data = list[list[int]](), list[list[int]](), list[int](), list[Any]()
    errors: dict[int, InputError] = {}
    for i, row in enumerate(rows):
        row_data.append(())
        room = rest - len(asked[i])  # for the context in a window, which shares fewer tokens than it has
        if empty := next((name for name in PARTS if not row[name]), None):
            errors[i] = RowError(*MESSAGES["empty_part"].format(part=empty))
        elif room < 1:
            errors[i] = RowError(*MESSAGES["long_question"].format(limit=limit))
        else:
            batch = tokenizer(
                *(row[name] for name in (PARTS if first else reversed(PARTS))),
                truncation="only_second" if first else "only_first",
                max_length=limit,
                stride=min(stride, room - 1),
                return_token_type_ids=True,
                return_overflowing_tokens=True,
            )
            ids += batch["input_ids"]
            token_types += batch["token_type_ids"]
            row_of += [i] * len(batch["input_ids"])
            row_data[i] = batch.encodings
    return Encoded(ids, row_of, limit, token_types, row_data=row_data, errors=errors)


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> Any:
    """Return a row's best answer as a dict, or a list of answers if `top_k` asks for several and there are several.

    Spans of equal words, upper or lower case, are one answer: its score is the sum of theirs, and may exceed 1.
    """
    context, side = output.row["context"], int(tokenizer.padding_side == "right")
    count, aligned = options["top_k"], options["align_to_words"]
    answers: dict[str, dict[str, Any]] = {}
    null_score = np.inf
    for logits, encoding in zip(output.answers, output.data, strict=True):  # (s, 2)
        # all tokens if the context comes first, as in transformers; else the context's, and cls, for "no answer"
        allowed = np.array([side == 0 or part == 1 for part in encoding.sequence_ids])
        allowed |= np.array(encoding.ids) == (-1 if tokenizer.cls_token_id is None else tokenizer.cls_token_id)
        scores = np.where(allowed[:, None], logits, EXCLUDED)
        scores = np.exp(scores - scores.max(0))
        scores /= scores.sum(0)
        null_score = min(null_score, float(scores[0].prod()))  # the first token stands for "no answer"
        scores[0] = 0
        for start, end, score in best_spans(scores, count * 2 + 10 if aligned else count, options["max_answer_len"]):
            if allowed[start] and allowed[end]:
                a, b = characters(encoding, start, end, side if aligned else None)
                answer = {"score": 0.0, "start": a, "end": b, "answer": context[a:b]}
                answers.setdefault(context[a:b].lower(), answer)["score"] += score
    found = list(answers.values())
    if isinstance(context, PreprocessedText):
        for answer in found:
            a, b = answer["start"], answer["end"] = context.original_span(answer["start"], answer["end"])
            answer["answer"] = context.original[a:b]
    if options["handle_impossible_answer"]:
        found.append({"score": null_score, "start": 0, "end": 0, "answer": ""})
    found = sorted(found, key=lambda answer: -answer["score"])[:count]
    return found[0] if len(found) == 1 else found


def best_spans(scores: np.ndarray, count: int, max_length: int) -> list[tuple[int, int, float]]:
    """Return the best spans of tokens, as (first, last, score), from the probabilities (s, 2) of starts and ends."""
    products = np.tril(np.triu(np.outer(*scores.T)), min(max_length, len(scores)) - 1).ravel()  # (s · s,)
    if count == 1:
        best = products.argmax(keepdims=True)
    else:
        best = np.argpartition(-products, count)[:count] if len(products) > count else np.arange(len(products))
        best = best[np.argsort(-products[best])]
    return [(*divmod(int(i), len(scores)), float(products[i])) for i in best]


def characters(encoding: Any, start: int, end: int, side: int | None) -> tuple[int, int]:
    """Return the characters of a span of tokens or, with `side`, of the words in which it starts and ends, if any."""
    words = [] if side is None else [encoding.token_to_word(token) for token in (start, end)]
    spans = [] if None in words else [encoding.word_to_chars(word, side) for word in words]
    if spans and None not in spans:
        return spans[0][0], spans[1][1]
    return encoding.offsets[start][0], encoding.offsets[end][1]


def wrap(inputs: Any, answers: Any, call_options: Mapping[str, Any]) -> Any:
    """Return the answer to a single question without a list around it, as `transformers` does."""
    return answers[0] if not isinstance(inputs, Mapping) and len(answers) == 1 else answers


QUESTION_ANSWERING = Task(
    name="question-answering",
    head="question-answering",
    arguments=arguments,
    check=check,
    encode=encode,
    predict="predict",
    decode=decode,
    wrap=wrap,
    options={
        "top_k": Option(1, whole(1)),
        "max_answer_len": Option(15, whole(1)),  # in tokens
        "max_seq_len": Option(None, optional(whole(1))),  # of a window, with the question
        "doc_stride": Option(None, optional(whole(0))),  # tokens that two windows of a context share
        "handle_impossible_answer": Option(False, FLAG),
        "align_to_words": Option(True, FLAG),
    },
    example_model="mrm8488/bert-base-spanish-wwm-cased-finetuned-spa-squad2-es",
)
