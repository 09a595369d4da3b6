"""Signs that a translation may be wrong, on pairs and with small models."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from small import generator
from small_checkpoints import make

from gatonegro import AutoModelForSeq2SeqLM, pipeline
from gatonegro.errors import DoubtWarning, OptionError
from gatonegro.i18n import override_language
from gatonegro.tasks.doubt import Calibration, document_doubts, sentence_doubts

SOUND = {"weights": [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], "threshold": 0.3, "length": [-0.04, 0.18]}


def kinds(source: str, answer: str, src: str = "es", **more) -> set[str]:
    return set(sentence_doubts(source, answer, (src, "en" if src == "es" else "es"), **more))


@pytest.mark.parametrize(
    ("source", "answer", "src", "kind"),
    [
        # the number words of a report, and siblings
        pytest.param("doce personas", "two people", "es", "number", marks=pytest.mark.case("N1")),
        ("Tengo 15 libros.", "I have 50 books.", "es", "number"),
        ("Nació en 1984.", "He was born in 1948.", "es", "number"),
        ("Llegó el tercero.", "He came fourth.", "es", "number"),
        ("Hay personas.", "There are three people.", "es", "number"),
        ("Twenty-one guns", "Veintidós cañones", "en", "number"),
        ("Felipe VI es el rey.", "Philip IV is the king.", "es", "number"),
        ("Un tercio", "Two thirds", "es", "number"),
        ("Viene a las 15:30.", "He comes at 4:30 pm.", "es", "number"),
        ("Viene a las 15:30.", "He comes at 3:30.", "es", "number"),
        ("Tarda 20 h.", "It takes 8 hours.", "es", "number"),
        ("Viene a las 8 de la tarde.", "He comes at 9 pm.", "es", "number"),
        # negations
        ("No quiero ir.", "I want to go.", "es", "negation"),
        ("Nadie lo sabe.", "Everybody knows.", "es", "negation"),
        ("Nunca estuve allí.", "I was there.", "es", "negation"),
        ("She doesn't eat meat.", "Ella come carne.", "en", "negation"),
        ("He left without a word.", "Se fue con una palabra.", "en", "negation"),
        ("Es verdad.", "It is not true.", "es", "negation"),
        ("No hay de qué hablar.", "There is something to talk about.", "es", "negation"),
        ("Please don't mention it to him.", "Por favor, menciónaselo.", "en", "negation"),
        # names
        ("Ayer vi a Marta.", "I saw Peter yesterday.", "es", "name"),
        ("Vivo en Alemania.", "I live in France.", "es", "name"),
        ("Tom came.", "Vino ayer.", "en", "name"),
        ("We meet on Friday.", "Nos vemos el lunes.", "en", "name"),
        ("I saw him.", "Vi a Javier.", "en", "name"),
        ("Nos vemos en marzo de 2020.", "We meet in April 2020.", "es", "name"),
        # copies
        pytest.param("Hola", "Hola", "es", "copied", marks=pytest.mark.case("F4")),
        pytest.param("Rojo", "Rojo", "es", "copied", marks=pytest.mark.case("F4")),
        pytest.param("Hello.", "Hello.", "en", "copied", marks=pytest.mark.case("F4")),
        pytest.param("Water", "Water", "en", "copied", marks=pytest.mark.case("F4")),
        pytest.param("Red", "Red", "en", "copied", marks=pytest.mark.case("F4")),
        pytest.param("Good night.", "Good noche.", "en", "copied", marks=pytest.mark.case("F4")),
        ("Gracias", "Gracias", "es", "copied"),
        ("Verde", "Verde", "es", "copied"),
        ("Thank you", "Thank you", "en", "copied"),
        ("window", "window", "en", "copied"),
        ("El perro duerme en casa.", "El perro duerme en home.", "es", "copied"),
        ("Kidnapped thugs.", "Kidnapped thugs.", "en", "copied"),
        ("El 5 vendrá Marta.", "El 5 vendrá Marta.", "es", "copied"),
        ("gatito", "gatito", "es", "copied"),
        # loops
        pytest.param("You're welcome.", "Eres bien bien.", "en", "loop", marks=pytest.mark.case("F4")),
        ("Un mar azul", "A sea sea sea", "es", "loop"),
        ("Fue a la casa.", "He went to the house to the house to the house", "es", "loop"),
        ("Come and see.", "Ven y ve y ve y ve", "en", "loop"),
        # language
        ("The house is on the hill.", "The house stands up there on a hill", "en", "language"),
        ("Mi hermana trabaja en un hospital.", "Mi hermana mayor labora en una clínica", "es", "language"),
    ],
)
def test_a_wrong_answer_is_doubtful(source, answer, src, kind):
    assert kind in kinds(source, answer, src)


@pytest.mark.parametrize(
    ("source", "answer", "src"),
    [
        ("doce personas", "12 people", "es"),
        ("1.500 casas", "1,500 houses", "es"),
        ("El siglo XV", "The 15th century", "es"),
        ("A dos pasos", "Two steps away", "es"),
        # fractions and times of day
        ("Un tercio", "A third", "es"),
        ("A third of the people", "Un tercio de la gente", "en"),
        ("Dos quintos", "Two fifths", "es"),
        ("Un cuarto", "A quarter", "es"),
        ("La mitad", "Half", "es"),
        ("Viene a las 15:30.", "He comes at 3:30 pm.", "es"),
        ("He comes at 3:30 p.m.", "Viene a las 15:30.", "en"),
        ("He comes at 3:30 pm.", "Viene a las tres y media de la tarde.", "en"),
        ("Viene a las 15:30.", "He comes at half past 3 in the afternoon.", "es"),
        ("Viene a las 10:30.", "He comes at half past ten.", "es"),
        ("A las 8 de la tarde", "At 8 pm", "es"),
        ("A las ocho de la noche", "At 20:00", "es"),
        ("20 h", "8 p.m.", "es"),
        ("8 p.m.", "20 h", "en"),
        ("El 12/03/2020", "March 12, 2020", "es"),
        ("On March 12, 2020", "El 12/03/2020", "en"),
        ("No hay nadie.", "Nobody is there.", "es"),
        ("It's cold, isn't it?", "Hace frío, ¿verdad?", "en"),
        ("No tiene sentido.", "It is meaningless.", "es"),
        ("No hay de qué.", "You're welcome.", "es"),
        ("You're welcome.", "No hay de qué, amigo.", "en"),
        ("De nada", "You're welcome", "es"),
        ("De nada.", "Don't mention it.", "es"),
        ("No hay de qué preocuparse.", "There's nothing to worry about.", "es"),
        ("Why not?", "¿Por qué no?", "en"),
        ("Fui a Londres con María.", "I went to London with Mary.", "es"),
        ("I speak French on Mondays.", "Hablo francés los lunes.", "en"),
        ("Soy de Málaga.", "I'm from Málaga.", "es"),
        ("Málaga", "Málaga", "es"),
        ("hotel", "hotel", "es"),
        ("No.", "No.", "es"),
        ("Marta López, 5 km", "Marta López, 5 km", "en"),
        ("animal", "animal", "en"),
        ("Una prueba de ADN", "A DNA test", "es"),
        ("Es muy, muy bueno.", "It is very very good.", "es"),
        ("bye bye", "adiós, adiós", "en"),
        ("", "", "es"),
        ("¿?", "?", "es"),
    ],
)
def test_a_right_answer_is_not(source, answer, src):
    assert not kinds(source, answer, src)


def test_reasons_are_said_in_both_languages_and_name_the_sentence():
    doubts = sentence_doubts("doce personas", "two people", ("es", "en"))
    assert doubts["number"].en == "a number is lost or changed: 12, 2"
    assert doubts["number"].es == "falta o cambia un número: 12, 2"
    several = document_doubts([("Hola", {}), ("doce personas", doubts), ("doce casas", doubts)])
    assert several["number"].es == "«doce personas»: falta o cambia un número: 12, 2"
    assert document_doubts([("doce personas", doubts)]) == doubts
    assert document_doubts([("Hola", {})]) == {}


def test_languages_without_word_lists_have_the_signs_that_need_none():
    assert set(sentence_doubts("zwei Katzen", "3 3 3 chats", ("de", "fr"))) <= {"number", "loop"}
    assert not sentence_doubts("Zorg", "Zorg", (None, "en"))


def test_a_calibration_judges_lengths_and_probabilities():
    calibration = Calibration(tuple(SOUND["weights"]), SOUND["threshold"], tuple(SOUND["length"]))
    assert kinds("El gato", "The black cat of the neighbour is asleep", calibration=calibration) == {"length"}
    assert kinds("The black cat of the neighbour is asleep", "El gato", "en", calibration=calibration) == {"length"}
    assert not kinds("El gato negro", "The black cat", calibration=calibration, values=(-0.2, 0, 0, 0, 0))
    assert kinds("El gato negro", "The black cat", calibration=calibration, values=(-9.0, 0, 0, 0, 0)) == {"unsure"}
    assert calibration.probability((-1e9, 0, 0, 0, 0)) >= 0.0


@pytest.mark.parametrize(
    "data",
    [None, 5, [], {}, "x", {**SOUND, "weights": [1.0]}, {**SOUND, "weights": "123456"}, {**SOUND, "threshold": None},
     {**SOUND, "length": [0.0, 0.0]}, {**SOUND, "length": [math.nan, 1.0]}, {**SOUND, "threshold": "x"},
     {**SOUND, "weights": [math.inf] * 6}],
)  # fmt: skip
def test_numbers_of_a_model_that_cannot_be_read_are_left_out(data):
    config = generator("bart").config
    assert Calibration.of(config.replace(extra={"doubt": SOUND})) is not None
    assert Calibration.of(config.replace(extra={"doubt": data})) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make("marian", tmp_path_factory.mktemp("marian"), doubt=SOUND)


def test_a_pipeline_marks_what_is_doubtful_and_warns_once(folder):
    translate = pipeline("translation", folder)
    text = "El perro duerme en la casa."
    with pytest.warns(DoubtWarning, match=r'item 1 has a doubtful translation: .* "doubt".*once per pipeline'):
        blank, answer = translate(["", text])
    assert blank == {"translation_text": ""}
    assert answer["doubtful"] is True
    (kind, english), *_ = answer["doubt"].items()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert translate(text)[0]["doubtful"]
        assert set(translate(text, doubt=False)[0]) == {"translation_text"}
        assert set(translate(text, return_tensors=True)[0]) == {"translation_token_ids"}
    with override_language("es"):
        assert translate(text)[0]["doubt"][kind] != english
    several = translate(f"{text}\n{text}")[0]
    assert several["doubt"][kind] == f"«{text}»: {english}"
    with pytest.raises(OptionError, match="doubt"):
        translate(text, doubt="yes")


def test_the_numbers_of_a_model_are_saved_with_it(folder, tmp_path):
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    model.save_pretrained(tmp_path / "one", int8=True)
    AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "one").optimize("fp32").save_pretrained(tmp_path / "two")
    assert json.loads((tmp_path / "two" / "config.json").read_text(encoding="utf-8"))["doubt"] == SOUND
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "two")
    assert Calibration.of(again.config) == Calibration.of(model.config) is not None


def test_log_probabilities_of_an_answer_are_those_of_generation():
    model = generator("bart").eval()
    sources = [[5, 6, 7, 2], [8, 9, 2]]
    model.generation_config.update(num_beams=2, forced_eos_token_id=None)
    outputs = [rows[0] for rows in model.generate_ids(sources)]
    arrays = model.token_log_probs(sources, [output.new_ids for output in outputs])
    for array, output in zip(arrays, outputs, strict=True):
        assert array.shape == (len(output.new_ids),) and array.dtype == np.float32
        assert array.mean() == pytest.approx(output.score, abs=1e-4)
    assert model.token_log_probs([], []) == []
