"""HTML output of an explanation as one self-contained page, made from the template in `page/`."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.glassbox.labels import PAGE_TEXTS, TENSOR_ALIASES, symbols
from gatonegro.glassbox.steps import Array, Record, Step
from gatonegro.i18n import catalog, format_number

MAX_STATIC_TOKENS = 40  # longest text with tables in the notebook's HTML without scripts
MAX_DRAWN_TOKENS = 48  # longest text with all heads and vectors on the page; longer ones show less, with a note
MAX_ATTENTION_TOKENS = 160  # tokens of a longer text with attention on the page
MAX_STRIP_POINTS = 512  # points per vector; in a wider vector, each point is the largest of several numbers
MASKED = -32768  # 16-bit value of a masked score
N_SHOWN_NUMBERS = 4  # first numbers of each vector, shown as text
MAX_FRAGMENTED_WORDS = 12
MAX_DRAWN_LABELS = 40
BLUE, ORANGE = "rgba(70,130,210,", "rgba(217,95,2,"  # half transparent, for light and dark notebooks
PAGE = Path(__file__).parent / "page"
GLOSSARY = catalog(PAGE / "glossary.json")  # an entry is "term: meaning"
# tensors on the page, by kind of step; all others are in the file of exact tensors
DRAWN_TENSORS = {kind: names.split() for kind, names in {
    "vectorization": "ids tokens positions x", "linear": "x memory Q K V", "attention": "scores",
    "masked_attention": "scores", "cross_attention": "scores", "softmax": "probs context", "add": "x attention sum",
    "norm": "sum x y", "feed_forward": "x y activation z", "head": "z_1 activation logits probs",
    "attribution": "attribution", "next": "likeliest", "tokens": "likeliest", "vectors": "z pooled",
}.items()}  # fmt: skip
KEY_TENSORS = ("K", "V", "memory")  # their rows are labelled by `columns`
Strips = dict[str, dict[str, Any]]


def page(record: Record) -> str:
    """Render an explanation as an HTML page, with JSON data escaped so that no text can end the script."""
    data = json.dumps(_data(record), ensure_ascii=False, separators=(",", ":"))
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    parts = {
        "css": (PAGE / "page.css").read_text(encoding="utf-8"),
        "js": script,
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),  # the one script that may run
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
    }
    html = (PAGE / "page.html").read_text(encoding="utf-8")
    front, *rest = html.split("{{")
    return front + "".join(parts[name] + after for name, after in (part.split("}}", 1) for part in rest))


def _data(record: Record) -> dict[str, Any]:
    """Return an explanation's data for its HTML page, where a message is a pair of English and Spanish texts."""
    strips: Strips = {}  # by content: the output of a step is often the input of the next
    steps = [_step(step, record, strips) for step in record.steps]
    n_tokens = max(len(record.tokens), len(record.written))
    notes = list(record.notes)
    if n_tokens > MAX_DRAWN_TOKENS:
        limits = {"attention": MAX_ATTENTION_TOKENS, "vectors": MAX_DRAWN_TOKENS}
        notes.append(PAGE_TEXTS["long"].format(tokens=n_tokens, **limits))
    return {
        **{name: getattr(record, name) for name in ("text", "model", "lang", "written", "text_written")},
        "answer": [[label, round(score, 4)] for label, score in record.answer],
        "notes": notes,
        "diagnosis": (diagnosis := record.mismatch)
        and {  # the notice of a mismatch, with its evidence
            "advice": [text[:1].upper() + text[1:] for text in diagnosis.advice_message],
            "rows": diagnosis.rows(),
            "fragmented": [pieces for _, pieces in diagnosis.fragmented[:MAX_FRAGMENTED_WORDS]],
        },
        "steps": steps,
        "strips": list(strips.values()),
        "words": dict(PAGE_TEXTS),
        "glossary": {
            lang: dict(message.in_(lang).split(": ", 1) for message in GLOSSARY.values()) for lang in ("en", "es")
        },
    }


