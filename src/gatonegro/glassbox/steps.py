"""Data classes of an explanation: steps with their captions, formulas and tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from gatonegro.glassbox import MESSAGES
from gatonegro.i18n import Message
from gatonegro.language.diagnosis import Diagnosis

Array = NDArray[Any]


class StepText(NamedTuple):
    """Caption of a kind of explanation step: a title, a short title and a text, each in English and Spanish."""

    title: Message
    short: Message  # the title in a word or two
    text: Message


@dataclass(frozen=True)
class Step:
    """Step in the explanation of a model's answer: one computation, with its caption, formula and tensors.

    `tensors` are computed, `weights` are the model's; `work` is the arithmetic, written out in the toy model only.
    """

    name: str  # "encoder.0.softmax": unique within an explanation
    kind: str  # "softmax": the same in every layer
    number: int  # 1 to 7, the steps of the course; 8, the head; 9, the attribution
    caption: StepText
    formulas: Message
    tensors: Mapping[str, Array]
    weights: Mapping[str, Array] = field(default_factory=dict)
    work: tuple[Message, ...] = ()
    notes: tuple[Message, ...] = ()
    layer: int | None = None  # from 0; people see it from 1
    rows: tuple[str, ...] = ()  # token labels of the tensors' rows; `columns` are those of keys and values
    columns: tuple[str, ...] = ()
    lang: str = "en"

    @property
    def title(self) -> str:
        return self.caption.title.in_(self.lang)

    @property
    def text(self) -> str:
        return self.caption.text.in_(self.lang)

    @property
    def formula(self) -> str:
        return self.formulas.in_(self.lang)

    @property
    def share_decimals(self) -> int:
        """Decimals of scores and shares in tables: two, but as many as in the arithmetic where that is written out."""
        return 4 if self.work else 2

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation step as a dict for JSON, with the shapes of the weights but not their values."""
        return {
            **{name: getattr(self, name) for name in ("name", "kind", "number", "layer", "title", "text", "formula")},
            "rows": self.rows,
            "columns": self.columns,
            "tensors": {name: _rounded(x.tolist()) for name, x in self.tensors.items()},
            "weights": {name: list(x.shape) for name, x in self.weights.items()},
            "work": [line.in_(self.lang) for line in self.work],
            "notes": [note.in_(self.lang) for note in self.notes],
        }


@dataclass(frozen=True)
class Record:
    """Data of an explanation: the steps from a text to a model's answer, in order, and the answer."""

    text: str
    model: str
    lang: str  # "es" or "en"
    tokens: tuple[str, ...]
    steps: tuple[Step, ...]
    answer: tuple[tuple[str, float], ...] = ()  # labels with their probabilities, best first
    written: tuple[str, ...] = ()  # generated tokens
    text_written: str = ""  # the generated text
    notes: tuple[Message, ...] = ()
    diagnosis: Diagnosis | None = None
    words: Mapping[int, str] = field(default_factory=dict)  # words or labels of `likeliest` tensors, by id

    def __getitem__(self, name: str) -> Step:
        """Return an explanation step by its name, or by an end that no other name has, such as "0.softmax"."""
        steps = [step for step in self.steps if step.name == name]
        steps = steps or [step for step in self.steps if step.name.endswith("." + name)]
        if len(steps) == 1:
            return steps[0]
        names = ", ".join(step.name for step in steps or self.steps[:12])
        raise KeyError(str(MESSAGES["no_step"].format(count=len(steps), name=name, names=names)))

    @property
    def mismatch(self) -> Diagnosis | None:
        """The language diagnosis if the model does not fit the text's language, else None."""
        return self.diagnosis if self.diagnosis is not None and self.diagnosis.fits is False else None

    def likeliest(self, step: Step) -> list[list[tuple[str, float]]]:
        """Return the likeliest words or labels of a step for each token, with their probabilities."""
        rows = zip(step.tensors["likeliest"].tolist(), step.tensors["probs"].tolist(), strict=True)
        return [[(self.words.get(i, str(i)), p) for i, p in zip(*row, strict=True)] for row in rows]

    def tensors(self) -> dict[str, Array]:
        """Return all tensors computed in the explanation, as a dict with keys of the form "step/tensor"."""
        return {f"{step.name}/{name}": x for step in self.steps for name, x in step.tensors.items()}

    def weights(self) -> dict[str, Array]:
        """Return the model's weights, shaped (out, in) as in PyTorch, as a dict with keys such as "step/weight"."""
        return {f"{step.name}/{name}": x for step in self.steps for name, x in step.weights.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("text", "model", "lang", "text_written")},
            "tokens": list(self.tokens),
            "written": list(self.written),
            "words": {str(number): word for number, word in self.words.items()},
            "answer": [{"label": label, "score": score} for label, score in self.answer],
            "notes": [note.in_(self.lang) for note in self.notes],
            "diagnosis": self.diagnosis and self.diagnosis.to_dict(self.lang),
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent, allow_nan=False)


def _rounded(x: Any) -> Any:
    """Round the floats in nested lists to six significant digits, with None for infinity, which JSON lacks."""
    if isinstance(x, list):
        return [_rounded(item) for item in x]
    if not isinstance(x, float):
        return x
    return float(f"{x:.6g}") if math.isfinite(x) else None  # masked scores are infinite, which JSON lacks
