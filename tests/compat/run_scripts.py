"""Run scripts of the folder scripts with a library and print a JSON object: name of a script → what it prints.

    python tests/compat/run_scripts.py LIBRARY '{"NAME": "CHECKPOINT"}'

LIBRARY stands for `transformers` in the imports, and nothing else of a script is changed. What it raises comes last in
its output. All run in one process, since starting one takes longer than a script.
"""

import contextlib
import io
import json
import re
import sys
import traceback
from pathlib import Path

import torch

SCRIPTS = Path(__file__).with_name("scripts")
IMPORT = re.compile(r"^(from|import) transformers\b", re.MULTILINE)


def output(path: Path, library: str, checkpoint: str) -> str:
    code = compile(IMPORT.sub(rf"\1 {library}", path.read_text(encoding="utf-8")), str(path), "exec")
    sys.argv = [str(path), checkpoint]
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        try:
            exec(code, {"__name__": "__main__"})
        except Exception:
            print(traceback.format_exc())
    return stdout.getvalue()


def main() -> None:
    library, checkpoints = sys.argv[1], json.loads(sys.argv[2])
    torch.set_num_threads(1)
    answers = {name: output(SCRIPTS / f"{name}.py", library, folder) for name, folder in checkpoints.items()}
    if library != "transformers":
        assert "transformers" not in sys.modules
    print(json.dumps(answers, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
