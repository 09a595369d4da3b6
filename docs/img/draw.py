"""Draw the README's picture: three sentences on their way through the built-in model, with its real numbers.

    python docs/img/draw.py

Tokens, packed rows, attention (first layer, mean of its heads) and labels are what the model gives when this is run.
Writes `packed.en.svg` and `packed.es.svg` beside this file; they carry their own background, so they can stand on a
light page and on a dark one.
"""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.batching import plan
from gatonegro.nn.activations import layer_attentions, record_activations
from gatonegro.packing import pack

HERE = Path(__file__).parent
TEXTS = ["La clase empieza a las nueve", "The food was bad", "Me encanta"]
COLOURS = ["#f0b54a", "#54c6b2", "#b9a0f2"]
SIGNS = {"POS": "+", "NEG": "−", "NEU": "·"}
INK, PALE, DIM, PANEL, EDGE = "#14161b", "#e8e6e1", "#9a9ca6", "#1b1e25", "#4a4f5c"
CELL, HIGH, MARGIN = 56, 30, 40  # a token's box, and the margin of the picture
SAYS = {
    "en": {
        "title": "Three sentences, packed end to end",
        "padded": "padded: {b} × {s} = {all} places, {empty} of them empty",
        "packed": "packed: {t} tokens, end to end",
        "attention": "attention: each token looks at its own sentence, and so there is no mask",
    },
    "es": {
        "title": "Tres frases, empaquetadas una tras otra",
        "padded": "con relleno: {b} × {s} = {all} huecos, {empty} de ellos vacíos",
        "packed": "empaquetadas: {t} tokens, uno tras otro",
        "attention": "atención: cada token mira a su propia frase, así que no hay máscara",
    },
}


def look(name: str) -> tuple[list[list[str]], list[torch.Tensor], list[str]]:
    """Return the tokens, first layer's attention (q, k) and labels of the sentences, longest first."""
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForSequenceClassification.from_pretrained(name)
    batch = tokenizer(TEXTS)
    (order,) = plan([len(ids) for ids in batch["input_ids"]], 2048)
    packed = pack([batch["input_ids"][i] for i in order], model.config)
    with torch.inference_mode(), record_activations(model) as seen:
        labels = model.run(packed).argmax(-1).tolist()
    attention = [one.probs.mean(0) for one in layer_attentions(model, seen)[0]]
    return [batch.tokens(i) for i in order], attention, [model.config.id2label[i] for i in labels]


def text(x: float, y: float, words: str, colour: str, size: int, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="{size}" {more}>{escape(words)}</text>'


def cell(x: float, y: float, token: str, colour: str | None) -> str:
    place = f'x="{x + 1:g}" y="{y:g}" width="{CELL - 2}" height="{HIGH}" rx="5"'
    if colour is None:
        return f'<rect {place} fill="none" stroke="{EDGE}" stroke-dasharray="3 3"/>'
    middle = 'text-anchor="middle"'
    return f'<rect {place} fill="{colour}"/>' + text(x + CELL / 2, y + 19, token, INK, 10, middle)


def cat(x: float, y: float) -> str:
    """Draw a black cat."""
    head = "M0 40 C-4 18 -2 4 4 -8 L20 6 Q30 2 40 6 L56 -8 C62 4 64 18 60 40 Z"
    eyes = "".join(f'<ellipse cx="{e}" cy="22" rx="5" ry="6.5" fill="#c9e265"/>' for e in (19, 41))
    pupils = "".join(f'<ellipse cx="{e}" cy="22" rx="1.5" ry="5.5" fill="{INK}"/>' for e in (19, 41))
    face = f'<path d="{head}" fill="{INK}" stroke="{EDGE}"/>{eyes}{pupils}'
    return f'<g transform="translate({x:g} {y:g}) scale(1.7)">{face}</g>'


def draw(tokens: list[list[str]], attention: list[torch.Tensor], labels: list[str], says: dict[str, str]) -> str:
    b, s, t = len(tokens), max(map(len, tokens)), sum(map(len, tokens))
    width = 2 * MARGIN + t * CELL
    out, y = [], MARGIN + 4
    numbers = {"b": b, "s": s, "all": b * s, "empty": b * s - t, "t": t}
    captions = {name: words.format(**numbers) for name, words in says.items()}

    out.append(text(MARGIN, y, captions["padded"], DIM, 14))
    y += 14
    for row, colour in zip(tokens, COLOURS, strict=True):
        for i in range(s):
            token = row[i] if i < len(row) else ""
            out.append(cell(MARGIN + i * CELL, y, token, colour if token else None))
        y += HIGH + 4

    y += 34
    out.append(text(MARGIN, y, captions["packed"], PALE, 14))
    y += 14
    x = MARGIN
    out.append(cat(width - MARGIN - 170, y - 68))  # its chin on the strip
    for row, colour in zip(tokens, COLOURS, strict=True):
        for token in row:
            out.append(cell(x, y, token, colour))
            x += CELL

    y += HIGH + 38
    out.append(text(MARGIN, y, captions["attention"], PALE, 14))
    y += 14
    x, grain = MARGIN, 14
    for row, probs, label, colour in zip(tokens, attention, labels, COLOURS, strict=True):
        n = len(row)
        for q in range(n):
            for k in range(n):
                strength = float(probs[q, k] / probs[q].max())
                place = f'x="{x + k * grain + 1}" y="{y + q * grain}" width="{grain - 1}" height="{grain - 1}" rx="2"'
                out.append(f'<rect {place} fill="{colour}" fill-opacity="{0.1 + 0.9 * strength:.2f}"/>')
        answer = f"{SIGNS.get(label, '')} {label}"
        out.append(text(x + n * grain + 14, y + 14, answer, colour, 16, 'font-weight="bold"'))
        x += n * CELL
    high = y + s * grain + MARGIN - 10
    font = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high}" width="{width}" height="{high}" '
        f'role="img" aria-label="{escape(says["title"])}" font-family="{font}">'
    )
    panel = f'<rect x="1" y="1" width="{width - 2}" height="{high - 2}" rx="16" fill="{PANEL}" stroke="{EDGE}"/>'
    return "\n".join([head, f"<title>{escape(says['title'])}</title>", panel, *out, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sentiment-es-en", help="a folder, or a built-in model's name")
    parser.add_argument("--out", type=Path, default=HERE)
    args = parser.parse_args()
    seen = look(args.model)
    for language, says in SAYS.items():
        (args.out / f"packed.{language}.svg").write_text(draw(*seen, says), encoding="utf-8")


if __name__ == "__main__":
    main()
