"""Record the answers of transformers 4's `pipeline`, before v5 dropped these tasks, in pipelines.json.

Written once, with transformers 4.57.6, torch 2.13.0 (CPU), tokenizers 0.22.2 and sentencepiece 0.2.3, by

    python -m venv /tmp/hf4
    /tmp/hf4/bin/pip install torch==2.13.0 "transformers==4.57.*" sentencepiece numpy safetensors protobuf sacremoses
    OMP_NUM_THREADS=1 /tmp/hf4/bin/python tests/golden/make.py

The file is complete without this script. `files` are those that tests/small_checkpoints.py must write before
anything else can be compared; `pipelines` are calls with their results or errors; `generate` are the ids of the padded
`inputs`. Nothing in it is random.
"""

import functools
import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sentencepiece
import tokenizers
import torch
import transformers
from small_checkpoints import KINDS, make
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, pipeline

ES = [
    "El gato negro duerme en la casa vieja.",
    "¿Dónde está la biblioteca?",
    "Mañana vamos a la playa si hace buen tiempo; el café cierra a las ocho.",
]
EN = [
    "The black cat sleeps in the old house. The dog plays in the park near the river.",
    "Where is the library?",
    "Yesterday we bought bread, cheese and three green apples. The café on the corner closes at eight.",
]
PROMPTS = ["The black cat", "¿Dónde está", "I don't understand why the train is always"]
LONG = " ".join(EN * 4)

Keywords = dict[str, Any]
Call = tuple[str, Any, Keywords]  # task, inputs, keywords
WRONG: tuple[Any, ...] = ([], "", ["", ES[1]], " ", 5, None, {"text": ES[0]}, [ES[0], 5], [[ES[0]]])


def sequence_to_sequence(task: str, texts: list[str], low: list[list[int]]) -> Iterator[Call]:
    """Return the keywords that all three tasks accept; `low` are ids of a plain answer, to be forbidden."""
    one = texts[0]
    inputs: Any
    keywords: Keywords
    for inputs in (*texts, texts, [one]):
        yield task, inputs, {}
    for inputs in (one, texts):
        yield task, inputs, {"num_return_sequences": 2}
        yield task, inputs, {"return_tensors": True}
    for keywords in (
        {"num_beams": 1},
        {"num_beams": 4},
        {"num_beams": 2, "early_stopping": False},
        {"num_beams": 3, "early_stopping": "never", "length_penalty": -1.0},
        {"max_new_tokens": 6},
        {"max_new_tokens": 6, "num_beams": 1},
        {"max_length": 9},
        {"min_length": 15, "max_new_tokens": 20},
        {"min_new_tokens": 12, "max_new_tokens": 16},
        {"min_length": 30, "max_length": 12},
        {"length_penalty": 0.2},
        {"length_penalty": 3.0, "early_stopping": True},
        {"no_repeat_ngram_size": 2},
        {"no_repeat_ngram_size": 1, "num_beams": 1},
        {"repetition_penalty": 1.8},
        {"repetition_penalty": 1.8, "num_beams": 1},
        {"encoder_no_repeat_ngram_size": 1},
        {"bad_words_ids": low},
        {"bad_words_ids": [*low, low[0] + low[1]], "num_beams": 1},
        {"stop_sequence": "en"},
        {"num_return_sequences": 2, "return_tensors": True},
        {"num_return_sequences": 2, "num_beams": 1},
        {"num_return_sequences": 5, "num_beams": 4},
        {"return_text": True},
        {"return_text": False},
        {"clean_up_tokenization_spaces": True},
        {"clean_up_tokenization_spaces": False},
        {"truncation": True},
        {"truncation": "only_first"},
        {"src_lang": "es", "tgt_lang": "en"},
        {"surprise": 1},
        {"num_beams": 0},
        {"max_new_tokens": 0},
    ):
        yield task, one, keywords
    for keywords in ({"batch_size": 1}, {"batch_size": 2}, {"batch_size": 3, "num_beams": 1}):
        yield task, texts, keywords
    yield task, LONG, {}
    yield task, LONG, {"truncation": True}
    yield task, LONG, {"truncation": "longest_first", "num_beams": 1}
    yield from ((task, wrong, {}) for wrong in WRONG)


