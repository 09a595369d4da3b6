"""Tests of numbers: values in digits, words and Roman numerals, conversion between conventions, spelled units."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.documents import Direction, changed_numbers, decimal_symbol, number_values
from gatonegro.documents.localization import edit
from gatonegro.documents.numbers import read_digits
from gatonegro.tasks.doubt import sentence_doubts

VALUES = {
    "es": {
        "doce personas": "12",
        "mil novecientos ochenta y cuatro": "1984",
        "dos mil millones, cien mil y ciento veinte": "2000000000 100000 120",
        "doscientas treinta y una casas": "231",
        "un millón doscientos mil": "1200000",
        "3 millones; 3.000 millones; 1,5 millones": "3000000 3000000000 1500000",
        "treinta y dos y tres": "32 3",
        "mil y una noches, dos mil y tres mil": "1001 2000 3000",
        "la vigésima quinta edición, el décimo tercero, las diez y cinco": "25 13 10 5",
        "treinta segundos, veinte primeras partes, tres cuartos": "30 20 3",
        "una casa, un segundo, millones de años": "",
        "Mil gracias": "",
        "mil personas": "1000",
        "la 2.ª planta, el 3.er piso, el 3.º B": "2 3 3",
        "Felipe VI nació en el s. XX; Juan Pablo II": "6 20 2",
        "MI VI DI CD": "",
        "1.500 y 2,50": "1500 2.5",
        "a las 10:30 del 3.5.2026": "10.3 3.5.2026",
        "https://a.es/1.500 `doce` {tres}": "",
    },
    "en": {
        "twelve people": "12",
        "nineteen eighty-four": "1984",
        "one thousand and one nights": "1001",
        "two hundred and five thousand six hundred": "205600",
        "a hundred, a million": "100 1000000",
        "one cat, the first one, a second": "",
        "a thousand thanks": "",
        "the twenty-first of May, the 3rd floor": "21 3",
        "Louis XIV, World War II, the XV century; I am": "14 2 15",
        "1,500 and 2.50 and 1.234": "1500 2.5 1.234",
        "one and two and three": "2 3",
        "between two thousand and three thousand": "2000 3000",
        "eleven and twelve; one million and five thousand": "11 12 1005000",
    },
}

CONVERTED = """es en | Tengo 1.000 € y 12.000 €. | Tengo 1,000 € y 12,000 €.
es en | Hay 1.500 casas. | Hay 1,500 casas.
es en | La empresa perdió 1.500.000 euros. | La empresa perdió 1,500,000 euros.
es en | El 3,5 % de la gente. | El 3.5 % de la gente.
es en | Vale 2.500,75 €. | Vale 2,500.75 €.
es en | Mide 0,125 m y cuesta $1.234.567,8. | Mide 0.125 m y cuesta $1,234,567.8.
es en | Son 12 000,5 metros de 2 000 000. | Son 12,000.5 metros de 2,000,000.
es en | Son 1.000.000.000 de bits. | Son 1,000,000,000 de bits.
es en | Son 12000 o 1500. | Son 12000 o 1500.
es en | Vale $2,500.75 y no 1.234. | Vale $2,500.75 y no 1.234.
es en | Vino en 2005, a las 10:30 o 10.30 h, el 3.5.2026. | Vino en 2005, a las 10:30 o 10.30 h, el 3.5.2026.
es en | Llama al 600 123 456, al +34 600.123.456 o a 1.500. | Llama al 600 123 456, al +34 600.123.456 o a 1,500.
es en | Según Juan 3,16 y https://a.es/1.500,5 | Según Juan 3,16 y https://a.es/1.500,5
es_ES en_US | Son 1.500. | Son 1,500.
es fr | Son 1.500,5 km. | Son 1\u202f500,5 km.
fr en | Il pèse 1\u202f500,5 kg. | Il pèse 1,500.5 kg.
en es | There are 1,500 houses. | There are 1.500 houses.
en es | It costs 2.50 euros. | It costs 2,50 euros.
en es | I have 1,000 euros and 12,000 dollars. | I have 1.000 euros and 12.000 dollars.
en es | It is 1.234. | It is 1,234.
en es | In Madrid 3.5 million of 2,000,000 | In Madrid 3,5 million of 2.000.000
en es | Python 3.11, section 2.1, v2.0, 192.168.1.1, 192.168.100.200 | =
en es | 1.2 Introduction of 3.5 things | 1.2 Introduction of 3,5 things
en es | Call 555.123.4567 or 555.1234 at 5.30 pm on 3.5.2026. | =
en es | The A4-1,500 costs -2.5 dollars. | The A4-1,500 costs -2,5 dollars.
en es | He is 5'11", in chapter 2.5. | =
es en | Bebe 1'5 litros. | Bebe 1.5 litros.
en xx | There are 1,500 houses. | =
xx en | There are 1,500 houses. | ="""

READ = """es | Bebe 2 l de agua y 1 l de vino. | Bebe 2 litros de agua y 1 litro de vino.
es | El s. XV | El siglo XV
es | Mide 1,80 m. | Mide 1.80 metros.
es | Vive en el 3.º B. | Vive en el tercero B.
es | La 2.ª planta | La segunda planta
es | El Sr. García llegó a las 3 p. m. a EE. UU. | El Sr. García llegó a las 3 p.m. a los Estados Unidos.
es | EE. UU. ganó, y los EE.UU. van. ¡A EEUU! | Estados Unidos ganó, y los Estados Unidos van. ¡A los Estados Unidos!
es | Pesa 5 kg, tarda 3 h, viene a las 3 h. | Pesa 5 kilos, tarda 3 horas, viene a las 3 h.
es | Va a 20 m/s, 3 l/min, 100 m², 5 g. | Va a 20 m/s, 3 l/min, 100 m², 5 gramos.
es | `2 l` https://a.es/2 l, Luis l | =
es | Caben 500 ml y 20 m². | =
es | Mira la pág. 5 y el cap. 3 del vol. 2. | Mira la página 5 y el capítulo 3 del volumen 2.
en | It is 5 ft, 10 lb, 1 kg; 8 h at 60 mph. | It is 5 feet, 10 pounds, 1 kilo; 8 hours at 60 miles per hour.
en | See p. 5 on the 5th floor, the 5th of May. | See page 5 on the fifth floor, the 5th of May.
en | Mr. No. came at 9 a.m. to the U.S. | =
fr | Il boit 2 l. | ="""


@pytest.mark.case("N1")
@pytest.mark.parametrize(
    ("language", "text", "values"), [(lang, *row) for lang, rows in VALUES.items() for row in rows.items()]
)
def test_values_of_numbers(language, text, values):
    assert number_values(text, language) == values.split()


@pytest.mark.case("N1")
@pytest.mark.parametrize(
    ("source", "translation", "lost"),
    [
        ("doce personas", "two people", ["12"]),
        ("doce personas", "12 people", []),
        ("doce personas", "a dozen people", []),
        ("las dos hermanas", "both sisters", []),
        ("treinta y dos años", "thirty-three years", ["32"]),
        ("dos mil quinientos", "2,500", []),
        ("3.000 millones", "3 billion", []),
        ("en mil novecientos ochenta", "in nineteen eighty", []),
        ("a las tres", "at 3:00", []),
        ("el siglo XV", "the fifteenth century", []),
        ("Felipe VI", "Philip", ["6"]),
        ("un gato", "a cat", []),
        ("la tercera casa", "the 3rd house", []),
        ("el primero", "the best", []),
        # digits
        ("1,000 rows", "1.000 filas", []),
        ("10,000 rows", "10 000 filas", []),
        ("1.000 filas", "100 rows", ["1000"]),
        ("Mide 1,75 m.", "It is 175 m.", ["1.75"]),
        ("A las 10:30.", "At 10.30.", []),
        ("El 05/12", "On 5 of 12", []),
        ("¿Es 0,5?", "Is it 5?", ["0.5"]),
        ("¿Es 5?", "Is it 0.5?", ["5"]),
        ("Tengo 30.", "I have forty.", ["30"]),
        ("5 kg", "5kg", []),
        # times, amounts and dates that are written otherwise
        ("Viene a las 3 y media.", "It's coming at 3:30.", []),
        ("Viene a las 15:30.", "He comes at half past 3 in the afternoon.", []),
        ("a las 10:30", "at half past ten", []),
        ("a las 10:30", "at half past nine", ["10.3"]),
        ("5 millones de euros", "five million euros", []),
        ("5 millones de euros", "5 thousand euros", ["5000000"]),
        ("El 12/03/2020", "March 12, 2020", []),
        ("El 3.5.2026", "May 3, 2026", []),
        ("12 de marzo de 2020", "12/03/2020", []),
        ("El 12/03/2020", "April 12, 2020", ["3"]),
        ("El 3 de marzo", "The 5th of March", ["3"]),
        ("1.000.000", "1 and 0", ["1000000"]),
    ],
)
def test_lost_numbers(source, translation, lost):
    assert changed_numbers(source, translation, "es", "en")[0] == lost
    assert Direction("es", "en").preserves(source, translation) is not bool(lost)
    assert ("number" in sentence_doubts(source, translation, ("es", "en"))) >= bool(lost)


@pytest.mark.case("F2")
@pytest.mark.parametrize("line", CONVERTED.splitlines())
def test_numbers_are_written_as_in_the_target_language(line):
    languages, text, expected = line.split(" | ")
    source, target = languages.split()
    new = Direction(source, target, decimal_symbol(text, source)).localize(text, text)
    assert new.text == (text if expected == "=" else expected)


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("Son 1.500 y 1,5.", "They are 1,5 and 1.500.", "They are 1.5 and 1,500."),
        ("Son 12.000.", "They are 12000.", "They are 12,000."),
        ("Son 1500.", "They are 1.500.", "They are 1500."),
        ("Son 1.500.", "They are 1.600.", "They are 1.600."),  # another number
        ("Felipe VI es rey.", "Felipe VI VI is king.", "Felipe VI is king."),
        ("Juan Pablo II murió.", "John PaulII died.", "John Paul II died."),
    ],
)
def test_numbers_of_a_translation_are_those_of_its_source(source, translation, expected):
    assert Direction("es", "en", ",").localize(translation, source).text == expected
    assert Direction("es", "en").localize(translation, source).text == translation


@pytest.mark.case("F7")
@pytest.mark.parametrize("line", READ.splitlines())
def test_what_models_misread_is_spelled_out(line):
    language, text, expected = line.split(" | ")
    target = "en" if language == "es" else "es"
    new, *_, same = [*Direction(language, target, decimal_symbol(text, language)).readings(text), None, None][:-1]
    assert new.text == (text if expected == "=" else expected)
    assert same is None or same.text == text


@pytest.mark.parametrize(
    ("source", "translation", "languages"),
    [("15:30", "3:30 pm", "es en"), ("3:30 p. m.", "15:30", "es en"), ("a las 20 h", "at 8 p.m.", "es en"),
     ("8 p.m.", "20 h", "en es"), ("at 9 in the evening", "a las 21:00", "en es")],
)  # fmt: skip
def test_a_time_on_the_other_clock_is_preserved(source, translation, languages):
    direction = Direction(*languages.split())
    assert direction.preserves(source, translation)
    assert not direction.preserves(source, re.sub(r"\d", "7", translation))


def test_other_readings_have_digits():
    forms = [form.text for form in Direction("es", "en", ",").readings("Doce de 1,5 m en el siglo XX")]
    assert forms == [
        "Doce de 1.5 metros en el siglo XX",
        "Doce de 1,5 metros en el siglo XX",
        "12 de 1.5 metros en el siglo 20",
        "Doce de 1,5 m en el siglo XX",
    ]


SPANISH = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve treinta cuarenta cincuenta sesenta setenta ochenta noventa ciento doscientos trescientos "
    "cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split()
ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
).split()


def in_spanish(n: int) -> str:
    if n < 30 or n == 100:
        return "cien" if n == 100 else SPANISH[n]
    if n < 100:
        return SPANISH[27 + n // 10] + (f" y {SPANISH[n % 10]}" if n % 10 else "")
    size, name = next((size, name) for size, name in ((10**6, "millones"), (1000, "mil"), (100, "")) if n >= size)
    many, rest = divmod(n, size)
    head = SPANISH[36 + many] if size == 100 else f"{in_spanish(many)} {name}".replace("uno m", "un m")
    head = {"un mil": "mil", "un millones": "un millón"}.get(head, head)
    return f"{head} {in_spanish(rest)}" if rest else head


def in_english(n: int) -> str:
    if n < 20:
        return ENGLISH[n]
    if n < 100:
        return ENGLISH[18 + n // 10] + (f"-{ENGLISH[n % 10]}" if n % 10 else "")
    size, name = next(pair for pair in ((10**6, "million"), (1000, "thousand"), (100, "hundred")) if n >= pair[0])
    many, rest = divmod(n, size)
    head = f"{in_english(many)} {name}"
    return f"{head}{' and' * (rest < 100)} {in_english(rest)}" if rest else head


@given(st.integers(2, 3000) | st.integers(2, 10**9 - 1))
def test_each_number_in_words_is_read(n):
    assert number_values(in_spanish(n), "es") == number_values(in_english(n), "en") == [str(n)]
    assert number_values(f"between {in_english(n)}, and two thousand houses", "en") == [str(n), "2000"]


NUMBERS = st.builds(
    lambda whole, fraction, grouped: (
        (f"{whole:,}".replace(",", ".") if grouped else str(whole)) + ("," + fraction if fraction else "")
    ),
    st.integers(1, 10**12),
    st.text("0123456789", max_size=6),
    st.booleans(),
)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_conversion_there_and_back_keeps_each_value_and_digit(numbers):
    text = " casas, ".join([*numbers, ""])
    there = Direction("es", "en", ",").localize(text, text).text
    back = Direction("en", "es", ".").localize(there, there).text
    assert re.findall(r"\d", there) == re.findall(r"\d", text)
    assert number_values(there, "en", ".") == number_values(text, "es", ",")
    assert back == text
    assert all(read_digits(number, ",") is not None for number in numbers)


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6), st.text(max_size=4)), max_size=5),
)
def test_spans_of_an_edited_text(text, edits):
    edits = [(a, a + n, new) for a, n, new in edits if a + n <= len(text)]
    edited = edit(text, edits)
    for i in range(len(edited.text)):
        start, end = edited.to_original(i, i + 1)
        assert 0 <= start <= end <= len(text)
        if end - start == 1 and not edits:
            assert edited.text[i] == text[start]
    assert edited.from_original(0, len(text))[1] == len(edited.text)


@given(st.text(st.sampled_from("1 .,'’:5€%kgmlIVX aáñºª-"), max_size=60), st.sampled_from(["es", "en"]))
def test_any_text_is_read(text, language):
    target = "en" if language == "es" else "es"
    direction = Direction(language, target, decimal_symbol(text, language))
    assert direction.readings(text)[-1].text == text
    assert re.findall(r"\d", direction.localize(text, text).text) == re.findall(r"\d", text)
    assert changed_numbers(text, text, language, language)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["1.", "1 ", "1,000 ", "dos mil ", "y ", "XX ", "EE. ", "2 l ", "veinte y ", "tel ", "siglo "]
)
def test_long_texts_take_one_pass(unit):
    text = unit * (30_000 // len(unit))
    direction = Direction("es", "en", decimal_symbol(text, "es"))
    assert direction.localize(text, text).text and direction.readings(text)
    assert changed_numbers(text, text, "es", "es")[0] == []
