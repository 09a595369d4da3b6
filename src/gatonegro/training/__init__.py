"""How models learn: one loop, batches of like length, what recipes share."""

from gatonegro.engine.processor import has_bf16
from gatonegro.training.loop import disagreement, fit, layer_groups, mixed_batches, quick

__all__ = ["disagreement", "fit", "has_bf16", "layer_groups", "mixed_batches", "quick"]
