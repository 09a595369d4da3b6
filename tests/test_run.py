"""`Pipeline.run`: an answer per row, whatever the rows; calls on top of it; other processes and threads."""

import copy
import gc
import multiprocessing
import pickle
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, hub, pipeline
from gatonegro.engine import kernels
from gatonegro.errors import (
    CheckpointError,
    GatonegroWarning,
    HubError,
    InputError,
    LanguageMismatchError,
    OptionError,
    RowError,
    TokenizerError,
)
from gatonegro.pipelines import Answer, Notice, base
from gatonegro.pipelines.loop import Settings

LONG = "el gato es bueno " * 40
TEXTS = ["el gato es bueno", "", "la casa no es nada", LONG, "¿ perro ?", "todo", "una película " * 9]
BAD = [None, float("nan"), 3, b"hola", "hola \ud83d", ["hola"], object()]
MASKED = [f"{text[:200]} [MASK]" for text in TEXTS]
SENTENCES = [
    "El gato negro duerme en la casa vieja.",
    "",
    "¿Dónde está la biblioteca? No entiendo.",
    "Hola\n\n- 3 gatos",
]
BUILT_IN = pytest.mark.skipif("demo-en" not in hub.built_in_models(), reason="the built-in models are not installed")


@pytest.fixture(scope="module")
def tagger(make_folder):
    return make_folder("token-classification", seed=3, id2label={0: "O", 1: "B-PER", 2: "I-PER"})


