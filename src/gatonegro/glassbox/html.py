"""An explanation as a page: one file that loads nothing. Its template, style and script are in `page/`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.glassbox.steps import Array, Record, Step
from gatonegro.i18n import catalog

STATIC = 40  # most tokens of a text for which a notebook shows the table without scripts
WHOLE = 48  # most tokens of a text that is drawn whole; of longer ones the page draws less, with a note
LONG = 160  # tokens of a longer text whose attention is drawn
WIDEST = 512  # points of a vector's strip; of a wider vector, each point is the largest of several numbers
MASKED = -32768  # 16-bit value of a masked score
FIRST = 4  # numbers of each vector to show as text
FRAGMENTED = 12  # fragmented words to show
LABELS = 40  # labels to show
BLUE, ORANGE = "rgba(70,130,210,", "rgba(217,95,2,"
PAGE = Path(__file__).parent / "page"
WORDS, GLOSSARY = (catalog(PAGE / f"{name}.json") for name in ("words", "glossary"))  # an entry is "term: meaning"
# tensors that are drawn, by kind of step; all others are in the file of exact tensors
DRAWN = {kind: names.split() for kind, names in {
    "vectorization": "ids tokens positions x", "linear": "x memory Q K V", "attention": "scores",
    "masked_attention": "scores", "cross_attention": "scores", "softmax": "probs context", "add": "x attention sum",
    "norm": "sum x y", "feed_forward": "x y activation z", "head": "z_0 activation logits probs",
    "attribution": "attribution", "next": "likeliest", "tokens": "likeliest", "vectors": "z pooled",
}.items()}  # fmt: skip
# names of tensors on the page, where they differ
CALLED = {"vectorization/x": "made", "norm/x": "sum", "norm/y": "normed", "feed_forward/y": "normed"}
LOOKED_AT = ("K", "V", "memory")  # tensors whose rows are labelled by `columns`
Table = dict[str, dict[str, Any]]


def page(record: Record) -> str:
    """Return the page's source. Texts are in JSON, escaped so that no tag in them can end the script."""
    data = json.dumps(_data(record), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "css": (PAGE / "page.css").read_text(encoding="utf-8"),
        "js": (PAGE / "page.js").read_text(encoding="utf-8"),
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    }
    html = (PAGE / "page.html").read_text(encoding="utf-8")
    front, *rest = html.split("{{")
    return front + "".join(parts[name] + after for name, after in (part.split("}}", 1) for part in rest))


def _data(record: Record) -> dict[str, Any]:
    """Return the data of the page; a message is [English, Spanish]."""
    strips: Table = {}  # by content, since the output of a step is the input of the next
    steps = [_step(step, record, strips) for step in record.steps]
    most = max(len(record.tokens), len(record.written))
    notes = list(record.notes)
    if most > WHOLE:
        notes.append(WORDS["long"].format(tokens=most, attention=LONG, vectors=WHOLE))
    return {
        **{name: getattr(record, name) for name in ("text", "model", "lang", "written", "text_written")},
        "answer": [[label, round(score, 4)] for label, score in record.answer],
        "notes": notes,
        "diagnosis": (found := record.mismatch)
        and {  # the notice of a mismatch, with its evidence
            "advice": [text[:1].upper() + text[1:] for text in found.advices],
            "rows": found.rows(),
            "fragmented": [pieces for _, pieces in found.fragmented[:FRAGMENTED]],
        },
        "steps": steps,
        "strips": list(strips.values()),
        "words": WORDS,
        "glossary": {
            lang: dict(message.in_(lang).split(": ", 1) for message in GLOSSARY.values()) for lang in ("en", "es")
        },
    }


def _step(step: Step, record: Record, strips: Table) -> dict[str, Any]:
    return {
        **{name: getattr(step, name) for name in ("name", "kind", "number", "layer", "formula", "rows", "columns")},
        **step.caption._asdict(),
        "work": step.work,
        "notes": step.notes,
        "weights": [
            [name, "×".join(map(str, x.shape)), [float(f"{n:.4g}") for n in x.ravel()[:FIRST].tolist()]]
            for name, x in step.weights.items()
        ],
        "tensors": list(_tensors(step, record, strips)),
    }


def _tensors(step: Step, record: Record, strips: Table) -> Iterator[dict[str, Any]]:
    for name in DRAWN[step.kind]:
        if name not in step.tensors:
            continue
        x = step.tensors[name]
        if name in ("probs", "scores") and x.ndim == 3:
            yield _attention(name, x, max(x.shape[1:]) <= WHOLE)
        elif name == "ids":
            yield {"kind": "ids", "values": x.tolist()}
        elif name == "attribution":
            yield {"kind": "signed", "values": [round(float(n), 4) for n in x]}
        elif name == "likeliest":
            yield {"kind": "next", "values": [[[w, round(p, 4)] for w, p in row] for row in record.likeliest(step)]}
        elif name in ("probs", "logits") and x.ndim == 1 and record.answer:  # in both, the greatest is the likeliest
            labels = [label for label, _ in record.answer][:LABELS]
            values = sorted((round(float(n), 4) for n in x), reverse=True)[:LABELS]
            yield {"name": name, "kind": "shares" if name == "probs" else name, "labels": labels, "values": values}
        elif x.ndim >= 1:
            shown = CALLED.get(f"{step.kind}/{name}", name)
            names = step.columns if step.columns and name in LOOKED_AT else step.rows
            yield {"name": shown, "kind": "vectors", "rows": names[:WHOLE] if x.ndim > 1 else (), **_strips(x, strips)}


