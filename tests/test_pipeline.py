"""`pipeline`: what `transformers` answers on the same folder; streams, columns, long texts; and whatever is passed."""

import copy
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

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
    GatonegroWarning,
    HubError,
    InputError,
    MissingHeadError,
    OptionError,
)

TEXTS = [
    "El profesor es bueno, todo será sencillo.",
    "no",
    "¡una clase muy mala!",
    "",
    "el gato y el perro",
    "no es nada",
]
PAIRS = [{"text": "el gato", "text_pair": "el perro"}, {"text": "es bueno"}, {"text": "", "text_pair": "no"}]
LONG = "el gato es bueno y el perro no es nada " * 20
REGRESSION = {"id2label": {0: "STARS"}, "problem_type": "regression"}
MULTI = {"problem_type": "multi_label_classification", "id2label": {0: "ira", 1: "alegría", 2: "miedo", 3: "pena"}}
CLASSES = {
    "token-classification": AutoModelForTokenClassification,
    "masked-lm": AutoModelForMaskedLM,
    "pooler": AutoModel,
}
PROBLEMS = {
    "three labels": {},
    "two labels": {"id2label": {0: "LABEL_0", 1: "LABEL_1"}},
    "single label": {"problem_type": "single_label_classification"},
    "several labels": MULTI,
    "regression": REGRESSION,
    "one label": {"id2label": {0: "toxic"}},
    "regression, two": {"problem_type": "regression", "id2label": {0: "valence", 1: "arousal"}},
}


@pytest.fixture(scope="module")
def classify(tiny):
    return pipeline("sentiment-analysis", model=tiny)


@pytest.fixture
def model(tiny):
    return AutoModelForSequenceClassification.from_pretrained(tiny)


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)


@pytest.fixture(scope="module")
def theirs():
    """`theirs(folder, **options)` → the pipeline of `transformers` on that folder."""
    hf = pytest.importorskip("transformers")
    return lambda folder, **options: hf.pipeline("sentiment-analysis", model=str(folder), device="cpu", **options)


def same(ours, theirs) -> bool:
    """The same shape, keys and labels; scores within 1e-5."""
    if isinstance(theirs, dict):
        return (
            ours.keys() == theirs.keys()
            and ours["label"] == theirs["label"]
            and ours["score"] == pytest.approx(theirs["score"], abs=1e-5)
        )
    return type(ours) is type(theirs) and len(ours) == len(theirs) and all(map(same, ours, theirs))


def label(answer) -> str:
    return (answer[0] if isinstance(answer, list) else answer)["label"]


# as transformers answers


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
        assert sum(one["score"] for one in answer) == pytest.approx(1, abs=1e-6)
        assert [one["score"] for one in answer] == sorted((one["score"] for one in answer), reverse=True)
    several = pipeline(model=make_folder(**MULTI))(TEXTS, top_k=None)
    assert any(not math.isclose(sum(one["score"] for one in answer), 1, abs_tol=1e-3) for answer in several)


def test_both_names_of_the_task_and_none(tiny, classify):
    for answer in (pipeline("text-classification", tiny), pipeline(model=str(tiny)), pipeline(None, tiny, tiny)):
        assert answer(TEXTS) == classify(TEXTS)
    assert classify.task == "text-classification" and classify.device == torch.device("cpu")


# where texts come from


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
        hook = pipe.model.encoder.register_forward_hook(lambda m, args, out: sizes.append(len(args[1].queries)))
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
    assert ahead <= 2048


def test_what_is_wrong_with_a_generator_is_said_when_it_is_reached(classify):
    answers = classify(iter(["no"] * 70 + [None] + ["no"]))
    assert [label(next(answers)) for _ in range(63)]
    with pytest.raises(InputError, match="item 70 is None"):
        list(answers)
    with pytest.raises(ZeroDivisionError):  # an error of the source's own is left alone
        list(classify(1 / i for i in range(3)))
    with pytest.raises(OptionError, match="'topk'"):  # and of the call's at once
        classify(iter(TEXTS), topk=1)
    assert list(classify(iter([]))) == []


