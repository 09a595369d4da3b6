"""Fixtures of the tests in tests/pipelines/."""

import pytest
from rows import BAD, LONG, MASKED, SENTENCES, TEXTS
from small_encoders import make_encoder

from gatonegro import (
    AutoTokenizer,
    pipeline,
)
from gatonegro.pipelines import base


@pytest.fixture(scope="module")
def tagger(make_folder):
    return make_folder("token-classification", seed=3, id2label={0: "O", 1: "B-PER", 2: "I-PER"})


@pytest.fixture(scope="module")
def make_pipeline(tiny, tagger, make_folder, parts, tmp_path_factory):
    """Return `make_pipeline(name)`, which returns a case's pipeline, its valid and its invalid rows."""
    cases = {
        "classes": (("sentiment-analysis", tiny), [*TEXTS, {"text": "no", "text_pair": LONG}], [*BAD, {}]),
        "all scores": (("sentiment-analysis", tiny), TEXTS, BAD, {"top_k": None}),
        "tokens": (("ner", tagger), TEXTS, BAD, {"ignore_labels": []}),
        "words": (
            ("ner", tagger), [["el", "gato"], ("casa",), []], ["el gato", 5, ["el", 3], ["el", None]],
            {"is_split_into_words": True, "ignore_labels": []},
        ),
        "questions": (
            ("question-answering", make_encoder("roberta", "question-answering", tmp_path_factory.mktemp("questions"))),
            [{"question": "¿qué?", "context": text} for text in [*TEXTS[:1], *TEXTS[2:]]],
            [*BAD, "hola", {"question": "¿qué?"}, {"question": "", "context": "hola"}], {"top_k": 2},
        ),
        "labels": (
            ("zero-shot-classification", make_folder(id2label={0: "no", 1: "entailment"})),
            [*TEXTS[:1], *TEXTS[2:]], [*BAD, ""], {"candidate_labels": ["perro", "gato"]},
        ),
        "masks": (("fill-mask", make_folder("masked-lm", seed=4)), MASKED, [*BAD, "no mask", ""]),
        "vectors": (("feature-extraction", make_folder("pooler", seed=5)), TEXTS, BAD, {"pooling": "mean"}),
        "translation": (("translation", *parts["marian"]), SENTENCES, BAD, {"max_new_tokens": 8}),
        "T5": (("text2text-generation", *parts["t5"]), SENTENCES, BAD, {"max_new_tokens": 6, "num_beams": 2}),
        "prompts": (("text-generation", *parts["gpt2"]), SENTENCES[:1] + SENTENCES[2:], [*BAD, "gato " * 900],
                    {"max_new_tokens": 6, "do_sample": False}),
    }  # fmt: skip
    made = {}

    def make(name):
        if name not in made:
            arguments, good, bad, *options = cases[name]
            made[name] = pipeline(*arguments, **(options[0] if options else {})), good, bad
        return made[name]

    return make


@pytest.fixture(autouse=True)
def usual_windows(monkeypatch):
    """Restore the sizes of windows after a test."""
    for name in ("FIRST_WINDOW_ROWS", "MAX_WINDOW_ROWS", "GENERATE_WINDOW_ROWS"):
        monkeypatch.setattr(base, name, getattr(base, name))


@pytest.fixture(scope="module")
def theirs():
    """Return `theirs(folder, **options)`, the pipeline of `transformers` on a folder."""
    hf = pytest.importorskip("transformers")
    return lambda folder, **options: hf.pipeline("sentiment-analysis", model=str(folder), device="cpu", **options)


@pytest.fixture(scope="module")
def classify(tiny):
    return pipeline("sentiment-analysis", model=tiny)


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)
