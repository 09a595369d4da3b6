"""Functions from logits to scores and, given labels, to a training loss, as in `transformers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))

# by `config.score_function`; labels are the last axis. For arrays, see `scores.SCORE_FUNCTIONS`
TENSOR_SCORE_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(-1),
    "sigmoid": lambda x: x.sigmoid(),
    "none": lambda x: x,
}


def compute_loss(config: Config, head: str, logits: Tensor | None, labels: Tensor) -> Tensor:
    """Return the loss of a model's logits given labels: cross-entropy or, in sequence classification, by problem type.

    Without a `problem_type`, the dtype and number of labels decide; a kind with float labels is kept in `config`.
    InputError: the labels do not fit the logits.
    """
    if logits is None:
        raise InputError(*MESSAGES["no_head"])
    if not isinstance(labels, Tensor) or labels.is_complex():
        got = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise InputError(*MESSAGES["not_tensor"].format(given=got))
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
                *MESSAGES["classes"].format(
                    rows=rows, last=classes.shape[-1] - 1, dtype=labels.dtype, shape=shape, first=first
                )
            )
        return F.cross_entropy(classes, labels.long())
    if labels.shape not in (logits.shape, rows if logits.shape[-1] == 1 else logits.shape):
        raise InputError(
            *MESSAGES["shape"].format(
                shape=tuple(labels.shape), kind=kind, num_labels=config.num_labels, wanted=tuple(logits.shape)
            )
        )
    labels = labels.to(logits.dtype).view_as(logits)
    vars(config)["problem_type"] = kind  # a frozen `Config` too: a pipeline's scores depend on it
    return (F.mse_loss if kind == "regression" else F.binary_cross_entropy_with_logits)(logits, labels)


def span_loss(starts: Tensor, ends: Tensor, start_positions: Tensor, end_positions: Tensor) -> Tensor:
    """Return the mean cross-entropy of start and end logits (b, s), given the positions (b,) of the answers."""
    losses = []
    for name, logits, labels in (("start_positions", starts, start_positions), ("end_positions", ends, end_positions)):
        if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.numel() != len(logits):
            got = f"{labels.dtype} {tuple(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
            raise InputError(*MESSAGES["positions"].format(name=name, rows=len(logits), given=got))
        outside = logits.shape[1]
        losses.append(F.cross_entropy(logits, labels.long().flatten().clamp(0, outside), ignore_index=outside))
    return (losses[0] + losses[1]) / 2
