"""Load and use damaged checkpoints, cards, hub answers and texts, and report every error that is none of ours.

    python attacks/fuzz.py --seconds 60                             what CI runs
    python attacks/fuzz.py --checkpoints 100000 --texts 1000000     all of it, about an hour on two cores
    python attacks/fuzz.py --replay checkpoint:4711 --keep FOLDER   one trial again; FOLDER gets its files

A trial is made from the seed, its kind and its number alone, so that a finding can be replayed. Trials run in child
processes with a limit of memory and of time: the death of a process, a trial without end and a file that takes all
memory are findings, too. A finding is an exception that is no GatonegroError, and an answer that breaks a promise
(sentences that do not add up to their text, an entity outside its text, a file outside the cache).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from queue import Empty
from random import Random
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "attacks")]

TEXTS_PER_TRIAL = 100
TRIAL_SECONDS = 20  # of CPU time, then a trial counts as endless; of ten times that on the clock, as one that hangs
TIMERS = (
    (signal.SIGPROF, signal.ITIMER_PROF, TRIAL_SECONDS),
    (signal.SIGALRM, signal.ITIMER_REAL, 10 * TRIAL_SECONDS),
)
CHUNK = 50  # trials that a child process is given at once
SHARES = {"checkpoint": 0.6, "text": 0.2, "card": 0.1, "hub": 0.1}  # of the time


class Endless(BaseException):
    """Raised in a trial after TRIAL_SECONDS; no `except Exception` may catch it."""


class BrokenPromise(AssertionError):
    """An answer that a documented promise excludes."""


# -- what is damaged: values, bytes, files

NAMES = ["gato", "", "../x", "/etc/passwd", "a" * 5000, "\ud800", "\0", "ñ", "[PAD]", "<s>", "None", "1e9", "{x}", "%s"]
NUMBERS = [0, 1, -1, 2, 3, 7, 255, 2**15, 2**31 - 1, 2**31, 2**40, 2**63, 2**64, 10**30, -(2**31), 0.5, -0.0, 1e308]


def value(r: Random, depth: int = 0) -> Any:
    """Draw a value that no configuration should have."""
    kind = r.randrange(10 if depth < 3 else 7)
    if kind < 3:
        return r.choice(NUMBERS)
    if kind < 5:
        return r.choice(NAMES)
    if kind < 7:
        return r.choice([None, True, False, float("nan"), float("inf"), [], {}])
    if kind == 7:
        return [value(r, depth + 1) for _ in range(r.randrange(4))]
    if kind == 8:
        return {r.choice(NAMES): value(r, depth + 1) for _ in range(r.randrange(4))}
    nested: Any = r.choice([1, "x"])
    for _ in range(r.choice([3, 30, 400, 3000])):
        nested = [nested] if r.random() < 0.5 else {"a": nested}
    return nested


def places(data: Any, limit: int = 4000) -> list[tuple[Any, Any]]:
    """Return (container, key) of every value in a JSON value."""
    found, open_ = [], [data]
    while open_ and len(found) < limit:
        node = open_.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            found.append((node, key))
            open_.append(node[key])
    return found


KEYS = [
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "type_vocab_size",
    "id2label",
    "label2id",
    "num_labels",
    "pad_token_id",
    "eos_token_id",
    "bos_token_id",
    "decoder_start_token_id",
    "architectures",
    "model_type",
    "languages",
    "hidden_act",
    "layer_norm_eps",
    "tie_word_embeddings",
    "torch_dtype",
    "extra_ids",
    "model_max_length",
    "added_tokens_decoder",
    "pad_token",
    "additional_special_tokens",
    "extra_special_tokens",
    "unk_token",
    "mask_token",
    "tokenizer_class",
    "do_lower_case",
    "strip_accents",
    "padding_side",
    "model_input_names",
    "bad_words_ids",
    "forced_bos_token_id",
    "max_length",
    "num_beams",
    "suppress_tokens",
    "task_specific_params",
    "no_repeat_ngram_size",
    "length_penalty",
    "temperature",
    "gatonegro_preprocess",
    "gatonegro",
    "weight_map",
    "attention_window",
    "prefix",
    "relative_attention_num_buckets",
    "head_dim",
    "d_kv",
    "position_embedding_type",
    "is_decoder",
    "is_encoder_decoder",
    "clean_up_tokenization_spaces",
    "source_lang",
    "target_lang",
    "separate_vocabs",
    "max_new_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "min_length",
]


def damage_json(r: Random, data: Any) -> Any:
    """Change one to three values of a JSON value."""
    for _ in range(r.choice([1, 1, 1, 2, 3])):
        found = places(data)
        if not found or r.random() < 0.02:
            return value(r)
        box, key = r.choice(found)
        old, kind = box[key], r.randrange(8)
        if kind < 3 or (kind < 5 and not isinstance(old, int | float)):
            box[key] = value(r)
        elif kind < 5:
            box[key] = r.choice([old + 1, old - 1, -old, old * 2, old * 10**9, old / 2, str(old), [old], float(old)])
        elif kind == 5 and isinstance(box, dict):
            del box[key]
        elif kind == 6:
            other, name = r.choice(found)
            box[key], other[name] = other[name], box[key]
        elif isinstance(data, dict):
            data[r.choice(KEYS)] = value(r)
    return data


def damage_bytes(r: Random, data: bytes) -> bytes:
    """Flip, cut, repeat or replace some bytes."""
    out = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 5])):
        at = r.randrange(len(out) + 1)
        if r.random() < 0.5:
            at = min(at, r.randrange(200))  # headers stand at the beginning
        kind = r.randrange(6)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            out[at : at + r.randrange(1, 9)] = r.randbytes(r.randrange(1, 9))
        elif kind == 2:
            out[at:at] = out[at : at + r.randrange(1, 200)] * r.choice([1, 1, 3])
        elif kind == 3:
            del out[at : at + r.randrange(1, 100)]
        elif kind == 4 and at < len(out):
            out[at] ^= 1 << r.randrange(8)
        else:
            out[at : at + 8] = r.choice([b"\xff" * 8, b"\0" * 8, b"\n" * 8, b'"' * 8, "🐈é".encode()])
    return bytes(out)


def damage_header(r: Random, data: bytes) -> bytes:
    """Change values in a safetensors header, with a length that is right."""
    n = int.from_bytes(data[:8], "little")
    try:
        header = damage_json(r, json.loads(data[8 : 8 + n]))
        text = json.dumps(header).encode()
    except (ValueError, RecursionError):
        return damage_bytes(r, data)
    return len(text).to_bytes(8, "little") + text + data[8 + n :]


def damage_file(r: Random, folder: Path, name: str) -> None:
    """Damage one file of a folder, whose files are links to the undamaged ones."""
    path, kind = folder / name, r.randrange(20)
    data = path.read_bytes() if path.is_file() else b""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == 0:
        return
    if kind == 1:
        special = r.randrange(3)
        if special == 0:
            path.mkdir()
        elif special == 1:
            path.symlink_to(name)
        else:
            path.write_bytes(b"")
        return
    if name.endswith(".json") and kind < 14:
        try:
            text = json.dumps(damage_json(r, json.loads(data)), ensure_ascii=r.random() < 0.7)
            data = text.encode(errors="surrogatepass")
        except (ValueError, RecursionError):
            data = damage_bytes(r, data)
    elif name.endswith(".safetensors") and kind < 12:
        data = damage_header(r, data)
    elif kind == 19:
        data = r.choice(sorted(p for p in folder.iterdir() if p.is_file()) or [Path(__file__)]).read_bytes()
    else:
        data = damage_bytes(r, data)
    path.write_bytes(data)


# -- the undamaged models

PIPELINE_TASKS = {"token-classification", "sequence-classification", "masked-lm", "seq2seq-lm", "causal-lm"}


def make_templates(root: Path) -> None:
    """Write one small model of each family, tokenizer file and head, and the folders of make.py."""
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


# -- the trials, each a function of its random numbers


class Trials:
    """The trials of a child process, with what they share."""

    def __init__(self, root: Path, keep: Path | None = None):
        self.templates, self.keep = tree(root), keep
        self.good = [path for path in self.templates if not path.name.startswith("attack-")]
        self.work = Path(tempfile.mkdtemp(prefix="trials-", dir=root.parent))
        self.cached: dict[str, Any] = {}

    def checkpoint(self, r: Random) -> int:
        """Damage a folder, and load and use it as its task would."""
        import torch

        from gatonegro import AutoModel, AutoTokenizer, pipeline
        from gatonegro.glassbox.diagnose import diagnose
        from gatonegro.models import load
        from gatonegro.models.loading import head_of

        template = r.choice(self.good if r.random() < 0.85 else self.templates)
        folder = self.work / f"m{r.getrandbits(48):012x}"
        folder.mkdir()
        try:
            for path in template.iterdir():
                (shutil.copytree if path.is_dir() else os.link)(path, folder / path.name)
            names = sorted(path.name for path in template.iterdir())
            for _ in range(r.choice([1, 1, 1, 2])):
                names_of = [n for n in names if n != "README.md"]
                weighted = [n for n in names_of if n.endswith(".json")] * 2 + names_of
                damage_file(r, folder, r.choice(weighted))
            if self.keep:
                shutil.copytree(folder, self.keep, symlinks=True, dirs_exist_ok=True)
            pickle, kind = r.random() < 0.1, r.randrange(20)
            first = AutoTokenizer.from_pretrained(folder) if kind % 2 else None
            if kind == 0:
                pipe = pipeline(model=folder, allow_pickle=pickle, precision="fp32")
                pipe(["el gato es bueno", "la casa"])
            elif kind == 1:
                diagnose("El gato es muy bueno", model=folder)
            else:
                head = r.choice(["pooler", None]) or head_of(folder) or "pooler"
                model = (
                    load(folder, head, allow_pickle=pickle) if head != "pooler" else AutoModel.from_pretrained(folder)
                )
                first = first or AutoTokenizer.from_pretrained(folder)
                batch = first(["el gato es bueno", "la casa"], padding=True, truncation=True, max_length=16)
                first.batch_decode(batch["input_ids"])
                ids = {k: v for k, v in first.pad(batch, return_tensors="pt").items() if k != "token_type_ids"}
                with torch.no_grad():
                    if hasattr(model, "generate") and r.random() < 0.5:
                        model.generate(**ids, max_new_tokens=3)
                    else:
                        model(**ids)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return 1

    def card(self, r: Random) -> int:
        """Read the languages of a model card that is made of random YAML."""
        from gatonegro.hub import locate
        from gatonegro.language import matching

        folder = self.work / "card"
        folder.mkdir(exist_ok=True)
        data = card(r)
        (folder / "README.md").write_bytes(data)
        if self.keep:
            shutil.copytree(folder, self.keep, dirs_exist_ok=True)
        codes = matching._card(locate(folder))
        if not all(isinstance(code, str) for code in codes):
            raise BrokenPromise(f"languages that are no text: {codes!r:.200}")
        matching.language_names(*codes)
        return 1

    def hub(self, r: Random) -> int:
        """Ask a hub that lies for the files of a model."""
        from gatonegro import download, hub

        hub.time = download.time = SimpleNamespace(sleep=lambda seconds: None)  # type: ignore[attr-defined]  # between two requests
        if "server" not in self.cached:
            self.cached["server"] = start_hub(self.work / "cache")
        server = self.cached["server"]
        server.random, server.lie = r, r.choice(LIES)
        server.kind = r.choice(["config.json", "model.safetensors", "README.md"])
        cache = self.work / "cache"
        try:
            source = hub.locate(f"alguien/modelo{r.getrandbits(30)}")
            path = source.file(server.kind)
            if path is not None and not path.resolve().is_relative_to(cache.resolve()):
                raise BrokenPromise(f"a file outside the cache: {path}")
        finally:
            outside = [p for p in self.work.iterdir() if p.name not in ("cache", "card")]
            if outside:
                for p in outside:
                    shutil.rmtree(p, ignore_errors=True) if p.is_dir() else p.unlink()
                raise BrokenPromise(f"{server.lie}: written outside the cache: {outside}")
            shutil.rmtree(cache, ignore_errors=True)
        return 1

    def text(self, r: Random) -> int:
        """Read a hundred texts with everything that reads texts."""
        from gatonegro import preprocessing
        from gatonegro.documents import lost_items, preserves_items, protected_items, split_at_items, split_sentences
        from gatonegro.language import detect_language

        texts = [text(r) for _ in range(TEXTS_PER_TRIAL)]
        if self.keep:
            self.keep.mkdir(exist_ok=True)
            (self.keep / "texts.json").write_text(json.dumps(texts, indent=1))
        for one in texts:
            for parts in (split_sentences(one, r.choice([None, None, 20])), split_at_items(one)):
                if "".join(part.text for part in parts) != one:
                    raise BrokenPromise(f"parts that do not add up: {one!r}")
            protected_items(one)
            other = r.choice(texts)
            lost_items(one, other)
            preserves_items(other, one)
            valid = one.encode(errors="ignore").decode()
            if valid == one:
                preprocessing.preprocess_tweet(one, r.choice(["es", "en"]))
                preprocessing.spell_emoji(one, lang=r.choice(["es", "en"]))
                self._document(one, other, r)
            detect_language(one)
        name = r.choice([path.name for path in self.good])
        tokenizer, pipe = self._loaded(name)
        valid = [one for one in texts if one.encode(errors="ignore").decode() == one]
        batch = tokenizer(valid, padding=tokenizer.pad_token is not None, truncation=True, max_length=32)
        tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=r.random() < 0.5)
        some = texts[: 2 if name.split("-")[0] in ("marian", "bart", "t5", "gpt2") else 6]
        for answer, one in zip(self._answers(pipe, some), some, strict=True):
            for entity in answer if isinstance(answer, list) else ():
                start, end = (entity.get(name) if isinstance(entity, dict) else None for name in ("start", "end"))
                if start is not None and not 0 <= start < end <= len(one):
                    raise BrokenPromise(f"{name}: {entity} in {one!r}")
        return len(texts)

    def _document(self, one: str, other: str, r: Random) -> None:
        """Read a text as a document to translate, and another text as its translation."""
        from gatonegro.cli.input import find_columns
        from gatonegro.documents import Direction, decimal_symbol, insert_marks, lower_capitals, split_markup

        stretches, marks = split_markup(one)
        plain = "".join(stretch.text for stretch in stretches)
        if insert_marks(plain, marks).text != one:
            raise BrokenPromise(f"marks that are lost: {one!r}")
        lowered, capitals = lower_capitals(one)
        if insert_marks(lowered, capitals).text != one:
            raise BrokenPromise(f"capitals that are lost: {one!r}")
        source, target = r.choice([("es", "en"), ("en", "es"), (None, "en"), ("fr", None)])
        direction = Direction(source, target, decimal_symbol(one, source))
        for form in direction.readings(one):
            if not 0 <= min(form.to_original(0, len(form.text))) <= len(one):
                raise BrokenPromise(f"a span outside the text: {one!r}")
        direction.localize(other, one)
        direction.preserves(one, other)
        find_columns(one.splitlines())

    def _answers(self, pipe: Any, texts: list[str]) -> list[Any]:
        from gatonegro.errors import GatonegroError

        answers = []
        for one in texts:
            try:
                answers.append(pipe(one))
            except GatonegroError:
                answers.append(None)
        return answers

    def _loaded(self, name: str) -> Any:
        from gatonegro import AutoTokenizer, pipeline

        if name not in self.cached:
            folder = next(path for path in self.good if path.name == name)
            tweets = {"preprocess": "robertuito"} if "tokens" in name else {}
            task = {"marian": "translation"}.get(name)
            options = {"max_new_tokens": 4} if name.split("-")[0] in ("bart", "t5", "gpt2", "marian") else {}
            pipe = pipeline(task, model=folder, precision="fp32", **tweets, **options)
            self.cached[name] = AutoTokenizer.from_pretrained(folder), pipe
        return self.cached[name]


YAML = [
    "5", "no", "es", "[es, en]", "[[[[", "{", "- a", "'", '"', "|", "!!int ''", "!!timestamp x", "!!binary x",
    "&a [*a]", "*a", "!!python/object:os.system x", "1: 2", "? x", "~", "2024-01-01", "!!set {a, b}", "es\tb", "null",
    "@", "`", "é", "\0", "[1, 2]", "{a: b}", "!!float x", "0x", "1e400", "<<: *x", "<<: 3", "!!omap [1]", "en-US", "%",
]  # fmt: skip


def card(r: Random) -> bytes:
    """Make a model card, whose front matter is random YAML."""
    keys = ["language", "languages", "tags", "license", "model-index", "datasets", "metrics", "eval_results", "x", "1"]
    lines = []
    for _ in range(r.choice([1, 1, 1, 2, 2, 4])):
        key = "language" if r.random() < 0.4 else r.choice(keys)
        lines.append(f"{key}: {r.choice(YAML)}" if r.random() < 0.9 else r.choice(YAML))
        for _ in range(r.choice([0, 0, 0, 0, 1, 3])):
            lines += [r.choice(["- ", "  - ", "    ", "  x: "]) + r.choice(YAML)]
    if r.random() < 0.05:
        lines.append("language: " + r.choice(["[", "{a: ", "- "]) * r.choice([10, 1000, 20_000]))
    text = (
        r.choice(["", "---\n"] * 1 + ["---\n"] * 8)
        + "\n".join(lines)
        + r.choice(["\n---\n", "\n---\n", "", "\n--"])
        + "# x"
    )
    data = text.encode(errors="surrogatepass")
    return damage_bytes(r, data) if r.random() < 0.2 else data


ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz     ", "ABCDEFG HIJKLMNÑOPQRSTUVWXYZ  ", "áéíóúüñ¿¡ aeiou.,", "0123456789.,:-/ %€$ ",
    "!?.…()[]{}<>«»\"'`*_#@~|\\/&%$ ", " \t\n\r\v\f\x1c\x85\u2028\u00a0\u200b\u200d\ufeff", "🐈😂👍🏽🇪🇸👩‍👩‍👧❤️1️⃣ a",
    "中文日本語한국어 ।॥ عربى עברית", "\x00\x01\x7f\x80\xad\u0300\u0301\u202e\ufffd\U0010ffff\ud800a",
]  # fmt: skip
FRAGMENTS = [
    *("El gato negro duerme. ", "¿Qué tal? ", "¡No! ", "The cat sleeps. ", "https://a.es/b?c=d ", "@ana ", "#UnDía "),
    *("<b>hola</b> ", "{x} ", "%s ", "1.000,50 € ", "3 p. m. ", "EE. UU. ", "jajajaja ", "s. XV ", "&amp; ", "`code` "),
    *("a@b.com ", "www.a.com ", "[MASK] ", "<s> ", "</s> ", "<pad> ", ">>es<< ", "\n\n", "- ", "1. ", " 2.º "),
    *(
        "doce ",
        "mil dos ",
        "a hundred and ",
        "1.111.111.",
        "2 l ",
        "3,5 % ",
        "+34 91 555 12 34 ",
        "1 000 ",
        "VI ",
        "siglo XX ",
    ),
    *(
        "EL GATO NEGRO ",
        "LA {x} DE ",
        "**",
        "_",
        "~~",
        "[a](b) ",
        "![a](b) ",
        "<i>",
        "</i>",
        "<p>\n\t",
        "|a|b|\n",
        "```\n",
    ),
    *('"Sí" ', "— dijo — ", "😂😂 ", "(c) ", "http:// ", "ñandú ", "<extra_id_0> ", " ", "\u0301"),
]


def text(r: Random) -> str:
    """Make a text of words, signs and characters of many kinds; some are long."""
    parts: list[str] = []
    length = r.choice([0, 1, 5, 20, 60, 60, 200])
    if r.random() < 0.003:
        length = 5000
    while sum(map(len, parts)) < length:
        kind = r.randrange(3)
        if kind == 0:
            parts.append(r.choice(FRAGMENTS))
        elif kind == 1:
            parts.append("".join(r.choices(r.choice(ALPHABETS), k=r.randrange(1, 9))))
        else:
            parts.append(r.choice(FRAGMENTS) * r.choice([1, 1, 1, 2, 20]))
    if r.random() < 0.01:
        parts.insert(r.randrange(len(parts) + 1), r.choice("1920") * r.choice([29, 300, 5000]))
    made = "".join(parts)
    return made if r.random() < 0.2 else made.encode(errors="ignore").decode()


# -- a hub that lies

ETAGS = [
    *(
        '"../../../x"',
        '"/tmp/x"',
        "../x",
        'W/"a"',
        "",
        '""',
        '"a/b"',
        f'"{"a" * 300}"',
        '"\\\\x"',
        '".."',
        '"."',
        "'a'",
    ),
]
COMMITS = ["../../x", "/tmp/x", "", "main", "..", "a" * 300, "é", "a b", "c" * 40, "..\\x", "."]
LENGTHS = ["-1", "1e3", str(10**15), "x", "", "0", "5", str(2**70), "1, 2"]
LIES = ["etag", "linked", "commit", "length", "status", "half", "redirect", "body", "header", "close", "sha", "good"]


def start_hub(cache: Path) -> Any:
    """Start a server that speaks the hub's protocol, but for one lie, and point the library to it."""
    import hashlib
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from huggingface_hub import constants

    body = b'{"model_type": "bert"}'

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            r, lie = self.server.random, self.server.lie  # type: ignore[attr-defined]
            status, sent = 200, body
            blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            headers = {"X-Repo-Commit": "c" * 40, "ETag": f'"{blob}"'}
            headers["Content-Length"] = str(len(body))
            if lie == "etag":
                headers["ETag"] = r.choice(ETAGS)
            elif lie == "linked":
                headers["X-Linked-Etag"] = r.choice(ETAGS)
                headers["X-Linked-Size"] = r.choice(LENGTHS)
            elif lie == "commit":
                headers["X-Repo-Commit"] = r.choice(COMMITS)
            elif lie == "length":
                headers["Content-Length"] = r.choice(LENGTHS)
            elif lie == "status":
                status = r.choice(
                    [100, 204, 206, 300, 301, 304, 400, 401, 403, 404, 410, 416, 418, 429, 500, 502, 503, 599]
                )
                headers["Retry-After"] = r.choice(["0", "1", "-5", "x", "99999999"])
                headers["X-Error-Code"] = r.choice(["EntryNotFound", "RepoNotFound", "RevisionNotFound", "é", ""])
            elif lie == "half":
                sent = body[: r.randrange(len(body))]
            elif lie == "redirect":
                places = [
                    "/x",
                    "//127.0.0.1:1/x",
                    "http://127.0.0.1:1/",
                    "file:///etc/passwd",
                    "",
                    "::",
                    self.path,
                    "ftp://x",
                ]
                status, headers["Location"] = r.choice([301, 302, 307, 308]), r.choice(places)
            elif lie == "body":
                sent = damage_bytes(r, body)
                headers["Content-Length"] = str(len(sent))
            elif lie == "header":
                name = r.choice(list(headers))
                headers[name] = r.choice(["", "x" * 70_000, "\xff", "a\tb", "0"])
            elif lie == "sha":
                headers["ETag"] = f'"{r.randbytes(32).hex()}"'
            elif lie == "close":
                self.close_connection = True
                return self.wfile.write(r.randbytes(30)) and None
            self.send_response(status)
            for key, val in headers.items():
                self.send_header(key, val)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(sent)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    constants.ENDPOINT, constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = endpoint, str(cache), False
    constants.HUGGINGFACE_CO_URL_TEMPLATE = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    return server


