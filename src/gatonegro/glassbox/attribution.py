"""Attribution of a classifier's decision to words by Shapley values over words that are left out of the text.

A word's Shapley value is what it adds to the answer, averaged over all orders in which the words can be put into the
text (https://jmlr.org/papers/v11/strumbelj10a.html). It is estimated from random orders and their reverses
(https://jmlr.org/papers/v23/21-0439.html). `benchmarks/attribution.py` compares it with integrated gradients
(https://arxiv.org/abs/1703.01365), gradient × input and occlusion, by the curves of https://arxiv.org/abs/1806.07421.

`captum` and `shap` are not used: they run padded batches, and what is left of this module is how words are found.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatonegro.batching import plan
from gatonegro.models import Model

Floats = NDArray[np.float64]
Sets = NDArray[np.bool_]

MAX_PAIRS = 12  # pairs of orders of a short text's words
MAX_PASS_TOKENS = 4000  # tokens of all forward passes, unless the text is so long that one pair of orders takes more
MAX_BATCH_TOKENS = 1024
MIN_EVIDENCE = 1.0  # least log-odds that a text whose decision is clear adds to those of an empty text
MIN_LEAD = 4.0  # least ratio of what its first word adds to what the others add on average, at least 0 each
# articles, pronouns, prepositions, conjunctions, auxiliaries; none that negates or intensifies, which may decide
FUNCTION_WORDS = json.loads(Path(__file__).with_name("function_words.json").read_text(encoding="utf-8"))
EMOTICON = r"[:;=]['’-]?[()\[\]DPp|/]+(?!\w)"
IDEOGRAPH = "[\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # scripts without spaces: each character is a word
MARKS = r"!-/:-@\[-`{-~¡¿…«»“”„‘’–—·"  # for a class of characters
WORD = re.compile(rf"{EMOTICON}|{IDEOGRAPH}|[@#]?[^\W_]\w*(?:['’·-]\w+|(?<=\d)[.,:/]\d+)*|(?P<symbols>[^\w\s{MARKS}]+)")


class Attribution(NamedTuple):
    """What each word adds to the log-odds of a label; the parts add up to the log-odds of the text."""

    words: list[str]
    spans: list[tuple[int, int]]  # of each word in the text
    values: Floats  # of each word. (n,)
    punctuation: float  # of all punctuation marks together
    start: float  # log-odds of the special tokens alone
    odds: float  # log-odds of the text

    @property
    def is_clear(self) -> bool:
        """True if the text raises the log-odds enough, and one word, no function word, clearly more than the others."""
        (first, word), *others = sorted(zip(self.values.tolist(), self.words, strict=True), reverse=True) or [(0.0, "")]
        rest = sum(max(0.0, other) for other, _ in others) / max(1, len(others))
        is_evident = self.odds - self.start >= MIN_EVIDENCE and first > 0 and first >= MIN_LEAD * rest
        return is_evident and not is_function_word(word)


def attribute(
    model: Model, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]], special: set[int], label: int
) -> Attribution:
    """Estimate how much each word of a text adds to the log-odds of a label.

    Args:
        model: a model with a head for sequence classification.
        text: the text, as the model reads it.
        ids: token ids of the text.
        offsets: start and end of each token in the text.
        special: ids of special tokens, which are never left out where they are no part of the text.
        label: index of the label.
    """
    spans, owners = group_tokens(text, ids, offsets, special)
    n = len(spans) + (len(spans) in owners)  # all punctuation marks together are the last part
    owner = np.array(owners)
    known: dict[bytes, float] = {}  # log-odds by set of parts

    def odds(sets: Sets) -> Floats:
        new = {kept.tobytes(): kept for kept in sets if kept.tobytes() not in known}
        texts = [list(compress(ids, np.append(kept, True)[owner])) for kept in new.values()]
        texts = [kept or [model.config.pad_token_id or 0] for kept in texts]
        keys = list(new)
        for batch in plan([len(kept) for kept in texts], MAX_BATCH_TOKENS):
            outputs = model.predict([texts[i] for i in batch])
            known.update((keys[i], log_odds(model, out, label)) for i, out in zip(batch, outputs, strict=True))
        return np.array([known[kept.tobytes()] for kept in sets])

    values = shapley(odds, n, min(MAX_PAIRS, max(1, MAX_PASS_TOKENS // (max(n, 1) * len(ids)))))
    start, full = odds(np.array([np.zeros(n, bool), np.ones(n, bool)])).tolist()
    words = [text[a:b] for a, b in spans]
    return Attribution(words, spans, values[: len(words)], float(values[len(words) :].sum()), start, full)


def shapley(value: Callable[[Sets], Floats], n: int, pairs: int) -> Floats:
    """Estimate the Shapley value of each of n parts from pairs of a random order and its reverse.

    Args:
        value: returns the value of each set of parts, given as booleans (m, n).
        n: number of parts.
        pairs: number of pairs; each takes 2 · (n + 1) values.

    Returns:
        The parts' values (n,), which add up to the value of all parts minus that of none.
    """
    random, result = np.random.default_rng(0), np.zeros(n)
    orders = [each for _ in range(pairs) for order in [random.permutation(n)] for each in (order, order[::-1])]
    sets = [np.argsort(order) < np.arange(n + 1)[:, None] for order in orders]  # the first k of the order, k = 0 … n
    for order, added in zip(orders, np.diff(value(np.concatenate(sets)).reshape(len(orders), -1)), strict=True):
        result[order] += added / len(orders)
    return result


def group_tokens(
    text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]], special: set[int]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the spans of a text's words, and for each token the index of its word.

    The index is the number of words for a punctuation mark, and -1 for a special token that is no part of the text. An
    emoji or emoticon is a word. Two words with a token in common are one.
    """
    matches = WORD.finditer(text)
    found = [m.span() for m in matches if not m["symbols"] or "So" in map(unicodedata.category, m["symbols"])]
    at = np.full(len(text) + 1, -1)
    for i, (start, end) in enumerate(found):
        at[start:end] = i
    spans: list[tuple[int, int]] = []
    owners: list[int | None] = []
    last = -1  # last of `found` that has a token
    for i, (start, end) in zip(ids, offsets, strict=True):
        touched = at[start:end][at[start:end] >= 0]
        if len(touched):
            if touched[0] > last:
                spans.append(found[touched[0]])
            last = max(last, int(touched[-1]))
            spans[-1] = (spans[-1][0], max(spans[-1][1], found[last][1]))
            owners.append(len(spans) - 1)
        elif start == end and i in special:
            owners.append(-1)
        else:
            owners.append(None if not text[start:end].strip() else -2)
    ahead = -2
    result: list[int] = []
    for owner in reversed(owners):  # white space belongs to what comes next
        ahead = ahead if owner is None else owner
        result.append(len(spans) if ahead < -1 or (owner is None and ahead < 0) else ahead)
    return spans, result[::-1]


def is_function_word(word: str) -> bool:
    """Return True for a function word of English or Spanish, or several in one token; "it's" is one too."""
    return set(re.sub(r"['’]\w+", "", word.lower()).split()) <= {*FUNCTION_WORDS["en"], *FUNCTION_WORDS["es"]}


def log_odds(model: Model, outputs: NDArray[np.float32], label: int) -> float:
    """Return a label's log-odds against all others together, or its output where scores are independent."""
    out = outputs.astype(np.float64)
    others = np.delete(out, label)
    if model.config.score_function != "softmax" or not len(others):
        return float(out[label])
    return float(out[label] - np.logaddexp.reduce(others))
