"""Tensor names and config.json keys of RoBERTa, https://arxiv.org/abs/1907.11692, XLM-RoBERTa and CamemBERT.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py
"""

from gatonegro.families.bert import EMBEDDING_ROWS, LAYER_ROWS, REQUIRED_VALUES, SPAN_ROWS
from gatonegro.families.family import DEFAULTS, Family, Head


def _family(name: str, model_type: str) -> Family:
    return Family(
        prefix="roberta.",
        rows=(EMBEDDING_ROWS[0], *EMBEDDING_ROWS[2:], EMBEDDING_ROWS[1], *LAYER_ROWS),
        heads={
            "pooler": Head(f"{name}Model", (("roberta.pooler.dense.*", "head.dense.*"),)),
            "sequence-classification": Head(
                f"{name}ForSequenceClassification",
                (("classifier.dense.*", "head.dense.*"), ("classifier.out_proj.*", "head.output.*")),
            ),
            "token-classification": Head(f"{name}ForTokenClassification", (("classifier.*", "head.output.*"),)),
            "question-answering": Head(f"{name}ForQuestionAnswering", SPAN_ROWS),
            "masked-lm": Head(
                f"{name}ForMaskedLM",
                (
                    ("lm_head.bias", "head.bias"),
                    ("lm_head.dense.*", "head.dense.*"),
                    ("lm_head.layer_norm.*", "head.norm.*"),
                    ("lm_head.decoder.weight", "embeddings.tokens.weight", "tie"),
                    ("lm_head.decoder.bias", "head.bias", "tie"),
                ),
            ),
        },
        defaults=DEFAULTS[model_type],
        fixed={"position_rule": "count"},
        ignored=("embeddings.position_ids",),
        required=REQUIRED_VALUES,
    )


ROBERTA = _family("Roberta", "roberta")
XLM_ROBERTA = _family("XLMRoberta", "xlm-roberta")
CAMEMBERT = _family("Camembert", "camembert")
