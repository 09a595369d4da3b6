"""Softmax, sigmoid and L2 normalisation of numpy arrays, and their conversion to tensors where PyTorch is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.operators.plain import softmax
from gatonegro.torch_extra import requires_torch

if TYPE_CHECKING:
    import torch


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)) without overflow."""  # https://github.com/scipy/scipy/blob/main/scipy/special/_logit.h
    y: np.ndarray = (0.5 * (1 + np.tanh(0.5 * x))).astype(x.dtype)
    return y


def l2_normalize(x: np.ndarray) -> np.ndarray:
    """Scale the vectors along an array's last axis to length 1, except zero vectors, which stay zero."""
    unit: np.ndarray = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    return unit


# by `config.score_function`; labels are the last axis. For tensors, see `nn.loss`
SCORE_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "none": lambda x: x,
}


def as_tensor(values: Any) -> torch.Tensor:
    """Convert a numpy array or lists of ids to a tensor, or raise MissingExtraError without PyTorch."""
    with requires_torch("return_tensors"):
        import torch
    return torch.from_numpy(values) if isinstance(values, np.ndarray) else torch.tensor(values)
