"""Marks are placed by attention, and short phrases are tried in other spellings; the pipeline keeps marks in pairs."""

import re

import numpy as np
import pytest
from small_checkpoints import make

from gatonegro import pipeline
from gatonegro.documents import Direction, Mark, insert_marks, split_markup, upper
from gatonegro.generation import Generated
from gatonegro.tasks.alignment import WordAttention, place_marks, words_of
from gatonegro.tasks.variants import best_variant, like_source, variants


def attention(source: str, target: str, links: str) -> WordAttention:
    """Return an attention that follows links such as "0-1 2-2" (source-target) and is a little blurred."""
    words = [words_of(text) for text in (source, target)]
    scores = np.full((len(words[1]), len(words[0])), 0.05, np.float32)
    for link in links.split():
        s, t = map(int, link.split("-"))
        scores[t, s] = 1
    return WordAttention(*words, scores)


@pytest.mark.case("F1")
@pytest.mark.parametrize(
    ("source", "target", "links", "expected"),
    [
        ("El **gato negro** come.", "The black cat eats.", "0-0 1-2 2-1 3-3 4-4", "The **black cat** eats."),
        ("El **gato** negro come.", "The black cat eats.", "0-0 1-2 2-1 3-3 4-4", "The black **cat** eats."),
        ("**El gato come.**", "The cat eats.", "0-0 1-1 2-2 3-3", "**The cat eats.**"),
        ("**El gato come**.", "The cat eats.", "0-0 1-1 2-2 3-3", "**The cat eats**."),
        ("El gato **come.**", "The cat eats.", "0-0 1-1 2-2 3-3", "The cat **eats.**"),
        ("¿**Come**?", "Does it eat?", "1-2 2-3", "**Does it eat**?"),
        ("<b>Uno</b> y <i>dos</i>", "two and one", "0-2 1-1 2-0", "<i>two</i> and <b>one</b>"),
        ("<b>Uno <i>dos</i></b> y", "and two one", "0-2 1-1 2-0", "and <b><i>two</i> one</b>"),
        ("***Uno*** dos", "one two", "0-0 1-1", "***one*** two"),
        ("[**Uno**](x) dos", "one two", "0-0 1-1", "[**one**](x) two"),
        ("<b>Uno</b> <i>dos</i>", "one", "0-0 1-0", "<b>one<i></i></b>"),  # a word got lost, a pair does not
        ("Ve a **https://a.es/b** ya", "Go to https://a.es/b now", "0-0 1-1", "Go to **https://a.es/b** now"),
    ],
)
def test_marks_go_to_the_words_that_attend_to_the_marked_ones(source, target, links, expected):
    (segment,), marks = split_markup(source)
    placed = place_marks(marks, segment.text, target, attention(segment.text, target, links))
    assert insert_marks(target, placed).text == expected


@pytest.mark.case("LibreTranslate#288")
@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("The house that my father\nbuilt is old.", "Mi padre hizo la casa vieja.", "Mi padre hizo la\ncasa vieja."),
        ("The house that my father\n\tbuilt and where my uncle\n\tlives", "La casa", "La\n\tcasa\n\t"),
        ("**The house that my father\nbuilt**", "La casa {{ ab }}", "**La casa\n{{ ab }}**"),
    ],
)  # fmt: skip
def test_line_breaks_go_to_the_nearest_space(source, target, expected):
    (segment,), marks = split_markup(source)
    assert insert_marks(target, place_marks(marks, segment.text, target)).text == expected


@pytest.mark.case("F3")
def test_the_run_of_capitals_is_raised_where_it_went():
    marks = [Mark(9, 15, upper=True)]
    placed = place_marks(marks, "El perro duerme aquí", "The dog sleeps here", attention("El perro duerme aquí", "The dog sleeps here", "0-0 1-1 2-2 3-3"))  # fmt: skip # noqa: E501
    assert insert_marks("The dog sleeps here", placed).text == "The dog SLEEPS here"


def test_a_mark_that_goes_on_reaches_the_edge():
    marks = [Mark(0, 4, "", "**"), Mark(5, 8, "_", "")]
    placed = place_marks(marks, "dos. tres", "two. three", attention("dos. tres", "two. three", "0-0 1-1 2-2"))
    assert insert_marks("two. three", placed).text == "two**. _three"


@pytest.mark.case("F4")
@pytest.mark.parametrize(
    ("source", "translation", "score", "expected"),
    [
        ("Rojo", "Rojo", -0.6, ["rojo", "rojo.", "Rojo."]),
        ("Hello.", "Hello.", -0.2, ["hello", "hello.", "Hello"]),
        ("Gato", "Catse", -1.5, ["gato", "gato."]),  # unlikely
        ("gato", "catse", -1.5, ["gato."]),
        ("Gato", "Cat", -0.5, []),
        ("¡Hola!", "¡Hola!", -0.6, ["¡hola!"]),
        ("Salí.", "I left.", -0.9, []),  # a sentence
        ("Good night.", "Good noche.", -0.9, ["good night", "good night."]),
        ("El gato come pan.", "He eats.", -2.0, []),
        ("12 - 3", "12 - 3", -0.1, []),
    ],
)
def test_which_phrases_are_tried_again(source, translation, score, expected):
    assert variants(source, translation, score) == expected


