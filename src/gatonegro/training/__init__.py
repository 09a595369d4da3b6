"""How models learn: one loop, batches of like length, what recipes share."""

from gatonegro.training.loop import fit, has_bf16, mixed_batches, without_attention_dropout

__all__ = ["fit", "has_bf16", "mixed_batches", "without_attention_dropout"]
