"""Tests of the shipped translator on numbers, units, ordinals, Roman numerals, abbreviations and number words."""

import pytest
from rows import BUILT_IN

from gatonegro import pipeline
from gatonegro.documents import changed_numbers

NAME = "translate-es-en"

pytestmark = [pytest.mark.slow, BUILT_IN]

TO_ENGLISH = """Tengo 1.000 € y 12.000 €. | 1,000 | 12,000
Hay 1.500 casas. | 1,500
La empresa perdió 1.500.000 euros. | 1,500,000
El 3,5 % de la gente. | 3.5
Vale 2.500,75 €. | 2,500.75
El coche cuesta 12.500 euros. | 12,500
La temperatura es 36,6 °C. | 36.6
Cuesta 19,99 €. | 19.99
La ciudad tiene 3.200.000 habitantes. | 3,200,000
Compra 1,5 kg de pan. | 1.5 kilos
Nació en 1984 y murió en 2005. | 1984 | 2005
La versión 3.11 de Python. | 3.11
Llama al 600 123 456. | 600 123 456"""

TO_SPANISH = """There are 1,500 houses. | 1.500 casas
It costs 2.50 euros. | 2,50
I have 1,000 euros and 12,000 dollars. | 12.000
The car costs 12,500 euros. | 12.500
She won $1,250,000. | 1.250.000
Her temperature is 36.6 degrees. | 36,6
He bought 1.5 kg of bread. | 1,5 kilos
Version 2.5 is new. | 2.5
Python 3.11 is good. | 3.11"""

SPELLED = """Bebe 2 l de agua. | 2 litres of water
El s. XV | XV century
El s. XIX fue largo. | century
Felipe VI es el rey de España. | Felipe VI is the king
Mide 1,80 m. | 1.80 met
Vive en el 3.º B. | third
El Sr. García llegó a las 3 p. m. a EE. UU. | García | United States
Juan Pablo II murió en 2005. | Juan Pablo II died in 2005
La 2.ª planta | second
Compra 3 l de leche y 2 kg de pan. | litres | kilos
Trabaja 8 h al día. | 8 hours
Corrió 100 m. | 100 meters
Mira el cap. 3. | chapter 3
La 3.ª casa es roja. | third house
En el siglo XXI vive mucha gente. | century XXI
Enrique VIII tenía seis mujeres. | VIII
It is 5 ft long. | pies
He works 8 h a day. | 8 horas
He lives on the 5th floor. | quinto piso
See p. 5. | página 5
Pope John Paul II died in 2005. | Paul II murió"""

WORDS = """doce personas | es
Hay doce personas en la sala. | es
Hay quince gatos en la casa. | es
Tengo cuarenta y cinco libros. | es
Había trece perros. | es
Tiene diecinueve años. | es
Tiene treinta y dos años. | es
El libro tiene doscientas páginas. | es
There are twelve people. | en
He has twenty-five cats. | en
There are thirteen dogs. | en
Thirteen people have died. | en
The house costs a hundred thousand euros. | en"""


@pytest.fixture(scope="module")
def translate():
    return pipeline("translation", NAME, num_beams=4)


def translation(translate, text: str, source: str) -> str:
    return translate(text, src_lang=source, tgt_lang="en" if source == "es" else "es")[0]["translation_text"]


@pytest.mark.case("F2")
@pytest.mark.parametrize(
    "line", [*(f"es | {x}" for x in TO_ENGLISH.splitlines()), *(f"en | {x}" for x in TO_SPANISH.splitlines())]
)
def test_numbers_are_written_by_the_rules_of_the_target_language(translate, line):
    source, text, *expected = line.split(" | ")
    answer = translation(translate, text, source)
    assert all(number in answer for number in expected), answer


@pytest.mark.case("F7")
@pytest.mark.parametrize("line", SPELLED.splitlines())
def test_units_ordinals_and_abbreviations_are_understood(translate, line):
    text, *expected = line.split(" | ")
    answer = translation(translate, text, "en" if text.startswith(("It", "He", "See", "Pope")) else "es")
    assert all(words in answer for words in expected), answer


@pytest.mark.case("N1")
@pytest.mark.parametrize("line", WORDS.splitlines())
def test_number_words_keep_their_value(translate, line):
    text, source = line.split(" | ")
    answer = translation(translate, text, source)
    assert changed_numbers(text, answer, source, "en" if source == "es" else "es")[0] == [], answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Mil gracias por todo.", "1000"), ("Vive en la versión 2.0 l de agua", "litres"), ("Mira `2 l`.", "litr")],
)
def test_what_is_no_number_or_unit_is_left_alone(translate, text, expected):
    assert expected not in translation(translate, text, "es")


def test_alignments_refer_to_the_text_of_the_user(translate):
    text = "Bebe 2 l de agua. Tengo 1.500 casas en EE. UU. y doce personas."
    (answer,) = translate(text, src_lang="es", tgt_lang="en", return_alignments=True)
    links = answer["alignments"]
    assert all(text[slice(*link["source_span"])] == link["source"] for link in links)
    assert all(answer["translation_text"][slice(*link["target_span"])] == link["target"] for link in links)
    pairs = {(link["source"].strip(), link["target"]) for link in links}
    assert ("l", "litres") in pairs and ("agua", "water") in pairs
