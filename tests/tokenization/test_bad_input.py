"""Tests of bad input: a correct answer or an error that names the item, never another library's traceback."""

import numpy as np
import pytest

from gatonegro.errors import GatonegroError, InputError, TokenizerError

NAN = float("nan")


@pytest.fixture(params=["bert", "roberta", "robertuito", "unigram"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the text is None, perhaps a missing value"),
        (NAN, r"the text is a float \(nan\)"),
        (3, "the text is int 3"),
        (b"hola", "the text is of type bytes"),
        ({"text": "hola"}, "the text is of type dict"),
        ({"hola"}, "the text is of type set"),
        (["hola", None], "text 1 is None, perhaps a missing value"),
        (["hola", NAN], r"text 1 is a float \(nan\), perhaps a missing value"),
        (["a", "b", 3.5], "text 2 is float 3.5"),
        ([True], "text 0 is bool True"),
        (["a", b"b"], "text 1 is of type bytes"),
        ([{"a": 1}], "text 0 is of type dict"),
        ([["a", "b", "c"]], "text 0 is of type list of 3 items"),
        ([[["a"]]], "text 0 is of type list of 1 items"),
        ([[]], "text 0 is of type list of 0 items"),
        ([("a", None)], "text 0 is of type tuple of 2 items"),
        (["a", ("a", "b")], "text 1 is a pair, and text 0 is not"),
        (np.array([1.0, 2.0]), "text 0 is float 1.0"),
        ("a\ud83d", r"text 0 has a lone surrogate, '\\ud83d', at character 1"),
        (["a", "b", "\udc80"], r"text 2 has a lone surrogate, '\\udc80', at character 0"),
        ([("a", "b"), ("a", "\udc80")], "text 1 has a lone surrogate"),
    ],
)
def test_what_is_not_text_is_refused_by_name(bert, text, message):
    for options in ({}, {"truncation": True, "max_length": 6, "padding": True, "return_tensors": "pt"}):
        with pytest.raises(InputError, match=message):
            bert(text, **options)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (["a"], "one and 1 in a list"),
        (3, "the text is int 3"),
    ],
)
def test_pairs_that_do_not_match(bert, pair, message):
    with pytest.raises(InputError, match=message):
        bert("a", pair)
    with pytest.raises(InputError, match="2 in a list and 1 in a list"):
        bert(["a", "b"], ["a"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("hola", "the text is of type str: with is_split_into_words=True"),
        ([["a"], "b"], "text 1 is of type str"),
        ([["a"], [3]], "word 0 of text 1 is int 3"),
        (["a", None], "word 1 of text 0 is None"),
        ([["a", "\ud800"]], "text 0 has a lone surrogate"),
    ],
)
def test_words_that_are_no_words(bert, words, message):
    with pytest.raises(InputError, match=message):
        bert(words, is_split_into_words=True)


@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True])
def test_a_max_length_that_is_no_length(tokenizer, value):
    for options in ({"truncation": True}, {"padding": "max_length"}):
        with pytest.raises(InputError, match=f"max_length={value!r}: it must be a whole number of at least 1"):
            tokenizer("el gato", max_length=value, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 1, "truncation": True}, "special tokens take 2"),
        ({"max_length": 4, "truncation": True, "stride": 2}, "stride must be smaller"),
        ({"max_length": 4, "truncation": True, "stride": -1}, "stride=-1: it must be a whole number"),
        ({"truncation": "longest"}, "truncation='longest' is not supported"),
        ({"padding": "max"}, "padding='max' is not supported"),
        ({"padding": True, "padding_side": "up"}, "padding_side='up' is not supported"),
    ],
)
def test_options_that_are_not_known(bert, options, message):
    with pytest.raises(InputError, match=message):
        bert("el gato negro", **options)


def test_nothing_at_all(tokenizer):
    empty = tokenizer.encode("")
    assert empty == tokenizer.encode("", add_special_tokens=True)
    assert tokenizer([]) == {name: [] for name in tokenizer.model_input_names}
    assert tokenizer([""]).input_ids == [empty]
    assert tokenizer([], padding=True, return_tensors="pt").input_ids.shape == (0, 0)
    assert tokenizer.tokenize("") == []
    assert tokenizer.decode(empty, skip_special_tokens=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        " ",
        " \t\n\r  ",
        "\u00a0\u3000",
        "\x00",
        "a\x00b",
        "\x00" * 1000,
        "😀🤬🤮💩🥺" * 40,
        "👩‍👩‍👧‍👦",
        "\u200d",
        "\ufeff",
        "\U0010ffff",
    ],
    ids=ascii,
)
def test_odd_text_has_an_answer(tokenizer, text):
    batch = tokenizer(text, truncation=True, max_length=8, return_offsets_mapping=True)
    assert len(batch.input_ids) <= 8
    assert all(0 <= start <= end <= len(text) for start, end in batch.offset_mapping)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["a" * 10**6, "ab" * 500_000, "a" + "\u0301" * 100_000, "😀" * 300_000], ids=["a", "ab", "accents", "emoji"]
)
def test_huge_text_without_a_space_has_an_answer(tokenizer, text):
    batch = tokenizer([text, "el"], truncation=True, max_length=8, return_offsets_mapping=False)
    assert len(batch.input_ids[0]) <= 8
    assert batch.input_ids[1] == tokenizer.encode("el")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (-1, "id 0 is int -1"),
        ([5, -100], "id 1 is int -100.*labels"),
        ([5, None], "id 1 is None"),
        (["el"], "id 0 is of type str"),
        ([1.5], "id 0 is float 1.5"),
        ([2**32], "id 0 is int 4294967296"),
        ([True], "id 0 is bool True"),
        ([5, [6]], "id 1 is of type list"),
    ],
)
def test_ids_that_are_no_ids(bert, ids, message):
    for method in (bert.decode, bert.convert_ids_to_tokens):
        with pytest.raises(InputError, match=message):
            method(ids)


def test_tokens_that_are_no_tokens(bert):
    for token in (None, 3, "\ud800"):
        for method in (bert.convert_tokens_to_ids, bert.add_tokens):
            with pytest.raises(InputError, match="token"):
                method([token])
    with pytest.raises(InputError, match="token 0 is empty"):
        bert.add_tokens([""])
    with pytest.raises(InputError, match="tokenize takes one text"):
        bert.tokenize(["a"])


def test_what_the_rust_side_raises_comes_out_as_an_error_of_this_library(make):
    from gatonegro import AutoTokenizer

    # a BPE whose unknown token is not in its vocabulary: it loads, and fails at the first unknown letter
    model = {"type": "BPE", "unk_token": "[UNK]", "vocab": {"a": 0}, "merges": []}
    broken = AutoTokenizer.from_pretrained(make(tokenizer__json={"version": "1.0", "model": model}))
    assert broken("a").input_ids == [0]
    with pytest.raises(TokenizerError, match="cannot encode this batch of 1") as caught:
        broken("b")
    assert isinstance(caught.value, GatonegroError)
    assert caught.value.__suppress_context__