@pytest.fixture(scope="module")
def make_pipeline(tiny, tagger, make_folder, parts):
    """`make_pipeline(name)` → a pipeline, its good rows and its bad ones, by the name of a case."""
    cases = {
        "classes": (("sentiment-analysis", tiny), [*TEXTS, {"text": "no", "text_pair": LONG}], [*BAD, {}]),
        "all scores": (("sentiment-analysis", tiny), TEXTS, BAD, {"top_k": None}),
        "tokens": (("ner", tagger), TEXTS, BAD, {"ignore_labels": []}),
        "words": (
            ("ner", tagger), [["el", "gato"], ("casa",), []], ["el gato", None, ["el", 3]],
            {"is_split_into_words": True, "ignore_labels": []},
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


CASES = ["classes", "all scores", "tokens", "words", "masks", "vectors", "translation", "T5", "prompts"]


def near(ours, theirs, tolerance=1e-4) -> bool:
    """The same shape, keys, labels and texts; numbers as near as that."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(near(ours[key], theirs[key], tolerance) for key in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(near, ours, theirs, [tolerance] * len(theirs)))
    if isinstance(theirs, float):
        return abs(ours - theirs) <= tolerance
    return ours == theirs


def alone(pipe, row):
    """What calling a pipeline with one row raises."""
    with pytest.raises(InputError) as caught:
        list(pipe(iter([row])))
    return caught.value


@pytest.fixture(autouse=True)
def usual_windows(monkeypatch):
    """Put back what a test says of windows."""
    for name in ("FIRST_WINDOW_ROWS", "MAX_WINDOW_ROWS", "GENERATE_WINDOW_ROWS"):
        monkeypatch.setattr(base, name, getattr(base, name))


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
    # to the bit where kernels multiply, which the masked LM's head does not know
    tolerance = 0.0 if kernels.available() and name != "masks" else 1e-4
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
    if name in ("tokens", "words"):
        option = {"stride": 2}
    asked = []

    def parts():
        for number, options in enumerate(({}, option, {})):
            asked.append(number)
            yield [good[0], bad[0]], options

    answers = []
    for answer in pipe.run(parts()):
        answers.append(answer)
        assert len(asked) == (len(answers) + 1) // 2  # all rows of a part are answered before the next is asked for
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
        list(pipeline("sentiment-analysis", make_folder(vocab_size=50)).run([(["el gato es bueno"], {})]))

    def full(*args, **options):
        raise MemoryError

    monkeypatch.setattr(type(pipe.model), "run", full)
    with pytest.raises(MemoryError):
        list(pipe.run([(["hola"], {})]))


def broken(pipe, monkeypatch, only):
    """Let the model's answer be NaN for sequences of `only` tokens."""
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
    rows = ["el gato", "el gato es bueno", None, "la casa"]
    broken(pipe, monkeypatch, lambda length: length == 6)
    answers = list(pipe.run([(rows, {})]))
    assert [type(answer.error) for answer in answers] == [type(None), CheckpointError, RowError, type(None)]
    assert "NaN" in str(answers[1].error) and answers[1].error.item == 1
    with pytest.raises(CheckpointError, match="item 1"):
        pipe(rows[:2])
    with pytest.raises(CheckpointError):  # no row of the first window has an answer
        list(pipe.run([(["el gato es bueno", None], {})]))
    assert [answer.error is None for answer in pipe.run([(iter(rows[1::-1]), {})])] == [False, True]
    later = list(pipe.run([(["el gato"], {}), (["el gato es bueno"], {})]))
    assert [answer.error is None for answer in later] == [True, False]


def test_a_model_that_writes_nan_fails_for_its_row_alone(parts, monkeypatch):
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
    ("prepare", "said"),
    [
        (lambda text: None, "gave NoneType"),
        (lambda text: 1 / 0, "failed for the text 'casa'"),
        (lambda text: "\ud83d", "lone"),
    ],
)
def test_a_function_that_prepares_texts_fails_for_its_row(tiny, prepare, said):
    pipe = pipeline("sentiment-analysis", tiny, preprocess=lambda text: prepare(text) if text == "casa" else text)
    good, bad = pipe.run([(["gato", "casa"], {})])
    assert good.error is None and isinstance(bad.error, InputError) and said in str(bad.error)


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

    rows = [Text("gato"), None]
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
    texts = ["The teacher is good, everything is easy", "El profesor es bueno, todo será sencillo", None, 3] * 3
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


# notices


def kinds(answers):
    return [[notice.kind for notice in answer.notices] for answer in answers]


def test_every_answer_carries_its_notices(tiny, parts):
    pipe = pipeline("sentiment-analysis", tiny, min_score=0.999)
    rows = ["el gato", LONG, {"text": "no", "text_pair": LONG}, LONG]
    for _ in range(2):  # whatever was warned of
        answers = list(pipe.run([(rows, {})]))
        assert kinds(answers) == [["unsure"], ["windows", "unsure"], ["cut", "unsure"], ["windows", "unsure"]]
    for notice in chain.from_iterable(answer.notices for answer in answers):
        assert isinstance(notice, Notice) and notice.message.en != notice.message.es
    translate = pipeline("translation", *parts["marian"])
    assert kinds(translate.run([(SENTENCES[:2], {"max_new_tokens": 2})])) == [["limit"], []]


def test_a_call_warns_once_per_pipeline_and_kind(tiny):
    pipe = pipeline("sentiment-analysis", tiny)
    with pytest.warns(GatonegroWarning) as caught:
        for _ in range(3):
            pipe([LONG, "no", LONG])
            pipe(LONG)
            list(pipe(iter([LONG])))
            list(pipe.stream([[LONG]]))
        pipe({"text": "no", "text_pair": LONG})
    windows, cut = (warning.message for warning in caught)
    assert "item 0 is longer" in str(windows) and "2 of 3 texts" in str(windows) and windows.item == 0
    assert "el elemento 0 pasa de" in windows.in_("es") and "2 de 3 textos" in windows.in_("es")
    assert "is a pair" in str(cut)
    other = pipeline("sentiment-analysis", tiny)
    with pytest.warns(GatonegroWarning):
        other(LONG)


@BUILT_IN
def test_rows_in_another_language(monkeypatch):
    english = pipeline("sentiment-analysis", "demo-en")
    spanish, fine = "El profesor es bueno, todo será sencillo", "The teacher is good, everything will be easy"
    rows = [fine, spanish, None, *[fine] * 200, spanish]
    for options in ({}, {"language_check": "warn"}):
        answers = list(english.run([(rows, options)]))
        assert [i for i, answer in enumerate(answers) if answer.notices] == [1, 203]
        assert all(notice.kind == "language" for notice in answers[1].notices) and answers[1].value["label"]
        assert "español" in answers[1].notices[0].message.es
    answers = list(english.run([(rows, {"language_check": "error"})]))
    assert [type(answers[i].error) for i in (0, 1, 2, 203)] == [
        type(None), LanguageMismatchError, RowError, LanguageMismatchError
    ]  # fmt: skip
    answers = list(english.run([(rows, {"language_check": "route"})]))
    assert answers[1].value["model"] == "sentiment-es-en" and answers[0].value["model"] == "demo-en"
    assert isinstance(answers[2].error, RowError) and answers[2].error.item == 2
    assert not any(answer.notices for answer in answers)


# results come as they are computed


def test_ctrl_c_leaves_what_there_is_in_reach(tiny, monkeypatch):
    pipe = pipeline("sentiment-analysis", tiny)
    texts = ["el gato"] * 1000
    whole, answer = pipe(texts), pipe.loop.answer

    calls = []

    def interrupted(rows, settings, on_batch):
        calls.append(len(rows))
        if len(calls) > 1:
            raise KeyboardInterrupt
        return answer(rows, settings, on_batch)

    object.__setattr__(pipe.loop, "answer", interrupted)
    with pytest.raises(KeyboardInterrupt, match="256 of 1000 rows") as caught:
        pipe(texts)
    assert caught.value.answers == whole[:256]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_is_shown_as_asked_for(tiny, terminal, monkeypatch, capsys):
    pipe = pipeline("sentiment-analysis", tiny)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    for progress, shown in ((True, True), (False, False), (None, False)):
        pipe(["no"] * 5, progress=progress)
        assert ("text-classification" in capsys.readouterr().err) is shown
    monkeypatch.setattr("gatonegro.pipelines.progress.BAR_DELAY_SECONDS", -1.0)
    pipe(["no"] * 5)
    assert ("text-classification" in capsys.readouterr().err) is terminal
    with pytest.raises(OptionError, match="progress"):
        pipe(["no"], progress="yes")


def test_a_long_text_moves_the_bar_too(tiny, monkeypatch, capsys):
    pipe = pipeline("sentiment-analysis", tiny, max_length=10)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.warns(GatonegroWarning):
        pipe("el gato es bueno " * 8000)
    assert "text-classification" in capsys.readouterr().err


def test_an_error_is_raised_before_any_work(tiny, monkeypatch):
    pipe = pipeline("sentiment-analysis", tiny)
    monkeypatch.setattr(type(pipe.model), "run", lambda *args: pytest.fail("this was asked of the model"))
    with pytest.raises(InputError, match="item 900 is None"):
        pipe(["no"] * 900 + [None])


# elsewhere


def spawned(pipe, rows, queue):
    queue.put([(answer.value, answer.error and answer.error.args) for answer in pipe.run([(rows, {})])])


@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.parametrize("name", ["classes", "tokens", "T5"])
def test_a_pipeline_pickles(make_pipeline, name):
    pipe, good, _ = make_pipeline(name)
    rows = good[:3]
    expected = pipe(rows)
    for other in (pickle.loads(pickle.dumps(pipe)), copy.deepcopy(pipe)):
        assert other is not pipe and near(other(rows), expected, 1e-6)
        assert other.options.keys() == pipe.options.keys()


def test_a_pipeline_answers_the_same_in_a_spawned_process(tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny.parent)
    pipe = pipeline("sentiment-analysis", tiny.name, top_k=2)  # by a relative path
    monkeypatch.chdir(tmp_path)
    rows = ["el gato es bueno", None, "la casa"]
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=spawned, args=(pipe, rows, queue))
    process.start()
    answers = queue.get(timeout=120)
    process.join(60)
    assert process.exitcode == 0
    assert [value for value, _ in answers] == [answer.value for answer in pipe.run([(rows, {})])]
    assert answers[1][1][0].startswith("is None") and answers[1][1][1].startswith("es None")


