"""Measure sentences per second of gatonegro and other engines, with the same weights and texts.

    python benchmarks/engines.py --shape distilbert --texts 256 --rounds 3

The engines run in turns, one round each, and the best round counts; each maker has its own process. Tokenization is
included. Each speed is also given as a share of the limit: the time of the encoder's matrix products at the best rate
of any PyTorch operator here, over the time taken. Writes `benchmarks/results/engines-<shape>.json`, `.md` and `.svg`.
Other engines need `pip install onnx onnxruntime openvino nncf ctranslate2`; engines that fail are listed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from common import HERE, SHAPES, machine, make_model, make_texts, save

from gatonegro import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline
from gatonegro.engine.int8 import quantise
from gatonegro.engine.linear import Prepacked
from gatonegro.engine.processor import fast_precisions
from gatonegro.operators import kernels

Engine = Callable[[list[str]], np.ndarray]  # texts → logits (n, labels)
BATCH = 32


def chunks(texts: list[str], size: int, ordered: bool) -> Iterator[tuple[list[int], list[str]]]:
    order = sorted(range(len(texts)), key=lambda i: len(texts[i])) if ordered else list(range(len(texts)))
    for i in range(0, len(order), size):
        yield order[i : i + size], [texts[n] for n in order[i : i + size]]


def batched(ask: Callable[[dict[str, np.ndarray]], np.ndarray], tokenizer, size: int, ordered: bool) -> Engine:
    """Return an engine for a function from padded arrays to logits."""

    def run(texts: list[str]) -> np.ndarray:
        out: list[np.ndarray | None] = [None] * len(texts)
        for rows, part in chunks(texts, size, ordered):
            batch = tokenizer(part, padding=True, truncation=True, max_length=512, return_tensors="np")
            for row, logits in zip(rows, ask(dict(batch)), strict=True):
                out[row] = logits
        return np.stack(out)  # type: ignore[arg-type]

    return run


# --- makers: each yields names and engines, or fails as a whole ---


def ours(
    folder: Path,
    title: str = "gatonegro {}",
    backend: str = "auto",
    precisions: tuple[str, ...] = ("fp32", "bf16", "int8"),
) -> Iterator[tuple[str, Engine]]:
    for precision in precisions:
        if precision == "bf16" and "bf16" not in fast_precisions():
            continue
        options = {"device": "cpu", "precision": precision, "backend": backend}
        run = pipe_engine(pipeline("text-classification", model=folder, **options))
        yield title.format(precision), run
        yield f"{title.format(precision)}, one by one", lambda texts, run=run: np.concatenate([run([t]) for t in texts])


def ours_torch(folder: Path) -> Iterator[tuple[str, Engine]]:
    yield from ours(folder, "gatonegro {}, torch", "torch")


def ours_without_kernels(folder: Path) -> Iterator[tuple[str, Engine]]:
    kernels.available = lambda: False
    yield from ours(folder, "gatonegro {}, torch without kernels", "torch")
    yield from ours(folder, "gatonegro {}, numpy without kernels", "numpy", ("fp32",))


def pipe_engine(classify) -> Engine:
    """Return an engine for a pipeline of transformers or gatonegro."""
    model = getattr(classify, "running", None) or classify.model
    names = {label: i for i, label in model.config.id2label.items()}

    def run(texts: list[str], **options) -> np.ndarray:
        found = classify(texts, top_k=None, function_to_apply="none", **options)
        return np.array([[one["score"] for one in sorted(row, key=lambda o: names[o["label"]])] for row in found])

    return run


def theirs(folder: Path) -> Iterator[tuple[str, Engine]]:
    run = pipe_engine(
        transformers.pipeline("text-classification", model=str(folder), device="cpu", dtype=torch.float32)
    )
    yield "transformers, its pipeline's default", run
    yield f"transformers, its pipeline, batch_size={BATCH}", lambda texts: run(texts, batch_size=BATCH)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        if name == "bf16" and "bf16" not in fast_precisions():
            continue
        model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=dtype).eval()

        @torch.inference_mode()
        def ask(batch: dict[str, np.ndarray], model=model) -> np.ndarray:
            return model(**{k: torch.from_numpy(v) for k, v in batch.items()}).logits.float().numpy()

        yield f"transformers {name}, one by one", batched(ask, tokenizer, 1, False)
        yield f"transformers {name}, batches of {BATCH}, sorted", batched(ask, tokenizer, BATCH, True)


def onnx(folder: Path) -> Path:
    """Export the model to ONNX, once."""
    path = folder / "model.onnx"
    if path.exists():
        return path
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder), attn_implementation="eager")
    names = ["input_ids", "attention_mask"]
    example = tuple(torch.ones(2, 8, dtype=torch.long) for _ in names)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.eval()

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    free = {name: {0: "batch", 1: "length"} for name in names} | {"logits": {0: "batch"}}
    torch.onnx.export(
        Logits(), example, path, input_names=names, output_names=["logits"], dynamic_axes=free, dynamo=False
    )
    return path


def onnxruntime(folder: Path) -> Iterator[tuple[str, Engine]]:
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    plain, small = onnx(folder), folder / "model.int8.onnx"
    quantize_dynamic(plain, small, weight_type=QuantType.QInt8, per_channel=True)
    for name, path in (("fp32", plain), ("int8, dynamic", small)):
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        def ask(batch: dict[str, np.ndarray], session=session) -> np.ndarray:
            return session.run(None, {i.name: batch[i.name].astype(np.int64) for i in session.get_inputs()})[0]

        yield f"ONNX Runtime {name}, one by one", batched(ask, tokenizer, 1, False)
        yield f"ONNX Runtime {name}, batches of {BATCH}, sorted", batched(ask, tokenizer, BATCH, True)


def openvino(folder: Path) -> Iterator[tuple[str, Engine]]:
    import nncf
    import openvino as ov

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    core, plain = ov.Core(), ov.convert_model(str(onnx(folder)))
    calls = [dict(tokenizer([text], return_tensors="np")) for text in make_texts(tokenizer, 100, seed=2)[0]]
    calls = [{k: v.astype(np.int64) for k, v in call.items() if k != "token_type_ids"} for call in calls]
    small = nncf.quantize(
        ov.convert_model(str(onnx(folder))), nncf.Dataset(calls), model_type=nncf.ModelType.TRANSFORMER
    )
    kinds = [("fp32", plain, "f32"), ("int8, NNCF", small, "f32")]
    if "bf16" in fast_precisions():
        kinds.insert(1, ("bf16", plain, "bf16"))
    for name, model, hint in kinds:
        settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        compiled = core.compile_model(model, "CPU", settings | {"PERFORMANCE_HINT": "LATENCY"})

        def ask(batch: dict[str, np.ndarray], compiled=compiled) -> np.ndarray:
            return next(iter(compiled([batch["input_ids"], batch["attention_mask"]]).values()))

        yield f"OpenVINO {name}, one by one", batched(ask, tokenizer, 1, False)
        yield f"OpenVINO {name}, batches of {BATCH}, sorted", batched(ask, tokenizer, BATCH, True)


def ctranslate2(folder: Path) -> Iterator[tuple[str, Engine]]:
    import ctranslate2 as ct2

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    converted = folder / "ct2"
    ct2.converters.TransformersConverter(str(folder)).convert(str(converted), force=True)
    for name in ("float32", "int8"):
        encoder = ct2.Encoder(str(converted), device="cpu", compute_type=name, intra_threads=torch.get_num_threads())

        @torch.inference_mode()
        def run(texts: list[str], size: int, ordered: bool, encoder=encoder) -> np.ndarray:
            out: list[np.ndarray | None] = [None] * len(texts)
            for rows, part in chunks(texts, size, ordered):
                found = encoder.forward_batch(tokenizer(part, truncation=True, max_length=512)["input_ids"])
                first = torch.from_numpy(np.array(found.last_hidden_state)[:, 0])  # (n, hidden)
                head = model.head
                for row, logits in zip(rows, head.output(head.activation(head.dense(first))).numpy(), strict=True):
                    out[row] = logits
            return np.stack(out)  # type: ignore[arg-type]

        yield f"CTranslate2 {name}, one by one", lambda texts, run=run: run(texts, 1, False)
        yield f"CTranslate2 {name}, batches of {BATCH}, sorted", lambda texts, run=run: run(texts, BATCH, True)


def compiled(folder: Path) -> Iterator[tuple[str, Engine]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    fast = torch.compile(model, dynamic=True)

    @torch.inference_mode()
    def ask(batch: dict[str, np.ndarray]) -> np.ndarray:
        return fast(**{k: torch.from_numpy(v) for k, v in batch.items()}).logits.numpy()

    yield f"torch.compile fp32, batches of {BATCH}, sorted", batched(ask, tokenizer, BATCH, True)


# --- a process each, so that threads, memory and caches of one are not in the way of another ---


def serve(pipe: Connection, maker: str, folder: Path, threads: int) -> None:
    """Build a maker's engines, send their names, and answer requests until told to stop; runs in a child process."""
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(threads)
    try:
        engines = dict(MAKERS[maker](folder))
        pipe.send(list(engines))
    except Exception as error:  # any engine may fail in its own way, and the others go on
        return pipe.send(f"{type(error).__name__}: {error}".splitlines()[0][:200])
    while (job := pipe.recv()) is not None:
        title, calls = job
        logits, took = [], []
        for texts in calls:
            start = time.perf_counter()
            logits.append(engines[title](texts))
            took.append(time.perf_counter() - start)
        pipe.send((logits, took))


