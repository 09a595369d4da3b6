"""Measure the memory of a classifier in DistilBERT's shape: gatonegro in int8 and transformers in fp32.

    python benchmarks/memory.py

Peak memory of a process, and its anonymous memory at the end, after 256 real texts in batches; each model has its own
process, and one process only imports PyTorch. Writes `benchmarks/results/memory.json` and `.md`. Linux.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from material import HERE, machine, make_model, make_texts, save

from gatonegro import AutoTokenizer

TELL = """
import json, resource
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
most, own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, int(status["RssAnon"].split()[0])
print(json.dumps([most // 1024, own // 1024]))
"""
ASK = "import json, sys\ntexts = json.load(open(sys.argv[2]))\n"
PROGRAMS = {
    "import torch": "import torch\n",
    "gatonegro int8": ASK + "from gatonegro import pipeline\n"
    "pipeline('text-classification', model=sys.argv[1], device='cpu', precision='int8')(texts)\n",
    "gatonegro fp32": ASK + "from gatonegro import pipeline\n"
    "pipeline('text-classification', model=sys.argv[1], device='cpu', precision='fp32')(texts)\n",
    "transformers fp32, batch_size=32": ASK + "import torch\nfrom transformers import pipeline\n"
    "pipeline('text-classification', model=sys.argv[1], device='cpu', dtype=torch.float32)(texts, batch_size=32)\n",
}


def main() -> None:
    found = {}
    with tempfile.TemporaryDirectory() as name:
        make_model(Path(name), "distilbert")
        texts, where = make_texts(AutoTokenizer.from_pretrained(name), 256)
        (Path(name) / "texts.json").write_text(json.dumps(texts))
        for title, program in PROGRAMS.items():
            command = [sys.executable, "-W", "ignore", "-c", program + TELL, name, str(Path(name) / "texts.json")]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            most, own = json.loads(ran.stdout.splitlines()[-1])
            found[title] = {"most_mb": most, "own_mb": own}
    theirs = found["transformers fp32, batch_size=32"]
    result = {"command": "python benchmarks/memory.py", "machine": machine(), "texts": where, "found": found}
    lines = ["", "| | most, MB | × | in the end, not of files, MB | × |", "|---|---:|---:|---:|---:|"]
    for title, row in found.items():
        cells = " | ".join(f"{mb} | {mb / theirs[what]:.2f}" for what, mb in row.items())
        lines.append(f"| {title} | {cells} |")
    save(HERE / "results" / "memory", result, lines)


if __name__ == "__main__":
    main()
