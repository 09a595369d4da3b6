"""Generated Spanish reviews of hotels, restaurants, sights, museums and excursions; generated ratings.

A review is composed of the sentences in `reviews.es.tsv`: text, label, kind. A `FACT` judges nothing; a `minor`
complaint in praise or concession in blame keeps the label; a `verdict` closes a review, a `title` opens it. A rating is
"7/10" or "4 estrellas" with its label.
"""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache
from pathlib import Path

from phrases import Es, Rows, split

KINDS = {"hotel": 0.26, "comida": 0.30, "lugar": 0.24, "museo": 0.12, "tour": 0.08}
# subjects of two-word judgements in any review
SUBJECTS = {
    "hotel": "la habitación|el desayuno|el personal|la ubicación|la alberca|la piscina|las camas|el baño|la limpieza",
    "comida": "la comida|el servicio|la atención|el ambiente|los platos|las porciones|el menú|los meseros|la carta",
    "lugar": "el lugar|la vista|el paseo|la playa|la plaza|el entorno|las calles|el mirador|la zona|el parque",
    "museo": "la exposición|la colección|la visita|las salas|el edificio|las piezas|el recorrido|el guía",
    "tour": "la excursión|el guía|el paseo|la organización|el transporte|el espectáculo|la experiencia|el trato",
}
ADJECTIVES = {
    "POS": "excelente|espectacular|muy bueno|buenísimo|maravilloso|increíble|impecable|de primera|muy agradable|genial",
    "NEG": "pésimo|muy malo|malísimo|horrible|decepcionante|lamentable|un desastre|deficiente|fatal|una vergüenza",
    "NEU": "regular|normal|correcto|aceptable|pasable|así así|sencillo|del montón|justito|nada del otro mundo",
}
FIXED = "de primera|un desastre|una vergüenza|así así|del montón|nada del otro mundo|fatal"
BUT = (", pero {}", ". Sin embargo, {}", ". Eso sí, {}", ", aunque {}", ". Lástima que {}", ". Por otro lado, {}")


