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
    parts = {"k_proj": "key", "v_proj": "value", "q_proj": "query", "out_proj": "output"}
    rows: list[NameRow] = []
    for name, target in attentions.items():
        rows += [(f"{layer}.{name}.{part}.*", f"{layer}.{target}.{mine}.*") for part, mine in parts.items()]
        rows.append((f"{layer}.{name}_layer_norm.*", f"{layer}.{target}_add.norm.*"))
    return (
        *rows,
        (f"{layer}.fc1.*", f"{layer}.feed_forward.up.*"),
        (f"{layer}.fc2.*", f"{layer}.feed_forward.down.*"),
        (f"{layer}.final_layer_norm.*", f"{layer}.feed_forward_add.norm.*"),
    )


def _rows(norm: bool) -> tuple[NameRow, ...]:
    """Return the table of BART, whose embeddings have a norm, or of Marian."""
    shared, *tied = SHARED_EMBEDDING_ROWS
    rows = [shared]
    attentions = {"self_attn": "attention", "encoder_attn": "cross_attention"}
    for row, stack, embeddings in zip(tied, ("encoder", "decoder"), ("embeddings", "decoder_embeddings"), strict=True):
        rows += [row, (f"{stack}.embed_positions.weight", f"{embeddings}.positions.weight")]  # Marian: computed
        rows += _layers(stack, attentions if stack == "decoder" else {"self_attn": "attention"})
        rows += [(f"{stack}.layernorm_embedding.*", f"{embeddings}.norm.*")] if norm else []
    return tuple(rows)


CLASSIFIER_ROWS = (
    ("classification_head.dense.*", "head.dense.*"),
    ("classification_head.out_proj.*", "head.output.*"),
)
LM_HEAD_ROWS = (("final_logits_bias", "head.bias"), ("lm_head.weight", "embeddings.tokens.weight", "tie"))

BART = Family(
    prefix="model.",
    rows=_rows(norm=True),
    heads={
        "none": Head("BartModel"),
        "seq2seq-lm": Head("BartForConditionalGeneration", LM_HEAD_ROWS),
        "sequence-classification": Head("BartForSequenceClassification", CLASSIFIER_ROWS),
    },
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
    fixed={
        "type_vocab_size": 0,
        "layer_norm_eps": 1e-5,
        "lm_head_bias": True,
        "first_position": 2,
        "reads_source_twice": True,
    },
    required={"normalize_before": False, "share_encoder_decoder_embeddings": True},
)
MARIAN = replace(
    BART,
    rows=_rows(norm=False),
    heads={"none": Head("MarianModel"), "seq2seq-lm": Head("MarianMTModel", LM_HEAD_ROWS)},
    defaults=DEFAULTS["marian"],
    aliases={"decoder_vocab_size": "vocab_size"},
    fixed={
        **BART.fixed,
        "first_position": 0,
        "position_embedding": "sinusoid",
        "embedding_norm": False,
        "reads_source_twice": False,
    },
    ignored=("encoder.version", "decoder.version"),
)
