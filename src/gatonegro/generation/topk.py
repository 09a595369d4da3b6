"""The best scores of each row, by our own kernel where it is there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatonegro.engine import kernels


def best(scores: Tensor, count: int, banned: Sequence[Sequence[int]] = ()) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row (rows, n), the `count` largest that are not among its `banned` ones, the largest first, and their
    places; and the log of the sum of all exponentials. (rows, count) twice, (rows,)

    The scores have served then, and may be changed.
    """
    count = min(count, scores.shape[1])
    if scores.device.type == "cpu" and kernels.available():
        return kernels.top_k(scores.float().contiguous(), count, banned)
    sums = scores.logsumexp(-1)
    ban(scores, banned)
    return *scores.topk(count), sums


def ban(scores: Tensor, banned: Sequence[Sequence[int]]) -> None:
    """No chance, in place, to what is banned of each row."""
    if any(banned):
        rows, places = torch.tensor([(row, place) for row, some in enumerate(banned) for place in some]).T
        scores[rows, places] = float("-inf")
