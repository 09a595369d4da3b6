"""Tests of numbers in translations: conversion, other readings of a sentence, alignments, on small models."""

import warnings

import pytest
from small import generator

from gatonegro import pipeline
from gatonegro.documents import Direction, EditedText, Segment
from gatonegro.errors import GatonegroWarning, OptionError
from gatonegro.generation import Generated
from gatonegro.tasks.document import Document, Sequences, encode_parts
from gatonegro.tasks.task import Encoded, RowOutput
from gatonegro.tasks.translation import TRANSLATION, decode, retry

TEXT = "Tengo 1.250,5 euros. Bebe 2 l de agua.\n\n12.000 €\n\nVive en EE. UU. con doce y https://a.es/1.250,5 hoy."


@pytest.fixture
def translate(parts):
    model, tokenizer = parts["marian"]
    pipe = pipeline("translation_es_to_en", model, tokenizer, max_new_tokens=12, num_beams=1)

    def call(text, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GatonegroWarning)
            return pipe(text, **options)[0]

    return call


@pytest.mark.case("F2")
def test_numbers_are_converted_or_kept(translate):
    converted, kept = (translate(TEXT, numbers=choice)["translation_text"] for choice in ("convert", "keep"))
    assert "1,250.5" in converted and "\n12,000 €\n" in converted and "https://a.es/1.250,5" in converted
    assert "1.250,5" in kept and "\n12.000 €\n" in kept
    assert translate(TEXT)["translation_text"] == converted
    with pytest.raises(OptionError, match="numbers"):
        translate(TEXT, numbers="both")


@pytest.mark.parametrize("sentences", [True, False])
def test_alignments_refer_to_the_text_of_the_user(translate, sentences):
    answer = translate(TEXT, return_alignments=True, sentences=sentences)
    assert answer["alignments"]
    for link in answer["alignments"]:
        assert TEXT[slice(*link["source_span"])] == link["source"] != ""
        assert answer["translation_text"][slice(*link["target_span"])] == link["target"]


def test_control_and_format_characters_reach_no_model_and_no_answer(translate):
    text = "Ten\u00adgo un\u200b ga\u202ato\u0007 y 👩\u200d👧 aquí.\u2060\n\ufeffVi\u200bve en ca\u00adsa."
    clean = "Tengo un gato y 👩\u200d👧 aquí.\nVive en casa."
    answer = translate(text, return_alignments=True)
    assert answer["translation_text"] == translate(clean)["translation_text"]
    assert answer["alignments"]
    for link in answer["alignments"]:
        assert text[slice(*link["source_span"])].translate(dict.fromkeys([0xAD, 0x200B, 0x202A, 7])) == link["source"]


class ToldTokenizer:
    """Stand-in for a tokenizer and a model that translate each known text as told: a text is a single id."""

    unk_token_id = -1

    def __init__(self, told):
        self.told, self.texts = told, []

    def __call__(self, texts, **_):
        self.texts += texts
        return {"input_ids": [[len(self.texts) - len(texts) + i] for i in range(len(texts))]}

    def decode(self, ids, **_):
        return self.told.get(self.texts[ids[0]], "nothing")


def generated(ids) -> Generated:
    return Generated(ids, prompt_length=0, score=0.0, has_eos=True)


@pytest.mark.case("N1")
@pytest.mark.parametrize(
    ("text", "told", "expected"),
    [
        ("doce gatos", {"doce gatos": "two cats", "12 gatos": "12 cats"}, "12 cats"),
        ("doce gatos", {"doce gatos": "two cats", "12 gatos": "some cats"}, "two cats"),  # no better
        ("doce gatos", {"doce gatos": "a dozen cats", "12 gatos": "12 cats"}, "a dozen cats"),
        ("2 l de vino", {"2 litros de vino": "2 litres of wine", "2 l de vino": "2 o'clock"}, "2 litres of wine"),
        ("2 l de vino", {"2 litros de vino": "litres of wine", "2 l de vino": "2 l of wine"}, "2 l of wine"),
        ("2 l de vino", {"2 litros de vino": "litres", "2 l de vino": "wine", "l de vino": "l of wine"}, "2 l of wine"),
        ("a las 3 y media", {"a las 3 y media": "at 3:30", "a las": "to the", "y media": "and sock"}, "at 3:30"),
        ("un X1.500", {"un X1.500": "an X1.500.500", "un": "a"}, "a X1.500"),
        ("Mide 1,80 m", {"Mide 1.80 metros": "180", "Mide 1,80 metros": "It is 1,80 m"}, "It is 1.80 m"),
        ("siglo XX", {"siglo XX": "century", "siglo 20": "20 century"}, "20 century"),
        ("siglo XX es", {"siglo XX es": "is", "siglo": "century", "es": "is"}, "century XX is"),
    ],
)
def test_the_first_reading_that_loses_nothing_is_taken(text, told, expected):
    assert answer_as_told(text, told)["translation_text"] == expected


def test_a_sentence_in_pieces_is_judged_as_one():
    told = {"siglo XX es": "is", "siglo": "century", "es": "no"}
    answer = answer_as_told("siglo XX es", told)
    assert answer["translation_text"] == "century XX no"
    assert answer["doubt"] == {"negation": "a negation is lost or added: no"}  # quotes no piece


def answer_as_told(text, told):
    tokenizer, options = ToldTokenizer(told), TRANSLATION.defaults
    document = Document(EditedText(text), [], "", source="es", target="en", direction=Direction("es", "en", ","))
    document.parts = encode_parts(tokenizer, document, [Segment(text, True)], [], 99, options)
    ids, sequences = document.parts[0].ids, Sequences()
    sequences.add(0, document, document.parts)
    encoded = retry(tokenizer, None, Encoded([ids], [0], 99, row_data=[document]), {0: [generated(ids)]}, options)
    answers = [[generated(row)] for row in encoded.ids]
    (answer,) = decode(tokenizer, generator("bart").config, RowOutput(text, answers, [], document), options)
    return answer
