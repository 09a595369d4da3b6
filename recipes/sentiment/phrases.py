"""Short labelled texts, hand-written or generated from hand-written parts (`phrases`), and noise (`noise`).

Tweets and reviews teach little of the meaning of a plain sentence of five words.

What people judge stands in `phrases.subjects.tsv`, whole sentences in `phrases.es.tsv` and `phrases.en.tsv`: text,
label, kind. A letter before "*" is stretched, a "{word}" is one of `BLANKS`. The kinds:

- `negation` and `contrast`, what "no" and "pero" do; `verdict`, what may follow "pero";
- `word`, interjections of many lands; `qué`, `es` and `está`, slang that goes into those frames;
- `plain`, what an emoji decides; `fact`, no feeling, with people of every kind, and the same opinion of anybody;
- `irony`, what follows "genial, ..." meant or not; `twin`, the same praise of what went wrong and of what went well;
- `slang`, sentences as they are said in one land or another; `adj`, adjectives that stand alone, in all their forms;
- `deny`, longer sentences with "nadie", "nunca", "ni", "sin"; `caps`, shouted, on signs, in odd capitals;
- `neutral`, no feeling, in words that often praise or blame;
- `more`, complaints and praise told as facts, irony, mixed languages, shouting, chat spellings.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

Rows = list[tuple[str, str]]


def split(table: str) -> list[str]:
    """Return the entries of a table, which are separated by bars or lines."""
    return [x for x in re.split(r"\s*[|\n]\s*", table.strip()) if x]


def every(label: str, texts: Iterable[str]) -> Rows:
    return [(text, label) for text in texts]


@cache
def lines(lang: str) -> list[list[str]]:
    """Return the rows of `phrases.es.tsv` or `phrases.en.tsv`."""
    table = Path(__file__).with_name(f"phrases.{lang}.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in table.splitlines()[1:]]


def listed(lang: str, kind: str, label: str = "") -> Rows:
    """Return the rows of one kind from these tables, unchanged."""
    return [(text, x) for text, x, k in lines(lang) if k == kind and label in ("", x)]


def subjects(lang: str) -> dict[str, list[list[str]]]:
    """Read `phrases.subjects.tsv`: subjects by kind, with adjectives of praise and blame and other pairs ("good=bad").

    "~" before an adjective: with "estar"; "!": it takes no "muy"; "+" before an English subject: a plural.
    """
    table = Path(__file__).with_name("phrases.subjects.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return {kind: [split(cell) for cell in cells] for of, kind, *cells in rows if of == lang}


class Es:
    """Spanish subject, with words that agree with it."""

    def __init__(self, subject: str):
        first = subject.split()[0]
        self.s, self.S = subject, subject[0].upper() + subject[1:]
        self.plural = first in ("los", "las", "mis")
        self.feminine = first in ("la", "las") or subject in ("mi jefa",)
        self.de = re.sub("^de el ", "del ", "de " + subject)
        self.a = re.sub("^a el ", "al ", "a " + subject)
        self.n = "n" if self.plural else ""

    def adj(self, word: str) -> str:
        word = word.lstrip("!~")
        if word.endswith("o"):
            word = word[:-1] + ("a" if self.feminine else "o")
        elif word.endswith("or"):
            word += "a" if self.feminine else "es" if self.plural else ""
        elif word[-1] not in "aeiou":
            return word + ("es" if self.plural else "")
        return word if not self.plural or word.endswith("s") else word + "s"

    def be(self, word: str, tense: int = 0) -> str:
        verbs = ("está están|estaba estaban" if "~" in word else "es son|fue fueron|ha sido han sido").split("|")
        verb = verbs[tense % len(verbs)].split()
        return " ".join(verb[len(verb) // 2 :] if self.plural else verb[: len(verb) // 2])

    def very(self, word: str) -> str:
        return ("" if "!" in word else "muy ") + self.adj(word)


def es_opinions(rng: random.Random) -> Rows:
    """Return a subject with an adjective, the simplest opinion."""
    out = []
    for kind, (names, *sides, _) in subjects("es").items():
        lasting = kind in ("thing", "app", "person")  # true of these subjects on any day
        for e in map(Es, names):
            for label, side in zip(("POS", "NEG"), sides, strict=True):
                for w in side:
                    b, very = e.be(w, 0 if lasting else rng.randrange(3)), e.very(w)
                    forms = [
                        f"{e.S} {b} {very}",
                        f"{b[0].upper()}{b[1:]} {very} {e.s}",
                        f"Me parece{e.n} {very} {e.s}",
                        f"La verdad, {e.s} {b} {very}",
                        f"Hoy {e.s} {e.be(w, 1)} {very}",
                    ][: 4 if lasting else 5]
                    out += every(label, rng.sample(forms, 2))
    return out


def es_negation(rng: random.Random) -> Rows:
    """Return negations with "no", "nunca", "sin" and "nada"."""
    out = []
    for kind, (names, good, bad, _) in subjects("es").items():
        person = kind == "person"
        for e in map(Es, names):
            obj, n = e.a if person else e.s, e.n
            for w in good:
                if "!" not in w:
                    out += every("NEG", [f"{e.S} no {e.be(w)} nada {e.adj(w)}", f"{e.S} no {e.be(w)} {e.adj(w)}"])
                    out += every("NEG", [f"No me parece{n} nada {e.adj(w)} {e.s}"])
            for w in bad:
                if "!" not in w and w.strip("~") != "malo":
                    out += every("POS", [f"{e.S} no {e.be(w)} nada {e.adj(w)}"])
                    out += every("POS", [f"No me parece{n} nada {e.adj(w)} {e.s}"])
            like, liked = ("caen", "han caído") if n else ("cae", "ha caído")
            if not person:
                like, liked = ("gustan", "han gustado") if n else ("gusta", "ha gustado")
                out += every("POS", [f"No está{n} mal {e.s}", f"{e.S} no está{n} nada mal"])
                out += every("POS", [f"Nada mal {e.s}, la verdad"])
                out += every("NEG", [f"No me {like} nada {e.s}", f"No me {liked} {e.s}", f"No me {like} {e.s}"])
                out += every("NEG", [f"{e.S} no está{n} bien", f"Así no se puede, {e.s} no está{n} bien"])
            else:
                out += every("NEG", [f"No me {like} bien {e.s}", f"No me {liked} nada bien {e.s}"])
            about = rng.choice(("contento", "contenta", "satisfecho", "satisfecha"))
            out += every("NEG", [f"No estoy {about} con {e.s}", f"No estoy nada {about} con {e.s}"])
            out += every("NEG", [f"No recomiendo {obj}", f"No puedo decir nada bueno {e.de}", f"No aguanto {obj}"])
            out += every("NEG", [f"{e.S} no vale{n} nada", f"{e.S} nunca está{n} a la altura"])
            out += every("POS", [f"No tengo ninguna queja {e.de}", f"No puedo decir nada malo {e.de}"])
            out += every("POS", [f"{e.S} no decepciona{n}", f"Ningún problema con {e.s}", f"Sin quejas {e.de}"])
            out += every("POS", [f"{e.S} nunca me ha{n} decepcionado", f"No cambiaría {obj} por nada"])
            if kind in ("thing", "app", "service"):
                out += every("POS", [f"{e.S} nunca me ha{n} fallado", f"Todo bien con {e.s}, sin ningún problema"])
                out += every("NEG", [f"{e.S} no funciona{n}", f"{e.S} ya no me sirve{n} para nada"])
            if kind in ("thing", "food", "stay", "learn"):
                out += every("NEG", [f"{e.S} no vale{n} lo que cuesta{n}", f"No merece{n} la pena {e.s}"])
            out += every("NEU", [f"No conozco {obj}", f"{e.S} no {'son' if n else 'es'} para tanto"])
            out += every("NEU", [f"Todavía no tengo una opinión {e.de}"])
    return out


# What a fine design does not make up for.
GRAVE = re.compile(
    r"falla|cuelga|no sirve|no se aprende|destrozad|contesta|no arregl|no cumplen|resuelve|huele|asco|robo|malísimo"
    r"|no se le|fatal|abuso|idea|lío|no cubre|básicas|dura$|maleducad|breaks|nothing|filthy|rip-off|terrible|rude"
)


def es_contrast(rng: random.Random) -> Rows:
    """Return two halves that disagree: the half after "pero" or without "aunque" decides; and lukewarm opinions."""
    out = listed("es", "contrast")
    for kind, (names, good, bad, aspects) in subjects("es").items():
        pairs = [a.split("=") for a in aspects]
        for label, other in (("POS", 1), ("NEG", 0)):
            end, start = 1 - other, other
            verdicts = [t for t, _ in listed("es", "verdict", label)]
            # nothing makes up for "inservible"
            words = [w for w in (good if label == "NEG" else bad) if "!" not in w and "malo" not in w]
            for x in pairs:
                for y in pairs:
                    a, b = x[start], y[end]
                    if x is not y and not (label == "POS" and GRAVE.search(a)):
                        forms = [f"{a}, pero {b}", f"aunque {a}, {b}", f"{a}. Sin embargo, {b}", f"{a}; eso sí, {b}"]
                        out.append((rng.choice(forms[: 3 if label == "POS" else 4]), label))
                if kind != "person" and "no se aprende" not in x[start]:
                    verdict = rng.choice(verdicts)
                    out += every(label, [f"{x[start]}, pero {verdict}", f"aunque {x[start]}, {verdict}"])
            for e in map(Es, names if kind != "person" else []):
                w = rng.choice(words)
                fit = [
                    v for v in verdicts if not e.plural or not re.search("encantó|decep|chifla|vale|merece|amarg", v)
                ]
                out.append((f"{e.S} {e.be(w)} {e.very(w)}, pero {rng.choice(fit)}", label))
        for e in map(Es, names):
            so_so = ("ni {} ni {}, normal".format(e.adj("bueno"), e.adj("malo")), "así así", "sin más", "ni fu ni fa")
            out += every("NEU", [f"{e.S}, {x}" for x in so_so] + [f"{e.S} {e.be('bueno')} del montón"])
    return [(t[0].upper() + t[1:], label) for t, label in out]


# Regional words in short frames.
ES_WHO = """tu perro|tu gato|este sitio|este bar|ese grupo|el plan|el nuevo disco|este barrio|tu coche|su discurso
el viaje|el vídeo|tu barrio|el regalo|ese chiste|el sofá|el parque|el festival|tu primo|el menú|este juego
el pueblo"""

ES_PEOPLE = "tu perro|tu primo|tu gato|mi abuelo|ese profe|tu hermano|este camarero|el nuevo|tu padre"


def es_words(rng: random.Random) -> Rows:
    """Return regional slang in short frames."""
    out = []
    for w, label in listed("es", "qué"):
        to = rng.choice(("tío", "amigo", "wey", "loco", "hermana"))
        out += every(label, [f"Qué {w}", f"¡Qué {w}!", f"Qué {w}, {to}"])
    for verb in ("es", "está"):
        for w, label in listed("es", verb):
            person = re.match(r"un (genio|crack|amor|encanto|sol|cielo|fenómeno|capo)|el puto|el mejor|adorable", w)
            a, b, c = rng.sample(split(ES_PEOPLE if person else ES_WHO), 3)
            out += every(label, [f"{a} {verb} {w}", f"{b} {verb} {w}", f"{verb} {w}, {c}"])
            if verb == "es":
                out += every(label, [f"me parece {w}", f"pues sí, {w}", w])
    return [(t[0].upper() + t[1:], label) for t, label in out]


# Emoji that say it all, after a text that says nothing.
EMOJI = {
    "POS": """😀 😃 😄 😁 😆 😊 ☺️ 🙂 😇 🥰 😍 🤩 😘 😗 😚 😙 😋 😎 🤗 🥳 😌 😂 🤣 😸 😺 😻 ❤️ 🧡 💛 💚 💙
    💜 🤍 💖 💗 💓 💞 💕 💘 💝 😹 ♥️ 👍 👏 🙌 💪 👌 🤟 🤘 🤞 🙏 ✨ 🌟 ⭐ 🔥 💯 🎉 🎊 🏆 🥇 🎁 🌈 🌹 💐 🌸 🌻
    ☀️ 🍀 🫶 ✅ 💃 🕺 🎂 👑 💋""",
    "NEG": """😞 😔 😟 😕 🙁 ☹️ 😣 😖 😫 😩 😢 😭 😤 😠 😡 🤬 😨 😰 😱 😥 😓 🤢 🤮 😒 🙄 😾 😿 🙀 💔 👎 🖕 💩
    🤦 🤦‍♀️ 🤦‍♂️ 😧 😦 😵 🤒 🤕 🥱 👿 🤡 😑 ❌""",
    "NEU": """📅 📍 🚌 📌 ✈️ ☕ 🚆 🚗 🚲 🏠 🏫 🏢 📖 📚 📝 📎 📷 📱 💻 ⏰ ⌚ 🕐 🔔 ✉️ 📧 📦 📞 🗓️ 🔑 💡
    🪑 🍎 🥖 🍕 🐟 🐄 🌳 ☁️ ⚽ 🎵 🎬 🔢 ➡️ ⬇️ 🔗 🆔 🚪 🧾 🛒 🤔 😐 👀 🤷 🇲🇽 🇪🇸 🇦🇷""",
}


def emoji(rng: random.Random, lang: str) -> Rows:
    """Return emoji alone, and emoji that decide."""
    out = []
    for label, table in EMOJI.items():
        for e in table.split():
            alone = [e, e * 2, e * 3]
            out += every(label, alone[: 2 if label == "NEU" else 3])
            texts = rng.sample([t for t, _ in listed(lang, "plain")], 6)
            out += every(label, [f"{t}{rng.choice((' ', '', '. '))}{e * rng.choice((1, 1, 1, 2, 3))}" for t in texts])
    return out


# Blanks in the sentences of the tables.
BLANKS = {
    "name": "Ana|Luis|Fátima|Mohamed|Wei|Ivana|Aisha|Jorge|Nkechi|Sara|Yusuf|Olga|Camila|Pablo|Hiro|Rosa|Amina|Iker",
    "city": "Lima|Bogotá|Sevilla|Quito|Bilbao|Rosario|Puebla|Valencia|Caracas|Oslo|Rabat|Dakar|Miami|Cusco",
    "hour": "ocho|nueve|diez|once|cinco y media|siete|seis y cuarto|cuatro|dos|doce menos diez",
    "day": "lunes|martes|miércoles|jueves|viernes|sábado|domingo",
    "n": "2|3|4|5|6|8|10|12|15|20|24|30|40|60",
    "month": "enero|febrero|marzo|abril|mayo|junio|julio|septiembre|octubre|noviembre",
    "who": """senegalesa|marroquí|mexicana|peruana|ecuatoriana|rumana|china|gitana|colombiana|árabe|boliviana
    haitiana|alemana|venezolana|paraguaya|japonesa|catalana|cubana|dominicana|estadounidense|rusa|ucraniana
    palestina|israelí""",
    "faith": """musulmana|católica|judía|evangélica|budista|atea|protestante|hindú|creyente|lesbiana|bisexual|trans
    sorda|ciega|jubilada|viuda|soltera|casada|negra|blanca|indígena|zurda|vegetariana|de izquierdas|de derechas
    inmigrante|mayor""",
    "job": """en un hospital|de electricista|de camarera|en una panadería|de abogado|en el campo|de taxista
    en una guardería|de limpiadora|en un banco|de policía|en una fábrica|de informática|de enfermero|en el mercado
    de cajera""",
    "thing": """una mesa|dos entradas|un billete de tren|pan y leche|un cuaderno|una chaqueta gris
    un libro de historia|tomates|una bombilla|un cargador|unas sandalias|dos kilos de arroz|una maleta azul|sellos
    una silla de oficina""",
    "subject": "historia|matemáticas|química|inglés|dibujo|economía|música|biología|filosofía|derecho|enfermería",
    "place": "el banco|la biblioteca|la farmacia|el museo|la oficina|el supermercado|la piscina|la estación|el colegio",
    "en_who": """Nigerian|Mexican|Polish|Muslim|Jewish|Catholic|Black|white|gay|deaf|Chinese|Moroccan|Syrian|Indian
    German|Colombian|trans|Christian|Hindu|American|Russian|Ukrainian|Israeli|Palestinian|retired|blind|Roma
    Turkish""",
    "en_job": "nurse|driver|teacher|cook|lawyer|cleaner|farmer|plumber|student|doctor|waiter|baker|programmer",
    "en_day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "en_topic": "whales|trees|Roman history|chemistry|birds|trains|the sea|two sisters|a small town|bread|maps|bees",
    "en_place": "bank|library|museum|office|pharmacy|school|pool|station|shop|gallery",
}


def fill(template: str, rng: random.Random) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: rng.choice(split(BLANKS[m[1]])), template)


def whole(lang: str, kind: str, times: int, rng: random.Random) -> Rows:
    """Return rows of the tables with their blanks filled, `times` over, and with stretched letters, twice."""
    rows = [row for row in listed(lang, kind) for _ in range(times if "{" in row[0] else 1 + ("*" in row[0]))]
    return [(stretch(fill(text, rng), rng), label) for text, label in rows]


ES_GOOD = "Genial|Qué bien|Estupendo|Fantástico|Perfecto|Maravilloso|Qué maravilla|Qué alegría|Bravo|Qué ilusión"


def stretch(text: str, rng: random.Random) -> str:
    """Repeat each letter before "*"."""
    return re.sub(r"(\w)\*", lambda m: m[1] * rng.randint(3, 7), text)


def es_irony(rng: random.Random) -> Rows:
    """Return a cheer with a continuation that shows whether it is ironic."""
    forms = {"NEG": ", {}|, {} 🙄|: {}|, {}...|, {} 👏👏🙄", "POS": ", {}|, {}!|: {} 😊|, {}!!|, {} 🎉"}
    rows = [(good, *row) for row in listed("es", "irony") for good in rng.sample(split(ES_GOOD), 7)]
    return [(good + rng.choice(split(forms[label])).format(text), label) for good, text, label in rows]


def es_twins(rng: random.Random) -> Rows:
    """Return the same words of praise, meant and ironic; the punctuation after them seldom differs."""
    ends = {"NEG": "...| 🙄| 👏👏👏| 🙃| 😒|!|!!| jajaja| 😡|…", "POS": "...| 😊| 👏👏👏| ❤️| 🥰|!|!!| jajaja| 🎉|…"}
    out = []
    for text, label in listed("es", "twin"):
        out.append((text, label))
        if rng.random() < 0.45:
            out.append((text + rng.choice(ends[label].split("|")), label))
    return out


def forms(word: str) -> list[str]:
    """Return the four forms of a Spanish adjective: singular and plural, masculine and feminine."""
    if word[-1] == "o":
        return [word[:-1] + end for end in ("o", "a", "os", "as")]
    if word.endswith("dor"):
        return [word + end for end in ("", "a", "es", "as")]
    return [word, word + "s" if word[-1] in "aeiou" else word[:-1] + "ces" if word[-1] == "z" else word + "es"]


# Adjectives of blame that are denied in earnest: "nada caro".
ES_DENIED_BAD = """aburrido|pesado|lento|caro|sucio|feo|ruidoso|molesto|incómodo|peligroso|agobiante|confuso|frágil
soso|antipático|arrogante|irritante|estresante"""
# Praise that nobody denies like that.
ES_UNDENIED = """increíble|formidable|admirable|memorable|inolvidable|adorable|triunfante|victorioso|agradecido|aliviado
rico|bello|precioso|lujoso|lleno de vida|favorito|perfecto|impecable|genial"""


def es_adjectives(rng: random.Random) -> Rows:
    """Return an adjective alone, or with "muy", "qué"; or negated, with "poco", "nada"."""
    out = []
    for w, label in listed("es", "adj"):
        every_form = forms(w)
        out += every(label, rng.sample(every_form, 2))
        plain = not w.endswith("ísimo")
        if label != "NEU" and plain:
            before = rng.choice(("Muy", "Qué", "Súper", "Tan", "Bastante" if label == "NEG" else "Realmente"))
            out.append((f"{before} {rng.choice(every_form)}", label))
        if label == "POS" and plain and w not in split(ES_UNDENIED) and rng.random() < 0.7:
            out.append((f"{rng.choice(('Nada', 'Poco', 'Nada', 'No es nada'))} {rng.choice(every_form[:2])}", "NEG"))
        if w in split(ES_DENIED_BAD):
            out += every("POS", [f"Nada {every_form[0]}", f"Para nada {every_form[0]}"])
    return out


# Words whose negation with "not" means the contrary.
EN_DENIED_GOOD = "useful|interesting|clear|clean|quiet|comfortable|funny|exciting|reliable|tasty|kind|friendly|helpful"
EN_DENIED_BAD = "boring|confusing|dirty|noisy|slow|dull|flimsy|bland|rude|arrogant"


def en_opinions(rng: random.Random) -> Rows:
    """Return adjectives of many subjects, affirmed and negated."""
    out = []
    for names, *sides, _ in subjects("en").values():
        for subject in names:
            s, be, was = (subject[1:], "are", "were") if subject[0] == "+" else (subject, "is", "was")
            have, do = ("have", "don't") if be == "are" else ("has", "doesn't")
            for label, other, side in zip(("POS", "NEG"), ("NEG", "POS"), sides, strict=True):
                for w in side:
                    out += every(label, [f"{s} {be} {w}", f"{s} {was} really {w}", f"honestly, {s} {was} {w}"])
                    if w in split(EN_DENIED_GOOD):
                        out += every("NEG", [f"{s} {be} not {w}", f"{s} {be}n't {w} at all"])
                    if w in split(EN_DENIED_BAD):
                        out += every(other, [f"{s} {be}n't {w} at all", f"{s} {be} not {w} at all"])
            out += every("POS", [f"{s} {be} not bad at all", f"no complaints about {s}"])
            out += every("POS", [f"{s} never disappoint{'s'[be == 'are' :]}"])
            out += every("NEG", [f"I'm not happy with {s}", f"I don't like {s} at all"])
            out += every("NEG", [f"{s} {be} not good", f"avoid {s}"])
            out += every("NEU", [f"{s} {be} okay, nothing special", f"{s} {be} average", f"I know nothing about {s}"])
            out += every("NEU", [f"{s} {be} so-so", f"no opinion on {s}", f"what {be} {s} like?"])
            out += every("NEG", [f"{s} {have} let me down", f"{s} {do} deserve the praise"])
    return out


def en_contrast(rng: random.Random) -> Rows:
    """Return contrasts in which the half after "but" decides."""
    out = []
    for kind, (_, _, _, aspects) in subjects("en").items():
        pairs = [a.split("=") for a in aspects]
        for label, end in (("POS", 0), ("NEG", 1)):
            for x in pairs:
                for y in pairs:
                    if x is not y and not (label == "POS" and GRAVE.search(x[1])):
                        form = rng.choice(("{}, but {}", "although {}, {}", "{}. However, {}"))
                        out.append((form.format(x[1 - end], y[end]), label))
                verdicts = [t for t, _ in listed("en", "verdict", label)]
                if kind != "person" and "nothing" not in x[1 - end]:
                    out += every(label, [f"{x[1 - end]}, but {v}" for v in rng.sample(verdicts, 2)])
    return out


Maker = Callable[[random.Random], Rows]
# Largest number of rows per label of each maker.
KINDS: dict[str, list[tuple[Maker, dict[str, int]]]] = {
    "es": [
        (lambda rng: whole("es", "more", 1, rng), {"NEG": 400, "NEU": 200, "POS": 400}),
        (lambda rng: whole("es", "slang", 2, rng), {"NEG": 420, "NEU": 270, "POS": 420}),
        (es_twins, {"NEG": 320, "NEU": 0, "POS": 320}),
        (lambda rng: whole("es", "deny", 2, rng), {"NEG": 250, "NEU": 250, "POS": 250}),
        (lambda rng: whole("es", "neutral", 2, rng), {"NEG": 0, "NEU": 400, "POS": 0}),
        (lambda rng: whole("es", "caps", 2, rng), {"NEG": 99, "NEU": 99, "POS": 99}),
        (es_irony, {"NEG": 100, "NEU": 0, "POS": 90}),
        (lambda rng: listed("es", "word"), {"NEG": 400, "NEU": 400, "POS": 400}),
        (es_words, {"NEG": 300, "NEU": 200, "POS": 300}),
        (es_adjectives, {"NEG": 260, "NEU": 110, "POS": 240}),
        (lambda rng: listed("es", "negation"), {"NEG": 99, "NEU": 99, "POS": 99}),
        (es_negation, {"NEG": 220, "NEU": 120, "POS": 240}),
        (es_contrast, {"NEG": 150, "NEU": 190, "POS": 150}),
        (lambda rng: emoji(rng, "es"), {"NEG": 120, "NEU": 160, "POS": 140}),
        (lambda rng: whole("es", "fact", 8, rng), {"NEG": 60, "NEU": 620, "POS": 60}),
        (lambda rng: listed("es", "plain"), {"NEG": 0, "NEU": 99, "POS": 0}),
        (es_opinions, {"NEG": 140, "NEU": 0, "POS": 160}),
    ],
    "en": [
        (lambda rng: whole("en", "more", 1, rng), {"NEG": 260, "NEU": 260, "POS": 260}),
        (lambda rng: whole("en", "fact", 9, rng), {"NEG": 35, "NEU": 230, "POS": 35}),
        (lambda rng: listed("en", "plain"), {"NEG": 0, "NEU": 99, "POS": 0}),
        (en_opinions, {"NEG": 245, "NEU": 130, "POS": 270}),
        (en_contrast, {"NEG": 50, "NEU": 0, "POS": 50}),
        (lambda rng: emoji(rng, "en"), {"NEG": 80, "NEU": 80, "POS": 80}),
    ],
}


def typed(text: str, label: str, lang: str, rng: random.Random) -> str:
    """Return a text as people type it: with or without a full stop, a capital, exclamation marks; or in capitals."""
    if not text.isupper():
        draw = rng.random()
        if draw < 0.065:
            text = text.upper()
        elif draw < 0.075:
            text = "".join(x.upper() if i % 2 else x.lower() for i, x in enumerate(text))
        elif draw < 0.085:
            text = text.title()
    if text[0].isalpha() and rng.random() < 0.75:
        text = text[0].upper() + text[1:]
    elif len(text) > 1 and text[1].islower() and rng.random() < 0.3:
        text = text[0].lower() + text[1:]
    if not (text[-1].isalnum() and text[0].isalnum()):
        return text
    draw = rng.random()
    if draw < 0.3:
        return text + "."
    if draw < 0.45 and label != "NEU":
        return f"¡{text}!" if lang == "es" and rng.random() < 0.4 else text + rng.choice(("!", "!!", "!!!!"))
    return text + "..." if draw > 0.97 else text


def phrases(lang: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return (text, label) in Spanish ("es") or English ("en"), without duplicates, in random order."""
    out: dict[str, tuple[str, str]] = {}
    for make, most in KINDS[lang]:
        rows = make(rng)
        rng.shuffle(rows)
        left = dict(most)
        for text, label in rows:
            key = text.lower().strip(" .!¡") or text
            if left[label] and key not in out:
                left[label] -= 1
                out[key] = (typed(text, label, lang, rng), label)
    rows = list(out.values())
    rng.shuffle(rows)
    return rows


