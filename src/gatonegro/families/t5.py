"""T5, https://arxiv.org/abs/1910.10683, and mT5: relative distances for positions, and no bias in any linear map.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py
"""

from __future__ import annotations

from typing import Any

from gatonegro.families.bart import SHARED
from gatonegro.families.family import Family, Head, Row


def _layers(stack: str, attentions: dict[str, str]) -> tuple[Row, ...]:
    """Return the rows of an encoder or a decoder. Its sublayers are numbered; `attentions`, {their name: ours}, come
    first."""
    ours, rows = f"{stack}.layers.{{i}}", []
    for number, (name, our_name) in enumerate(attentions.items()):
        theirs = f"{stack}.block.{{i}}.layer.{number}"
        for part, our_part in {"q": "query", "k": "key", "v": "value", "o": "output"}.items():
            rows.append((f"{theirs}.{name}.{part}.weight", f"{ours}.{our_name}.{our_part}.weight"))
        rows.append((f"{theirs}.layer_norm.weight", f"{ours}.{our_name}_add.norm.weight"))
    theirs = f"{stack}.block.{{i}}.layer.{len(attentions)}"
    for part, our_part in {"wi": "up", "wi_0": "gate", "wi_1": "value", "wo": "down"}.items():
        rows.append((f"{theirs}.DenseReluDense.{part}.weight", f"{ours}.feed_forward.{our_part}.weight"))
    return (
        *rows,
        (f"{theirs}.layer_norm.weight", f"{ours}.feed_forward_add.norm.weight"),
        (f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", f"{stack}.relative.scores.weight"),
        (f"{stack}.final_layer_norm.weight", f"{stack}.norm.weight"),
    )


def _family(name: str, scaled: bool, **defaults: Any) -> Family:
    return Family(
        prefix="",
        rows=(
            *SHARED,
            *_layers("encoder", {"SelfAttention": "attention"}),
            *_layers("decoder", {"SelfAttention": "attention", "EncDecAttention": "cross_attention"}),
        ),
        heads={
            "none": Head(f"{name}Model"),
            "seq2seq-lm": Head(f"{name}ForConditionalGeneration", (("lm_head.weight", "head.output.weight"),)),
        },
        keys={
            "hidden_size": "d_model",
            "num_hidden_layers": "num_layers",
            "num_attention_heads": "num_heads",
            "intermediate_size": "d_ff",
            "head_width": "d_kv",
            "relative_buckets": "relative_attention_num_buckets",
            "relative_distance": "relative_attention_max_distance",
            "layer_norm_eps": "layer_norm_epsilon",
            "hidden_dropout_prob": "dropout_rate",
            "attention_probs_dropout_prob": "dropout_rate",
        },
        decoder_keys={"num_hidden_layers": "num_decoder_layers"},
        defaults={
            "vocab_size": 32128,
            "d_model": 512,
            "d_kv": 64,
            "d_ff": 2048,
            "num_layers": 6,
            "num_heads": 8,
            "relative_attention_num_buckets": 32,
            "layer_norm_epsilon": 1e-6,
            "feed_forward_proj": "relu",
            "tie_word_embeddings": True,
            "pad_token_id": 0,
            **defaults,
        },
        meanings={
            "feed_forward_proj": {
                "relu": {"hidden_act": "relu", "gated": False},
                "gated-gelu": {"hidden_act": "gelu_new", "gated": True},
                "gated-silu": {"hidden_act": "silu", "gated": True},
            },
            "tie_word_embeddings": {
                True: {"tied": True, "head_scale": scaled},
                False: {"tied": False, "head_scale": False},
            },
            # the key of `transformers` 5 for T5
            "scale_decoder_outputs": {True: {"head_scale": scaled}, False: {"head_scale": False}, None: {}},
        },
        fixed={
            "type_vocab_size": 0,
            "max_position_embeddings": 2**30,  # no limit
            "initializer_range": 0.05,
            "positions": "none",
            "embedding_norm": False,
            "norm": "rms",
            "norm_place": "pre",
            "final_norm": True,
            "bias": False,
            "attention_scale": 1.0,
        },
        ignored=("layer.1.EncDecAttention.relative_attention_bias.weight",),
    )


T5 = _family("T5", True)
MT5 = _family(
    "MT5",
    False,
    vocab_size=250112,
    d_ff=1024,
    num_layers=8,
    num_heads=6,
    feed_forward_proj="gated-gelu",
    tie_word_embeddings=False,
)