@cache
def sentences() -> dict[tuple[str, str], list[str]]:
    """Return the texts of `reviews.es.tsv` by kind and label."""
    table: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in Path(__file__).with_name("reviews.es.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        text, label, kind = line.split("\t")
        table[kind, label].append(text)
    return dict(table)


def aspect(kind: str, label: str, rng: random.Random) -> str:
    """Return a subject with an adjective that agrees: "los platos son muy buenos"."""
    e = Es(rng.choice(split(SUBJECTS[kind])))
    said = rng.choice(split(ADJECTIVES[label]))
    muy, word = ("muy ", said[4:]) if said.startswith("muy ") else ("", said)
    said = said if said in split(FIXED) else muy + e.adj(word)
    return rng.choice((f"{e.s} {e.be('', rng.randrange(3))} {said}", f"{said} {e.s}" if not muy else f"{e.s}, {said}"))


def join(parts: list[str], rng: random.Random) -> str:
    """Join sentences as people separate them, mostly by full stops."""
    text = parts[0]
    for part in parts[1:]:
        mark = rng.choice((". ", ". ", ". ", ", ", "... ", "! ", " y ", "; "))
        text += mark + (part[0].upper() + part[1:] if mark in (". ", "... ", "! ") else part)
    return text[0].upper() + text[1:]


def review(label: str, rng: random.Random) -> str:
    """Return one review of one to six sentences."""
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    table = sentences()

    def some(of: str, count: int) -> list[str]:
        whole = [x if rng.random() < 0.75 else aspect(kind, of, rng) for x in rng.sample(table[kind, of], count)]
        return list(dict.fromkeys(whole))

    facts = rng.sample(table[kind, "FACT"], rng.choice((0, 0, 0, 1, 1, 2)))
    minor = rng.sample(table.get(("minor", label), [""]), 1) if rng.random() < 0.28 else []
    if label == "NEU":
        parts = _mixed(some, facts, rng)
    else:
        parts = some(label, rng.choice((1, 1, 2, 2, 3, 3, 4)))
        if label == "POS":
            parts += minor
        elif minor and rng.random() < 0.5:
            parts = minor + parts
        elif minor:
            parts += minor
        elif len(parts) > 1 and rng.random() < 0.25:  # one thing was good, and it does not count
            parts[0] = some("POS", 1)[0] + rng.choice(BUT[:4]).format(parts[0])
        parts = facts + parts
    draw = rng.random()
    if draw < 0.45:
        parts.append(rng.choice(table["verdict", label]))
    if not 0.2 < draw < 0.8:
        parts.insert(0, rng.choice(table["title", label]))
    return join(parts, rng)


def _mixed(some, facts: list[str], rng: random.Random) -> list[str]:
    """Return a neutral review: lukewarm, or praise and blame in balance, or facts only."""
    draw = rng.random()
    if draw < 0.45:
        return facts + some("NEU", rng.choice((1, 1, 2, 2, 3)))
    if draw < 0.6:
        return [*facts, some("POS", 1)[0] + rng.choice(BUT).format(some("NEU", 1)[0])]
    if draw < 0.92:
        halves = [some("POS", 1)[0], some("NEG", 1)[0]]
        rng.shuffle(halves)
        return [*facts, halves[0] + rng.choice(BUT[:4]).format(halves[1]), *some("NEU", rng.choice((0, 1)))]
    return facts or some("NEU", 1)


def reviews(count: int, rng: random.Random) -> Rows:
    """Return (text, label) without duplicates, a third per label."""
    out: dict[str, str] = {}
    while len(out) < count:
        label = ("NEG", "NEU", "POS")[len(out) % 3]
        out.setdefault(review(label, rng), label)
    return list(out.items())


RATED = """Nota: {}|Mi nota: {}|Le doy {}|Le doy un {}|Un {}|Puntuación {}|Calificación: {}|{} para este sitio
Lo dejo en {}|Valoración {}|Se merece {}|{}|{} y ya|Mi puntuación es {}|{} por la comida|{} al servicio|Para mí, {}"""
RATED_EN = "Rating: {}|I'd give it {}|{}|My score: {}|A solid {}|{} for the food|{} from me|It gets {}"
EN_STARS = ("zero", "one", "two", "three", "four", "five")
STARS = ("cero", "una", "dos", "tres", "cuatro", "cinco")
NUMBERS = split("cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez")


def ratings(lang: str, count: int, rng: random.Random) -> Rows:
    """Return (text, label): out of ten, five or a hundred, or in stars; the middle is NEU."""
    out: dict[str, str] = {}
    while len(out) < count:
        top = rng.choice((10, 10, 5, 5, 5, 100, 20))
        value: float = rng.randint(0, top)
        share = value / top
        label = "NEG" if share <= 0.42 else "NEU" if share <= 0.65 else "POS"
        shown = str(value)
        if top < 100 and 0 < value < top and rng.random() < 0.2:
            shown = f"{value}{rng.choice('.,') if lang == 'es' else '.'}{rng.randint(1, 9)}"
            share = float(shown.replace(",", ".")) / top
            label = "NEG" if share <= 0.45 else "NEU" if share <= 0.68 else "POS"
        if top == 5 and rng.random() < 0.6:
            i = int(value)
            star = {"es": "estrella" if i == 1 else "estrellas", "en": "star" if i == 1 else "stars"}[lang]
            words = STARS[i] if lang == "es" else EN_STARS[i]
            text = rng.choice((f"{i} {star}", f"{words} {star}", "★" * i + "☆" * (5 - i), "⭐" * max(1, i)))
            label = ("NEG", "NEG", "NEG", "NEU", "POS", "POS")[max(i, 1) if "⭐" in text else i]
        elif lang == "es" and top == 10 and rng.random() < 0.3:
            text = rng.choice((f"un {NUMBERS[int(value)]}", f"un {NUMBERS[int(value)]} sobre diez"))
            label = "NEG" if value <= 4 else "NEU" if value <= 6 else "POS"
        else:
            of = ("/", " de ", " sobre ", "/") if lang == "es" else ("/", " out of ", "/", " out of ")
            text = f"{shown}{rng.choice(of)}{top}"
        frame = rng.choice(split(RATED if lang == "es" else RATED_EN))
        if text.startswith("un "):
            frame = frame.replace("un {}", "{}").replace("Un {}", "{}")
        text = frame.format(text)
        out.setdefault(text[0].upper() + text[1:], label)
    return list(out.items())