# -- running them


def run_trial(trials: Trials, seed: int, kind: str, number: int) -> tuple[int, dict[str, str] | None]:
    """Run a trial; return the number of things tried, and the finding, or None."""
    from gatonegro.errors import GatonegroError

    def stop(*_: Any) -> None:
        raise Endless

    for number_of_signal, timer, seconds in TIMERS:
        signal.signal(number_of_signal, stop)
        signal.setitimer(timer, seconds)
    try:
        return getattr(trials, kind)(Random(f"{seed}:{kind}:{number}")), None
    except GatonegroError as error:
        told = [error.in_("en"), error.in_("es")]
        if max(map(len, told)) > 5000:
            return 1, {"error": "long message", "message": told[0][:200], "where": "message"}
        return 1, None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "gatonegro" in f.filename] or [None]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames[-1] else "?"
        return 1, {"error": type(error).__name__, "message": str(error)[:300], "where": where}
    finally:
        for _, timer, _ in TIMERS:
            signal.setitimer(timer, 0)


def child(root: str, seed: int, gigabytes: float, tasks: Any, results: Any, current: Any) -> None:
    """Run trials until none is left; `current` holds the number of the one that runs, for the parent."""
    os.environ["GATONEGRO_LANG"] = "en"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the Rust tokenizer reports each panic
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    import gatonegro.engine  # noqa: F401

    trials = Trials(Path(root))
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    )
    limit = used + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while (task := tasks.get()) is not None:
        kind, first, last = task
        tried, findings = 0, []
        for number in range(first, last):
            current.value = number
            count, finding = run_trial(trials, seed, kind, number)
            tried += count
            if finding:
                findings.append({"trial": f"{kind}:{number}", **finding})
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        results.put((kind, last - first, tried, findings, peak))
    shutil.rmtree(trials.work, ignore_errors=True)


