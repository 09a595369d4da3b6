"""What tells a Transformer the order of its tokens, where no table of learned vectors does."""

from __future__ import annotations

from functools import cache

import numpy as np

from gatonegro.config import Config
from gatonegro.native.weights import Weights
from gatonegro.packing import Layout


@cache
def sinusoids(positions: int, width: int) -> np.ndarray:
    """Return a vector (width,) for each position: sines of falling frequency, and then cosines. §3.5.

    The paper has sines and cosines in turns; this is the order of Marian.
    """
    frequencies = 10_000.0 ** (-np.arange(0, width, 2) / width)
    angles = np.arange(positions)[:, None] * frequencies  # (positions, ⌈width / 2⌉)
    return np.concatenate([np.sin(angles), np.cos(angles)[:, : width // 2]], axis=1).astype(np.float32)


def relative_bias(w: Weights, config: Config, layout: Layout, causal: bool = False) -> np.ndarray | None:
    """Return T5's term of the attention scores by head and distance (h, 2·reach + 1), or None for other models.

    Reach is the longest sequence. Short distances have a learned number each; longer ones share it in buckets that
    widen with the logarithm: of 32, half for each direction, distances 0 to 7 have one each, 8 to 11 share one, and
    from 128 on all share the last. https://arxiv.org/abs/1910.10683 §2.1
    """
    buckets, farthest = config.relative_attention_num_buckets, config.relative_attention_max_distance
    if not buckets:
        return None
    reach = min(farthest, max(layout.key_lengths, default=0))
    offset = np.arange(-reach, reach + 1)  # of a key from the query
    first = np.zeros_like(offset)
    if not causal:  # half of the buckets are for later tokens
        buckets //= 2
        first = (offset > 0) * buckets
    distance, exact = np.maximum(-offset, 0) if causal else np.abs(offset), buckets // 2
    # in fp32, as PyTorch rounds at the edges of the buckets
    ratio = np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(exact)) / np.float32(
        np.log(farthest / exact)
    )
    bucket = np.minimum(exact + (ratio * np.float32(buckets - exact)).astype(int), buckets - 1)
    return w.rows("relative.scores", first + np.where(distance < exact, distance, bucket)).T.copy()  # rows end to end
