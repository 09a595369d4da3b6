"""Tests of reading each kind of tokenizer file, of broken files, and of saving."""

import json
import warnings

import pytest

from gatonegro import AutoTokenizer
from gatonegro.errors import GatonegroError, InputError, TokenizerError

VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nel\nEl\nniño\nnino\ncafe\ncafé\n"


def load(folder, **options):
    return AutoTokenizer.from_pretrained(folder, **options)


@pytest.mark.parametrize(
    ("vocab", "options", "tokens"),
    [
        (VOCAB, {}, ["El", "niño", "café"]),  # it has capitals: cased, and accents stay
        (VOCAB, {"do_lower_case": True}, ["el", "nino", "cafe"]),
        (VOCAB.replace("El\n", ""), {}, ["el", "nino", "cafe"]),  # BERT's uncased: accents go
        (VOCAB.replace("El\n", "ñ\n"), {}, ["el", "niño", "café"]),  # an uncased one that has ñ: they stay
        (VOCAB.replace("El\n", ""), {"do_lower_case": False}, ["[UNK]", "niño", "café"]),
    ],
)
def test_vocab_txt_tells_whether_it_is_cased(make, vocab, options, tokens):
    assert load(make(vocab__txt=vocab), **options).tokenize("El niño café") == tokens


def test_a_configuration_wins_over_the_vocabulary_and_an_argument_over_both(make):
    folder = make(vocab__txt=VOCAB, tokenizer_config__json={"do_lower_case": True, "strip_accents": False})
    assert load(folder).tokenize("El niño") == ["el", "niño"]
    assert load(folder, do_lower_case=False).tokenize("El niño") == ["El", "niño"]
    assert load(folder, model_max_length=7, padding_side="left").model_max_length == 7


@pytest.mark.parametrize("empty", ["", {"content": ""}])
def test_an_empty_special_token_is_none(make, empty):
    tokenizer = load(make(vocab__txt=VOCAB, tokenizer_config__json={"pad_token": empty}))
    assert tokenizer.pad_token is None
    with pytest.raises(InputError, match="no padding token"):
        tokenizer(["el", "el niño"], padding=True)


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "names"),
    [
        ({}, {}, ["input_ids", "token_type_ids", "attention_mask"]),
        ({"model_type": "bert"}, {}, ["input_ids", "token_type_ids", "attention_mask"]),
        ({"model_type": "distilbert"}, {}, ["input_ids", "attention_mask"]),
        ({"model_type": "distilbert"}, {"tokenizer_class": "BertTokenizer"}, ["input_ids", "attention_mask"]),
        ({}, {"tokenizer_class": "DistilBertTokenizerFast"}, ["input_ids", "attention_mask"]),
        ({"model_type": "bert"}, {"model_input_names": ["input_ids"]}, ["input_ids"]),
    ],
)
def test_which_inputs_a_family_takes(make, config, tokenizer_config, names):
    folder = make(vocab__txt=VOCAB, config__json=config, tokenizer_config__json=tokenizer_config)
    assert list(load(folder)("el")) == names


@pytest.mark.parametrize("kind", ["modernbert", "bart", "gpt2", "longformer", "t5", "umt5", "roberta", "bert", "other"])
def test_which_inputs_a_model_takes_whose_tokenizer_has_no_class(make, json_folder, kind):
    text = (json_folder / "tokenizer.json").read_text(encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
    made = load(make(tokenizer__json=text, config__json={"model_type": kind}, tokenizer_config__json=settings))
    assert ("token_type_ids" in made("el")) == (kind in ("roberta", "bert", "other"))


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"model_type": "bert", "max_position_embeddings": 40}, 40),
        ({"model_type": "roberta", "max_position_embeddings": 40}, 38),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 40, "pad_token_id": 0}, 39),
        ({"model_type": "gpt2", "n_positions": 40}, 40),
        ({"model_type": "t5", "n_positions": 40}, int(1e30)),
        ({"model_type": "umt5", "max_position_embeddings": 40}, int(1e30)),
        ({"model_type": "bart", "max_position_embeddings": 40}, 40),
        ({"max_position_embeddings": None}, int(1e30)),
    ],
)
def test_the_length_that_positions_allow(make, json_folder, config, length):
    text = (json_folder / "tokenizer.json").read_text(encoding="utf-8")
    assert load(make(tokenizer__json=text, config__json=config)).model_max_length == length
    with_limit = make(tokenizer__json=text, config__json=config, tokenizer_config__json={"model_max_length": 16})
    assert load(with_limit).model_max_length == 16
    assert len(load(with_limit)("el gato negro " * 9, truncation=True, max_length=20).input_ids) == 20


