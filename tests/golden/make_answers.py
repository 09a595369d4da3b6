"""Record the answers of transformers 4's `question-answering` and `zero-shot-classification` in answers.json.

Written once, in the environment of make.py, by

    OMP_NUM_THREADS=1 /tmp/hf4/bin/python tests/golden/make_answers.py [FOLDER]

The file is complete without this script. `files` are those that tests/small_encoders.py must write before anything
else can be compared; the results or errors are those of the calls in answer_calls.py, in their order. With FOLDER, the
research data, `xquad` has the spans and scores that are found in long texts; it holds no text of that data.
"""

import hashlib
import inspect
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tokenizers
import torch
import transformers
from answer_calls import LABELS, Keywords, classifications, questions, xquad
from small_encoders import FAMILIES, make_encoder
from transformers import AutoTokenizer, pipeline

DROPPED = [  # by version 5
    f"{name}Pipeline" for name in ("QuestionAnswering", "Summarization", "Translation", "Text2TextGeneration")
]
NLI_HEAD = "sequence-classification"


def outcome(pipe: Any, arguments: list[Any], keywords: Keywords) -> dict[str, Any]:
    try:
        return {"result": rounded(pipe(*arguments, **keywords))}
    except BaseException as error:  # a Rust panic is no Exception
        return {"error": [type(error).__name__, str(error)[:120]]}


def rounded(value: Any) -> Any:
    """Round the scores of an answer, and leave out the text that zero-shot classification repeats."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items() if name != "sequence"}
    return (
        [rounded(item) for item in value]
        if isinstance(value, list)
        else round(value, 7)
        if isinstance(value, float)
        else value
    )


def long_texts(data: Path, root: Path) -> Iterator[list[Any]]:
    """Yield for some questions of XQuAD in Spanish its index, and start, end and score of two answers."""
    folder = make_encoder("bert", "question-answering", root / "xquad", max_position_embeddings=384)
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=384)
    ask = pipeline("question-answering", model=str(folder), tokenizer=tokenizer, device="cpu")
    for i, (question, context) in enumerate(xquad(data)):
        if i % 25 == 0:
            answers = ask(question=question, context=context, top_k=2)
            yield [i, *([answer[name] for name in ("start", "end", "score")] for answer in answers)]


def names(pipe: type[Any]) -> list[str]:
    """Return the names of the arguments of a pipeline's call: the parameters of two of its methods."""
    found = set()
    for function in (pipe.__call__, pipe._sanitize_parameters):
        parameters = inspect.signature(function).parameters.values()
        found |= {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    return sorted(found - {"self"})


def main() -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    torch.set_num_threads(1)
    versions = {module.__name__: module.__version__ for module in (transformers, torch, tokenizers)}
    files: dict[str, Any] = {}
    records: dict[str, list[dict[str, Any]]] = {}  # kind, and padding side or labels → results
    with tempfile.TemporaryDirectory() as root:
        for kind in FAMILIES:
            folder = make_encoder(kind, "question-answering", Path(root) / kind)
            files[kind] = {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(folder.iterdir())
            }
            for side in ("right", "left"):
                tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=side)
                ask = pipeline("question-answering", model=str(folder), tokenizer=tokenizer, device="cpu")
                records[f"{kind} {side}"] = [outcome(ask, *call) for call in questions()]
        for kind in FAMILIES:
            for labels in LABELS:
                name = f"{kind} {labels['0']}"
                ids = {label: int(i) for i, label in labels.items()}
                folder = make_encoder(kind, NLI_HEAD, Path(root) / name, id2label=labels, label2id=ids)
                classify = pipeline("zero-shot-classification", model=str(folder), tokenizer=str(folder), device="cpu")
                records[name] = [outcome(classify, *call) for call in classifications()]
        spans = list(long_texts(Path(sys.argv[1]), Path(root))) if sys.argv[1:] else []
    arguments = {name: names(getattr(transformers, name)) for name in DROPPED}
    parts = [f'"versions": {json.dumps(versions)}', f'"files": {json.dumps(files)}']
    parts.append(f'"arguments": {json.dumps(arguments)}')
    for name, values in {**records, "xquad": spans}.items():
        rows = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in values]
        parts.append(f'"{name}": [\n' + ",\n".join(rows) + "\n]")
    path = Path(__file__).with_name("answers.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
    print(f"{path}: {sum(map(len, records.values()))} calls, {len(spans)} long texts, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
