"""Text classification answers as `transformers` does on the same folder; lists, arrays and streams."""

import math

import numpy as np
import pytest
import torch
from answers import LONG, PAIRS, TEXTS, label, same

from gatonegro import (
    pipeline,
)
from gatonegro.errors import (
    InputError,
    OptionError,
)

REGRESSION = {"id2label": {0: "STARS"}, "problem_type": "regression"}

MULTI = {"problem_type": "multi_label_classification", "id2label": {0: "ira", 1: "alegría", 2: "miedo", 3: "pena"}}

PROBLEMS = {
    "three labels": {},
    "two labels": {"id2label": {0: "LABEL_0", 1: "LABEL_1"}},
    "single label": {"problem_type": "single_label_classification"},
    "several labels": MULTI,
    "regression": REGRESSION,
    "one label": {"id2label": {0: "toxic"}},
    "regression, two": {"problem_type": "regression", "id2label": {0: "valence", 1: "arousal"}},
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_answers_are_those_of_transformers(make_folder, theirs, problem):
    folder = make_folder(**PROBLEMS[problem])
    ours, reference = pipeline("sentiment-analysis", model=folder), theirs(folder)
    for inputs in (TEXTS[0], TEXTS, [TEXTS[0]], [], PAIRS[0], PAIRS, [PAIRS[0], "no"]):
        assert same(ours(inputs), reference(inputs) if inputs else []), inputs
        for top_k in (0, 1, 2, 99, None):
            assert same(ours(inputs, top_k=top_k), reference(inputs, top_k=top_k) if inputs else []), (inputs, top_k)


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none", "SOFTMAX", "None"])
def test_functions_are_those_of_transformers(tiny, classify, theirs, function):
    for options in ({}, {"top_k": None}):
        assert same(
            classify(TEXTS, function_to_apply=function, **options),
            theirs(tiny)(TEXTS, function_to_apply=function, **options),
        )


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_k": 2}, {"top_k": None}, {"function_to_apply": "none"}])
def test_options_may_be_given_once_for_all_calls(tiny, theirs, options):
    ours, reference = pipeline(model=tiny, **options), theirs(tiny, **options)
    for inputs in (TEXTS[0], TEXTS, PAIRS[0], PAIRS):
        assert same(ours(inputs), reference(inputs))
        assert same(ours(inputs, top_k=2), reference(inputs, top_k=2))  # for this call alone
        assert same(ours(inputs), reference(inputs))


@pytest.mark.parametrize("limit", [None, 3, 10, 40])
def test_truncated_as_transformers_does(tiny, classify, theirs, limit):
    options = {"truncation": True} | ({"max_length": limit} if limit else {})
    assert same(classify([LONG, "no"], **options), theirs(tiny)([LONG, "no"], **options))


def test_probabilities_are_probabilities(classify, make_folder):
    for answer in classify(TEXTS, top_k=None):
        scores = [label["score"] for label in answer]
        assert sum(scores) == pytest.approx(1, abs=1e-6) and scores == sorted(scores, reverse=True)
    several = pipeline(model=make_folder(**MULTI))(TEXTS, top_k=None)
    totals = [sum(label["score"] for label in answer) for answer in several]
    assert any(not math.isclose(total, 1, abs_tol=1e-3) for total in totals)


def test_both_names_of_the_task_and_none(tiny, classify):
    for answer in (pipeline("text-classification", tiny), pipeline(model=str(tiny)), pipeline(None, tiny, tiny)):
        assert answer(TEXTS) == classify(TEXTS)
    assert classify.task == "sentiment-analysis" and classify.device == torch.device("cpu")


def test_arrays_tuples_and_columns_are_lists(classify):
    pandas = pytest.importorskip("pandas")
    expected = classify(TEXTS)
    column = pandas.Series(TEXTS, index=range(100, 100 + len(TEXTS)))
    arrays = np.array(TEXTS), np.array(TEXTS, dtype=object)
    for inputs in (tuple(TEXTS), dict.fromkeys(TEXTS).keys(), *arrays, column, column.astype("string")):
        assert same(classify(inputs), expected), type(inputs)
    assert same(classify(arrays[0][0]), classify(TEXTS[0]))  # a numpy string is a text


def test_order_is_kept_whatever_the_lengths(classify):
    texts = [("el gato " * (i * 7 % 25)).strip() for i in range(150)]
    expected = [classify(text)[0] for text in texts]
    assert same(classify(texts), expected)
    for size in (1, 2, 7, 1000):
        assert same(classify(texts, batch_size=size), expected)
        assert same(list(classify(iter(texts), batch_size=size)), expected)


def test_batch_size_limits_how_many_texts_the_model_sees_at_once(tiny, classify):
    def seen(pipe, **options):
        sizes = []
        hook = pipe.model.encoder.register_forward_hook(lambda m, args, out: sizes.append(len(args[1].query_lengths)))
        pipe(["no"] * 10, **options)
        hook.remove()
        return sizes

    filler = 1  # pads, up to a round number of tokens
    assert max(seen(classify, batch_size=3)) <= 3 + filler and len(seen(classify, batch_size=3)) == 4
    assert len(seen(pipeline(model=tiny, batch_size=5))) == 2
    assert len(seen(pipeline(model=tiny, batch_size=5), batch_size=2)) == 5
    assert len(seen(classify)) == 1


def test_a_generator_is_answered_as_it_comes(classify):
    taken = []

    def source():
        for i in range(1000):
            taken.append(i)
            yield f"el gato {i}"

    answers = classify(source())
    assert iter(answers) is answers and not taken, "nothing is read before an answer is asked for"
    first = next(answers)
    assert same(first, classify("el gato 0")[0])
    assert len(taken) == 1, "the first answer asks for one row"
    rest = list(answers)
    assert len(rest) == 999 and len(taken) == 1000
    assert same(rest[500], classify("el gato 501")[0])


def test_an_endless_generator_is_read_in_bounded_memory(classify):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield "no"

    ahead = 0
    for given, _ in enumerate(classify(endless()), 1):
        ahead = max(ahead, taken - given)
        if given == 5000:
            break
    assert ahead <= 256


def test_an_error_in_a_generator_is_raised_when_it_is_reached(classify):
    answers = classify(iter(["no"] * 70 + [5] + ["no"]))
    assert [label(next(answers)) for _ in range(63)]
    with pytest.raises(InputError, match="item 70 is int 5"):
        list(answers)
    with pytest.raises(ZeroDivisionError):  # an error of the source's own is left alone
        list(classify(1 / i for i in range(3)))
    with pytest.raises(OptionError, match="no argument topk"):  # and of the call's at once
        classify(iter(TEXTS), topk=1)
    assert list(classify(iter([]))) == []


def test_progress_is_shown_for_long_lists_on_a_terminal_alone(classify, monkeypatch, capsys):
    texts = ["no"] * 600
    expected = classify(texts)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert classify(texts) == expected and capsys.readouterr().err == ""  # it takes less than two seconds
    monkeypatch.setattr("gatonegro.pipelines.progress.BAR_DELAY_SECONDS", -1.0)
    assert classify(texts) == expected
    shown = capsys.readouterr()
    assert "text-classification" in shown.err and shown.out == ""


def test_unsure(classify):
    (answer,) = classify("el gato")
    assert "unsure" not in classify("el gato", min_score=answer["score"])[0]
    assert classify("el gato", min_score=answer["score"] + 1e-3) == [{**answer, "unsure": True}]
    first, *rest = classify("el gato", min_score=1.0, top_k=3)
    assert first["unsure"] and not any("unsure" in sure_answer for sure_answer in rest)
    for bad in ("0.5", True, math.nan):
        with pytest.raises(OptionError, match="min_score must be a number, or None"):
            classify("el gato", min_score=bad)
