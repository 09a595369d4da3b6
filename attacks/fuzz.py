"""Load and use damaged checkpoints, cards, hub answers, texts and tables, and report every error that is none of ours.

    python attacks/fuzz.py --seconds 60                             what CI runs
    python attacks/fuzz.py --checkpoints 100000 --texts 1000000     all of it, about an hour on two cores
    python attacks/fuzz.py --replay checkpoint:4711 --keep FOLDER   one trial again; FOLDER gets its files

A trial is made from the seed, its kind and its number alone, so that a finding can be replayed. Trials run in child
processes with a limit of memory and of time: the death of a process, a trial without end and a file that takes all
memory are findings, too. A finding is an exception that is no GatonegroError, and an answer that breaks a promise
(sentences that do not add up to their text, an entity outside its text, a table with another index, a script in the
page of an explanation, a file outside the cache).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from random import Random

from fuzzing.running import SHARES, fuzz
from fuzzing.templates import make_templates
from fuzzing.trials import Trials


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="stop after this time")
    parser.add_argument("--hours", type=float)
    for kind in SHARES:
        parser.add_argument(f"--{kind}s", type=int, help="stop after this number; 0 for none")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", type=float, default=4, help="GB that a process may use beyond its start")
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    parser.add_argument("--replay", metavar="KIND:NUMBER", help="run one trial here, with its traceback")
    parser.add_argument("--keep", type=Path, help="folder for the files of the replayed trial")
    options = parser.parse_args()
    options.seconds = options.hours * 3600 if options.hours else options.seconds
    if options.replay:
        kind, number = options.replay.split(":")
        with tempfile.TemporaryDirectory() as name:
            (root := Path(name) / "templates").mkdir()
            make_templates(root)
            warnings.simplefilter("ignore")
            getattr(Trials(root, options.keep), kind)(Random(f"{options.seed}:{kind}:{number}"))
        return 0
    result = fuzz(options)
    print(json.dumps(result, ensure_ascii=False, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
