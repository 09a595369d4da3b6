"""`Pipeline.run`: an answer per row, whatever the rows."""

import copy
import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import BUILT_IN, SENTENCES, TEXTS, near

from gatonegro import pipeline
from gatonegro.errors import (
    CheckpointError,
    GatonegroWarning,
    HubError,
    InputError,
    OptionError,
    RowError,
    TokenizerError,
)
from gatonegro.operators import kernels
from gatonegro.pipelines import Answer, base
from gatonegro.pipelines.loop import Settings

CASES = [
    "classes",
    "all scores",
    "tokens",
    "words",
    "questions",
    "labels",
    "masks",
    "vectors",
    "translation",
    "T5",
    "prompts",
]


def alone(pipe, row):
    """Return the error that a call with one row raises."""
    with pytest.raises(InputError) as caught:
        list(pipe(iter([row])))
    return caught.value


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("window", [256, 3])
@given(data=st.data())
@settings(max_examples=6)
def test_bad_rows_change_nothing_of_the_good_ones(make_pipeline, name, window, data):
    pipe, good, bad = make_pipeline(name)
    base.FIRST_WINDOW_ROWS, base.MAX_WINDOW_ROWS, base.GENERATE_WINDOW_ROWS = window, max(window, 4), (window, window)
    kinds = data.draw(st.lists(st.booleans(), min_size=1, max_size=12))
    rows = [data.draw(st.sampled_from(good if kind else bad)) for kind in kinds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GatonegroWarning)
        # of a generator, answers are as they are; of a list, some tasks unwrap them as transformers does
        expected = pipe(row for row, kind in zip(rows, kinds, strict=True) if kind)
        expected = iter(list(expected))
        answers = list(pipe.run([(rows, {})]))
    assert len(answers) == len(rows)
    # kernels multiply to the bit, but the heads do not: theirs are products of as many rows as the batch has sequences
    tolerance = 1e-6 if kernels.available() and name != "masks" else 1e-4
    for i, (answer, row, kind) in enumerate(zip(answers, rows, kinds, strict=True)):
        if kind:
            assert answer.error is None
            assert near(answer.value, next(expected), tolerance)
        else:
            error = alone(pipe, row)
            assert answer.value is None and answer.error.item == i
            assert type(answer.error) is type(error) and answer.error.args == error.args
            for lang in ("en", "es"):
                assert str(i) in answer.error.in_(lang)


@pytest.mark.parametrize("name", CASES)
def test_parts_have_options_of_their_own_and_rows_are_numbered_through(make_pipeline, name):
    pipe, good, bad = make_pipeline(name)
    option = {"batch_size": 1} if name in ("words", "vectors") else {"truncation": True}
    options = {
        "tokens": {"stride": 2},
        "words": {"stride": 2},
        "questions": {"top_k": 1},
        "labels": {"multi_label": True},
    }
    option = options.get(name, option)
    requested = []

    def parts():
        for number, options in enumerate(({}, option, {})):
            requested.append(number)
            yield [good[0], bad[0]], options

    answers = []
    for answer in pipe.run(parts()):
        answers.append(answer)
        assert len(requested) == (len(answers) + 1) // 2  # all rows of a part are answered before the next is asked for
    assert [answer.error is None for answer in answers] == [True, False] * 3
    assert [answer.error.item for answer in answers[1::2]] == [1, 3, 5]


def test_what_would_fail_for_every_row_raises(tiny, make_folder, monkeypatch):
    pipe = pipeline("sentiment-analysis", tiny)
    with pytest.raises(OptionError, match="topk"):
        list(pipe.run([(["hola"], {}), (["hola"], {"topk": 1})]))
    with pytest.raises(OptionError, match="batch_size"):
        list(pipe.run([(["hola"], {"batch_size": 0})]))
    for part in ("hola", ["hola"], ("hola", {}), (["hola"], None), (3, {}), {"a": 1, "b": 2}, (["hola"], {}, 3)):
        with pytest.raises(InputError, match="a part is a tuple of rows"):
            list(pipe.run([part]))
    with pytest.raises(InputError, match="different models"):
        small = pipeline("sentiment-analysis", make_folder(vocab_size=50), pipe.tokenizer)
        list(small.run([(["el gato es bueno"], {})]))

    def full(*args, **options):
        raise MemoryError

    monkeypatch.setattr(type(pipe.model), "run", full)
    with pytest.raises(MemoryError):
        list(pipe.run([(["hola"], {})]))


def broken(pipe, monkeypatch, only):
    """Make the model's output NaN for sequences of `only` tokens."""
    run = type(pipe.model).run

    def nan(self, packed, rows=None):
        out = run(self, packed, rows).clone()
        for n, length in enumerate(packed.lengths):
            if only(length):
                out[n] = float("nan")
        return out

    monkeypatch.setattr(type(pipe.model), "run", nan)