class Worker:
    """A child process, which is started anew after its death."""

    def __init__(self, root: Path, options: argparse.Namespace):
        self.root, self.options = root, options
        self.task: tuple[str, int, int] | None = None
        self.start()

    def start(self) -> None:
        context = mp.get_context("spawn")
        self.tasks, self.results, self.current = context.SimpleQueue(), context.Queue(), context.Value("q", -1)
        arguments = (str(self.root), self.options.seed, self.options.memory, self.tasks, self.results, self.current)
        self.process = context.Process(target=child, args=arguments, daemon=True)
        self.process.start()
        self.seen, self.since = -1, time.monotonic() + 60  # imports take a while

    def give(self, task: tuple[str, int, int]) -> None:
        self.task = task
        self.tasks.put(task)

    def take(self) -> Any:
        """Return the results of the current task, or None; a death and a hang are results too."""
        try:
            done = self.results.get(timeout=0.05)
            self.task = None
            return done
        except Empty:
            pass
        if self.current.value != self.seen:
            self.seen, self.since = self.current.value, time.monotonic()
        hung = time.monotonic() - self.since > 12 * TRIAL_SECONDS
        if self.process.is_alive() and not hung:
            return None
        kind, first, last = self.task or ("?", 0, 0)
        number = max(self.seen, first)
        why = "process hangs" if hung else f"process died ({self.process.exitcode})"
        self.process.kill()
        self.process.join()
        finding = {"trial": f"{kind}:{number}", "error": why, "message": "", "where": "?"}
        self.start()
        if number + 1 < last:
            self.give((kind, number + 1, last))
        else:
            self.task = None
        return kind, number + 1 - first, number + 1 - first, [finding], 0


