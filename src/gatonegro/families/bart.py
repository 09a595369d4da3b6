"""BART, https://arxiv.org/abs/1910.13461, and Marian, https://arxiv.org/abs/1804.00344, whose names are BART's.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/bart/modeling_bart.py
https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/modeling_marian.py
"""

from __future__ import annotations

from gatonegro.families.family import Family, Head, Row

SHARED: tuple[Row, ...] = (  # the same words are read and written
    ("shared.weight", "embeddings.tokens.weight"),
    ("encoder.embed_tokens.weight", "embeddings.tokens.weight", "share"),
    ("decoder.embed_tokens.weight", "embeddings.tokens.weight", "share"),
)


def _layers(stack: str, attentions: dict[str, str]) -> tuple[Row, ...]:
    """The rows of an encoder or a decoder, whose `attentions` are {its name in the checkpoint: ours}."""
    layer = f"{stack}.layers.{{i}}"  # as in the house
    parts = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}
    return (
        *(
            (f"{layer}.{name}.{part}.*", f"{layer}.{own}.{mine}.*")
            for name, own in attentions.items()
            for part, mine in parts.items()
        ),
        *((f"{layer}.{name}_layer_norm.*", f"{layer}.{own}_add.norm.*") for name, own in attentions.items()),
        (f"{layer}.fc1.*", f"{layer}.feed_forward.up.*"),
        (f"{layer}.fc2.*", f"{layer}.feed_forward.down.*"),
        (f"{layer}.final_layer_norm.*", f"{layer}.feed_forward_add.norm.*"),
    )


def _family(
    name: str,
    generator: str,
    words: dict[str, int],
    rows: tuple[Row, ...],
    ignored: tuple[str, ...] = (),
    **fixed: object,
) -> Family:
    return Family(
        prefix="model.",
        rows=(
            *SHARED,
            *rows,
            *_layers("encoder", {"self_attn": "attention"}),
            *_layers("decoder", {"self_attn": "attention", "encoder_attn": "cross_attention"}),
        ),
        heads={
            "none": Head(f"{name}Model"),
            "seq2seq-lm": Head(
                generator, (("final_logits_bias", "head.bias"), ("lm_head.weight", "embeddings.tokens.weight", "share"))
            ),
        },
        keys={
            "hidden_size": "d_model",
            "num_hidden_layers": "encoder_layers",
            "num_attention_heads": "encoder_attention_heads",
            "intermediate_size": "encoder_ffn_dim",
            "hidden_act": "activation_function",
            "hidden_dropout_prob": "dropout",
            "attention_probs_dropout_prob": "attention_dropout",
            "initializer_range": "init_std",
        },
        decoder_keys={
            "num_hidden_layers": "decoder_layers",
            "num_attention_heads": "decoder_attention_heads",
            "intermediate_size": "decoder_ffn_dim",
        },
        defaults={
            "d_model": 1024,
            "encoder_layers": 12,
            "encoder_attention_heads": 16,
            "encoder_ffn_dim": 4096,
            "decoder_layers": 12,
            "decoder_attention_heads": 16,
            "decoder_ffn_dim": 4096,
            "max_position_embeddings": 1024,
            "activation_function": "gelu",
            "dropout": 0.1,
            "attention_dropout": 0.0,
            "init_std": 0.02,
            "scale_embedding": False,
            **words,
        },
        meanings={"scale_embedding": {False: {"embedding_scale": False}, True: {"embedding_scale": True}}},
        fixed={"type_vocab_size": 0, "layer_norm_eps": 1e-5, "head_bias": True, **fixed},
        ignored=ignored,
        refused={"normalize_before": False, "share_encoder_decoder_embeddings": True},
    )


LEARNED: tuple[Row, ...] = tuple(
    (f"{stack}.{theirs}", f"{ours}.{part}")
    for stack, ours in (("encoder", "embeddings"), ("decoder", "decoder_embeddings"))
    for theirs, part in (("embed_positions.weight", "positions.weight"), ("layernorm_embedding.*", "norm.*"))
)

BART = _family(
    "Bart", "BartForConditionalGeneration", {"vocab_size": 50265, "pad_token_id": 1}, LEARNED, first_position=2
)
MARIAN = _family(
    "Marian",
    "MarianMTModel",
    {"vocab_size": 58101, "pad_token_id": 58100},
    (),
    ("encoder.version", "decoder.version", "embed_positions.weight"),
    positions="sinusoid",
    embedding_norm=False,
)
