"""Training: one loop, and batches of similar length, for the recipes."""

from gatonegro.engine.processor import has_bf16
from gatonegro.training.loop import disagreement, fast_training, fit, layer_groups, mixed_batches

__all__ = ["disagreement", "fast_training", "fit", "has_bf16", "layer_groups", "mixed_batches"]
