"""Fixtures of the tests in tests/native/."""

import pytest

from gatonegro.operators import kernels


@pytest.fixture(params=["kernels", "numpy"])
def operators(request, monkeypatch):
    """Run a test with the compiled kernels and with numpy's operators."""
    if request.param == "numpy":
        monkeypatch.setattr(kernels, "available", lambda: False)
    elif not kernels.available():
        pytest.skip("gatonegro-kernels is not installed, or not for this processor")
    return request.param
