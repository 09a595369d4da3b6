"""`pipeline()`: tasks, models, devices, precisions, preprocessing, and what it refuses."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from answers import TEXTS, label, same

from gatonegro import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    hub,
    pipeline,
)
from gatonegro.errors import (
    ConfigError,
    GatonegroError,
    HubError,
    InputError,
    MissingHeadError,
    OptionError,
)

CLASSES = {
    "token-classification": AutoModelForTokenClassification,
    "masked-lm": AutoModelForMaskedLM,
    "pooler": AutoModel,
}


@pytest.fixture
def model(tiny):
    return AutoModelForSequenceClassification.from_pretrained(tiny)


@pytest.mark.parametrize(
    "options",
    [
        {"topk": 1},
        {"top_K": None},
        {"return_all_scores": True},
        {"max_lenght": 3},
        {"top_k": "2"},
        {"top_k": 1.5},
        {"top_k": -1},
        {"function_to_apply": "softmin"},
        {"function_to_apply": 3},
        {"max_length": 0},
        {"max_length": -1},
        {"max_length": "5"},
        {"max_length": 2.5},
        {"max_length": 2},  # the special tokens alone
        {"truncation": "the end"},
        {"batch_size": 0},
        {"batch_size": -1},
        {"batch_size": "many"},
        {"batch_size": 1.5},
    ],
    ids=repr,
)
def test_wrong_options_are_refused_by_name(tiny, classify, options):
    with pytest.raises((OptionError, InputError), match=next(iter(options))):
        classify(["el gato es bueno"], **options)
    with pytest.raises((OptionError, InputError), match=next(iter(options))):
        pipeline("sentiment-analysis", model=tiny, **options)(["el gato es bueno"])


@pytest.mark.parametrize("device", ["gpu", "", 99, "cuda:99", "meta", 1.5, [], True], ids=repr)
def test_a_device_that_is_not_here(tiny, model, tokenizer, device):
    with pytest.raises(OptionError, match="device"):
        pipeline("sentiment-analysis", model=tiny, device=device)
    with pytest.raises(OptionError, match="device"):
        pipeline("sentiment-analysis", model=model, tokenizer=tokenizer, device=device)
    assert model.device == torch.device("cpu")


@pytest.mark.parametrize("device", [-1, "cpu", "auto", None, torch.device("cpu"), "cpu:0"], ids=repr)
def test_devices_that_are(tiny, classify, device):
    assert same(pipeline(model=tiny, device=device)(TEXTS), classify(TEXTS))


@pytest.mark.parametrize("keyword", ["dtype", "torch_dtype"])
def test_dtypes(tiny, classify, keyword):
    for dtype, kind in (("bfloat16", torch.bfloat16), (torch.float16, torch.float16), ("auto", torch.float32)):
        low = pipeline(model=tiny, **{keyword: dtype})
        assert low.model.dtype == kind
        for ours, full in zip(low(TEXTS, top_k=None), classify(TEXTS, top_k=None), strict=True):
            scores = {answer["label"]: answer["score"] for answer in full}
            assert all(answer["score"] == pytest.approx(scores[answer["label"]], abs=0.03) for answer in ours)
    for dtype in ("int8", "half a float", 3):
        with pytest.raises((OptionError, InputError), match="dtype"):
            pipeline(model=tiny, **{keyword: dtype})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": "sentiment"}, OptionError, "'sentiment' is not supported. Did you mean 'sentiment-analysis'"),
        ({"task": 3}, OptionError, "3 is not supported"),
        ({}, OptionError, "name a task"),
        ({"task": "sentiment-analysis", "model": 3}, InputError, "not an? int"),
        ({"task": "sentiment-analysis", "model": "./no/such/folder"}, HubError, "no such folder"),
        ({"model": "nobody/nothing", "local_files_only": True}, HubError, "nobody/nothing"),
    ],
)
def test_wrong_tasks_and_models(arguments, error, message):
    with pytest.raises(error, match=message):
        pipeline(**arguments)


@pytest.mark.parametrize("head", ["masked-lm", "token-classification", "pooler"])
def test_a_model_for_another_task(make_folder, head, tokenizer):
    from gatonegro.models import load

    folder = make_folder(head)
    with pytest.raises(MissingHeadError, match="sequence-classification"):
        pipeline("sentiment-analysis", model=folder)
    with pytest.raises(OptionError, match=f"sequence-classification head.*{head}"):
        pipeline("sentiment-analysis", model=load(folder, head), tokenizer=tokenizer)


def test_a_model_object_is_left_as_it_is(model, tokenizer, classify):
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ours = pipeline("sentiment-analysis", model=model, tokenizer=tokenizer)
    assert same(ours(TEXTS), classify(TEXTS)), "answers are given without dropout"
    assert model.training and all(part.training for part in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    model(
        **tokenizer(TEXTS, padding=True, return_tensors="pt"), labels=torch.tensor([0, 1, 2, 0, 1, 2])
    ).loss.backward()
    with torch.no_grad():
        model.head.output.bias += torch.tensor([-100.0, 100.0, -100.0])
    assert {*map(label, ours(TEXTS))} == {"NEU"}, "one set of weights: what is trained on is answered with"


@pytest.mark.parametrize(
    "options", [{"device": "cpu"}, {"dtype": "bfloat16"}, {"torch_dtype": torch.bfloat16}], ids=repr
)
def test_a_model_object_elsewhere_or_in_another_precision(model, tokenizer, classify, options):
    ours = pipeline("sentiment-analysis", model=model, tokenizer=tokenizer, **options)
    assert ours.model.dtype == (torch.float32 if "device" in options else torch.bfloat16)
    assert model.dtype == torch.float32 and model.device == torch.device("cpu")
    assert [label(answer) for answer in ours(TEXTS[:3])] == [label(answer) for answer in classify(TEXTS[:3])]


def test_a_model_object_with_labels_for_another_head(model, tokenizer):
    model = copy.copy(model)
    model.config = model.config.replace(id2label={i: f"L{i}" for i in range(model.config.num_labels + 1)})
    with pytest.raises(OptionError, match=r"names \d labels, but its head has \d"):
        pipeline("sentiment-analysis", model=model, tokenizer=tokenizer)


def test_a_model_object_needs_its_tokenizer(model, tokenizer, tiny, classify):
    with pytest.raises(OptionError, match="tokenizer="):
        pipeline("sentiment-analysis", model=model)
    for given in (tokenizer, tiny, str(tiny), Path(tiny)):
        assert same(pipeline(model=model, tokenizer=given)(TEXTS), classify(TEXTS))
    with pytest.raises(OptionError):
        pipeline(model=model, tokenizer=3)


def test_another_models_tokenizer_is_an_error_of_ours(make_folder, tokenizer):
    few = make_folder(vocab_size=50)
    for options in ({}, {"tokenizer": tokenizer}):
        with pytest.raises(GatonegroError, match=r"vocabulary|tokenizer"):
            pipeline("sentiment-analysis", model=few, **options)(["no", "el gato es bueno"])


def test_a_tokenizer_without_special_tokens_and_a_text_without_any(model, tiny):
    from tokenizers import processors

    bare = AutoTokenizer.from_pretrained(tiny)
    bare.backend_tokenizer.post_processor = processors.Sequence([])
    ours = pipeline(model=model, tokenizer=bare)
    expected = ours("el gato")
    for texts in ("", ["", "el gato"], ["el gato", "", ""], [" "]):
        with pytest.raises(InputError, match=r"\bitem [01]\b"):  # there is nothing to read a label from
            ours(texts)
    assert same(ours("el gato"), expected)


def test_the_built_in_model_is_named_on_stderr(tiny, classify, monkeypatch, capsys):
    monkeypatch.setattr(hub, "built_in_models", lambda: {"sentiment-es-en": tiny})
    ours = pipeline("sentiment-analysis")
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1 and "sentiment-es-en" in output.err
    assert same(ours(TEXTS), classify(TEXTS))
    pipeline("sentiment-analysis", model="sentiment-es-en")
    assert capsys.readouterr() == ("", ""), "not if the user names it"


def test_the_built_in_model_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(hub, "built_in_models", dict)
    with pytest.raises(HubError, match="pip install -U gatonegro-models"):
        pipeline("sentiment-analysis")


def test_a_model_that_wants_its_texts_prepared_gets_them_so(tiny, tmp_path):
    folder = tmp_path / "robertuito-sentiment"
    shutil.copytree(tiny, folder)
    raw, ready = "@ana #elGato 😀", "@usuario hashtag el gato  emoji cara sonriendo emoji"
    plain = pipeline("sentiment-analysis", model=tiny)
    wants = pipeline("sentiment-analysis", model=folder)
    assert same(wants(raw), plain(ready)) and not same(wants(raw), plain(raw))
    assert same(wants({"text": raw, "text_pair": "@a"}), plain({"text": ready, "text_pair": "@usuario"}))
    for off in (None, str):
        assert same(pipeline("sentiment-analysis", model=folder, preprocess=off)(raw), plain(raw))
    assert same(pipeline("sentiment-analysis", model=tiny, preprocess="robertuito")(raw), plain(ready))


def test_who_wants_its_texts_prepared_still_wants_it_when_saved(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "robertuito-sentiment")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "robertuito-sentiment")
    model.save_pretrained(tmp_path / "m")
    AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path / "m")
    assert same(
        pipeline("sentiment-analysis", model=tmp_path / "m")("@ana"),
        pipeline("sentiment-analysis", model=tiny)("@usuario"),
    )


@pytest.mark.parametrize("value", ["tweets", 3, [], {}, True])
def test_a_preparation_that_nobody_knows(tiny, tmp_path, value):
    with pytest.raises(OptionError, match="preprocess must be"):
        pipeline("sentiment-analysis", model=tiny, preprocess=value)
    shutil.copytree(tiny, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "gatonegro_preprocess": value}))
    with pytest.raises(ConfigError, match="robertuito, spell-emoji"):
        pipeline("sentiment-analysis", model=tmp_path / "m")


def test_emoji_that_the_tokenizer_lacks_are_spelled(tiny):
    spelled = pipeline("sentiment-analysis", model=tiny, preprocess="spell-emoji")
    plain = pipeline("sentiment-analysis", model=tiny)
    assert same(spelled("el gato🤮."), plain("el gato cara vomitando ."))
    assert same(spelled("el gato"), plain("el gato"))


def test_the_task_is_the_one_that_the_model_has_a_head_for(tiny, make_folder, tokenizer):
    assert pipeline(model=tiny).task == "text-classification"
    for head, task in (
        ("token-classification", "token-classification"),
        ("masked-lm", "fill-mask"),
        ("pooler", "feature-extraction"),
    ):
        folder = make_folder(head)
        assert pipeline(model=folder).task == task
        assert pipeline(model=CLASSES[head].from_pretrained(folder), tokenizer=tokenizer).task == task
