"""PyTorch as an optional dependency: whether it is installed, and the error of what needs it where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

from gatonegro.errors import MissingExtraError


def has_torch() -> bool:
    """Return True if PyTorch is installed, without importing it."""
    with suppress(ImportError, ValueError):  # a finder refuses it; ValueError: a module in its place has no spec
        spec = find_spec("torch")
        return spec is not None and spec.origin is not None  # a folder of that name has no origin
    return False


def missing_torch(what: str) -> MissingExtraError:
    """Return the error for a name or option `what` of this library, which needs PyTorch."""
    line = 'pip install "gatonegro[torch]"'
    error = MissingExtraError(
        f"{what} needs PyTorch, which is not installed. To install it: {line}",
        f"{what} necesita PyTorch, que no está instalado. Para instalarlo: {line}",
    )
    error.name = "torch"
    return error


@contextmanager
def requires_torch(what: str) -> Iterator[None]:
    """Raise the error of `missing_torch` if PyTorch cannot be found within the block; the outermost block names it."""
    try:
        yield
    except ImportError as error:
        if error.name != "torch":
            raise
        raise missing_torch(what) from None
