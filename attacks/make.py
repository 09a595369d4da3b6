"""Write hostile checkpoint folders, each broken in one way; the tests load them all.

    python attacks/make.py FOLDER [NAME …]      write all attacks or those named, one folder each
    python attacks/make.py                      list the attacks

Every folder has a valid `config.json`, so that it can also be passed to the command line as a model. The expected
answer is one error that names the file and, if one is to blame, the tensor. No code may run, no file outside the folder
may be read, and nothing may hang.
"""

from __future__ import annotations

import functools
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CONFIG = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "vocab_size": 8,
    "hidden_size": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 8,
    "type_vocab_size": 2,
}
SINGLE, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "F8_E4M3": 1, "C64": 8, "F64": 8, "U16": 2}


class Attack(NamedTuple):
    """Hostile folder: its damage, the expected message (a regular expression), its maker and the expected error."""

    damage: str
    message: str
    make: Callable[[Path], object]
    error: str = "CheckpointError"
    allow_pickle: bool = False


opened = functools.partial(Attack, allow_pickle=True)


def entry(dtype: str = "F32", shape: tuple = (2, 2), begin: int = 0, end: int | None = None) -> dict[str, Any]:
    """Return a tensor's entry in a header; `end` is the true one by default."""
    size = SIZES.get(dtype, 1)
    for n in shape:
        size *= n
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, begin + size if end is None else end]}


def raw(header: Any, body: bytes = b"", *, length: int | None = None, name: str = SINGLE) -> Callable[[Path], object]:
    """Return a writer of a safetensors file from a header (bytes are used as they are), a body and a claimed length."""

    def make(folder: Path) -> None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)

    return make


def floats(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def plain(text: bytes | str, name: str = SINGLE) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def sharded(weight_map: Any, **shards: dict[str, list[float]]) -> Callable[[Path], object]:
    """Return a writer of an index and its shards, each `name={tensor: its four numbers}`."""

    def make(folder: Path) -> None:
        (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
        for name, tensors in shards.items():
            header = {t: entry(begin=16 * i) for i, t in enumerate(tensors)}
            raw(header, b"".join(floats(*v) for v in tensors.values()), name=f"{name}.safetensors")(folder)

    return make


def packed(scale: dict[str, Any] | None, body: bytes, dtype: str = "I8") -> Callable[[Path], object]:
    """Return a writer of a file in our int8 format: a 2 × 2 matrix, with scales as given."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "gatonegro": "int8"}, "w": entry(dtype)}
    if scale is not None:
        header["w.row_scale"] = scale
    return raw(header, b"\1\2\3\4" + body)


class Bomb:
    """Object that creates a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def pickled(content: Callable[[Path], Any], **options: Any) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        import torch

        torch.save(content(folder), folder / PICKLED, **options)

    return make


def bomb(folder: Path) -> dict[str, Any]:
    return {"w": Bomb(folder / "exploded")}


def endless(_: Path) -> dict[str, Any]:
    import torch

    return {"w": torch.ones(1).expand(10**7, 10**7)}


def index_to_pickle(folder: Path) -> None:
    pickled(bomb)(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"w": PICKLED}}))


def leads_out(folder: Path) -> None:
    raw({"w": entry()}, floats(1, 2, 3, 4), name="../outside.safetensors")(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"w": "../outside.safetensors"}}))


GOOD = [1.0, 2.0, 3.0, 4.0]
W, SHARD = {"w": entry()}, "a.safetensors"
SCALE = entry("F16", (2,), 4)

