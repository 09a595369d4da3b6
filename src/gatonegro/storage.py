"""Bounded reads and atomic writes of files: a crash leaves the complete old file or the complete new one.

Disk errors are raised as the caller's class of error.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gatonegro.checks import short_repr
from gatonegro.errors import CheckpointError, GatonegroError, OptionError
from gatonegro.i18n import catalog, format_int

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

MESSAGES = catalog(Path(__file__).with_name("storage.json"))
ErrorType = type[GatonegroError]
MIB = 2**20
# largest size in bytes of the files that are read whole, by the end of their name; the first that fits counts
MAX_FILE_BYTES = {
    **dict.fromkeys(("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", ".spm", ".model"), 256 * MIB),
    ".index.json": 64 * MIB,
    **dict.fromkeys((".safetensors", ".bin"), 2**63),  # weights are mapped, not read
    "": 16 * MIB,
}
MAX_JSON_DEPTH = 64  # of objects and lists within each other; functions of the standard library recurse into them
TEMPORARY_NAME = re.compile(r"\..+\.[\da-f]{8}\.gatonegro")  # no other program's
MAX_TEMPORARY_AGE = 3600  # seconds; then a process that writes to it is taken for dead
_locked = threading.local()  # the folders that this thread has locked


def output_folder(name: str | Path, error: ErrorType = OptionError) -> Path:
    """Return a user's output folder as a Path, or raise `error` if it is not a valid path."""
    if not isinstance(name, str | os.PathLike) or not os.fspath(name) or "\0" in str(name):
        raise error(*MESSAGES["no_folder"].format(name=short_repr(name)))
    return Path(name)


@contextmanager
def convert_disk_errors(folder: Path, error: ErrorType = CheckpointError) -> Iterator[None]:
    """Convert disk errors that are raised within a `with` block to the exception class `error`."""
    try:
        yield
    except Exception as failure:
        of_disk = isinstance(failure, OSError | UnicodeEncodeError)  # the latter: a path with a lone surrogate
        if not of_disk and type(failure).__name__ != "SafetensorError":  # whose import takes time
            raise
        raise error(*MESSAGES["not_written"].format(folder=folder, failure=failure)) from failure


class Staging:
    """New files of a folder, written beside the old ones, and the order in which they replace them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.steps: list[tuple[str, Path | None]] = []  # name, temporary file; None: the file is removed
        self._mode = 0

    def file(self, name: str) -> Path:
        """Return a temporary file to write to, which will replace the folder's file of a given name."""
        temporary = self.folder / f".{name}.{os.urandom(4).hex()}.gatonegro"
        self.steps.append((name, temporary))
        temporary.touch()
        self._mode = temporary.stat().st_mode  # safetensors' save_file would make it readable by its owner only
        return temporary

    def write(self, name: str, data: Any) -> None:
        """Write bytes, or any other data as JSON, which will replace the folder's file of a given name."""
        self.file(name).write_bytes(data if isinstance(data, bytes) else as_json(data).encode())

    def copy(self, path: Path) -> None:
        """Copy a file of another folder, or raise CheckpointError if it is this folder's own."""
        if (to := self.folder / path.name).exists() and to.samefile(path):
            raise CheckpointError(*MESSAGES["itself"].format(folder=self.folder))
        from shutil import copyfile  # here, for a light start

        copyfile(path, self.file(path.name))

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if there is one, after the replacements that were added before."""
        self.steps.append((name, None))

    @property
    def temporary_files(self) -> list[Path]:
        """The temporary files, in the order in which they were added."""
        return [temporary for _, temporary in self.steps if temporary is not None]

    def replace(self) -> None:
        """Replace and remove the folder's files, in the order in which they were added."""
        for temporary in self.temporary_files:
            temporary.chmod(self._mode)
            _sync(temporary, os.O_RDWR)  # else the new name could reach the disk before the data
        for name, new in self.steps:
            if new is None:
                (self.folder / name).unlink(missing_ok=True)
            else:
                new.replace(self.folder / name)
        if os.name != "nt":  # Windows cannot open a folder; without it, a power cut could bring back the old files
            _sync(self.folder, os.O_RDONLY)