@pytest.mark.case("F4")
@pytest.mark.parametrize(
    ("source", "answers", "expected"),
    [
        ("Rojo", [("Rojo", -0.6), ("rojo", -0.3), ("red.", -0.4)], 2),  # the best that is no copy
        ("Madrid", [("Madrid", -0.1), ("madrid", -1.5), ("Mars.", -0.6)], 0),  # a likely copy is a name
        ("Hotel", [("hotel", -0.6), ("hotel hotel", -0.1), ("inn.", -0.5)], 2),  # no repetition
        ("Gato", [("Catse", -1.5), ("cat", -0.3)], 1),
        ("Gato", [("Catse", -1.5), ("catso", -1.2)], 0),  # no better
        ("{x} es", [("{x} es", -0.6), ("y is", -0.2), ("{x} is", -0.3)], 2),  # items stay
    ],
)
def test_which_variant_is_taken(source, answers, expected):
    outputs = [Generated([1], 1, score, True) for _, score in answers]
    assert best_variant(source, outputs, [text for text, _ in answers], Direction("es", "en")) == expected


@pytest.mark.case("F4")
@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("Rojo", "red.", "Red"),
        ("rojo", "red.", "red"),
        ("Hello.", "hola", "Hola."),
        ("¡Hola!", "hi!", "Hi!"),
        ("Hola:", "hi:", "Hi:"),
        ("¿Qué?", "what?", "What?"),
    ],
)
def test_capital_and_stop_follow_the_source(source, translation, expected):
    assert like_source(source, translation) == expected


@pytest.fixture(scope="module")
def translate(tmp_path_factory):
    """Return a pipeline whose translations are noise."""
    folder = make("marian", tmp_path_factory.mktemp("documents"))
    return pipeline("translation", folder, src_lang="es", tgt_lang="en", max_new_tokens=12, language_check="off")


MARKED = """El **gato** negro come [en la _casa_](https://a.es "b") hoy.
<b>El <i>gato</i></b> duerme.
- Uno **dos. Tres** y ~~cuatro~~.
![gato](g.png) y <0>perro</0>
| El gato | `x` |
> El PERRO **DUERME**."""


@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.case("F6")
@pytest.mark.parametrize("options", [{}, {"num_beams": 1}, {"sentences": False}, {"keep": False}])
@pytest.mark.parametrize("text", MARKED.splitlines())
def test_marks_stay_in_pairs_whatever_the_model_writes(translate, text, options):
    (answer,) = translate(text, return_alignments=True, **options)
    found = split_markup(text)[1]
    strings = sorted(string for mark in found for string in (mark.opening, mark.closing))
    for string in strings:
        assert answer["translation_text"].count(string) >= strings.count(string)
    for link in answer["alignments"]:
        assert text[slice(*link["source_span"])] == link["source"]
        assert answer["translation_text"][slice(*link["target_span"])] == link["target"]


@pytest.mark.case("F6")
def test_code_and_rules_are_copied(translate):
    text = "---\ntitle: El gato\n---\n```\nel gato\n```\n|---|\n<script>el gato</script>\n<!-- el\n\ngato -->\n"
    text += "[a]: https://a.es\n<!-- 5"
    assert translate(text) == [{"translation_text": text}]


@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.case("F6")
def test_capitals_and_marks_go_on_over_the_parts_of_a_long_sentence(translate):
    text = "<b>EL GATO " + "NEGRO Y BLANCO, " * 60 + "DUERME</b> 5"
    answer = translate(text)[0]["translation_text"]
    assert answer == upper(answer).replace("<B>", "<b>").replace("</B>", "</b>")
    assert answer.count("<b>") == answer.count("</b>") == 1


@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.case("F1")
def test_each_stretch_beside_kept_items_has_words(translate):
    answer = translate("El gato {x} duerme [MASK] en la casa @ana hoy.")[0]["translation_text"]
    stretches = re.split(r"\{x\}|\[MASK\]|@ana", answer)
    assert len(stretches) == 4 and all(re.search(r"[^\W\d_]", stretch) for stretch in stretches)


@pytest.mark.parametrize("text", ["", "\n", "\r\n", "> ", "(?)", "— —", "«»", "  \t", "😀", "12:30"])
def test_texts_without_letters_are_copied(translate, text):
    assert translate(text)[0]["translation_text"] == text
