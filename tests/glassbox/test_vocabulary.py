"""One vocabulary in Spanish, the course's words first, and one count of steps, layers and heads, from 1."""

import re

import pytest

from gatonegro import explain
from gatonegro.glassbox.explain import NOTES
from gatonegro.glassbox.html import GLOSSARY, PAGE_TEXTS, _data
from gatonegro.glassbox.step_builders import CAPTIONS

ENGLISH = set(
    "word position segment context mean variance norm written read answer up down gate value dense output scores probs "
    "likeliest queries keys values weights layer heads sum attribution".split()
)
# terms that Spanish has for one thing, of which the first is the course's
RIVALS = {
    "propagación hacia adelante": r"prealimentada|feed-?forward",
    "vector de contexto": r"\bcontext\b",
    "lineal": r"aplicaci[oó]n(es)? lineal",
}


def explained(kind, parts, make_folder):
    if kind == "toy":
        return explain("El gato negro", model="toy", lang="es")
    if kind in parts:
        model, tokenizer = parts[kind]
        return explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=4, lang="es")
    return explain("the black cat", str(make_folder(kind)), lang="es")


KINDS = [
    "toy",
    "marian",
    "bart",
    "t5",
    "t5-v1.1",
    "gpt2",
    "sequence-classification",
    "masked-lm",
    "token-classification",
]


@pytest.mark.case("N14")
@pytest.mark.parametrize("kind", [*KINDS, "pooler"])
def test_spanish_explanations_have_no_english_words(parts, make_folder, kind):
    from gatonegro.glassbox.labels import tensor_caption

    explanation = explained(kind, parts, make_folder)
    named = {*explanation.tokens, *explanation.written, *explanation.words.values()}
    for step in explanation.steps:
        for text in (step.formula, *(line.es for line in step.work)):
            assert not {*re.findall(r"[^\W\d_ᵀ]+", text)} & ENGLISH - named, (step.name, text)
    own = {word for token in named for word in re.findall(r"[^\W\d_]+", token)}
    found = {*re.findall(r"[^\W\d_ᵀ]+", str(explanation).split("\n", 3)[3])} & ENGLISH - own
    assert not found - {"value", "read"}, found  # "(value)" explains a Spanish term
    for step in explanation.steps:
        for name in step.tensors:
            assert tensor_caption(step, name) != name or name == "x", (step.name, name)  # each has a name for people
    weights = [name for step in _data(explanation)["steps"] for name, *_ in step["weights"]]
    assert not {word for name in weights for word in re.findall(r"[^\W\d_]+", name.es)} & ENGLISH


@pytest.mark.case("N14")
@pytest.mark.parametrize(("term", "rivals"), RIVALS.items())
def test_one_term_for_one_thing(term, rivals):
    for catalog in (CAPTIONS, PAGE_TEXTS, NOTES, GLOSSARY):
        for key, message in catalog.items():
            spanish = re.sub(r"^[^:(]*(\([^)]*\)): ", "", message.es) if catalog is GLOSSARY else message.es
            assert not re.search(rivals, spanish, re.IGNORECASE), (key, message.es)


@pytest.mark.case("N14")
def test_the_glossary_has_the_courses_words_with_the_english_ones_in_brackets():
    spanish = dict(message.es.split(": ", 1) for message in GLOSSARY.values())
    for term in ("vector de contexto (context vector)", "lineal (linear)", "logit", "relleno (padding)",
                 "propagación hacia adelante (feed-forward)", "vectorización (vectorization)"):  # fmt: skip
        assert term in spanish
    for message in GLOSSARY.values():
        (english, _), (own, meaning) = (text.split(": ", 1) for text in message)
        assert english == own or own.endswith(")"), own
        assert "(" not in english and not meaning.startswith(english)


@pytest.mark.case("N15")
@pytest.mark.parametrize("kind", [*KINDS, "pooler"])
def test_step_numbers_are_unique_where_they_are_seen_side_by_side(parts, make_folder, kind):
    """Each part of a layer has the course's numbers, and what is behind all layers counts on."""
    explanation, seen = explained(kind, parts, make_folder), set()
    for step in explanation.steps:
        stack = step.name.split(".")[0] if "." in step.name else ""
        sublayer = ".cross." in step.name or step.number == 7
        place = (stack, step.layer, sublayer, step.kind == "norm" and step.layer is None, step.number)
        assert place not in seen, place
        seen.add(place)
    last = [step.number for step in explanation.steps if step.number > 7]
    assert last == list(range(8, 8 + len(last)))


@pytest.mark.case("N15")
def test_text_counts_layers_from_1(make_folder):
    for lang, layer in (("es", "Capa"), ("en", "Layer")):
        text = str(explain("the cat", str(make_folder("none")), lang=lang))
        assert re.findall(rf"^{layer} (\d+), ", text, re.MULTILINE) == ["1"] * 6 + ["2"] * 6
    assert "z_0" not in text and "E[0]" not in str(explain("El", model="toy"))
    assert all("0" in text and "1" in text for text in PAGE_TEXTS["counts"])
