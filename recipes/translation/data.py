"""Training data of the translator: cleaned sentence pairs, and sentences to translate back.

Only what `recipes/licences.tsv` allows is taken: the licences of `train.tsv.gz` stand in `PAIRS`, those of
`more.tsv.gz` row by row in the table itself, those of single sentences in `MONO`.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from handwritten import as_typed, made, read_handwritten

HERE = Path(__file__).parent

Direction = Literal["es-en", "en-es"]
DIRECTIONS: tuple[Direction, Direction] = ("es-en", "en-es")
PAIRS = {
    "tatoeba": "CC BY 2.0 FR",
    "opensubtitles": "CC BY 4.0",
    "python-docs": "CC0",
    "news": "states none",
}
NEAR = 0.6  # share of five-letter sequences in common from which two texts are near-duplicates

# windows-1252 that was read as latin-1; no width at all; an accent in the place of quotes
MISREAD = str.maketrans({"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x96": "–", "\u200b": "", "¨": '"'})
CIRCUMFLEX = str.maketrans("âêîôûåÂÊÎÔÛ", "áéíóúáÁÉÍÓÚ")
OCR = re.compile(r"(?<![\w'])l(?=(?:'(?:m|ve|ll|d)\b| (?!')))")  # English "l'm", "l want"
MARK = re.compile(r"\*+[^*]+\*+|`[^`]+`_*|\|\w+\||:\w+:|%\(?\w+\)?s?|\{\w*\}|<[^>]+>|\[\d+\]_")
ASIDE = re.compile(r" ?\(\*[^*()]+\*\)")  # Spanish docs repeat a term in English: "oyente (*listener*)"
QUESTIONS = re.compile(r"([¿¡])\s+")
LOOSE = re.compile(r"\s+([,.;:?!])(?=\s|$)")


@dataclass(frozen=True)
class Pair:
    en: str
    es: str
    source: str
    kind: str = ""


@dataclass(frozen=True)
class Example:
    source: str
    target: str
    to: str  # "es" or "en"


@dataclass(frozen=True)
class Sentence:
    text: str
    lang: str
    source: str


def lines(path: Path) -> list[dict[str, str]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def key(text: str) -> str:
    """Return the key of a text, which ignores case and punctuation."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def mend(pair: Pair) -> Pair:
    """Return a pair with the source's known errors corrected.

    tatoeba        clean; a dozen strange letters
    python-docs    `*name*` and `` `link`_ `` are kept, of both sides or none; Spanish adds the English term in
                   brackets, which no one who translates should learn
    opensubtitles  a dash on one side only, a scanned l for I, â for á; a tenth or more are not each other's translation
    """
    en, es = (unicodedata.normalize("NFC", " ".join(t.translate(MISREAD).split())) for t in (pair.en, pair.es))
    en, es = (LOOSE.sub(r"\1", t.replace("&amp;", "&")) for t in (en, es))
    es = QUESTIONS.sub(r"\1", es)
    if pair.source == "opensubtitles":
        en, es = OCR.sub("I", en), es if "à" in es else es.translate(CIRCUMFLEX)
        if en.startswith("-") != es.startswith("-"):
            en, es = en.lstrip("- "), es.lstrip("- ")
    elif pair.source == "python-docs" and len(MARK.findall(es)) > len(MARK.findall(en)):
        es = ASIDE.sub("", es)
    return replace(pair, en=en, es=es)


def sound(pair: Pair) -> bool:
    """Return True if two texts look like translations of each other."""
    short, long = sorted((len(pair.en), len(pair.es)))
    if not key(pair.en) or not key(pair.es):
        return False
    if pair.en == pair.es and len(pair.en.split()) > 3:  # names and "No." are rightly the same; sentences are not
        return False
    if long > (2 if pair.source == "opensubtitles" else 3) * max(10, short):
        return False
    if pair.source == "opensubtitles":
        # of subtitles that are out of step, these are the signs: one asks, one counts, one speaks for two
        asks = ("?" in pair.en) == ("?" in pair.es)
        counts = bool(re.search(r"\d", pair.en)) == bool(re.search(r"\d", pair.es))
        speaks = len(re.findall(r"[.?!]+\s", pair.en)) == len(re.findall(r"[.?!]+\s", pair.es))
        return asks and counts and speaks
    if pair.source == "python-docs":
        # both sides must keep names in *asterisks*; a translated one teaches the model to guess
        return sorted(MARK.findall(pair.en)) == sorted(MARK.findall(pair.es))
    return True


def clean(rows: Iterable[Pair]) -> Iterator[Pair]:
    seen = set()
    for row in rows:
        pair = mend(row)
        name = (key(pair.en), key(pair.es))
        if name not in seen and sound(pair):
            seen.add(name)
            yield pair