def test_progress_is_shown_for_long_lists_on_a_terminal_alone(classify, monkeypatch, capsys):
    texts = ["no"] * 600
    expected = classify(texts)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert classify(texts) == expected
    shown = capsys.readouterr()
    assert "text-classification" in shown.err and shown.out == ""
    assert classify(texts[:20]) == expected[:20] and capsys.readouterr().err == ""


# texts longer than the model


def test_a_long_text_is_read_whole_and_this_is_said_once(classify, recwarn):
    with pytest.warns(GatonegroWarning, match="item 1 is longer than the 64 tokens") as said:
        answers = classify(["no", LONG, *["no"] * 80, LONG, LONG + "no"])
    assert len(said) == 1
    assert same(answers[1], answers[82])
    assert not recwarn.list
    classify(["no", "el gato " * 15], top_k=1)  # and nothing of short ones: warnings are errors here


def test_the_end_of_a_long_text_counts(classify):
    with pytest.warns(GatonegroWarning):
        one, other = classify([LONG + "todo bueno", LONG + "¿ una casa ? ¿ una casa ?"], top_k=None)
    assert not same(one, other)
    assert same(*classify([LONG + "todo bueno", LONG + "¿ una casa ? ¿ una casa ?"], truncation=True, top_k=None))


@pytest.mark.skipif("sentiment-es-en" not in hub.built_in_models(), reason="the built-in model is not installed")
@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("We arrived on Monday and had dinner at the restaurant. The room has two beds and a window. ",
         "In the end it was a terrible disaster, the worst trip of my life!"),
        ("Llegamos el lunes y cenamos en el restaurante. La habitación tiene dos camas y una ventana. ",
         "Al final fue un desastre horrible, el peor viaje de mi vida."),
    ],
)  # fmt: skip
def test_a_review_of_3000_tokens_is_what_its_last_sentence_says(body, end):
    classify = pipeline("sentiment-analysis")
    long = body * (3000 // len(classify.tokenizer.tokenize(body))) + end
    assert label(classify(body + end)) == "NEG" != label(classify(body * 20, truncation=True))
    with pytest.warns(GatonegroWarning, match="windows"):
        assert label(classify(long)) == "NEG" != label(classify(long, truncation=True))


def test_a_long_text_of_one_repeated_window_is_that_window(classify, tokenizer):
    """62 equal tokens fill a window, so any number of them is answered as any other that fills its windows."""
    window = "gato " * 62
    assert len(tokenizer(window)["input_ids"]) == 64
    expected = classify(window, top_k=None)
    stride = 62 // 4
    with pytest.warns(GatonegroWarning, match="in 3 overlapping windows"):
        assert same(classify("gato " * (62 + 2 * (62 - stride)), top_k=None), expected)


def test_windows_of_the_length_that_was_asked_for(classify):
    with pytest.warns(GatonegroWarning, match="longer than the 10 tokens"):
        ten = classify(TEXTS[0], max_length=10, top_k=None)
    assert not same(ten, classify(TEXTS[0], top_k=None))
    assert same(classify(TEXTS[0], max_length=1000, top_k=None), classify(TEXTS[0], top_k=None))


def test_a_pair_that_is_cut_is_said(classify):
    with pytest.warns(GatonegroWarning, match="item 1"):
        classify([PAIRS[0], {"text": LONG, "text_pair": "no"}])


def test_no_windows_where_the_user_says_so(classify):
    with pytest.warns(GatonegroWarning):
        whole = classify(LONG, top_k=None)
    classify.warned_kinds.clear()
    with pytest.warns(GatonegroWarning):
        assert same(classify(LONG, truncation=False, top_k=None), whole)
    classify.warned_kinds.clear()
    with pytest.warns(GatonegroWarning):
        assert same(classify(LONG, truncation="do_not_truncate", top_k=None), whole)


# options that are wrong


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
            scores = {one["label"]: one["score"] for one in full}
            assert all(one["score"] == pytest.approx(scores[one["label"]], abs=0.03) for one in ours)
    for dtype in ("int8", "half a float", 3):
        with pytest.raises((OptionError, InputError), match="dtype"):
            pipeline(model=tiny, **{keyword: dtype})


# models that are wrong, or the user's own


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"task": "sentiment"}, OptionError, "'sentiment' is not known. Did you mean 'sentiment-analysis'"),
        ({"task": 3}, OptionError, "3 is not known"),
        ({}, OptionError, "name a task"),
        ({"task": "sentiment-analysis", "model": 3}, InputError, "not an? int"),
        ({"task": "sentiment-analysis", "model": "./no/such/folder"}, HubError, "no such folder"),
        ({"model": "nobody/nothing", "local_files_only": True}, HubError, "nobody/nothing"),
    ],
)
def test_wrong_tasks_and_models(arguments, error, said):
    with pytest.raises(error, match=said):
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
    assert {label(one) for one in ours(TEXTS)} == {"NEU"}, "one set of weights: what is trained on is answered with"