def test_an_answer_that_is_not_finite_is_its_rows_error(tiny, monkeypatch):
    pipe = pipeline("sentiment-analysis", tiny)
    rows = ["el gato", "el gato es bueno", 3, "la casa"]
    broken(pipe, monkeypatch, lambda length: length == 6)
    answers = list(pipe.run([(rows, {})]))
    assert [type(answer.error) for answer in answers] == [type(None), CheckpointError, RowError, type(None)]
    assert "NaN" in str(answers[1].error) and answers[1].error.item == 1
    with pytest.raises(CheckpointError, match="item 1"):
        pipe(rows[:2])
    with pytest.raises(CheckpointError):  # no row of the first window has an answer
        list(pipe.run([(["el gato es bueno", 3, None], {})]))
    assert [answer.error is None for answer in pipe.run([(iter(rows[1::-1]), {})])] == [False, True]
    later = list(pipe.run([(["el gato"], {}), (["el gato es bueno"], {})]))
    assert [answer.error is None for answer in later] == [True, False]


def test_a_model_that_generates_nan_fails_for_its_row_alone(parts, monkeypatch):
    pipe = pipeline("text2text-generation", *parts["t5"], max_new_tokens=4, num_beams=1)
    generate = pipe.task_record.generate

    def sometimes(model, tokenizer, ids, options):
        if any(len(row) == min(map(len, every)) for row in ids):
            raise CheckpointError("NaN", "NaN")
        return generate(model, tokenizer, ids, options)

    every = pipe.tokenizer([SENTENCES[0], "Hola"])["input_ids"]
    monkeypatch.setitem(pipe.__dict__, "loop", copy.copy(pipe.loop))
    object.__setattr__(pipe.loop, "task", type(pipe.task_record)(**{**vars(pipe.task_record), "generate": sometimes}))
    first, second = pipe.run([([SENTENCES[0], "Hola"], {})])
    assert first.error is None and isinstance(second.error, CheckpointError)


def test_an_error_that_does_not_name_its_row_is_found(tiny):
    pipe = pipeline("sentiment-analysis", tiny)
    encode, calls = pipe.task_record.encode, []

    def picky(tokenizer, config, rows, options):
        calls.append(len(rows))
        if "casa" in rows:
            raise InputError("some row is a house", "alguna fila es una casa")
        return encode(tokenizer, config, rows, options)

    object.__setattr__(pipe.loop, "task", type(pipe.task_record)(**{**vars(pipe.task_record), "encode": picky}))
    rows = ["gato"] * 300
    rows[7] = rows[211] = "casa"
    answers = list(pipe.run([(rows, {})]))
    assert [i for i, answer in enumerate(answers) if answer.error] == [7, 211]
    assert str(answers[211].error) == "item 211: some row is a house"
    assert max(calls) == 256 and len(calls) < 50


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda text: None, "returned NoneType"),
        (lambda text: 1 / 0, "failed for the text 'casa'"),
        (lambda text: "\ud83d", "lone"),
    ],
)
def test_a_function_that_prepares_texts_fails_for_its_row(tiny, prepare, message):
    pipe = pipeline("sentiment-analysis", tiny, preprocess=lambda text: prepare(text) if text == "casa" else text)
    good, bad = pipe.run([(["gato", "casa"], {})])
    assert good.error is None and isinstance(bad.error, InputError) and message in str(bad.error)


def with_encode(pipe, encode):
    object.__setattr__(pipe.loop, "task", type(pipe.task_record)(**{**vars(pipe.task_record), "encode": encode}))


def test_many_errors_that_name_their_rows_cost_few_encodings(tiny):
    pipe, calls = pipeline("sentiment-analysis", tiny), []
    encode = pipe.task_record.encode

    def picky(tokenizer, config, rows, options):
        calls.append(len(rows))
        if "casa" in rows:
            raise RowError("is a house", "es una casa", item=rows.index("casa"))
        return encode(tokenizer, config, rows, options)

    with_encode(pipe, picky)
    answers = list(pipe.run([(["gato", "casa"] * 100, {})]))
    assert [answer.error is None for answer in answers] == [True, False] * 100
    assert sum(calls) < 200 * 12


