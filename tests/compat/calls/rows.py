"""The calls of rows.txt: calls of `transformers` as people write them in tutorials, model cards and forums.

A line is statements and an expression, whose value is compared. It may use the names that `checkpoints.py` defines. Above
the calls of a subject stand the families that they are made with, and [real] if real vocabularies are tried too.
"""

import re
from pathlib import Path

ENCODERS = ("bert", "distilbert", "roberta", "xlm-roberta", "camembert")
SEQ2SEQ = ("bart", "marian", "t5", "mt5")
FAMILIES = {
    "encoders": ENCODERS,
    "seq2seq": SEQ2SEQ,
    "generators": (*SEQ2SEQ, "gpt2"),
    "all": (*ENCODERS, *SEQ2SEQ, "gpt2"),
    "some": ("bert", "roberta", "t5", "gpt2"),  # for what is slow, or hardly depends on the family
}
_parts = re.split(r"^## (.+) \((.+)\)( \[real\])?\n", Path(__file__).with_suffix(".txt").read_text("utf-8"), flags=re.M)
_subjects = list(zip(*(_parts[i::4] for i in range(1, 5)), strict=True))
# subject → families, calls
CALLS = {subject: (FAMILIES.get(names, tuple(names.split())), calls) for subject, names, _, calls in _subjects}
REAL = {subject for subject, _, real, _ in _subjects if real}
