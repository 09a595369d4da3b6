"""What is told of each kind of step, from `story.json`: title and text in English and Spanish, and the formula."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gatonegro.i18n import Pair


@dataclass(frozen=True)
class Told:
    """Of a kind of step: its number in the course, its words, and where the course's own arithmetic differs."""

    number: int
    title: Pair
    short: Pair  # the title in a word or two
    text: Pair
    formula: str
    course: Pair | None = None


def _told(entry: dict) -> Told:
    pairs = {name: (value["en"], value["es"]) for name, value in entry.items() if isinstance(value, dict)}
    return Told(number=entry["number"], formula=entry["formula"], **pairs)


STORY: dict[str, Told] = {
    kind: _told(entry)
    for kind, entry in json.loads((Path(__file__).parent / "story.json").read_text(encoding="utf-8")).items()
}
