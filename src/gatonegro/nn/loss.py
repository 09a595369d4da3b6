"""Scores from logits, and the loss of `labels=`, as in `transformers`."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError

# by `config.score_function`; labels are the last axis
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(-1),
    "sigmoid": lambda x: x.sigmoid(),
    "none": lambda x: x,
}


def loss_of(config: Config, head: str, logits: Tensor | None, labels: Tensor) -> Tensor:
    """Return the cross-entropy, or for sequences the loss of `config.problem_type`, else of the labels' dtype."""
    if logits is None:
        raise InputError(
            "labels= needs a model with a head, and this one has none.",
            "labels= necesita un modelo con cabeza, y este no la tiene.",
        )
    if not isinstance(labels, Tensor) or labels.is_complex():
        given = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise InputError(
            f"labels must be a torch tensor of real numbers, not {given}.",
            f"labels debe ser un tensor de torch de números reales, no {given}.",
        )
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
            first = f"{labels[:8].tolist()}{' …' if len(labels) > 8 else ''}"
            raise InputError(
                f"labels must be whole numbers of shape {rows}, from 0 to {classes.shape[-1] - 1} (or -100 for "
                f"none), not {labels.dtype} of shape {shape}: {first}.",
                f"labels debe contener números enteros, de forma {rows}, de 0 a {classes.shape[-1] - 1} (o -100 "
                f"para ninguno), no {labels.dtype} de forma {shape}: {first}.",
            )
        return F.cross_entropy(classes, labels.long())
    if labels.shape not in (logits.shape, rows if logits.shape[-1] == 1 else logits.shape):
        raise InputError(
            f"labels are of shape {tuple(labels.shape)}, and a {kind} model with {config.num_labels} labels wants "
            f"{tuple(logits.shape)}.",
            f"labels es de forma {tuple(labels.shape)}, y un modelo de {kind} con {config.num_labels} etiquetas "
            f"pide {tuple(logits.shape)}.",
        )
    labels = labels.to(logits.dtype).view_as(logits)
    return (F.mse_loss if kind == "regression" else F.binary_cross_entropy_with_logits)(logits, labels)