def _step(step: Step, record: Record, strips: Strips) -> dict[str, Any]:
    return {
        **{name: getattr(step, name) for name in ("name", "kind", "number", "layer", "rows", "columns")},
        **step.caption._asdict(),
        "formula": step.formulas,
        "decimals": step.share_decimals,
        "work": step.work,
        "notes": step.notes,
        "weights": [
            [symbols(name), "×".join(map(str, x.shape)), [float(f"{n:.6g}") for n in x.ravel()[:N_SHOWN_NUMBERS]]]
            for name, x in step.weights.items()
        ],
        "tensors": list(_tensors(step, record, strips)),
    }


def _tensors(step: Step, record: Record, strips: Strips) -> Iterator[dict[str, Any]]:
    for name in DRAWN_TENSORS[step.kind]:
        if name not in step.tensors:
            continue
        x = step.tensors[name]
        if name in ("probs", "scores") and x.ndim == 3:
            whole = max(x.shape[1:]) <= MAX_DRAWN_TOKENS
            yield {"name": name, "kind": name, "heads": x.tolist()} if step.work else _attention(name, x, whole)
        elif name == "ids":
            yield {"kind": "ids", "values": x.tolist()}
        elif name == "attribution":
            rest = {name: float(step.tensors[name]) for name in ("punctuation", "start")}
            rest["odds"] = float(x.sum()) + sum(rest.values())
            rest = {name: round(value, 4) for name, value in rest.items()}
            yield {"kind": "signed", "values": [round(float(n), 4) for n in x], "rest": rest}
        elif name == "likeliest":
            yield {"kind": "next", "values": [[[w, round(p, 4)] for w, p in row] for row in record.likeliest(step)]}
        elif name in ("probs", "logits") and x.ndim == 1 and record.answer:  # in both, the greatest is the likeliest
            labels = [label for label, _ in record.answer][:MAX_DRAWN_LABELS]
            values = sorted((round(float(n), 4) for n in x), reverse=True)[:MAX_DRAWN_LABELS]
            yield {"name": name, "kind": "shares" if name == "probs" else name, "labels": labels, "values": values}
        elif x.ndim >= 1:
            shown = TENSOR_ALIASES.get(f"{step.kind}/{name}", name)
            names = step.columns if step.columns and name in KEY_TENSORS else step.rows
            rows = names[:MAX_DRAWN_TOKENS] if x.ndim > 1 else ()
            yield {"name": shown, "kind": "vectors", "rows": rows, **_strips(x, strips)}


def _attention(name: str, x: Array, heads: bool) -> dict[str, Any]:
    """Encode attention scores or probabilities for the HTML page as 16-bit integers, per head or as their mean."""
    if not heads:
        x = x.mean(0, keepdims=True)[:, :MAX_ATTENTION_TOKENS, :MAX_ATTENTION_TOKENS]
    scale = 1000.0 if name == "probs" else 100.0
    x = np.where(np.isfinite(x), x, np.nan)
    scale = min(scale, (-MASKED - 1) / (float(np.nanmax(np.abs(x))) or 1.0))
    whole = np.where(np.isnan(x), MASKED, np.rint(x * scale)).astype("<i2")
    return {"name": name, "kind": name, "scale": scale, "shape": x.shape, "values": _base64(whole)}


def _base64(x: Array) -> str:
    return base64.b64encode(x.tobytes()).decode()


