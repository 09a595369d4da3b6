"""Methods of tokenizers and of their batches give what they give in transformers."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
import transformers as hf
from tokenizers import AddedToken

import gatonegro
from gatonegro import AutoTokenizer, BatchEncoding, CharSpan, TokenSpan
from gatonegro.errors import InputError, OptionError, TokenizerError

TEXT, PAIR = "El gato negro es bueno.", "No lo es, será mañana"
FAMILIES = ["bert", "bart", "gpt2", "t5"]
CLASSES = [f"{stem}{end}" for stem in ("Bert", "Roberta", "GPT2", "T5") for end in ("Tokenizer", "TokenizerFast")]


@pytest.fixture(scope="module")
def families(folders, make_folder):
    """Return a folder for each family of FAMILIES."""
    file = make_folder("pooler") / "vocab.txt"
    words = file.read_text(encoding="utf-8").splitlines()
    file.write_text("".join(f"{word}\n" for word in dict.fromkeys(words)), encoding="utf-8")
    return {**folders, "bert": file.parent}


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, families):
    """Return our tokenizer and that of transformers."""
    folder = families[request.param]
    return AutoTokenizer.from_pretrained(folder), hf.AutoTokenizer.from_pretrained(folder)


@pytest.mark.case("F11")
@pytest.mark.parametrize(
    "name",
    [
        *("vocab", "added_tokens_encoder", "extra_special_tokens", "extra_special_tokens_ids", "pad_token_type_id"),
        *("SPECIAL_TOKENS_ATTRIBUTES", "all_special_ids", "vocab_size", "is_fast"),
    ],
)
def test_attributes(both, name):
    ours, theirs = both
    value, expected = getattr(ours, name), getattr(theirs, name)
    if "extra_id" in str(ours.extra_special_tokens):  # transformers counts others among these
        assert not isinstance(value, list) or set(value) <= set(expected)
    else:
        assert value == type(value)(expected)


@pytest.mark.case("F11")
@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")  # more tokens than embeddings
def test_added_tokens(both):
    ours, theirs = map(copy.deepcopy, both)
    for tokenizer in (ours, theirs):
        tokenizer.add_tokens(["ñandú", AddedToken("<x>", lstrip=True)])
        tokenizer.add_special_tokens({"additional_special_tokens": ["<y>"]}, replace_extra_special_tokens=False)
    assert ours.get_added_vocab() == theirs.get_added_vocab()
    assert list(ours.get_added_vocab().values()) == list(theirs.get_added_vocab().values())
    assert {i: str(token) for i, token in ours.added_tokens_decoder.items()} == {
        i: str(token) for i, token in theirs.added_tokens_decoder.items()
    }
    for replace in (False, True):
        for tokenizer in (ours, theirs):
            tokenizer.add_special_tokens({"extra_special_tokens": ["<z>"]}, replace_extra_special_tokens=replace)
        assert ours.extra_special_tokens[-1:] == theirs.extra_special_tokens[-1:] == ["<z>"]
        assert (ours.extra_special_tokens == ["<z>"]) is (theirs.extra_special_tokens == ["<z>"]) is replace


@pytest.mark.case("F11")
def test_special_tokens_of_ids(both):
    ours, theirs = both
    first, second = (theirs.encode(text, add_special_tokens=False) for text in (TEXT, PAIR))
    ids = theirs(TEXT, PAIR, return_special_tokens_mask=True, return_token_type_ids=True)
    assert ours.build_inputs_with_special_tokens(first, second) == ids["input_ids"]
    assert ours.build_inputs_with_special_tokens(first) == theirs.encode(TEXT)
    assert ours.create_token_type_ids_from_sequences(first, second) == ids["token_type_ids"]
    assert ours.get_special_tokens_mask(first, second) == ids["special_tokens_mask"]
    known = {"already_has_special_tokens": True}
    encoded = theirs.encode(TEXT)
    assert ours.get_special_tokens_mask(encoded, **known) == theirs.get_special_tokens_mask(encoded, **known)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"add_special_tokens": False},
        {"truncation": True, "max_length": 9},
        {"truncation": "only_second", "max_length": 25, "return_length": True},
        {"padding": "max_length", "max_length": 60, "return_tensors": "pt", "padding_side": "left"},
    ],
    ids=lambda options: "-".join(options),
)
def test_ids_are_prepared_like_their_texts(both, options):
    ours, theirs = map(copy.deepcopy, both)
    for tokenizer in (ours, theirs):
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    ids = [theirs.encode(text, add_special_tokens=False) for text in (TEXT, PAIR)]
    prepared, expected = ours.prepare_for_model(*ids, **options), theirs(TEXT, PAIR, **options)
    expected = {name: value[0] for name, value in expected.items()} if "return_tensors" in options else expected
    for name, value in expected.items():
        assert torch.equal(torch.as_tensor(prepared[name]).view(-1), torch.as_tensor(value)), name


def test_older_names_of_a_call(both):
    ours, _ = both
    assert ours.encode_plus(TEXT, PAIR) == ours(TEXT, PAIR)
    assert ours.batch_encode_plus([(TEXT, PAIR)], tokenizer_kwargs={"truncation": True, "max_length": 9}) == ours(
        [(TEXT, PAIR)], truncation=True, max_length=9
    )
    with pytest.raises(AttributeError, match="prepare_for_model"):
        ours.truncate_sequences([1], num_tokens_to_remove=1)
    with pytest.raises(OptionError, match="split_special_tokens"):
        ours(TEXT, split_special_tokens=True)


@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_changes_no_ids(both, verbose):
    ours, theirs = both
    assert ours(TEXT, verbose=verbose)["input_ids"] == theirs(TEXT, verbose=verbose)["input_ids"]
    rows = {"input_ids": [[1, 2], [3, 4]]}
    assert ours.pad(rows, False, verbose=verbose)["input_ids"] == theirs.pad(rows, False, verbose=verbose)["input_ids"]


@pytest.mark.case("F11")
def test_tokens_words_and_characters(both):
    ours, theirs = (tokenizer([(TEXT, PAIR), ("a", "el gato")]) for tokenizer in both)
    assert (ours.n_sequences, ours.is_fast) == (theirs.n_sequences, theirs.is_fast) == (2, True)
    for row in (0, 1):
        for name in ("token_to_sequence", "token_to_word", "token_to_chars"):
            for i in range(len(ours["input_ids"][row])):
                assert getattr(ours, name)(row, i) == getattr(theirs, name)(row, i), (name, i)
            assert getattr(ours, name)(row, -2) == getattr(ours, name)(row, len(ours["input_ids"][row]) - 2)
        for name in ("char_to_token", "char_to_word", "word_to_tokens"):
            for i in range(4):
                for sequence in (0, 1):
                    found = getattr(theirs, name)(row, i, sequence)
                    assert getattr(ours, name)(row, i, sequence_index=sequence) == found, (name, i)
    assert ours.word_to_chars(1) == theirs.word_to_chars(1)
    assert isinstance(ours.word_to_chars(1), CharSpan) and isinstance(ours.token_to_chars(0, 2), CharSpan | None)
    assert isinstance(ours.word_to_tokens(1), TokenSpan)
    assert [row.ids for row in ours[0:2]] == [row.ids for row in theirs[0:2]]
    with pytest.raises(InputError):
        ours.token_to_word("x")


def test_batches_of_ones_own():
    rows = {"input_ids": [[1, 2], [3, 4]], "length": [2, 2]}
    for kind in (BatchEncoding, hf.BatchEncoding):
        batch = kind(rows)
        assert batch.data == rows and batch[0:1] == {"input_ids": [[1, 2]], "length": [2]}
        assert batch.n_sequences is None and not batch.is_fast
        assert kind(rows, tensor_type="pt")["input_ids"].tolist() == rows["input_ids"]
        assert batch.convert_to_tensors("np", prepend_batch_axis=True)["input_ids"].shape == (1, 2, 2)
        assert batch.to("cpu") is batch and kind().data == {}


def test_a_batch_is_pickled(both):
    ours, _ = both
    batch = pickle.loads(pickle.dumps(ours([TEXT, PAIR])))
    assert batch == ours([TEXT, PAIR]) and batch.tokens(1) == ours.tokenize(PAIR, add_special_tokens=True)


def test_pairs_of_lists_of_words(both):
    ours, theirs = both
    words, others = TEXT.split(), PAIR.split()
    for arguments in ((words, others), ([words, others], [others, words]), ([(words, others), (others, words)],)):
        result, expected = (each(*arguments, is_split_into_words=True) for each in (ours, theirs))
        assert result["input_ids"] == expected["input_ids"]
        assert result.word_ids() == expected.word_ids()


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_named_as_in_transformers(name, families):
    kind = getattr(gatonegro, name)
    assert kind.__name__ == getattr(hf, name).__name__
    family = kind.family
    folder = families["bart" if family == "roberta" else family]
    auto, own = AutoTokenizer.from_pretrained(folder), kind.from_pretrained(folder)
    assert type(auto) is type(own) is kind and isinstance(auto, gatonegro.PreTrainedTokenizerFast)
    assert not isinstance(auto, gatonegro.PreTrainedTokenizer) and repr(auto).startswith(kind.__name__)
    assert own(TEXT) == auto(TEXT) == pickle.loads(pickle.dumps(own))(TEXT)
    other = gatonegro.GPT2Tokenizer if family != "gpt2" else gatonegro.BertTokenizer
    with pytest.raises(TokenizerError, match=kind.__name__):
        other.from_pretrained(folder)


def test_families_that_share_a_class():
    for name in ("Electra", "MobileBert", "Bart", "Longformer", "DistilBert", "XLMRoberta", "Camembert", "MPNet"):
        assert getattr(gatonegro, f"{name}TokenizerFast").__name__ == getattr(hf, f"{name}TokenizerFast").__name__
    assert issubclass(gatonegro.MarianTokenizer, gatonegro.PreTrainedTokenizer)
    with pytest.raises(AttributeError):
        gatonegro.NoSuchTokenizer  # noqa: B018


@pytest.mark.parametrize("options", [{}, {"do_lower_case": False}, {"pad_token": "[CLS]"}])
def test_a_bert_of_its_vocabulary(families, options):
    words = (families["bert"] / "vocab.txt").read_text(encoding="utf-8").splitlines()
    vocab = {word: i for i, word in enumerate(words)}
    expected = hf.BertTokenizer(vocab, **options)(TEXT)["input_ids"]
    ours = gatonegro.BertTokenizerFast(vocab, **options)
    assert ours(TEXT)["input_ids"] == expected and ours.name_or_path == ""
    assert ours.pad_token == options.get("pad_token", "[PAD]")
    with pytest.raises(OptionError, match="no_such"):
        gatonegro.BertTokenizerFast(vocab, no_such=1)


def test_tokenizers_of_files_and_objects(families, tmp_path):
    folder = families["bart"]
    loaded = AutoTokenizer.from_pretrained(folder)
    loaded.save_pretrained(tmp_path)
    files = [tmp_path / name for name in loaded.save_vocabulary(tmp_path)]
    of_vocabulary = gatonegro.RobertaTokenizerFast(*files)
    assert of_vocabulary(TEXT)["input_ids"] == loaded(TEXT)["input_ids"]
    for source in ({"tokenizer_file": tmp_path / "tokenizer.json"}, {"tokenizer_object": loaded.backend_tokenizer}):
        arguments = {name: str(value) if name == "tokenizer_file" else value for name, value in source.items()}
        theirs = hf.PreTrainedTokenizerFast(**arguments, unk_token="<unk>")
        ours = gatonegro.PreTrainedTokenizerFast(**source, unk_token="<unk>")
        assert ours(TEXT) == dict(theirs(TEXT))
        assert ours.special_tokens_map == theirs.special_tokens_map == {"unk_token": "<unk>"}


@pytest.mark.parametrize(
    "options", [{}, {"new_special_tokens": ["<x>"]}, {"special_tokens_map": {"<s>": "<b>", "[CLS]": "<b>"}}]
)
def test_training_on_other_texts(both, options):
    texts = [[TEXT, PAIR], ["el gato no es negro, es <x> bueno"]] * 5
    ours, theirs = (tokenizer.train_new_from_iterator(texts, 300, show_progress=False, **options) for tokenizer in both)
    assert ours.all_special_tokens == theirs.all_special_tokens and type(ours) is type(both[0])
    assert ours.all_special_ids == theirs.all_special_ids
    if isinstance(ours, gatonegro.BertTokenizer | gatonegro.T5Tokenizer):  # whose trainings differ from each other
        kept = {token for token in ours.get_vocab() if len(token) == 1}
        assert kept == {token for token in theirs.get_vocab() if len(token) == 1}
        assert ours.unk_token_id not in ours.encode(PAIR) and len(ours) == pytest.approx(len(theirs), abs=9)
        return
    assert ours.get_vocab() == theirs.get_vocab()
    for arguments in ((TEXT,), (PAIR, TEXT), ("<x> <b> <s>",)):
        assert ours(*arguments)["input_ids"] == theirs(*arguments)["input_ids"]


@pytest.mark.filterwarnings("ignore:Recommended:UserWarning")  # of transformers
def test_tokenizers_of_sentencepiece_files(families):
    files = [families["marian"] / name for name in ("source.spm", "target.spm", "vocab.json")]
    marian = AutoTokenizer.from_pretrained(families["marian"])
    theirs = hf.MarianTokenizer(*map(str, files))
    for ours in (gatonegro.MarianTokenizer(*files), marian):
        assert ours(TEXT, PAIR)["input_ids"] == theirs(TEXT, PAIR)["input_ids"]
        assert ours(text_target=PAIR)["input_ids"] == theirs(text_target=PAIR)["input_ids"]
        ids = [theirs.encode(text, add_special_tokens=False) for text in (TEXT, PAIR)]
        assert ours.build_inputs_with_special_tokens(*ids) == theirs.build_inputs_with_special_tokens(*ids)
    with pytest.raises(InputError, match="sentencepiece"):
        marian.train_new_from_iterator([TEXT], 100)
    with pytest.raises(TokenizerError):
        gatonegro.MarianTokenizer(files[0])
    unigram = gatonegro.T5Tokenizer(families["t5"] / "spiece.model", extra_ids=0)
    assert unigram.tokenize(TEXT) == AutoTokenizer.from_pretrained(families["t5"], extra_ids=0).tokenize(TEXT)


def test_vocabularies_are_saved(families, tmp_path):
    for name in FAMILIES[:3]:
        ours = AutoTokenizer.from_pretrained(families[name])
        files = ours.save_vocabulary(tmp_path, filename_prefix=name)
        copies = type(ours)(*files, **({"add_prefix_space": False} if name == "gpt2" else {}))
        assert copies(TEXT)["input_ids"] == ours(TEXT)["input_ids"]
    saved = AutoTokenizer.from_pretrained(families["marian"]).save_vocabulary(tmp_path)
    for path in map(Path, saved):
        assert (families["marian"] / path.name).read_bytes() == path.read_bytes()
