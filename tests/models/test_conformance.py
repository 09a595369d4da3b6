"""Tests of a small published model against the recorded output of CTranslate2: Arabic to Latin letters.

The model is one of CTranslate2's own tests, https://github.com/OpenNMT/CTranslate2/tree/master/tests/data/models (MIT).
The expected output is that of CTranslate2 4.8.5, in fp32.

The model is one of CTranslate2's own tests, https://github.com/OpenNMT/CTranslate2/tree/master/tests/data/models (MIT).
What is wanted of it is what CTranslate2 4.8.5 wrote, in fp32."""

from __future__ import annotations

import struct

import pytest
import torch
from ctranslate2_model import KINDS, Transliterator, read

from gatonegro.generation import GenerationConfig

NEAR = 5e-6  # the constants have six digits

WORDS = ("آتزمون", "آتشيسون", "آزا", "محمد", "الإسكندرية", "ن", "ژاله", "ننننن")  # "ژ" is an unknown token

# options → of each word the best, or several. With beams, no rule stands here that forbids a token: what such a token
# would have had is lost here, as in transformers, and in CTranslate2 the others share it.
WRITTEN = [
    (
        {},
        "atzmon -0.151679, achison -0.139200, azza -0.150911, mahmad -0.301618, iskandria -0.258209, nenn -0.321964, "
        "alham -0.374894, nnnnnnen -0.474232",
    ),
    (
        {"num_beams": 2},
        "atzmon -0.151678, achison -0.139200, azza -0.150911, mahmad -0.301618, iskandria -0.258209, nenn -0.321964, "
        "alham -0.374894, nnnnnnen -0.474232",
    ),
    (
        {"num_beams": 4, "num_return_sequences": 4},
        "atzmon -0.151678 atzumon -0.266037 atzmun -0.335115 atzemon -0.366149, "
        "achison -0.139200 acheson -0.257899 atchison -0.345687 achesson -0.375117, "
        "azza -0.150911 aza -0.214503 asza -0.872419 iza -1.142970, "
        "mahmad -0.301618 muhmad -0.321737 mohmad -0.425902 muhmed -0.531372, "
        "iskandria -0.258209 iskindria -0.396060 elskandria -0.402912 iskandray -0.521688, "
        "nenn -0.321964 ninn -0.580862 nen -0.596519 nnen -0.600367, "
        "alham -0.374894 laham -0.419319 lahm -0.454062 lahim -0.459769, "
        "nnnnnenn -0.459208 nnnnnnen -0.474232 nnnnnen -0.474626 nnnnnnenn -0.506647",
    ),
    (
        {"num_beams": 4, "length_penalty": 0.6},
        "atzmon -0.330342, achison -0.319797, azza -0.287283, mahmad -0.656897, iskandria -0.648592, nenn -0.612909, "
        "alham -0.767661, nnnnnen -1.090405",
    ),
    (
        {"num_beams": 4, "length_penalty": 2.0},
        "atzmon -0.021668, achison -0.017400, azza -0.030182, mahmad -0.043088, iskandria -0.025821, nenn -0.064393, "
        "alham -0.062482, nnnnnnenn -0.050665",
    ),
    (
        {"num_beams": 4, "max_new_tokens": 3},
        "atz -0.075812, ach -0.184719, azz -0.242164, mah -0.361372, isk -0.475683, nen -0.300987, lah -0.342238, "
        "nnn -0.288781",
    ),
    (
        {"min_new_tokens": 8},
        "atzmonen -0.211559, achisone -0.160548, azzataha -0.420178, mahmadeh -0.330286, iskandria -0.258082, "
        "nennnnen -0.307358, alhameha -0.562116, nnnnnnen -0.459833",
    ),
    (
        {"repetition_penalty": 2.0},
        "atzmon -0.139751, achison -0.117925, azza -0.443643, mahmed -0.522388, iskandre -0.346588, nen -0.322450, "
        "alhm -0.530534, nennin -0.518765",
    ),
    (
        {"no_repeat_ngram_size": 2},
        "atzmon -0.151679, achison -0.139200, azza -0.147513, mahmed -0.417183, iskandria -0.258097, nenn -0.244972, "
        "alham -0.374638, nnenin -0.351732",
    ),
]


@pytest.fixture(scope="module")
def transliterator(shared) -> Transliterator:
    return Transliterator.load(shared / "data" / "conformance" / "aren-transliteration")


