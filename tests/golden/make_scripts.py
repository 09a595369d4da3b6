"""Record what four scripts of tests/compat/scripts print with transformers 4, before v5 dropped their tasks.

Written once to scripts.json, in the environment of make.py, by

    OMP_NUM_THREADS=1 /tmp/hf4/bin/python tests/golden/make_scripts.py
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tokenizers
import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from small_checkpoints import make
from small_encoders import make_encoder

RUNNER = Path(__file__).resolve().parents[1] / "compat" / "run_scripts.py"
KINDS = {"summarization": "bart", "translation": "marian", "text2text": "t5"}


def make_checkpoints(root: Path) -> dict[str, str]:
    """Return the folder of a checkpoint for each of the scripts."""
    folders = {name: make(kind, root / kind) for name, kind in KINDS.items()}
    folders["question_answering"] = make_encoder("bert", "question-answering", root / "bert")
    return {name: str(folder) for name, folder in folders.items()}


def main() -> None:
    versions = {module.__name__: module.__version__ for module in (transformers, torch, tokenizers)}
    with tempfile.TemporaryDirectory() as root:
        folders = json.dumps(make_checkpoints(Path(root)))
        command = [sys.executable, str(RUNNER), "transformers", folders]
        run = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    outputs = {name: text.splitlines() for name, text in json.loads(run.stdout).items()}
    assert "Traceback" not in run.stdout.decode()
    data = json.dumps({"versions": versions, "outputs": outputs}, ensure_ascii=False, indent=1)
    Path(__file__).with_name("scripts.json").write_text(data + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
