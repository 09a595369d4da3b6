"""Measure tokens per second on a GPU: gatonegro and transformers in its fastest setting.

    python benchmarks/gpu.py --shape bert-base --texts 20000

Transformers runs in bf16 with SDPA, on large batches sorted by length. Same weights and texts, in turns, best round of
each; pads are not counted. Each speed is also given as a share of the bf16 peak: the time of the encoder's products at
the rate of one product of 8192 × 8192 matrices, over the time taken. Writes `benchmarks/results/gpu-<shape>.json` and
`.md`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from engines import best_time, products
from material import HERE, machine, make_model, make_texts, save

from gatonegro import AutoTokenizer, pipeline

BATCHES = (64, 256, 1024)


def waiting(device: str) -> Callable[[], object]:
    return torch.cuda.synchronize if device.startswith("cuda") else lambda: None


def peak(device: str, side: int) -> float:
    """Return multiply-adds per second, in 10⁹, of one large bf16 product."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    wait = waiting(device)
    return 2 * side**3 / best_time(lambda: (a @ b, wait())) / 1e9


def theirs(folder: Path, device: str, size: int) -> Callable[[list[str]], object]:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        str(folder), dtype=torch.bfloat16, attn_implementation="sdpa"
    )
    model, tokenizer = model.eval().to(device), transformers.AutoTokenizer.from_pretrained(str(folder))

    @torch.inference_mode()
    def run(texts: list[str]) -> list[list[float]]:
        ids = tokenizer(texts, truncation=True, max_length=512)["input_ids"]
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        logits = []
        for at in range(0, len(order), size):
            batch = tokenizer.pad({"input_ids": [ids[i] for i in order[at : at + size]]}, return_tensors="pt")
            logits.append(model(**batch.to(device)).logits)
        return torch.cat(logits).float().tolist()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="bert-base")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--side", type=int, default=8192, help="of the matrices by which the peak is measured")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder, args.shape)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts, where = make_texts(tokenizer, args.texts)
        classify = pipeline("text-classification", model=folder, device=args.device, precision="bf16")
        engines: dict[str, Callable[[list[str]], object]] = {"gatonegro bf16": classify}
        for size in BATCHES:
            engines[f"transformers bf16, batches of {size}, sorted"] = theirs(folder, args.device, size)
        work, tokens = products(folder, tokenizer, texts), sum(len(ids) for ids in tokenizer(texts)["input_ids"])
        limit, best = peak(args.device, args.side), dict.fromkeys(engines, float("inf"))
        wait = waiting(args.device)
        for _ in range(args.rounds + 1):  # the first is for warming up, and hardly the best
            for title, run in engines.items():
                start = time.perf_counter()
                run(texts)
                wait()
                best[title] = min(best[title], time.perf_counter() - start)
    theirs_best = min(seconds for title, seconds in best.items() if not title.startswith("gatonegro"))
    card = torch.cuda.get_device_name(args.device) if args.device.startswith("cuda") else "none"
    rows = {
        title: {
            "tokens_per_s": round(tokens / seconds),
            "times_transformers_best": round(theirs_best / seconds, 2),
            "share_of_the_peak": round(work / limit / seconds, 3),
        }
        for title, seconds in best.items()
    }
    command = f"python benchmarks/gpu.py --shape {args.shape} --texts {args.texts}"
    result = {"command": command, "card": card, "machine": machine(), "texts": where, "peak_gflops": round(limit)}
    lines = ["", f"Card: {card}. Best rate of one product in bf16: {limit:.0f} · 10⁹ operations a second.", ""]
    lines += ["| engine | tokens/s | × transformers' best | share of the peak |", "|---|---:|---:|---:|"]
    lines += [f"| {title} | " + " | ".join(map(str, row.values())) + " |" for title, row in rows.items()]
    save(HERE / "results" / f"gpu-{args.shape}", result | {"engines": rows}, lines)


if __name__ == "__main__":
    main()