@pytest.mark.parametrize(
    "options", [{"device": "cpu"}, {"dtype": "bfloat16"}, {"torch_dtype": torch.bfloat16}], ids=repr
)
def test_a_model_object_elsewhere_or_in_another_precision(model, tokenizer, classify, options):
    ours = pipeline("sentiment-analysis", model=model, tokenizer=tokenizer, **options)
    assert ours.model.dtype == (torch.float32 if "device" in options else torch.bfloat16)
    assert model.dtype == torch.float32 and model.device == torch.device("cpu")
    assert [label(one) for one in ours(TEXTS[:3])] == [label(one) for one in classify(TEXTS[:3])]


def test_a_model_object_with_labels_for_another_head(model, tokenizer):
    model = copy.copy(model)
    model.config = model.config.with_labels([f"L{i}" for i in range(model.config.num_labels + 1)])
    with pytest.raises(OptionError, match=r"names \d labels, and its head gives \d"):
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
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "sentiment-es-en" in said.err
    assert same(ours(TEXTS), classify(TEXTS))
    pipeline("sentiment-analysis", model="sentiment-es-en")
    assert capsys.readouterr() == ("", ""), "not if the user names it"


def test_the_built_in_model_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(hub, "built_in_models", dict)
    with pytest.raises(HubError, match="pip install -U gatonegro-models"):
        pipeline("sentiment-analysis")


COURSE = [
    "Me encantan las clases de Nechu, explica genial",
    "El profesor es bueno, todo será sencillo",
    "El profesor es bueno todo será sencillo",
    "He estado deseando un curso así toda mi vida",
    "Me encanta HuggingFace",
    "I love Nechu's lessons, she explains things brilliantly",
    "The teacher is good, everything will be easy",
]


@pytest.mark.parametrize("text", COURSE)
def test_the_built_in_model_on_the_sentences_of_the_course(text):
    if not (hub.built_in_models().get("sentiment-es-en", Path()) / "model.safetensors").exists():
        pytest.skip("gatonegro-models is not installed")
    assert label(pipeline("sentiment-analysis")(text)) == "POS"


# whatever is passed: a right answer, or an error of ours that names the item

