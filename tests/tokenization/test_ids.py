"""Ids of a vocabulary that are refused on loading, and arguments of a tokenizer that are none."""

import json

import numpy as np
import pytest
import torch

from gatonegro import AutoTokenizer
from gatonegro.errors import GatonegroError, InputError, TokenizerError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "el", "gato"]
VOCAB = {word: i for i, word in enumerate(WORDS)}


def tokenizer_json(vocab, added=(), kind="WordPiece"):
    options = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100} if kind == "WordPiece" else {}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": text, **flags} for text, i in added],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": kind, "unk_token": "[UNK]", "vocab": vocab, **options},
    }


@pytest.mark.case("S12")
@pytest.mark.parametrize(
    ("vocab", "added", "message"),
    [
        (VOCAB | {"gato": 9}, (), "no token has the id 6, though ids go up to 9"),
        (VOCAB | {"[PAD]": 7}, (), "no token has the id 0"),
        (VOCAB | {"gato": 2**31}, (), "no token has the id 6"),
        (VOCAB | {"gato": 5}, (), "'el' and 'gato' both have the id 5"),
        (VOCAB | {"gato": -1}, (), "invalid value"),
        (VOCAB | {"gato": 2**32}, (), "invalid value"),
        (VOCAB | {"gato": 1.5}, (), "invalid"),
        (VOCAB | {"gato": None}, (), "invalid"),
        (
            {word: i - 1 for word, i in VOCAB.items() if word != "[UNK]" and i} | {"x": 0},
            (),
            r"no '\[UNK\]'|has the id",
        ),
        (VOCAB, [("[NEW]", 40)], r"'\[NEW\]' should have the id 40, but is added with the id 7"),
        (VOCAB, [("[NEW]", 5)], r"'\[NEW\]' should have the id 5"),
        (VOCAB, [("gato", 5)], "'gato' should have the id 5"),
        (VOCAB, [("[A]", 7), ("[B]", 7)], r"'\[B\]' should have the id 7"),
        (VOCAB, [("[A]", -7)], "invalid value"),
    ],
)
@pytest.mark.parametrize("kind", ["WordPiece", "WordLevel"])
def test_ids_of_a_tokenizer_json(make, vocab, added, message, kind):
    folder = make(tokenizer__json=tokenizer_json(vocab, added, kind))
    with pytest.raises(TokenizerError, match=message):
        AutoTokenizer.from_pretrained(folder)


def test_ids_without_a_fault(make):
    folder = make(tokenizer__json=tokenizer_json(VOCAB, [("[PAD]", 0), ("[NEW]", 7)]), config__json={"vocab_size": 7})
    tokenizer = AutoTokenizer.from_pretrained(folder)  # an added token may be one too many: the model may grow
    assert tokenizer.convert_tokens_to_ids(["gato", "[NEW]"]) == [6, 7]


@pytest.mark.case("S12")
@pytest.mark.parametrize("rows", [1, 6])
def test_ids_beyond_the_embeddings(make, rows):
    for files in ({"tokenizer__json": tokenizer_json(VOCAB)}, {"vocab__txt": "\n".join(WORDS) + "\n"}):
        folder = make(config__json={"model_type": "bert", "vocab_size": rows}, **files)
        with pytest.raises(TokenizerError, match=f"7 tokens, but config.json gives the model {rows} embeddings"):
            AutoTokenizer.from_pretrained(folder)
        folder = make(config__json={"model_type": "bert", "vocab_size": 7}, **files)
        AutoTokenizer.from_pretrained(folder)


@pytest.mark.case("S12")
@pytest.mark.parametrize("ids", [{"gato": 9}, {"gato": 5}, {"gato": -1}, {"gato": "6"}, {"gato": [6]}, {"gato": 2**40}])
def test_ids_of_a_vocab_json(make, tmp_path, ids):
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "el", "gato"]
    vocab = {word: i for i, word in enumerate(words)} | ids
    with pytest.raises(TokenizerError):
        AutoTokenizer.from_pretrained(make(vocab__json=vocab, merges__txt="#version: 0.2\n"))


