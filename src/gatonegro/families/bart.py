"""Tensor and config names of BART, https://arxiv.org/abs/1910.13461, and Marian, https://arxiv.org/abs/1804.00344.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/bart/modeling_bart.py
https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/modeling_marian.py
"""

from __future__ import annotations

from dataclasses import replace

from gatonegro.families.family import DEFAULTS, Family, Head, NameRow

SHARED_EMBEDDING_ROWS: tuple[NameRow, ...] = (  # encoder and decoder share one vocabulary
    ("shared.weight", "embeddings.tokens.weight"),
    ("encoder.embed_tokens.weight", "embeddings.tokens.weight", "tie"),
    ("decoder.embed_tokens.weight", "embeddings.tokens.weight", "tie"),
)


def _layers(stack: str, attentions: dict[str, str]) -> tuple[NameRow, ...]:
    """Return the table that maps a checkpoint's tensor names to the model's, for BART's encoder or decoder layers."""
    layer = f"{stack}.layers.{{i}}"  # in both
    parts = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
    return (
        *(
            (f"{layer}.{name}.{part}.*", f"{layer}.{target}.{target_part}.*")
            for name, target in attentions.items()
            for part, target_part in parts.items()
        ),
        *((f"{layer}.{name}_layer_norm.*", f"{layer}.{target}_add.norm.*") for name, target in attentions.items()),
        (f"{layer}.fc1.*", f"{layer}.feed_forward.up.*"),
        (f"{layer}.fc2.*", f"{layer}.feed_forward.down.*"),
        (f"{layer}.final_layer_norm.*", f"{layer}.feed_forward_add.norm.*"),
    )


LAYER_ROWS = (
    *_layers("encoder", {"self_attn": "attention"}),
    *_layers("decoder", {"self_attn": "attention", "encoder_attn": "cross_attention"}),
)
LM_HEAD_ROWS = (("final_logits_bias", "head.bias"), ("lm_head.weight", "embeddings.tokens.weight", "tie"))

BART = Family(
    prefix="model.",
    rows=(
        *SHARED_EMBEDDING_ROWS,
        ("encoder.embed_positions.weight", "embeddings.positions.weight"),
        ("encoder.layernorm_embedding.*", "embeddings.norm.*"),
        ("decoder.embed_positions.weight", "decoder_embeddings.positions.weight"),
        ("decoder.layernorm_embedding.*", "decoder_embeddings.norm.*"),
        *LAYER_ROWS,
    ),
    heads={"none": Head("BartModel"), "seq2seq-lm": Head("BartForConditionalGeneration", LM_HEAD_ROWS)},
    attribute_map={
        "hidden_size": "d_model",
        "num_hidden_layers": "encoder_layers",
        "num_attention_heads": "encoder_attention_heads",
        "intermediate_size": "encoder_ffn_dim",
        "hidden_act": "activation_function",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
        "initializer_range": "init_std",
    },
    decoder_attribute_map={
        "num_hidden_layers": "decoder_layers",
        "num_attention_heads": "decoder_attention_heads",
        "intermediate_size": "decoder_ffn_dim",
    },
    defaults=DEFAULTS["bart"],
    value_map={"scale_embedding": {False: {"scale_embedding": False}, True: {"scale_embedding": True}}},
    fixed={"type_vocab_size": 0, "layer_norm_eps": 1e-5, "lm_head_bias": True, "first_position": 2},
    required={"normalize_before": False, "share_encoder_decoder_embeddings": True},
)
MARIAN = replace(
    BART,
    rows=(
        *SHARED_EMBEDDING_ROWS,
        *LAYER_ROWS,
        (
            "encoder.embed_positions.weight",
            "embeddings.positions.weight",
        ),  # computed, not stored
        ("decoder.embed_positions.weight", "decoder_embeddings.positions.weight"),
    ),
    heads={"none": Head("MarianModel"), "seq2seq-lm": Head("MarianMTModel", LM_HEAD_ROWS)},
    defaults=DEFAULTS["marian"],
    aliases={"decoder_vocab_size": "vocab_size"},
    fixed={**BART.fixed, "first_position": 0, "position_embedding": "sinusoid", "embedding_norm": False},
    ignored=("encoder.version", "decoder.version"),
)
