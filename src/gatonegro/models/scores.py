"""Softmax, sigmoid and L2 normalisation of numpy arrays, for packages that use no tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def softmax(x: np.ndarray) -> np.ndarray:
    """Return the softmax of logits along the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)) without overflow."""  # https://github.com/scipy/scipy/blob/main/scipy/special/_logit.h
    return (0.5 * (1 + np.tanh(0.5 * x))).astype(x.dtype)


def l2_normalize(x: np.ndarray) -> np.ndarray:
    """Scale the vectors along an array's last axis to length 1, except zero vectors, which stay zero."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


# by `config.score_function`; labels are the last axis. For tensors, see `nn.loss`
SCORE_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "none": lambda x: x,
}


def as_tensor(values: Any) -> torch.Tensor:
    """Convert a numpy array or lists of ids to a tensor."""
    return torch.from_numpy(values) if isinstance(values, np.ndarray) else torch.tensor(values)
