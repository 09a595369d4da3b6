"""Numbers for people: one format per language."""

import math

import pytest

from gatonegro.i18n import format_number, format_vector

NUMBERS = [
    (0.0, "0", "0"),
    (-0.0, "0", "0"),
    (3.0, "3", "3"),
    (-3, "−3", "−3"),
    (6.9999, "6.9999", "6,9999"),
    (-0.70710678, "−0.7071", "−0,7071"),
    (5.989, "5.9890", "5,9890"),
    (-6.26e-6, "0", "0"),  # a rounding error
    (9.99e-5, "0", "0"),
    (-3.467e-8, "0", "0"),
    (1e-4, "0.0001", "0,0001"),
    (0.00005, "0", "0"),
    (0.03125, "0.0313", "0,0313"),  # half a unit is rounded up
    (-0.03125, "−0.0313", "−0,0313"),
    (1234.5, "1234.5000", "1234,5000"),
    (123456.0, "1.2·10⁵", "1,2·10⁵"),
    (125000.0, "1.3·10⁵", "1,3·10⁵"),
    (-1e6, "−10⁶", "−10⁶"),
    (3e38, "3.0·10³⁸", "3,0·10³⁸"),
    (math.inf, "∞", "∞"),
    (-math.inf, "−∞", "−∞"),
]


@pytest.mark.case("N9")
@pytest.mark.parametrize(("number", "en", "es"), NUMBERS)
def test_a_number_has_one_format(number, en, es):
    assert format_number(number) == (en, es)


@pytest.mark.case("N9")
@pytest.mark.parametrize(
    ("number", "es"),
    [(3.07e-5, "3,1·10⁻⁵"), (1e-5, "10⁻⁵"), (-9.4e-10, "−9,4·10⁻¹⁰"), (0.005537, "0,0055"), (0.0, "0"), (1.0, "1")],
)
def test_numbers_that_may_be_small_keep_their_digits(number, es):
    assert format_number(number, small=True).es == es


@pytest.mark.parametrize(
    ("number", "es"),
    [(0.316, "+0,32"), (-0.177, "−0,18"), (0.0, "0"), (0.003, "0,00"), (-0.003, "0,00"), (0.125, "+0,13"), (1, "+1")],
)
def test_a_sign_stands_only_before_what_is_not_zero(number, es):
    assert format_number(number, 2, sign=True).es == es


def test_what_is_no_number_is_a_dash():
    assert format_number(math.nan) == ("—", "—")


def test_a_vector_has_semicolons_where_numbers_have_commas():
    assert format_vector([1, 2, 3]) == ("[1, 2, 3]", "[1, 2, 3]")
    assert format_vector([0.5, -1], more=True) == ("[0.5000, −1, …]", "[0,5000; −1; …]")
