"""Tensor names and `config.json` keys of BERT, https://arxiv.org/abs/1810.04805, which RoBERTa mostly shares.

https://github.com/huggingface/transformers/blob/main/src/transformers/models/bert/modeling_bert.py
"""

from gatonegro.families.family import DEFAULTS, Family, Head, NameRow

EMBEDDING_ROWS: tuple[NameRow, ...] = (
    ("embeddings.word_embeddings.weight", "embeddings.tokens.weight"),
    ("embeddings.position_embeddings.weight", "embeddings.positions.weight"),
    ("embeddings.token_type_embeddings.weight", "embeddings.token_types.weight"),
    ("embeddings.LayerNorm.*", "embeddings.norm.*"),
)
LAYER_ROWS: tuple[NameRow, ...] = (
    ("encoder.layer.{i}.attention.self.query.*", "encoder.layers.{i}.attention.query.*"),
    ("encoder.layer.{i}.attention.self.key.*", "encoder.layers.{i}.attention.key.*"),
    ("encoder.layer.{i}.attention.self.value.*", "encoder.layers.{i}.attention.value.*"),
    ("encoder.layer.{i}.attention.output.dense.*", "encoder.layers.{i}.attention.output.*"),
    ("encoder.layer.{i}.attention.output.LayerNorm.*", "encoder.layers.{i}.attention_add.norm.*"),
    ("encoder.layer.{i}.intermediate.dense.*", "encoder.layers.{i}.feed_forward.up.*"),
    ("encoder.layer.{i}.output.dense.*", "encoder.layers.{i}.feed_forward.down.*"),
    ("encoder.layer.{i}.output.LayerNorm.*", "encoder.layers.{i}.feed_forward_add.norm.*"),
)
SPAN_ROWS: tuple[NameRow, ...] = (("qa_outputs.*", "head.output.*"),)  # of all families
REQUIRED_VALUES = {"is_decoder": False, "add_cross_attention": False, "position_embedding_type": "absolute"}

BERT = Family(
    prefix="bert.",
    rows=EMBEDDING_ROWS + LAYER_ROWS,
    heads={
        "pooler": Head("BertModel", (("bert.pooler.dense.*", "head.dense.*"),)),
        "sequence-classification": Head(
            "BertForSequenceClassification",
            (("bert.pooler.dense.*", "head.dense.*"), ("classifier.*", "head.output.*")),
        ),
        "token-classification": Head("BertForTokenClassification", (("classifier.*", "head.output.*"),)),
        "question-answering": Head("BertForQuestionAnswering", SPAN_ROWS),
        "masked-lm": Head(
            "BertForMaskedLM",
            (
                ("cls.predictions.bias", "head.bias"),
                ("cls.predictions.transform.dense.*", "head.dense.*"),
                ("cls.predictions.transform.LayerNorm.*", "head.norm.*"),
                ("cls.predictions.decoder.weight", "embeddings.tokens.weight", "tie"),
                ("cls.predictions.decoder.bias", "head.bias", "tie"),
            ),
        ),
    },
    defaults=DEFAULTS["bert"],
    ignored=("embeddings.position_ids", "cls.seq_relationship.weight", "cls.seq_relationship.bias"),
    required=REQUIRED_VALUES,
)
