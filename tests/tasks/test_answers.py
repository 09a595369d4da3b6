"""Tests of question answering and zero-shot classification against recorded answers of `transformers` 4."""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import near
from small import ROOT
from small_encoders import FAMILIES, make_encoder

sys.path.insert(0, str(ROOT / "tests" / "golden"))

from answer_calls import CONTEXT, ES, LABELS, LONG, QUESTIONS, REPEATED, classifications, questions, xquad

from gatonegro import AutoTokenizer, pipeline
from gatonegro.errors import GatonegroError, GatonegroWarning, InputError, OptionError, RowError

GOLDEN = json.loads((ROOT / "tests" / "golden" / "answers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """Return a pipeline that answers questions, by family and padding side."""
    made = {}

    def ask(kind, side="right"):
        if (kind, side) not in made:
            folder = make_encoder(kind, "question-answering", tmp_path_factory.mktemp(kind))
            tokenizer = AutoTokenizer.from_pretrained(folder)
            tokenizer.padding_side = side
            made[kind, side] = pipeline("question-answering", folder, tokenizer)
        return made[kind, side]

    return ask


@pytest.fixture(scope="module")
def classifying(tmp_path_factory):
    """Return a zero-shot classifier, by family and labels."""
    made = {}

    def classify(kind, labels=LABELS[0]):
        key = kind, labels["0"]
        if key not in made:
            ids = {label: int(i) for i, label in labels.items()}
            folder = tmp_path_factory.mktemp(kind)
            make_encoder(kind, "sequence-classification", folder, id2label=labels, label2id=ids)
            made[key] = pipeline("zero-shot-classification", folder)
        return made[key]

    return classify


def compare(pipe, calls, records, apart=lambda args, options: False):
    """Compare the answers to calls, and return the options of those that the reference refuses and we do not."""
    answered = []
    for (args, options), record in zip(calls, records, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GatonegroWarning)
            if "error" in record:
                with suppress(GatonegroError):
                    pipe(*args, **options)
                    answered.append({name: options[name] for name in options if name not in ("question", "context")})
            elif not apart(args, options):
                ours = pipe(*args, **options)
                assert near(without_sequence(ours), record["result"], 2e-5), (args, options, ours, record)
    return answered


def without_sequence(answer):
    if isinstance(answer, list):
        return list(map(without_sequence, answer))
    return {name: value for name, value in answer.items() if name != "sequence"}


@pytest.mark.parametrize("kind", FAMILIES)
def test_checkpoints_are_those_of_the_record(kind, tmp_path):
    folder = make_encoder(kind, "question-answering", tmp_path)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in folder.iterdir()}
    hashes.pop("tokenizer.json", None)  # its layout depends on the version of tokenizers
    assert hashes.items() <= GOLDEN["files"][kind].items()


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("side", ["right", "left"])
def test_answers_to_questions_are_those_of_transformers_4(asking, kind, side):
    """With a tokenizer that pads on the left, the reference shifts the spans of windows that it was told to pad."""
    pipe, records = asking(kind, side), GOLDEN[f"{kind} {side}"]
    answered = compare(pipe, questions(), records, lambda args, options: side == "left" and "padding" in options)
    # the reference's windows of 40 tokens have no room for 20 shared ones beside a question; ours share fewer
    assert answered in ([], [{"max_seq_len": 40}] * 2)


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: labels["0"])
def test_zero_shot_labels_are_those_of_transformers_4(classifying, kind, labels):
    assert not compare(classifying(kind, labels), classifications(), GOLDEN[f"{kind} {labels['0']}"])


@pytest.mark.shared
def test_answers_in_long_texts(tmp_path, shared):
    folder = make_encoder("bert", "question-answering", tmp_path, max_position_embeddings=384)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.position_limit = tokenizer.model_max_length = 384
    ask, rows = pipeline("question-answering", folder, tokenizer, language_check="off"), xquad(shared)
    chosen = [rows[i] for i, *_ in GOLDEN["xquad"]]
    texts = {"question": [question for question, _ in chosen], "context": [context for _, context in chosen]}
    with pytest.warns(GatonegroWarning, match="windows"):
        answers = ask(**texts, top_k=2)
    for (_, context), ours, (_, *expected) in zip(chosen, answers, GOLDEN["xquad"], strict=True):
        assert near([[answer[name] for name in ("start", "end", "score")] for answer in ours], expected, 2e-5)
        assert all(context[answer["start"] : answer["end"]] == answer["answer"] for answer in ours)


def test_equal_answers_are_one_whose_score_is_their_sum(asking):
    ask = asking("bert")
    answers = ask(question=QUESTIONS[0], context=REPEATED, top_k=100)
    words = [answer["answer"].lower() for answer in answers]
    assert len(words) == len(set(words)) > 5
    assert isinstance(ask(question=QUESTIONS[0], context=REPEATED, top_k=1), dict)
    assert any(
        record["result"]["score"] > 1 for record in GOLDEN["bert left"] if isinstance(record.get("result"), dict)
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(question=TEXT, context=TEXT, top=st.integers(1, 5))
def test_an_answer_is_a_span_of_its_context(asking, question, context, top):
    for kind in FAMILIES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GatonegroWarning)
            try:
                answers = asking(kind)(question=question, context=context, top_k=top)
            except RowError as error:
                assert "leaves no room" in str(error)
                continue
        for answer in answers if isinstance(answers, list) else [answers]:
            assert answer["answer"] == context[answer["start"] : answer["end"]] and answer["score"] >= 0


def test_places_are_those_in_the_text_before_it_was_preprocessed(asking):
    def spell(text):
        return text.replace("🐈", "gato negro")

    model, tokenizer = asking("bert").model, asking("bert").tokenizer
    ask = pipeline("question-answering", model, tokenizer, preprocess=spell, top_k=30, align_to_words=False)
    context = "el 🐈 duerme en la casa"
    answers = ask(question="¿quién?", context=context)
    assert "🐈" in [answer["answer"] for answer in answers]
    assert all(context[answer["start"] : answer["end"]] == answer["answer"] for answer in answers)


ONE = {"question": QUESTIONS[0], "context": CONTEXT}


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ([], {}, OptionError, "takes one input"),
        ([], {"question": "a"}, OptionError, "pass question= and context="),
        ([ONE], ONE, OptionError, "pass question= and context="),
        ([], {"question": ["a"], "context": ["b", "c"]}, InputError, "1 questions"),
        (["a"], {}, RowError, "item 0 is 'a'; expected {'question'"),
        ([{"question": "a"}], {}, RowError, "expected {'question'"),
        ([[ONE, {**ONE, "context": 5}]], {}, RowError, "item 1 is int 5; expected a context"),
        ([[ONE, {**ONE, "context": ""}]], {}, RowError, "item 1 has an empty context"),
        ([], {**ONE, "question": "ñ " * 90}, RowError, "leaves no room for its context"),
        ([], {**ONE, "doc_stride": 65}, OptionError, "doc_stride=65 is more than the 64 tokens"),
        ([], {**ONE, "topk": 0}, OptionError, "top_k must be"),
        ([], {**ONE, "top_k": 2, "topk": 3}, OptionError, "two names of one argument"),
    ],
)
def test_a_call_that_asks_nothing_is_refused(asking, args, options, error, message):
    with pytest.raises(error, match=message):
        asking("bert")(*args, **options)


def test_limits_have_no_limit(asking):
    ask = asking("bert")
    assert ask(question="¿?", context="gato gato", max_answer_len=2**80, top_k=2**40)[0]["answer"]


def test_rows_may_have_other_keys_and_missing_texts(asking):
    ask, row = asking("bert"), {"question": "¿quién?", "context": ES[5], "id": 3, "answers": []}
    one = ask(question=row["question"], context=row["context"])
    assert ask(row) == one and ask([row, {**row, "context": None}]) == [ask(row), None]
    assert list(ask(iter([row, row]))) == [ask(row)] * 2


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ([CONTEXT], {}, OptionError, "needs candidate_labels="),
        ([CONTEXT, []], {}, OptionError, "candidate_labels must be a list of labels"),
        ([CONTEXT, " , "], {}, OptionError, "candidate_labels must be a list of labels"),
        ([CONTEXT, ["a", 3]], {}, OptionError, "candidate_labels must be a list of labels"),
        ([CONTEXT, "a", "b"], {}, OptionError, "takes one input"),
        (
            [CONTEXT, "a"],
            {"hypothesis_template": "no place"},
            OptionError,
            "hypothesis_template must be a text with {}",
        ),
        ([CONTEXT, "a"], {"hypothesis_template": "{b}"}, OptionError, "hypothesis_template must be a text with {}"),
        ([CONTEXT, "a " * 90], {}, OptionError, "leaves no room for the text"),
        ([["a", ""], "a"], {}, RowError, "item 1 is empty"),
    ],
)
def test_a_classification_without_labels_is_refused(classifying, args, options, error, message):
    with pytest.raises(error, match=message):
        classifying("bert")(*args, **options)


def test_labels_have_notices(classifying):
    (answer,) = classifying("bert", LABELS[2]).run([([ES[4]], {"candidate_labels": "a,b"})])
    assert {notice.kind for notice in answer.notices} >= {"entailment", "template"}
    options = {"candidate_labels": "a,b", "hypothesis_template": "Es {}."}
    (answer,) = classifying("bert").run([([ES[4]], options)])
    assert not {notice.kind for notice in answer.notices} & {"entailment", "template", "windows"}
    (answer,) = classifying("bert").run([([LONG], options)])
    assert "cut" in {notice.kind for notice in answer.notices}
    assert answer.value["sequence"] == LONG


def test_default_labels_and_original_texts(classifying):
    model, tokenizer = classifying("bert").model, classifying("bert").tokenizer
    classify = pipeline(
        "zero-shot-classification",
        model,
        tokenizer,
        preprocess=str.upper,
        candidate_labels="a,b",
        hypothesis_template="Es {}.",
    )
    answers = classify([ES[0]])
    assert answers[0]["sequence"] == ES[0] and sorted(answers[0]["labels"]) == ["a", "b"]
    assert sum(answers[0]["scores"]) == pytest.approx(1)