ODD = {
    "empty": "",
    "spaces": " \t\n\r ",
    "no-break space": "\u00a0\u200b",
    "NUL": "el\0 gato\0",
    "only NUL": "\0" * 100,
    "control characters": "".join(map(chr, range(32))),
    "replacement": "\ufffd\uffff",
    "emoji": "😀🤬🥺👩‍👩‍👧‍👦🇪🇸",
    "a million letters without a space": "a" * 1_000_000,
    "a hundred thousand combining marks": "e" + "\u0301" * 100_000,
    "combining marks alone": "\u0301" * 100_000,
    "right to left": "\u202egato",
    "special tokens": "[CLS] [SEP] [PAD] [MASK] [UNK]",
    "beyond the basic plane": "\U0010ffff𝒢𝒶𝓉𝑜",
    "Chinese": "黑猫" * 10,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_are_answered_alike_alone_and_among_others(classify, name):
    alone = classify(ODD[name], top_k=None)
    assert len(alone) == 3 and all(math.isfinite(one["score"]) for one in alone)
    among = classify(["el gato", ODD[name], "no es nada", ODD[name]], top_k=None)
    assert same(among[1], alone) and same(among[3], alone)


@pytest.mark.parametrize("name", [name for name in ODD if "special" not in name])
def test_odd_texts_are_answered_as_transformers_does(tiny, classify, theirs, name):
    assert same(classify(ODD[name], top_k=None), theirs(tiny)(ODD[name], top_k=None))


def test_a_text_of_very_many_tokens(classify):
    with pytest.warns(GatonegroWarning):
        (answer,) = classify("¿?" * 10_000)
    assert math.isfinite(answer["score"])


def test_nothing_in_nothing_out(classify):
    assert classify([]) == [] == classify(()) == classify(np.array([], dtype=str))
    assert same(classify([""]), classify(""))


WRONG = {
    "None": None,
    "NaN": float("nan"),
    "numpy's NaN": np.float64("nan"),
    "a whole number": 3,
    "a number": 3.5,
    "bool": True,
    "bytes": b"hola",
    "bytearray": bytearray(b"hola"),
    "list": ["hola"],
    "nothing": [],
    "nested": [["hola", "adiós"]],
    "tuple": ("hola", "adiós"),
    "dict without text": {"texto": "hola"},
    "empty dict": {},
    "dict with more": {"text": "hola", "label": "POS"},
    "dict of a number": {"text": 3},
    "dict of None": {"text": None},
    "dict of a list": {"text": ["hola", "adiós"]},
    "dict with a wrong pair": {"text": "hola", "text_pair": 3},
    "lone surrogate": "hola \ud83d",
    "lone surrogate in a dict": {"text": "hola \udc80"},
    "lone surrogate in a pair": {"text": "hola", "text_pair": "\udfff"},
    "object": object(),
    "class": str,
    "array": np.array(["hola"]),
    "tensor": torch.tensor([1, 2]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_text_is_refused_by_its_number(classify, name):
    wrong = WRONG[name]
    with pytest.raises(InputError, match=r"\bitem 2\b"):
        classify(["hola", "no", wrong, "no"])
    with pytest.raises(InputError, match=r"\bitem 2\b"):
        list(classify(iter(["hola", {"text": "no", "text_pair": "hola"}, wrong])))
    with pytest.raises(InputError, match=r"\bitem 70\b"):  # beyond the first window
        classify(["hola"] * 70 + [wrong])
    assert label(classify("hola")), "and the pipeline goes on"


@pytest.mark.parametrize("name", [name for name in WRONG if name not in ("list", "nothing", "tuple", "array")])
def test_what_is_no_text_is_refused_alone(classify, name):
    with pytest.raises(InputError):
        classify(WRONG[name])


def test_messages_say_what_to_do(classify):
    for wrong, said in (
        (None, "missing value.*drop the row"),
        (b"hola", "bytes.*decode"),
        (["hola", "adiós"], "flat list.*text_pair"),
        ({"texto": "hola"}, "texto.*'text'"),
        ("\ud83d", "lone surrogate"),
    ):
        with pytest.raises(InputError, match=said):
            classify(["hola", wrong])


def test_columns_with_missing_values_and_tables(classify):
    pandas = pytest.importorskip("pandas")
    for missing in (pandas.Series(["hola", None]), pandas.Series(["hola", pandas.NA], dtype="string")):
        with pytest.raises(InputError, match=r"\bitem 1\b"):
            classify(missing)
    with pytest.raises(InputError, match="DataFrame"):  # its items would be the names of its columns
        classify(pandas.DataFrame({"texto": ["hola"], "nota": [1]}))


def test_arrays_of_other_shapes(classify):
    for wrong in (
        np.array(["hola", "no"]).reshape(1, 2),
        np.array([1.0]),
        np.array(3),
        np.array("hola"),
        torch.ones(2),
    ):
        try:
            answer = classify(wrong)
        except InputError:
            continue
        assert label(answer) and wrong.shape == () and wrong.dtype.kind == "U"


# texts prepared as a model wants them


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


def test_unsure(classify):
    (answer,) = classify("el gato")
    assert "unsure" not in classify("el gato", min_score=answer["score"])[0]
    assert classify("el gato", min_score=answer["score"] + 1e-3) == [{**answer, "unsure": True}]
    first, *rest = classify("el gato", min_score=1.0, top_k=3)
    assert first["unsure"] and not any("unsure" in one for one in rest)
    for bad in ("0.5", True, math.nan):
        with pytest.raises(OptionError, match="min_score must be a number, or None"):
            classify("el gato", min_score=bad)