def _attention(name: str, x: Array, heads: bool) -> dict[str, Any]:
    """Return the attention of each head, or their mean, in 16 bits per number: probabilities to three decimals, scores
    to two, and `MASKED`."""
    if not heads:
        x = x.mean(0, keepdims=True)[:, :LONG, :LONG]
    scale = 1000.0 if name == "probs" else 100.0
    x = np.where(np.isfinite(x), x, np.nan)
    scale = min(scale, (-MASKED - 1) / (float(np.nanmax(np.abs(x))) or 1.0))
    whole = np.where(np.isnan(x), MASKED, np.rint(x * scale)).astype("<i2")
    return {"name": name, "kind": name, "scale": scale, "shape": x.shape, "values": _base64(whole)}


def _base64(x: Array) -> str:
    return base64.b64encode(x.tobytes()).decode()


def _strips(x: Array, strips: Table) -> dict[str, Any]:
    """Return vectors as 8-bit shares of the largest number, and the first numbers of each exactly. Heads lie side by
    side: (h, t, d) as (t, h · d)."""
    rows = x.transpose(1, 0, 2).reshape(x.shape[1], -1) if x.ndim == 3 else x.reshape(-1, x.shape[-1])
    shape, rows = list(rows.shape), rows[:WHOLE]
    first = [[float(f"{n:.6g}") for n in row] for row in rows[:, :FIRST].tolist()]
    every = -(-rows.shape[1] // WIDEST)
    if every > 1:
        some = np.pad(rows, ((0, 0), (0, -rows.shape[1] % every))).reshape(len(rows), -1, every)
        rows = np.take_along_axis(some, np.abs(some).argmax(-1, keepdims=True), -1)[..., 0]
    most = float(np.abs(rows).max()) or 1.0
    eight = _base64(np.rint(rows / most * 127 + 128).astype(np.uint8))
    new = {"number": len(strips), "width": rows.shape[1], "every": every, "most": most, "first": first, "bytes": eight}
    number = strips.setdefault(f"{first} {most} {eight}", new)["number"]
    return {"shape": shape, "strip": number}


def notebook(record: Record) -> str:
    """Return HTML for notebooks: a table, which remains where scripts are removed, and the page in a frame."""
    style = "width:100%;height:46rem;border:1px solid #8884;border-radius:.5rem"
    source = escape(page(record), quote=True)
    frame = f'<iframe title="gatonegro" sandbox="allow-scripts" style="{style}" srcdoc="{source}"></iframe>'
    return f"{_static_html(record)}\n{frame}"


def _static_html(record: Record) -> str:
    """Return HTML without scripts: the answer, its attribution to words, and the last layer's attention, averaged over
    heads. Colours are half transparent, to suit light and dark notebooks."""
    lines = [f"<p><b>{escape(record.text[:300])}</b> · {escape(record.model)}</p>"]
    if record.mismatch:
        lines.append(f"<p>⚠ {escape(record.mismatch.advices.in_(record.lang))}</p>")
    if record.answer:
        best = (f"{escape(label)} {score:.3f}" for label, score in record.answer[:8])
        lines.append(f"<p>{' · '.join(best)}</p>")
    if record.written:
        lines.append(f"<p>→ {escape(record.text_written[:300])}</p>")
    lines += [
        f"<p>{step.title}: {_colored(record.tokens, step.tensors['attribution'])}</p>"
        for step in record.steps
        if step.kind == "attribution" and len(record.tokens) <= STATIC
    ]
    softmax = [step for step in record.steps if step.kind == "softmax"]
    softmax = [step for step in softmax if max(len(step.rows), len(step.columns)) <= STATIC]
    if softmax:
        rows, columns = softmax[-1].rows, softmax[-1].columns
        lines.append(f"<details><summary>{WORDS['looks last'].in_(record.lang)}</summary>")
        lines.append('<table style="font:12px monospace;border-collapse:collapse">')
        lines.append("<tr><td></td>" + "".join(f"<th>{escape(token)}</th>" for token in columns) + "</tr>")
        for token, shares in zip(rows, np.nan_to_num(softmax[-1].tensors["probs"].mean(0)), strict=True):
            cells = (f'<td style="padding:2px 6px;background:{BLUE}{p / 2:.2f})">{p:.2f}</td>' for p in shares.tolist())
            lines.append(f"<tr><th>{escape(token)}</th>{''.join(cells)}</tr>")
        lines.append("</table></details>")
    return "\n".join(lines)


def _colored(tokens: Sequence[str], x: Array) -> str:
    """Return words as HTML, blue where they speak for the answer, orange where against it."""
    most = float(np.abs(x).max()) or 1.0
    words = []
    for token, n in zip(tokens, x.tolist(), strict=True):
        shade = f"{BLUE if n > 0 else ORANGE}{abs(n) / most / 2:.2f})"
        style = f"padding:2px 5px;border-radius:4px;background:{shade}"
        words.append(f'<span style="{style}">{escape(token)} <small>{n:+.2f}</small></span>')
    return " ".join(words)