def text_generation(task: str, low: list[list[int]]) -> Iterator[Call]:
    one = PROMPTS[0]
    keywords: Keywords
    short: Keywords = {"max_new_tokens": 12, "do_sample": False}
    for inputs in (*PROMPTS, PROMPTS, [one]):
        yield task, inputs, short
    for keywords in (
        {"num_beams": 4},
        {"num_beams": 4, "num_return_sequences": 2},
        {"return_full_text": True},
        {"return_full_text": False},
        {"return_tensors": True},
        {"return_text": True},
        {"batch_size": 1},
        {"batch_size": 2},
        {"stop_sequence": " the"},
    ):
        for inputs in (one, PROMPTS):
            yield task, inputs, short | keywords
    for keywords in (
        {"num_beams": 2, "early_stopping": True, "length_penalty": 0.5},
        {"max_new_tokens": 30},
        {"min_new_tokens": 12},
        {"min_length": 18},
        {"no_repeat_ngram_size": 2},
        {"repetition_penalty": 1.8},
        {"bad_words_ids": low},
        {"bad_words_ids": [*low, low[0] + low[1]], "num_beams": 3},
        {"eos_token_id": low[1]},
        {"eos_token_id": [*low[0], *low[1]]},
        {"stop_strings": ["a"]},
        {"prefix": "El perro y "},
        {"prefix": "El perro y ", "return_full_text": False},
        {"prefix": "El perro y ", "min_length": 12},
        {"add_special_tokens": True},
        {"skip_special_tokens": False, "eos_token_id": low[1]},
        {"clean_up_tokenization_spaces": True},
        {"clean_up_tokenization_spaces": False},
        {"truncation": True},
        {"handle_long_generation": "hole"},
        {"handle_long_generation": "gap"},
        {"return_full_text": True, "return_text": True},
        {"return_full_text": True, "return_tensors": True},
        {"return_tensors": True, "num_return_sequences": 2, "num_beams": 2},
        {"num_return_sequences": 2},
        {"surprise": 1},
    ):
        yield task, one, short | keywords
    yield task, "the cat sleeps , is n't it ?", short
    yield task, "the cat sleeps , is n't it ?", short | {"clean_up_tokenization_spaces": False}
    yield task, one, {"do_sample": False}
    yield task, one, {"do_sample": False, "max_length": 12}
    yield task, one, {"do_sample": False, "max_length": 12, "max_new_tokens": 20}
    yield task, LONG, short
    yield task, LONG, short | {"truncation": True}
    yield task, LONG, short | {"handle_long_generation": "hole"}
    yield task, LONG, short | {"handle_long_generation": "hole", "return_full_text": False}
    yield task, LONG, short | {"handle_long_generation": "hole", "max_new_tokens": 64}
    yield from ((task, wrong, short) for wrong in WRONG)
    yield task, [{"role": "user", "content": one}], short


def calls(kind: str, low: list[list[int]]) -> Iterator[Call]:
    if kind == "gpt2":
        yield from text_generation("text-generation", low)
        yield "text2text-generation", PROMPTS[0], {}
    elif kind == "marian":
        yield from sequence_to_sequence("translation_es_to_en", ES, low)
        for task in ("translation", "text2text-generation", "summarization", "translation_xx"):
            for inputs in (ES[0], ES):
                yield task, inputs, {}
    elif kind == "bart":
        yield from sequence_to_sequence("summarization", EN, low)
        for task in ("text2text-generation", "translation_en_to_de"):
            for inputs in (EN[0], EN):
                yield task, inputs, {}
    else:
        tasks = ["translation_en_to_fr", "translation", "summarization", "text2text-generation"]
        for task in [*tasks, "translation_en_to_de", "translation_es_to_en"] if kind == "t5" else tasks[2:]:
            for inputs in (EN[0], EN):
                yield task, inputs, {"max_new_tokens": 30}
                yield task, inputs, {"max_new_tokens": 30, "num_beams": 1, "return_tensors": True}
        if kind == "t5":
            yield "summarization", EN[0], {}
            yield "summarization", EN[0], {"max_length": 10}
            yield "translation_en_to_fr", EN[0], {}
            yield "translation_en_to_fr", EN[1], {"prefix": "summarize: "}
            yield "text2text-generation", "translate English to French: " + EN[1], {"max_new_tokens": 30}
        yield "text2text-generation", EN[1], {}
        yield "text2text-generation", LONG, {"max_new_tokens": 8}
        yield "text2text-generation", LONG, {"max_new_tokens": 8, "truncation": True}
        for inputs in WRONG:
            yield "text2text-generation", inputs, {"max_new_tokens": 8}


