"""`Explanation`, the result of `explain()`, and functions that save it in several file formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from gatonegro.errors import OptionError
from gatonegro.glassbox import MESSAGES
from gatonegro.glassbox.html import notebook, page
from gatonegro.glassbox.steps import Record
from gatonegro.glassbox.text import to_text
from gatonegro.storage import atomic_write, write_text


@dataclass(frozen=True, repr=False)
class Explanation(Record):
    """Explanation of a model's answer: all computations in order, which can be printed or saved to a file."""

    def save(self, path: str | Path) -> Path:
        """Save the explanation to a file, in the format given by the file's suffix, and return the path.

        `.html`: a page in both languages, which needs no network; `.json`: captions and numbers; `.safetensors` or
        `.npz`: the exact tensors by name; `.txt`: the text that `print` shows.
        """
        path = Path(path)
        saver_of(path)(self, path)
        return path

    def __str__(self) -> str:
        return to_text(self)

    def _repr_html_(self) -> str:
        return notebook(self)

    def __repr__(self) -> str:
        return f"Explanation({self.text!r:.60}, {self.model!r}, {len(self.steps)} steps)"


def _npz(record: Record, path: Path) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **record.tensors())  # type: ignore[arg-type]


def _safetensors(record: Record, path: Path) -> None:
    tensors = {name: np.ascontiguousarray(x) for name, x in record.tensors().items()}
    metadata = {"text": record.text, "model": record.model, "tokens": json.dumps(record.tokens)}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata)


SAVERS: dict[str, Callable[[Record, Path], None]] = {
    ".html": lambda record, path: write_text(path, page(record)),
    ".json": lambda record, path: write_text(path, record.to_json() + "\n"),
    ".txt": lambda record, path: write_text(path, f"{record}\n"),
    ".npz": _npz,
    ".safetensors": _safetensors,
}


def saver_of(path: str | Path) -> Callable[[Record, Path], None]:
    """Return the function that saves an explanation in the file format given by a path's suffix.

    Raises:
        OptionError: the suffix is unknown, the path is a folder, or it is in a folder that does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise OptionError(*MESSAGES["is_a_folder"].format(path=path))
    if path.suffix.lower() not in SAVERS:
        raise OptionError(*MESSAGES["no_suffix"].format(name=path.name, known=", ".join(SAVERS)))
    if not path.parent.is_dir():
        raise OptionError(*MESSAGES["no_folder"].format(path=path, folder=path.parent))
    return SAVERS[path.suffix.lower()]
