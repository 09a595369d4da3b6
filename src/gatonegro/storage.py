"""Atomic writes of files: a crash leaves the complete old file or the complete new one.

Disk errors are raised as the caller's class of error.
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

ErrorType = type[GatonegroError]


def output_folder(name: str | Path, error: ErrorType = OptionError) -> Path:
    """Return a user's output folder as a Path, or raise `error` if it is not a valid path."""
    if not isinstance(name, str | os.PathLike) or not os.fspath(name) or "\0" in str(name):
        raise error(
            f"the folder to write to must be a path, such as './modelo', not {short(name)}.",
            f"la carpeta en la que escribir debe ser una ruta, como './modelo', no {short(name)}.",
        )
    return Path(name)


@contextmanager
def convert_disk_errors(folder: Path, error: ErrorType = CheckpointError) -> Iterator[None]:
    """Convert disk errors that are raised within a `with` block to the exception class `error`."""
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
def atomic_write(path: str | Path, error: ErrorType = CheckpointError) -> Iterator[Path]:
    """Yield a temporary file to write to, which then replaces `path` unless an error occurs."""
    path = Path(path)
    with convert_disk_errors(path.parent, error):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.touch()
            mode = temporary.stat().st_mode  # safetensors' save_file would make it readable by its owner only
            yield temporary
            temporary.chmod(mode)
            _sync(temporary, os.O_RDWR)  # else the new name could reach the disk before the data
            temporary.replace(path)
            if os.name != "nt":  # Windows cannot open a folder; without it, a power cut could bring back the old file
                _sync(path.parent, os.O_RDONLY)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes, error: ErrorType = CheckpointError) -> None:
    """Write bytes to a file atomically."""
    with atomic_write(path, error) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str, error: ErrorType = CheckpointError) -> None:
    """Write text to a file atomically, as UTF-8."""
    write_bytes(path, text.encode(), error)


def copy(path: Path, to: Path, error: ErrorType = CheckpointError) -> None:
    """Copy a file atomically, or raise `error` if the source and the destination are the same file."""
    if to.exists() and to.samefile(path):
        raise error(
            f"{to.parent} is the model itself; name another folder.",
            f"{to.parent} es el propio modelo; nombra otra carpeta.",
        )
    with atomic_write(to, error) as temporary:
        shutil.copyfile(path, temporary)


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
