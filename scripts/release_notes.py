"""Prints the changelog's section of a tag; fails if the tag is not the package's version or has no dated section.

    python scripts/release_notes.py v0.1.0

Needs nothing but Python: it runs before anything is built.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def version_of(source: str) -> str:
    """Return the `__version__` in a module's text."""
    found = re.search(r'^__version__ = "([^"]+)"', source, re.MULTILINE)
    if not found:
        raise SystemExit("src/gatonegro/__init__.py has no __version__")
    return found[1]


def notes(changelog: str, version: str) -> str:
    """Return the section of a version, without its heading, which must end in a date: `## 1.2.3 (2031-01-31)`."""
    found = re.search(
        rf"^## {re.escape(version)}(?: \(([^)\n]*)\))?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if not found:
        raise SystemExit(f"CHANGELOG.md has no section ## {version}")
    date, text = found.groups()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date or ""):
        raise SystemExit(f"CHANGELOG.md: the heading must be ## {version} (YYYY-MM-DD), not ({date})")
    if not text.strip():
        raise SystemExit(f"CHANGELOG.md: the section of {version} is empty")
    return text.strip() + "\n"


def main(tag: str) -> None:
    version = version_of((ROOT / "src" / "gatonegro" / "__init__.py").read_text(encoding="utf-8"))
    if tag != f"v{version}":
        raise SystemExit(f"the tag is {tag}, but the version is {version}: tag v{version}, or change __version__")
    sys.stdout.reconfigure(encoding="utf-8")
    print(notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version), end="")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
