"""Selection of each row's largest logits, by the compiled CPU kernel where it is installed, and masking of logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatonegro.engine import kernels


def top_k(logits: Tensor, k: int, masked_ids: Sequence[Sequence[int]] = ()) -> tuple[Tensor, Tensor, Tensor]:
    """Return the `k` largest logits of each row in descending order, their token ids, and the row's logsumexp.

    The `masked_ids` of a row are left out of its top k, but not of the sum. The logits (rows, vocab) may change in
    place. The results are (rows, k), (rows, k) and (rows,).
    """
    k = min(k, logits.shape[1])
    if logits.device.type == "cpu" and kernels.available():
        return kernels.top_k(logits.float().contiguous(), k, masked_ids)
    sums = logits.logsumexp(-1)
    mask_out(logits, masked_ids)
    return *logits.topk(k), sums


def mask_out(logits: Tensor, masked_ids: Sequence[Sequence[int]]) -> None:
    """Set the logits of each row's masked token ids to -inf, in place."""
    if any(masked_ids):
        rows, ids = torch.tensor([(row, token) for row, ids_of_row in enumerate(masked_ids) for token in ids_of_row]).T
        logits[rows, ids] = float("-inf")


def draw(probs: Tensor, count: int, rng: torch.Generator | None, live: Sequence[int], total: int) -> Tensor:
    """Draw token ids (rows, count) without replacement from the probabilities (rows, vocab) of sequences.

    Without a generator of the call's own, PyTorch's moves on as in the reference, which draws for all `total` sequences
    of a batch, finished or not.

    Args:
        probs: probabilities of the sequences `live`, or of some of them.
        count: the number of ids per row.
        rng: a generator, or None for PyTorch's.
        live: indices of the unfinished sequences in the batch.
        total: the number of all sequences.
    """
    if rng is None and len(probs) == len(live) < total:
        everything = torch.ones(total, probs.shape[1]).index_copy(0, torch.tensor(live), probs)
        return torch.multinomial(everything, count)[live]
    return torch.multinomial(probs, count, generator=rng)