class Engines:
    """Context manager with the engines of some makers, by name; `missing` maps makers that failed to the reason."""

    def __init__(self, makers: Iterable[str], folder: Path):
        self.workers: list[tuple[BaseProcess, Connection]] = []
        self.pipes: dict[str, Connection] = {}
        self.missing: dict[str, str] = {}
        for maker in makers:
            here, there = get_context("spawn").Pipe()
            process = get_context("spawn").Process(target=serve, args=(there, maker, folder, torch.get_num_threads()))
            process.start()
            self.workers.append((process, here))
            said = here.recv()
            if isinstance(said, str):
                self.missing[maker] = said
            else:
                self.pipes |= dict.fromkeys(said, here)

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *_: object) -> None:
        for process, pipe in self.workers:
            with suppress(OSError):
                pipe.send(None)
            process.join()

    def ask(self, title: str, *calls: list[str]) -> tuple[list[np.ndarray], list[float]]:
        """Return the logits and seconds of each call, one after another."""
        self.pipes[title].send((title, calls))
        return self.pipes[title].recv()


MAKERS = {
    maker.__name__: maker
    for maker in (ours, ours_torch, ours_without_kernels, theirs, onnxruntime, openvino, ctranslate2, compiled)
}


# --- the limit ---


def best_time(run: Callable[[], object], times: int = 7) -> float:
    run()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return min(took)


