"""What of a text no model knows is removed, and spans are found again in the text as it was."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.documents import remove_invisible

FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"  # of England, with tag characters
INVISIBLE = [*map(chr, [0, 7, 0x1B, 0x7F, 0x80, 0xAD, 0x200B, 0x200E, 0x202A, 0x2060, 0x2066, 0xFEFF, 0xE0041])]


@pytest.mark.parametrize("char", INVISIBLE, ids=ascii)
def test_control_and_format_characters_are_removed(char):
    edited = remove_invisible(f"{char}El ga{char}to{char}{char}.")
    assert edited.text == "El gato."
    assert edited.to_original(3, 7) == (4, 9)  # ga?to


@pytest.mark.parametrize("char", "\x0b\x0c\x1c\x1f\x85", ids=ascii)
def test_white_space_stays_white_space(char):
    assert remove_invisible(f"Uno.{char}Dos") == remove_invisible("Uno. Dos")


@pytest.mark.parametrize(
    "text", ["a\tb\r\nc", "👩\u200d👩\u200d👧", "❤️\u200d🔥", "🤷\u200d♀️", FLAG, "می\u200cخواهم", "ñ¿€\u2028"]
)
def test_what_belongs_to_the_text_stays(text):
    assert remove_invisible(text).text == text


def test_joiners_beside_letters_are_removed():
    assert remove_invisible("ga\u200dto 😀\u200d. \u200d😀 a\U000e0067").text == "gato 😀. 😀 a"


@given(st.text(st.one_of(st.characters(), st.sampled_from([*INVISIBLE, "\u200d", "😀", "a"]))))
def test_nothing_else_is_removed(text):
    edited = remove_invisible(text)
    lost = [char for char in text if edited.text.count(char) < text.count(char)]
    assert all(unicodedata.category(char) in ("Cc", "Cf") for char in lost)
    assert remove_invisible(edited.text).text == edited.text
