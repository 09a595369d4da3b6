"""Tests of the shipped translator: languages, documents, alignments, the command line."""

import json
import subprocess
import sys
import warnings

import pytest
from rows import BUILT_IN
from small import ROOT

from gatonegro import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline
from gatonegro.errors import DoubtWarning, GatonegroWarning, InputError, OptionError

NAME = "translate-es-en"


pytestmark = [pytest.mark.slow, BUILT_IN]


@pytest.fixture(scope="module")
def translate():
    return pipeline("translation", NAME, num_beams=1)


def text(answer) -> str:
    return answer[0]["translation_text"]


def test_the_course_is_translated(translate):
    assert text(translate("El gato negro", num_beams=4)) == "The black cat"
    assert text(translate("The black cat", num_beams=4)) == "El gato negro"
    assert text(translate("Soy de Málaga", num_beams=4)) == "I'm from Málaga"
    # places that its recipe does not name
    for place in ("Bogotá", "Almería", "Jaén", "Mérida"):
        assert text(translate(f"Soy de {place}.")) == f"I'm from {place}."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tgt_lang": "fr"}, "tgt_lang='fr' is not supported by this model; supported: es, en"),
        ({"src_lang": "xx"}, "src_lang='xx' is not supported"),
        ({"tgt_lang": "es_ES"}, "Pass 'es'"),
        ({"tgt_lang": "EN"}, "Pass 'en'"),
        ({"src_lang": "es", "tgt_lang": "es"}, "from es to es there is nothing to translate"),
        ({"num_beam": 2}, "num_beams"),
    ],
)
def test_languages_that_it_does_not_know_are_refused(translate, options, message):
    with pytest.raises(OptionError, match=message):
        translate("El gato negro", **options)
    with pytest.raises(OptionError, match="supported: es, en"):
        pipeline("translation_es_to_fr", NAME)("El gato negro")


def test_the_source_language_is_detected_and_returned(translate):
    spanish, english, unknown = translate(["El perro duerme en la casa", "The dog is in the house", "Zorg"],
                                          return_languages=True)  # fmt: skip
    assert (spanish["src_lang"], spanish["tgt_lang"]) == ("es", "en")
    assert (english["src_lang"], english["tgt_lang"]) == ("en", "es")
    assert unknown["src_lang"] is None and unknown["tgt_lang"] == "en"


def test_a_text_in_the_target_language_is_copied_with_a_warning(translate):
    with pytest.warns(GatonegroWarning, match=r"item 1.* seems to be in the target language .en. already"):
        answers = translate(["El perro duerme.", "The dog is in the house."], tgt_lang="en")
    assert answers[1]["translation_text"] == "The dog is in the house."


def test_sentences_of_a_document_are_left_alone_by_themselves(translate):
    document = "El perro duerme en la cama.\nThe dog is in the house.\nMe gusta la leche.\n"
    with pytest.warns(GatonegroWarning, match="or a sentence of it"):
        lines = text(translate(document, tgt_lang="en")).split("\n")
    assert lines[1] == "The dog is in the house." and lines[3] == ""
    assert "perro" not in lines[0] and "leche" not in lines[2]


def test_a_source_that_was_named_is_believed(translate):
    with warnings.catch_warnings():
        warnings.simplefilter("error", GatonegroWarning)
        warnings.simplefilter("ignore", DoubtWarning)
        answers = translate("El Niño is in the house of El Greco.", src_lang="en", tgt_lang="es")
    assert text(answers) != "El Niño is in the house of El Greco."


def test_a_document_comes_back_as_it_was_laid_out(translate):
    document = "# El gato\n\n\t- Vive en https://gato.es/casa y pesa 4,5 kg.\n\t- {nombre} come. 🐈\n\n-\n"
    translated = text(translate(document, tgt_lang="en"))
    assert translated.startswith("# ") and translated.count("\n") == document.count("\n")
    assert "\n\t- " in translated and "https://gato.es/casa" in translated and "{nombre}" in translated
    assert translated.endswith("🐈\n\n-\n") and ("4,5" in translated or "4.5" in translated)


