"""Tests of the shipped translator on documents: tags, Markdown, capitals, kept items, single words."""

import re
import warnings

import pytest
from rows import BUILT_IN

from gatonegro import pipeline

NAME = "translate-es-en"
MARK = re.compile(r"</?\w+[^<>]*>|\*\*|_|~~|\]\([^()]*\)|!?\[(?!MASK)|`[^`]*`")
WORD = re.compile(r"[^\W\d_]+")

pytestmark = [pytest.mark.slow, BUILT_IN]


@pytest.fixture(scope="module")
def translate():
    pipe = pipeline("translation", NAME)

    def translate(text: str, to: str = "en", **options) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = "es" if to == "en" else "en"
            return pipe(text, src_lang=source, tgt_lang=to, **options)[0]["translation_text"]

    return translate


@pytest.mark.case("F1")
@pytest.mark.parametrize(
    ("text", "to", "marked", "rest"),
    [
        ("<i>El perro</i> duerme en la casa.", "en", "dog", "sleep"),
        ("<i>El gato</i> duerme en la casa.", "en", "cat", "sleep"),
        ("<i>La mujer</i> duerme.", "en", "woman", "sleep"),
        ("<b>Hola</b> a todos", "en", "", "every"),
        ("<b>Hola</b> mamá", "en", "", "mom"),
        ("<i>The dog</i> eats", "es", "perro", "come"),
        ("<i>The cat</i> eats", "es", "gato", "come"),
        ("<b>La casa</b> tiene tres ventanas.", "en", "house", "window"),
        # siblings
        ('El <a href="x.html" title="a_b">perro negro</a> duerme.', "en", "black dog", "sleep"),
        ("Mi hermana vive en <em>Madrid</em>.", "en", "madrid", "sister"),
        ("The <span class='x'>old man</span> drinks milk.", "es", "anciano", "leche"),
        ("<b>El <i>gato</i> negro</b> come.", "en", "cat", "eat"),
        ("<0>El libro</0> es bueno.", "en", "book", "good"),
        ("<p>El perro duerme.</p><p>El gato come.</p>", "en", "dog sleeps", "cat"),
    ],
)
def test_tags_go_round_the_words_that_they_marked(translate, text, to, marked, rest):
    answer = translate(text, to)
    assert MARK.findall(answer) == MARK.findall(text)
    first = re.search(r"<(?:[^<>]*)>([^<>].*?)</", answer)
    assert first and marked in first[1].lower()
    assert rest in answer.lower()


@pytest.mark.case("F1")
@pytest.mark.parametrize(
    "text",
    [
        "[MASK] duerme",
        "https://a.es funciona muy bien",
        "{nombre} duerme en la casa",
        "@ana duerme en la casa",
        "El perro [MASK] en la casa.",
        "Escribe a ana@a.es y visita www.a.es hoy.",
    ],
)
def test_text_beside_kept_items_is_translated(translate, text):
    answer = translate(text)
    items = [item for item in text.split() if not item.isalpha() and item[-1] != "."]
    assert all(item in answer for item in items)
    assert len(WORD.findall(answer)) > sum(len(WORD.findall(item)) for item in items)


@pytest.mark.case("F6")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mira [esta página](https://a.es/b) ahora.", r"[^\[\]]*\[[\w ]*page\]\(https://a\.es/b\) now\."),
        ("Es **muy** bueno.", r"It's \*\*very\*\* good\."),
        ("**Casa** grande", r".*\*\*\w*house\*\*.*|\*\*\w*house\*\*.*"),
        ("**Negrita** y _cursiva_", r"\*\*[\w ]+\*\* and _[\w ]+_"),
        ("![gato](gato.png)", r"!\[[Cc]at\]\(gato\.png\)"),
        # siblings
        ("# El **gato** negro", r"# The black \*\*cat\*\*"),
        ("- Mi ~~hermano~~ hermana", r"- My .*~~\w+~~.*"),
        ("> El perro **duerme**.", r"> The dog \*\*sleeps\*\*\."),
        ("**Es muy bueno. No es malo.** Adiós.", r"\*\*It's very good\. [^*]+\.\*\* [^*]+\."),
        ("|El gato|**El perro**|\n|---|---|\n|uno|dos|\n", r"\|\w.*\|\*\*.*dog\*\*\|\n\|---\|---\|\n\|.*\|.*\|\n"),
        ("[![gato](g.png)](https://a.es)", r"\[!\[[Cc]at\]\(g\.png\)\]\(https://a\.es\)"),
        ("```py\nperro = 'gato'\n```\nEl perro.", r"```py\nperro = 'gato'\n```\nThe dog\."),
        ("5 * 3 * 2 son 30", r"5 \* 3 \* 2 .*30"),
    ],
)  # fmt: skip
def test_markdown_keeps_its_marks(translate, text, expected):
    assert re.fullmatch(expected, translate(text)), translate(text)