@pytest.mark.case("S12")
@pytest.mark.parametrize("decoder", [{"9": "[NEW]"}, {"2": "gato"}, {"-1": "[NEW]"}, {"x": "[NEW]"}])
def test_ids_of_added_tokens_in_the_configuration(make, decoder):
    settings = {"tokenizer_class": "BertTokenizer", "added_tokens_decoder": decoder}
    folder = make(vocab__txt="\n".join(WORDS) + "\n", tokenizer_config__json=settings)
    with pytest.raises(TokenizerError, match=r"should have the id|invalid literal"):
        AutoTokenizer.from_pretrained(folder)


@pytest.mark.case("S12")
def test_two_equal_lines_of_a_vocab_txt(make):
    """The later line's id is the token's, as in transformers, and a new token does not get the last one's id."""
    folder = make(vocab__txt="\n".join([*WORDS[:5], "el", "el", "gato"]) + "\n")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("el gato").input_ids == [2, 6, 7, 3] and len(tokenizer) == 8
    with pytest.warns(UserWarning, match="9 tokens and the model 8"):
        tokenizer.add_tokens(["perro"])
    assert tokenizer.convert_tokens_to_ids(["gato", "perro"]) == [7, 8]
    assert tokenizer("el gato perro").input_ids == [2, 6, 7, 8, 3]


@pytest.fixture
def bert(make):
    return AutoTokenizer.from_pretrained(make(vocab__txt="\n".join(WORDS) + "\n"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("model_max_length", value) for value in ("x", -1, 0, 1.5, None, True)),
        *((side, value) for side in ("padding_side", "truncation_side") for value in ("up", None, 5, ["left"])),
        *(("model_input_names", value) for value in (None, "input_ids", [5], ("input_ids",))),
        ("clean_up_tokenization_spaces", np.array([1, 0])),
        ("clean_up_tokenization_spaces", "yes"),
        ("additional_special_tokens", 5),
        ("special_tokens", None),
        ("position_limit", "x"),
        ("pad_token", 5),
        ("pad_token_id", "x"),
    ],
)
def test_attributes_that_are_none(bert, name, value):
    with pytest.raises(InputError, match=r"must be|id 0 is"):
        setattr(bert, name, value)
    assert bert(["el gato", "el"], padding=True, truncation=True, max_length=8).input_ids


ARRAYS = (np.array([1, 2]), torch.tensor([1, 2]), np.array(["a", "b"]))


@pytest.mark.parametrize("value", ARRAYS, ids=["ints", "tensor", "texts"])
@pytest.mark.parametrize(
    "option",
    ["padding", "truncation", "max_length", "return_tensors", "is_split_into_words", "return_offsets_mapping",
     "add_special_tokens", "return_length", "return_attention_mask", "return_overflowing_tokens"],
)  # fmt: skip
def test_arrays_as_options(bert, option, value):
    with pytest.raises(GatonegroError, match=option):
        bert("el gato", **{option: value})


@pytest.mark.parametrize("value", [None, {}, [None], [["a"]], "x", 1.5], ids=repr)
def test_arguments_that_are_none(bert, value):
    batch = bert(["el gato"])
    works = [bert.batch_decode, bert.decode, bert.num_special_tokens_to_add, bert.pad]
    works += [batch.word_ids, batch.sequence_ids, batch.tokens, batch.char_to_token, batch.token_to_chars]
    works += [bert.convert_tokens_to_string] if value != "x" else []
    for work in works:
        with pytest.raises(GatonegroError):
            work(value)


def test_arguments_that_are_some(bert):
    assert bert.batch_decode([]) == [] and bert.batch_decode(torch.tensor([[5, 6]])) == ["el gato"]
    assert bert.batch_decode(np.array([[5], [6]])) == ["el", "gato"] and bert.batch_decode([[]]) == [""]
    assert bert.convert_tokens_to_string(("el", "gato")) == "el gato"
    assert bert("el gato").char_to_token(np.int64(3)) == 2
    assert bert("el gato", return_tensors=None, padding=None, truncation=None).input_ids == [2, 5, 6, 3]


def test_a_tokenizer_json_is_read_from_bytes(make):
    folder = make(tokenizer__json=json.dumps(tokenizer_json(VOCAB | {"ñandú": 7}), ensure_ascii=False))
    assert AutoTokenizer.from_pretrained(folder)("ñandú").input_ids == [7]
