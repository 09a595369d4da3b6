"""Tensor names and `config.json` keys of DistilBERT, a smaller BERT, https://arxiv.org/abs/1910.01108.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/distilbert/modeling_distilbert.py
"""

from gatonegro.families.bert import SPAN_ROWS
from gatonegro.families.family import DEFAULTS, Family, Head

DISTILBERT = Family(
    prefix="distilbert.",
    rows=(
        ("embeddings.word_embeddings.weight", "embeddings.tokens.weight"),
        ("embeddings.position_embeddings.weight", "embeddings.positions.weight"),
        ("embeddings.LayerNorm.*", "embeddings.norm.*"),
        ("transformer.layer.{i}.attention.q_lin.*", "encoder.layers.{i}.attention.query.*"),
        ("transformer.layer.{i}.attention.k_lin.*", "encoder.layers.{i}.attention.key.*"),
        ("transformer.layer.{i}.attention.v_lin.*", "encoder.layers.{i}.attention.value.*"),
        ("transformer.layer.{i}.attention.out_lin.*", "encoder.layers.{i}.attention.output.*"),
        ("transformer.layer.{i}.sa_layer_norm.*", "encoder.layers.{i}.attention_add.norm.*"),
        ("transformer.layer.{i}.ffn.lin1.*", "encoder.layers.{i}.feed_forward.up.*"),
        ("transformer.layer.{i}.ffn.lin2.*", "encoder.layers.{i}.feed_forward.down.*"),
        ("transformer.layer.{i}.output_layer_norm.*", "encoder.layers.{i}.feed_forward_add.norm.*"),
    ),
    heads={
        "none": Head("DistilBertModel"),
        "sequence-classification": Head(
            "DistilBertForSequenceClassification",
            (("pre_classifier.*", "head.dense.*"), ("classifier.*", "head.output.*")),
        ),
        "token-classification": Head("DistilBertForTokenClassification", (("classifier.*", "head.output.*"),)),
        "question-answering": Head("DistilBertForQuestionAnswering", SPAN_ROWS),
        "masked-lm": Head(
            "DistilBertForMaskedLM",
            (
                ("vocab_transform.*", "head.dense.*"),
                ("vocab_layer_norm.*", "head.norm.*"),
                ("vocab_projector.weight", "embeddings.tokens.weight", "tie"),
                ("vocab_projector.bias", "head.bias"),
            ),
        ),
    },
    attribute_map={
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
        "sequence_dropout": "seq_classif_dropout",
        "span_dropout": "qa_dropout",
    },
    defaults=DEFAULTS["distilbert"],
    fixed={"type_vocab_size": 0, "layer_norm_eps": 1e-12, "classifier_act": "relu"},
    ignored=("embeddings.position_ids",),
)