def test_a_nameless_tokenizer_json_finds_its_special_tokens(make, json_folder):
    tokenizer = load(make(tokenizer__json=(json_folder / "tokenizer.json").read_text(encoding="utf-8")))
    assert (tokenizer.cls_token, tokenizer.pad_token_id, tokenizer.mask_token) == ("<s>", 1, "<mask>")
    assert tokenizer(["el", "el gato"], padding=True).attention_mask[0][-1] == 0
    assert "token_type_ids" in tokenizer("el")


def test_truncation_and_padding_inside_tokenizer_json_do_not_leak_into_calls(make, json_folder):
    inside = json.loads((json_folder / "tokenizer.json").read_text(encoding="utf-8"))
    inside["truncation"] = {"max_length": 3, "stride": 0, "strategy": "LongestFirst", "direction": "Right"}
    inside["padding"] = {
        "strategy": {"Fixed": 9}, "direction": "Right", "pad_id": 1, "pad_type_id": 0, "pad_token": "<pad>",
        "pad_to_multiple_of": None,
    }  # fmt: skip
    assert load(make(tokenizer__json=inside))("el gato").input_ids == load(json_folder)("el gato").input_ids


def test_tokenizer_json_of_an_uncased_bert_can_keep_case_on_request(make, bert, tmp_path):
    bert.save_pretrained(tmp_path / "saved")
    text = (tmp_path / "saved" / "tokenizer.json").read_text(encoding="utf-8")
    folder = make(
        tokenizer__json=text, tokenizer_config__json={"tokenizer_class": "BertTokenizer", "do_lower_case": False}
    )
    assert load(folder).tokenize("El gato") == ["[UNK]", "gato"]
    assert load(make(tokenizer__json=text)).tokenize("El gato") == ["el", "gato"]


def test_byte_level_files_are_roberta_or_gpt2_by_their_special_tokens(make, bytes_folder, roberta):
    assert roberta("a").tokens() == ["<s>", "a", "</s>"]
    assert roberta("a b", return_offsets_mapping=True).offset_mapping[2] == (2, 3)  # the space is left out
    masked = roberta("x <mask> y", return_offsets_mapping=True)  # the mask takes the space before it
    assert (masked.input_ids[2], masked.tokens()[2]) == (roberta.mask_token_id, " <mask>")
    assert roberta.decode(masked.input_ids) == "<s>x<mask> y</s>"
    vocab = json.loads((bytes_folder / "vocab.json").read_text(encoding="utf-8"))
    merges = (bytes_folder / "merges.txt").read_text(encoding="utf-8")
    vocab = {"<|endoftext|>" if token == "<s>" else token: i for token, i in vocab.items()}
    gpt2 = load(make(vocab__json=vocab, merges__txt=merges))
    assert gpt2("a b").tokens() == ["a", "Ġb"]
    assert gpt2.decode(gpt2.encode(" El niño 😀\n")) == " El niño 😀\n"
    assert gpt2.pad_token is None
    gpt2.pad_token = gpt2.eos_token
    assert gpt2(["a", "a b"], padding=True).attention_mask == [[1, 0], [1, 1]]


