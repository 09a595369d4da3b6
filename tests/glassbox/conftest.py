"""Fixtures of the tests in tests/glassbox/."""

import pytest

from gatonegro import (
    explain,
)


@pytest.fixture(scope="module")
def toy():
    return explain("El gato negro", model="toy", lang="es")
