"""Small random checkpoints of all families, with real vocabularies or with made ones, and the names that calls use."""

import ast
import builtins
import copy
import gzip
import importlib
import json
import os
import pathlib
import pickle
import random
import shutil
import tempfile
import threading
from collections import UserDict
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import safetensors.torch
import small_checkpoints
import small_encoders
import torch
import transformers
from small_checkpoints import write
from tokenizers import Tokenizer, decoders

CLASSES = {"bert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta"}
CLASSES["camembert"] = "Camembert"
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
NER = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
HEADS = {  # name of the path → class of the model, labels
    "path": ("ForSequenceClassification", ["NEG", "NEU", "POS"]),
    "nli_path": ("ForSequenceClassification", ["contradiction", "neutral", "entailment"]),
    "ner_path": ("ForTokenClassification", NER),
    "mlm_path": ("ForMaskedLM", NER),
    "qa_path": ("ForQuestionAnswering", NER[:2]),
    "base_path": ("Model", NER[:2]),
}
POSITIONS = 64
LIMIT = {"model_max_length": POSITIONS}
MADE = {**small_encoders.TOKENIZERS, "camembert": small_encoders.xlm_roberta_files, **small_checkpoints.TOKENIZERS}
MADE["mt5"] = small_checkpoints.t5_files
REAL = {  # folder of ../shared/data/tokenizers
    "bert": "beto-cased", "distilbert": "bert-base-uncased", "roberta": "roberta-base",
    "xlm-roberta": "xlm-roberta-rebuilt", "marian": "marian-es-en", "t5": "t5-small",
}  # fmt: skip


def real_vocabulary(kind: str, source: Path, folder: Path) -> list[str]:
    """Write the files of a real vocabulary as on the hub, and return its tokens."""
    settings: dict[str, Any] = {**LIMIT}
    for file in source.iterdir():
        if file.suffix in (".txt", ".json", ".model"):
            shutil.copy(file, folder / file.name)
    if kind in ("bert", "distilbert"):
        vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        settings |= {"do_lower_case": kind == "distilbert", "strip_accents": False}
        settings |= {"tokenizer_class": f"{CLASSES[kind]}Tokenizer"}
    elif kind == "xlm-roberta":
        data = gzip.decompress((source / "tokenizer.json.gz").read_bytes())
        (folder / "tokenizer.json").write_bytes(data)
        vocabulary = [token for token, _ in json.loads(data)["model"]["vocab"]]
        settings |= {f"{name}_token": token for name, token in small_encoders.SPECIAL.items()}
        settings |= {"tokenizer_class": "XLMRobertaTokenizer"}
    elif kind in ("roberta", "bart", "gpt2"):
        ids = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        vocabulary = [*sorted(ids, key=ids.get)] + ["<|endoftext|>"] * ("<|endoftext|>" not in ids)
        write(folder / "vocab.json", {token: i for i, token in enumerate(vocabulary)})
    else:
        file = next(source.iterdir())
        import sentencepiece

        pieces = sentencepiece.SentencePieceProcessor(model_file=str(file))
        vocabulary = [pieces.id_to_piece(i) for i in range(len(pieces))]
        if kind == "marian":
            vocabulary = [
                "</s>",
                "<unk>",
                *(t for t in vocabulary if t not in ("<s>", "</s>", "<unk>", "<pad>")),
                "<pad>",
            ]
            write(folder / "vocab.json", {token: i for i, token in enumerate(vocabulary)})
            for name in ("source.spm", "target.spm"):
                shutil.copy(file, folder / name)
            settings |= {"source_lang": "es", "target_lang": "en"}
        else:
            vocabulary += [f"<extra_id_{i}>" for i in reversed(range(100))]
    write(folder / "tokenizer_config.json", settings)
    return vocabulary


def keep_mask(kind: str, folder: Path) -> None:
    """Let the mask of RoBERTa's relatives take the space before it, as in their `tokenizer.json` on the hub."""
    if kind in ("roberta", "bart"):
        file = folder / "tokenizer_config.json"
        mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "normalized": False}
        settings = json.loads(file.read_text(encoding="utf-8"))
        write(file, settings | {"mask_token": mask | {"single_word": False, "special": True}})


