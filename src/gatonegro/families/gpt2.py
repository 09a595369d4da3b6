"""GPT-2, https://openai.com/index/better-language-models: a decoder that looks at itself alone.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt2/modeling_gpt2.py
"""

from gatonegro.families.family import Family, Head

ATTENTION = "decoder.layers.{i}.attention"

GPT2 = Family(
    prefix="transformer.",
    rows=(
        ("wte.weight", "embeddings.tokens.weight"),
        ("wpe.weight", "embeddings.positions.weight"),
        ("h.{i}.ln_1.*", "decoder.layers.{i}.attention_add.norm.*"),
        *(
            (
                f"h.{{i}}.attn.c_attn.{end}",
                tuple(f"{ATTENTION}.{part}.{end}" for part in ("query", "key", "value")),
                how,
            )
            for end, how in (("weight", "transpose split"), ("bias", "split"))
        ),
        ("h.{i}.attn.c_proj.weight", ATTENTION + ".output.weight", "transpose"),
        ("h.{i}.attn.c_proj.bias", ATTENTION + ".output.bias"),
        ("h.{i}.ln_2.*", "decoder.layers.{i}.feed_forward_add.norm.*"),
        ("h.{i}.mlp.c_fc.weight", "decoder.layers.{i}.feed_forward.up.weight", "transpose"),
        ("h.{i}.mlp.c_fc.bias", "decoder.layers.{i}.feed_forward.up.bias"),
        ("h.{i}.mlp.c_proj.weight", "decoder.layers.{i}.feed_forward.down.weight", "transpose"),
        ("h.{i}.mlp.c_proj.bias", "decoder.layers.{i}.feed_forward.down.bias"),
        ("ln_f.*", "decoder.norm.*"),
    ),
    heads={
        "none": Head("GPT2Model"),
        "causal-lm": Head("GPT2LMHeadModel", (("lm_head.weight", "embeddings.tokens.weight", "share"),)),
    },
    keys={
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
    defaults={
        "vocab_size": 50257,
        "n_embd": 768,
        "n_layer": 12,
        "n_head": 12,
        "n_positions": 1024,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "resid_pdrop": 0.1,
        "attn_pdrop": 0.1,
        "initializer_range": 0.02,
    },
    fixed={
        "type_vocab_size": 0,
        "embedding_norm": False,
        "norm_place": "pre",
        "final_norm": True,
        "decoder_only": True,
    },
    ignored=(".attn.bias", ".attn.masked_bias"),
    refused={
        "add_cross_attention": False,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "tie_word_embeddings": True,
    },
)
