"""Calls of question-answering and zero-shot-classification, whose answers by transformers 4 answers.json records."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from small_checkpoints import ENGLISH, SPANISH
from small_encoders import NLI

Keywords = dict[str, Any]
Call = tuple[list[Any], Keywords]  # positional arguments, keywords
ES, EN = SPANISH.splitlines(), ENGLISH.splitlines()
CONTEXT = " ".join(ES[:3])
LONG = " ".join(ES)
REPEATED = "El gato y el perro. El gato y el perro. EL GATO Y EL PERRO, el gato y un perro negro."
QUESTIONS = ["¿Dónde está la biblioteca?", "¿Quién duerme en la casa?", "Who sleeps in the old house?"]
OTHER_LABELS = {"0": "Entailment", "1": "Contradiction"}
UNKNOWN_LABELS = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
LABELS = (NLI, OTHER_LABELS, UNKNOWN_LABELS)


def questions() -> Iterator[Call]:
    one = {"question": QUESTIONS[0], "context": CONTEXT}
    other = {"question": QUESTIONS[2], "context": " ".join(EN[:4])}
    keywords: Keywords
    for question in QUESTIONS:
        for context in (CONTEXT, ES[3], REPEATED, LONG, "Ñandú 🐈, «café»\n\ny  2.500 €.", "gato"):
            yield [], {"question": question, "context": context}
            yield [], {"question": question, "context": context, "top_k": 4}
    for keywords in (
        {"top_k": 1},
        {"top_k": 3},
        {"top_k": 40},
        {"max_answer_len": 1},
        {"max_answer_len": 2, "top_k": 6},
        {"max_answer_len": 200},
        {"handle_impossible_answer": True},
        {"handle_impossible_answer": True, "top_k": 5},
        {"handle_impossible_answer": True, "top_k": 40},
        {"align_to_words": False},
        {"align_to_words": False, "top_k": 5},
        {"max_seq_len": 40},
        {"max_seq_len": 40, "doc_stride": 10},
        {"max_seq_len": 32, "doc_stride": 4, "top_k": 3},
        {"max_seq_len": 32, "doc_stride": 4, "top_k": 3, "handle_impossible_answer": True},
        {"doc_stride": 0, "top_k": 8},
        {"max_question_len": 2},
        {"padding": "longest"},
        {"padding": "max_length", "top_k": 3},
        {"topk": 2},
        {"batch_size": 2},
    ):
        for context in (LONG, REPEATED):
            yield [], {"question": QUESTIONS[0], "context": context, **keywords}
    yield [one], {}
    yield [[one]], {"top_k": 2}
    yield [[one, other]], {}
    yield [[one, other]], {"top_k": 2}
    yield [QUESTIONS[0], CONTEXT], {}
    yield [one, other], {}
    yield [], {"question": QUESTIONS, "context": CONTEXT}
    yield [], {"question": QUESTIONS, "context": [CONTEXT, REPEATED, LONG]}
    yield [], {"question": QUESTIONS[:1], "context": [CONTEXT]}
    yield [], {"data": one}
    yield [], {"X": [one, other]}
    for wrong in (
        {},
        {"question": QUESTIONS[0]},
        {"context": CONTEXT},
        {"question": QUESTIONS, "context": [CONTEXT]},
        {"question": QUESTIONS[0], "context": [CONTEXT]},
        {"question": "", "context": CONTEXT},
        {"question": QUESTIONS[0], "context": ""},
        {"question": 5, "context": CONTEXT},
        one | {"top_k": 0},
        one | {"max_answer_len": 0},
        one | {"doc_stride": 41, "max_seq_len": 40},
        one | {"max_seq_len": 5},
    ):
        yield [], wrong
    yield [5], {}
    yield [{"question": QUESTIONS[0]}], {}
    yield [{"question": QUESTIONS[0], "text": CONTEXT}], {}


def classifications() -> Iterator[Call]:
    labels = ["animales", "viajes", "comida"]
    keywords: Keywords
    for text in (ES[0], CONTEXT):
        for keywords in (
            {"candidate_labels": labels},
            {"candidate_labels": "animales, viajes , comida,"},
            {"candidate_labels": labels, "multi_label": True},
            {"candidate_labels": ["animales"]},
            {"candidate_labels": "animales", "multi_label": True},
            {"candidate_labels": labels, "hypothesis_template": "Este texto trata de {}."},
            {"candidate_labels": labels, "hypothesis_template": "{}"},
            {"candidate_labels": labels, "hypothesis_template": "Es {0}, sí, {0}.", "multi_label": True},
            {"candidate_labels": ("a", "b")},
        ):
            yield [text], keywords
    yield [ES[0], labels], {}
    yield [ES[0], "gato,perro"], {"multi_label": True}
    yield [ES[0]], {"candidate_labels": labels, "multi_class": True}
    yield [], {"sequences": ES[0], "candidate_labels": labels}
    yield [ES[:3]], {"candidate_labels": labels}
    yield [ES[:3]], {"candidate_labels": labels, "batch_size": 2}
    yield [ES[:1]], {"candidate_labels": labels}
    yield [LONG], {"candidate_labels": labels}
    for wrong in (
        [[ES[0]], {}],
        [[ES[0]], {"candidate_labels": []}],
        [[ES[0]], {"candidate_labels": ""}],
        [[""], {"candidate_labels": labels}],
        [[ES[0]], {"candidate_labels": labels, "hypothesis_template": "sin hueco"}],
        [[ES[0], labels, labels], {}],
        [[5], {"candidate_labels": labels}],
    ):
        yield wrong[0], wrong[1]


def xquad(data: Path) -> list[tuple[str, str]]:
    articles = json.loads((data / "data" / "qa" / "xquad.es.json").read_text(encoding="utf-8"))["data"]
    return [(qa["question"], p["context"]) for article in articles for p in article["paragraphs"] for qa in p["qas"]]
