"""Tests of tasks per token against `transformers` on the same folder; long texts and bad input."""

import itertools
from functools import cache

import numpy as np
import pytest
import torch

from gatonegro import AutoModel, AutoModelForTokenClassification, AutoTokenizer, pipeline
from gatonegro.errors import GatonegroError, GatonegroWarning, InputError, MissingHeadError, OptionError
from gatonegro.preprocessing import preprocess_tweet
from gatonegro.tasks.windows import _windows

TEXTS = ["El profesor González es bueno, y el hotel de Lima no.", "el gato", "", "una película muy mala :-)", "漢 gato"]

LONG = "el gato es bueno y el perro no es nada " * 20

TAGS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}

SPLIT = {"is_split_into_words": True}

STRATEGIES = ["none", "simple", "first", "average", "max"]


@pytest.fixture(scope="module")
def hf():
    transformers = pytest.importorskip("transformers")
    return cache(lambda task, folder: transformers.pipeline(task, model=str(folder), device="cpu"))


@pytest.fixture(scope="module")
def tagger(make_folder):
    return make_folder("token-classification", seed=3, id2label=TAGS)


@pytest.fixture(scope="module")
def filler(make_folder):
    return make_folder("masked-lm", seed=4)


@pytest.fixture(scope="module")
def bare(make_folder):
    return make_folder("pooler", seed=5)


def same(ours, theirs) -> bool:
    """Compare shapes, keys and words exactly, and numbers within 1e-5."""
    if isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float | np.floating):
        return isinstance(ours, float) and abs(ours - theirs) < 1e-5
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("ignored", [["O"], [], ["PER", "B-LOC"]])
def test_token_classification_is_that_of_transformers(tagger, hf, strategy, ignored):
    options = {"aggregation_strategy": strategy, "ignore_labels": ignored}
    ours, theirs = pipeline("ner", tagger), hf("ner", tagger)
    for text in TEXTS:
        assert same(ours(text, **options), theirs(text, **options)), text
    assert same(ours(TEXTS, **options), theirs(TEXTS, **options))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_words_that_were_split_before(tagger, hf, strategy):
    ours, theirs = pipeline("ner", tagger, aggregation_strategy=strategy), hf("ner", tagger)
    words = ["El", "profesor", "González", "es", "bueno", ",", "no"]
    expected = theirs(words, is_split_into_words=True, aggregation_strategy=strategy)
    entities = ours(words, is_split_into_words=True)
    assert same(entities, expected)
    assert same(ours([words, words[:2]], is_split_into_words=True), [*entities, *ours([words[:2]], **SPLIT)])
    joined = ours(words, **SPLIT, delimiter="")[0]
    assert same(joined, theirs(words, **SPLIT, delimiter="", aggregation_strategy=strategy)[0])
    with pytest.raises(OptionError, match="offset_mapping"):
        ours(" ".join(words), offset_mapping=[(0, 1)])


def test_offsets_point_into_the_text(tagger):
    for entity in pipeline("ner", tagger, ignore_labels=[])(TEXTS[0]):
        word, part = entity["word"], TEXTS[0][entity["start"] : entity["end"]]
        assert word.removeprefix("##") == part.lower() or word == "[UNK]"


@pytest.mark.parametrize("strategy", ["none", "average"])
def test_each_token_of_a_long_text_is_answered_once(tagger, strategy):
    ner = pipeline("ner", tagger, ignore_labels=[])
    with pytest.warns(GatonegroWarning, match="overlapping windows"):
        tokens = ner(LONG)
    words = AutoTokenizer.from_pretrained(tagger).tokenize(LONG)
    assert [token["word"] for token in tokens] == words
    assert [token["index"] for token in tokens] == list(range(1, len(words) + 1))
    assert all(LONG[token["start"] : token["end"]] == token["word"] for token in tokens)
    ner.warned_kinds.clear()
    with pytest.warns(GatonegroWarning):
        grouped = ner(LONG, aggregation_strategy=strategy)
    assert grouped[0]["start"] == 0 and grouped[-1]["end"] == len(LONG.rstrip())


@pytest.mark.parametrize("tokens,size,stride", [*itertools.product([0, 1, 7, 8, 9, 20, 21, 100], [8, 3], [0, 1, 2])])
def test_windows_share_out_every_token(tokens, size, stride):
    windows = _windows(tokens, size, stride)
    own = [i for _, _, low, high in windows for i in range(low, high)]
    assert own == list(range(tokens))
    for a, b, low, high in windows:
        assert b - a <= size and a <= low <= high <= b
    assert all(first[1] - second[0] == stride for first, second in itertools.pairwise(windows))


@pytest.mark.parametrize("text", ["el [MASK] es bueno", "[MASK]", "el [MASK] y la [MASK] no", "¿[MASK]?"])
@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"targets": ["gato", "perro"]}, {"targets": "gato", "top_k": 3}])
def test_fill_mask_is_that_of_transformers(filler, hf, text, options):
    ours, theirs = pipeline("fill-mask", filler), hf("fill-mask", filler)
    assert same(ours(text, **options), theirs(text, **options))
    assert same(ours([text], **options), theirs([text], **options))
    texts = [text, "la [MASK]"]
    assert same(ours(texts, **options), theirs(texts, **options))


