"""Tests of real vocabularies against `transformers` and recorded outputs of other libraries."""

import gzip
import json
import re
import shutil
import warnings
from types import SimpleNamespace

import pytest

from gatonegro import AutoTokenizer
from gatonegro.tokenization import TruncationWarning
from gatonegro.tokenization.sentencepiece import read

pytestmark = pytest.mark.shared

SENTENCE = "El profesor es bueno todo será sencillo"
ODD = [
    "",
    " ",
    "  el   gato ",
    "\tel\ngato\r\n",
    "El ﬁn ２３ ① ＡＢＣ ｶﾞ ½",
    "a\u200bb\u00a0c\u3000d\u0085e\u2028f \ufeffhola",
    "e\u0301l n\u0303 İstanbul ẞ ǅ ﷺ \u202eabc",
    "क्षि தமிழ் ไทย 日本語 и русский",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇸 \U0010ffff\ue000",
    "\x00a\x01",
    "x" * 500,
    " .  ,  ' n't 's",
    "#hashtag @usuario url @usuario, emoji",
    "▁ ## ##s Ġthe Ċ <0x41>",
    "[CLS] el [SEP]gato[MASK] [UNK] [PAD] x",
    "</s> <s> a<mask>b <mask> <pad> <unk> x",
    "<extra_id_0> a<extra_id_99>",
]


def column(path, number=0, every=1):
    """Return a field of every n-th line of a .tsv or .tsv.gz."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [row.split("\t")[number] for row in data.decode().split("\n")[1:-1:every]]


@pytest.fixture(scope="module")
def pairs(shared):
    """Return English and Spanish sentences."""
    return [column(shared / "parallel" / "dev.tsv", number, every=5) for number in (0, 1)]


@pytest.fixture(scope="module")
def lines(shared, pairs):
    """Return sentences in 19 languages, tweets with emoji, hotel reviews, films, long reviews."""
    feeling = shared / "sentiment"
    tweets, emoji = (column(feeling / "es.emoji50k.tsv.gz", number, every=30) for number in (0, 1))
    texts = [
        *column(shared / "langid" / "sentences.tsv", 1, every=2),
        *map(" ".join, zip(tweets, emoji, strict=True)),
        *column(feeling / "es.dev.tsv", every=2),
        *column(feeling / "en.dev.tsv", every=8),
        *column(feeling / "en.imdb-long.tsv.gz", every=1000),
        *pairs[0],
        *pairs[1],
    ]
    assert len(texts) >= 10_000
    return texts


def cased(hf, folder):
    return hf.BertTokenizer.from_pretrained(folder, do_lower_case=False)  # ours reads it off the vocabulary


def roberta(hf, folder):
    # the published tokenizer.json, and transformers 4, let the mask take the space before it; transformers 5 does
    # not where it has only these two files
    return hf.RobertaTokenizer.from_pretrained(folder, mask_token=hf.AddedToken("<mask>", lstrip=True))


REFERENCE = {
    "bert-base-multilingual-cased": cased,
    "bert-base-uncased": lambda hf, folder: hf.BertTokenizer.from_pretrained(folder),
    "beto-cased": cased,
    "roberta-base": roberta,
    "robertuito-base-uncased": lambda hf, folder: hf.AutoTokenizer.from_pretrained(folder),
    "t5-small": lambda hf, folder: hf.T5Tokenizer.from_pretrained(folder),
    # its class for XLM-R would leave the file's normalizer out
    "xlm-roberta-rebuilt": lambda hf, folder: hf.PreTrainedTokenizerFast.from_pretrained(folder, pad_token="<pad>"),
}


def different(lines, ours, theirs):
    """Return the first lines with different answers, and both answers."""
    together = zip(lines, ours, theirs, strict=True)
    return [(line, actual, expected) for line, actual, expected in together if actual != expected][:3]


def test_every_folder_has_its_reference(shared):
    folders = {path.name for path in (shared / "tokenizers").iterdir()}
    assert folders == {*REFERENCE, "marian-es-en"}


@pytest.mark.parametrize("name", REFERENCE)
def test_ids_offsets_and_text_are_those_of_transformers(name, shared, lines, pairs, hf, tmp_path):
    folder = shared / "tokenizers" / name
    if packed := list(folder.glob("*.gz")):
        (tmp_path / packed[0].stem).write_bytes(gzip.decompress(packed[0].read_bytes()))
        folder = tmp_path
    ours, theirs = AutoTokenizer.from_pretrained(folder), REFERENCE[name](hf, str(folder))
    assert ours.get_vocab() == theirs.get_vocab()
    ours.model_max_length = 10**6  # lines longer than the model are compared whole
    texts = [*lines, *ODD]
    options = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    actual, expected = ours(texts, **options), theirs(texts, **options)
    for key in ("input_ids", "attention_mask", "special_tokens_mask", "offset_mapping"):
        assert different(texts, actual[key], expected[key]) == []
    for skip in (False, True):
        decoded = (tokenizer.batch_decode(actual.input_ids, skip_special_tokens=skip) for tokenizer in (ours, theirs))
        assert different(texts, *decoded) == []
    options = {"truncation": True, "max_length": 24, "padding": True, "return_token_type_ids": True}
    actual, expected = (tokenizer(*(side[::2] for side in pairs), **options) for tokenizer in (ours, theirs))
    for key in ("input_ids", "token_type_ids", "attention_mask"):
        assert different(pairs[0][::2], actual[key], expected[key]) == []


@pytest.fixture(scope="module")
def marian(shared):
    """Return Marian's folder, which `transformers` cannot load: it needs a file per language, and `sentencepiece`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sentencepiece = pytest.importorskip("sentencepiece")
    path = shared / "tokenizers" / "marian-es-en" / "vocab.esen.spm"
    return SimpleNamespace(
        path=path,
        ours=AutoTokenizer.from_pretrained(path.parent),
        theirs=sentencepiece.SentencePieceProcessor(model_file=str(path)),
    )


