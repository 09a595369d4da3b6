"""Tests of model cards: their languages, and cards that cannot be read."""

import warnings

import pytest

from gatonegro import hub, pipeline
from gatonegro.language.matching import _card

READ = {
    "es": ["es"], "no": ["no"], "[es, en]": ["es", "en"], "\n- es\n- en": ["es", "en"],
    "\n  - es\n  # two\n\n  - pt-BR": ["es", "pt"],
    "'en'": ["en"], "spa": ["es"], "es # Spanish": ["es"], "multilingual": ["multilingual"], "[es, 5, {a: b}]": ["es"],
    "!!str on": ["on"], "on": ["on"],
}  # fmt: skip
UNREADABLE = [
    "language: [[[[[", "language: " + "[" * 100_000, "language: " + "{a: " * 20_000, "language: {", "language: ]",
    "language: '",
    'language: "', "language: *x", "language: !!int ''", "language: !!timestamp x", "language: !!binary x",
    "language: !!set {a}",
    "language: 5", "language: 2024-01-01", "language: ~", "language:", "language: {es: 1}", "language: [[es]]",
    "language: &a [*a]",
    "language: !!python/object:os.system x", "language: Castellano de Castilla", "language: [1, 2, null]",
    "language: @", "language: `",
    "language: %", "language: \0", "language: \x07", "language: es\n\t\tx: [", "tags: 5", "1: 2", "? x", "- es", "es",
    "{", "<<: 3",
    "language: " + "es, " * 100_000, "language: /etc/passwd", "language: ../x", "Language: es", "x: {language: es}",
    "  language: es", "language:es",
]  # fmt: skip


@pytest.fixture
def codes(tmp_path):
    """Return the function that returns the languages of a card with a text or bytes."""

    def read(card: str | bytes) -> list[str]:
        (tmp_path / "README.md").write_bytes(card if isinstance(card, bytes) else card.encode())
        return _card(hub.locate(tmp_path))

    return read


@pytest.mark.case("S3")
@pytest.mark.parametrize("entry", READ)
def test_languages_are_text(codes, entry):
    for card in (
        f"---\nlanguage: {entry}\n---\n# x",
        f"---\nlicense: mit\nlanguage: {entry}\ntags: 5\n---",
        f"\n---\r\nlanguage: {entry}\n---\n",
    ):
        assert codes(card) == READ[entry]


@pytest.mark.case("S3")
@pytest.mark.parametrize(
    "entry", ["tags: 5", "1: 2", "x: !!int ''", "x: !!timestamp x", "x: [[[", "x: *y", "model-index: 3", "\x00: 1"]
)
def test_what_stands_beside_the_languages_does_not_matter(codes, entry):
    assert codes(f"---\n{entry}\nlanguage: es\n{entry}\n---\n") == ["es"]


@pytest.mark.case("S3")
@pytest.mark.parametrize("entry", UNREADABLE, ids=lambda entry: entry[:20])
def test_a_card_that_cannot_be_read_says_nothing(codes, entry):
    assert codes(f"---\n{entry}\n---\n# x") == []


@pytest.mark.case("S3")
@pytest.mark.parametrize(
    "card",
    [b"", b"---", b"---\n", b"---\n---\n", b"---\nlanguage: es", b"language: es", b"---\nlanguage: \xff\n---\n",
    b"\xff\xfe-\0-\0",
     b"---\n" * 100_000, b"-" * 1_000_000, b"\n" * 1_000_000 + b"---\nlanguage: es\n---\n",
     b"---\n" + b"x: y\n" * 300_000 + b"---\n",
     b"---\nlanguage:" + b"\n" * 1_000_000 + b"---\n"],
    ids=lambda card: repr(card[:12]),
)  # fmt: skip
def test_cards_that_are_none(codes, card):
    assert codes(card) == []


@pytest.mark.case("S3")
@pytest.mark.parametrize(
    "entry", ["tags: 5", "1: 2", "x: !!int ''", "x: !!timestamp x", "language: [[[[", "language: no"]
)
def test_a_pipeline_answers_whatever_the_card_says(make_folder, entry):
    folder = make_folder()
    (folder / "README.md").write_text(f"---\n{entry}\n---\n# x\n", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert pipeline(model=folder)("El gato duerme en la casa de la clase")[0]["label"]