def test_masks_of_a_long_text(filler):
    text = f"{LONG} [MASK] {LONG} el [MASK]"
    with pytest.warns(GatonegroWarning, match="overlapping windows"):
        answers = pipeline("fill-mask", filler, top_k=1)(text)
    assert len(answers) == 2 and all(best[0]["sequence"].count("el gato es bueno") == 40 for best in answers)


def test_targets_that_are_no_single_token(filler):
    fill = pipeline("fill-mask", filler)
    with pytest.warns(GatonegroWarning, match="'gatos', which is not a token .*; its first token, 'gato', is used"):
        assert [candidate["token_str"] for candidate in fill("el [MASK]", targets=["gatos"])] == ["gato"]
    with pytest.raises(OptionError, match="has no tokens"):
        fill("el [MASK]", targets=[""])
    with pytest.raises(OptionError, match="at least one word"):
        fill("el [MASK]", targets=[])


def test_feature_extraction_is_that_of_transformers(bare, hf):
    ours, theirs = pipeline("feature-extraction", bare), hf("feature-extraction", bare)
    for text in TEXTS:
        assert same(ours(text), theirs(text)), text
    assert same(ours(TEXTS[:2]), theirs(TEXTS[:2]))
    assert torch.allclose(ours(TEXTS[0], return_tensors=True), theirs(TEXTS[0], return_tensors=True), atol=1e-5)


def test_vectors_of_sentences(bare):
    extract = pipeline("feature-extraction", bare, return_tensors=True)
    tokens = extract(TEXTS[0])[0]  # (t, hidden)
    assert torch.allclose(extract(TEXTS[0], pooling="mean"), tokens.mean(0), atol=1e-6)
    assert torch.equal(extract(TEXTS[0], pooling="cls"), tokens[0])
    assert torch.equal(extract(TEXTS[0], pooling="max"), tokens.amax(0))
    vectors = torch.stack(extract(TEXTS, pooling="mean", normalize=True))
    assert vectors.shape == (len(TEXTS), 32) and torch.allclose(vectors.norm(dim=1), torch.ones(len(TEXTS)))
    assert torch.allclose(extract(TEXTS[0], normalize=True).norm(dim=-1), torch.ones(1, len(tokens)))


def test_a_long_text_has_a_vector_a_token(bare):
    with pytest.warns(GatonegroWarning):
        vectors = pipeline("feature-extraction", bare, return_tensors=True)(LONG)
    ids = AutoTokenizer.from_pretrained(bare)(LONG, max_length=64, truncation=False)["input_ids"]
    assert vectors.shape == (1, len(ids), 32)
    cut = pipeline("feature-extraction", bare, return_tensors=True, truncation=True)(LONG)
    assert cut.shape == (1, 64, 32)


def test_any_model_has_features(bare, tagger):
    tokenizer = AutoTokenizer.from_pretrained(tagger)
    for model in (AutoModel.from_pretrained(bare), AutoModelForTokenClassification.from_pretrained(tagger)):
        assert np.shape(pipeline("feature-extraction", model, tokenizer)("el gato")) == (1, 4, 32)


@pytest.mark.parametrize("task,folder", [("ner", "tagger"), ("fill-mask", "filler"), ("feature-extraction", "bare")])
@pytest.mark.parametrize("bad", [True, 3.5, 3, b"el", "a\ud800", ["el"], {"text": "el"}, ("el", "gato")], ids=repr)
def test_what_is_no_text_is_named(request, task, folder, bad):
    run = pipeline(task, request.getfixturevalue(folder))
    good = "el [MASK]"
    with pytest.raises(InputError, match="item 1 is "):
        run([good, bad])


@pytest.mark.parametrize("task,folder", [("ner", "tagger"), ("fill-mask", "filler"), ("feature-extraction", "bare")])
def test_odd_texts(request, task, folder):
    run = pipeline(task, request.getfixturevalue(folder))
    odd = ["", " \n", "\0", "e" + "\u0301" * 300, "😀" * 50, "a" * 3000, "ab " * 100]
    if task == "fill-mask":
        with pytest.raises(InputError, match=r"item 1 has no \[MASK\]"):
            run(["[MASK]", *odd])
        odd = [f"[MASK] {text}" for text in odd]
    with pytest.warns(GatonegroWarning):
        assert len(run(odd)) == len(odd)
    assert run([]) == []


