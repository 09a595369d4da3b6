"""Damage of values, bytes and files, drawn from a random generator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

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
