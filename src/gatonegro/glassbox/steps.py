"""The data of an explanation: steps with their words, formulas and real tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from gatonegro.i18n import Message
from gatonegro.language import Diagnosis

Array = NDArray[Any]


class StepText(NamedTuple):
    """What is said of a kind of step."""

    title: Message
    short: Message  # the title in a word or two
    text: Message


@dataclass(frozen=True)
class Step:
    """One step from a text to an answer.

    `tensors` are what was computed, `weights` what the model brought to it; `work` is the arithmetic written out, where
    the numbers are few.
    """

    name: str  # "encoder.0.softmax": unique within an explanation
    kind: str  # "softmax": the same in every layer
    number: int  # 1 to 7, the steps of the course; 8 for what the head does with the last layer
    caption: StepText
    formula: str
    tensors: Mapping[str, Array]
    weights: Mapping[str, Array] = field(default_factory=dict)
    work: tuple[Message, ...] = ()
    notes: tuple[Message, ...] = ()
    layer: int | None = None
    rows: tuple[str, ...] = ()  # token labels of the tensors' rows; `columns` label keys and values
    columns: tuple[str, ...] = ()
    lang: str = "en"

    @property
    def title(self) -> str:
        return self.caption.title.in_(self.lang)

    @property
    def text(self) -> str:
        return self.caption.text.in_(self.lang)

    def to_dict(self) -> dict[str, Any]:
        """Return words and numbers; of weights their shapes alone."""
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
    """All steps from a text to an answer, in order."""

    text: str
    model: str
    lang: str  # "es" or "en"
    tokens: tuple[str, ...]
    steps: tuple[Step, ...]
    answer: tuple[tuple[str, float], ...] = ()  # labels with their probabilities, the best first
    written: tuple[str, ...] = ()  # tokens that a decoder wrote
    text_written: str = ""  # as text
    notes: tuple[Message, ...] = ()
    diagnosis: Diagnosis | None = None  # of text and model
    words: Mapping[int, str] = field(default_factory=dict)  # or labels, that steps name by number

    def __getitem__(self, name: str) -> Step:
        """Return a step by its name, or by the end of it where that is enough: "0.softmax"."""
        found = [step for step in self.steps if step.name == name]
        found = found or [step for step in self.steps if step.name.endswith("." + name)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(step.name for step in found or self.steps[:12])
        message = Message(
            f"{len(found)} steps are called {name!r}; there are {names} …",
            f"{len(found)} pasos se llaman {name!r}; hay {names} …",
        )
        raise KeyError(str(message))

    @property
    def mismatch(self) -> Diagnosis | None:
        """The diagnosis, where the model was not made for the text's language."""
        return self.diagnosis if self.diagnosis is not None and self.diagnosis.fits is False else None

    def likeliest(self, step: Step) -> list[list[tuple[str, float]]]:
        """Return the likeliest words or labels at each place, with their shares, of a step that tells them."""
        rows = zip(step.tensors["likeliest"].tolist(), step.tensors["probs"].tolist(), strict=True)
        return [[(self.words.get(i, str(i)), p) for i, p in zip(*row, strict=True)] for row in rows]

    def tensors(self) -> dict[str, Array]:
        """Return everything that was computed, under "step/tensor"."""
        return {f"{step.name}/{name}": x for step in self.steps for name, x in step.tensors.items()}

    def weights(self) -> dict[str, Array]:
        """Return what the model brought to the steps, under "step/weight"; matrices are (out, in), as PyTorch's."""
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
    """Return nested lists of numbers, those with a point to six digits that count."""
    if isinstance(x, list):
        return [_rounded(one) for one in x]
    if not isinstance(x, float):
        return x
    return float(f"{x:.6g}") if math.isfinite(x) else None  # JSON has no infinity, which is what is masked
