"""Release a run of `train.py`: int8 weights, tokenizer, and a card with measured figures.

    python recipes/translation/release.py --data ../shared/data

Measured are the pairs of dev to which no pair of `train.tsv.gz` is nearly the same, and the suite of `everyday.tsv`.
`--measure FOLDER` measures a saved model alone, and writes that to the file that `-o` names.

Takes the running mean of the weights from the run's last state, if the run is not finished. Writes the folder of the
model, with the numbers by which its doubts are told (`calibrate.py`); what it is worth, by `sacrebleu`, to
`benchmarks/results/translation-quality.json` and `.md`; the curve of its training to
`benchmarks/results/translation-training.svg` and `.jsonl`; and the card from `card.next.md`, in which `{{name}}` stands
for a figure.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import Any

import sacrebleu
import torch
from calibrate import calibrate
from data import Pair, unseen_pairs
from everyday import everyday
from train import CONFIG, END, PAD, START

from gatonegro import AutoModelForSeq2SeqLM, AutoTokenizer, checkpoints, pipeline
from gatonegro.generation import GenerationConfig
from gatonegro.models import LanguageModel

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[1] / "models" / "gatonegro_models" / "translate-es-en"
RESULTS = HERE.parents[1] / "benchmarks" / "results"
WRITING = GenerationConfig(
    max_length=CONFIG["max_position_embeddings"],
    num_beams=4,
    eos_token_id=END,
    pad_token_id=PAD,
    bos_token_id=0,
    decoder_start_token_id=START,
    forced_eos_token_id=END,
    stop_loops=True,
)
TITLES = {
    "tatoeba": "Tatoeba, everyday sentences",
    "flores-dev": "FLORES-200 dev, Wikipedia",
    "wmt12": "newstest2012, news",
    "opensubtitles": "OpenSubtitles",
}


def finished(run: Path) -> LanguageModel:
    """Return the model of a run or, if it is not finished, the running mean of its weights."""
    if (run / "model" / "config.json").exists():
        model = AutoModelForSeq2SeqLM.from_pretrained(run / "model")
    else:
        model = AutoModelForSeq2SeqLM.from_pretrained(run / "begun")
        state = torch.load(run / "state.pt", weights_only=True, mmap=True)
        with torch.no_grad():
            for parameter, mean in zip(model.parameters(), state["average"], strict=True):
                parameter.copy_(mean)
    assert isinstance(model, LanguageModel)
    return model


def records(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def measure(folder: Path, rows: list[Pair], beams: int) -> dict[str, Any]:
    """Return BLEU and chrF per set, in both directions."""
    translate = pipeline("translation", folder, num_beams=beams, precision="int8", local_files_only=True)
    out: dict[str, Any] = {}
    for name in TITLES:
        some = [row for row in rows if row.source == name]
        for source, target in (("es", "en"), ("en", "es")):
            texts, wanted = [getattr(row, source) for row in some], [getattr(row, target) for row in some]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = [one["translation_text"] for one in translate(texts, src_lang=source, tgt_lang=target)]
            out[f"{name}.{source}-{target}"] = {
                "texts": len(some),
                "bleu": round(sacrebleu.corpus_bleu(found, [wanted]).score, 1),
                "chrf": round(sacrebleu.corpus_chrf(found, [wanted]).score / 100, 3),
            }
            print(name, source, target, out[f"{name}.{source}-{target}"], flush=True)
    return out


def all_of(folder: Path, rows: list[Pair]) -> dict[str, Any]:
    """Return all figures of a saved model."""
    counts, _ = everyday(folder)
    return {
        "beam 4": measure(folder, rows, 4),
        "greedy": measure(folder, rows, 1),
        "everyday": {kind: [*pair, round(pair[0] / pair[1], 3)] for kind, pair in counts.items()},
    }


def table(figures: dict[str, Any]) -> str:
    lines = ["| set | texts | es → en BLEU | chrF | en → es BLEU | chrF |", "|---|---:|---:|---:|---:|---:|"]
    for name, title in TITLES.items():
        there, back = figures[f"{name}.es-en"], figures[f"{name}.en-es"]
        values = (f"{way['bleu']:.1f} | {way['chrf']:.3f}" for way in (there, back))
        lines.append(f"| {title} | {there['texts']:,} | {' | '.join(values)} |")
    return "\n".join(lines)


def kinds(counts: dict[str, list]) -> str:
    """Return the results of the suite of everyday sentences, by kind."""
    rows = [f"| {kind} | {count} | {share:.2f} |" for kind, (_, count, share) in counts.items()]
    return "\n".join(["| kind | asked | right |", "|---|---:|---:|", *rows])


def curve(log: list[dict[str, float]]) -> str:
    """Return an SVG of loss and chrF by step."""
    width, height, left, bottom = 720, 320, 50, 40
    last = max(record["step"] for record in log)
    series = {
        "training loss": [(r["step"], r["loss"]) for r in log],
        "dev loss": [(r["step"], (r["dev_es"] + r["dev_en"]) / 2) for r in log if "dev_es" in r],
        "dev chrF / 10": [(r["step"], (r["chrf_es"] + r["chrf_en"]) / 20) for r in log if "chrf_es" in r],
    }
    top = max(value for line in series.values() for _, value in line)
    body = []
    for (name, line), colour in zip(series.items(), ("#888", "#2563eb", "#c2410c"), strict=True):
        places = [
            (left + (width - left - 130) * step / last, height - bottom - (height - bottom - 20) * value / top)
            for step, value in line
        ]
        if not places:
            continue
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = places[-1]
        body.append(f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{name} {line[-1][1]:.2f}</text>')
    for value in range(0, int(top) + 1, 2):
        y = height - bottom - (height - bottom - 20) * value / top
        body.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end" fill="#888">{value}</text>')
        body.append(f'<line x1="{left}" x2="{width - 130}" y1="{y:.0f}" y2="{y:.0f}" stroke="#888" opacity=".25"/>')
    middle = (left + width - 130) // 2
    body.append(f'<text x="{middle}" y="{height - 10}" text-anchor="middle" fill="#888">steps: {last:,.0f}</text>')
    size, style = f'viewBox="0 0 {width} {height}"', 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(body)}</svg>\n'


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/")
    parser.add_argument("--run", type=Path, default=Path("runs/translation"), help="where train.py wrote")
    parser.add_argument("--to", type=Path, default=SHIPPED)
    parser.add_argument("--go-on", action="store_true", help="the run began with what is shipped: join their logs")
    parser.add_argument("--most", type=int, help="of each set, only so many pairs (for a quick look)")
    parser.add_argument("--measure", type=Path, help="a saved model, to be measured and not shipped")
    parser.add_argument("-o", "--output", type=Path, help="where --measure writes its figures")
    args = parser.parse_args(argv)
    rows = unseen_pairs(args.data)
    if args.most:
        rows = [row for name in TITLES for row in [r for r in rows if r.source == name][: args.most]]
    if args.measure:
        shown = " ".join(
            [f"--measure {os.path.relpath(args.measure)}", *([f"--most {args.most}"] if args.most else [])]
        )
        figures = {"command": f"python recipes/translation/release.py --data {os.path.relpath(args.data)} {shown}"}
        figures |= all_of(args.measure, rows)
        args.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return
    start = args.run / "begun"
    model = finished(args.run)
    model.generation_config = WRITING
    model.config = model.config.replace(extra={**model.config.extra, "languages": ["es", "en"]})
    model.save_pretrained(args.to, int8=True)
    AutoTokenizer.from_pretrained(start).save_pretrained(args.to)
    calibrate(args.to, args.data)

    history = RESULTS / "translation-training.jsonl"
    log = records(history) if args.go_on else []
    done = log[-1]["step"] if log else 0
    log += [{**record, "step": done + record["step"]} for record in records(args.run / "log.jsonl")]
    command = f"python recipes/translation/release.py --data {os.path.relpath(args.data)}"
    figures = {
        "command": command + (f" --most {args.most}" if args.most else ""),
        "sacrebleu": sacrebleu.__version__,
        "signature": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp",
        "parameters": model.num_parameters(),
        "bytes": (args.to / checkpoints.INT8_WEIGHTS_NAME).stat().st_size,
        **all_of(args.to, rows),
        "training": {"steps": log[-1]["step"], "loss": log[-1]["loss"]},
    }
    if args.to != SHIPPED:
        return
    result = RESULTS / "translation-quality.json"
    result.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    lines = f"# How well `translate-es-en` translates\n\n`{figures['command']}`, sacrebleu {sacrebleu.__version__}\n\n"
    lines += f"Beam 4, int8:\n\n{table(figures['beam 4'])}\n\nGreedy, int8:\n\n{table(figures['greedy'])}\n"
    result.with_suffix(".md").write_text(lines, encoding="utf-8")
    history.write_text("".join(json.dumps(record) + "\n" for record in log), encoding="utf-8")
    (RESULTS / "translation-training.svg").write_text(curve(log), encoding="utf-8")
    (args.to / "README.md").write_text(card(figures), encoding="utf-8")


def card(figures: dict[str, Any]) -> str:
    text = (HERE / "card.next.md").read_text(encoding="utf-8")
    values = {
        "table": table(figures["beam 4"]),
        "parameters": f"{round(figures['parameters'] / 1e6)}",
        "megabytes": f"{round(figures['bytes'] / 1e6)}",
        "steps": f"{figures['training']['steps']:,.0f}",
        **{f"{name}.bleu": f"{one['bleu']}" for name, one in figures["beam 4"].items()},
        "kinds": kinds(figures["everyday"]),
        "everyday": str(round(100 * figures["everyday"]["all"][2])),
    }
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


if __name__ == "__main__":
    main()