def _strips(x: Array, strips: Strips) -> dict[str, Any]:
    """Encode vectors for the HTML page in 8 bits per number, and the first numbers of each vector as decimals."""
    # heads are concatenated: (h, t, d) becomes (t, h · d)
    rows = x.transpose(1, 0, 2).reshape(x.shape[1], -1) if x.ndim == 3 else x.reshape(-1, x.shape[-1])
    shape, rows = list(rows.shape), rows[:MAX_DRAWN_TOKENS]
    first = [[float(f"{n:.6g}") for n in row] for row in rows[:, :N_SHOWN_NUMBERS].tolist()]
    group = -(-rows.shape[1] // MAX_STRIP_POINTS)
    if group > 1:
        groups = np.pad(rows, ((0, 0), (0, -rows.shape[1] % group))).reshape(len(rows), -1, group)
        rows = np.take_along_axis(groups, np.abs(groups).argmax(-1, keepdims=True), -1)[..., 0]
    peak = float(np.abs(rows).max()) or 1.0
    data = _base64(np.rint(rows / peak * 127 + 128).astype(np.uint8))
    new = {"number": len(strips), "width": rows.shape[1], "every": group, "most": peak, "first": first, "bytes": data}
    number = strips.setdefault(f"{first} {peak} {data}", new)["number"]
    return {"shape": shape, "strip": number}


def notebook(record: Record) -> str:
    """Return an explanation's HTML for notebooks: a summary for viewers that remove scripts, then the full page."""
    style = "width:100%;height:46rem;border:1px solid #8884;border-radius:.5rem"
    source = escape(page(record), quote=True)
    frame = f'<iframe title="gatonegro" sandbox="allow-scripts" style="{style}" srcdoc="{source}"></iframe>'
    return f"{_static_html(record)}\n{frame}"


def _static_html(record: Record) -> str:
    """Summarize an explanation as HTML without scripts: answer, attributions and the last layer's attention."""
    lines = [f"<p><b>{escape(record.text[:300])}</b> · {escape(record.model)}</p>"]
    if record.mismatch:
        lines.append(f"<p>⚠ {escape(record.mismatch.advice_message.in_(record.lang))}</p>")
    if record.answer:
        best = (f"{escape(label)} {format_number(score).in_(record.lang)}" for label, score in record.answer[:8])
        lines.append(f"<p>{' · '.join(best)}</p>")
    if record.written:
        lines.append(f"<p>→ {escape(record.text_written[:300])}</p>")
    lines += [
        f"<p>{' '.join([step.title + ':', *(escape(note.in_(record.lang)) for note in step.notes)])} "
        f"{_colored(step, step.tensors['attribution'])}</p>"
        for step in record.steps
        if step.kind == "attribution" and len(record.tokens) <= MAX_STATIC_TOKENS
    ]
    softmax = [step for step in record.steps if step.kind == "softmax"]
    softmax = [step for step in softmax if max(len(step.rows), len(step.columns)) <= MAX_STATIC_TOKENS]
    if softmax:
        rows, columns = softmax[-1].rows, softmax[-1].columns
        lines.append(f"<details><summary>{PAGE_TEXTS['looks last'].in_(record.lang)}</summary>")
        lines.append('<table style="font:12px monospace;border-collapse:collapse">')
        lines.append("<tr><td></td>" + "".join(f"<th>{escape(token)}</th>" for token in columns) + "</tr>")
        for token, shares in zip(rows, np.nan_to_num(softmax[-1].tensors["probs"].mean(0)), strict=True):
            numbers = ((p, format_number(p, softmax[-1].share_decimals).in_(record.lang)) for p in shares.tolist())
            cells = (f'<td style="padding:2px 6px;background:{BLUE}{p / 2:.2f})">{n}</td>' for p, n in numbers)
            lines.append(f"<tr><th>{escape(token)}</th>{''.join(cells)}</tr>")
        lines.append("</table></details>")
    return "\n".join(lines)


def _colored(step: Step, x: Array) -> str:
    """Render words as HTML, coloured blue for a positive attribution and orange for a negative one."""
    largest = float(np.abs(x).max(initial=0.0)) or 1.0
    words = []
    for word, n in zip(step.rows, x.tolist(), strict=True):
        shade = f"{BLUE if n > 0 else ORANGE}{abs(n) / largest / 2:.2f})"
        number = format_number(n, 2, sign=True).in_(step.lang)
        style = f"padding:2px 5px;border-radius:4px;background:{shade}"
        words.append(f'<span style="{style}">{escape(word)} <small>{number}</small></span>')
    return " ".join(words)
