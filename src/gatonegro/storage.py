"""Writing files so that a crash leaves the whole old file or the whole new one: a new file replaces the old.

Errors of the disk are raised as the caller's class of error.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from gatonegro.checks import short
from gatonegro.errors import CheckpointError, GatonegroError, OptionError

Kind = type[GatonegroError]


def folder_of(name: str | Path, error: Kind = OptionError) -> Path:
    """Return the folder to write to; raise `error` where `name` is no name of a folder."""
    if not isinstance(name, str | os.PathLike) or not os.fspath(name) or "\0" in str(name):
        raise error(
            f"the folder to write to must be a path, such as './modelo', not {short(name)}.",
            f"la carpeta en la que escribir debe ser una ruta, como './modelo', no {short(name)}.",
        )
    return Path(name)


@contextmanager
def disk_errors(folder: Path, error: Kind = CheckpointError) -> Iterator[None]:
    """Raise the disk's errors within the `with` block as `error`."""
    try:
        yield
    except (OSError, SafetensorError) as failure:
        raise error(
            f"{folder}: cannot be written ({failure}). The disk may be full, the folder not yours, a file in its "
            "place or, on Windows, a loaded model may hold the old file open: write to another folder. What was there "
            "is still whole.",
            f"{folder}: no se puede escribir ({failure}). Quizá el disco está lleno, la carpeta no es tuya, hay un "
            "archivo en su lugar o, en Windows, un modelo cargado tiene abierto el archivo anterior: escribe en otra "
            "carpeta. Lo que había sigue entero.",
        ) from failure


@contextmanager
def replacing(path: str | Path, error: Kind = CheckpointError) -> Iterator[Path]:
    """Yield a file beside `path` to write to, then replace `path` with it; if that fails, `path` stays as it was."""
    path = Path(path)
    with disk_errors(path.parent, error):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            beside.touch()
            mode = beside.stat().st_mode  # safetensors' save_file makes a file that only its owner can read
            yield beside
            beside.chmod(mode)
            _sync(beside, os.O_RDWR)  # else the name could reach the disk before the bytes
            beside.replace(path)
            if os.name != "nt":  # where a folder can be opened; else the old file could be back after a power cut
                _sync(path.parent, os.O_RDONLY)
        finally:
            beside.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes, error: Kind = CheckpointError) -> None:
    """Write a small file, as `replacing` does."""
    with replacing(path, error) as beside:
        beside.write_bytes(data)


def write_text(path: str | Path, text: str, error: Kind = CheckpointError) -> None:
    """Write a small file of UTF-8, as `replacing` does."""
    write_bytes(path, text.encode(), error)


def copy(path: Path, to: Path, error: Kind = CheckpointError) -> None:
    """Copy a file, as `replacing` does; a link becomes the file that it points to. A file is not copied onto itself."""
    if to.exists() and to.samefile(path):
        raise error(
            f"{to.parent} is the model itself; name another folder.",
            f"{to.parent} es el propio modelo; nombra otra carpeta.",
        )
    with replacing(to, error) as beside:
        shutil.copyfile(path, beside)


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