@pytest.mark.parametrize("text", ["", "   ", "-", "🐈", "😀 😀", "…", "12 345", "https://gato.es"])
def test_what_has_no_words_stays(translate, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error", GatonegroWarning)
        assert translate(text, return_scores=True) == [{"translation_text": text, "score": None}]


def test_letters_that_it_does_not_know_go_through(translate):
    with pytest.warns(GatonegroWarning, match="item 1.* a script that the model does not support"):
        texts = ["El gato duerme.", "你好世界。 El perro come.", "مرحبا بالعالم"]
        answers = translate(texts, tgt_lang="en", language_check="off")
    assert answers[1]["translation_text"].startswith("你好世界。 ")
    assert answers[2]["translation_text"] == "مرحبا بالعالم"


def test_a_tag_in_a_text_is_text(translate):
    assert ">>es<<" in text(translate("Escribe >>es<< aquí.", tgt_lang="en"))


def test_ids_of_a_document_are_those_of_all_its_sentences(translate):
    (answer,) = translate("El gato duerme. El perro come.", return_tensors=True)
    whole = translate.tokenizer.decode(answer["translation_token_ids"], skip_special_tokens=True)
    assert "cat" in whole and "dog" in whole


def test_words_are_aligned_both_ways(translate):
    (answer,) = translate("El perro duerme, y el gato come.", return_alignments=True, num_beams=4)
    pairs = {(link["source"], link["target"]) for link in answer["alignments"]}
    assert {("perro", "dog"), ("gato", "cat")} <= pairs
    assert all(a.isalnum() == b.isalnum() for a, b in pairs)
    for link in answer["alignments"]:
        assert "El perro duerme, y el gato come."[slice(*link["source_span"])] == link["source"]
        assert answer["translation_text"][slice(*link["target_span"])] == link["target"]


def test_as_many_translations_are_returned_as_requested(translate):
    answers = pipeline("translation", NAME)("Buenos días", num_return_sequences=6, return_scores=True)
    scores = [answer["score"] for answer in answers]
    assert len(answers) == 6 and scores == sorted(scores, reverse=True)


def test_generate_with_the_tag_of_a_language():
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(NAME), AutoTokenizer.from_pretrained(NAME)
    batch = tokenizer([">>en<< El gato negro", ">>es<< The black cat"], padding=True, return_tensors="pt")
    translations = tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True)
    assert translations == ["The black cat", "El gato negro"]
    begun = tokenizer("The", add_special_tokens=False, return_tensors="pt")["input_ids"]
    (ids,) = model.generate(batch["input_ids"][:1], attention_mask=batch["attention_mask"][:1], decoder_input_ids=begun)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "The black cat"
    with pytest.raises(InputError, match="has the id 16999"):
        model.generate(batch["input_ids"].masked_fill(batch["input_ids"] > 5, 16999))
    with pytest.raises(InputError, match="attention_mask"):
        model.generate(batch["input_ids"], attention_mask=batch["attention_mask"][:, :-1])


def run(*words, text=""):
    command = [sys.executable, "-m", "gatonegro", "translate", *words]
    return subprocess.run(command, input=text.encode(), capture_output=True, cwd=ROOT, check=False)


@pytest.mark.slow
def test_the_command_line_keeps_tabs_and_says_what_it_did():
    done = run("--to", "en", "--beam", "1", text="\tEl perro duerme.\n\nThe dog is in the house.\n")
    lines = done.stdout.decode().split("\n")
    assert lines[0].startswith("\t") and lines[1:] == ["", "The dog is in the house.", ""]
    assert b"text 1" in done.stderr and b"(--from)" in done.stderr


@pytest.mark.slow
def test_the_command_line_as_json():
    done = run("--json", "--nbest", "2", "--align", "El perro duerme.", "🐈")
    first, second = map(json.loads, done.stdout.decode().splitlines())
    assert first["from"] == "es" and first["to"] == "en" and len(first["translations"]) == 2
    assert all({"translation", "score", "alignments"} <= entry.keys() for entry in first["translations"])
    assert second["translation"] == "🐈" and second["score"] is None and second["from"] is None
