"""Calls on top of `run`: warnings, progress, Ctrl-C, other languages."""

from itertools import chain

import pytest
from rows import BUILT_IN, LONG, SENTENCES, kinds, near

from gatonegro import pipeline
from gatonegro.errors import (
    GatonegroWarning,
    InputError,
    LanguageMismatchError,
    OptionError,
    RowError,
)
from gatonegro.pipelines import Notice, base


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
    rows = [fine, spanish, 5, *[fine] * 200, spanish]
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


@pytest.mark.case("N4")
@pytest.mark.parametrize("done", [0, 1, 3])
def test_ctrl_c_leaves_what_there_is_in_reach(tiny, monkeypatch, done):
    pipe = pipeline("sentiment-analysis", tiny)
    texts = ["el gato"] * 1000
    whole, answer = pipe(texts), pipe.loop.answer

    calls = []

    def interrupted(rows, settings, on_batch):
        calls.append(len(rows))
        if len(calls) > done:
            raise KeyboardInterrupt
        return answer(rows, settings, on_batch)

    object.__setattr__(pipe.loop, "answer", interrupted)
    for method in (pipe, pipe.to_frame):
        calls.clear()
        with pytest.raises(KeyboardInterrupt, match=f"{256 * done} of 1000 rows") as caught:
            method(texts)
        assert near(caught.value.answers, whole[: 256 * done])


@pytest.mark.case("N4")
def test_a_generator_is_read_at_most_a_window_ahead(tiny, monkeypatch):
    read = []
    rows = (read.append(n) or "el gato" for n in range(1500))
    for answered, _ in enumerate(pipeline("sentiment-analysis", tiny)(rows), 1):
        assert len(read) - answered < 256
    assert len(read) == answered == 1500


@pytest.mark.case("N4")
@pytest.mark.parametrize("count", [1, 40, 700])
def test_a_bar_appears_by_time_and_moves_with_every_batch(tiny, monkeypatch, capsys, count):
    pipe, moves = pipeline("sentiment-analysis", tiny), []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for delay, shown in ((1e9, False), (-1.0, True)):
        monkeypatch.setattr("gatonegro.pipelines.progress.BAR_DELAY_SECONDS", delay)
        pipe(["el gato es bueno y la casa no"] * count)
        assert ("text-classification" in capsys.readouterr().err) is shown
    monkeypatch.setattr(base.ProgressBar, "update", lambda bar, done, total: moves.append((done, total)))
    pipe(["el gato es bueno y la casa no"] * count)
    assert moves == sorted(moves) and moves[-1] == (count, count)
    assert len(moves) >= max(1, count // 100)  # a batch has about a hundred of these texts


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_is_shown_as_requested(tiny, terminal, monkeypatch, capsys):
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
    monkeypatch.setattr("gatonegro.pipelines.progress.BAR_DELAY_SECONDS", -1.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.warns(GatonegroWarning):
        pipe("el gato es bueno " * 8000)
    assert "text-classification" in capsys.readouterr().err


def test_an_error_is_raised_before_any_work(tiny, monkeypatch):
    pipe = pipeline("sentiment-analysis", tiny)
    monkeypatch.setattr(type(pipe.model), "run", lambda *args: pytest.fail("this was asked of the model"))
    with pytest.raises(InputError, match="item 900 is int 5"):
        pipe(["no"] * 900 + [5])
