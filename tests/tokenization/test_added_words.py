"""Tests of words that a user adds to a vocabulary: they are decoded as they were written."""

import pytest

from gatonegro import AutoTokenizer

WORDS = ["ñandú", "Ñandú", "café", "猫", "🐈", "naïve", "straße", "plain", "señor-ñ", "Ġx"]


@pytest.mark.case("F10")
@pytest.mark.parametrize("kind", ["bart", "gpt2", "t5", "marian"])
@pytest.mark.parametrize("word", WORDS)
def test_an_added_word_is_decoded_as_it_is_written(folders, kind, word):
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    with pytest.warns(UserWarning, match="resize"):
        tokenizer.add_tokens([word])
    texts = [f"el {word}", f"el {word} duerme", word, f"{word} duerme", f"el {word} {word} duerme"]
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.convert_tokens_to_ids(word) in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.batch_decode(tokenizer(texts)["input_ids"], skip_special_tokens=True) == texts


@pytest.mark.case("F10")
@pytest.mark.parametrize("kind", ["bart", "gpt2"])
@pytest.mark.parametrize("word", WORDS)
def test_a_special_word_too(folders, kind, word):
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    with pytest.warns(UserWarning, match="resize"):
        tokenizer.add_tokens([word], special_tokens=True)
    ids = tokenizer(f"el{word}la", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == f"el{word}la"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ella"


@pytest.mark.case("F10")
@pytest.mark.parametrize("kind", ["bart", "gpt2", "t5", "marian"])
def test_other_texts_are_decoded_as_before(folders, kind):
    before, tokenizer = (AutoTokenizer.from_pretrained(folders[kind]) for _ in range(2))
    with pytest.warns(UserWarning, match="resize"):
        tokenizer.add_tokens(["ñandú"])
    for text in ("El gato duerme.", "¿Qué tal?", "", "a  b", "el perro y la casa\n"):
        ids = before(text)["input_ids"]
        assert tokenizer(text)["input_ids"] == ids
        assert tokenizer.decode(ids) == before.decode(ids)
