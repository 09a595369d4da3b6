"""Tensor names and `config.json` keys of T5, https://arxiv.org/abs/1910.10683, and mT5.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py
"""

from __future__ import annotations

from gatonegro.families.bart import SHARED_EMBEDDING_ROWS
from gatonegro.families.family import DEFAULTS, Family, Head, NameRow


def _layers(stack: str, attentions: dict[str, str]) -> tuple[NameRow, ...]:
    """Return the table that maps a checkpoint's tensor names to the model's, for T5's encoder or decoder layers."""
    layer = f"{stack}.layers.{{i}}"
    rows: list[NameRow] = []
    for number, (name, target) in enumerate(attentions.items()):
        sublayer = f"{stack}.block.{{i}}.layer.{number}"
        for part, target_part in {"q": "query", "k": "key", "v": "value", "o": "output"}.items():
            rows.append((f"{sublayer}.{name}.{part}.weight", f"{layer}.{target}.{target_part}.weight"))
        if not number:  # the first layer's, which all others use
            bias = f"{sublayer}.{name}.relative_attention_bias.weight"
            rows.append((bias, f"{stack}.relative.scores.weight", "first"))
        rows.append((f"{sublayer}.layer_norm.weight", f"{layer}.{target}_add.norm.weight"))
    sublayer = f"{stack}.block.{{i}}.layer.{len(attentions)}"
    for part, target_part in {"wi": "up", "wi_0": "gate", "wi_1": "value", "wo": "down"}.items():
        rows.append((f"{sublayer}.DenseReluDense.{part}.weight", f"{layer}.feed_forward.{target_part}.weight"))
    return (
        *rows,
        (f"{sublayer}.layer_norm.weight", f"{layer}.feed_forward_add.norm.weight"),
        (f"{stack}.final_layer_norm.weight", f"{stack}.norm.weight"),
    )


def _family(name: str, scaled: bool) -> Family:
    scale = "scale_decoder_outputs"
    return Family(
        prefix="",
        rows=(
            *SHARED_EMBEDDING_ROWS[:2],
            *_layers("encoder", {"SelfAttention": "attention"}),
            SHARED_EMBEDDING_ROWS[2],
            *_layers("decoder", {"SelfAttention": "attention", "EncDecAttention": "cross_attention"}),
        ),
        heads={
            "none": Head(f"{name}Model"),
            "seq2seq-lm": Head(f"{name}ForConditionalGeneration", (("lm_head.weight", "head.output.weight"),)),
        },
        attribute_map={
            "hidden_size": "d_model",
            "num_hidden_layers": "num_layers",
            "num_attention_heads": "num_heads",
            "intermediate_size": "d_ff",
            "d_kv": "d_kv",
            "head_dim": "d_kv",
            "relative_attention_num_buckets": "relative_attention_num_buckets",
            "relative_attention_max_distance": "relative_attention_max_distance",
            "layer_norm_eps": "layer_norm_epsilon",
            "hidden_dropout_prob": "dropout_rate",
            "attention_probs_dropout_prob": "dropout_rate",
        },
        decoder_attribute_map={"num_hidden_layers": "num_decoder_layers"},
        defaults={**DEFAULTS[name.lower()], "tie_word_embeddings": True},
        aliases={"dense_act_fn": "hidden_act", "is_gated_act": "is_gated_act"},
        value_map={
            "feed_forward_proj": {
                "relu": {"hidden_act": "relu", "is_gated_act": False},
                "gated-gelu": {"hidden_act": "gelu_new", "is_gated_act": True},
                "gated-silu": {"hidden_act": "silu", "is_gated_act": True},
            },
            "tie_word_embeddings": {
                True: {"tie_word_embeddings": True, scale: scaled},
                False: {"tie_word_embeddings": False, scale: False},
            },
            # the key of `transformers` 5 for T5
            **({scale: {True: {scale: True}, False: {scale: False}, None: {}}} if scaled else {}),
        },
        fixed={
            "type_vocab_size": 0,
            "max_position_embeddings": 2**30,  # no limit
            "initializer_range": 0.05,
            "position_embedding": "none",
            "embedding_norm": False,
            "norm": "rms",
            "pre_norm": True,
            "final_norm": True,
            "bias": False,
            "attention_scale": 1.0,
        },
        ignored=("layer.1.EncDecAttention.relative_attention_bias.weight",),
    )


T5, MT5 = _family("T5", True), _family("MT5", False)