@cache
def allowed_licences() -> frozenset[str]:
    """Return the licences that shipped models may learn from."""
    return frozenset(r["licence"] for r in lines(HERE.parent / "licences.tsv") if r["allowed"] == "yes")


def _read(path: Path) -> Iterator[Pair]:
    return (Pair(r["en"], r["es"], r["source"], r.get("kind", "")) for r in lines(path))


def licensed(folder: Path) -> Iterator[Pair]:
    """Return the pairs of `train.tsv.gz` and `more.tsv.gz` with an allowed licence."""
    for row in lines(folder / "parallel" / "train.tsv.gz"):
        if PAIRS.get(row["source"]) in allowed_licences():
            yield Pair(row["en"], row["es"], row["source"])
    if (more := folder / "parallel" / "more.tsv.gz").exists():
        for row in lines(more):
            if row["licence"] in allowed_licences():
                yield Pair(row["en"], row["es"], row["source"], row["kind"])


class Near:
    """Index of near-duplicates: two texts match if they share `NEAR` of the five-letter sequences of the richer one."""

    def __init__(self, texts: Iterable[str]):
        self.known = [grams(text) for text in texts]
        self.counts = Counter(gram for one in self.known for gram in one)
        self.at: dict[str, list[int]] = {}
        for i, one in enumerate(self.known):
            for gram in self._rarest(one):
                self.at.setdefault(gram, []).append(i)

    def _rarest(self, some: frozenset[str]) -> list[str]:
        """Return so many of the rarest features that texts sharing `NEAR` of the richer one share at least one."""
        least = len(some) - math.ceil(NEAR * len(some)) + 1
        return sorted(some, key=lambda gram: (self.counts[gram], gram))[:least]

    def __call__(self, text: str) -> set[int]:
        """Return the indices of the texts that are near-duplicates."""
        mine = grams(text)
        shared = mine & self.counts.keys()
        if len(shared) < NEAR * len(mine):
            return set()
        found = {i for gram in self._rarest(mine) for i in self.at.get(gram, ())}
        near, most = set(), len(mine) / NEAR
        for i in found:
            size = len(self.known[i])
            if NEAR * len(mine) <= size <= most and len(mine & self.known[i]) >= NEAR * max(len(mine), size):
                near.add(i)
        return near


def grams(text: str) -> frozenset[str]:
    name = key(text)
    return frozenset(name[i : i + 5] for i in range(max(1, len(name) - 4)))


def dev_pairs(folder: Path) -> list[Pair]:
    """Return the dev pairs, not cleaned."""
    return list(_read(folder / "parallel" / "dev.tsv"))


def unseen_pairs(folder: Path) -> list[Pair]:
    """Return the dev pairs without near-duplicates in `train.tsv.gz`, on either side.

    The first weights were trained on such pairs.
    """
    dev = dev_pairs(folder)
    near = {lang: Near(getattr(p, lang) for p in dev) for lang in ("en", "es")}
    seen = {i for p in _read(folder / "parallel" / "train.tsv.gz") for i in near["en"](p.en) | near["es"](p.es)}
    return [p for i, p in enumerate(dev) if i not in seen]


def pairs(folder: Path) -> list[Pair]:
    """Return the training pairs, without near-duplicates of dev pairs and texts of the everyday suite."""
    dev, excluded = dev_pairs(folder), everyday_texts()
    near = {lang: Near(getattr(p, lang) for p in dev) for lang in ("en", "es")}
    return [
        p for p in clean(licensed(folder))
        if not near["en"](p.en) and not near["es"](p.es) and key(p.en) not in excluded and key(p.es) not in excluded
    ]  # fmt: skip


@cache
def everyday_texts() -> frozenset[str]:
    return frozenset(key(r["text"]) for r in lines(HERE / "everyday.tsv"))


def own_pairs(count: int, rng: random.Random) -> list[Pair]:
    """Return the hand-written pairs, twice, and `count` generated pairs, without those of the everyday suite."""
    rows = [as_typed(*pair, rng) for pair in read_handwritten() * 2] + made(count, rng)
    excluded = everyday_texts()
    return [Pair(en, es, "own", "own") for en, es in rows if key(en) not in excluded and key(es) not in excluded]


