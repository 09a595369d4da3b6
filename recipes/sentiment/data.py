"""What `sentiment-es-en` learns from: texts that people labelled, phrases of our own, texts that it labels itself."""

from __future__ import annotations

import csv
import gzip
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from behaviour import suite_texts
from phrases import noise, phrases
from reviews import ratings, reviews
from torch import Tensor

from gatonegro.batching import plan
from gatonegro.models import Model
from gatonegro.packing import pack
from gatonegro.preprocessing import known_emoji, spell_emoji
from gatonegro.tokenization import Tokenizer

HERE = Path(__file__).parent
LABELS = ("NEG", "NEU", "POS")
MAX_LENGTH = 128  # tokens per training text; longer texts keep their head and tail
TOKENS = 2048  # per step


@dataclass(frozen=True)
class Source:
    """Source of training rows: its weight per pass, its licence, and whether its annotators used NEU.

    Without NEU, a text is weaker evidence against NEU, see `Stage.rare`.
    """

    times: float
    licence: str
    neutral: bool = True

    @property
    def open(self) -> bool:
        """Whether its terms let anyone use what is made of it."""
        return self.licence in allowed_licences()


SOURCES: dict[tuple[str, str], Source] = {
    ("es", "turismo"): Source(1, "states none"),
    ("es", "tass-general"): Source(2, "research only"),
    **{("es", f"tass2020-{land}"): Source(4, "research only") for land in ("es", "mx", "cr", "pe", "uy")},
    ("es", "umsab"): Source(6, "Apache-2.0"),
    ("es", "opener"): Source(5, "CC BY", neutral=False),
    ("es", "short"): Source(6, "own text"),
    ("en", "sst2"): Source(1, "free with citation", neutral=False),
    ("en", "sst5"): Source(1, "free with citation"),
    ("en", "semeval2017"): Source(0.6, "research only"),
    ("en", "airline"): Source(0.25, "CC BY-NC-SA"),
    ("en", "uci"): Source(2, "CC BY", neutral=False),
    ("en", "opener"): Source(2, "CC BY", neutral=False),
    ("en", "umsab"): Source(3, "Apache-2.0"),
    ("en", "short"): Source(4, "own text"),
}


@dataclass(frozen=True)
class Texts:
    """Source of texts without labels: the number to draw, and the licence."""

    count: int
    licence: str

    @property
    def open(self) -> bool:
        return self.licence in allowed_licences()


UNLABELLED = {
    "emoji": Texts(5_000, "Apache-2.0"),
    "xed": Texts(4_000, "CC BY"),
    "emoevent": Texts(5_000, "states none"),
    "pairs": Texts(2_000, "CC BY 4.0"),
}
# the sentence pairs that `pairs` are drawn from
PAIRS = {"tatoeba": "CC BY 2.0 FR", "opensubtitles": "CC BY 4.0", "news": "states none"}
REVIEWS = 2_400  # generated reviews, see `reviews.py`
RATINGS = {"es": 300, "en": 120}

USER = re.compile(r"(?<!\w)@\w+")
LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Row:
    text: str
    target: tuple[float, ...]  # of NEG, NEU, POS; of an emoji's kind, one number, its index
    lang: str
    source: str

    @property
    def label(self) -> int:
        return max(range(len(self.target)), key=self.target.__getitem__)


def sure(label: int) -> tuple[float, ...]:
    return tuple(float(i == label) for i in range(len(LABELS)))


@cache
def allowed_licences() -> frozenset[str]:
    """Return the licences that shipped models may learn from, from `recipes/licences.tsv`."""
    return frozenset(r["licence"] for r in lines(HERE.parent / "licences.tsv") if r["allowed"] == "yes")


