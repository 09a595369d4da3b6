"""What `pipeline()` advises for a mistyped or unsupported word, device or option, and its default precision."""

import pytest
import torch

from gatonegro import models, pipeline, tasks
from gatonegro.errors import InputError, OptionError
from gatonegro.pipelines import factory


@pytest.mark.case("N19")
@pytest.mark.parametrize(
    ("word", "task"),
    [("sentimiento", "sentiment-analysis"), ("sentiment", "sentiment-analysis"), ("Sentimientos", "sentiment-analysis"),
     ("traducción", "translation"), ("traducir", "translation"), ("clasificación", "text-classification"),
     ("classification", "text-classification"), ("entidades", "ner"), ("embeddings", "feature-extraction"),
     ("resumen", "summarization"), ("máscara", "fill-mask"), ("generar", "text-generation"),
     ("translaton", "translation")],
)  # fmt: skip
def test_words_that_lead_to_a_task(word, task):
    with pytest.raises(OptionError, match=f"Did you mean '{task}'"):
        pipeline(word)


def test_words_are_those_of_tasks():
    assert factory.TASK_WORDS.keys() <= {*tasks.TASKS, *tasks.ALIASES}
    words = [word for several in factory.TASK_WORDS.values() for word in several]
    assert len({*words}) == len(words) and not {*words} & {*tasks.TASKS, *tasks.ALIASES}


@pytest.mark.case("N22")
@pytest.mark.filterwarnings("ignore:PyTorch's fast operator for bfloat16")  # on processors without it
def test_vectors_are_fp32_by_default(tiny, monkeypatch):
    asked = []
    original = models.load_optimized
    monkeypatch.setattr(
        models, "load_optimized", lambda *args, **how: asked.append(how["precision"]) or original(*args, **how)
    )
    for task in ("feature-extraction", "sentiment-analysis"):
        pipeline(task, tiny, backend="torch")
    pipeline("feature-extraction", tiny, precision="bf16", backend="torch")
    assert asked == ["fp32", "auto", "bf16"]


@pytest.mark.case("N19")
@pytest.mark.parametrize("option", [{"top_k": -1}, {"min_score": 2}, {"min_score": -0.1}, {"min_score": 1.01}])
def test_options_that_the_command_line_refuses_are_refused_in_python(tiny, option):
    clf = pipeline("sentiment-analysis", tiny)
    with pytest.raises(OptionError, match=f"{next(iter(option))} must be a"):
        clf("hola", **option)
    if "min_score" in option:  # logits have any size
        assert clf("hola", function_to_apply="none", min_score=200)[0]["unsure"]


@pytest.mark.case("N19")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", 0, "mps"])
def test_a_device_that_is_not_here_is_not_advised(tiny, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch, "zeros", refuse)
    with pytest.raises(OptionError, match="; use 'cpu' or 'auto'"):
        pipeline("sentiment-analysis", tiny, device=device)


def refuse(*args, **options):
    raise RuntimeError("not built for this")


@pytest.mark.parametrize("row", [{"text": "hola", "text_pair": 3}, {"text": ["a"], "text_pair": "b"}, {"text": b"a"}])
def test_an_error_of_a_pair_names_its_part(tiny, row):
    part = next(name for name, value in row.items() if not isinstance(value, str))
    with pytest.raises(InputError, match=rf"item 1 has a {part} that is .*expected a text"):
        pipeline("sentiment-analysis", tiny)(["hola", row])