class Checkpoints:
    """Makes checkpoints in a folder when they are first asked for.

    Args:
        root: the folder.
        shared: the folder of research data, for real vocabularies; None: made ones.
    """

    def __init__(self, root: Path, shared: Path | None):
        self.root, self.shared = root, shared
        self.path = cache(self.make)

    def vocabulary(self, kind: str, folder: Path) -> Any:
        """Write a tokenizer's files, and return what the writers of small checkpoints return."""
        if self.shared is None:
            made = MADE[kind](folder)
            keep_mask(kind, folder)
            if kind in ("xlm-roberta", "camembert"):  # as in the files of the hub
                tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
                tokenizer.decoder = decoders.Metaspace()
                tokenizer.save(str(folder / "tokenizer.json"))
            return made
        vocabulary = real_vocabulary(kind, self.shared / "data" / "tokenizers" / REAL[kind], folder)
        keep_mask(kind, folder)
        return vocabulary if kind in CLASSES else (vocabulary, vocabulary[::7])

    def make(self, kind: str, name: str) -> str:
        """Make a checkpoint of a family, with the head of a name of HEADS, and return its path."""
        if kind not in CLASSES and name != "path":
            return self.path(kind, "path")
        folder = self.root / f"{kind}-{name}"
        folder.mkdir()
        if kind not in CLASSES:
            made = {"mt5": "t5-v1.1"}.get(kind, kind)
            values = {"model_type": kind, "architectures": ["MT5ForConditionalGeneration"]} if kind == "mt5" else {}
            small_checkpoints.make(made, folder, tokenizer=lambda folder: self.vocabulary(kind, folder), **values)
            return str(folder)
        head, labels = HEADS[name]
        values = DISTILBERT if kind == "distilbert" else SIZES | {"type_vocab_size": 1 + (kind == "bert")}
        values |= {"max_position_embeddings": POSITIONS + 2 * (kind not in ("bert", "distilbert"))}
        values |= {"vocab_size": len(self.vocabulary(kind, folder)), "id2label": dict(enumerate(labels))}
        values |= {"label2id": {label: i for i, label in enumerate(labels)}}
        config = transformers.AutoConfig.for_model(kind, **values)
        model = getattr(transformers, CLASSES[kind] + head)(config)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(small_encoders.draw(key, tuple(parameter.shape))))
        model.save_pretrained(folder)
        return str(folder)


TEXTS = ["El gato negro duerme en la casa vieja.", "¡Qué película tan buena hemos visto esta noche!"]
CHAT = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }}\n{% endfor %}"
CHAT += "{% if add_generation_prompt %}<assistant> {% endif %}"
GIVEN: dict[str, Any] = {
    "text": TEXTS[0], "texts": TEXTS, "chat": CHAT, "copy": copy, "json": json, "np": np, "os": os, "pathlib": pathlib,
    "pickle": pickle, "random": random, "safetensors": safetensors, "threading": threading, "torch": torch,
    "UserDict": UserDict,
    "messages": [{"role": "user", "content": "Hola"}, {"role": "assistant", "content": "Di algo"}],
}  # fmt: skip
COMPUTED = {  # from other names, when first used
    "config": "AutoConfig.from_pretrained(path)",
    "tokenizer": "AutoTokenizer.from_pretrained(path)",
    "base": "AutoModel.from_pretrained(base_path)",
    "model": "Auto.from_pretrained(path)",
    "enc": "tokenizer(text, return_tensors='pt')",
    "batch": "tokenizer(texts, padding=True, return_tensors='pt')",
    "pipe": "pipeline(task, model=path)",
}
AUTO = {"gpt2": ("AutoModelForCausalLM", "text-generation"), **dict.fromkeys(CLASSES, (
    "AutoModelForSequenceClassification", "text-classification"
))}  # fmt: skip


class Names(dict[str, Any]):
    """The names of a call: those of a library, and small checkpoints and objects of a family.

    Args:
        library: `transformers` or `gatonegro`.
        kind: the family.
        checkpoints: makes its checkpoints.
    """

    def __init__(self, library: ModuleType, kind: str, checkpoints: Checkpoints):
        super().__init__(GIVEN)
        self.parent: Names | None = None
        self.library, self.kind, self.checkpoints = library, kind, checkpoints
        self.auto, self["task"] = AUTO.get(kind, ("AutoModelForSeq2SeqLM", "translation"))

    def run(self, call: str) -> Any:
        """Run the statements of a call, and return the value of its expression."""
        names = Names(self.library, self.kind, self.checkpoints)
        names.parent = self
        *statements, expression = ast.parse(call).body
        exec(compile(ast.Module(statements, []), call, "exec"), names)
        return eval(compile(ast.Expression(expression.value), call, "eval"), names)  # type: ignore[attr-defined]

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        if self.parent is not None and name != "tmp":
            return self.parent[name]
        if name in HEADS:
            return self.checkpoints.path(self.kind, name)
        if name == "tmp":
            return self.setdefault(name, tempfile.mkdtemp(dir=self.checkpoints.root))
        if name in COMPUTED:
            return self.setdefault(name, eval(COMPUTED[name], self))
        if name in ("pipelines", "modeling_outputs", "utils"):
            return importlib.import_module(f"{self.library.__name__}.{name}")
        try:
            return getattr(self.library, self.auto if name == "Auto" else name)
        except AttributeError as error:
            raise NameError(str(error)) from error
