"""Tests of our SentencePiece reader against `sentencepiece`."""

import json
import shutil
import warnings
from types import SimpleNamespace

import pytest

from gatonegro import AutoTokenizer
from gatonegro.errors import TokenizerError
from gatonegro.tokenization.sentencepiece import read

ODD = [
    "",
    " ",
    "  el   gato ",
    "\tel\ngato\n",
    "El ﬁn ２３ ①",
    "日本語 и русский",
    "a\u200bb\u00a0c",
    "e\u0301l",
    "...",
    "▁",
    "x" * 500,
]


@pytest.fixture(scope="module")
def reference():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sentencepiece = pytest.importorskip("sentencepiece")
    return lambda path: sentencepiece.SentencePieceProcessor(model_file=str(path))


KINDS = {
    "unigram": {"model_type": "unigram"},
    "unigram, bytes": {"model_type": "unigram", "byte_fallback": True, "vocab_size": 400},
    "bpe": {"model_type": "bpe", "vocab_size": 200, "hard_vocab_limit": True},
    "bpe, bytes": {"model_type": "bpe", "byte_fallback": True, "vocab_size": 450, "hard_vocab_limit": True},
    "no dummy prefix": {"model_type": "unigram", "add_dummy_prefix": False},
    "spaces kept": {"model_type": "unigram", "remove_extra_whitespaces": False, "normalization_rule_name": "identity"},
    "words together": {"model_type": "bpe", "split_by_whitespace": False, "vocab_size": 200, "hard_vocab_limit": True},
    "tokens of the user's": {"model_type": "unigram", "user_defined_symbols": ["<cat>"]},
    "spaces and tokens of the user's": {
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
        "user_defined_symbols": ["<cat>"],
    },
}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_the_ids_are_those_of_sentencepiece(train_spm, reference, texts, options):
    path = train_spm("vocab.spm", **options)
    ours, theirs = AutoTokenizer.from_pretrained(path.parent), reference(path)
    for text in [*texts, *ODD, "el <cat> gato", "<cat>el<cat><cat> gato <cat>"]:
        expected = theirs.encode(text)
        assert ours.encode(text, add_special_tokens=False) == expected, repr(text)
        if theirs.unk_id() not in expected:
            assert ours.decode(expected) == theirs.decode(expected), repr(text)
    assert ours("el").input_ids[-1] == theirs.eos_id()
    assert ours.convert_ids_to_tokens(list(range(theirs.get_piece_size()))) == [
        theirs.id_to_piece(i) for i in range(theirs.get_piece_size())
    ]


def test_offsets_are_those_that_transformers_makes_of_such_files(train_spm, hf, texts):
    from transformers.convert_slow_tokenizer import SpmConverter

    path = train_spm("vocab.spm")
    theirs = SpmConverter(SimpleNamespace(vocab_file=str(path))).converted()
    ours = AutoTokenizer.from_pretrained(path.parent)
    for text in [*texts, "El   gato  negro ", "a\u200b\u200bb  ", "e\u0301l", "El ﬁn ２３ ① ½"]:
        one = ours(text, add_special_tokens=False, return_offsets_mapping=True)
        other = theirs.encode(text, add_special_tokens=False)
        assert (one.input_ids, one.offset_mapping) == (other.ids, other.offsets), repr(text)


def test_t5_has_its_sentinels_at_the_end(train_spm, unigram, reference, texts):
    size = len(unigram) - 100
    assert unigram.convert_ids_to_tokens([size, size + 99]) == ["<extra_id_99>", "<extra_id_0>"]
    assert unigram("el <extra_id_0> gato").input_ids.count(size + 99) == 1
    assert unigram.tokenize("el gato", "negro", add_special_tokens=True).count("</s>") == 2
    assert (unigram.pad_token_id, unigram.eos_token_id, unigram.unk_token_id) == (0, 1, 2)


def test_t5_against_transformers(train_spm, hf, texts):
    symbols = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "user_defined_symbols": ["<cat>"]}
    folder = train_spm("spiece.model", **symbols).parent
    theirs, ours = hf.T5Tokenizer.from_pretrained(str(folder)), AutoTokenizer.from_pretrained(folder)
    for text in [*texts, *ODD, "el <cat> gato<cat>"]:
        one, other = ours(text, return_offsets_mapping=True), theirs(text, return_offsets_mapping=True)
        assert (one.input_ids, one.offset_mapping) == (other["input_ids"], other["offset_mapping"]), repr(text)


