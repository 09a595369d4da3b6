"""Vocabulary of the translator: the pieces of the base's vocabulary that it uses, whose embeddings are reused."""

from __future__ import annotations

import json
import math
import random
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

from tokenizers import Tokenizer

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
TO = {"es": ">>es<<", "en": ">>en<<"}  # tag of the target language in front of a source, as in Marian
ROUNDS = 4
SCRIPTS = ("LATIN", "GREEK SMALL", "GREEK CAPITAL", "CYRILLIC SMALL", "CYRILLIC CAPITAL")
GAP = "▁"


def words(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """Count words, as the tokenizer's model sees them; pieces never cross words."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(split(tokenizer, text))
    return counts


def split(tokenizer: Tokenizer, text: str) -> list[str]:
    return [GAP + w for w in tokenizer.normalizer.normalize_str(text).replace(GAP, " ").split(" ") if w]


def lone(piece: str) -> bool:
    """Return True for a single character that is kept: one of our scripts, a sign or an emoji.

    A third of the base's single characters are letters of other scripts.
    """
    letter = piece.removeprefix(GAP) if len(piece) == 2 else piece
    if len(letter) != 1:
        return False
    if unicodedata.category(letter)[0] in "LM":
        name = unicodedata.name(letter, "")
        return name.startswith(SCRIPTS) and ("LATIN" in name or (len(piece) == 1 and " WITH " not in name))
    return len(piece) == 1 and (letter.isascii() or unicodedata.category(letter)[0] != "N")


def build(pieces: list[tuple[str, float]], parts: dict) -> Tokenizer:
    """Build a tokenizer of `pieces`, the first four special; normalizer, pre-tokenizer and decoder are the base's."""
    added = [(i, name) for i, name in enumerate(SPECIAL)]
    added += [(len(pieces) + i, name) for i, name in enumerate(TO.values())]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    made = {
        **{name: parts[name] for name in ("version", "normalizer", "pre_tokenizer", "decoder")},
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": name, **plain} for i, name in added],
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [one, end],
            "pair": [one, end, two, end],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}},
        },
        "model": {"type": "Unigram", "unk_id": SPECIAL.index("<unk>"), "vocab": pieces, "byte_fallback": False},
    }
    return Tokenizer.from_str(json.dumps(made))


def cut(base: Path, texts: Iterable[str], size: int = 16000) -> tuple[Tokenizer, list[int]]:
    """Return the `size` tokens that `texts` use most, with their ids in the base; -1 for new tokens.

    Rare pieces go in rounds, and what is left is counted anew: who loses a piece leans on others. Scores are kept, so a
    piece means what it meant to the base. Counting the base's own scores beside the texts was tried: texts of other
    sources came out longer, not shorter.
    """
    parts = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    pieces: list[tuple[str, float]] = [(piece, score) for piece, score in parts["model"]["vocab"]]
    if [piece for piece, _ in pieces[: len(SPECIAL)]] != list(SPECIAL):
        raise ValueError(f"{base}: the first pieces are not {SPECIAL}")
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    kept, tokenizer = pieces, build(pieces, parts)
    seen = words(tokenizer, texts)
    letters = set().union(*seen)
    must = {p for p, _ in pieces if p in SPECIAL or p == GAP or lone(p) or (len(p) == 1 and p in letters)}
    goal = size - len(TO)
    spelled = list(seen)
    for left in reversed(range(ROUNDS)):
        counts: Counter[str] = Counter()
        for name, encoding in zip(spelled, encode_words(tokenizer, spelled), strict=True):
            for piece in encoding:
                counts[piece] += seen[name]
        n_kept = goal + (len(kept) - goal) * left // (left + 1)
        ranked = sorted(kept, key=lambda p: (p[0] not in must, -counts[p[0]], ids[p[0]]))
        chosen = {p for p, _ in ranked[:n_kept]}
        kept = [p for p in kept if p[0] in chosen]
        tokenizer = build(kept, parts)
    return tokenizer, [ids[p] for p, _ in kept] + [-1] * len(TO)


def encode_words(tokenizer: Tokenizer, spelled: list[str]) -> list[list[str]]:
    """Return the pieces of words in the model's spelling."""
    return [[t.value for t in tokenizer.model.tokenize(word)] for word in spelled]


class Sampler:
    """Subword regularisation (https://arxiv.org/abs/1804.10959): sample one of the `best` ways to split each word.

    A way is drawn with its probability to the power of `alpha`. The Rust tokenizer samples too, but takes no seed. With
    alpha 0.5 texts are a tenth longer, with 0.3 a quarter, with 0.1 two thirds. Words are split one by one and cached,
    so a text costs one look-up per word.
    """

    def __init__(self, tokenizer: Tokenizer, alpha: float = 0.5, best: int = 8) -> None:
        parts = json.loads(tokenizer.to_str())["model"]
        self.tokenizer, self.alpha, self.best, self.unk = tokenizer, alpha, best, parts["unk_id"]
        special = set(SPECIAL)
        self.pieces = {p: (i, s) for i, (p, s) in enumerate(parts["vocab"]) if p not in special}
        self.longest = max(map(len, self.pieces))
        self.lowest = min(s for _, s in self.pieces.values()) - 10.0  # as the Rust code has it
        self.known: dict[str, tuple[list[list[int]], list[float]]] = {}

    def ways(self, word: str) -> list[tuple[float, list[int]]]:
        """Return the best ways to split a word with their scores, best first."""
        at: list[list[tuple[float, list[int]]]] = [[(0.0, [])]]
        for end in range(1, len(word) + 1):
            found: list[tuple[float, list[int]]] = []
            for start in range(max(0, end - self.longest), end):
                i, score = self.pieces.get(word[start:end], (-1, 0.0))
                if i < 0 and end == start + 1:
                    i, score = self.unk, self.lowest
                if i >= 0:
                    found += [(s + score, [*path, i]) for s, path in at[start]]
            found.sort(key=lambda way: -way[0])
            at.append(found[: self.best])
        return at[-1]

    def word(self, word: str) -> tuple[list[list[int]], list[float]]:
        ways = self.ways(word)
        weights = [math.exp(self.alpha * (score - ways[0][0])) for score, _ in ways]
        total = sum(weights)
        paths = [self._fused(path) for _, path in ways]
        return paths, list(accumulate(w / total for w in weights))

    def _fused(self, path: list[int]) -> list[int]:
        """Merge consecutive unknown characters into one <unk>, as the Rust code does."""
        return [i for at, i in enumerate(path) if i != self.unk or at == 0 or path[at - 1] != self.unk]

    def __call__(self, text: str, rng: random.Random | None = None) -> list[int]:
        """Return ids without </s>; without `rng`, the best way to split each word."""
        ids: list[int] = []
        for word in split(self.tokenizer, text):
            found = self.known.get(word)
            if found is None:
                found = self.known[word] = self.word(word)
            paths, bounds = found
            if rng is None or len(paths) == 1:
                ids += paths[0]
            else:
                ids += paths[min(bisect(bounds, rng.random()), len(paths) - 1)]
        return ids


def sampled(sampler: Sampler, texts: Iterable[str], rng: random.Random | None = None) -> list[list[int]]:
    """Of a batch of texts, the ids, each with </s>."""
    return [[*sampler(text, rng), SPECIAL.index("</s>")] for text in texts]