@pytest.mark.case("F3")
@pytest.mark.parametrize(
    ("text", "to"),
    [
        ("EL PERRO DUERME EN LA CASA.", "en"),
        ("LA CASA ES GRANDE.", "en"),
        ("SOPA DE GUISANTES", "en"),
        ("NO QUIERO IR A LA ESCUELA HOY.", "en"),
        ("¿DÓNDE ESTÁ LA BIBLIOTECA?", "en"),
        ("THE DOG SLEEPS IN THE HOUSE.", "es"),
        ("I DON'T KNOW WHERE MY BROTHER IS.", "es"),
        ("DO NOT OPEN THE DOOR", "es"),
    ],
)
def test_capitals_are_translated_as_lower_case_is(translate, text, to):
    lower = text[:2] + text[2:].lower() if text[0] == "¿" or text[1] == " " else text[0] + text[1:].lower()
    assert translate(text, to) == translate(lower, to).upper()


@pytest.mark.case("F3")
@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [
        ("El perro DUERME en la casa.", "en", "SLEEPS"),
        ("La CASA es grande.", "en", "HOUSE"),
        ("Warning: DO NOT OPEN THE DOOR", "es", "PUERTA"),
        ("Mi HERMANA vive en Madrid.", "en", "SISTER"),
        ("The BLACK CAT is in the house.", "es", "GATO NEGRO"),
    ],
)
def test_a_word_in_capitals_is_raised_again(translate, text, to, expected):
    answer = translate(text, to)
    assert expected in answer and not answer.isupper()


@pytest.mark.case("F4")
@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [
        ("Lunes", "en", "Monday"),
        ("Rojo", "en", "Red"),
        ("Water", "es", "Agua"),
        ("Red", "es", "Rojo"),
        ("Escuela", "en", "School"),
        ("Gato", "en", "Cat"),
        ("Martes", "en", "Tuesday"),
        ("Window", "es", "Ventana"),
        ("Blue", "es", "Azul"),
        ("Madrid", "en", "Madrid"),  # a name stays
        ("Real Madrid", "en", "Real Madrid"),
        ("Google", "es", "Google"),
        ("Ana", "en", "Ana"),
    ],
)
def test_a_copied_word_is_tried_again(translate, text, to, expected):
    assert translate(text, to) == expected


def test_alignments_are_spans_of_the_final_texts(translate):
    text = "# Hola\n\nEl **gato negro** come, y el PERRO [duerme](x). Lunes"
    (answer,) = pipeline("translation", NAME)(text, src_lang="es", tgt_lang="en", return_alignments=True)
    links = {(link["source"], link["target"]) for link in answer["alignments"]}
    assert {("gato", "cat"), ("negro", "black"), ("PERRO", "DOG"), ("Lunes", "Monday")} <= links
    for link in answer["alignments"]:
        assert text[slice(*link["source_span"])] == link["source"]
        assert answer["translation_text"][slice(*link["target_span"])] == link["target"]


def test_other_options_keep_marks_too(translate):
    pipe = pipeline("translation", NAME, src_lang="es", tgt_lang="en")
    text = "El **perro** duerme."
    assert "**" in translate(text, sentences=False) and "**" in translate(text, keep=False)
    best = pipe(text, num_return_sequences=3, return_scores=True)
    assert [answer["translation_text"].count("**") for answer in best] == [2, 2, 2]
    assert [answer["score"] for answer in best] == sorted((answer["score"] for answer in best), reverse=True)
    assert len(pipe(text, return_tensors=True)[0]["translation_token_ids"])
