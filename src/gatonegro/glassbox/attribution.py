"""Which words made the decision: integrated gradients, https://arxiv.org/abs/1703.01365.

Ours, in a page, and not `captum`: what it would have to be told of packed batches is as long as this.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gatonegro.models import Model
from gatonegro.packing import pack

POINTS = 64  # on the way, by Gauss and Legendre's rule: so few that a sentence takes a second
TOGETHER = 2048  # tokens that are computed at once


def attribute(
    model: Model, ids: list[int], label: int, special: set[int], points: int = POINTS
) -> tuple[Tensor, float]:
    """What each token adds to a label's logit, against the same sentence of pads; special tokens stay as they are.

    Returns:
        (t,), whose sum is, but for the error of the sum, what the logit rises by; and that rise.
    """
    rule = [(float(a + 1) / 2, float(s) / 2) for a, s in zip(*np.polynomial.legendre.leggauss(points), strict=True)]
    tokens = model.embeddings.tokens.weight
    there = tokens[ids].detach()  # (t, hidden)
    pad = model.config.pad_token_id or 0
    none = torch.where(
        torch.tensor([i in special for i in ids], device=there.device)[:, None], there, tokens[pad].detach()
    )
    total = torch.zeros_like(there)
    few = max(1, TOGETHER // len(ids))
    for start in range(0, points, few):
        some = rule[start : start + few]
        embeds = torch.cat([none + a * (there - none) for a, _ in some]).requires_grad_()
        packed = replace(pack([ids] * len(some), model.config).to(model.device), embeds=embeds)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(model.run(packed)[:, label].sum(), embeds)
        for (_, share), one in zip(some, slope.split(len(ids)), strict=True):
            total += share * one
    with torch.no_grad():
        ends = replace(pack([ids, ids], model.config).to(model.device), embeds=torch.cat([there, none]))
        after, before = model.run(ends)[:, label].tolist()
    return ((there - none) * total).sum(-1), after - before
