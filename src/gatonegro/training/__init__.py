"""A training loop, batches of texts of similar length, and modules that train faster, for the recipes."""

from gatonegro.torch_extra import requires_torch

with requires_torch("gatonegro.training"):
    from gatonegro.engine.processor import has_bf16
    from gatonegro.training.loop import (
        fit,
        layerwise_lr_groups,
        length_grouped_batches,
        optimize_for_training,
        set_seed,
        symmetric_kl,
    )

__all__ = [
    "fit", "has_bf16", "layerwise_lr_groups", "length_grouped_batches", "optimize_for_training", "set_seed",
    "symmetric_kl",
]  # fmt: skip
