"""Marks are taken out of the sentences of a document and put back, and what is code or in doubt stays as it is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.documents import Mark, cut_marks, insert_marks, protected_items, split_markup
from gatonegro.documents.items import keeps_text_between

# document → its prose, stretches apart by "|", and copied stretches in brackets; and what is marked
MARKUP = {
    # inline marks
    "Es **muy** bueno.": ("Es muy bueno.", "muy"),
    "**Casa** grande": ("Casa grande", "Casa"),
    "**Negrita** y _cursiva_": ("Negrita y cursiva", "Negrita cursiva"),
    "***Todo***, ~~nada~~ y __más__": ("Todo, nada y más", "Todo Todo nada más"),
    "**uno _dos_ tres**": ("uno dos tres", "uno_dos_tres dos"),
    "¡**Hola**!": ("¡Hola!", "Hola"),
    "(*Fin*), **uno**.": ("(Fin), uno.", "Fin uno"),
    "**Uno. Dos.** Tres.": ("Uno. Dos. Tres.", "Uno._Dos."),
    # links and images
    "Mira [esta página](https://a.es/b) ahora.": ("Mira esta página ahora.", "esta_página"),
    'La [**gran** guía](<b c> "Un título").': ("La gran guía.", "gran_guía gran"),
    "Ver [uno][1].\n\n[1]: https://a.es": ("Ver uno.\n\n|[[1]: https://a.es]", "uno"),
    "Ver [uno][1] y [dos o tres][].": ("Ver uno y dos o tres.", "uno dos_o_tres"),
    "Un [enlace](a_b_c.md) y [otro](a*b*.md)": ("Un enlace y otro", "enlace otro"),
    "![gato](gato.png)": ("[![]|gato|[](gato.png)]", ""),
    "Uno ![dos](x.png) tres": ("Uno |[![]|dos|[](x.png)]| tres", ""),
    "[![logo](l.png)](https://a.es)": ("[![]|logo|[](l.png)]", "![logo](l.png)"),
    # tags
    "<i>El perro</i> duerme": ("El perro duerme", "El_perro"),
    "<b>Hola</b> a todos": ("Hola a todos", "Hola"),
    '<a href="x" title="a_b_c">Ven</a> ya': ("Ven ya", "Ven"),
    "<0>uno</0> y <Link>dos</Link>": ("uno y dos", "uno dos"),
    "<b><i>uno</i> dos</b>": ("uno dos", "uno_dos uno"),
    "<b>uno <i>dos</b> tres</i>": ("uno <i>dos tres</i>", "uno_<i>dos"),
    "<p>Uno <b>dos</b>.</p><p>Tres</p>": ("[<p>]|Uno dos.|[</p>]|[<p>]|Tres|[</p>]", "dos"),
    "uno<br>dos<br/>tres": ("uno|[<br>]|dos|[<br/>]|tres", ""),
    "<ul><li>Uno</li></ul>": ("[<ul>]|[<li>]|Uno|[</li>]|[</ul>]", ""),
    # code
    "```py\nx = **1**\n```\nHola **tú**": ("[```py\nx = **1**\n```\n]|Hola tú", "tú"),
    "- uno\n  ~~~\n  dos\n  ~~~\n- tres": ("- uno\n|[  ~~~\n  dos\n  ~~~\n]|- tres", ""),
    "> ```\n> uno\n> ```\n": ("[> ```\n> uno\n> ```\n]", ""),
    "# Uno\n\n    x = f(1)\n\nDos": ("# Uno\n\n|[    x = f(1)\n]|\nDos", ""),
    "<script>\nvar x = '**a**'\n</script>Hola": ("[<script>\nvar x = '**a**'\n</script>]|Hola", ""),
    "Uno <!-- dos\n\ntres --> cuatro": ("Uno |[<!-- dos\n\ntres -->]| cuatro", ""),
    "<!-- El gato duerme.\nY **más**.": ("[<!--]| El gato duerme.\nY más.", "más"),
    "<!-- Uno\n<!-- Dos": ("[<!--]| Uno\n|[<!--]| Dos", ""),
    "Uno <!-- dos": ("Uno |[<!--]| dos", ""),
    "Uno <!--> dos": ("Uno <!--> dos", ""),
    # front matter
    "---\ntitle: El gato\n---\nEl **gato**.": ("[---\ntitle: El gato\n---\n]|El gato.", "gato"),
    "---\r\ntitle: El gato\r\n---\r\nUno.": ("[---\r\ntitle: El gato\r\n---\r\n]|Uno.", ""),
    "---\n# nota\ntags:\n  - gato\n- perro\n\nfecha: 2024-05-01\n...\nUno.": (
        "[---\n# nota\ntags:\n  - gato\n- perro\n\nfecha: 2024-05-01\n...\n]|Uno.",
        "",
    ),
    "---\ntitle: El gato\n---": ("[---\ntitle: El gato\n---]", ""),
    "Usa <code>x = <y></code> aquí": ("Usa |[<code>x = <y></code>]| aquí", ""),
    "<style>p {a: b}</style>": ("[<style>p {a: b}</style>]", ""),
    # tables
    "|Uno|**Dos**|\r\n|-|:-:|\r\n|a|b|\r\n": (
        "[|]|Uno|[|]|Dos|[|]|\r\n|[|-|:-:|\r\n]|[|]|a|[|]|b|[|]|\r\n",
        "Dos",
    ),
    "Uno | Dos\n--- | ---\na | b": ("Uno |[|]| Dos\n|[--- | ---\n]|a |[|]| b", ""),
    "| **a** | b \\| c |": ("[|]| a |[|]| b \\| c |[|]", "a"),
}
# in doubt, it is text
TEXT = """
5 * 3 * 2 = 30 y 2*3*4
snake_case_name y __init
a < b y c > d, si x <y o z>
usa `**esto**` y `<b>`
*args y **kwargs
f[i](x) y [1] y [MASK]
f[i][j] y [1][2] y [MASK][1] y `[uno][1]` y [uno] [1]
<nombre> y <b> sin cerrar
<b></b> y ** ** y []()
\\*no\\* y \\_no\\_
H<sub>2</sub>O y m<sup>2</sup>
<code>x = y</code> y <kbd>Ctrl</kbd>
~5 y ~10, 1~2~3
:-* ^_^ *_*
- * +
uno | dos
_ _ _ y ____
<!-- uno --> dos
https://a.es/a_b_c/*d*
"""
LINES = [
    "\tEl perro duerme.\n",
    "Hola:\n\n    el perro duerme\n\nAdiós",  # without other Markdown
    "# Uno\n\n\t- El {perro} duerme.\n",
    "# Uno\n\n    El perro duerme en la casa.\n",
    "```\nsin cerrar",
    "---\ntitle: sin cerrar\n",  # no front matter
    "---\n- Uno\n---\nDos.",
    "---\nNota: el gato duerme.\nEl perro come.\n---\nDos.",
    "---\nhttps://a.es\n---\nDos.",
    "Uno.\n\n---\ntitle: Dos\n---\n",
]


def shown(document: str) -> str:
    return "|".join(s.text if s.translate else f"[{s.text}]" for s in split_markup(document)[0])


def restored(document: str) -> str:
    segments, marks = split_markup(document)
    return insert_marks("".join(segment.text for segment in segments), marks).text


@pytest.mark.case("F6")
@pytest.mark.parametrize(("document", "expected"), MARKUP.items())
def test_marks_are_taken_out_and_put_back(document, expected):
    segments, marks = split_markup(document)
    text = "".join(segment.text for segment in segments)
    assert shown(document) == expected[0]
    assert [text[mark.start : mark.end].replace(" ", "_") for mark in marks] == expected[1].split()
    assert restored(document) == document


@pytest.mark.parametrize("text", [*TEXT.strip().splitlines(), *LINES])
def test_in_doubt_it_is_text(text):
    segments, marks = split_markup(text)
    assert [segment.text for segment in segments if segment.translate] == [text]
    assert marks == []


# document → its prose, in which a line break within a sentence is a space
WRAPPED = {
    "The house that my father\nbuilt is very old.": "The house that my father built is very old.",
    "<p>\n\t\tThe house that my father\n\t\tbuilt is very old.\n\t</p>": "The house that my father built is very old.",
    "La casa que mi padre, ya mayor,\r\nlevantó en **un\r\n  valle**.": "La casa que mi padre, ya mayor, levantó en un\r\n  valle.",  # noqa: E501
    "> The house that my father\n> built, and where my brother\n> lives": "> The house that my father built, and where my brother lives",  # noqa: E501
    "- The house that **my father**\n  built\n- and others": "- The house that my father built\n- and others",
    "[The house that my old father\nbuilt](x\n) stands": "The house that my old father built stands",
}
APART = """Branch Code | Bank Code | Status
Please enter the name of the bank | Please enter the code
please enter the name of the bank | please enter the code
# The house of my old father | is very old
The house of my father is old. | it has a garden
The house of my old father: | a garden
The house of my father | - garden
The house of my father is old and large   | hard break
The house of my father | > quoted
my house | is old
The house of my old father |   | is old"""


@pytest.mark.case("LibreTranslate#288")
@pytest.mark.parametrize(("document", "prose"), WRAPPED.items())
def test_a_line_that_continues_a_sentence_belongs_to_it(document, prose):
    segments, _ = split_markup(document)
    assert "".join(segment.text for segment in segments if segment.translate).strip() == prose
    assert restored(document) == document


@pytest.mark.case("modernmt#544")
@pytest.mark.parametrize("lines", APART.splitlines())
def test_other_lines_stay_apart(lines):
    document = lines.replace(" | ", "\n")
    assert "".join(segment.text for segment in split_markup(document)[0]) == document


def test_marks_are_cut_where_a_sentence_ends():
    marks = [Mark(0, 9, "**", "**"), Mark(5, 8, "_", "_")]  # **Uno. _Dos_.**
    assert cut_marks(marks, 0, 4) == [Mark(0, 4, "**", "")]
    assert cut_marks(marks, 5, 9) == [Mark(0, 4, "", "**"), Mark(0, 3, "_", "_")]
    assert cut_marks(marks, 9, 12) == []


def test_spans_are_found_again_after_marks_are_inserted():
    marked = insert_marks("El gato negro", [Mark(3, 13, "<b>", "</b>"), Mark(8, 13, "_", "_")])
    assert marked.text == "El <b>gato _negro_</b>"
    words = [marked.text[slice(*marked.from_original(*span))] for span in ((0, 2), (3, 7), (8, 13))]
    assert words == ["El", "gato", "negro"]


@pytest.mark.case("F1")
@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("[MASK] duerme", "[MASK]", False),
        ("[MASK] duerme", "[MASK] sleeps", True),
        ("https://a.es funciona muy bien", "https://a.es", False),
        ("@ana y @eva", "@ana @eva", False),
        ("Hola {nombre}, ven", "Hello {nombre}", False),
        ("Ve a {ciudad} hoy", "Go to {ciudad} today", True),
        ("La {cosa} cae", "{cosa} falls", True),  # an article may be lacking
        ("{a} de {b}", "{b} of {a}", False),  # not in its place
        ("En 2010 llegó", "It came in 2010", True),  # numbers move
        ("Sin nada", "", True),
    ],
)
def test_text_beside_kept_items_must_be_there(source, translation, expected):
    assert keeps_text_between(source, translation) is expected


def test_special_tokens_and_code_tags_are_kept_items():
    text = "[MASK] y [SEP], [ENT_1] y [^2], <code>x y</code> H<sub>2</sub>O; no [esto] ni [AVISO]"
    assert protected_items(text) == ["[MASK]", "[SEP]", "[ENT_1]", "[^2]", "<code>x y</code>", "H<sub>2</sub>O"]


odd = st.sampled_from([*"*_~`[]()!<>/|#-\\\"' \n\r\tab1.&:{}=", "<b>", "</b>", "```\n", "<!--", "-->", "\u2028", "ß"])


@given(st.one_of(st.text(max_size=60), st.lists(odd, max_size=60).map("".join)))
def test_marks_put_back_make_the_document(document):
    assert restored(document) == document


def seconds(text: str) -> float:
    start = time.process_time()
    split_markup(text)
    return time.process_time() - start


UNITS = """[ ![ ** *a_ _a ` <b> <a_ [a]( [a](b) ~~ \\ & a|b ](_ **a_b**c_ <!-- <script> <b></b> | |a|b| - > ```
<code> <b>a</b> **a**_ [a]: a**b"""


@pytest.mark.slow
@pytest.mark.parametrize("unit", [*UNITS.split(), "\n", "\n```\n", "    a\n", "|a|b|\n|-|-|\n"], ids=ascii)
def test_time_is_linear_in_the_length(unit):
    unit = unit.replace("_", " ") if "a_" not in unit or unit.endswith("a_") else unit
    times = [min(seconds(unit * (size // len(unit))) for _ in range(3)) for size in (5_000, 10_000)]
    assert times[1] < 3 * max(times[0], 0.01)
