"""Training data of the translator: cleaned and varied sentence pairs, and sentences to translate back.

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from own import as_typed, made, written

HERE = Path(__file__).parent

Direction = Literal["es-en", "en-es"]
DIRECTIONS: tuple[Direction, Direction] = ("es-en", "en-es")
SHORT = 90  # characters; two texts of this length may be joined into one example
PAIRS = {
    "tatoeba": "CC BY 2.0 FR",
    "opensubtitles": "CC BY 4.0",
    "python-docs": "CC0",
    "news": "states none",
}
# of these kinds a pass takes a share, drawn anew each time; of all others the whole
SHARES = {"manual": 1 / 3, "bible": 0.08}
NAMED = ("tatoeba", "opensubtitles", "ud-pud", "xquad", "europarl-20k")  # sources with names of people and places
NEAR = 0.6  # share of five-letter sequences in common from which two texts are near-duplicates

# windows-1252 that was read as latin-1; no width at all; an accent in the place of quotes
MISREAD = str.maketrans({"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x96": "–", "\u200b": "", "¨": '"'})
CIRCUMFLEX = str.maketrans("âêîôûåÂÊÎÔÛ", "áéíóúáÁÉÍÓÚ")
OCR = re.compile(r"(?<![\w'])l(?=(?:'(?:m|ve|ll|d)\b| (?!')))")  # English "l'm", "l want"
MARK = re.compile(r"\*+[^*]+\*+|`[^`]+`_*|\|\w+\||:\w+:|%\(?\w+\)?s?|\{\w*\}|<[^>]+>|\[\d+\]_")
ASIDE = re.compile(r" ?\(\*[^*()]+\*\)")  # Spanish docs repeat a term in English: "oyente (*listener*)"
QUESTIONS = re.compile(r"([¿¡])\s+")
LOOSE = re.compile(r"\s+([,.;:?!])(?=\s|$)")
FULL_STOP = (".", "?", "!", "…", '"', "»")


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
    dev, asked = dev_pairs(folder), everyday_texts()
    near = {lang: Near(getattr(p, lang) for p in dev) for lang in ("en", "es")}
    return [
        p for p in clean(licensed(folder))
        if not near["en"](p.en) and not near["es"](p.es) and key(p.en) not in asked and key(p.es) not in asked
    ]  # fmt: skip


@cache
def everyday_texts() -> frozenset[str]:
    return frozenset(key(r["text"]) for r in lines(HERE / "everyday.tsv"))


def own_pairs(count: int, rng: random.Random) -> list[Pair]:
    """Return the hand-written pairs, twice, and `count` generated pairs, without those of the everyday suite."""
    rows = [as_typed(*pair, rng) for pair in written() * 2] + made(count, rng)
    asked = everyday_texts()
    return [Pair(en, es, "own", "own") for en, es in rows if key(en) not in asked and key(es) not in asked]


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


# ---- variation


def both(pair: Pair, change: Callable[[str], str]) -> Pair:
    return replace(pair, en=change(pair.en), es=change(pair.es))


def plain(text: str, rng: random.Random) -> str:
    """Return Spanish as typed in haste: without accents, without ¿¡ (one or both), and half of the time without ñ."""
    kind = rng.random()
    if kind < 0.75:
        marks = "\u0301\u0308\u0303" if rng.random() < 0.5 else "\u0301\u0308"
        kept = []
        for c in unicodedata.normalize("NFC", text):
            bare = unicodedata.normalize("NFD", c)
            kept.append(bare[0] if len(bare) == 2 and bare[1] in marks else c)
        text = "".join(kept)
    if kind >= 0.5 or rng.random() < 0.8:
        text = text.replace("¿", "").replace("¡", "")
    return text


def without_stop(pair: Pair) -> Pair:
    """Remove the full stop; also a single question or exclamation mark, if Spanish has its pair."""
    ends = pair.en[-1:], pair.es[-1:]
    if ends == (".", ".") and not pair.en.endswith("..") and not pair.es.endswith(".."):
        return both(pair, lambda t: t[:-1].rstrip() or t)
    if ends in (("?", "?"), ("!", "!")) and pair.es[0] in "¿¡" and sum(pair.es.count(c) for c in "¿?¡!") == 2:
        return replace(pair, en=pair.en[:-1].rstrip() or pair.en, es=pair.es[1:-1].strip() or pair.es)
    return pair


SYLLABLES = [c + v for c in "bcdfgklmnprstvz" for v in "aeiou"]
ENDS = (".com", ".es", ".org", ".net", ".io", ".mx", ".co.uk", ".com.ar", ".edu")
# filled by `format`, hence the doubled braces
PLACEHOLDERS = ("{{{{{}}}}}", "{{{}}}", "{{{}}}", "${{{}}}", "%({})s", "<{}>", "[{}]", "@{}", "#{}", "`{}`", "${}")
FORMATS = ("%s", "%d", "%i", "%1$s", "%2$s", "{0}", "{1}", "{}", "%.2f", "%@")
TAGS = ("b", "b", "i", "em", "strong", "u", "p", "span", "li", "h1", "h2", "a", "code", "q", "small", "td")
MEN = """Juan Luis Pablo Andrés Diego Javier Carlos Hugo Iván Peter James Michael John Robert Ahmed Karim Kenji Wei Igor
Pavel Luca Pierre Hans Raj Omar Daniel David Martín Samuel Jorge Bill Jack"""
WOMEN = """Ana Lucía Carmen Elena Sofía Laura Marta Isabel Julia Rosa Emma Sarah Alice Jane Fatima Yuki Mei Olga Giulia
Claire Ingrid Priya Leila Paula Clara Nuria Beatriz Susan Anna"""
# places that English calls as Spanish does, with their accents; París and Berlín are learned from the pairs
PLACES = """Málaga Córdoba León Ávila Cáceres Gijón Huelva Toledo Burgos Murcia Vigo Lugo Castellón Alcalá Úbeda
Móstoles Medellín Asunción Potosí Culiacán Cancún Mazatlán Torreón Tucumán Neuquén Paraná Popayán Ibagué Chillán
Concepción Valparaíso Quito Cuzco Lima Rosario Mendoza Oaxaca Puebla Veracruz Matanzas Camagüey Colón Tomé Lyon Graz
Köln Malmö Århus Bilbao"""
NAMES = {"Tom": MEN.split(), "Mary": WOMEN.split(), **dict.fromkeys(("Boston", "Osaka", "Chicago"), PLACES.split())}
OFTEN = 20  # how many times as often as a name of the pairs one of these places is taken: of those, few have an accent
# a capital within a sentence: where both sides have the word, it is a name that is copied
NAME = re.compile(r"(?<=[\w,] )[A-ZÁÉÍÓÚÑ][a-záéíóúñüç]{2,}\b(?!['’-]\w)")
ACCENTED = dict(zip("aeioun", "áéíóúñ", strict=True))
NUMBER = re.compile(r"(?<![\w.,:/-])[1-9]\d{1,3}(?![\w/-]|[.,:]\d)")


def word(rng: random.Random) -> str:
    return "".join(rng.choices(SYLLABLES, k=rng.randint(1, 3)))


def number(rng: random.Random) -> str:
    digits = str(rng.randrange(10 ** rng.randint(1, 6)))
    return rng.choice((digits, digits, f"#{digits}", f"{digits}%", f"({digits})", f"{digits}-{rng.randrange(100)}"))


def address(rng: random.Random) -> str:
    host = word(rng) + rng.choice(("", "-" + word(rng))) + rng.choice(ENDS)
    if rng.random() < 0.4:
        return f"{word(rng)}{rng.choice(('', '.', '_'))}{word(rng)}@{host}"
    path = "".join("/" + word(rng) for _ in range(rng.randint(0, 2)))
    path += rng.choice(("", "", "/", ".html", f"?{word(rng)}={rng.randrange(1000)}", f"/{rng.randrange(10000)}"))
    return rng.choice(("https://", "http://", "https://www.", "www.")) + host + path


def placeholder(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return rng.choice(FORMATS)
    name = rng.choice((word(rng), f"{word(rng)}_{word(rng)}", f"{word(rng)}.{word(rng)}", word(rng).upper()))
    return rng.choice(PLACEHOLDERS).format(name)


def with_copy(pair: Pair, rng: random.Random) -> Pair:
    """Insert the same text that is not language into both sides: before, after, around, or for a name."""
    names = [n for n in NAMES if pair.en.count(n) == pair.es.count(n) == 1]
    if names and rng.random() < 0.4:
        made = placeholder(rng)
        return both(pair, lambda t: t.replace(names[0], made))
    kind = rng.random()
    if kind < 0.25:
        tag = rng.choice(TAGS)
        return both(pair, lambda t: f"<{tag}>{t}</{tag}>")
    if kind < 0.35:
        left, right = rng.choice(("()", "[]", '""', "“”", "**", "__", "{}"))
        return both(pair, lambda t: left + t + right)
    made = rng.choice((address, address, placeholder, number))(rng)
    if rng.random() < 0.35:
        mark = rng.choice((" ", ": ", " - ", ") ", " | "))
        return both(pair, lambda t: made + mark + t)
    mark = rng.choice((" ", " ", ": ", " - "))
    if mark != " " and pair.en.endswith(".") and pair.es.endswith("."):
        pair = both(pair, lambda t: t.rstrip("."))
    return both(pair, lambda t: t + mark + made)


def names(pairs: Iterable[Pair]) -> list[str]:
    """Return the capitalised words that occur within both sides of a pair: names that both languages spell alike."""
    some = (p for p in pairs if p.source in NAMED)
    return sorted({name for p in some for name in set(NAME.findall(p.en)) & set(NAME.findall(p.es))})


def name_of(known: list[str], rng: random.Random) -> str:
    """Return a known name, or the front of one with the rest of another.

    Few names have an accent, which must be copied too, so some get one.
    """
    name = rng.choice(known)
    if rng.random() < 0.3:
        other = rng.choice(known)
        name = name[: (len(name) + 1) // 2] + other[len(other) // 2 :]
    bare = [i for i, c in enumerate(name) if i and c in ACCENTED]
    if bare and name.isascii() and rng.random() < 0.4:
        at = rng.choice(bare)
        name = name[:at] + ACCENTED[name[at]] + name[at + 1 :]
    return name


def with_names(pair: Pair, rng: random.Random, known: list[str]) -> Pair:
    """Replace the names and numbers of a pair by others.

    A sixth of Tatoeba is about Tom and Mary, but a translator must copy any name, and any number.
    """
    for name, others in NAMES.items():
        if name in pair.en and rng.random() < 0.5:
            there = "María" if name == "Mary" and name not in pair.es else name
            if len(re.findall(rf"\b{name}\b", pair.en)) == len(re.findall(rf"\b{there}\b", pair.es)):
                other = rng.choice(others) if not known or rng.random() < 0.5 else name_of(known, rng)
                en = re.sub(rf"\b{name}\b", other, pair.en)
                pair = replace(pair, en=en, es=re.sub(rf"\b{there}\b", other, pair.es))
    shared = sorted(set(NAME.findall(pair.en)) & set(NAME.findall(pair.es)) - NAMES.keys())
    if known and shared and rng.random() < 0.7:
        old, new = rng.choice(shared), name_of(known, rng)
        pair = both(pair, lambda t: re.sub(rf"\b{old}\b", new, t))
    found = NUMBER.findall(pair.en)
    if len(found) == 1 and found == NUMBER.findall(pair.es) and rng.random() < 0.3:
        old = found[0]
        if len(old) == 4 and 1000 < int(old) < 2100:  # a year, surely
            new = str(rng.randint(1000, 2099))
        else:
            new = str(rng.randrange(10 ** (len(old) - 1), 10 ** len(old)))
        pair = both(pair, lambda t: NUMBER.sub(new, t))
    return pair


def vary(pair: Pair, rng: random.Random, direction: Direction, known: list[str]) -> Pair:
    """Return a variant of a pair as people type it.

    Both sides change, except for accents: a translation always keeps them.
    """
    if pair.source in NAMED:
        pair = with_names(pair, rng, known)
    kind = rng.random()
    if kind < 0.04:
        pair = both(pair, str.upper)
    elif kind < 0.07:
        pair = both(pair, str.lower)
    if rng.random() < 0.05:
        pair = without_stop(pair)
    if direction == "es-en" and rng.random() < 0.04:
        pair = replace(pair, es=plain(pair.es, rng))
    if rng.random() < 0.02:
        pair = with_copy(pair, rng)
    return pair


def glue(first: Pair, second: Pair) -> Pair:
    return Pair(f"{first.en} {second.en}", f"{first.es} {second.es}", first.source)


def can_glue(pair: Pair) -> bool:
    whole = pair.en.endswith(FULL_STOP) and pair.es.endswith(FULL_STOP)
    return whole and pair.kind != "manual" and pair.source != "python-docs" and max(len(pair.en), len(pair.es)) <= SHORT


def one_pass(
    pairs: list[Pair],
    rng: random.Random,
    glued: float = 0.08,
    own: Sequence[Pair] = (),
    back: Sequence[Example] = (),
) -> list[Example]:
    """Return the pairs of one pass, in both directions, varied and shuffled, with our own pairs and back-translations.

    Some kinds are sampled (`SHARES`). A share has one or two more short pairs appended, so that the model continues
    after a full stop. `back` has one direction and is not varied.
    """
    known = names(pairs) + OFTEN * PLACES.split()
    short = [p for p in pairs if can_glue(p)]
    share = glued * len(pairs) / max(1, len(short))
    examples = list(back)
    drawn = [p for p in pairs if rng.random() < SHARES.get(p.kind, 1)]
    for pair in (*drawn, *own):
        for direction in DIRECTIONS:
            one = pair
            if can_glue(pair) and rng.random() < share:
                for _ in range(1 + (rng.random() < 0.2)):
                    one = glue(one, rng.choice(short))
            one = vary(one, rng, direction, known)
            if direction == "es-en":
                examples.append(Example(one.es, one.en, "en"))
            else:
                examples.append(Example(one.en, one.es, "es"))
    rng.shuffle(examples)
    return examples


# ---- one language


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