CODE = """def f(x): return x + 1|for (int i = 0; i < n; i++) {|SELECT id FROM t WHERE id = 7;|import os, sys
console.log(x[0]);|</div></body>|#include <stdio.h>|git rebase -i HEAD~2|if [ -f a.txt ]; then
let mut v = Vec::new();|public static void main(String[] args)|x = [i for i in range(9)]|npm ERR! code 1|<br/>
return null;|&nbsp;|{"id": 4, "ok": true}|a: 1, b: [2, 3]|chmod +x run.sh|const f = (a, b) => a * b;
lorem ipsum dolor sit amet|consectetur adipiscing elit|sed do eiusmod tempor|ut labore et dolore magna aliqua
\\frac{a}{b} + c^2|x^2 + y^2 = z^2|f(x) = 3x - 4|2 + 2 = 4|E = mc^2|sin(x)/x|qwerty|qwerty123|asdf|asdfgh jklñ
zxcvbnm|aaaaaa|abcabc"""


def noise(rng: random.Random) -> list[str]:
    """Return meaningless texts: random keys, code, logs, hashes, numbers, links, tables, punctuation."""

    def some(letters: str, least: int, most: int) -> str:
        return "".join(rng.choice(letters) for _ in range(rng.randint(least, most)))

    letters, digits, home = "abcdefghijklmnopqrstuvwxyzñ", "0123456789", "asdfghjklñ"
    makers: list[Callable[[], str]] = [
        lambda: " ".join(some(home, 3, 9) for _ in range(rng.randint(1, 4))),
        lambda: " ".join(some(letters, 2, 11) for _ in range(rng.randint(1, 6))),
        lambda: some(rng.choice(("bcdfgh", "xzqkw", letters.upper())), 3, 14),
        lambda: some("0123456789abcdef", 8, 64),
        lambda: some(digits, 1, 12),
        lambda: f"{some(digits, 1, 4)} {rng.choice('+-*/=<>')} {some(digits, 1, 4)} = {some(digits, 1, 5)}",
        lambda: f"https://{some(letters[:26], 4, 10)}.{some('comesrg', 2, 3)}/{some(letters[:26] + digits, 0, 9)}",
        lambda: ",".join(some(rng.choice((digits, letters)), 1, 7) for _ in range(rng.randint(3, 8))),
        lambda: some(".,;:-_/()[]#*", 1, 8),
        lambda: (
            f"2024-0{rng.randint(1, 9)}-1{rng.randint(0, 9)} 1{rng.randint(0, 9)}:{rng.randint(10, 59)}:07 "
            f"{rng.choice(('INFO', 'DEBUG', 'TRACE'))} {some(letters, 3, 8)}.{some(letters, 3, 8)} {some(digits, 2, 6)}"
        ),
        lambda: f"{some(letters, 1, 6)}_{some(letters, 1, 6)}({some(letters, 1, 3)}, {some(digits, 1, 3)});",
        lambda: f"{some(letters, 3, 9)}@{some(digits, 1, 3)}.{some(digits, 1, 3)}.{some(digits, 1, 3)}",
    ]
    out = split(CODE)
    while len(out) < 400:
        out += [make() for make in makers]
        out = list(dict.fromkeys(out))
    return out[:400]
