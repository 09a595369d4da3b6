"""Variation of sentence pairs: one pass over them as people type, with other names and with text that is copied."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from data import DIRECTIONS, Direction, Example, Pair

SHORT = 90  # characters; two texts of this length may be joined into one example
# of these kinds a pass takes a share, drawn anew each time; of all others the whole
SHARES = {"manual": 1 / 3, "bible": 0.08}
NAMED = ("tatoeba", "opensubtitles", "ud-pud", "xquad", "europarl-20k")  # sources with names of people and places
FULL_STOP = (".", "?", "!", "…", '"', "»")


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
