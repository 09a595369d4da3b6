"""Small random encoders with a head, readable by `transformers` 4 and 5.

As in tests/small_checkpoints.py, nothing here imports torch, `transformers` or gatonegro, and the bits are the same
everywhere.
"""

import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from small_checkpoints import ENGLISH, SPANISH, dense, norm, train_bytes, train_pieces, write
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

WIDTH, INNER, LAYERS, HEADS, POSITIONS = 32, 64, 2, 4, 64
WORDS = sorted({word.strip(".,;:!?¡¿").lower() for word in (SPANISH + " " + ENGLISH).split()})
LETTERS = sorted(set((SPANISH + ENGLISH).lower()) - set(" \n"))
SPECIAL = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
NLI = {"0": "contradiction", "1": "neutral", "2": "entailment"}
# kind → class of the family in `transformers`, prefix, and values of config.json
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("Bert", "bert", {"type_vocab_size": 2, "pad_token_id": 0}),
    "roberta": ("Roberta", "roberta", {"type_vocab_size": 1, "pad_token_id": 1}),
    "xlm-roberta": ("XLMRoberta", "roberta", {"type_vocab_size": 1, "pad_token_id": 1}),
    "distilbert": ("DistilBert", "distilbert", {"pad_token_id": 0}),
}
HEAD_CLASSES = {
    "question-answering": "ForQuestionAnswering",
    "sequence-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",  # not of "distilbert", as the next
    "masked-lm": "ForMaskedLM",  # of "bert"
}


def make_encoder(kind: str, head: str, folder: Path, **config: Any) -> Path:
    """Write a checkpoint of a kind, a key of FAMILIES, with a head of HEAD_CLASSES; `config` overrides config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    name, prefix, values = FAMILIES[kind]
    values = values | {"architectures": [name + HEAD_CLASSES[head]], "model_type": kind, "torch_dtype": "float32"}
    values |= {"vocab_size": len(TOKENIZERS[kind](folder)), "max_position_embeddings": POSITIONS + 2 * ("rob" in kind)}
    if kind == "distilbert":
        values |= {"dim": WIDTH, "hidden_dim": INNER, "n_layers": LAYERS, "n_heads": HEADS}
    else:
        values |= {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS}
        values |= {"num_attention_heads": HEADS}
    if head == "sequence-classification":
        values |= {"id2label": NLI, "label2id": {label: int(i) for i, label in NLI.items()}}
    values |= config
    write(folder / "config.json", values)
    shapes = distilbert(values, head) if kind == "distilbert" else bert(values, prefix, head)
    save_file({name: draw(name, shape) for name, shape in sorted(shapes)}, folder / "model.safetensors")
    return folder


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64([7, zlib.crc32(name.encode())]))
    values = random.random(shape) * 2 - 1
    if "norm" in name.lower():
        values = 0.1 * values + name.endswith("weight")
    elif name.endswith(".bias"):
        values *= 0.2
    elif "embeddings" not in name:
        values *= 0.5
    return values.astype(np.float32)


def bert(config: dict[str, Any], prefix: str, head: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    names = ("word", "position", "token_type")
    for name, key in zip(names, ("vocab_size", "max_position_embeddings", "type_vocab_size"), strict=True):
        yield f"{prefix}.embeddings.{name}_embeddings.weight", (config[key], WIDTH)
    yield from norm(f"{prefix}.embeddings.LayerNorm", WIDTH)
    for i in range(LAYERS):
        layer = f"{prefix}.encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from dense(f"{layer}.attention.{part}", WIDTH, WIDTH)
        yield from norm(f"{layer}.attention.output.LayerNorm", WIDTH)
        yield from dense(f"{layer}.intermediate.dense", INNER, WIDTH)
        yield from dense(f"{layer}.output.dense", WIDTH, INNER)
        yield from norm(f"{layer}.output.LayerNorm", WIDTH)
    if head == "question-answering":
        yield from dense("qa_outputs", 2, WIDTH)
    elif head == "token-classification":
        yield from dense("classifier", len(config["id2label"]), WIDTH)
    elif head == "masked-lm":
        yield from dense("cls.predictions.transform.dense", WIDTH, WIDTH)
        yield from norm("cls.predictions.transform.LayerNorm", WIDTH)
        yield "cls.predictions.bias", (config["vocab_size"],)
    else:
        inner, output = (
            ("bert.pooler.dense", "classifier") if prefix == "bert" else ("classifier.dense", "classifier.out_proj")
        )
        yield from dense(inner, WIDTH, WIDTH)
        yield from dense(output, len(config["id2label"]), WIDTH)


def distilbert(config: dict[str, Any], head: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, key in (("word", "vocab_size"), ("position", "max_position_embeddings")):
        yield f"distilbert.embeddings.{name}_embeddings.weight", (config[key], WIDTH)
    yield from norm("distilbert.embeddings.LayerNorm", WIDTH)
    for i in range(LAYERS):
        layer = f"distilbert.transformer.layer.{i}"
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            yield from dense(f"{layer}.attention.{part}", WIDTH, WIDTH)
        yield from norm(f"{layer}.sa_layer_norm", WIDTH)
        yield from dense(f"{layer}.ffn.lin1", INNER, WIDTH)
        yield from dense(f"{layer}.ffn.lin2", WIDTH, INNER)
        yield from norm(f"{layer}.output_layer_norm", WIDTH)
    if head == "question-answering":
        yield from dense("qa_outputs", 2, WIDTH)
    else:
        yield from dense("pre_classifier", WIDTH, WIDTH)
        yield from dense("classifier", len(config["id2label"]), WIDTH)


def wordpiece_files(folder: Path, name: str = "BertTokenizer") -> list[str]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [word for word in WORDS if len(word) < 8]  # longer ones are several tokens
    vocabulary = list(dict.fromkeys([*special, *LETTERS, *("##" + letter for letter in LETTERS), *words]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": name, "do_lower_case": True, "strip_accents": False}
    write(folder / "tokenizer_config.json", settings | {"model_max_length": POSITIONS})
    return vocabulary


def roberta_files(folder: Path) -> list[str]:
    write(folder / "tokenizer_config.json", {"tokenizer_class": "RobertaTokenizer", "model_max_length": POSITIONS})
    return train_bytes(folder, ["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])[0]


def xlm_roberta_files(folder: Path) -> list[str]:
    """Write a tokenizer.json, since versions 4 and 5 of `transformers` make different ones of SentencePiece's model."""
    import sentencepiece

    file = folder / "pieces"
    pieces = train_pieces(file, [*SPANISH.splitlines(), *ENGLISH.splitlines()])
    trained = sentencepiece.SentencePieceProcessor(model_file=str(file))
    file.unlink()
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces[3:], "<mask>"]
    scores = [0.0] * 4 + [round(trained.get_score(i), 3) for i in range(3, len(pieces))] + [0.0]
    tokenizer = Tokenizer(models.Unigram(list(zip(vocabulary, scores, strict=True)), unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {f"{name}_token": token for name, token in SPECIAL.items()}
    settings |= {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": POSITIONS}
    write(folder / "tokenizer_config.json", settings)
    return vocabulary


TOKENIZERS = {
    "bert": wordpiece_files,
    "roberta": roberta_files,
    "xlm-roberta": xlm_roberta_files,
    "distilbert": partial(wordpiece_files, name="DistilBertTokenizer"),
}