def fuzz(options: argparse.Namespace) -> dict[str, Any]:
    """Run trials on all processes until the time or the counts are reached, and return what was found."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatonegro-fuzz-") as name:
        root = Path(name) / "templates"
        root.mkdir()
        make_templates(root)
        targets = {"checkpoint": options.checkpoints, "text": options.texts, "card": options.cards, "hub": options.hubs}
        workers = [Worker(root, options) for _ in range(options.processes)]
        next_number, tried, seconds = Counter[str](), Counter[str](), Counter[str]()
        findings: list[dict[str, str]] = []
        peak, shown = 0, Counter[str]()
        begun: dict[int, float] = {}

        def choose() -> tuple[str, int, int] | None:
            if options.seconds and time.monotonic() - started > options.seconds:
                return None
            open_ = [k for k in SHARES if targets[k] is None or planned(k) < targets[k]]
            if not open_ or (not options.seconds and all(targets[k] is None for k in open_)):
                return None
            if not options.seconds:
                open_ = [k for k in open_ if targets[k] is not None]
            kind = min(open_, key=lambda k: seconds[k] / SHARES[k])
            size = 5 if kind == "text" else CHUNK
            first = next_number[kind]
            next_number[kind] += size
            return kind, first, first + size

        def planned(kind: str) -> int:
            return next_number[kind] * (TEXTS_PER_TRIAL if kind == "text" else 1)

        while True:
            busy = False
            for i, worker in enumerate(workers):
                if worker.task is None and (task := choose()):
                    seconds[task[0]] += 0.01
                    begun[i] = time.monotonic()
                    worker.give(task)
                if worker.task is None:
                    continue
                busy = True
                if (done := worker.take()) is None:
                    continue
                kind, _, count, new, memory = done
                tried[kind] += count
                seconds[kind] += time.monotonic() - begun.get(i, time.monotonic())
                begun[i] = time.monotonic()
                peak = max(peak, memory)
                findings += new
                for finding in new:
                    shown[key := f"{finding['error']} {finding['where']}"] += 1
                    if shown[key] <= 3:
                        print(
                            f"seed {options.seed}  {finding['trial']}  {key}  {finding['message']!r:.150}", flush=True
                        )
            if not busy:
                break
        for worker in workers:
            worker.tasks.put(None)
        for worker in workers:
            worker.process.join(20)
    kinds = Counter(f"{f['trial'].split(':')[0]}: {f['error']} at {f['where']}" for f in findings)
    first = {}
    for f in findings:
        first.setdefault(f"{f['trial'].split(':')[0]}: {f['error']} at {f['where']}", f)
    return {
        "command": "python attacks/fuzz.py " + " ".join(sys.argv[1:]),
        "seed": options.seed,
        "tried": dict(tried),
        "seconds": round(time.monotonic() - started),
        "processes": options.processes,
        "memory_limit_gb": options.memory,
        "peak_memory_mb": peak,
        "findings": len(findings),
        "by_kind": {
            k: {"count": n, "first": first[k]["trial"], "message": first[k]["message"]} for k, n in kinds.most_common()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="stop after this time")
    parser.add_argument("--hours", type=float)
    for name in ("checkpoints", "texts", "cards", "hubs"):
        parser.add_argument(f"--{name}", type=int, help="stop after this number; 0 for none")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", type=float, default=4, help="GB that a process may use beyond its start")
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    parser.add_argument("--replay", metavar="KIND:NUMBER", help="run one trial here, with its traceback")
    parser.add_argument("--keep", type=Path, help="folder for the files of the replayed trial")
    options = parser.parse_args()
    options.seconds = options.hours * 3600 if options.hours else options.seconds
    if options.replay:
        kind, number = options.replay.split(":")
        with tempfile.TemporaryDirectory() as name:
            (root := Path(name) / "templates").mkdir()
            make_templates(root)
            warnings.simplefilter("ignore")
            getattr(Trials(root, options.keep), kind)(Random(f"{options.seed}:{kind}:{number}"))
        return 0
    result = fuzz(options)
    print(json.dumps(result, ensure_ascii=False, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