def lines(path: Path) -> list[dict[str, str]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def read(path: Path, lang: str) -> list[Row]:
    return [Row(r["text"], sure(LABELS.index(r["label"])), lang, r["source"]) for r in lines(path)]


def hold_out(rows: list[Row]) -> list[Row]:
    """Return every twentieth tourism review, since the dev set has none."""
    return [r for i, r in enumerate(r for r in rows if r.source == "turismo") if i % 20 == 0]


def unseen(rows: list[Row], trained: list[Row]) -> list[Row]:
    """Remove rows whose text occurs verbatim in a training text, as many phrases of SST-2's sentences do."""
    films = "\n".join(r.text for r in trained if r.source in ("sst2", "sst5"))
    return [r for r in rows if r.source != "sst2" or r.text.strip() not in films]


def labelled(data: Path, only_open: bool) -> list[Row]:
    """Return the labelled training rows."""
    rows = [r for lang in ("es", "en") for r in read(data / f"{lang}.train.tsv.gz", lang)]
    held = set(map(id, hold_out(rows)))
    rows = [r for r in rows if id(r) not in held]
    rows += [r for lang in ("es", "en") for r in read(HERE / f"short.{lang}.tsv", lang)]
    return [r for r in rows if SOURCES[r.lang, r.source].open or not only_open]


def dev_rows(data: Path) -> list[Row]:
    """Return the dev rows, which no training uses."""
    rows = hold_out(read(data / "es.train.tsv.gz", "es")) + read(data / "es.dev.tsv", "es")
    return rows + unseen(read(data / "en.dev.tsv", "en"), read(data / "en.train.tsv.gz", "en"))


def emoji_rows(data: Path) -> tuple[list[Row], int]:
    """Return tweets with the class of the emoji that was removed from them, and the number of classes."""
    pairs = [(r["text"], r["emoji"]) for r in lines(data / "es.emoji50k.tsv.gz")]
    kinds = sorted({emoji for _, emoji in pairs})
    return [Row(text, (float(kinds.index(emoji)),), "es", "emoji") for text, emoji in pairs], len(kinds)


def own_phrases(rng: random.Random) -> list[Row]:
    """Return generated short texts, reviews and ratings, words with repeated letters, and noise.

    Texts of the behaviour suite are left out.
    """
    made = [(*row, lang) for lang in ("es", "en") for row in phrases(lang, rng)]
    made += [(drawn_out(text, rng), label, lang) for text, label, lang in rng.sample(made, len(made) // 14)]
    made += [(*row, "es") for row in reviews(REVIEWS, rng)]
    made += [(*row, lang) for lang, count in RATINGS.items() for row in ratings(lang, count, rng)]
    held = {words(text) for text in suite_texts()} - {""}
    rows = [Row(text, sure(LABELS.index(label)), lang, "phrases") for text, label, lang in made]
    rows = [r for r in rows if words(r.text) not in held]
    return rows + [Row(text, (1 / 3, 1 / 3, 1 / 3), "es", "noise") for text in noise(rng)]


def drawn_out(text: str, rng: random.Random) -> str:
    """Repeat a vowel of the longest word: "bueeeeno", "rapidísimoooo"."""
    word = max(text.split(), key=len)
    vowels = [i for i, c in enumerate(word) if c.lower() in "aeiouáéíóú"] or [len(word) - 1]
    i = rng.choice(vowels[-2:])
    return text.replace(word, word[:i] + word[i] * rng.randint(3, 8) + word[i + 1 :], 1)


def words(text: str) -> str:
    """Return a text without case and punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))


def vary(text: str, rng: random.Random, capitals: float = 0.06) -> str:
    """Return a variant of a text as people type it: other case, no accents, no full stop, anonymous users and links."""
    if rng.random() < 0.5:
        text = LINK.sub("http", USER.sub("@user", text))
    if rng.random() < 0.10:
        text = text.lower()
    elif rng.random() < capitals:
        text = text.upper()
    if rng.random() < 0.12:
        marks = (c for c in unicodedata.normalize("NFD", text) if c not in "\u0301\u0308")
        text = unicodedata.normalize("NFC", "".join(marks))
    if rng.random() < 0.15:
        text = text.rstrip(" .!…")
    if rng.random() < 0.05:
        text = text.lstrip("¡¿")
    return text or "."


def one_pass(rows: list[Row], passes: float, rng: random.Random) -> list[Row]:
    """Return each row as often as `SOURCES` says, `passes` times; fractions are drawn at random."""
    out = []
    for row in rows:
        times = SOURCES[row.lang, row.source].times * passes
        out += [row] * (int(times) + (rng.random() < times % 1))
    return out


def shorten(ids: list[int]) -> list[int]:
    """Truncate to `MAX_LENGTH` tokens: the first three quarters and the last quarter of them."""
    if len(ids) <= MAX_LENGTH:
        return ids
    return ids[: MAX_LENGTH * 3 // 4] + ids[-MAX_LENGTH // 4 :]


def class_weights(rows: list[Row]) -> dict[str, Tensor]:
    """Return weights per language: the inverse square root of a label's share among sources with three labels."""
    out = {}
    for lang in ("es", "en"):
        seen: Counter[int] = Counter()
        for row in rows:
            source = SOURCES[row.lang, row.source]
            if row.lang == lang and source.neutral:
                seen[row.label] += source.times  # type: ignore[assignment]
        weights = torch.tensor([seen[i] for i in range(3)], dtype=torch.float32).rsqrt()
        out[lang] = weights / weights.mean()
    return out


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Return token ids after spelling out unknown emoji, as the pipeline does."""
    known = known_emoji(tokenizer.get_vocab())
    whole = {"truncation": False, "max_length": 10**6}  # explicit, so that long texts cause no warning
    return tokenizer([spell_emoji(text, known) for text in texts], **whole)["input_ids"]


@torch.inference_mode()
def predict(model: Model, tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """Return logits (n, 3) of texts, truncated to the model's limit."""
    limit = model.config.max_tokens
    encoded = [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in encode(tokenizer, texts)]
    out = torch.empty(len(texts), len(LABELS))
    for batch in plan([len(ids) for ids in encoded], 4096):
        packed = pack([encoded[i] for i in batch], model.config, pad_to_multiple_of=64)
        out[batch] = model.run(packed)[: len(batch)].float()
    return out


def self_labelled(
    teachers: Sequence[Model],
    tokenizer: Tokenizer,
    folder: Path,
    only_open: bool,
    rng: random.Random,
    tweets: int = UNLABELLED["emoji"].count,
) -> list[Row]:
    """Label texts with the mean answer of teachers, corrected by signs such as the emoji of a tweet.

    Of a tweet it is known which emoji stood in it, of other texts which emotion a person saw. What such a sign says of
    the label is what the teacher says of all texts that bear it: `p(label | text, sign) ∝ p(label | text) ·
    p(label | sign) / p(label)`. Of sentence pairs, the mean of the teacher's logits for the two goes to both.
    """
    rows = [(r["text"], r["emoji"], "es", "emoji") for r in lines(folder / "sentiment" / "es.emoji50k.tsv.gz")]
    rows += [
        (r["text"], r["emotions"], r["lang"], r["source"]) for r in lines(folder / "sentiment" / "emotions.tsv.gz")
    ]
    rng.shuffle(rows)
    counts = {name: texts.count for name, texts in UNLABELLED.items()} | {"emoji": tweets}
    left = {name: counts[name] if texts.open or not only_open else 0 for name, texts in UNLABELLED.items()}
    kept = []
    for row in rows:
        left[row[3]] -= 1
        if left[row[3]] >= 0:
            kept.append(row)
    pairs = [
        (r["en"], r["es"])
        for r in lines(folder / "parallel" / "train.tsv.gz")
        if (licence := PAIRS.get(r["source"]))
        and max(len(r["en"]), len(r["es"])) < 300
        and (licence in allowed_licences() or not only_open)
    ]
    pairs = rng.sample(pairs, left["pairs"])

    def ask(texts: Sequence[str]) -> Tensor:
        return torch.stack([predict(one, tokenizer, list(texts)) for one in teachers]).mean(0)

    out = list(_with_signs(ask([r[0] for r in kept]).softmax(1), kept))
    both = torch.stack([ask(side) for side in zip(*pairs, strict=True)])  # (2, n, 3)
    for pair, target in zip(pairs, both.mean(0).softmax(1).tolist(), strict=True):
        out += [Row(text, tuple(target), lang, "pairs") for text, lang in zip(pair, ("en", "es"), strict=True)]
    return out


def _with_signs(probs: Tensor, rows: list[tuple[str, str, str, str]]) -> Iterator[Row]:
    counts = Counter((source, sign) for _, sign, _, source in rows)
    signs = [(source, sign if counts[source, sign] >= 30 else "rare") for _, sign, _, source in rows]
    places: dict[tuple[str, str], list[int]] = {}
    for i, sign in enumerate(signs):
        places.setdefault(sign, []).append(i)
    means = {sign: probs[at].mean(0) for sign, at in places.items()}
    whole = {
        source: probs[[i for i, s in enumerate(signs) if s[0] == source]].mean(0) for source in {s[0] for s in signs}
    }
    for (text, _, lang, source), sign, p in zip(rows, signs, probs, strict=True):
        target = p * means[sign] / whole[source]
        yield Row(text, tuple((target / target.sum()).tolist()), lang, source)
