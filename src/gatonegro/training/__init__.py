"""Training: one loop, and batches of similar length, for the recipes."""

from gatonegro.engine.processor import has_bf16
from gatonegro.training.loop import fit, mixed_batches, without_attention_dropout

__all__ = ["fit", "has_bf16", "mixed_batches", "without_attention_dropout"]
