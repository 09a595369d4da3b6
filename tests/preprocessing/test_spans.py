"""Tests of spans of a prepared text, mapped back to the original text."""

import enum

import pytest
import small
from small_checkpoints import SPANISH, train_pieces

from gatonegro import AutoTokenizer, pipeline
from gatonegro.preprocessing import preprocess_tweet, spell_emoji
from gatonegro.preprocessing.transform import PreprocessedText

TEXTS = [
    "Ana   Luis", "Ana\n\nLuis", "Hola 😂 Ana", "@pepe vive en 😂 Madrid con Ana", "Hola😂Ana", "  Ana  ", "😂",
    "😂 😂",
    "😂😂 Ana",
    "a ~ b", "Ana\t@luis\thttps://a.es/x  #UnDia 👍🏽  fin", "jajajaja\u00a0Ana", "¡Ana!  ¿Luis?",
    "Ana 👩\u200d👩\u200d👧 Luis", "\n\nAna\n",
]  # fmt: skip
TRANSFORMS = {
    "robertuito": preprocess_tweet, "spell-emoji": spell_emoji, "upper": str.upper, "strip": str.strip,
    "reversed": lambda text: text[::-1], "longer": lambda text: f" x {text} y ",
    "words": lambda text: " ".join(text.split()),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a random model of entities whose tokenizer has pieces for white space, as RoBERTuito's."""
    folder = tmp_path_factory.mktemp("entities")
    pieces = train_pieces(
        folder / "sentencepiece.bpe.model", [*SPANISH.splitlines(), "Ana  Luis"], remove_extra_whitespaces=False
    )
    labels = {0: "B-PER", 1: "I-PER", 2: "B-LOC"}
    small.model(
        "xlm-roberta", "token-classification", vocab_size=len(pieces) + 2, id2label=labels, max_position_embeddings=300
    ).save_pretrained(folder)
    return folder


@pytest.mark.case("F5")
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("text", TEXTS)
def test_no_span_is_empty_or_outside(text, transform):
    prepared = PreprocessedText(text, TRANSFORMS[transform])
    for start in range(len(prepared)):
        for end in range(start, len(prepared) + 1):
            first, last = prepared.original_span(start, end)
            assert 0 <= first < last <= len(text), (start, end)


@pytest.mark.case("F5")
def test_white_space_keeps_its_place():
    prepared = PreprocessedText("@ana   vive en 😂 Madrid", preprocess_tweet)
    assert prepared == "@usuario   vive en  emoji cara llorando de risa emoji  Madrid"
    spans = {prepared[a:b]: prepared.original_span(a, b) for a, b in ((8, 9), (11, 15))}
    assert prepared.original_span(8, 9) == (4, 5) and prepared.original_span(9, 10) == (5, 6)
    assert spans["vive"] == (7, 11)
    at = prepared.index("Madrid")
    assert prepared.original_span(at - 1, at + 6) == (17, 23)
    assert prepared.original_span(at - 2, at) == (16, 17), "two spaces here are one there"
    assert prepared.original_span(at - 9, at - 3) == (15, 16)


@pytest.mark.case("F5")
@pytest.mark.parametrize("transform", [None, "robertuito", "spell-emoji"])
def test_entities_lie_in_the_text(folder, transform):
    tag = pipeline("ner", model=folder, preprocess=transform, language_check="off")
    for text in TEXTS:
        for strategy in ("none", "simple", "first"):
            entities = tag(text, aggregation_strategy=strategy)
            assert entities
            for entity in entities:
                assert 0 <= entity["start"] < entity["end"] <= len(text), (text, entity)
                span = text[entity["start"] : entity["end"]]
                assert not span[:1].isspace() or not span.strip(), (text, entity)


@pytest.mark.slow
@pytest.mark.case("F5")
@pytest.mark.parametrize("text", ["Ana   Luis", "Ana\n\nLuis", "Hola  Ana"])
def test_white_space_is_where_transformers_puts_it(folder, text):
    """Nothing is changed in these texts, so that the offsets are those of the tokenizer."""
    ours = pipeline("ner", model=folder, preprocess="robertuito")(text)
    plain = AutoTokenizer.from_pretrained(folder)(text, return_offsets_mapping=True)["offset_mapping"][1:-1]
    strip = [(a + (len(text[a:b]) - len(text[a:b].lstrip()) if text[a:b].strip() else 0), b) for a, b in plain]
    assert [(entity["start"], entity["end"]) for entity in ours] == strip


class Named(str, enum.Enum):
    GOOD = "Ana vive en Madrid"


class Unprintable(str):
    def __str__(self):
        raise ValueError("no")

    __repr__ = __format__ = __str__


@pytest.mark.parametrize("text", [Named.GOOD, Unprintable(Named.GOOD.value)])
@pytest.mark.parametrize("transform", [lambda text: text, Unprintable, preprocess_tweet])
def test_a_subclass_of_str_is_its_characters(text, transform):
    """Whatever it makes of itself as a text: str() of an Enum is its name."""
    new = PreprocessedText(text, transform)
    assert str.__str__(new) == new.original == "Ana vive en Madrid" and type(new.original) is str
    assert new.original_span(4, 8) == (4, 8)
