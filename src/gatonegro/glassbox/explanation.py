"""What `explain` gives: steps with their words, formulas and real tensors, and the ways to keep them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatonegro.checkpoints import write_text
from gatonegro.errors import OptionError
from gatonegro.wording import Pair, both

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
    written: tuple[str, ...] = ()  # tokens that an encoder–decoder wrote
    notes: tuple[Pair, ...] = ()
    fit: Any = None  # the `Diagnosis` of text and model
    words: Mapping[int, str] = field(default_factory=dict)  # or labels, that steps name by number

    def __getitem__(self, name: str) -> Step:
        """A step by its name, or by the end of it where that is enough: "0.softmax"."""
        found = [step for step in self.steps if step.name == name or step.name.endswith("." + name)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(step.name for step in found or self.steps[:12])
        raise KeyError(
            both(
                f"{len(found)} steps are called {name!r}; there are {names} …",
                f"{len(found)} pasos se llaman {name!r}; hay {names} …",
            )
        )

    def tensors(self) -> dict[str, Array]:
        """Everything that was computed, under "step/tensor"."""
        return {f"{step.name}/{name}": x for step in self.steps for name, x in step.tensors.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "model": self.model,
            "lang": self.lang,
            "tokens": list(self.tokens),
            "written": list(self.written),
            "answer": [{"label": label, "score": score} for label, score in self.answer],
            "notes": [note[self.lang == "es"] for note in self.notes],
            "fit": None if self.fit is None else self.fit.to_dict(),
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_json(self, indent: int | None = None) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def save(self, path: str | Path) -> Path:
        """To a file, of the kind that its name ends with.

        `.html`: a page to look at, in both languages, without a network; `.json`: words and numbers; `.safetensors` or
        `.npz`: the exact tensors by name; `.txt`: as it is printed.
        """
        path = Path(path)
        savers = {
            ".html": self._html,
            ".json": self._json,
            ".txt": self._txt,
            ".npz": self._npz,
            ".safetensors": self._safetensors,
        }
        if path.suffix not in savers:
            known = ", ".join(savers)
            raise OptionError(
                both(
                    f"{path.name}: an explanation is saved as {known}; end the name with one of these.",
                    f"{path.name}: una explicación se guarda como {known}; acaba el nombre con uno de ellos.",
                )
            )
        savers[path.suffix](path)
        return path

    def _html(self, path: Path) -> None:
        from gatonegro.glassbox.html import page

        write_text(path, page(self))

    def _json(self, path: Path) -> None:
        write_text(path, self.to_json(1) + "\n")

    def _txt(self, path: Path) -> None:
        write_text(path, f"{self}\n")

    def _npz(self, path: Path) -> None:
        np.savez_compressed(path, **self.tensors())  # type: ignore[arg-type]

    def _safetensors(self, path: Path) -> None:
        from safetensors.numpy import save_file

        names = {name: np.ascontiguousarray(x) for name, x in self.tensors().items()}
        save_file(names, path, {"text": self.text, "model": self.model, "tokens": json.dumps(self.tokens)})

    def __str__(self) -> str:
        from gatonegro.glassbox.text import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from gatonegro.glassbox.html import notebook

        return notebook(self)

    def __repr__(self) -> str:
        return f"Explanation({self.text!r:.60}, {self.model!r}, {len(self.steps)} steps)"


def _plain(x: Array) -> Any:
    """A tensor as nested lists, with six digits that count."""
    if x.dtype.kind != "f":
        return x.tolist()
    return _rounded(x.tolist())


def _rounded(x: Any) -> Any:
    return [_rounded(one) for one in x] if isinstance(x, list) else float(f"{x:.6g}")