def test_ids_and_text_of_a_joint_vocabulary_are_those_of_sentencepiece(marian, lines):
    ours, theirs = marian.ours, marian.theirs
    texts = [*lines, *(text for text in ODD if "</s>" not in text)]  # plain text there, a special token here
    ids = ours(texts).input_ids
    assert different(texts, ids, theirs.encode(texts, add_eos=True)) == []
    known = [i for i, row in enumerate(ids) if theirs.unk_id() not in row]  # it writes " ⁇ " for what it does not know
    assert len(known) > 3000
    decoded = ours.batch_decode([ids[i] for i in known], skip_special_tokens=True)
    assert different([texts[i] for i in known], decoded, theirs.decode([ids[i] for i in known])) == []


def test_where_cuts_are_equally_good_the_pieces_are_those_of_sentencepiece_if_not_always_their_order(marian, shared):
    """Of "...." as "." and "..." or as "..." and ".", it takes what the rounding of its 32-bit sums favours, and
    `tokenizers`, with 64 bits, the first: seldom, and only where a sign is repeated."""
    tweets = column(shared / "sentiment" / "es.emoji50k.tsv.gz")
    texts = [text for text in tweets if re.search(r"(.)\1\1", text, re.IGNORECASE)]
    assert len(texts) > 1000
    ids, expected = marian.ours(texts).input_ids, marian.theirs.encode(texts, add_eos=True)
    assert different(texts, map(sorted, ids), map(sorted, expected)) == []
    assert sum(actual != other for actual, other in zip(ids, expected, strict=True)) < len(texts) / 100