ATTACKS: dict[str, Attack] = {
    # the file as a whole
    "nothing": Attack("no weights at all", "found no weights", lambda folder: None),
    "tensorflow": Attack("weights of another tool", r"TensorFlow weights \(tf_model\.h5\)", plain("", "tf_model.h5")),
    "empty": Attack("a file of no bytes", "too few for its own header", plain("")),
    "five-bytes": Attack("a file of five bytes", "too few for its own header", plain("12345")),
    "no-tensors": Attack("a whole file without tensors", "holds no tensor", raw({})),
    "lfs-pointer": Attack(
        "a clone without Git LFS", "git lfs pull", plain("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    ),
    "web-page": Attack("a login page saved as weights", "web page", plain("<!DOCTYPE html><html></html>")),
    "pickle-inside": Attack("a pickled file by another name", "pickled PyTorch file", plain(b"PK\x03\x04" + b"0" * 99)),
    "folder": Attack("a folder where the file should be", "no weights", lambda folder: (folder / SINGLE).mkdir()),
    # the header
    "cut-off": Attack("a download that stopped", "'w' should end at byte .* has", raw(W, floats(1, 2))),
    "too-long": Attack("bytes that belong to no tensor", "not a complete safetensors", raw(W, floats(1, 2, 3, 4, 5))),
    "long-header": Attack("a header longer than the file", "too few", raw(W, floats(*GOOD), length=2**40)),
    "negative-header": Attack("a header of 2^63 bytes", "too few", raw(W, floats(*GOOD), length=2**63)),
    "no-json": Attack("a header that is no JSON", "is not a complete safetensors", raw(b"weights: all")),
    "deep-json": Attack("a header nested 100,000 deep", "is not a complete safetensors", raw(b'{"a":' * 100_000)),
    "list-header": Attack("a header that is a list", "is not a complete safetensors", raw([1, 2])),
    "number-metadata": Attack("metadata that is no text", "complete safetensors", raw({"__metadata__": {"a": 1}, **W})),
    "outside": Attack("offsets outside the file", "'w' should end at", raw({"w": entry(begin=100)}, floats(*GOOD))),
    "overlap": Attack(
        "two tensors in the same bytes", "tensor `b`", raw({"a": entry(), "b": entry(begin=8)}, floats(*GOOD, 5, 6))
    ),
    "hole": Attack("bytes between tensors", "tensor `w`", raw({"w": entry(begin=8)}, floats(*GOOD, 5, 6))),
    "backwards": Attack("an end before the beginning", "'w'", raw({"w": entry(begin=16, end=0)}, floats(*GOOD))),
    "wrong-size": Attack(
        "a shape of more numbers than there are", r"'w' is F32 of shape \[3, 3\]",
        raw({"w": entry(shape=(3, 3), end=16)}, floats(*GOOD)),
    ),
    "overflow": Attack(
        "a shape of 2^96 numbers", "'w' is F32", raw({"w": entry(shape=(2**32,) * 3, end=16)}, floats(*GOOD))
    ),
    "negative-shape": Attack("a shape below zero", "not a complete", raw({"w": entry(shape=(-2, -2))}, floats(*GOOD))),
    "text-shape": Attack(
        "a text in a shape, times 2^40", "not a complete", raw({"w": entry() | {"shape": ["w", 2**40]}}, floats(*GOOD))
    ),
    "endless-shape": Attack(
        "a shape of infinite size", "not a complete", raw({"w": entry() | {"shape": [float("inf")]}}, floats(*GOOD))
    ),
    "unknown-type": Attack("a type that nobody knows", "XX", raw({"w": entry("XX", end=16)}, floats(*GOOD))),
    # the numbers
    "nan": Attack("a number that is none", "'w' holds NaN", raw(W, floats(1, float("nan"), 3, 4))),
    "infinity": Attack("an infinite number", "'w' holds NaN or inf", raw(W, floats(1, 2, float("-inf"), 4))),
    "both-infinities": Attack(
        "infinities that cancel", "'w' holds NaN or inf", raw(W, floats(1, float("inf"), float("-inf"), 4))
    ),
    "half-nan": Attack(
        "NaN in fp16", "'w' holds NaN", raw({"w": entry("F16", (2,))}, struct.pack("<2e", 1, float("nan")))
    ),
    "float8": Attack("8-bit floats", "'w' is float8_e4m3", raw({"w": entry("F8_E4M3", (4,))}, b"1234")),
    "complex": Attack("complex numbers", "'w' is complex64", raw({"w": entry("C64", (1,))}, floats(1, 2))),
    "uint16": Attack("a type without arithmetic", "'w' is uint16", raw({"w": entry("U16", (2,))}, b"1234")),
    "int8-unmarked": Attack("int8 of another program", "'w' is int8", raw({"w": entry("I8")}, b"1234")),
    # shards
    "index-no-json": Attack("an index that is no JSON", "not a shard index", plain("{", INDEX)),
    "index-list": Attack("an index that is a list", "not a shard index", plain("[]", INDEX)),
    "index-bytes": Attack("an index that is no text", "not a shard index", plain(b"\xff\xfe\x00", INDEX)),
    "index-deep": Attack("an index nested 100,000 deep", "not a shard index", plain("[" * 100_000, INDEX)),
    "index-empty": Attack("an index of nothing", "not a shard index", sharded({})),
    "index-number": Attack("an index with a number for a file", "'w' into '3'", sharded({"w": 3})),
    "index-leads-out": Attack("a shard in another folder", r"\.\./outside.*refused", leads_out),
    "index-absolute": Attack("a shard at an absolute path", "refused", sharded({"w": "/tmp/a.safetensors"})),
    "index-windows": Attack("a shard on another drive", "refused", sharded({"w": "C:\\a.safetensors"})),
    "index-null": Attack("a null in a shard's name", "refused", sharded({"w": "a\0.safetensors"})),
    "index-pickle": Attack("an index whose shard is pickled", "refused", index_to_pickle),
    "shard-missing": Attack(
        "a shard that is not there", "names the shard 'b.s", sharded({"w": SHARD, "v": "b.safetensors"}, a={"w": GOOD})
    ),
    "tensor-missing": Attack(
        "a tensor not in its shard", "'v' should be in a.safe", sharded({"w": SHARD, "v": SHARD}, a={"w": GOOD})
    ),
    "tensor-twice": Attack(
        "a tensor in two shards", "'w' is in another shard too",
        sharded({"w": SHARD, "v": "b.safetensors"}, a={"w": GOOD}, b={"v": GOOD, "w": GOOD}),
    ),
    # our int8 form
    "int8-no-scale": Attack("int8 without its scales", "scales, 'w.row_scale', are missing", packed(None, b"")),
    "int8-short-scale": Attack(
        "a scale too few", r"float16 of shape \(1,\)", packed(entry("F16", (1,), 4), struct.pack("<e", 1))
    ),
    "int8-wide-scale": Attack("scales in fp32", r"are float32", packed(entry("F32", (2,), 4), floats(1, 1))),
    "int8-nan-scale": Attack(
        "a scale that is NaN", "'w.row_scale' holds NaN", packed(SCALE, struct.pack("<2e", 1, float("nan")))
    ),
    "int8-flat": Attack(
        "int8 that is no matrix", r"int8 of shape \(4,\)",
        raw({"__metadata__": {"gatonegro": "int8"}, "w": entry("I8", (4,)), "w.row_scale": entry("F16", (4,), 4)},
            b"1234" + struct.pack("<4e", 1, 1, 1, 1)),
    ),
    "later-form": Attack(
        "a form of a later version", "'int4' of a later gatonegro",
        raw({"__metadata__": {"gatonegro": "int4"}, **W}, floats(*GOOD)),
    ),
    # pickles
    "pickle": Attack(
        "pickled weights alone", "allow_pickle=True.*gatonegro convert .* -o FOLDER", pickled(lambda _: {}),
        "PickleRefusedError",
    ),
    "pickle-bomb": opened("code that runs when it is opened", "is refused", pickled(bomb)),
    "old-pickle-bomb": opened(
        "the same in the older format", "is refused", pickled(bomb, _use_new_zipfile_serialization=False)
    ),
    "pickle-cut-off": opened("a pickled download cut off", "is damaged", plain(b"PK\x03\x04" + b"0" * 99, PICKLED)),
    "pickle-empty": opened("a pickled file of no bytes", "is damaged", plain("", PICKLED)),
    "pickle-list": opened("a list in place of tensors", "other than tensors by name", pickled(lambda _: [1, 2])),
    "pickle-nested": opened("a training state", "state dict", pickled(lambda _: {"epoch": 3})),
    "pickle-endless": opened("4 bytes that claim to be 10^14 numbers", "'w' has fewer numbers", pickled(endless)),
    "pickle-index": opened(
        "an index of pickled shards that leads out", "refused",
        plain('{"weight_map": {"w": "../a.bin"}}', PICKLED + ".index.json"),
    ),
}  # fmt: skip


def make(name: str, root: Path) -> Path:
    """Write one attack's folder into `root`."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    ATTACKS[name].make(folder)
    return folder


def main(arguments: list[str]) -> None:
    if not arguments:
        for name, attack in ATTACKS.items():
            print(f"{name:18} {attack.damage:45} {attack.error}: {attack.message}")
        return
    for name in arguments[1:] or ATTACKS:
        print(make(name, Path(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
