"""Name or folder → files (first slice)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gatonegro.errors import HubError

BUILT_IN = {"sentiment-es-en": "text-classification"}


@dataclass(frozen=True)
class Source:
    name: str
    folder: Path | None = None
    revision: str | None = None

    def file(self, filename: str) -> Path | None:
        path = (self.folder or Path()) / filename
        return path if path.exists() else None


def built_in_models() -> dict[str, Path]:
    spec = find_spec("gatonegro_models")
    root = Path(spec.origin).parent if spec and spec.origin else None
    return {n: root / n for n in BUILT_IN if root and (root / n).is_dir()}


def locate(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> Source:
    if Path(name).is_dir():
        return Source(str(name), Path(name), revision)
    found = built_in_models().get(str(name))
    if found:
        return Source(str(name), found, revision)
    raise HubError(f"{name!r} was not found.")
