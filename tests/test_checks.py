"""Tests of the checks of user input, and of their messages."""

import math

import numpy as np
import pytest

from gatonegro.checks import FLAG, TEXT, check_text, number, one_of, optional, short_repr, text_problem, whole
from gatonegro.errors import InputError, OptionError


@pytest.mark.parametrize(
    ("check", "good", "bad", "expected"),
    [
        (whole(1), [1, 2**40], [0, True, 1.0, "1", None], "a whole number of at least 1"),
        (whole(0, 9), [0, 9], [-1, 10, False], "a whole number from 0 to 9"),
        (number(0, 1), [0, 0.5, 1], [-1e-9, 1.1, math.nan, True, "0"], "a number from 0 to 1"),
        (number(0, 1, open_low=True), [1e-9, 1], [0, math.nan], "a number above 0 and at most 1"),
        (number(), [-1e300, 0], [math.nan, True, None, 1j], "a number"),
        (number(0), [0, 7.5], [-1], "a number of at least 0"),
        (number(0, open_low=True), [0.1], [0], "a number above 0"),
        (one_of("a", 1, None), ["a", 1, 1.0, None], ["b", True, np.ones(2), [1]], "'a', 1 or None"),
        (FLAG, [True, False], [0, 1, "True", None], "True or False"),
        (TEXT, ["a"], ["", b"a", None, 1], "a str that is not empty"),
        (optional(whole(1)), [None, 3], [0, True], "a whole number of at least 1, or None"),
    ],
)
def test_a_check_takes_what_its_words_say(check, good, bad, expected):
    for value in good:
        assert check("name", value) is value
    for value in bad:
        with pytest.raises(OptionError) as error:
            check("name", value)
        assert error.value.in_("en") == f"name must be {expected}, not {value!r}."
        assert error.value.in_("es") == f"name debe ser {check.expected.es}, no {value!r}."


@pytest.mark.parametrize("value", ["x" * 10**7, b"x" * 10**7, ["x" * 10**6] * 10**4, dict.fromkeys(range(10**5))])
def test_a_large_value_is_cut_before_it_is_written_out(value):
    assert len(short_repr(value)) == 80
    assert short_repr(value, 20) == short_repr(value)[:20]


def test_a_number_that_python_does_not_write_out():
    assert short_repr(10**5000) == "<int>"


@pytest.mark.parametrize(
    ("value", "en", "es"),
    [
        (None, "None, a missing value; expected a text", "None, un valor que falta; se esperaba un texto"),
        (math.nan, "nan, a missing value", "nan, un valor que falta"),
        (b"x", "bytes; expected a text", "bytes; se esperaba un texto"),
        (7, "int 7; expected a text", "int 7; se esperaba un texto"),
        (10**30, "int; expected a text", "int; se esperaba"),
        (["x"], "list; expected a text", "list; se esperaba un texto"),
        ("a\ud83d", "a text with a lone surrogate, '\\ud83d', at character 1", "un texto con un surrogate suelto"),
    ],
)
def test_values_that_are_not_texts_are_reported_in_both_languages(value, en, es):
    problem = text_problem(value)
    assert problem.en.startswith(en) and problem.es.startswith(es)
    with pytest.raises(InputError) as error:
        check_text(value, "prompt")
    assert error.value.in_("en").startswith("prompt is ") and error.value.in_("es").startswith("prompt es ")


def test_a_text_has_no_problem():
    assert text_problem("") is None and text_problem("gato 🐈") is None
    check_text("gato")