def test_vocabulary_files_give_what_transformers_makes_of_them(make, bert_folder, roberta, bytes_folder, texts, hf):
    # transformers 4, and RoBERTa's published tokenizer.json, let the mask take the space before it
    mask = hf.AddedToken("<mask>", lstrip=True)
    bert = load(make(vocab__txt=(bert_folder / "vocab.txt").read_text(encoding="utf-8")))
    references = [
        (bert, hf.BertTokenizer.from_pretrained(str(bert_folder))),
        (roberta, hf.RobertaTokenizer.from_pretrained(str(bytes_folder), mask_token=mask)),
    ]
    texts = [*texts, "", "  el  ga\u0301to ", "Café[MASK]a [SEP]", "</s>a <mask> b<pad>", "\x00a 日本 👩‍👧", "x" * 200]
    for ours, theirs in references:
        actual, expected = (tokenizer(texts, return_offsets_mapping=True) for tokenizer in (ours, theirs))
        assert dict(actual) == dict(expected)
        for skip in (False, True):
            decoded = theirs.batch_decode(actual.input_ids, skip_special_tokens=skip)
            assert ours.batch_decode(actual.input_ids, skip_special_tokens=skip) == decoded


def test_added_tokens_of_the_files(make):
    added = {"perro": 11, "[X]": 12}
    special = {"additional_special_tokens": ["[X]"], "mask_token": {"content": "[MASK]", "lstrip": True}}
    tokenizer = load(make(vocab__txt=VOCAB, added_tokens__json=added, special_tokens_map__json=special))
    assert tokenizer("perro[X]").input_ids == [2, 11, 12, 3]
    assert tokenizer.decode([11, 12], skip_special_tokens=True) == "perro"
    decoder = {"12": {"content": "gato", "lstrip": True}, "11": {"content": "perro"}}
    tokenizer = load(make(vocab__txt=VOCAB, tokenizer_config__json={"added_tokens_decoder": decoder}))
    assert tokenizer("gato perro").input_ids == [2, 12, 11, 3]


