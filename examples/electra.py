"""ELECTRA, https://arxiv.org/abs/2003.10555: BERT's encoder, trained to find replaced words; no pooler.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/electra/modeling_electra.py
"""

from gatonegro.families.bert import DEFAULTS, EMBEDDING_ROWS, LAYER_ROWS, REQUIRED_VALUES
from gatonegro.families.family import Family, Head

ELECTRA = Family(
    prefix="electra.",
    rows=EMBEDDING_ROWS + LAYER_ROWS,
    heads={
        "none": Head("ElectraModel"),
        "sequence-classification": Head(
            "ElectraForSequenceClassification",
            (("classifier.dense.*", "head.dense.*"), ("classifier.out_proj.*", "head.output.*")),
        ),
        "token-classification": Head("ElectraForTokenClassification", (("classifier.*", "head.output.*"),)),
        "masked-lm": Head(
            "ElectraForMaskedLM",
            (
                ("generator_predictions.dense.*", "head.dense.*"),
                ("generator_predictions.LayerNorm.*", "head.norm.*"),
                ("generator_lm_head.bias", "head.bias"),
                ("generator_lm_head.weight", "embeddings.tokens.weight", "tie"),
            ),
        ),
    },
    defaults=DEFAULTS | {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024},
    fixed={"classifier_act": "gelu"},
    ignored=(
        "embeddings.position_ids",
        "discriminator_predictions.dense.weight",
        "discriminator_predictions.dense.bias",
        "discriminator_predictions.dense_prediction.weight",
        "discriminator_predictions.dense_prediction.bias",
    ),
    required=REQUIRED_VALUES,
)