@torch.inference_mode()
def peaks(hidden: int) -> dict[str, float]:
    """Return multiply-adds per second, in 10⁹, of PyTorch's fastest operator per precision."""
    found: dict[str, float] = {}
    for rows in (512, 2048):
        for n, k in ((4 * hidden, hidden), (hidden, 4 * hidden), (3 * hidden, hidden)):
            x, weight = torch.randn(rows, k), torch.randn(n, k) * 0.03
            bytes_ = torch.randint(0, 256, (rows, k), dtype=torch.uint8)
            ways: dict[str, list[Callable[[], object]]] = {
                "fp32": [lambda x=x, w=weight: F.linear(x, w), lambda x=x, p=Prepacked(weight, None): p(x)]
            }
            rows_, scales = quantise(weight, narrow_sums=False)
            zero_points = torch.zeros(n, dtype=torch.long)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                per_row = torch.quantize_per_channel(weight, scales.double(), zero_points, 0, torch.qint8)
            onednn, fbgemm = (
                torch.ops.onednn.qlinear_prepack(rows_, None),
                torch.ops.quantized.linear_prepack(per_row, None),
            )
            ways["int8"] = [
                lambda b=bytes_, p=onednn, s=scales, z=zero_points: torch.ops.onednn.qlinear_pointwise(
                    b, 1.0, 0, p, s, z, None, 1.0, 0, torch.float32, "none", [], "none"
                ),
                lambda x=x, p=fbgemm: torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
                    x, 0.05, 128, p
                ),
            ]
            if "bf16" in fast_precisions():
                half = (x.bfloat16(), weight.bfloat16())
                packed = Prepacked(half[1], None)
                ways["bf16"] = [lambda h=half: F.linear(*h), lambda h=half, p=packed: p(h[0])]
            for precision, runs in ways.items():
                rate = max(2 * rows * n * k / best_time(run) / 1e9 for run in runs)
                found[precision] = max(found.get(precision, 0.0), rate)
    return found


