"""What formulas, weights and tensors of an explanation are called for people, in English and Spanish."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gatonegro.glassbox.steps import Step
from gatonegro.i18n import Message, catalog, spanish_numbers

FOLDER = Path(__file__).parent
# by kind or variant of step, formulas of other kinds depend on the model; and the English words in them, in Spanish
FORMULAS, SPANISH_WORDS = json.loads((FOLDER / "formulas.json").read_text(encoding="utf-8")).values()
PAGE_TEXTS = catalog(FOLDER / "page" / "words.json")
# names of tensors in words.json, where they differ
TENSOR_ALIASES = {"vectorization/x": "made", "norm/x": "sum", "norm/y": "normed", "feed_forward/y": "normed",
                  "attribution/sum": "total", "next/sum": "logsumexp", "tokens/sum": "logsumexp"}  # fmt: skip


def symbols(text: str) -> Message:
    """Translate the words in a formula, a line of arithmetic or a weight's name, such as W_output and W_salida."""
    english, spanish = spanish_numbers(text.replace("+ −", "− ").replace("− −", "+ "))
    return Message(english, re.sub(r"[^\W\d_ᵀ]+", lambda word: SPANISH_WORDS.get(word[0], word[0]), spanish))


def tensor_caption(step: Step, name: str) -> str:
    """Return what a step's tensor is called for people, such as "Q: queries" for Q."""
    message = PAGE_TEXTS.get(f"tensors.{TENSOR_ALIASES.get(f'{step.kind}/{name}', name)}")
    return name if message is None else message.in_(step.lang)
