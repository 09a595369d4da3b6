"""What `labels=` is measured by, as in `transformers`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError


def loss_of(config: Config, head: str, logits: Tensor | None, labels: Tensor) -> Tensor:
    """The usual loss: cross-entropy, or for sequences what `config.problem_type` (or the labels' kind) says."""
    if logits is None:
        raise InputError("labels= needs a model with a head, and this one has none.")
    if not isinstance(labels, Tensor) or labels.is_complex():
        given = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise InputError(f"labels must be a torch tensor of real numbers, not {given}.")
    rows = tuple(logits.shape[:-1])  # (b,) or (b, s)
    column = (*rows, 1) if head == "sequence-classification" else rows
    kind = config.problem_type if head == "sequence-classification" else "single_label_classification"
    if kind is None:
        several = "multi_label_classification" if labels.is_floating_point() else "single_label_classification"
        kind = "regression" if config.num_labels == 1 else several
    if kind == "single_label_classification":
        shape, classes, labels = tuple(labels.shape), logits.flatten(0, -2), labels.flatten()  # (…, labels), (…)
        known = (labels == -100) | ((labels >= 0) & (labels < classes.shape[-1]))
        if shape not in (rows, column) or labels.is_floating_point() or not known.all():
            raise InputError(
                f"labels must be whole numbers of shape {rows}, from 0 to {classes.shape[-1] - 1} (or -100 for none), "
                f"not {labels.dtype} of shape {shape}: {labels[:8].tolist()}{' …' if len(labels) > 8 else ''}."
            )
        return F.cross_entropy(classes, labels.long())
    if labels.shape not in (logits.shape, rows if logits.shape[-1] == 1 else logits.shape):
        raise InputError(
            f"labels are of shape {tuple(labels.shape)}, and a {kind} model with {config.num_labels} labels wants "
            f"{tuple(logits.shape)}."
        )
    labels = labels.to(logits.dtype).view_as(logits)
    return (F.mse_loss if kind == "regression" else F.binary_cross_entropy_with_logits)(logits, labels)
