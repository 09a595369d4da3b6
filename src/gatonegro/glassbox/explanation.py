"""What `explain` gives: steps with their words, formulas and real tensors, and the ways to keep them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatonegro.errors import OptionError
from gatonegro.i18n import Pair, localized
from gatonegro.language import Diagnosis
from gatonegro.storage import replacing, write_text

Array = NDArray[Any]


@dataclass(frozen=True)
class Step:
    """One step of the way.

    `tensors` are what was computed, `weights` what the model brought to it; `work` is the arithmetic written out, where
    the numbers are few.
    """

    name: str  # "encoder.0.softmax": unique within an explanation
    kind: str  # of the same kind are the same step of other layers: "softmax"
    number: int  # 1 to 7, the steps of the course; 8 for what the head does with the last layer
    titles: Pair  # English, Spanish
    texts: Pair
    formula: str
    tensors: Mapping[str, Array]
    weights: Mapping[str, Array] = field(default_factory=dict)
    work: tuple[Pair, ...] = ()
    notes: tuple[Pair, ...] = ()
    layer: int | None = None
    rows: tuple[str, ...] = ()  # whose the rows of the tensors are; of K and V, and of what is looked at, `columns`
    columns: tuple[str, ...] = ()
    lang: str = "en"

    def said(self, pair: Pair) -> str:
        return pair[self.lang == "es"]

    @property
    def title(self) -> str:
        return self.said(self.titles)

    @property
    def text(self) -> str:
        return self.said(self.texts)

    def to_dict(self) -> dict[str, Any]:
        """Words and numbers; of weights their shapes alone."""
        return {
            "name": self.name,
            "kind": self.kind,
            "number": self.number,
            "layer": self.layer,
            "title": self.title,
            "text": self.text,
            "formula": self.formula,
            "rows": self.rows,
            "columns": self.columns,
            "tensors": {name: _plain(x) for name, x in self.tensors.items()},
            "weights": {name: list(x.shape) for name, x in self.weights.items()},
            "work": [self.said(line) for line in self.work],
            "notes": [self.said(note) for note in self.notes],
        }


@dataclass(frozen=True)
class Explanation:
    """All steps from a text to an answer, in order."""

    text: str
    model: str
    lang: str  # "es" or "en"
    tokens: tuple[str, ...]
    steps: tuple[Step, ...]
    answer: tuple[tuple[str, float], ...] = ()  # labels with their probabilities, the best first
    written: tuple[str, ...] = ()  # tokens that a decoder wrote
    text_written: str = ""  # as text
    notes: tuple[Pair, ...] = ()
    fit: Diagnosis | None = None  # the `Diagnosis` of text and model
    words: Mapping[int, str] = field(default_factory=dict)  # or labels, that steps name by number

    def __getitem__(self, name: str) -> Step:
        """A step by its name, or by the end of it where that is enough: "0.softmax"."""
        found = [step for step in self.steps if step.name == name]
        found = found or [step for step in self.steps if step.name.endswith("." + name)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(step.name for step in found or self.steps[:12])
        raise KeyError(
            localized(
                f"{len(found)} steps are called {name!r}; there are {names} …",
                f"{len(found)} pasos se llaman {name!r}; hay {names} …",
            )
        )

    def likeliest(self, step: Step) -> list[list[tuple[str, float]]]:
        """Of a step that tells the likeliest words or labels, these with their shares, for each place."""
        rows = zip(step.tensors["likeliest"].tolist(), step.tensors["probs"].tolist(), strict=True)
        return [[(self.words.get(i, str(i)), p) for i, p in zip(*row, strict=True)] for row in rows]

    def tensors(self) -> dict[str, Array]:
        """Everything that was computed, under "step/tensor"."""
        return {f"{step.name}/{name}": x for step in self.steps for name, x in step.tensors.items()}

    def weights(self) -> dict[str, Array]:
        """What the model brought to the steps, under "step/weight"; matrices as PyTorch keeps them, (out, in)."""
        return {f"{step.name}/{name}": x for step in self.steps for name, x in step.weights.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "model": self.model,
            "lang": self.lang,
            "tokens": list(self.tokens),
            "written": list(self.written),
            "text_written": self.text_written,
            "words": {str(number): word for number, word in self.words.items()},
            "answer": [{"label": label, "score": score} for label, score in self.answer],
            "notes": [note[self.lang == "es"] for note in self.notes],
            "fit": self.fit and {**self.fit.to_dict(), "advice": self.fit.advices[self.lang == "es"]},
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent, allow_nan=False)

    def save(self, path: str | Path) -> Path:
        """To a file, of the kind that its name ends with.

        `.html`: a page to look at, in both languages, without a network; `.json`: words and numbers; `.safetensors` or
        `.npz`: the exact tensors by name; `.txt`: as it is printed.
        """
        path = Path(path)
        getattr(self, saver_of(path))(path)
        return path

    def _html(self, path: Path) -> None:
        from gatonegro.glassbox.html import page

        write_text(path, page(self))

    def _json(self, path: Path) -> None:
        write_text(path, self.to_json() + "\n")

    def _txt(self, path: Path) -> None:
        write_text(path, f"{self}\n")

    def _npz(self, path: Path) -> None:
        with replacing(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **self.tensors())  # type: ignore[arg-type]

    def _safetensors(self, path: Path) -> None:
        from safetensors.numpy import save_file

        names = {name: np.ascontiguousarray(x) for name, x in self.tensors().items()}
        about = {"text": self.text, "model": self.model, "tokens": json.dumps(self.tokens)}
        with replacing(path) as beside:
            save_file(names, beside, about)

    def __str__(self) -> str:
        from gatonegro.glassbox.text import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from gatonegro.glassbox.html import notebook

        return notebook(self)

    def __repr__(self) -> str:
        return f"Explanation({self.text!r:.60}, {self.model!r}, {len(self.steps)} steps)"


SAVERS = {".html": "_html", ".json": "_json", ".txt": "_txt", ".npz": "_npz", ".safetensors": "_safetensors"}


def saver_of(path: str | Path) -> str:
    """The method that writes a file of this name.

    OptionError: there is none, or a folder has that name.
    """
    path = Path(path)
    if path.is_dir():
        raise OptionError(
            f"{path} is a folder; name a file in it.", f"{path} es una carpeta; nombra un archivo dentro."
        )
    if path.suffix.lower() not in SAVERS:
        known = ", ".join(SAVERS)
        raise OptionError(
            f"{path.name!r}: an explanation is saved as {known}; end the name with one of these.",
            f"{path.name!r}: una explicación se guarda como {known}; acaba el nombre con uno de ellos.",
        )
    return SAVERS[path.suffix.lower()]


def _plain(x: Array) -> Any:
    """A tensor as nested lists, with six digits that count."""
    if x.dtype.kind != "f":
        return x.tolist()
    return _rounded(x.tolist())


def _rounded(x: Any) -> Any:
    if isinstance(x, list):
        return [_rounded(one) for one in x]
    return float(f"{x:.6g}") if math.isfinite(x) else None  # JSON has no infinity, which is what is masked