def write(transliterator: Transliterator, words, begin: str = "", **options) -> list[list[tuple[str, float]]]:
    """Search as CTranslate2 does: stop when as many sequences have ended as there are beams."""
    options = {"max_new_tokens": 256, "early_stopping": True, "eos_token_id": transliterator.end} | options
    sources, prompt_ids = [transliterator.read(word) for word in words], [transliterator.begin(begin)] * len(words)
    written = transliterator.model.generate_ids(sources, prompt_ids, GenerationConfig(**options))
    return [[(transliterator.word(one.ids), one.score) for one in some] for some in written]


def test_the_known_words(transliterator):
    """With CTranslate2's default options: two beams, at least one token."""
    known = {"آتزمون": ("atzmon", -0.15167), "آتشيسون": ("achison", -0.13920)}
    found = write(transliterator, tuple(known), num_beams=2, min_new_tokens=1)
    assert found == [[(word, pytest.approx(score, abs=1e-4))] for word, score in known.values()]


@pytest.mark.parametrize(("options", "wanted"), WRITTEN, ids=[str(options) for options, _ in WRITTEN])
def test_the_same_is_written(transliterator, options, wanted):
    found = write(transliterator, WORDS, **options)
    assert len(found) == len(WORDS)
    for some, line in zip(found, wanted.split(", "), strict=True):
        names, scores = line.split()[::2], [float(score) for score in line.split()[1::2]]
        assert some == [(name, pytest.approx(score, abs=NEAR)) for name, score in zip(names, scores, strict=True)]


def test_going_on_from_a_beginning(transliterator):
    """The prefix does not count towards the score."""
    (found,) = write(transliterator, WORDS[:1], "ats", length_penalty=0.0)
    assert found == [("atsumon", pytest.approx(-0.593918, abs=NEAR))]


def test_each_tokens_probability(transliterator):
    """Token probabilities of given sequences, in one padded batch."""
    asked = {("آتزمون", "atzmon"): [-0.10602, -0.06541, -0.05600, -0.44795, -0.23071, -0.09218, -0.06346]}
    asked["آتشيسون", "acheson"] = [-0.07266, -0.30031, -0.18119, -1.17458, -0.01110, -0.30550, -0.00238, -0.01546]
    read = [torch.tensor(transliterator.read(word)) for word, _ in asked]
    written = [torch.tensor([*transliterator.begin(word), transliterator.end]) for _, word in asked]
    inputs, labels = (torch.nn.utils.rnn.pad_sequence(rows, True, -1) for rows in (read, written))
    with torch.no_grad():
        logits = transliterator.model(
            inputs.clamp(min=0), inputs >= 0, labels[:, :-1].clamp(min=0), labels[:, :-1] >= 0
        ).logits
    logs = logits.log_softmax(-1).gather(-1, labels[:, 1:, None].clamp(min=0))[..., 0]
    for row, wanted in zip(logs.tolist(), asked.values(), strict=True):
        assert row[: len(wanted)] == pytest.approx(wanted, abs=1e-5)


def test_forms_of_numbers_are_read():
    """The newest version of the format stores each variable's dtype and aliases."""

    def text(word: str) -> bytes:
        return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"

    def variable(name: str, values: torch.Tensor) -> bytes:
        raw = bytes(values.flatten().view(torch.uint8).tolist())
        head = struct.pack(f"<B{values.dim()}I", values.dim(), *values.shape)
        return text(name) + head + struct.pack("<BI", KINDS.index(values.dtype), len(raw)) + raw

    whole = torch.tensor([[64, -32], [3, 127]])
    half = torch.tensor([[0.5, -2.0]])
    parts = [
        variable("a/weight", whole.to(torch.int8)),
        variable("a/weight_scale", torch.tensor([64.0, 2.0])),
        variable("b/weight", whole.to(torch.int16)),
        variable("b/weight_scale", torch.tensor(4.0)),
        variable("c/weight", whole.to(torch.int16)),
        variable("d/weight", half.half()),
        variable("e/weight", half.bfloat16()),
        variable("flag", torch.tensor(1, dtype=torch.int8)),
    ]
    head = struct.pack("<I", 6) + text("Spec") + struct.pack("<II", 7, len(parts))
    spec, found = read(head + b"".join(parts) + struct.pack("<I", 1) + text("f/weight") + text("a/weight"))
    assert spec == "Spec"
    wanted = {
        "a/weight": torch.tensor([[1.0, -0.5], [1.5, 63.5]]),
        "b/weight": whole / 4,
        "c/weight": whole / 1000,  # as it was when scales were not written
        "d/weight": half,
        "e/weight": half,
        "flag": torch.tensor(1.0),
    }
    wanted["f/weight"] = wanted["a/weight"]
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values)
