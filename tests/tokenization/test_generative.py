"""Tests of Marian's, BART's, T5's and GPT-2's tokenizers against those of `transformers`."""

import json
import pickle
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_checkpoints import make as checkpoint

from gatonegro import AutoTokenizer
from gatonegro.errors import InputError, TokenizerError
from gatonegro.tokenization.sentencepiece import read

KINDS = ("marian", "bart", "t5", "gpt2")
CODES = (">>es<<", ">>zh_Hans<<")
SIGNS = [
    *"abcdeghlnorstuxyzABCEGHáéíóúñÑü ¿?¡!.,;-_'\"()@#/0123456789\t\n€漢日本字😀👍▁Ġ<>",
    *"\u200b\u00a0\u2060\u3000ﬁ①\U0010ffff",
    *("the ", "El ", "gato ", " cat", "  ", ">>", "<<", *CODES, ">>xx<<", ">><<", "</s>", "<s>", "<unk>", "<pad>"),
    *("<mask>", "<extra_id_0>", "<extra_id_99>", "<|endoftext|>"),
]
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=30).map("".join)
PLAIN = [
    *("", " ", "El gato negro duerme.", "The black cat sleeps in the old house.", "  el   gato  ", "a . b n't 's ?"),
    *(">>es<< El gato", "x" * 300, "\tel\ngato\r\n", "日本 ñ 👩‍👩‍👧‍👦", "</s> a<mask>b <mask> <pad> <unk>x"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a folder per kind; Marian's vocab.json has language codes, lacks pieces, and has one that no file has."""
    root = tmp_path_factory.mktemp("generative")
    for kind in KINDS:
        checkpoint(kind, root / kind)
    path = root / "marian" / "vocab.json"
    pieces = [p for p in json.loads(path.read_text(encoding="utf-8")) if p[:1] != "<"]
    vocab = ["</s>", "<unk>", *(p for i, p in enumerate(pieces) if i % 9), *CODES, "日本", "<pad>"]
    path.write_text(json.dumps({piece: i for i, piece in enumerate(vocab)}), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def reference(hf):
    """Return `reference(kind, folder)`, the tokenizer of `transformers`."""

    def load(kind, folder, **options):
        if kind == "bart":  # what transformers 4, and the published tokenizer.json, do
            options["mask_token"] = hf.AddedToken("<mask>", lstrip=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SWIG's, and Marian's on sacremoses, which it does not use
            return hf.AutoTokenizer.from_pretrained(str(folder), **options)

    return load


@pytest.fixture(scope="module")
def pair(folders, reference):
    """Return `pair(kind)`, our tokenizer and that of `transformers`, each loaded once."""
    loaded = {kind: (AutoTokenizer.from_pretrained(folders / kind), reference(kind, folders / kind)) for kind in KINDS}
    return loaded.__getitem__


pytestmark = pytest.mark.filterwarnings("ignore:a text has")


@pytest.mark.parametrize("kind", KINDS)
@given(text=TEXTS)
@example("\U0010ffff>es<< \U0010ffff▁el \U0010ffff<s>")
@example(">>es<<   El gato</s>>>xx<< <<b>>es<<")
@example(">>a\nb<<>>es<<")
@example("日本語日本 ▁▁ ñ")
def test_ids_and_text_are_those_of_transformers(pair, kind, text):
    ours, theirs = pair(kind)
    ids = ours(text).input_ids
    assert ids == theirs(text)["input_ids"]
    for skip in (False, True):
        for clean in (None, False) if kind in ("bart", "gpt2") else (None, False, True):  # see test_cleaning_up
            options = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": clean}
            assert ours.decode(ids, **options) == theirs.decode(ids, **options)
    assert ours.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_the_vocabulary_is_that_of_transformers(pair, kind):
    ours, theirs = pair(kind)
    assert ours.get_vocab() == theirs.get_vocab()
    names = ("vocab_size", "model_max_length", "padding_side", "clean_up_tokenization_spaces", "all_special_tokens")
    names += ("pad_token_id", "eos_token_id", "unk_token_id", "bos_token_id", "model_input_names")
    for name in names:
        actual, expected = getattr(ours, name), getattr(theirs, name)
        if isinstance(actual, list):
            assert (sorted(actual), len(actual)) == (sorted(expected), len(expected)), name
        else:
            assert actual == expected, name
    for token in ("a", "▁el", "nothing of the kind", *CODES):
        assert ours.convert_tokens_to_ids(token) == theirs.convert_tokens_to_ids(token)


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_and_cut_texts(pair, kind):
    ours, theirs = pair(kind)
    texts = [text for text in PLAIN if text.strip()]
    for options in ({}, {"truncation": True, "max_length": 5}, {"add_special_tokens": False}):
        assert dict(ours(texts, **options)) == dict(theirs(texts, **options))
    assert ours(texts, texts[::-1]).input_ids == theirs(texts, texts[::-1])["input_ids"]
    assert ours.num_special_tokens_to_add(True) == len(theirs("a", "b")["input_ids"]) - len(
        theirs("a", add_special_tokens=False)["input_ids"] + theirs("b", add_special_tokens=False)["input_ids"]
    )


# ---------------------------------------------------------------- what is to be written


@pytest.mark.parametrize("kind", KINDS)
@given(text=TEXTS)
def test_targets(pair, kind, text):
    ours, theirs = pair(kind)
    assert ours(text_target=text).input_ids == theirs(text_target=text)["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_labels_beside_a_text(pair, kind):
    ours, theirs = pair(kind)
    texts, targets = ["El gato negro", "Hola"], ["The cat", "Hello, the black cat sleeps"]
    for options in (
        {},
        {"truncation": True, "max_length": 5},
        {"truncation": True, "max_length": 6, "max_target_length": 3},
        *([{"padding": True, "return_tensors": "pt"}] if kind != "gpt2" else []),
    ):
        actual, expected = (tokenizer(texts, text_target=targets, **options) for tokenizer in (ours, theirs))
        assert list(actual) == list(expected)
        for name, rows in actual.items():
            assert np.array_equal(rows, expected[name]) if "return_tensors" in options else rows == expected[name]
        assert dict(ours(texts[0], text_target=targets[0])) == dict(theirs(texts[0], text_target=targets[0]))
    assert ours(texts, text_target=targets).encodings[0].offsets  # of the texts
    with pytest.raises(InputError, match="the text is None"):
        ours()


# ---------------------------------------------------------------- Marian


@pytest.fixture
def marian(pair):
    return pair("marian")


def test_a_language_code_in_front_is_one_token(marian):
    ours, theirs = marian
    code = ours.convert_tokens_to_ids(">>es<<")
    for text in (">>es<< El gato", ">>es<<El gato", ">>es<<  El gato"):
        assert ours(text).input_ids == theirs(text)["input_ids"] == [code, *ours("El gato").input_ids]
        batch = ours(text, return_offsets_mapping=True)
        assert (batch.tokens()[0], batch.offset_mapping[0]) == (">>es<<", (0, 6))
        assert ours.decode(batch.input_ids, skip_special_tokens=True).startswith(">>es<< El ")
    assert ours(">>xx<< El gato").input_ids == [ours.unk_token_id, *ours("El gato").input_ids]
    for text in ("El >>es<< gato", " >>es<< El gato", ">> El gato"):
        assert code not in ours(text).input_ids
    cut = ours([">>es<< El gato negro", "El"], truncation=True, max_length=3, padding=True).input_ids
    assert cut == theirs([">>es<< El gato negro", "El"], truncation=True, max_length=3, padding=True)["input_ids"]


def test_a_piece_is_looked_up_as_it_is_written(marian, folders):
    """What the source's file does not know may be in vocab.json, and what it knows may not be."""
    ours, theirs = marian
    files = [read((folders / "marian" / file).read_bytes()) for file in ("source.spm", "target.spm")]
    source, target = ({piece for piece, _, _ in file.pieces} for file in files)
    vocab = ours.get_vocab()
    foreign = next(p for p in target - source if len(p) == 1 and p in vocab)
    assert vocab[foreign] in ours(f"El gato {foreign}").input_ids
    assert ours("日本").input_ids[-2] == vocab["日本"]
    assert ours("日本語").input_ids[-2] == ours.unk_token_id
    lost = sorted(p for p in source - vocab.keys() if p[0] == "▁" and len(p) > 2)
    assert any(ours.unk_token_id in ours(p[1:]).input_ids for p in lost)
    assert ours.tokenize("El 日本語") == theirs.tokenize("El 日本語")


def test_both_sides_are_decoded(marian):
    """Special tokens apart; `transformers` 5 has two spaces after one where the piece is the target's alone."""
    ours, theirs = marian
    ids = ours(text_target="The black cat sleeps in the house.").input_ids
    written = [ours.pad_token_id, *ids]
    assert ours.decode(written, skip_special_tokens=True) == theirs.decode(written, skip_special_tokens=True)
    assert ours.decode(written) == theirs.decode(written, use_source_tokenizer=False)
    assert ours.batch_decode([ids, written], skip_special_tokens=True) == theirs.batch_decode(
        [ids, written], skip_special_tokens=True
    )
    assert ours.decode([0, 0]) == theirs.decode([0, 0]) == "</s> </s>"


def test_a_target_of_the_bpe_kind(folders, reference, train_spm, tmp_path):
    shutil.copytree(folders / "marian", tmp_path, dirs_exist_ok=True)
    shutil.copy(train_spm("bpe.spm", vocab_size=200, model_type="bpe", hard_vocab_limit=True), tmp_path / "target.spm")
    ours, theirs = AutoTokenizer.from_pretrained(tmp_path), reference("marian", tmp_path)
    for text in ("the cat in the house", "El gato negro"):
        assert ours(text_target=text).input_ids == theirs(text_target=text)["input_ids"]


def test_copies_and_pickles_of_marian(marian):
    ours, _ = marian
    copied = pickle.loads(pickle.dumps(ours))
    for side in ("text", "text_target"):
        assert copied(**{side: PLAIN}).input_ids == ours(**{side: PLAIN}).input_ids


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tokenizer_config.json": b'{"separate_vocabs": true}'}, "a vocabulary for each language .*separate_vocabs"),
        ({"tokenizer_config.json": b'{"source_lang": {"a": 1}}'}, "as source_lang .*must be a language code"),
        ({"tokenizer_config.json": b'{"target_lang": 3}'}, "has 3 as target_lang"),
        ({"vocab.json": None}, "has a source.spm and lacks vocab.json"),
        ({"vocab.json": None, "target.spm": None}, "lacks target.spm, vocab.json"),
        ({"vocab.json": b'{"a": "b"}'}, "source.spm of .* cannot be used"),
        ({"vocab.json": b'{"a": 0}'}, "the vocabulary has no <unk>"),
        ({"vocab.json": b"["}, "vocab.json of .* cannot be used: damaged"),
        ({"source.spm": b"x"}, "source.spm of .* cannot be used"),
    ],
)
def test_what_marian_lacks_or_has_damaged(folders, tmp_path, files, message):
    shutil.copytree(folders / "marian", tmp_path, dirs_exist_ok=True)
    for name, data in files.items():
        (tmp_path / name).unlink()
        if data is not None:
            (tmp_path / name).write_bytes(data)
    with pytest.raises(TokenizerError, match=message):
        AutoTokenizer.from_pretrained(tmp_path)


def test_a_damaged_target_is_reported_when_it_is_read(folders, tmp_path):
    shutil.copytree(folders / "marian", tmp_path, dirs_exist_ok=True)
    (tmp_path / "target.spm").write_bytes(b"x")
    ours = AutoTokenizer.from_pretrained(tmp_path)
    assert ours("El gato").input_ids
    with pytest.raises(TokenizerError, match=r"target.spm of .* cannot be used"):
        ours(text_target="The cat")


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_folder_is_read_by_both(folders, reference, tmp_path, kind):
    ours = AutoTokenizer.from_pretrained(folders / kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the model has no embeddings for them
        ours.add_tokens(["gatonegro"])
        ours.add_special_tokens({"additional_special_tokens": ["<X>"]})
    ours.padding_side = "left"
    ours.save_pretrained(tmp_path)
    shutil.copy(folders / kind / "config.json", tmp_path / "config.json")
    texts = [*PLAIN, "un gatonegro aquí<X> y <X> allí"]
    again, theirs = AutoTokenizer.from_pretrained(tmp_path), reference(kind, tmp_path)
    for other in (again, theirs):
        assert len(other) == len(ours)
        assert other.padding_side == "left"
        for side in ("text", "text_target"):
            ids = ours(**{side: texts}).input_ids
            assert other(**{side: texts})["input_ids"] == ids
        for skip in (False, True):
            decoded, expected = (
                [tokenizer.decode(row, skip_special_tokens=skip) for row in ours(texts).input_ids]
                for tokenizer in (ours, other)
            )  # theirs loses the space before an added word
            assert [text.replace(" gatonegro", "gatonegro") for text in decoded] == [
                text.replace(" gatonegro", "gatonegro") for text in expected
            ]
    if kind == "marian":
        assert {path.name for path in tmp_path.iterdir()} == {
            *("source.spm", "target.spm", "vocab.json", "config.json"),
            "tokenizer_config.json",
        }
        assert (theirs.source_lang, theirs.target_lang) == ("es", "en")
        again.save_pretrained(tmp_path / "again")
        assert (tmp_path / "again" / "vocab.json").read_bytes() == (folders / kind / "vocab.json").read_bytes()


@pytest.mark.parametrize("kind", ["bart", "gpt2"])
def test_a_space_before_the_first_word(folders, reference, tmp_path, kind):
    plain = AutoTokenizer.from_pretrained(folders / kind)
    ours = AutoTokenizer.from_pretrained(folders / kind, add_prefix_space=True)
    theirs = reference(kind, folders / kind, add_prefix_space=True)
    assert ours(PLAIN).input_ids == theirs(PLAIN)["input_ids"] != plain(PLAIN).input_ids
    words = ["El", "gato"]
    assert ours(words, is_split_into_words=True).input_ids == theirs(words, is_split_into_words=True)["input_ids"]
    plain.save_pretrained(tmp_path / "plain")
    with_space = AutoTokenizer.from_pretrained(tmp_path / "plain", add_prefix_space=True)
    ours.save_pretrained(tmp_path / "spaced")
    for other in (with_space, AutoTokenizer.from_pretrained(tmp_path / "spaced"), reference(kind, tmp_path / "spaced")):
        first, second = (tokenizer(PLAIN, return_offsets_mapping=True) for tokenizer in (ours, other))
        assert (first.input_ids, first.offset_mapping) == (second["input_ids"], second["offset_mapping"])


# ---------------------------------------------------------------- bytes, spaces, padding


@pytest.mark.parametrize("kind", ["bart", "gpt2"])
def test_half_a_letter(pair, kind):
    """A model may stop between the bytes of a letter."""
    ours, theirs = pair(kind)
    ids = ours("el niño 👩‍👩‍👧 日本", add_special_tokens=False).input_ids
    for begin in range(len(ids)):
        for end in range(begin, len(ids) + 1):
            assert ours.decode(ids[begin:end]) == theirs.decode(ids[begin:end])
    assert ours.decode(ours("日", add_special_tokens=False).input_ids[:1]) == "\ufffd"


def test_cleaning_up(pair):
    """For BPE, `transformers` 4 cleans up on request and 5 never; by default, neither does."""
    for kind, cleaned in (("bart", "a . b"), ("gpt2", "a . b"), ("t5", "a. b")):
        ours, theirs = pair(kind)
        ids = ours("a . b", add_special_tokens=False).input_ids
        assert ours.decode(ids) == theirs.decode(ids) == "a . b"
        assert theirs.decode(ids, clean_up_tokenization_spaces=True) == cleaned
        assert ours.decode(ids, clean_up_tokenization_spaces=True) == "a. b"
        assert ours.decode(ids, spaces_between_special_tokens=False) == "a . b"


def test_gpt2_pads_on_the_left_once_it_has_a_token_for_it(folders, reference):
    ours, theirs = AutoTokenizer.from_pretrained(folders / "gpt2"), reference("gpt2", folders / "gpt2")
    texts = ["El gato negro", "El"]
    for tokenizer in (ours, theirs):
        tokenizer.padding_side = "left"
        for call in (lambda t: t(texts, padding=True), lambda t: t.pad(t(texts))):
            with pytest.raises(ValueError, match=r"padding token|pad_token"):
                call(tokenizer)
        tokenizer.pad_token = tokenizer.eos_token
    actual, expected = (tokenizer(texts, padding=True) for tokenizer in (ours, theirs))
    assert dict(actual) == dict(expected)
    assert actual.attention_mask[1][0] == 0
    assert actual.input_ids[1][0] == ours.eos_token_id


@pytest.mark.parametrize("kind", ["marian", "bart", "t5"])
def test_pad(pair, kind):
    """What a collator does: rows that were encoded one by one become a batch."""
    ours, theirs = pair(kind)
    texts = ["El gato negro duerme", "El", ""]
    rows, batch = [theirs(text) for text in texts], theirs(texts)
    for options in (
        {},
        {"padding": "max_length", "max_length": 30},
        {"pad_to_multiple_of": 8, "padding_side": "left"},
        {"padding": False},
    ):
        for these in ([dict(row) for row in rows], dict(batch), [{"input_ids": row["input_ids"]} for row in rows]):
            copies = json.loads(json.dumps(these)), json.loads(json.dumps(these))
            assert dict(ours.pad(copies[0], **options)) == dict(theirs.pad(copies[1], **options))
    assert "attention_mask" not in ours.pad({"input_ids": [[5], [5, 6]]}, return_attention_mask=False)
    encoded = {"input_ids": [5, 6], "labels": [7]}
    assert dict(ours.pad(dict(encoded), padding="max_length", max_length=4)) == dict(
        theirs.pad(dict(encoded), padding="max_length", max_length=4)
    )
    tensors = ours.pad([{"input_ids": row["input_ids"], "score": 0.5} for row in rows], return_tensors="pt")
    assert tensors["input_ids"].tolist() == theirs(texts, padding=True)["input_ids"]
    assert tensors["score"].tolist() == [0.5] * 3
    arrays = [{"input_ids": np.array(row["input_ids"])} for row in rows]
    assert ours.pad(arrays)["input_ids"].tolist() == tensors["input_ids"].tolist()
    for bad in (3, [], [3], {"ids": [1]}, [{"input_ids": [1]}, {}]):
        with pytest.raises(InputError, match="input_ids"):
            ours.pad(bad)