# ---------------------------------------------------------------- broken files


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no tokenizer: none of tokenizer.json, vocab.txt"),
        ({"tokenizer__json": "{"}, "tokenizer.json of .* cannot be used: damaged"),
        ({"tokenizer__json": "[]"}, "tokenizer.json of .* cannot be used"),
        ({"tokenizer__json": {"version": "1.0"}}, "tokenizer.json of .* cannot be used"),
        ({"tokenizer__json": {"version": "1.0", "model": {"type": "BPE", "vocab": 3, "merges": []}}}, "cannot be used"),
        ({"tokenizer__json": {"version": "1.0", "model": {"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]}}}, "cannot be used"),  # noqa: E501
        ({"vocab__txt": ""}, r"vocab.txt of .* cannot be used|no \[UNK\]"),
        ({"vocab__txt": "el\ngato\n"}, r"the vocabulary has no \[(UNK|CLS|SEP)\]"),
        ({"merges__txt": "#version: 0.2\na b\n"}, "merges.txt of .* cannot be used"),
        ({"merges__txt": "a b c\n", "vocab__json": {"a": 0}}, "merges.txt of .* cannot be used"),
        ({"merges__txt": "a b\n", "vocab__json": {"a": "x", "b": 1}}, "merges.txt of .* cannot be used"),
        ({"merges__txt": "a b\n", "vocab__json": ["a"]}, "vocab.json of .* should be a JSON object|it should be a JSON object"),  # noqa: E501
        ({"vocab__txt": VOCAB, "config__json": "{"}, "config.json of .* cannot be used: damaged"),
        ({"vocab__txt": VOCAB, "config__json": "[" * 100_000}, "config.json of .* cannot be used: damaged"),
        ({"vocab__txt": VOCAB, "config__json": {"max_position_embeddings": "many"}}, "the configuration of"),
        ({"vocab__txt": VOCAB, "tokenizer_config__json": "3"}, "should be a JSON object, but is a int"),
        ({"vocab__txt": VOCAB, "tokenizer_config__json": {"cls_token": 3}}, "3 should be a token"),
        ({"vocab__txt": VOCAB, "tokenizer_config__json": {"cls_token": "[BOS]"}}, r"the vocabulary has no \[BOS\]"),
        ({"vocab__txt": VOCAB, "tokenizer_config__json": {"padding_side": "up"}}, "'right' or 'left'"),
        ({"vocab__txt": VOCAB, "tokenizer_config__json": {"model_max_length": "long"}}, "the configuration of"),
        ({"vocab__txt": VOCAB, "added_tokens__json": {"perro": 99}}, "'perro' should have the id 99"),
        ({"vocab__txt": VOCAB, "added_tokens__json": {"perro": "x"}}, "the special tokens of"),
        ({"vocab__txt": VOCAB, "tokenizer_config__json": {"tokenizer_class": "RobertaTokenizer"}}, "vocab.txt is not enough"),  # noqa: E501
        ({"spiece__model": "x", "config__json": {"model_type": "albert"}}, "spiece.model is not enough .* 'albert'"),
        ({"spiece__model": "x"}, "not a SentencePiece model"),
        ({"one__spm": "x", "two__spm": "x"}, "several"),
    ],
)  # fmt: skip
def test_broken_files_say_which_and_why(make, files, message):
    with pytest.raises(TokenizerError, match=message) as caught:
        load(make(**files))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "no traceback of the libraries"


def test_a_vocabulary_that_is_no_utf8(make):
    folder = make()
    (folder / "vocab.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    with pytest.raises(TokenizerError, match=r"vocab.txt of .* cannot be used"):
        load(folder)


def test_unknown_arguments_and_models(tmp_path):
    with pytest.raises(TypeError, match="do_lowercase"):
        load(tmp_path, do_lowercase=True)
    with pytest.raises(GatonegroError, match="no-such-model"):
        load("no-such-model-anywhere", local_files_only=True)


# ---------------------------------------------------------------- what is written


@pytest.fixture(params=["bert", "roberta", "robertuito", "unigram"])
def tokenizer(request):
    return request.getfixturevalue(request.param)


def saved_like(tokenizer, other, texts):
    """Compare two tokenizers on plain texts, special tokens, pairs and long texts."""
    texts = [*texts, f"a {tokenizer.mask_token or 'b'} c", "el gato " * 30]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert other(texts)["input_ids"] == tokenizer(texts).input_ids
        assert other("a", "b")["input_ids"] == tokenizer("a", "b").input_ids
        ids = tokenizer(texts).input_ids
    assert list(other("a")) == list(tokenizer("a"))
    assert [other.decode(row) for row in ids] == [tokenizer.decode(row) for row in ids]
    for name in ("pad_token", "cls_token", "mask_token", "eos_token", "unk_token", "model_max_length"):
        assert getattr(other, name) == getattr(tokenizer, name)
    assert len(other) == len(tokenizer)


def test_what_is_saved_is_read_back(tokenizer, tmp_path, texts):
    paths = tokenizer.save_pretrained(tmp_path / "a" / "b")
    assert [path.rsplit("b", 1)[1][1:] for path in paths] == ["tokenizer.json", "tokenizer_config.json"]
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted(
        ["tokenizer.json", "tokenizer_config.json"]
    ), "nothing is left beside them"
    saved_like(tokenizer, load(tmp_path / "a" / "b"), texts)
    tokenizer.save_pretrained(str(tmp_path / "a" / "b"))  # over the first


def test_what_is_saved_is_read_back_by_transformers(tokenizer, tmp_path, texts, hf):
    tokenizer.save_pretrained(tmp_path)
    saved_like(tokenizer, hf.AutoTokenizer.from_pretrained(str(tmp_path)), texts)


def test_added_tokens_are_saved_too(make, bert_folder, tmp_path, hf):
    folder = make(vocab__txt=(bert_folder / "vocab.txt").read_text(encoding="utf-8"))
    tokenizer = load(folder)
    with pytest.warns(UserWarning, match="resize_token_embeddings"):
        tokenizer.add_tokens(["gatonegro"])
        tokenizer.add_special_tokens({"additional_special_tokens": ["[X]"]})
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(tmp_path)
    for other in (load(tmp_path), hf.AutoTokenizer.from_pretrained(str(tmp_path))):
        assert other("gatonegro [X] el")["input_ids"] == [2, 24, 25, 5, 3]
        assert other.decode([24, 25], skip_special_tokens=True) == "gatonegro"
        assert other.padding_side == "left"
    assert load(tmp_path).additional_special_tokens == ["[X]"]


def test_saving_where_a_file_is(bert, tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(GatonegroError, match="taken"):
        bert.save_pretrained(tmp_path / "taken")
