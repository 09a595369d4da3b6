"""Comparison of the outcomes of a call in two libraries."""

import enum
import math
import numbers
from collections.abc import Iterator, KeysView, Mapping
from typing import Any

import numpy as np
import torch

ORIGIN = ("transformers_version", "_name_or_path", "_from_model_config")  # who wrote a file, and where
TOLERANCE = 1e-5  # of numbers of about 1


def comparable(value: Any, tmp: str = "") -> Any:
    """Return a value as tuples, dicts, numbers, strings and arrays: objects of a library as their type's name.

    Args:
        value: the value of a call.
        tmp: a folder that only this call used, which is left out of strings.
    """
    if isinstance(value, enum.Enum):
        return type(value).__name__, value.name
    if isinstance(value, str):
        return value.replace(tmp, "tmp") if tmp else str(value)
    if isinstance(value, np.floating):
        return float(value)
    if value is None or isinstance(value, bool | numbers.Number | bytes):
        return value
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return str(value.dtype), (value.float() if value.is_floating_point() else value).numpy()
    if isinstance(value, np.ndarray | np.integer):
        return str(value.dtype), np.asarray(value)
    if isinstance(value, torch.device | torch.dtype | torch.Size):
        return str(value)
    if isinstance(value, type):
        return "class", value.__name__
    if isinstance(value, Mapping) or (hasattr(value, "data") and isinstance(value.data, dict)):  # a BatchEncoding
        items = {key: comparable(x, tmp) for key, x in value.items() if key not in ORIGIN}
        return type(value).__name__, [*items] if type(value) is not dict else [], items
    if isinstance(value, set | frozenset):
        return "set", sorted(map(str, value))
    if isinstance(value, Iterator):
        return "iterator", [comparable(x, tmp) for x in value]
    if isinstance(value, list | tuple | KeysView):
        return "keys" if isinstance(value, KeysView) else type(value).__name__, [comparable(x, tmp) for x in value]
    return "object", type(value).__name__


def same(a: Any, b: Any) -> bool:
    """Return True if two comparable values are the same, numbers up to rounding."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype.kind in "OUS" or b.dtype.kind in "OUS":
            return bool(a.shape == b.shape and (a == b).all())
        largest = np.abs(a, where=np.isfinite(a), out=np.zeros(a.shape)).max(initial=1)
        return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=TOLERANCE * largest, equal_nan=True)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (a != a and b != b)
    return type(a) is type(b) and bool(a == b)