def test_a_copy_has_a_model_and_folders_of_its_own(tiny, monkeypatch, tmp_path):
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    pipe = pipeline("sentiment-analysis", model, tokenizer)
    other = copy.deepcopy(pipe)
    other.tokenizer.add_tokens(["zorg"])
    assert len(pipe.tokenizer) < len(other.tokenizer)
    monkeypatch.chdir(tiny.parent)
    named = pickle.dumps(pipeline("sentiment-analysis", tiny, tokenizer=tiny.name))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(named)("gato") == pipeline("sentiment-analysis", tiny)("gato")
    with pytest.raises(InputError, match="was not made by pipeline"):
        pickle.dumps(type(pipe)(pipe.task_record, pipe.model, pipe.tokenizer))


def test_copies_of_a_pipeline_say_nothing_of_the_default_model(capsys):
    if "sentiment-es-en" not in hub.built_in_models():
        pytest.skip("the built-in model is not installed")
    pipe = pipeline("sentiment-analysis")
    assert "sentiment-es-en" in capsys.readouterr().err
    copy.deepcopy(pipe)
    assert capsys.readouterr().err == ""


def test_eight_threads_run_one_pipeline(tiny):
    pipe = pipeline("sentiment-analysis", tiny, top_k=None)
    good = [f"el gato {'es bueno ' * (i % 7)}" for i in range(60)]
    expected = pipe(good)
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        rows = list(chain.from_iterable((text, None) for text in good[number:] + good[:number]))
        return list(pipe.run([(rows[i : i + 10], {}) for i in range(0, len(rows), 10)]))

    with ThreadPoolExecutor(8) as pool:
        for number, answers in enumerate(pool.map(work, range(8))):
            found = [answer.value for answer in answers[::2]]
            assert near(found, expected[number:] + expected[:number])
            assert all(
                isinstance(answer, Answer) and answer.error.item == i for i, answer in enumerate(answers) if i % 2
            )


# the seam to models: arrays


def test_tasks_get_arrays_and_never_tensors(make_pipeline, monkeypatch):
    for name in ("classes", "tokens", "masks", "vectors"):
        pipe, good, _ = make_pipeline(name)
        ask, seen = pipe.task_record.ask, []
        spy = type(pipe.task_record)(
            **{
                **vars(pipe.task_record),
                "ask": lambda *args, ask=ask, seen=seen, **options: (
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
