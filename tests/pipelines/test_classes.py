"""Pipelines' classes, by the names that `transformers` gives them."""

import json

import pytest
from small import ROOT

import gatonegro
from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, Pipeline, pipeline
from gatonegro.compat import ARGUMENTS
from gatonegro.errors import OptionError
from gatonegro.tasks import TASKS

TEXTS = ["el gato es bueno", "la casa no es nada"]
RECORDED = json.loads((ROOT / "tests" / "golden" / "answers.json").read_text(encoding="utf-8"))["arguments"]


def test_each_task_has_a_class(tiny, parts):
    assert RECORDED.keys() <= {task.class_name for task in TASKS.values()}
    classify = pipeline("sentiment-analysis", tiny)
    assert type(classify) is gatonegro.TextClassificationPipeline and isinstance(classify, Pipeline)
    assert repr(classify).startswith("TextClassificationPipeline('sentiment-analysis'")
    assert gatonegro.NerPipeline is gatonegro.TokenClassificationPipeline
    assert type(pipeline("translation_es_to_en", *parts["marian"])) is gatonegro.TranslationPipeline
    assert pipeline("translation_es_to_en", *parts["marian"]).task == "translation_es_to_en"


def test_a_class_makes_a_pipeline(tiny):
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    made = gatonegro.TextClassificationPipeline(model=model, tokenizer=tokenizer, top_k=2)
    assert type(made) is gatonegro.TextClassificationPipeline and made.framework == "pt"
    assert made(TEXTS) == made.predict(TEXTS) == made.transform(TEXTS)
    assert made(TEXTS) == pipeline("sentiment-analysis", model, tokenizer, top_k=2)(inputs=TEXTS, num_workers=0)
    with pytest.raises(OptionError, match="needs a model with a"):
        gatonegro.TokenClassificationPipeline(model, tokenizer)
    with pytest.raises(OptionError, match="takes one input"):
        made()


def test_a_saved_pipeline_is_the_same(tiny, tmp_path):
    classify = pipeline("sentiment-analysis", tiny)
    classify.save_pretrained(tmp_path / "saved")
    assert pipeline("sentiment-analysis", tmp_path / "saved")(TEXTS) == classify(TEXTS)


@pytest.mark.parametrize("name", ["ImageClassificationPipeline", "TextToAudioPipeline"])
def test_a_class_for_other_data_is_refused_by_name(name):
    with pytest.raises(ImportError, match=f"gatonegro has no {name}: gatonegro reads text alone"):
        exec(f"from gatonegro import {name}")
    with pytest.raises(AttributeError):
        gatonegro.StrangePipeline  # noqa: B018


@pytest.mark.parametrize("name", RECORDED)
def test_each_argument_of_a_call_in_transformers_4_is_known(name):
    """Arguments of `generate` are the options of the tasks that generate text."""
    task = next(task for task in TASKS.values() if task.class_name == name)
    known = {"question", "context", "inputs", "batch_size", *task.options}
    known |= {*ARGUMENTS["Pipeline.__call__"], *ARGUMENTS[f"{name}.__call__"]}
    assert {*RECORDED[name]} - known == set()
