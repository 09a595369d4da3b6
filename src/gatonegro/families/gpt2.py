"""Tensor names and `config.json` keys of GPT-2, a decoder, https://openai.com/index/better-language-models.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt2/modeling_gpt2.py
"""

from gatonegro.families.family import DEFAULTS, Family, Head

LAYER = "decoder.layers.{i}"

GPT2 = Family(
    prefix="transformer.",
    rows=(
        ("wte.weight", "embeddings.tokens.weight"),
        ("wpe.weight", "embeddings.positions.weight"),
        ("h.{i}.ln_1.*", f"{LAYER}.attention_add.norm.*"),
        (
            "h.{i}.attn.c_attn.*",
            tuple(f"{LAYER}.attention.{part}.*" for part in ("query", "key", "value")),
            "transpose split",
        ),
        ("h.{i}.attn.c_proj.*", f"{LAYER}.attention.output.*", "transpose"),
        ("h.{i}.ln_2.*", f"{LAYER}.feed_forward_add.norm.*"),
        ("h.{i}.mlp.c_fc.*", f"{LAYER}.feed_forward.up.*", "transpose"),
        ("h.{i}.mlp.c_proj.*", f"{LAYER}.feed_forward.down.*", "transpose"),
        ("ln_f.*", "decoder.norm.*"),
    ),
    heads={
        "none": Head("GPT2Model"),
        "causal-lm": Head("GPT2LMHeadModel", (("lm_head.weight", "embeddings.tokens.weight", "tie"),)),
    },
    attribute_map={
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "intermediate_size": "n_inner",
        "max_position_embeddings": "n_positions",
        "hidden_act": "activation_function",
        "layer_norm_eps": "layer_norm_epsilon",
        "hidden_dropout_prob": "resid_pdrop",
        "attention_probs_dropout_prob": "attn_pdrop",
    },
    defaults=DEFAULTS["gpt2"],
    fixed={
        "type_vocab_size": 0,
        "embedding_norm": False,
        "pre_norm": True,
        "final_norm": True,
        "decoder_only": True,
    },
    ignored=(".attn.bias", ".attn.masked_bias"),
    required={
        "add_cross_attention": False,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "tie_word_embeddings": True,
    },
)