def products(folder: Path, tokenizer, texts: list[str]) -> float:
    """Return the multiply-adds, in 10⁹, of the encoder's matrices for these texts, without padding."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    size = sum(part.weight.numel() for part in model.encoder.modules() if isinstance(part, torch.nn.Linear))
    return 2 * size * sum(len(ids) for ids in tokenizer(texts)["input_ids"]) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="distilbert", help=f"{', '.join(SHAPES)}, or a built-in model")
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="by default as many as the process has cores")
    parser.add_argument("--only", nargs="+", choices=MAKERS, metavar="MAKER", help=f"of: {' '.join(MAKERS)}")
    parser.add_argument("--out", type=Path, help="by default benchmarks/results/engines-<shape>")
    args = parser.parse_args()
    out = args.out or HERE / "results" / f"engines-{args.shape}"
    if args.threads:
        torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder, args.shape)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts, where = make_texts(tokenizer, args.texts)
        limit, work = peaks(AutoConfig.from_pretrained(folder).hidden_size), products(folder, tokenizer, texts)
        took: dict[str, list[float]] = {}
        logits: dict[str, np.ndarray] = {}
        with Engines(args.only or MAKERS, folder) as engines:
            missing = engines.missing
            for _ in range(args.rounds):
                for title in engines.pipes:
                    (_, found), (_, seconds) = engines.ask(title, texts[:32], texts)  # the first to warm up
                    logits[title] = found
                    took.setdefault(title, []).append(seconds)
        again = peaks(AutoConfig.from_pretrained(folder).hidden_size)
        limit = {precision: max(rate, again[precision]) for precision, rate in limit.items()}
    reference = next(
        (x for title, x in logits.items() if title.startswith("transformers")), next(iter(logits.values()))
    )
    rows = {}
    for title in logits:
        best = min(took[title])
        precision = next((p for p in ("int8", "bf16") if p in title), "fp32")
        rows[title] = {
            "sentences_per_s": round(len(texts) / best, 1),
            "rounds": [round(len(texts) / t, 1) for t in took[title]],
            "share_of_the_limit": round(work / limit[precision] / best, 2),
            "same_labels": round(float((logits[title].argmax(1) == reference.argmax(1)).mean()), 3),
            "logits_apart": float(f"{np.abs(logits[title] - reference).max():.1e}"),
        }
    command = f"python benchmarks/engines.py --shape {args.shape} --texts {args.texts} --rounds {args.rounds}"
    command += f" --only {' '.join(args.only)}" if args.only else ""
    result = {
        "command": command,
        "machine": machine("onnxruntime", "openvino", "nncf", "ctranslate2"),
        "texts": where,
        "peak_gflops": {k: round(v) for k, v in limit.items()},
        "engines": rows,
        "not_run": missing,
    }
    save(out, result, table(result))
    out.with_suffix(".svg").write_text(picture(rows), encoding="utf-8")


def table(result: dict) -> list[str]:
    """Return a Markdown table of the engines, fastest first."""
    rows = result["engines"]
    base = rows.get("transformers, its pipeline's default", {"sentences_per_s": 1})["sentences_per_s"]
    lines = [f"Texts: {result['texts']}. Best rate of one operator, 10⁹ operations a second: {result['peak_gflops']}."]
    lines += [f"Not run: {name} ({why})." for name, why in result["not_run"].items()]
    lines += ["", "| engine | sentences/s | × transformers' default | share of the limit | same labels | rounds |"]
    lines += ["|---|---:|---:|---:|---:|---|"]
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["sentences_per_s"]):
        speed = row["sentences_per_s"]
        rounds = ", ".join(map(str, row["rounds"]))
        share, same = f"{row['share_of_the_limit']:.2f}", f"{row['same_labels']:.3f}"
        lines.append(f"| {name} | {speed} | {speed / base:.2f} | {share} | {same} | {rounds} |")
    return lines


def picture(rows: dict[str, dict]) -> str:
    """Return an SVG bar chart of the engines, fastest first, on an opaque background; ours have another colour."""
    ordered = sorted(rows.items(), key=lambda item: -item[1]["sentences_per_s"])
    most, high, left, wide = ordered[0][1]["sentences_per_s"], 26, 330, 420
    body = []
    for i, (name, row) in enumerate(ordered):
        y, length = 20 + i * high, row["sentences_per_s"] / most * wide
        colour = "#f0b54a" if name.startswith("gatonegro") else "#7f8694"
        body.append(f'<text x="{left - 10}" y="{y + 14}" text-anchor="end" fill="#e8e6e1">{name}</text>')
        body.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="18" rx="2" fill="{colour}"/>')
        body.append(f'<text x="{left + length + 8:.0f}" y="{y + 14}" fill="#e8e6e1">{row["sentences_per_s"]}</text>')
    size = f'width="{left + wide + 90}" height="{len(ordered) * high + 36}"'
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    body.insert(0, '<title>Sentences a second, by engine</title><rect width="100%" height="100%" fill="#14161b"/>')
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(body)}</svg>\n'


if __name__ == "__main__":
    main()