@pytest.mark.parametrize(
    "task,folder,option",
    [
        ("ner", "tagger", {"aggregation_strategy": "best"}),
        ("ner", "tagger", {"aggregation_strategy": None}),
        ("ner", "tagger", {"ignore_labels": "O"}),
        ("ner", "tagger", {"stride": -1}),
        ("ner", "tagger", {"stride": 62}),
        ("ner", "tagger", {"top_k": 3}),
        ("fill-mask", "filler", {"top_k": 0}),
        ("fill-mask", "filler", {"targets": 3}),
        ("fill-mask", "filler", {"max_length": 2}),
        ("feature-extraction", "bare", {"pooling": "median"}),
        ("feature-extraction", "bare", {"normalize": "yes"}),
        ("feature-extraction", "bare", {"return_tensors": "tf"}),
    ],
)
def test_options_that_cannot_be(request, task, folder, option):
    with pytest.raises(OptionError):
        pipeline(task, request.getfixturevalue(folder))("el [MASK]", **option)


def test_words_and_texts_are_distinguished(tagger):
    tag = pipeline("ner", tagger)
    with pytest.raises(InputError, match="a str; expected a list of words"):
        tag(["el", ["gato"]], is_split_into_words=True)
    with pytest.raises(InputError, match=r"item 0 is .*expected a word"):
        tag([["el", None]], is_split_into_words=True)


def test_a_task_without_a_built_in_model_says_which_to_name():
    for task in ("ner", "fill-mask", "feature-extraction"):
        with pytest.raises(OptionError, match=r"no built-in model; pass model= .*/"):
            pipeline(task)


def test_the_head_must_be_there(bare, tiny):
    for task in ("ner", "fill-mask"):
        with pytest.raises(MissingHeadError):
            pipeline(task, bare)
    with pytest.raises(GatonegroError):
        pipeline("ner", AutoModel.from_pretrained(bare), AutoTokenizer.from_pretrained(bare))


@pytest.mark.parametrize(
    "text", ["@ana vive en #LaCasa 😀 con el gato", "el  gato", "😀", "a@b.es y ja ja jajajajaja x"]
)
def test_places_are_those_of_the_text_that_was_passed(tagger, text):
    """A word that was left as it is keeps its letters; of one that was changed, the whole is named."""
    entities = pipeline("ner", tagger, ignore_labels=[], preprocess="robertuito")(text)
    assert entities
    for entity in entities:
        assert 0 <= entity["start"] <= entity["end"] <= len(text)
        part = text[entity["start"] : entity["end"]]
        whole = part in text.split() and part != preprocess_tweet(part)
        assert whole or part.lower() == entity["word"].removeprefix("##") or entity["word"] == "[UNK]"


def test_a_changed_word_goes_back_to_the_whole_of_it(tagger):
    text = "gato #LaCasa perro"
    entities = pipeline("ner", tagger, ignore_labels=[], preprocess="robertuito")(text)
    places = [(entity["start"], entity["end"]) for entity in entities]
    assert places[0] == (0, 4) and places[-1] == (13, 18) and set(places[1:-1]) == {(5, 12)}


def test_a_long_text_does_not_take_the_square_of_its_length(tagger):
    """Each token costs the same, however many there are: 20,000 would take minutes else."""
    with pytest.warns(GatonegroWarning):
        entities = pipeline("ner", tagger, ignore_labels=[])("no " * 20_000)
    assert len(entities) == 20_000 and entities[-1]["end"] == 59_999


@pytest.mark.parametrize("blanks", [" " * 100, "\n" * 100, "\t"])
def test_blanks_do_not_move_a_place(tagger, blanks):
    text = f"el 🤮{blanks}gato perro"
    for name in ("spell-emoji", "robertuito"):
        entities = pipeline("ner", tagger, ignore_labels=[], preprocess=name)(text)
        assert [text[entity["start"] : entity["end"]] for entity in entities][-2:] == ["gato", "perro"]


@pytest.mark.parametrize(
    "change",
    [lambda t: " ".join(t.split()[::-1]), lambda t: t.replace("el gato", "profesor"), lambda t: "no no no"],
)
def test_a_change_that_goes_beyond_words_names_the_whole_text(tagger, change):
    text = "el gato el perro"
    entities = pipeline("ner", tagger, ignore_labels=[], preprocess=change)(text)
    assert entities and {(entity["start"], entity["end"]) for entity in entities} == {(0, len(text))}


@pytest.mark.parametrize("change", [lambda t: None, len, lambda t: t.encode()])
def test_a_change_into_what_is_no_text(tagger, filler, tiny, change):
    for task, folder in (("ner", tagger), ("fill-mask", filler), ("text-classification", tiny)):
        with pytest.raises(InputError, match=r"preprocess= returned (NoneType|int|bytes) for the text 'el \[MASK\]'"):
            pipeline(task, folder, preprocess=change)("el [MASK]")


def test_a_mask_that_was_cut_off_is_not_called_missing(filler):
    with pytest.raises(InputError, match="item 0 loses its mask: it was truncated by truncation=True"):
        pipeline("fill-mask", filler)("el " * 100 + "[MASK]", truncation=True)


def test_targets_are_not_taken_for_texts(filler):
    with pytest.raises(InputError, match=r"targets\[1\] is a text with a lone surrogate"):
        pipeline("fill-mask", filler)("[MASK]", targets=["gato", "\ud800"])
