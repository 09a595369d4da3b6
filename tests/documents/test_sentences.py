"""A document is cut into sentences and put back as it was, and nothing that a translation must hold gets lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.documents import Segment, lost_items, preserves_items, protected_items, split_at_items, split_sentences
from gatonegro.documents.items import NUMBER
from gatonegro.errors import OptionError

SIZE = 1_000_000  # characters

# a line a text, its sentences apart by " | "
SENTENCES = """
Hola. | ¿Qué tal? | Muy bien.
El Sr. Pérez llegó tarde. | La Sra. Gómez no vino.
La Dra. Ruiz y el Dr. Soto firmaron el acta.
Le escribo a Ud. porque Uds. lo pidieron.
Viajó a EE. UU. con su hermana. | Volvió en mayo.
Según EE.UU. Rusia miente.
Compró frutas, p. ej. Manzanas Reineta.
Compró pan, leche, etc. | Luego volvió a casa.
Trajo lápices, gomas, etc. y un cuaderno.
Véase la pág. 12 y el núm. 4. | Allí se explica.
La Av. Libertador está cortada. | Tomen otra.
Mide 1.75 m. | Pesa 70,5 kg. | Es alto.
La versión 2.0.1 ya salió. | Es más rápida.
No sé... quizá venga mañana.
No sé... | Quizá venga mañana.
No sé… | ¿Y tú?
¡Qué susto! —dijo Ana—. | Casi me caigo.
«Ven mañana.» | Así lo dijo.
Dijo: «Ven mañana». | Y se fue.
(Esto va aparte.) | Esto no.
¿Vienes? | ¡Claro que sí! | 20 minutos y llego.
¡¿Cómo?! | No puede ser...
¿Qué?, preguntó. | Nada más.
Ana (¿o era Eva?) llegó primero. | Ganó.
Nació el 3 de feb. de 1990. | Vive en Lima.
Abrimos a las 9 a. m. y cerramos a las 8 p. m. | Los domingos no.
Es de J. R. R. Tolkien. | Léelo.
Fue en el s. XIX. | Nadie lo recuerda.
Vivió hacia el año 300 a. C. en Atenas.
Entró en la web ejemplo.com. | Le gustó.
Mira https://ejemplo.com/a.b?c=1. | Está todo.
Firmó D. Quijote. | Firmó Dña. Ana.
Hizo 1.000 panes. | 300 se quemaron.
Es la empresa Sol, S.A. de Madrid.
Trabaja en Sol, S. A. | Le va bien.
El art. 5 lo prohíbe. | Cfr. Art. 7.
Ganó el 1.º premio. | El 2.º fue para Luis.
Tel. 555 12 34. | Pregunte por Eva.
—¿Quién es? —preguntó. | —Yo.
Yo no. | Tú sí. | Él a veces.
Está en la carpeta C. | La otra no.
Hello there. | How are you? | Fine!
Mr. Smith met Mrs. Jones. | They talked.
Dr. Lee and Prof. Kim wrote it, e.g. Chapter 2.
He moved to the U.S. in May. | She stayed.
He lives in the U.S. | He likes it.
The U.S. Army came. | It left.
We met at 5 p.m. | It rained.
We met at 5 p.m. on Monday.
She bought pens, ink, etc. | Then she left.
It costs $3.50. | That is cheap.
Version 3.11 is out. | Try it.
J. K. Rowling wrote it. | I read it.
George W. Bush spoke. | Nobody listened.
It was plan B. | It worked.
It was him and I. | We left.
"Come in." | She sat down.
"Come in," he said. | "Sit."
“Really?” | “Yes.”
"Really?" she asked. | He nodded.
Wait... what? | Oh...
He works at Acme Inc. in Boston. | He likes it.
Apple Inc. | It is big.
See No. 5 and Fig. 2. | They differ.
No. | I will not.
Is it St. Mary's? | Yes!
It is Ali vs. Frazier. | Who wins?
I was born on Jan. 5, 1990. | You in Dec. 1991.
Use i.e. Only that one.
Yahoo! is old. | So am I.
Look (it is here.) and go. | Now.
She has a Ph.D. in physics. | He does not.
Read node.js docs. | They help.
This is it.This is not cut.
Wow!!! | Really??? | 1 more.
It ends here.[1] | It starts there.
He said "no." | I left.
Sen. Warren and Gov. Newsom came. | They ate.
それは猫です。 | 犬ではありません！ | はい。
这是猫。 | 那是狗。
Felipe II. | Reinó mucho.
Aún hay 3 RR. HH. Públicos.
«¿Ya?» —dijo. | «Sí.»
Dijo «no». | Luego calló. | ¿Por qué?
El cap. IV trata del s. V. | Es breve.
Vino (¡por fin!) ayer. | Bien.
Costó 5 €. | Era caro.
Hola. | {name} vino. | <b>Ana</b> no.
<a title="Uno. Dos.">Ven. | Mira.</a>
a.m. o p. m. no importa.
"""

# what is between sentences, in brackets
LINES = {
    "": "",
    "Hola": "Hola",
    "  Hola.  ¿Qué tal?\n\n": "[  ]Hola.[  ]¿Qué tal?[\n\n]",
    "Uno.\r\nDos.\rTres\x85Cuatro\u2028Cinco": "Uno.[\r\n]Dos.[\r]Tres[\x85]Cuatro[\u2028]Cinco",
    "- pan\n\t* queso\n1. Ir\n2) Ver\n• Oír": "[- ]pan[\n][\t* ]queso[\n][1. ]Ir[\n][2) ]Ver[\n][• ]Oír",
    "- [ ] barrer\n- [x] leer\n1.2. Fin": "[- [ ] ]barrer[\n][- [x] ]leer[\n][1.2. ]Fin",
    "# Título\n> > cita\n•sin espacio": "[# ]Título[\n][> > ]cita[\n][•]sin espacio",
    "— ¿Quién?\n—Yo.\n-5 grados": "[— ]¿Quién?[\n]—Yo.[\n]-5 grados",
    "A. Soto vino.\nI. Newton no.": "A. Soto vino.[\n]I. Newton no.",
    "nombre\tedad\nAna\t33": "nombre[\t]edad[\n]Ana[\t][33]",
    "-\n***\n12,5\n...\n¿?": "[-][\n][***][\n][12,5][\n][...][\n][¿?]",
    "https://a.es/b?c=d\nana@a.es, @ana #hoy": "[https://a.es/b?c=d][\n][ana@a.es, @ana #hoy]",
    "{saludo}, <br/> %s `x = y`": "[{saludo}, <br/> %s `x = y`]",
    "🎉🎉 ¡Feliz día! 🎂 Te ❤️ mucho 👩‍👩‍👧": "[🎉🎉 ]¡Feliz día![ ][🎂 ]Te ❤️ mucho[ 👩‍👩‍👧]",
    "línea que\nsigue.": "línea que[\n]sigue.",
}

KEPT = {
    "Ve a https://a.es/b?c=1#d, o a www.b.org (o ejemplo.com/x).": "https://a.es/b?c=1#d www.b.org ejemplo.com/x",
    "Escribe a ana.paz+x@mail.com.ar.": "ana.paz+x@mail.com.ar",
    "2020@a.es y 4chan.org, gatonegro.com": "2020@a.es 4chan.org gatonegro.com",
    "Hola {name}, {{x}}, {0:.2f}, ${y}, $z": "{name} {{x}} {0:.2f} ${y} $z",
    "Hay %s, %(n)s, %d, %1$s, %.2f": "%s %(n)s %d %1$s %.2f",
    "{esto se traduce}, $5, 100% de, US$ 3": "$5 100% 3",
    "<b>uno</b><br/> <0>dos</0> a < b <!-- c -->": "<b> </b> <br/> <0> </0> <!--|c|-->",
    "@ana y #hoy, amig@s, C#, #1": "@ana #hoy 1",
    ":smile: son las 10:30: ya": ":smile: 10:30",
    "usa `a b` &amp; &#39;c&#39;": "`a|b` &amp; &#39; &#39;",
    "1,000 y 1.000,5; 10 000 o 3-4 el 12/05/2020.": "1,000 1.000,5 10|000 3 4 12 05 2020",
    "En 2010 300 personas, v2, 20th, H2O, 1990s": "2010 300",
    "bien 👍🏽 sí 🎉🎉": "👍🏽 🎉🎉",
    "Nada que guardar: ni 'esto'. Fin...": "",
}

# source, translation → what was lost
MISSING = [
    ("It has 1,000 rows.", "Tiene 100 filas.", []),  # `changed_numbers` says so
    ("It costs $30.", "Cuesta 30.", ["$30"]),
    ("It costs $30.", "Cuesta 20 dólares.", []),
    ("5 % and 5 %", "un 5 % y 5", ["5 %"]),
    ("modelo X1.500", "model X1.500.500", ["X1.500"]),
    ("Hi {name}, {name}!", "Hola {name}!", ["{name}"]),
    ("Hi {name}", "Hola {nombre}", ["{name}"]),
    ("<b>Hi</b> https://a.es", "<b>Hola", ["</b>", "https://a.es"]),
    ("I ❤️ it, @ana.", "Me gusta, @ana.", ["❤️"]),
    ("Nothing.", "Nada 5.", []),
]

odd = st.sampled_from(list(".!?…¿¡\"'»)[]<>{}%$#@:/-*•1a A\n\r\t\x85\u2028\u00a0🎉\u200d\ufe0f。`&;,_"))

words = st.sampled_from(
    "Sr. EE. UU. etc. No. 5 Hola gato. https://a.es/b ana@a.es {x} <b> %s 1,000 - 1. J. p. m. 🎉 #a".split()
)

texts = st.one_of(
    st.text(max_size=80),
    st.text(odd, max_size=80),
    st.lists(st.tuples(words, st.sampled_from([" ", "\n", "\r\n", "  ", ""])), max_size=20).map(
        lambda parts: "".join(word + gap for word, gap in parts)
    ),
)


def joined(parts: list[Segment]) -> str:
    return "".join(part.text for part in parts)


@pytest.mark.parametrize("line", SENTENCES.strip().splitlines())
def test_sentences(line):
    expected = line.split(" | ")
    assert [part.text for part in split_sentences(" ".join(expected)) if part.translate] == expected


@pytest.mark.parametrize(("text", "expected"), LINES.items())
def test_what_is_between_goes_through(text, expected):
    marked = "".join(part.text if part.translate else f"[{part.text}]" for part in split_sentences(text))
    assert marked.replace("][", "") == expected.replace("][", "")


@pytest.mark.parametrize(("text", "expected"), KEPT.items())
def test_what_is_kept(text, expected):
    assert protected_items(text) == [item.replace("|", " ") for item in expected.split()]


@pytest.mark.parametrize(("source", "translation", "lost"), MISSING)
def test_what_is_missing(source, translation, lost):
    assert lost_items(source, translation) == lost


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("{{count}} items, {name}!", "¡{{count}} artículos, {name}!", True),
        ("{{count}} items, {name}!", "{{count}}} {{name}, {name}!", False),  # one that nobody wrote
        ("It is 1.75 m.", "Mide 1,75 m.", True),
        ("It is 1.75 m.", "Mide 175 m.", True),  # `changed_numbers` tells
        ("1,234,567 of 1,234.5", "1.234.567 de 1.234,5", True),
        ("It costs $30, 25 % off.", "Cuesta 30 dólares, un 25 por ciento menos.", True),
        ("It costs $1,299.99.", "Cuesta 1.299,99 $.", True),
        ("It costs $1,299.99.", "Cuesta 1.299,99.", False),
        ("at 25 °C", "a 25", False),
        ("Caben 500 ml.", "It is 500 miles.", False),
        ("Caben 500 ml.", "It holds 500ml.", True),
        ("Caben 500 ml.", "It holds 500 millilitres.", True),
        ("Son 20 m².", "It is 20 metres.", False),
        ("DNI 12345678Z, in the 80s", "DNI 12345678Z, en los 80", True),
        ("DNI 12345678Z", "DNI 1234567", False),
    ],
)
def test_what_a_translation_holds(source, translation, expected):
    assert preserves_items(source, translation) is expected


def test_around_cuts_at_what_is_kept():
    parts = split_at_items("See <b>page 12</b> of https://a.es, {name}.")
    assert [part.text for part in parts if part.translate] == ["See", "page", "of"]


def test_long_sentences_are_cut_where_they_pause():
    text = "El gato, que era negro, dormía; el perro miraba: nada más se movía en la casa"
    cut = [part.text for part in split_sentences(text, 40) if part.translate]
    assert cut == ["El gato, que era negro, dormía;", "el perro miraba: nada más se movía en", "la casa"]
    assert [part.text for part in split_sentences("uno dos tres cuatro", 10)] == ["uno dos", " ", "tres", " ", "cuatro"]
    assert [part.text for part in split_sentences("abcdefgh ij", 3)] == ["abc", "def", "gh", " ", "ij"]
    for longest in (0, -1):
        with pytest.raises(OptionError, match="max_chars"):
            split_sentences("Hola", longest)


@given(texts, st.none() | st.integers(1, 30))
def test_joined_again_it_is_the_text(text, longest):
    parts = split_sentences(text, longest)
    assert joined(parts) == text
    assert all(part.text for part in parts)
    assert all(part.text == part.text.strip() and any(map(str.isalpha, part.text)) for part in parts if part.translate)
    assert all(len(part.text) <= longest for part in parts if part.translate and longest)


@given(texts)
def test_lines_stay_apart(text):
    assert all(len(part.text.splitlines()) == 1 for part in split_sentences(text) if part.translate)


@given(texts, texts)
def test_a_text_misses_nothing_of_its_own(text, more):
    assert lost_items(text, text) == []
    assert lost_items(text, more) == [] or set(lost_items(text, more)) <= set(protected_items(text))
    assert lost_items(text, "") == [item for item in protected_items(text) if not NUMBER.fullmatch(item)]


@given(texts)
def test_around_keeps_all(text):
    assert joined(split_at_items(text)) == text
    assert not any(protected_items(part.text) == [part.text] for part in split_at_items(text) if part.translate)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["a.a.a.", "<", "<a ", "(", "https://", " ", "https://a ", ". ", "\n ", "1,", "🎉"], ids=ascii
)
def test_long_texts_take_one_pass(unit):
    text = unit * (SIZE // len(unit)) + "x"
    assert joined(split_sentences(text, 400)) == joined(split_at_items(text)) == text
    assert lost_items(text, text) == []


HOSTILE = """{ {{a %( %- $a `a @ a@ a@a. # #1 :a :a: &a a- a.com a.com/ www. [1] - -_ <!-- .' .) 1' 1_000 J._ etc._
    a|b。 (_ ‍"""


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE.split(), ids=ascii)
def test_more_long_texts_take_one_pass(unit):
    text = unit.replace("_", " ") * (SIZE // 10 // len(unit)) + "x"
    assert joined(split_sentences(text)) == joined(split_at_items(text)) == text
    assert lost_items(text, text) == []


def test_it_needs_no_torch(python):
    code = "import sys, gatonegro.documents as s; s.split_sentences('Hola.'); sys.exit('torch' in sys.modules)"
    assert python("-c", code).returncode == 0
