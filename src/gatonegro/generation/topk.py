"""Selection of each row's largest logits, by the compiled CPU kernel where it is installed, masking, and drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatonegro.generation.arrays import is_tensor, logsumexp
from gatonegro.operators import kernels
from gatonegro.operators.plain import softmax
from gatonegro.packing import Array

NEG_INF = float("-inf")

Selected = tuple[np.ndarray, np.ndarray, np.ndarray]


def top_k(logits: Array, k: int, masked_ids: Sequence[Sequence[int]] = ()) -> Selected:
    """Return the `k` largest logits of each row in descending order, their token ids, and the row's logsumexp.

    The `masked_ids` of a row are left out of its top k, but not of the sum. The logits (rows, vocab), an array or a
    GPU's tensor, may change in place. The results are (rows, k), (rows, k) and (rows,).
    """
    k = min(k, logits.shape[1])
    if is_tensor(logits):
        sums = logits.logsumexp(-1)
        mask_out(logits, masked_ids)
        values, ids, sums = (x.cpu().numpy() for x in (*logits.topk(k), sums))
        return values, ids, sums
    if kernels.available():
        return kernels.top_k(np.ascontiguousarray(logits), k, masked_ids)
    sums = logsumexp(logits)
    mask_out(logits, masked_ids)
    ids = largest(logits, k)
    return np.take_along_axis(logits, ids, 1), ids, sums


def largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the indices (rows, k) of each row's `k` largest numbers in descending order, equal ones by index."""
    if k == 1:
        return scores.argmax(1)[:, None]
    out = np.empty((len(scores), k), np.int64)
    for row, indices in zip(scores, out, strict=True):
        least = np.partition(row, -k)[-k]
        found = np.flatnonzero(~(row < least))  # more than k if several equal the least
        indices[:] = found[np.argsort(-row[found], kind="stable")[:k]]
    return out


def mask_out(logits: Array, masked_ids: Sequence[Sequence[int]]) -> None:
    """Set the logits of each row's masked token ids to -inf, in place."""
    if any(masked_ids):
        rows, ids = np.array([(row, token) for row, ids_of_row in enumerate(masked_ids) for token in ids_of_row]).T
        logits[rows, ids] = NEG_INF


def random_generator(seed: int | None) -> Any:
    """Return the generator of random numbers of one call: PyTorch's where it is installed, or else numpy's.

    None stands for PyTorch's global generator, if there is no seed.
    """
    try:
        import torch
    except ImportError:
        return np.random.default_rng(seed)
    return None if seed is None else torch.Generator().manual_seed(seed)


def draw(scores: np.ndarray, count: int, rng: Any, live: Sequence[int], total: int, least: float = 0.0) -> np.ndarray:
    """Draw token ids (rows, count) without replacement, from the softmax of each sequence's scores (rows, vocab).

    Without a generator of the call's own, PyTorch's moves on as in the reference, which draws for all `total` sequences
    of a batch, finished or not.

    Args:
        scores: scores of the sequences `live`, or of some of them.
        count: the number of ids per row.
        rng: the result of `random_generator`.
        live: indices of the unfinished sequences in the batch.
        total: the number of all sequences.
        least: the lowest probability that a token may have.
    """
    if isinstance(rng, np.random.Generator):
        probs = np.maximum(softmax(scores), least)
        return largest(probs / rng.standard_exponential(probs.shape), count)  # an exponential race
    import torch

    probs = torch.as_tensor(scores).softmax(-1).clamp(min=least)
    if rng is None and len(probs) == len(live) < total:
        everything = torch.ones(total, probs.shape[1]).index_copy(0, torch.tensor(live), probs)
        return torch.multinomial(everything, count)[live].numpy()
    return torch.multinomial(probs, count, generator=rng).numpy()