def test_what_the_tokenizer_cannot_encode_is_its_rows_error_unless_it_is_every_rows(tiny):
    pipe = pipeline("sentiment-analysis", tiny)
    encode = pipe.task_record.encode

    def picky(tokenizer, config, rows, options):
        if "casa" in rows:
            raise TokenizerError("the tokenizer cannot encode this", "el tokenizador no puede codificar esto")
        return encode(tokenizer, config, rows, options)

    with_encode(pipe, picky)
    answers = list(pipe.run([(["gato", "casa", "perro"], {})]))
    assert [type(answer.error) for answer in answers] == [type(None), TokenizerError, type(None)]
    with pytest.raises(TokenizerError):
        list(pipe.run([(["casa", "casa"], {})]))


class Boom(dict):
    def __iter__(self):
        raise ZeroDivisionError

    keys = values = __iter__


@pytest.mark.parametrize("row", [Boom(text="a"), {10**5000: 1}, {"text": Boom()}])
def test_rows_whose_own_methods_fail(tiny, row):
    good, bad, other = pipeline("sentiment-analysis", tiny).run([(["gato", row, "gato"], {})])
    assert good.value == other.value and isinstance(bad.error, RowError) and bad.error.item == 1


def test_pairs_without_room_leave_the_others_alone(tiny):
    rows = ["gato", {"text": "a", "text_pair": "b"}, "el"]
    answers = list(pipeline("sentiment-analysis", tiny).run([(rows, {"max_length": 4})]))
    assert [answer.error is None for answer in answers] == [True, False, True]


def test_rows_that_were_read_before_their_source_failed_are_answered(tiny):
    answers: list[Answer] = []
    rows = (1 / (n < 100) and "gato" for n in range(200))
    with pytest.raises(ZeroDivisionError):
        answers.extend(pipeline("sentiment-analysis", tiny).run([(rows, {})]))
    assert len(answers) == 100


def test_an_error_keeps_no_row_in_memory(tiny):
    class Text(str):
        __slots__ = ("__weakref__",)

    rows = [Text("gato"), 3]
    alive = weakref.ref(rows[0])
    gc.disable()
    try:
        error = list(pipeline("sentiment-analysis", tiny).run([(rows, {})]))[1].error
        del rows
        assert alive() is None and error.item == 1
    finally:
        gc.enable()


@BUILT_IN
def test_routing_answers_good_rows_whatever_happens_to_the_others(monkeypatch):
    english = pipeline("sentiment-analysis", "demo-en")
    texts = ["The teacher is good, everything is easy", "El profesor es bueno, todo será sencillo", 5, 3] * 3
    monkeypatch.setattr(base, "FIRST_WINDOW_ROWS", 2)
    monkeypatch.setattr(base, "MAX_WINDOW_ROWS", 3)
    answers = list(english.run([(texts, {"language_check": "route"})]))
    expected = iter(english([text for text in texts if isinstance(text, str)], language_check="route"))
    for i, (answer, text) in enumerate(zip(answers, texts, strict=True)):
        if isinstance(text, str):
            assert near(answer.value, next(expected))
        else:
            assert isinstance(answer.error, RowError) and answer.error.item == i
    broken(english, monkeypatch, lambda length: True)  # the models answer with one class
    with pytest.raises(CheckpointError):
        list(english.run([(texts[:1], {"language_check": "route"})]))
    monkeypatch.undo()

    def unreachable(language):
        raise HubError("no network", "sin red")

    english.__dict__.pop("_router", None)
    english._route = unreachable
    answers = list(english.run([(texts, {"language_check": "route"})]))
    assert all(answer.value["model"] == "demo-en" for answer in answers if answer.error is None)
    assert answers[1].notices[0].kind == "language"


def test_bf16_answers_alike(tiny):
    pipe = pipeline("sentiment-analysis", tiny, precision="bf16", top_k=None)
    rows = [*TEXTS, None, 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GatonegroWarning)
        expected = pipe(TEXTS)
    assert near([answer.value for answer in pipe.run([(rows, {})])][: len(TEXTS)], expected, 1e-2)


def test_tasks_get_arrays_and_never_tensors(make_pipeline, monkeypatch):
    for name in ("classes", "tokens", "masks", "vectors"):
        pipe, good, _ = make_pipeline(name)
        ask, seen = getattr(type(pipe.running), pipe.task_record.predict), []
        spy = type(pipe.task_record)(
            **{
                **vars(pipe.task_record),
                "predict": lambda *args, ask=ask, seen=seen, **options: (
                    seen.extend(ask(*args, **options)) or seen[-len(args[1]) :]
                ),
            }
        )
        loop = copy.copy(pipe.loop)
        object.__setattr__(loop, "task", spy)
        list(loop.answer(good[:2], Settings(pipe.options)))
        assert seen and all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in seen)
    assert isinstance(
        pipeline("feature-extraction", pipe.model, pipe.tokenizer)("gato", return_tensors=True), torch.Tensor
    )