def test_fairseq_ids(train_spm, reference):
    """XLM-R puts four tokens of its own before the pieces, CamemBERT five, and both <mask> at the end."""
    path = train_spm("sentencepiece.bpe.model", unk_id=0, bos_id=1, eos_id=2)
    theirs = reference(path)
    pieces = theirs.encode("El gato negro")
    for model_type, moved in (("xlm-roberta", 1), ("camembert", 4)):
        (path.parent / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
        ours = AutoTokenizer.from_pretrained(path.parent)
        cls, sep = ours.convert_tokens_to_ids(["<s>", "</s>"])
        assert ours("El gato negro").input_ids == [cls, *(i + moved for i in pieces), sep]
        assert (cls, sep) == ((0, 2) if model_type == "xlm-roberta" else (5, 6))
        assert ours.unk_token_id == 3
        assert ours.mask_token_id == theirs.get_piece_size() + moved == len(ours) - 1
        assert ours("el <mask> gato").input_ids.count(ours.mask_token_id) == 1


def test_deberta_has_its_mask_after_the_pieces(train_spm):
    symbols = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    names = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    path = train_spm("spm.model", **symbols, **names)
    ours = AutoTokenizer.from_pretrained(path.parent)
    assert ours("el", "gato").tokens()[0] == "[CLS]"
    assert ours("el", "gato", return_token_type_ids=True).token_type_ids[-1] == 1
    assert ours.mask_token_id == ours.vocab_size == len(ours) - 1


def test_marian_with_a_file_for_each_language(train_spm, tmp_path, hf, texts):
    shutil.copy(train_spm("source.spm", vocab_size=110), tmp_path / "source.spm")
    shutil.copy(
        train_spm("target.spm", vocab_size=90, model_type="bpe", hard_vocab_limit=True), tmp_path / "target.spm"
    )
    files = [read((tmp_path / name).read_bytes()) for name in ("source.spm", "target.spm")]
    pieces = dict.fromkeys(text for file in files for text, _, _ in file.pieces if text not in ("<s>", "</s>", "<unk>"))
    vocab = {token: i for i, token in enumerate(["</s>", "<unk>", *reversed(pieces), ">>es<<", "<pad>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (tmp_path / "config.json").write_text('{"model_type": "marian", "max_position_embeddings": 512}', encoding="utf-8")
    ours = AutoTokenizer.from_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("sentencepiece")
        names = ("source.spm", "target.spm", "vocab.json")
        theirs = hf.MarianTokenizer(*(str(tmp_path / name) for name in names))
        for text in [*texts, *ODD[:6]]:
            assert ours(text).input_ids == theirs(text)["input_ids"], repr(text)
    target = [vocab[piece] for piece in ("▁cat", "▁gato", "s") if piece in vocab]
    assert ours.decode([*target, 0], skip_special_tokens=True) == theirs.decode([*target, 0], skip_special_tokens=True)
    assert ours.convert_ids_to_tokens(list(range(len(vocab)))) == list(vocab)
    assert (ours.eos_token_id, ours.unk_token_id, ours.pad_token_id) == (0, 1, len(vocab) - 1)
    assert len(ours) == len(vocab)


def test_a_file_that_is_cut_short_or_scrambled(train_spm, tmp_path):
    data = train_spm("vocab.spm").read_bytes()
    for bad in (
        b"",
        b"\x00",
        b"\xff" * 50,
        data[:-1],
        data[: len(data) // 2],
        data[100:],
        b"PK\x03\x04" * 20,
        data + b"\x0a",
    ):
        (tmp_path / "vocab.spm").write_bytes(bad)
        with pytest.raises(TokenizerError, match=r"\*.spm of .* cannot be used"):
            AutoTokenizer.from_pretrained(tmp_path)


def test_word_and_character_models_are_refused(train_spm):
    with pytest.raises(TokenizerError, match="type 4"):
        AutoTokenizer.from_pretrained(train_spm("vocab.spm", model_type="char").parent)
