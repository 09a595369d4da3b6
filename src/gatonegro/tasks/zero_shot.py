"""Zero-shot classification: labels chosen by the caller, each scored as a hypothesis that a text entails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro.checks import FLAG, Check, Option, check_row_text
from gatonegro.config import Config
from gatonegro.errors import OptionError, RowError
from gatonegro.i18n import Message
from gatonegro.language import detect_language
from gatonegro.operators.plain import softmax
from gatonegro.tasks.task import MESSAGES, Encoded, RowOutput, Task, notice, one_input
from gatonegro.tokenization import Tokenizer

TEMPLATE = "This example is {}."  # the default


def arguments(args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the texts and options of a call, whose labels may be its second argument."""
    others = dict(options)
    if len(args) == 2 and "candidate_labels" not in others:
        *args, others["candidate_labels"] = args  # type: ignore[assignment]
    return one_input(args, others)


def labels_of(labels: Any) -> list[str]:
    """Return the labels in a list, or in a text in which commas separate them."""
    return [part for label in labels.split(",") if (part := label.strip())] if isinstance(labels, str) else list(labels)


def check(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for an input row that is not a text or is empty."""
    check_row_text(row)
    if not row:
        raise RowError(*MESSAGES["empty_text"])


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode each text with each label's hypothesis as a pair, and cut a long text, with a notice."""
    if options["candidate_labels"] is None:
        raise OptionError(*MESSAGES["no_labels"])
    limit, template = min(config.max_tokens, tokenizer.model_max_length), options["hypothesis_template"]
    hypotheses = [template.format(label) for label in labels_of(options["candidate_labels"])]
    alone = tokenizer(hypotheses, add_special_tokens=False, truncation=False, max_length=limit)["input_ids"]
    if max(map(len, alone)) + tokenizer.num_special_tokens_to_add(pair=True) >= limit:
        raise OptionError(*MESSAGES["long_labels"].format(limit=limit))
    texts, row_of = zip(*((row, i) for i, row in enumerate(rows) for _ in hypotheses), strict=True)
    batch = tokenizer(list(texts), hypotheses * len(rows), truncation="only_first", max_length=limit)
    notices: dict[int, list[Any]] = {}
    for i, encoding in zip(row_of, batch.encodings or (), strict=True):
        if encoding.overflowing and i not in notices:
            notices[i] = [notice("cut", limit=limit)]
    if template == TEMPLATE and detect_language(" ".join(rows[:8])) == "es":
        notices.setdefault(0, []).append(notice("template"))
    types = batch.get("token_type_ids")
    return Encoded(batch["input_ids"], row_of, limit, types, notices=notices, windows=False)


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels and their scores, best first: one probability each, or one distribution over all labels."""
    logits = np.stack(output.answers)  # (labels, classes)
    labels = labels_of(options["candidate_labels"])
    entailment = next((i for label, i in config.label2id.items() if label.lower().startswith("entail")), -1)
    if entailment == -1:
        output.notices.append(notice("entailment", labels=", ".join(config.label2id)))
    if options["multi_label"] or len(labels) == 1:
        scores = softmax(logits[:, [-1 if entailment == 0 else 0, entailment]])[:, 1]  # against contradiction
    else:
        scores = softmax(logits[:, entailment])
    order = scores.argsort()[::-1]
    sequence = getattr(output.row, "original", output.row)
    return {"sequence": sequence, "labels": [labels[i] for i in order], "scores": scores[order].tolist()}


def has_place(template: Any) -> bool:
    """Return True if a template is a text that a label can be put into."""
    try:
        return isinstance(template, str) and template.format("label") != template
    except (LookupError, ValueError, AttributeError):
        return False


LABELS_CHECK = Check(
    lambda x: (
        isinstance(x, str | list | tuple) and bool(labels_of(x)) and all(isinstance(y, str) for y in labels_of(x))
    ),
    Message("a list of labels, or a text with commas between them", "una lista de etiquetas, o un texto con comas"),
)
ZERO_SHOT = Task(
    name="zero-shot-classification",
    head="sequence-classification",
    arguments=arguments,
    check=check,
    encode=encode,
    predict="predict",
    decode=decode,
    options={
        "candidate_labels": Option(None, LABELS_CHECK),
        "hypothesis_template": Option(
            TEMPLATE, Check(has_place, Message("a text with {} for the label", "un texto con {} para la etiqueta"))
        ),
        "multi_label": Option(False, FLAG),
    },
    example_model="joeddav/xlm-roberta-large-xnli",
)
