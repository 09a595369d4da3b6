"""An explanation as a page: one file that asks no one for anything. What it draws with lies in `page/`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.glassbox.explanation import Array, Explanation, Step
from gatonegro.glassbox.text import sides

MOST = 40  # tokens, up to which a notebook shows the table without scripts
PAGE = Path(__file__).parent / "page"
# tensors that are drawn of each kind of step; all others are in the file of exact tensors
DRAWN: dict[str, tuple[str, ...]] = {
    "vectorization": ("ids", "tokens", "positions", "x"),
    "linear": ("Q", "K", "V"),
    "attention": (),
    "masked_attention": (),
    "cross_attention": (),
    "softmax": ("probs",),
    "add": ("x", "attention", "sum"),
    "norm": ("sum", "x", "y"),
    "feed_forward": ("y", "activation", "z"),
    "head": ("z_0", "logits", "probs"),
    "attribution": ("attribution",),
    "next": ("likeliest",),
    "tokens": ("probs",),
    "vectors": ("z",),
}


def page(explanation: Explanation) -> str:
    """The page's source. Text is data: what it says is in JSON, in which no tag can end the script."""
    data = json.dumps(_data(explanation), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "css": (PAGE / "page.css").read_text(encoding="utf-8"),
        "js": (PAGE / "page.js").read_text(encoding="utf-8"),
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    }
    html = (PAGE / "page.html").read_text(encoding="utf-8")
    front, *rest = html.split("{{")
    return front + "".join(parts[name] + after for name, after in (part.split("}}", 1) for part in rest))


def _data(explanation: Explanation) -> dict[str, Any]:
    fit = explanation.fit
    return {
        "text": explanation.text,
        "model": explanation.model,
        "lang": explanation.lang,
        "tokens": explanation.tokens,
        "written": explanation.written,
        "answer": [[label, round(score, 4)] for label, score in explanation.answer],
        "notes": [_pair(note) for note in explanation.notes],
        "fit": _pair(fit.advices) if fit is not None and fit.fits is False else None,
        "steps": [_step(step, explanation) for step in explanation.steps],
        "glossary": {lang: json.loads((PAGE / f"glossary.{lang}.json").read_text("utf-8")) for lang in ("en", "es")},
    }


def _pair(pair: tuple[str, str]) -> dict[str, str]:
    return {"en": pair[0], "es": pair[1]}


def _step(step: Step, explanation: Explanation) -> dict[str, Any]:
    return {
        "name": step.name,
        "kind": step.kind,
        "number": step.number,
        "layer": step.layer,
        "title": _pair(step.titles),
        "text": _pair(step.texts),
        "formula": step.formula,
        "work": [_pair(line) for line in step.work],
        "notes": [_pair(note) for note in step.notes],
        "tensors": _tensors(step, explanation),
    }


def _tensors(step: Step, explanation: Explanation) -> Mapping[str, Any]:
    drawn: dict[str, Any] = {}
    for name in DRAWN[step.kind]:
        if name not in step.tensors:
            continue
        x = step.tensors[name]
        if name == "probs" and x.ndim == 3:
            drawn[name] = {"kind": "attention", "values": np.rint(np.nan_to_num(x) * 1000).astype(int).tolist()}
        elif name == "ids":
            drawn[name] = {"kind": "ids", "values": x.tolist()}
        elif name == "attribution":
            drawn[name] = {"kind": "signed", "values": [round(float(n), 4) for n in x]}
        elif name == "likeliest":
            shares = step.tensors["probs"].tolist()
            words = [[explanation.words.get(i, str(i)) for i in row] for row in x.tolist()]
            rows = [[list(one) for one in zip(*pair, strict=True)] for pair in zip(words, shares, strict=True)]
            drawn[name] = {"kind": "next", "values": rows}
        elif name == "probs" and x.ndim == 1:
            labels = dict(explanation.answer)
            drawn[name] = {"kind": "shares", "labels": list(labels), "values": [round(v, 4) for v in labels.values()]}
        elif x.ndim >= 1 and not (step.work and x.ndim == 3):
            drawn[name] = _strips(x)
    return drawn


def _strips(x: Array) -> dict[str, Any]:
    """Vectors as 8-bit numbers, as a share of the largest; and the first ones of the first, exactly. Heads lie beside
    each other: (h, t, d) as (t, h · d)."""
    rows = x.transpose(1, 0, 2).reshape(x.shape[1], -1) if x.ndim == 3 else x.reshape(-1, x.shape[-1])
    most = float(np.abs(rows).max()) or 1.0
    eight = np.rint(rows / most * 127 + 128).astype(np.uint8)
    first = [float(f"{n:.6g}") for n in rows[0][:8].tolist()]
    return {
        "kind": "vectors",
        "shape": list(rows.shape),
        "bytes": base64.b64encode(eight.tobytes()).decode(),
        "first": first,
    }


def notebook(explanation: Explanation) -> str:
    """For Jupyter, Colab and VS Code: a table that stays where scripts are stripped, and the page in a frame."""
    return f"{_still(explanation)}\n{_frame(explanation)}"


def _frame(explanation: Explanation) -> str:
    style = "width:100%;height:46rem;border:1px solid #8884;border-radius:.5rem"
    source = escape(page(explanation), quote=True)
    return f'<iframe title="gatonegro" sandbox="allow-scripts" style="{style}" srcdoc="{source}"></iframe>'


def _still(explanation: Explanation) -> str:
    """The answer, and where each token looks in the last layer, the mean of its heads: HTML without scripts."""
    es = explanation.lang == "es"
    lines = [f"<p><b>{escape(explanation.text[:300])}</b> · {escape(explanation.model)}</p>"]
    if explanation.answer:
        best = (f"{escape(label)} {score:.3f}" for label, score in explanation.answer[:8])
        lines.append(f"<p>{' · '.join(best)}</p>")
    if explanation.written:
        lines.append(f"<p>→ {escape(' '.join(explanation.written))}</p>")
    softmax = [step for step in explanation.steps if step.kind == "softmax" and step.tensors["probs"].shape[1] <= MOST]
    if softmax:
        rows, columns = sides(softmax[-1], explanation)
        said = (
            "How much each word looks at each, in the last layer",
            "Cuánto mira cada palabra a cada una, en la última capa",
        )
        lines.append(f'<table style="font:12px monospace;border-collapse:collapse"><caption>{said[es]}</caption>')
        lines.append("<tr><td></td>" + "".join(f"<th>{escape(token)}</th>" for token in columns) + "</tr>")
        for token, shares in zip(rows, np.nan_to_num(softmax[-1].tensors["probs"].mean(0)), strict=True):
            cells = (f'<td style="background:rgba(70,130,210,{p / 2:.2f})">{p:.2f}</td>' for p in shares.tolist())
            lines.append(f"<tr><th>{escape(token)}</th>{''.join(cells)}</tr>")
        lines.append("</table>")
    return "\n".join(lines)