@contextmanager
def replace_files(folder: Path, error: ErrorType = CheckpointError) -> Iterator[Staging]:
    """Yield a `Staging`, whose files replace the folder's in a row at the end of the block, unless an error occurs."""
    with convert_disk_errors(folder, error):
        folder.mkdir(parents=True, exist_ok=True)
        staging = Staging(folder)
        try:
            yield staging
            staging.replace()
        finally:
            for temporary in staging.temporary_files:
                temporary.unlink(missing_ok=True)


@contextmanager
def lock_folder(folder: Path, error: ErrorType = CheckpointError) -> Iterator[None]:
    """Make a folder, and hold its lock within a `with` block, so that other processes wait before they write to it.

    The operating system's lock on the folder itself leaves no file, and ends with the process. Where there is none, as
    on some network drives, writing goes on without it.
    """
    with convert_disk_errors(folder, error):
        folder.mkdir(parents=True, exist_ok=True)
        resolved, held = folder.resolve(), _locked.__dict__.setdefault("folders", set())
    if resolved in held:
        yield
        return
    held.add(resolved)
    try:
        if fcntl is None:
            from filelock import FileLock

            with FileLock(folder / ".gatonegro.lock"):
                yield
            return
        with convert_disk_errors(folder, error):
            file = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
                _remove_old_temporary_files(folder)
            yield
        finally:
            os.close(file)
    finally:
        held.remove(resolved)


def _remove_old_temporary_files(folder: Path) -> None:
    """Remove the temporary files of saves that were killed."""
    for file in folder.iterdir():
        if TEMPORARY_NAME.fullmatch(file.name) and time.time() - file.stat().st_mtime > MAX_TEMPORARY_AGE:
            file.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | Path, error: ErrorType = CheckpointError) -> Iterator[Path]:
    """Yield a temporary file to write to, which then replaces `path` unless an error occurs."""
    path = Path(path)
    with replace_files(path.parent, error) as staging:
        yield staging.file(path.name)


def write_text(path: str | Path, text: str) -> None:
    """Write text to a file atomically, as UTF-8."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode())


def as_json(data: Any) -> str:
    """Return a value as the text of a JSON file."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def max_bytes(name: str) -> int:
    """Return the largest size in bytes that a model's file of a given name may have."""
    return next(limit for end, limit in MAX_FILE_BYTES.items() if name.endswith(end))


def read_bytes(path: Path, error: ErrorType) -> bytes:
    """Return the contents of a file, or raise `error` if it cannot be read or is larger than such a file may be."""
    try:
        limit = max_bytes(path.name)
        if (size := path.stat().st_size) <= limit:
            return path.read_bytes()
    except OSError as failure:
        raise error(*MESSAGES["not_read"].format(path=path, why=failure.strerror or failure)) from failure
    raise error(*MESSAGES["too_large"].format(path=path, mib=format_int(size // MIB), at_most=limit // MIB))


def read_json(path: Path, error: ErrorType) -> dict[str, Any]:
    """Return the object in a JSON file as a dict, or raise `error` if it cannot be read or is no JSON object."""
    content = read_bytes(path, error)
    try:
        text = content.decode()
        data = json.loads(text)
        if "\\ud" in text.lower():  # a lone surrogate cannot be encoded
            json.dumps(data, ensure_ascii=False).encode()
        if _is_deeper(data, MAX_JSON_DEPTH):
            raise RecursionError(f"more than {MAX_JSON_DEPTH} levels")
    except (ValueError, RecursionError) as failure:
        raise error(*MESSAGES["no_json"].format(path=path, failure=failure)) from failure
    if not isinstance(data, dict):
        raise error(*MESSAGES["no_object"].format(path=path, kind=type(data).__name__))
    return data


def _is_deeper(data: Any, depth: int) -> bool:
    """Return True if a JSON value has more than `depth` objects and lists within each other."""
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else None
    return parts is not None and (
        not depth or any(_is_deeper(part, depth - 1) for part in parts if isinstance(part, dict | list))
    )


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