def keep(rows: Iterable[Pair], path: Path) -> None:
    """Write prepared pairs for `kept` to read; preparing takes minutes."""
    beside = path.with_suffix(".tmp")
    with gzip.open(beside, "wt", encoding="utf-8", newline="") as f:
        table = csv.writer(f, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(("en", "es", "source", "kind"))
        table.writerows((p.en, p.es, p.source, p.kind) for p in rows)
    beside.replace(path)


def kept(path: Path) -> list[Pair]:
    return list(_read(path))


@dataclass(frozen=True)
class Mono:
    path: str
    licence: str
    sources: tuple[str, ...] = ()  # of a table with a column `source`; all, if none


# turismo is left out: much of it is Spanish that a machine made of English
MONO: dict[str, list[Mono]] = {
    "es": [
        Mono("ner/conll2002.es.train.gz", "research only"),
        Mono("qa/xquad.es.json", "CC BY-SA"),
        Mono("sentiment/es.train.tsv.gz", "CC BY", ("opener",)),
        Mono("sentiment/es.train.tsv.gz", "research only", ("tass-general",)),
        Mono("sentiment/emotions.tsv.gz", "CC BY", ("xed",)),
    ],
    "en": [
        Mono("sentiment/en.imdb-long.tsv.gz", "research only"),
        Mono("sentiment/en.train.tsv.gz", "free with citation", ("sst2",)),
        Mono("sentiment/en.train.tsv.gz", "CC BY", ("uci", "opener")),
        Mono("sentiment/emotions.tsv.gz", "CC BY", ("xed",)),
    ],
}
ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|dra|st|sr|sra|srta|vs|jr|ud|uds|no|núm|etc|ej|pág|prof|gen|a|e)|\b[A-Z])\.$", re.I
)
SPLIT = re.compile(r"(?<=[.?!…])[\"”»')\]]*\s+(?=[¿¡\"“«('\[-]*[A-ZÁÉÍÓÚÑ0-9])")


def detokenise(text: str) -> str:
    """Return a tokenized text as a person writes it: `( EFE ) .` becomes `(EFE).`, `do n't` `don't`."""
    text = text.replace("``", '"').replace("''", '"').replace("-lrb-", "(").replace("-rrb-", ")").replace("` ", "'")
    text = re.sub(r" (n't|'(?:s|m|re|ve|ll|d)\b)", r"\1", text)
    text = re.sub(r"\s+([,.;:?!%)\]}»”…]|\.\.\.)", r"\1", text)
    text = re.sub(r"([(\[{«“¿¡$])\s+", r"\1", text)
    text = re.sub(r'"\s*([^"]*?)\s*"', r'"\1"', text)
    return " ".join(text.split())


def sentences(text: str) -> Iterator[str]:
    """Split a text roughly into sentences: after a full stop before a capital, not after "Sr." or an initial."""
    start = 0
    for cut in SPLIT.finditer(text):
        if not ABBREVIATED.search(text[start : cut.start()]):
            end = cut.start() + len(cut[0].rstrip())
            yield text[start:end].strip()
            start = cut.end()
    yield text[start:].strip()


def _conll(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as f:
        tokens = [line.split()[:1] for line in f]
    while tokens:
        end = tokens.index([]) if [] in tokens else len(tokens)
        yield detokenise(" ".join(t[0] for t in tokens[:end]))
        del tokens[: end + 1]


def _fragments(texts: list[str]) -> Iterator[str]:
    """Return the longest of SST-2's nested phrases: those whose first five words no longer phrase has."""
    seen: set[tuple[str, ...]] = set()
    for text in sorted(texts, key=len, reverse=True):
        words = text.split()
        grams = [tuple(words[i : i + 5]) for i in range(len(words) - 4)]
        if grams and grams[0] not in seen:
            seen.update(grams)
            yield detokenise(text)


def _texts(path: Path, lang: str, sources: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if path.suffix == ".json":
        text = json.loads(path.read_text(encoding="utf-8-sig"))
        yield from ((p["context"].lstrip("\ufeff"), "xquad") for a in text["data"] for p in a["paragraphs"])
    elif path.name.startswith("conll"):
        yield from ((text, "conll2002") for text in _conll(path) if "(EFE" not in text and "(EFECOM" not in text)
    else:
        rows = [r for r in lines(path) if (not sources or r["source"] in sources) and r.get("lang", lang) == lang]
        yield from ((text, "sst2") for text in _fragments([r["text"] for r in rows if r["source"] == "sst2"]))
        for r in rows:
            if r["source"] != "sst2":
                text = r["text"].replace("<br />", " ")
                yield detokenise(text) if r["source"] in ("xed", "opener") else text, r["source"]


def mono(folder: Path, lang: str) -> Iterator[Sentence]:
    """Return distinct sentences of 5 to 40 words from the texts in `MONO` with an allowed licence."""
    seen = set()
    for table in (table for table in MONO[lang] if table.licence in allowed_licences()):
        for text, source in _texts(folder / table.path, lang, table.sources):
            for sentence in sentences(" ".join(text.split())):
                strange = re.search(r"http|[@#\[]|&\w+;", sentence)
                name = key(sentence)
                if 5 <= len(sentence.split()) <= 40 and not strange and name not in seen:
                    seen.add(name)
                    yield Sentence(sentence, lang, source)
