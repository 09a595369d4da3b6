"""Measure source tokens per second of translation: gatonegro, transformers and CTranslate2, with the same weights.

    python benchmarks/translation.py                                    random weights, in the shape of opus-mt's models
    python benchmarks/translation.py --model translate-es-en --front ">>en<< " --texts ../shared/data/parallel/dev.tsv

All engines run in this process, in turns; the best round counts. Sentences of random ids have log-normal lengths with
a median of 18. They are sorted by length, and each group of 64 generates exactly as many tokens as its longest source
has, so that all engines generate the same amount; a trained model ends by itself. In batches of one, a sixteenth of the
sentences is translated. Writes `benchmarks/results/translation-<name>.json` and `.md`.
CTranslate2 is optional: `pip install ctranslate2`.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import transformers
from common import HERE, machine, save

from gatonegro import AutoModelForSeq2SeqLM, AutoTokenizer, native
from gatonegro.engine.processor import fast_precisions, limit_threads

Ids = list[list[int]]
Engine = Callable[[Ids, int, int | None], object]  # sources, beams, how many tokens to write of each
GROUP, VOCABULARY = 64, 58_101
SETTINGS = [(1, 1), (1, 4), (16, 1), (64, 1), (16, 4), (64, 4)]  # (sentences per batch, beams)
SHAPE = {
    "vocab_size": VOCABULARY, "d_model": 512, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 8,
    "decoder_attention_heads": 8, "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048, "max_position_embeddings": 512,
    "activation_function": "swish", "scale_embedding": True, "eos_token_id": 0, "forced_eos_token_id": 0,
    "pad_token_id": VOCABULARY - 1, "decoder_start_token_id": VOCABULARY - 1,
}  # fmt: skip


def make_model(folder: Path) -> None:
    torch.manual_seed(0)
    model = transformers.MarianMTModel(transformers.MarianConfig(**SHAPE))
    model.generation_config.bad_words_ids = [[VOCABULARY - 1]]
    model.save_pretrained(folder)


def make_sources(count: int) -> Ids:
    rng = random.Random(1)
    lengths = [min(100, max(4, round(rng.lognormvariate(2.89, 0.6)))) for _ in range(count)]
    return [[*(rng.randrange(2, VOCABULARY - 1) for _ in range(n - 1)), 0] for n in lengths]


def read(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix != ".tsv":
        return lines
    column = lines[0].split("\t").index("es")
    return [line.split("\t")[column] for line in lines[1:]]


# --- the engines ---


def ours(folder: Path, title: str = "gatonegro {}", backend: str = "numpy") -> Iterator[tuple[str, Engine]]:
    for precision in ("fp32", "bf16", "int8"):
        if precision == "bf16" and "bf16" not in fast_precisions():
            continue
        if backend == "numpy":
            model = native.load(folder, "seq2seq-lm", precision=precision)
        else:
            model = AutoModelForSeq2SeqLM.from_pretrained(folder).optimize(precision)

        def run(ids: Ids, beams: int, length: int | None, fast=model) -> object:
            limits = {"min_new_tokens": length, "max_new_tokens": length or 256}
            options = fast.generation_config.resolve().with_options({"num_beams": beams, **limits})
            return fast.generate_ids(ids, options=options)

        yield title.format(precision), run


def ours_torch(folder: Path) -> Iterator[tuple[str, Engine]]:
    yield from ours(folder, "gatonegro {}, torch", "torch")


def theirs(folder: Path) -> Iterator[tuple[str, Engine]]:
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    pad = model.config.pad_token_id

    @torch.inference_mode()
    def run(ids: Ids, beams: int, length: int | None) -> object:
        longest = max(map(len, ids))
        batch = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
        limits = {"min_new_tokens": length, "max_new_tokens": length or 256}
        return model.generate(input_ids=batch, attention_mask=mask, num_beams=beams, do_sample=False, **limits)

    yield "transformers fp32", run


def ctranslate2(folder: Path) -> Iterator[tuple[str, Engine]]:
    import ctranslate2 as ct2
    from ctranslate2.converters.transformers import BartLoader, MarianMTLoader

    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    config, marian = model.config, model.config.model_type == "marian"
    words = [f"w{i}" for i in range(config.vocab_size - marian)]  # ids as words; Marian's last one, the pad, is dropped
    loader = MarianMTLoader() if marian else BartLoader()
    config.normalize_before = False
    with torch.no_grad():
        spec = loader.get_model_spec(model)
        loader.set_vocabulary(spec, words)
        spec.config.eos_token = spec.config.bos_token = words[config.eos_token_id]
        spec.config.unk_token = words[3 if config.eos_token_id == 2 else 1]
        spec.config.decoder_start_token = words[config.eos_token_id]  # a zero vector, in Marian
        spec.validate()
        spec.optimize(quantization="int8")
        (folder / "ct2").mkdir()
        spec.save(str(folder / "ct2"))
    for kind in ("float32", "int8"):
        translator = ct2.Translator(str(folder / "ct2"), compute_type=kind, intra_threads=torch.get_num_threads())

        def run(ids: Ids, beams: int, length: int | None, translator=translator) -> object:
            limits = {"min_decoding_length": length or 1, "max_decoding_length": length or 256}
            return translator.translate_batch([[words[i] for i in row] for row in ids], beam_size=beams, **limits)

        yield f"CTranslate2 {kind}", run


MAKERS = {maker.__name__: maker for maker in (ours, ours_torch, theirs, ctranslate2)}


# --- the measurement ---


def seconds(run: Engine, sources: Ids, batch: int, beams: int, free: bool) -> tuple[float, int]:
    """Return the seconds that an engine takes, and the number of source tokens."""
    jobs = []
    for first in range(0, len(sources), GROUP):
        group = sources[first : first + GROUP]
        length = None if free else max(map(len, group))
        if batch == 1:
            group = group[8::16]
        jobs += [(group[i : i + batch], length) for i in range(0, len(group), batch)]
    run(*jobs[0][:1], beams, jobs[0][1])  # to warm up
    start = time.perf_counter()
    for few, length in jobs:
        run(few, beams, length)
    return time.perf_counter() - start, sum(len(row) for few, _ in jobs for row in few)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a built-in one or a folder; by default random weights")
    parser.add_argument("--texts", type=Path, help="for --model: a text a line, or the column es of a table")
    parser.add_argument("--front", default="", help="what stands in front of each text")
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=MAKERS, default=list(MAKERS), metavar="MAKER")
    parser.add_argument("--out", type=Path, help="by default benchmarks/results/translation-<name>")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    limit_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.model is None:
            make_model(folder)
            sources = make_sources(args.sentences)
        else:
            AutoModelForSeq2SeqLM.from_pretrained(args.model).save_pretrained(folder)  # as all can read it
            lines = read(args.texts)
            lines = lines[:: max(1, len(lines) // args.sentences)][: args.sentences]
            sources = AutoTokenizer.from_pretrained(args.model)([args.front + line for line in lines])["input_ids"]
        sources.sort(key=len, reverse=True)
        engines: dict[str, Engine] = {}
        missing = {}
        for maker in args.only:
            try:
                engines |= dict(MAKERS[maker](args.model if maker.startswith("ours") and args.model else folder))
            except Exception as error:  # any engine may fail in its own way, and the others go on
                missing[maker] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        speeds: dict[str, dict[str, list[float]]] = {}
        for _ in range(args.rounds):
            for batch, beams in SETTINGS:
                for title, run in engines.items():
                    took, tokens = seconds(run, sources, batch, beams, args.model is not None)
                    key = f"{'greedy' if beams == 1 else f'{beams} beams'}, {batch} at a time"
                    speeds.setdefault(title, {}).setdefault(key, []).append(round(tokens / took, 1))
    name = Path(args.model).name if args.model else "marian"
    command = f"python benchmarks/translation.py --sentences {args.sentences} --rounds {args.rounds}"
    command += f" --model {args.model} --front '{args.front}' --texts {args.texts}" if args.model else ""
    result = {
        "command": command,
        "machine": machine("ctranslate2"),
        "tokens": sum(map(len, sources)),
        "source_tokens_per_s": speeds,
        "not_run": missing,
    }
    save(args.out or HERE / "results" / f"translation-{name}", result, table(speeds, missing))


def table(speeds: dict[str, dict[str, list[float]]], missing: dict[str, str]) -> list[str]:
    """Return a Markdown table: source tokens per second of each engine's best round, and times transformers."""
    keys = list(next(iter(speeds.values())))
    base = speeds.get("transformers fp32")
    lines = [f"Not run: {name} ({why})." for name, why in missing.items()]
    lines += ["", "Source tokens a second, and times transformers':", "", f"| engine | {' | '.join(keys)} |"]
    lines.append("|---|" + "---:|" * len(keys))
    for title, rows in speeds.items():
        best = {key: max(rows[key]) for key in keys}
        cells = [f"{best[k]:,.0f}" + (f" ({best[k] / max(base[k]):.1f}×)" if base else "") for k in keys]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
