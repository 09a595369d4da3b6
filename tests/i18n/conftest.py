"""Fixtures of the tests in tests/i18n/."""

import pytest

from gatonegro.i18n import set_language


@pytest.fixture
def spanish():
    set_language("es")
    yield
    set_language(None)
