"""The best scores per row, by our kernel where it is installed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatonegro.engine import kernels


def best(scores: Tensor, count: int, banned: Sequence[Sequence[int]] = ()) -> tuple[Tensor, Tensor, Tensor]:
    """Return the `count` best scores per row (rows, n) outside of `banned`, the best first, their places, and the
    log of the sum of all exponentials. (rows, count) twice, (rows,)

    The scores may be changed in place.
    """
    count = min(count, scores.shape[1])
    if scores.device.type == "cpu" and kernels.available():
        return kernels.top_k(scores.float().contiguous(), count, banned)
    sums = scores.logsumexp(-1)
    ban(scores, banned)
    return *scores.topk(count), sums


def ban(scores: Tensor, banned: Sequence[Sequence[int]]) -> None:
    """Set each row's banned scores to -inf, in place."""
    if any(banned):
        rows, places = torch.tensor([(row, place) for row, some in enumerate(banned) for place in some]).T
        scores[rows, places] = float("-inf")
