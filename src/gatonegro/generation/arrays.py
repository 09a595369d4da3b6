"""Functions of logits, which are numpy arrays or, where a model on a GPU computes them, tensors.

Nothing here imports torch but for the user's own functions, which get tensors where it is installed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gatonegro.packing import Array

# masked tokens have the logit -inf, of which numpy warns
quiet = partial(np.errstate, divide="ignore", over="ignore", invalid="ignore")


def is_tensor(x: object) -> bool:
    """Return True if an object is a tensor of PyTorch."""
    return hasattr(x, "detach")


def to_numpy(x: Array) -> np.ndarray:
    """Return a numpy array in fp32, which shares the memory of an array or tensor that is fp32 on the CPU."""
    return x.detach().cpu().float().numpy() if is_tensor(x) else np.asarray(x, np.float32)


def as_tensor(array: np.ndarray, device: Any = "cpu") -> Array:
    """Return an array as a tensor if PyTorch is installed, as functions of the user expect it, or else the array."""
    try:
        import torch
    except ImportError:
        return array
    return torch.as_tensor(array, device=device)


def to_bools(answer: Any) -> np.ndarray:
    """Return what a stopping criterion answers, a bool or several in any form, as a numpy array."""
    return np.asarray(answer.tolist() if hasattr(answer, "tolist") else answer).astype(bool).reshape(-1)


def logsumexp(x: np.ndarray) -> np.ndarray:
    """Return the logarithms (rows,) of the sums of each row's exponentials."""
    best = x.max(-1, keepdims=True)
    best[~np.isfinite(best)] = 0
    with quiet():
        sums: np.ndarray = np.log(np.exp(x - best).sum(-1)) + best[..., 0]
    return sums


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Return the log-probabilities (rows, vocab) of logits."""
    with quiet():
        return x - logsumexp(x)[:, None]
