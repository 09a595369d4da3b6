"""Attribution of a classifier's decision to tokens by integrated gradients, https://arxiv.org/abs/1703.01365.

`captum` is not used: adapting it to packed batches would take as much code.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gatonegro.models import Model
from gatonegro.packing import pack

N_STEPS = 64  # nodes of the Gauss–Legendre rule; one sentence takes about a second
MAX_BATCH_TOKENS = 2048


def attribute(
    model: Model, ids: list[int], label: int, special: set[int], n_steps: int = N_STEPS
) -> tuple[Tensor, float]:
    """Compute how much each input token contributes to a label's logit, compared with padding in its place.

    Returns:
        Attributions (t,), and the logit's difference from the baseline: their sum, up to the quadrature's error.
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    rule = [(float(node + 1) / 2, float(weight) / 2) for node, weight in zip(nodes, weights, strict=True)]
    tokens = model.embeddings.tokens.weight
    x = tokens[ids].detach()  # (t, hidden)
    keep = torch.tensor([i in special for i in ids], device=x.device)  # t
    baseline = torch.where(keep[:, None], x, tokens[model.config.pad_token_id or 0].detach())  # (t, hidden)
    integral = torch.zeros_like(x)
    batch = max(1, MAX_BATCH_TOKENS // len(ids))
    for start in range(0, n_steps, batch):
        points = rule[start : start + batch]
        embeds = torch.cat([baseline + a * (x - baseline) for a, _ in points]).requires_grad_()
        packed = replace(pack([ids] * len(points), model.config).to(model.device), embeds=embeds)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(model.run(packed)[:, label].sum(), embeds)
        for (_, weight), part in zip(points, gradient.split(len(ids)), strict=True):
            integral += weight * part
    with torch.no_grad():
        ends = replace(pack([ids, ids], model.config).to(model.device), embeds=torch.cat([x, baseline]))
        after, before = model.run(ends)[:, label].tolist()
    return ((x - baseline) * integral).sum(-1), after - before
