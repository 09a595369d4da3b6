"""Pipelines in other processes and threads: pickles, copies, spawned processes."""

import copy
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from rows import near, put_answers

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, hub, pipeline
from gatonegro.errors import (
    InputError,
)
from gatonegro.pipelines import Answer, Pipeline


@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.parametrize("name", ["classes", "tokens", "T5"])
def test_a_pipeline_pickles(make_pipeline, name):
    pipe, good, _ = make_pipeline(name)
    rows = good[:3]
    expected = pipe(rows)
    for other in (pickle.loads(pickle.dumps(pipe)), copy.deepcopy(pipe)):
        assert other is not pipe and near(other(rows), expected, 1e-6)
        assert other.options.keys() == pipe.options.keys()


@pytest.mark.slow
def test_a_pipeline_answers_the_same_in_a_spawned_process(tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny.parent)
    pipe = pipeline("sentiment-analysis", tiny.name, top_k=2)  # by a relative path
    monkeypatch.chdir(tmp_path)
    rows = ["el gato es bueno", 5, "la casa"]
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=put_answers, args=(pipe, rows, queue))
    process.start()
    answers = queue.get(timeout=120)
    process.join(60)
    assert process.exitcode == 0
    assert [value for value, _ in answers] == [answer.value for answer in pipe.run([(rows, {})])]
    assert answers[1][1][0].startswith("is int 5") and answers[1][1][1].startswith("es int 5")


def test_a_copy_has_a_model_and_folders_of_its_own(tiny, monkeypatch, tmp_path):
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    pipe = pipeline("sentiment-analysis", model, tokenizer)
    other = copy.deepcopy(pipe)
    with pytest.warns(UserWarning, match="embeddings"):
        other.tokenizer.add_tokens(["zorg"])
    assert len(pipe.tokenizer) < len(other.tokenizer)
    monkeypatch.chdir(tiny.parent)
    named = pickle.dumps(pipeline("sentiment-analysis", tiny, tokenizer=tiny.name))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(named)("gato") == pipeline("sentiment-analysis", tiny)("gato")
    with pytest.raises(InputError, match="was not made by pipeline"):
        pickle.dumps(Pipeline(pipe.task_record, pipe.model, pipe.tokenizer))


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
        rows = list(chain.from_iterable((text, 5) for text in good[number:] + good[:number]))
        return list(pipe.run([(rows[i : i + 10], {}) for i in range(0, len(rows), 10)]))

    with ThreadPoolExecutor(8) as pool:
        for number, answers in enumerate(pool.map(work, range(8))):
            values = [answer.value for answer in answers[::2]]
            assert near(values, expected[number:] + expected[:number])
            assert all(
                isinstance(answer, Answer) and answer.error.item == i for i, answer in enumerate(answers) if i % 2
            )