def test_offsets_and_text_of_a_joint_vocabulary_are_those_that_transformers_makes_of_such_files(marian, lines, hf):
    """Its Marian has no offsets, but it has a converter for SentencePiece files, whose first token takes the spaces
    before the text too. `sentencepiece` says where the text begins, and from there on the converter is followed."""
    from transformers.convert_slow_tokenizer import SpmConverter

    ours = marian.ours
    backend = SpmConverter(SimpleNamespace(vocab_file=str(marian.path))).converted()
    named = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"}
    theirs = hf.PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    assert ours.get_vocab() == theirs.get_vocab()
    texts = [*lines, *(text for text in ODD if "</s>" not in text)]  # to sentencepiece it is plain text
    reference_offsets = [row["offsets"] for row in marian.theirs.encode(texts, return_type="offset_mapping")]
    begins = [row[0][0] if row else 0 for row in reference_offsets]
    assert sum(map(bool, begins)) >= 4
    options = {"add_special_tokens": False, "return_offsets_mapping": True}
    encoded = ours(texts, **options)
    other = theirs([text[begin:] for text, begin in zip(texts, begins, strict=True)], **options)
    assert different(texts, encoded.input_ids, other.input_ids) == []
    offsets = [
        [(start + begin, end + begin) for start, end in row]
        for row, begin in zip(other.offset_mapping, begins, strict=True)
    ]
    assert different(texts, encoded.offset_mapping, offsets) == []
    ids = [[*row, ours.eos_token_id] for row in encoded.input_ids]
    for skip in (False, True):
        decoded = (tokenizer.batch_decode(ids, skip_special_tokens=skip) for tokenizer in (ours, theirs))
        assert different(texts, *decoded) == []


