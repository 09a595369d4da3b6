"""Draw the picture of the modules for docs/architecture.md, from the layers in pyproject.toml.

    python docs/img/modules.py

Writes `modules.svg` beside this file. A test compares the file with what `draw` returns.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WIDTH, MARGIN, GAP = 1080, 24, 6  # pixels
LOW, HIGH = 34, 48  # heights of a row of one or two boxes, and of more
INK, GREY, LINE, PAPER = "#1b1e25", "#5b606c", "#c9ccd3", "#ffffff"
GROUPS = {  # colour → the modules of a kind
    "#fdf1dc": "cli glassbox pipelines tasks",
    "#fbe3e4": "modeling_outputs training models engine nn padding",
    "#dff3ef": "native text_model generation families operators scores",
    "#ece6fb": "language checkpoints packing preprocessing documents tokenization",
    "#eef0f3": "batching config hub storage compat checks download torch_extra utils errors i18n",
}
RULE = "A module imports only from rows below it. Red ones need PyTorch, and so does explain in glassbox."
CONTENTS = {
    "cli": "one file per command",
    "glassbox": "explain, diagnose, the page of an explanation",
    "pipelines": "pipeline(); the one loop from rows to answers",
    "tasks": "a record per task: encode, predict or generate, decode",
    "training": "one loop in PyTorch: AdamW, log, resume",
    "modeling_outputs": "names",
    "models": "the Auto* classes of PyTorch: config, weights and head; padded batches",
    "native": "the forward pass in numpy: encoder, decoder, heads",
    "text_model": "what pipelines, tasks and generation use of a model, in both backends",
    "generation": "greedy, beams and sampling over a KV cache",
    "engine": "optimized modules of PyTorch: precision, int8, kernels",
    "families": "a file per family: names; from files to weights",
    "nn": "the forward pass in PyTorch: encoder layer, decoder layer, heads; packed in, packed out",
    "language": "language of a text; does a model fit it",
    "checkpoints": "safetensors, shards",
    "padding": "padded batches of tensors, from and to packed ones",
    "packing": "Packed, Layout",
    "operators": "products, norms, attention",
    "scores": "softmax and norms of answers",
    "torch_extra": "whether PyTorch is installed",
    "preprocessing": "tweets, emoji",
    "documents": "markup, sentences, numbers",
    "tokenization": "AutoTokenizer, windows",
    "batching": "plan by tokens",
    "config": "Config: sizes, variants",
    "hub": "name → files",
    "storage": "atomic writes, bounded reads",
    "compat": "arguments of transformers",
    "checks": "conditions on what users pass",
    "download": "requests to a hub, checked",
    "utils": "logging",
    "errors": "one exception per mistake a user can mend, in both languages",
    "i18n": "the user's language; Message(en, es)",
}
FLOW = (  # what a text becomes, and where
    ("“El gato negro”", "text"),
    ("preprocessing", "prepared text"),
    ("tokenization", "ids, windows"),
    ("batching, packing", "(t,) no padding"),
    ("native or models", "(t, hidden)"),
    ("tasks", "decode"),
    ("POS 0.97", "answer"),
)


def layers() -> list[list[str]]:
    """Return the layers of the import contract, the topmost first, each with its modules."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r'containers = \["gatonegro"\]\nlayers = \[(.*?)\]', text, re.DOTALL)
    return [row.split(" | ") for row in re.findall(r'"([^"]+)"', block[1])] if block else []


def label(x: float, y: float, words: str, size: int, colour: str = INK, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" {more}>{escape(words)}</text>'


def box(x: float, y: float, width: float, name: str, height: int) -> list[str]:
    """Draw a module: its name, and what it contains beside it, or below it where boxes are narrow."""
    colour = next(colour for colour, names in GROUPS.items() if name in names.split())
    beside = height == LOW
    return [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height}" rx="6" fill="{colour}" stroke="{LINE}"/>',
        label(x + 12, y + (22 if beside else 20), name, 14, more='font-weight="bold"'),
        label(x + (120 if beside else 12), y + (22 if beside else 37), CONTENTS[name], 12, GREY),
    ]


def flow(y: float) -> list[str]:
    """Draw the way of a text from left to right: in each box a module, below it what leaves it."""
    width = (WIDTH - 2 * MARGIN - (len(FLOW) - 1) * 24) / len(FLOW)
    parts = []
    for i, (name, leaves) in enumerate(FLOW):
        x = MARGIN + i * (width + 24)
        fill = PAPER if i in (0, len(FLOW) - 1) else "#f6f7f9"
        parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="44" rx="22" fill="{fill}" stroke="{INK}"/>')
        middle = 'text-anchor="middle"'
        parts.append(label(x + width / 2, y + 19, name, 11, INK, middle + ' font-weight="bold"'))
        parts.append(label(x + width / 2, y + 34, leaves, 11, GREY, middle))
        if i:
            parts.append(f'<path d="M{x - 21:g} {y + 22:g}h14m-5 -4l5 4l-5 4" fill="none" stroke="{INK}"/>')
    return parts


def draw() -> str:
    """Return the picture as SVG: the way of a text, and below it the layers of modules."""
    parts = [label(MARGIN, MARGIN + 8, "From text to answer", 13, GREY), *flow(MARGIN + 20)]
    y = MARGIN + 20 + 44 + 34
    parts.append(label(MARGIN, y - 10, RULE, 13, GREY))
    for names in layers():
        width = (WIDTH - 2 * MARGIN - (len(names) - 1) * GAP) / len(names)
        row = LOW if len(names) < 3 else HIGH
        for i, name in enumerate(names):
            parts += box(MARGIN + i * (width + GAP), y, width, name, row)
        y += row + GAP
    height = y - GAP + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
            "<title>The modules of gatonegro in layers, and the way of a text through them</title>",
            f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{PAPER}"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    (HERE / "modules.svg").write_text(draw(), encoding="utf-8")
