"""Property tests of offsets: they increase, stay inside the text, and cover all of it except spaces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(alphabet="abcxyzABCáéíóúñÑüß ¿?¡!.,;-_'\"()@#/0123456789\t\n€漢字😀👍", max_size=60)


@pytest.mark.filterwarnings("ignore:a text has")
@pytest.mark.parametrize("name", ["bert", "roberta", "robertuito", "unigram"])
@given(text=TEXTS)
def test_offsets_cover_the_text(request, name, text):
    tokenizer = request.getfixturevalue(name)
    batch = tokenizer([text], return_offsets_mapping=True, return_special_tokens_mask=True)
    special = batch["special_tokens_mask"][0]
    offsets = [pair for pair, mark in zip(batch["offset_mapping"][0], special, strict=True) if not mark]
    assert all(0 <= a <= b <= len(text) for a, b in offsets)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in itertools.pairwise(offsets))
    covered = {i for a, b in offsets for i in range(a, b)}
    lost = {letter for i, letter in enumerate(text) if i not in covered and not letter.isspace()}
    # a vocabulary without the letter, and without a token for what is unknown, drops it
    assert all(set(tokenizer.tokenize(letter)) <= {"▁", tokenizer.unk_token} for letter in lost)


@pytest.mark.filterwarnings("ignore:a text has")
@pytest.mark.parametrize("name", ["bert", "roberta", "robertuito", "unigram"])
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_a_text_in_a_batch_is_that_text_alone(request, name, texts):
    tokenizer = request.getfixturevalue(name)
    padded = tokenizer(texts, padding=bool(tokenizer.pad_token))
    for text, ids, mask in zip(texts, padded["input_ids"], padded["attention_mask"], strict=True):
        assert [i for i, m in zip(ids, mask, strict=True) if m] == tokenizer(text)["input_ids"]