@pytest.fixture(scope="module")
def writing(shared, tmp_path_factory):
    """Folders of models that write, of real vocabularies: Marian's ids are the pieces' in another order, some of
    them missing, and GPT-2's vocabulary is RoBERTa's with GPT-2's own token at the end."""
    root, real = tmp_path_factory.mktemp("writing"), shared / "tokenizers"
    for kind, name in (
        ("marian", "marian-es-en"),
        ("bart", "roberta-base"),
        ("gpt2", "roberta-base"),
        ("t5", "t5-small"),
    ):
        shutil.copytree(real / name, root / kind)
        config = {"model_type": kind, "max_position_embeddings": 10**6, "n_positions": 10**6}
        (root / kind / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for side in ("source.spm", "target.spm"):
        shutil.copy(real / "marian-es-en" / "vocab.esen.spm", root / "marian" / side)
    (root / "marian" / "vocab.esen.spm").unlink()
    pieces = [p for p, _, _ in read((root / "marian" / "source.spm").read_bytes()).pieces if p[:1] != "<"]
    pieces = ["</s>", "<unk>", *(p for i, p in enumerate(sorted(pieces)) if i % 50), ">>es<<", "<pad>"]
    gpt2 = json.loads((root / "gpt2" / "vocab.json").read_text(encoding="utf-8"))
    gpt2 = [*(token for token in gpt2 if token != "<|endoftext|>"), "<|endoftext|>"]  # RoBERTa has it too
    for kind, vocab in (("marian", pieces), ("gpt2", gpt2)):
        text = json.dumps({token: i for i, token in enumerate(vocab)})
        (root / kind / "vocab.json").write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("kind", ["marian", "bart", "gpt2", "t5"])
def test_generative_models_tokenize_every_sentence_and_answer_as_transformers_does(kind, writing, shared, hf, tmp_path):
    every = [*(text for number in (0, 1) for text in column(shared / "parallel" / "dev.tsv", number)), *ODD]
    every += [f">>es<< {text}" for text in every[::20]]
    assert len(every) > 13_000
    ours = AutoTokenizer.from_pretrained(writing / kind)
    ours.save_pretrained(tmp_path)
    shutil.copy(writing / kind / "config.json", tmp_path)
    mask = {"mask_token": hf.AddedToken("<mask>", lstrip=True)} if kind == "bart" else {}  # see `roberta`
    for folder, options, texts in ((writing / kind, mask, every), (tmp_path, {}, every[::5])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = hf.AutoTokenizer.from_pretrained(str(folder), model_max_length=10**6, **options)
        for side in ("text", "text_target"):
            ids = ours(**{side: texts}).input_ids
            assert different(texts, ids, theirs(**{side: texts})["input_ids"]) == []
        for skip in (False, True):
            decoded = (tokenizer.batch_decode(ids, skip_special_tokens=skip) for tokenizer in (ours, theirs))
            assert different(texts, *decoded) == []


# ---------------------------------------------------------------- what is known by heart


def test_a_sentence_of_bert(shared):
    tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / "bert-base-uncased")
    ids = [101, 3449, 11268, 2229, 2953, 9686, 20934, 16515, 28681, 2080, 26358, 12411, 6895, 7174, 102]
    assert tokenizer(SENTENCE) == {"input_ids": ids, "token_type_ids": [0] * 15, "attention_mask": [1] * 15}
    assert tokenizer.tokenize(SENTENCE) == "el prof ##es ##or es bu ##eno tod ##o sera sen ##ci ##llo".split()
    assert tokenizer.decode(ids) == "[CLS] el profesor es bueno todo sera sencillo [SEP]"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "el profesor es bueno todo sera sencillo"


def test_distilbert_has_the_same_ids_and_no_token_types(shared, tmp_path):
    shutil.copy(shared / "tokenizers" / "bert-base-uncased" / "vocab.txt", tmp_path / "vocab.txt")
    config = {"model_type": "distilbert", "max_position_embeddings": 512, "vocab_size": 30522}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    batch = tokenizer(SENTENCE)
    assert list(batch) == ["input_ids", "attention_mask"]
    assert batch.input_ids == AutoTokenizer.from_pretrained(shared / "tokenizers" / "bert-base-uncased").encode(
        SENTENCE
    )
    assert (tokenizer.model_max_length, len(tokenizer)) == (512, 30522)


@pytest.fixture(scope="module")
def real_robertuito(shared):
    return AutoTokenizer.from_pretrained(shared / "tokenizers" / "robertuito-base-uncased")


def test_a_sentence_of_robertuito(real_robertuito):
    ids = [0, 459, 5934, 442, 1220, 658, 1504, 9764, 2]
    assert real_robertuito(SENTENCE) == {"input_ids": ids, "token_type_ids": [0] * 9, "attention_mask": [1] * 9}
    assert real_robertuito.tokenize(SENTENCE) == ["▁" + word for word in SENTENCE.lower().split()]
    assert real_robertuito.decode(ids) == "<s> el profesor es bueno todo será sencillo</s>"


def test_a_batch_of_robertuito(real_robertuito):
    texts = ["He estado deseando un curso así toda mi vida", "Me encanta HuggingFace"]
    batch = real_robertuito(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
    assert batch.input_ids.tolist() == [
        [0, 723, 1524, 12667, 471, 4095, 816, 1001, 507, 837, 2],
        [0, 474, 2479, 925, 24020, 23912, 2, 1, 1, 1, 1],
    ]
    assert batch.attention_mask.tolist() == [[1] * 11, [1] * 7 + [0] * 4]
    assert batch.token_type_ids.tolist() == [[0] * 11] * 2


def test_robertuito_cuts_to_the_128_tokens_that_its_model_takes_and_says_so(real_robertuito):
    assert real_robertuito.model_max_length == real_robertuito.position_limit == 128
    long = " ".join([SENTENCE] * 30)
    with pytest.warns(TruncationWarning, match="1 of 2 texts were cut to 128 tokens, not to max_length=512"):
        batch = real_robertuito([long, SENTENCE], padding=True, truncation=True, max_length=512, return_tensors="pt")
    assert batch.input_ids.shape == (2, 128)
    assert batch.attention_mask.sum(1).tolist() == [128, 9]
    words = real_robertuito.encode(SENTENCE, add_special_tokens=False)
    assert batch.input_ids[0].tolist() == [0, *(words * 30)[:126], 2]


# ---------------------------------------------------------------- what other libraries wrote down


@pytest.fixture(scope="module")
def tokenizer_of(shared):
    """Return a tokenizer by name, loaded once."""
    loaded = {}

    def get(name):
        if name not in loaded:
            loaded[name] = AutoTokenizer.from_pretrained(shared / "tokenizers" / name)
        return loaded[name]

    return get


def written(shared, name):
    return json.loads((shared / "conformance" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("bert_uncased_encoded.json", "bert-base-uncased"),
        ("distilbert_cased_encoded.json", "bert-base-multilingual-cased"),
        ("t5_base_encoded.json", "t5-small"),
    ],
)
def test_a_french_page(shared, tokenizer_of, file, name):
    case, tokenizer = written(shared, file), tokenizer_of(name)
    assert tokenizer.tokenize(case["text"]) == case["bpe_tokens"]
    assert tokenizer.encode(case["text"]) == case["token_ids"]
    # written down when transformers cleaned up by default
    assert tokenizer.decode(case["token_ids"], clean_up_tokenization_spaces=True) == case["decoded_text"]


def test_a_french_page_in_the_pieces_of_gpt2(shared, tokenizer_of):
    """RoBERTa has GPT-2's merges, under ids of its own."""
    case, tokenizer = written(shared, "gpt2_encoded_tokens.json"), tokenizer_of("roberta-base")
    words = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(case["text"])
    assert [word for word, _ in words] == case["encoded_text"]
    assert tokenizer.tokenize(case["text"]) == case["bpe_tokens"]
    assert tokenizer.convert_tokens_to_string(case["bpe_tokens"]) == case["decoded_text"]


@pytest.mark.parametrize(
    ("written_name", "name"),
    [
        ("bert-base-uncased", "bert-base-uncased"),
        ("google-bert/bert-base-uncased", "bert-base-uncased"),
        ("distilbert/distilbert-base-multilingual-cased", "bert-base-multilingual-cased"),
        ("t5-base", "t5-small"),
    ],
)
def test_short_texts_with_odd_spaces_and_signs(shared, tokenizer_of, written_name, name):
    tokenizer = tokenizer_of(name)
    for case in written(shared, "tokenizer_tests.json")[written_name]:
        batch, ids = tokenizer(case["input"]), case["encoded"]["input_ids"]
        assert {key: batch[key] for key in case["encoded"]} == case["encoded"], case["input"]
        for key, skip in (("decoded_with_special", False), ("decoded_without_special", True)):
            decoded = tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=True)
            assert decoded == case[key], case["input"]


def test_short_texts_in_the_ids_of_gpt2(shared, tokenizer_of):
    """RoBERTa's ids and GPT-2's stand for the same pieces, one for one."""
    tokenizer, both = tokenizer_of("roberta-base"), set()
    page = written(shared, "gpt2_encoded_tokens.json")
    cases = [(page["text"], page["token_ids"])]
    short = written(shared, "tokenizer_tests.json")
    for name, around in (("distilgpt2", slice(None)), ("openai/whisper-tiny.en", slice(2, -1))):  # its special tokens
        for case in short[name]:
            cases.append((case["input"], case["encoded"]["input_ids"][around]))
            ids = tokenizer.encode(case["input"], add_special_tokens=False)
            decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=True)
            assert decoded == case["decoded_without_special"], case["input"]
    for text, expected in cases:
        both |= set(zip(tokenizer.encode(text, add_special_tokens=False), expected, strict=True))
    assert len(both) == len({ours for ours, _ in both}) == len({theirs for _, theirs in both})


def test_questions_are_read_from_ids_and_encoded_again(shared, tokenizer_of):
    rows, tokenizer = written(shared, "tokenized_questions.json"), tokenizer_of("bert-base-uncased")
    texts = tokenizer.batch_decode(rows)
    assert texts[2] == "where did super bowl 50 take place?"
    assert different(texts, tokenizer(texts, add_special_tokens=False).input_ids, rows) == []
