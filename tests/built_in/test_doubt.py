"""What the shipped translator marks as doubtful."""

import json
import warnings

import pytest
from rows import BUILT_IN

from gatonegro import pipeline
from gatonegro.cli import main
from gatonegro.errors import DoubtWarning
from gatonegro.models import LanguageModel
from gatonegro.tasks.doubt import Calibration

NAME = "translate-es-en"
UNKNOWN = "El flinco granteaba mosquibos."  # made-up words

pytestmark = [pytest.mark.slow, BUILT_IN]


@pytest.fixture(scope="module")
def translate():
    return pipeline("translation", NAME, num_beams=4)


def is_right(text: str, answer: str) -> bool:
    """A better model may translate what this one cannot; then a mark is not needed."""
    right = {
        "¿Qué tal?": ("how are you?", "how's it going?"), "Buenos días.": ("good morning.",),
        "Estimado señor:": ("dear sir:",), "Querida María:": ("dear maría:", "dear mary:"),
        "I miss my grandmother.": ("echo de menos a mi abuela.", "extraño a mi abuela."),
        "Dear Ana,": ("querida ana,", "estimada ana,"), "doce personas": ("twelve people", "12 people"),
        "Hola": ("hello", "hi"), "Hola mundo": ("hello world",), "Adiós": ("goodbye", "bye"), "Lunes": ("monday",),
        "Rojo": ("red",), "Hello.": ("hola.",), "Goodbye.": ("adiós.",), "Water": ("agua",),
        "Good night.": ("buenas noches.",), "Red": ("rojo",),
    }  # fmt: skip
    return answer.lower() in right[text]


@pytest.mark.case("N1")
@pytest.mark.parametrize(
    "text",
    ["¿Qué tal?", "Buenos días.", "Estimado señor:", "Querida María:", "Dear Ana,", "doce personas",
     pytest.param("I miss my grandmother.", marks=pytest.mark.xfail(reason="fluent, and the model is sure of it"))],
)  # fmt: skip
def test_the_first_words_of_a_newcomer(translate, text):
    answer = translate(text)[0]
    assert "doubtful" in answer or is_right(text, answer["translation_text"])


@pytest.mark.case("F4")
@pytest.mark.parametrize(
    ("target", "text"),
    [*(("en", text) for text in ("Hola", "Hola mundo", "Adiós", "Lunes", "Rojo")),
     *(("es", text) for text in ("Hello.", "Goodbye.", "Water", "Good night.", "Red"))],
)  # fmt: skip
def test_the_first_words_that_anyone_tries(translate, target, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Hello." looks Spanish to the detector
        answer = translate(text, tgt_lang=target)[0]
    assert "doubtful" in answer or is_right(text, answer["translation_text"])


def test_what_it_knows_is_not_marked(translate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("El gato negro", "Soy de Málaga", "El perro duerme en la casa.", "The black cat"):
            assert "doubtful" not in translate(text)[0]


def test_given_pairs_are_judged_by_their_probabilities(translate):
    model, tokenizer = translate.model, translate.tokenizer
    assert isinstance(model, LanguageModel) and Calibration.of(model.config) is not None
    ids = tokenizer([">>en<< El gato negro"] * 2)["input_ids"]
    right, wrong = model.token_log_probs(ids, tokenizer(["The black cat", "The tall house"])["input_ids"])
    assert right.mean() > wrong.mean() + 2


def test_the_command_line_marks_without_touching_piped_text(capsys):
    with warnings.catch_warnings(record=True):
        assert main(["translate", UNKNOWN, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert main(["translate", UNKNOWN]) == 0
    out, err = capsys.readouterr()
    assert out == record["translation"] + "\n"
    assert record["doubtful"] and "unsure" in record["doubt"] and "translation may be wrong: the model is unsure" in err


def test_a_pipeline_warns_once():
    translate = pipeline("translation", NAME, num_beams=1)
    with pytest.warns(DoubtWarning, match="1 of 2 texts"):
        translate([UNKNOWN, "El gato negro"])
