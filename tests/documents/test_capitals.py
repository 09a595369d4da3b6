"""Words in capitals are read in lower case and raised again; acronyms stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.documents import insert_marks, lower_capitals

# sentence → what the model reads, and the stretches that are raised again
CAPITALS = {
    "EL PERRO DUERME EN LA CASA.": ("El perro duerme en la casa.", ["El perro duerme en la casa."]),
    "SOPA DE GUISANTES": ("Sopa de guisantes", ["Sopa de guisantes"]),
    "¿QUÉ HORA ES?": ("¿Qué hora es?", ["¿Qué hora es?"]),
    "HOLA": ("Hola", ["Hola"]),
    "I AM HERE AND I CAN'T GO.": ("I am here and I can't go.", ["I am here and I can't go."]),
    "LA ONU Y EE. UU. FIRMAN UN ACUERDO.": (
        "La ONU y EE. UU. firman un acuerdo.",
        ["La ONU y EE. UU. firman un acuerdo."],
    ),
    "PROHIBIDO FUMAR {NOMBRE}": ("Prohibido fumar {NOMBRE}", ["Prohibido fumar {NOMBRE}"]),
    "El perro DUERME en la casa.": ("El perro duerme en la casa.", ["duerme"]),
    "Warning: DO NOT OPEN THE DOOR": ("Warning: do not open the door", ["do not open the door"]),
    "DO NOT do it": ("Do not do it", ["Do not"]),
    "¡ATENCIÓN! No pisar": ("¡Atención! No pisar", ["Atención"]),
    "Vino Gabriel GARCÍA MÁRQUEZ ayer": ("Vino Gabriel garcía márquez ayer", ["garcía márquez"]),
    "Yo NO, NUNCA fui": ("Yo no, nunca fui", ["no, nunca"]),
}
SAME = """La ONU y la NASA, con EE. UU. e IBM.
El PSOE y el PP no pactan con CCOO.
Felipe VI y el siglo XVIII
IBM
ONU
NO
Usa HTTP_PROXY o MP3, COVID-19 y AC/DC.
Mira https://A.ES/CASA y {NOMBRE}, @CASA y #GATO
El plan B IS good
Los FBI PC
Straße y ﬁn
I do, and so do you."""


@pytest.mark.case("F3")
@pytest.mark.parametrize(("sentence", "expected"), CAPITALS.items())
def test_words_in_capitals_are_read_in_lower_case(sentence, expected):
    text, marks = lower_capitals(sentence)
    found = [text[mark.start : mark.end] for mark in marks]
    assert (text, found) == (expected[0], expected[1])


@pytest.mark.case("F3")
@pytest.mark.parametrize("sentence", SAME.splitlines())
def test_acronyms_stay(sentence):
    assert lower_capitals(sentence) == (sentence, [])


@given(st.one_of(st.text(max_size=40), st.text(st.sampled_from(list("ABÑÉßİǅﬁΣ aei.,'’-_1{}@/¿")), max_size=30)))
def test_raised_again_it_is_the_sentence(sentence):
    text, marks = lower_capitals(sentence)
    assert len(text) == len(sentence)
    assert insert_marks(text, marks).text == sentence


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["A", "AB ", "CASA ", "CASA, a ", "a CASA. ", "EE. ", "A'", " "], ids=ascii)
def test_long_texts_take_one_pass(unit):
    sentence = unit * (200_000 // len(unit))
    text, marks = lower_capitals(sentence)
    assert len(text) == len(sentence) and all(mark.upper for mark in marks)
