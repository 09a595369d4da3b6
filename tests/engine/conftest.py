"""Fixtures of the tests in tests/engine/."""

import warnings

import pytest

from gatonegro.engine.int8 import FbgemmInt8, OnednnInt8
from gatonegro.engine.optimize import is_usable
from gatonegro.errors import GatonegroWarning
from gatonegro.operators import kernels


@pytest.fixture
def quiet():
    """Ignore the warning of a machine that lacks hardware for a precision; test_operators.py tests it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=GatonegroWarning, message="PyTorch's fast operator")
        yield is_usable(OnednnInt8), is_usable(FbgemmInt8)  # here, so that PyTorch's own warning is not met in a test


@pytest.fixture(params=["kernels", "PyTorch"])
def operators(request, monkeypatch):
    """Run a test with the compiled kernels and with PyTorch's operators."""
    if request.param == "PyTorch":
        monkeypatch.setattr(kernels, "available", lambda: False)
    elif not kernels.available():
        pytest.skip("gatonegro-kernels is not installed, or not for this processor")
    return request.param
