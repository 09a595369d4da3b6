"""Signs that a translation may be wrong: what it lost, changed or copied, and how unsure the model is of it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any

from gatonegro.documents import lost_items
from gatonegro.i18n import Message, catalog
from gatonegro.language import detect_language

REASONS = catalog(Path(__file__).with_name("doubt.json"))
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
MIN_SIMILARITY = 0.7  # of two spellings of a name
SENTENCE_START = re.compile(r"^\W*|[.!?:;…]\W*|[\"“”«(¿¡—-]\s*")


@cache
def _data() -> dict[str, Any]:
    """Read the words of both languages: hand-written ones, and those that `recipes/translation/lexicon.py` counted."""
    read = {k: json.loads(Path(__file__).with_name(f"{k}.json").read_text("utf-8")) for k in ("doubt_words", "lexicon")}
    data = dict(read["doubt_words"])
    data["words"] = {lang: frozenset(read["lexicon"][lang].split()) for lang in ("en", "es")}
    data["negations"] = {lang: frozenset(words.split()) for lang, words in data["negations"].items()}
    for name in ("half_negations", "idioms"):
        data[name] = {lang: re.compile(text, re.IGNORECASE) for lang, text in data[name].items()}
    data["names"] = {name: [bare(form) for form in forms.split()] for name, forms in data["names"].items()}
    return data


def bare(text: str) -> str:
    """Return a word in lower case without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))


def words_of(text: str) -> list[str]:
    return [word.replace("’", "'") for word in WORD.findall(text)]


def copied_words(source: str, answer: str, src: str, tgt: str) -> list[str]:
    """Return the words that an answer repeats from its source, if they are half of it or more and words of `src`."""
    common, target = (_data()["words"][lang] for lang in (src, tgt))
    theirs = {word.lower() for word in words_of(source)}
    mine = [word for word in words_of(answer) if word.lower() not in ()]
    copied = [w for w in mine if w.lower() in theirs and w.lower() in common and w.lower() not in target]
    return copied if 2 * len(copied) >= len(mine) else []


def negations(text: str, lang: str) -> list[str]:
    text = _data()["idioms"][lang].sub(" ", text)
    known = _data()["negations"][lang]
    return [w for w in words_of(text) if w.lower() in known or (lang == "en" and w.lower().endswith("n't"))]


def changed_negation(source: str, answer: str, src: str, tgt: str) -> list[str]:
    """Return the negations of one side, if the other has nothing like one."""
    here, there = negations(source, src), negations(answer, tgt)
    if bool(here) == bool(there):
        return []
    lang, text = (tgt, answer) if here else (src, source)
    return [] if any(_data()["half_negations"][lang].fullmatch(w) for w in words_of(text)) else here or there


def names_of(text: str, lang: str) -> list[str]:
    """Return the names in a text: words with a capital that are known names, or are neither first nor common words."""
    starts = {match.end() for match in SENTENCE_START.finditer(text)}
    common, known = _data()["words"][lang], _data()["names"] if lang == "en" else ()
    out = []
    for match in WORD.finditer(text):
        word = match[0].replace("’", "'")
        name = re.sub("'s$", "", word)
        if len(name) < 2 or not name[0].isupper() or "'" in name:
            continue
        if name.lower() not in common and (match.start() not in starts or name.lower() in known):
            out.append(name)
    return out


def same_name(en: str, es: str) -> bool:
    """Return True if an English and a Spanish word may be the same name: by the table, else by their spelling."""
    en, es = bare(en), bare(es)
    forms = _data()["names"].get(en) or _data()["names"].get(en.removesuffix("s"), ())
    if en == es or any(es.startswith(form) for form in forms):
        return True
    short = min(len(en), len(es))
    if short >= 3 and (en.startswith(es) or es.startswith(en)):
        return True
    return not forms and short >= 4 and SequenceMatcher(None, en, es).ratio() >= MIN_SIMILARITY


def changed_names(source: str, answer: str, src: str, tgt: str) -> list[str]:
    """Return the names of one side that the other lacks."""
    sides = {src: source, tgt: answer}
    words = {lang: [re.sub("'s$", "", word) for word in words_of(text)] for lang, text in sides.items()}
    lost = [name for name in names_of(sides["en"], "en") if not any(same_name(name, w) for w in words["es"])]
    return lost + [name for name in names_of(sides["es"], "es") if not any(same_name(w, name) for w in words["en"])]
