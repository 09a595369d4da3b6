"""The user's language: environment, locale, and how it is set."""

import locale
import sys
from contextlib import suppress

import pytest

from gatonegro.i18n import format_int, localized, override_language, set_language, user_language


@pytest.fixture
def environment(monkeypatch):
    """Return `environment(LANG="es_ES.UTF-8", …)`, which sets these variables and unsets others for the language."""

    def put(**values):
        for name in ("GATONEGRO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"GATONEGRO_LANG": "es", "LANG": "en_US.UTF-8"}, "es"),
        ({"GATONEGRO_LANG": "ES"}, "es"),
        ({"GATONEGRO_LANG": "en", "LC_ALL": "es_ES.UTF-8"}, "en"),
        ({"GATONEGRO_LANG": "fr", "LC_ALL": "es_ES.UTF-8"}, "en"),
        ({"GATONEGRO_LANG": "", "LANG": "es_MX.UTF-8"}, "es"),
        ({"LC_ALL": "es_AR"}, "es"),
        ({"LC_ALL": "es"}, "es"),
        ({"LC_ALL": "ES_es.utf8"}, "es"),
        ({"LC_ALL": "es-419"}, "es"),
        ({"LC_ALL": "es@euro"}, "es"),
        ({"LC_ALL": "Spanish_Spain.1252"}, "es"),
        ({"LC_ALL": "C.UTF-8", "LANG": "es_ES.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "es_ES.UTF-8", "LANG": "en_US.UTF-8"}, "es"),
        ({"LC_MESSAGES": "en_US.UTF-8", "LANG": "es_ES.UTF-8"}, "en"),
        ({"LANG": "gl_ES.UTF-8"}, "en"),
        ({"LANG": "estonian"}, "en"),  # an old name of et_EE
    ],
)
def test_the_environment_says_the_language(environment, variables, expected):
    environment(**variables)
    assert user_language() == expected
    assert localized("yes", "sí") == {"en": "yes", "es": "sí"}[expected]


@pytest.mark.parametrize(
    ("platform", "system_locale", "expected"),
    [
        ("win32", ("Spanish_Mexico", "1252"), "es"),
        ("win32", ("es_ES", "cp1252"), "es"),
        ("win32", ("English_United States", "1252"), "en"),
        ("darwin", ("es_ES", "UTF-8"), "es"),
        ("darwin", (None, None), "en"),
        ("linux", ("es_ES", "UTF-8"), "en"),
    ],
)
def test_without_variables_windows_and_macos_name_the_language(
    environment, monkeypatch, platform, system_locale, expected
):
    environment()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(locale, "getlocale", lambda: system_locale)
    assert user_language() == expected


def test_a_locale_that_python_does_not_know_is_english(environment, monkeypatch):
    def unknown():
        raise ValueError("unknown locale: xx")

    environment()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(locale, "getlocale", unknown)
    assert user_language() == "en"


def test_what_is_chosen_wins_over_the_environment(environment, spanish):
    environment(GATONEGRO_LANG="en")
    assert user_language() == "es" and localized("yes", "sí") == "sí"
    set_language("en")
    environment(GATONEGRO_LANG="es")
    assert user_language() == "en"
    set_language(None)
    assert user_language() == "es"
    with pytest.raises(ValueError, match="'fr'"):
        set_language("fr")
    assert user_language() == "es"


def test_a_language_for_the_length_of_a_with(environment):
    environment(GATONEGRO_LANG="en")
    with suppress(KeyError), override_language("es"):
        assert user_language() == "es"
        raise KeyError
    assert user_language() == "en"
    set_language("es")
    for lang, expected in (("en", "en"), (None, "es")):
        with override_language(lang):
            assert user_language() == expected
        assert user_language() == "es"
    set_language(None)
    with pytest.raises(ValueError, match="'fr'"), override_language("fr"):
        pass
    assert user_language() == "en"


def test_thousands(spanish):
    assert [str(format_int(n)) for n in (0, 9999, 12345, 1_000_000)] == ["0", "9999", "12\xa0345", "1\xa0000\xa0000"]
    set_language("en")
    assert [str(format_int(n)) for n in (0, 9999, 12345)] == ["0", "9,999", "12,345"]


def test_the_language_of_a_child_process(python, tmp_path):
    code = "from gatonegro.hub import locate; locate('./no-hay')"
    assert "no existe esa carpeta" in python("-c", code, env={"GATONEGRO_LANG": "es"}).stderr.decode()
    assert "there is no such folder" in python("-c", code).stderr.decode()
