"""The undamaged models: small checkpoints of every family, tokenizer file and head, and the folders of make.py."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"  # where small models are made


def make_templates(root: Path) -> None:
    """Write one small model of each family, tokenizer file and head, and the folders of make.py."""
    sys.path.insert(0, str(TESTS))
    import make
    import small
    import small_checkpoints as generative

    from gatonegro import AutoModelForSequenceClassification, AutoTokenizer

    for kind in generative.KINDS:
        generative.make(kind, root / kind)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ".",
        ",",
        "!",
        "?",
        "¿",
        "¡",
        "el",
        "la",
        "gato",
        "perro",
        "casa",
        "es",
        "bueno",
        "malo",
    ]
    words += [letter for i in range(97, 123) for letter in (chr(i), "##" + chr(i))]
    encoders = {
        "bert-sentiment": ("bert", "sequence-classification"),
        "bert-tokens": ("bert", "token-classification"),
        "distilbert-mask": ("distilbert", "masked-lm"),
        "roberta-sentiment": ("roberta", "sequence-classification"),
        "xlm-roberta-tokens": ("xlm-roberta", "token-classification"),
        "camembert-mask": ("camembert", "masked-lm"),
    }
    for name, (family, head) in encoders.items():
        folder = root / name
        folder.mkdir()
        if family in ("bert", "distilbert"):
            (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
            generative.write(
                folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 40}
            )
            size = len(words)
        elif family == "roberta":
            size = len(generative.bart_files(folder)[0])
        else:
            file = folder / "sentencepiece.bpe.model"
            size = len(generative.train_pieces(file, generative.SPANISH.splitlines())) + 10
        labels = {"id2label": {0: "O", 1: "B-PER", 2: "I-PER"}}
        small.model(family, head, vocab_size=size, **labels).save_pretrained(folder)
    for name in ("bert-sentiment", "roberta-sentiment", "xlm-roberta-tokens", "t5", "gpt2"):  # as tokenizer.json
        folder = root / f"{name}-json"
        shutil.copytree(root / name, folder)
        for file in ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model"):
            (folder / file).unlink(missing_ok=True)
        AutoTokenizer.from_pretrained(root / name).save_pretrained(folder)
    folder = root / "bert-shards"
    shutil.copytree(root / "bert-sentiment", folder)
    (folder / "model.safetensors").unlink()
    AutoModelForSequenceClassification.from_pretrained(root / "bert-sentiment").save_pretrained(
        folder, max_shard_size="10KB"
    )
    for name in make.ATTACKS:
        folder = make.make(name, root / "attacks")
        shutil.copy(root / "bert-sentiment" / "vocab.txt", folder)
        folder.rename(root / f"attack-{name}")


def tree(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name != "attacks")