def settings(low: list[list[int]]) -> Iterator[dict[str, Any]]:
    """Return keywords of `generate`; generation_config.json has the others."""
    keywords: Keywords
    plain: Keywords = {"max_new_tokens": 20, "do_sample": False}
    yield plain | {"num_beams": 1}
    for keywords in (
        {},
        {"num_return_sequences": 4},
        {"num_beams": 2, "num_return_sequences": 2},
        {"early_stopping": True},
        {"early_stopping": "never"},
        {"early_stopping": "never", "length_penalty": 2.0},
        {"early_stopping": True, "length_penalty": 2.0, "min_length": 10, "no_repeat_ngram_size": 3},
        {"length_penalty": 0.0},
        {"length_penalty": -2.0},
        {"min_new_tokens": 10},
        {"no_repeat_ngram_size": 2},
        {"repetition_penalty": 1.8},
        {"bad_words_ids": [*low, low[0] + low[1]]},
        {"suppress_tokens": [*low[0], *low[1]]},
        {"begin_suppress_tokens": low[0]},
        {"forced_eos_token_id": low[1][0]},
        {"eos_token_id": [*low[0], *low[1]]},
    ):
        yield plain | {"num_beams": 4} | keywords
    for keywords in (
        {"min_new_tokens": 10},
        {"no_repeat_ngram_size": 2},
        {"repetition_penalty": 1.8},
        {"bad_words_ids": [*low, low[0] + low[1]]},
        {"eos_token_id": [*low[0], *low[1]]},
    ):
        yield plain | {"num_beams": 1} | keywords


def plain(value: Any) -> Any:
    """Convert tensors to lists."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def outcome(ask: Callable[[str], Any], task: str, inputs: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": plain(ask(task)(inputs, **keywords))}
    except Exception as error:
        return {"error": [type(error).__name__, str(error)[:300]]}


def batches(kind: str, tokenizer: Any) -> list[dict[str, Any]]:
    """Return one text alone, and three padded together: on the left for decoder-only models, else on the right."""
    texts = PROMPTS if kind == "gpt2" else ES if kind == "marian" else EN
    if kind == "gpt2":
        tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"
    encoded = [tokenizer(part, padding=True) for part in (texts[:1], texts)]
    return [{name: batch[name] for name in ("input_ids", "attention_mask")} for batch in encoded]


def generated(kind: str, model: Any, inputs: list[dict[str, Any]], low: list[list[int]]) -> Iterator[dict[str, Any]]:
    for i, batch in enumerate(inputs):
        tensors = {name: torch.tensor(ids) for name, ids in batch.items()}
        for keywords in settings(low):
            answer = model.generate(**tensors, **keywords, output_scores=True, return_dict_in_generate=True)
            record = {"kind": kind, "inputs": i, "kwargs": keywords, "ids": answer.sequences.tolist()}
            if keywords["num_beams"] > 1:
                record["scores"] = [round(score, 5) for score in answer.sequences_scores.tolist()]
            yield record


def forbidden(kind: str, model: Any, tokenizer: Any) -> list[list[int]]:
    """Return two ids of a greedy answer to the first text, one list each."""
    text = PROMPTS[0] if kind == "gpt2" else ES[0] if kind == "marian" else EN[0]
    inputs = tokenizer(text, return_tensors="pt")["input_ids"]
    ids = model.generate(inputs, max_new_tokens=20, min_length=8, num_beams=1, do_sample=False)[0]
    ids = ids[len(inputs[0]) + 1 if kind == "gpt2" else 2 + (kind == "bart") :].tolist()
    return [[ids[0]], [next(token for token in ids if token != ids[0])]]


def main() -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    versions = {module.__name__: module.__version__ for module in (transformers, torch, tokenizers, sentencepiece)}
    files: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    pipelines: list[dict[str, Any]] = []
    generate: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as root:
        for kind in KINDS:
            folder = make(kind, Path(root) / kind)
            files[kind] = {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(folder.iterdir())
            }
            tokenizer = AutoTokenizer.from_pretrained(folder)
            auto = AutoModelForCausalLM if kind == "gpt2" else AutoModelForSeq2SeqLM
            model = auto.from_pretrained(folder).eval()
            low = forbidden(kind, model, tokenizer)
            ask = functools.cache(functools.partial(pipeline, model=str(folder), tokenizer=str(folder), device="cpu"))
            for task, given, keywords in calls(kind, low):
                answer = outcome(ask, task, given, keywords)
                pipelines.append({"kind": kind, "task": task, "args": given, "kwargs": keywords, **answer})
            inputs[kind] = batches(kind, tokenizer)
            generate += generated(kind, model, inputs[kind], low)
    lines = [f'"versions": {json.dumps(versions)}']
    for name, values in (("files", files), ("inputs", inputs)):
        rows = [f"{json.dumps(kind)}: {json.dumps(value)}" for kind, value in values.items()]
        lines.append(f'"{name}": {{\n' + ",\n".join(rows) + "\n}")
    for name, records in (("pipelines", pipelines), ("generate", generate)):
        rows = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
        lines.append(f'"{name}": [\n' + ",\n".join(rows) + "\n]")
    path = Path(__file__).with_name("pipelines.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{path}: {len(pipelines)} calls, {len(generate)} generations, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
