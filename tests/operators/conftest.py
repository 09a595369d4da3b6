"""Fixtures of the tests in tests/operators/."""

import pytest

from gatonegro.operators import kernels, processor

HERE = [name for name, needs in kernels.ISA_CAPABILITIES.items() if needs <= processor.cpu_capabilities()]


@pytest.fixture
def forgotten():
    """Look for the compiled library anew in a test, and after it."""
    library = kernels.library
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture(params=HERE or [None])
def level(request, monkeypatch, forgotten):
    """Run with each compiled library that is installed and that this processor supports."""
    monkeypatch.setattr(kernels, "kernel_isa", lambda: request.param)
    if kernels.library() is None:
        pytest.skip(f"gatonegro-kernels is not installed for {request.param or 'this processor'}")
    return request.param
