"""Hand-written and generated pairs for what corpora lack (`own.tsv`: en, es, kind; `made`).

Single words, greetings, letters, headings, signs, units and abbreviations; numbers, dates, times and names.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

split = str.split  # a table of words, on lines

ES_SMALL = split("""cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince
dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro
veinticinco veintiséis veintisiete veintiocho veintinueve""")
ES_TENS = split("treinta cuarenta cincuenta sesenta setenta ochenta noventa")
ES_HUNDREDS = split(
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
)
EN_SMALL = split("""zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen""")
EN_TENS = split("twenty thirty forty fifty sixty seventy eighty ninety")
MONTHS = [
    ("January", "enero"), ("February", "febrero"), ("March", "marzo"), ("April", "abril"), ("May", "mayo"),
    ("June", "junio"), ("July", "julio"), ("August", "agosto"), ("September", "septiembre"), ("October", "octubre"),
    ("November", "noviembre"), ("December", "diciembre"),
]  # fmt: skip
DAYS = [  # the last: on several of them
    ("Monday", "lunes", "lunes"), ("Tuesday", "martes", "martes"), ("Wednesday", "miércoles", "miércoles"),
    ("Thursday", "jueves", "jueves"), ("Friday", "viernes", "viernes"), ("Saturday", "sábado", "sábados"),
    ("Sunday", "domingo", "domingos"),
]  # fmt: skip
# plural in English, in Spanish, whether it is feminine there
THINGS = [
    ("people", "personas", True), ("days", "días", False), ("weeks", "semanas", True), ("months", "meses", False),
    ("years", "años", False), ("hours", "horas", True), ("minutes", "minutos", False), ("books", "libros", False),
    ("houses", "casas", True), ("children", "niños", False), ("students", "estudiantes", False),
    ("chairs", "sillas", True), ("apples", "manzanas", True), ("eggs", "huevos", False), ("cars", "coches", False),
    ("dogs", "perros", False), ("cats", "gatos", False), ("pages", "páginas", True), ("pencils", "lápices", False),
    ("friends", "amigos", False), ("windows", "ventanas", True), ("trees", "árboles", False), ("cups", "tazas", True),
    ("tickets", "entradas", True), ("questions", "preguntas", True), ("kilometers", "kilómetros", False),
    ("euros", "euros", False), ("dollars", "dólares", False), ("rooms", "habitaciones", True),
    ("women", "mujeres", True), ("men", "hombres", False), ("languages", "idiomas", False), ("times", "veces", True),
]  # fmt: skip
COUNTED = [
    ("{n} {t}", "{n} {t}"), ("{n} {t}.", "{n} {t}."), ("There are {n} {t}.", "Hay {n} {t}."),
    ("I have {n} {t}.", "Tengo {n} {t}."), ("We need {n} {t}.", "Necesitamos {n} {t}."),
    ("I saw {n} {t} yesterday.", "Ayer vi {n} {t}."), ("Only {n} {t} are left.", "Solo quedan {n} {t}."),
    ("more than {n} {t}", "más de {n} {t}"), ("the {n} {t}", "{los} {n} {t}"), ("with {n} {t}", "con {n} {t}"),
]  # fmt: skip
AGES = [
    ("I am {n} years old.", "Tengo {n} años."), ("She is {n} years old.", "Ella tiene {n} años."),
    ("My mother is {n}.", "Mi madre tiene {n} años."), ("He turned {n} yesterday.", "Ayer cumplió {n} años."),
    ("{n} years ago", "hace {n} años"), ("within {n} years", "dentro de {n} años"),
]  # fmt: skip
UNITS = [
    ("{n} km", "{n} km"), ("{n} kg of potatoes", "{n} kg de patatas"), ("{n} g of butter", "{n} g de mantequilla"),
    ("{n} l of milk", "{n} l de leche"), ("{n} ml of water", "{n} ml de agua"), ("{n} cm", "{n} cm"),
    ("It is {n} km away.", "Está a {n} km."), ("The box weighs {n} kg.", "La caja pesa {n} kg."),
    ("The table is {n} cm wide.", "La mesa mide {n} cm de ancho."),
    ("The wall is {n} m high.", "El muro mide {n} m de alto."),
    ("It costs {n} euros.", "Cuesta {n} euros."), ("I paid €{n}.", "Pagué {n} €."), ("That's $ {n}.", "Son {n} $."),
    ("We drank {n} l of juice.", "Bebimos {n} l de zumo."), ("at {n} °C", "a {n} °C"), ("{n} %", "{n} %"),
    ("{n} km/h", "{n} km/h"), ("The tank holds {n} l.", "El depósito tiene {n} l."), ("{n} m² flat", "piso de {n} m²"),
    ("She walked {n} km.", "Caminó {n} km."), ("It is {n} °C outside.", "Fuera hay {n} °C."),
]  # fmt: skip
ORDINALS = [
    ("first", "primer", "1"), ("second", "segundo", "2"), ("third", "tercer", "3"), ("fourth", "cuarto", "4"),
    ("fifth", "quinto", "5"), ("sixth", "sexto", "6"), ("seventh", "séptimo", "7"), ("eighth", "octavo", "8"),
    ("ninth", "noveno", "9"), ("tenth", "décimo", "10"),
]  # fmt: skip
ORDERED = [
    ("the {a} floor", "el {b} piso"), ("the {a} time", None), ("He lives on the {a} floor.", "Vive en el {b} piso."),
    ("the {a} chapter", "el {b} capítulo"), ("It is on the {a} floor.", "Está en el {n}.º piso."),
    ("my {a} job", "mi {b} trabajo"), ("the {a} prize", "el {b} premio"),
]  # fmt: skip
ROMAN = split("I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI")
KINGS = [
    ("Philip {r} was king of Spain.", "Felipe {r} fue rey de España.", 5),
    ("Charles {r} ruled for years.", "Carlos {r} reinó durante años.", 4),
    ("Pope Pius {r} died in {y}.", "El papa Pío {r} murió en {y}.", 12),
    ("Louis {r} of France", "Luis {r} de Francia", 18),
    ("Queen Isabella {r}", "la reina Isabel {r}", 2), ("Chapter {r}", "Capítulo {r}", 20),
    ("Volume {r}", "Tomo {r}", 9),
    ("Part {r}", "Parte {r}", 9), ("John Paul {r} visited Mexico in {y}.", "Juan Pablo {r} visitó México en {y}.", 2),
]  # fmt: skip
CENTURY = [
    ("the {o} century", "el siglo {r}"), ("in the {o} century", "en el siglo {r}"), ("the {o} century", "el s. {r}"),
    ("a castle of the {o} century", "un castillo del siglo {r}"),
    ("It was built in the {o} century.", "Se construyó en el siglo {r}."),
]  # fmt: skip
DATED = [
    ("{M} {d}, {y}", "{d} de {m} de {y}"), ("the {o} of {M}", "el {d} de {m}"), ("on {M} {o}", "el {d} de {m}"),
    ("She was born on {M} {d}, {y}.", "Ella nació el {d} de {m} de {y}."),
    ("It happened on {M} {d}, {y}.", "Ocurrió el {d} de {m} de {y}."),
    ("Today is {M} {o}.", "Hoy es {d} de {m}."), ("{D}, {M} {d}, {y}", "{e}, {d} de {m} de {y}"),
    ("in {M} {y}", "en {m} de {y}"),
    ("He died in {y}.", "Murió en {y}."), ("since {y}", "desde {y}"),
    ("The course starts on {M} {d}.", "El curso empieza el {d} de {m}."),
    ("from {M} to December", "de {m} a diciembre"), ("My birthday is on {M} {o}.", "Mi cumpleaños es el {d} de {m}."),
    ("Madrid, {M} {d}, {y}", "Madrid, {d} de {m} de {y}"), ("Before {M} {d}", "Antes del {d} de {m}"),
    ("We met on a {D} in {M}.", "Nos conocimos un {e} de {m}."), ("See you on {D}.", "Nos vemos el {e}."),
    ("every {D}", "todos los {es}"), ("last {D}", "el {e} pasado"), ("on {D} morning", "el {e} por la mañana"),
    ("on {D} night", "el {e} por la noche"), ("Yesterday was {D}.", "Ayer fue {e}."),
    ("Tomorrow is {D}.", "Mañana es {e}."),
    ("I don't work on {D}s.", "Los {es} no trabajo."), ("from {D} to Sunday", "de {e} a domingo"),
    ("{D} afternoon", "el {e} por la tarde"),
]  # fmt: skip
HOURS = [
    ("It's {n} o'clock.", "{Son} las {h}."), ("It's half past {n}.", "{Son} las {h} y media."),
    ("It's a quarter past {n}.", "{Son} las {h} y cuarto."),
    ("It's a quarter to {n}.", "{Son} las {h} menos cuarto."), ("The train leaves at {n}.", "El tren sale a las {h}."),
    ("at {n} in the morning", "a las {h} de la mañana"), ("at {n} in the evening", "a las {h} de la noche"),
    ("The class ends at {n}.", "La clase termina a las {h}."), ("We have dinner at {n}.", "Cenamos a las {h}."),
    ("It's ten past {n}.", "{Son} las {h} y diez."), ("It's twenty to {n}.", "{Son} las {h} menos veinte."),
    ("The museum opens at {n}.", "El museo abre a las {h}."), ("at half past {n}", "a las {h} y media"),
]  # fmt: skip
MEN = split("""Juan Luis Pablo Andrés Diego Javier Carlos Hugo Iván Pedro Manuel Daniel Martín Jorge Tom John
Peter Ahmed Kenji""")
WOMEN = split(
    "Lucía Carmen Elena Sofía Laura Marta Isabel Julia Rosa Emma Sarah Alice Fatima Paula Clara Nuria Olga Susan"
)
SURNAMES = split("""Pérez García López Ruiz Díaz Martín Sánchez Romero Torres Vega Brown Jones Taylor Wilson Müller
Rossi Silva Núñez""")
TO_HIM = [
    ("Dear {a},", "Querido {a},"), ("Dear {a}:", "Querido {a}:"), ("My dear {a},", "Mi querido {a}:"),
    ("Dear {a}:", "Estimado {a}:"),
    ("Dear Mr. {s},", "Estimado señor {s}:"), ("Dear Mr. {s}:", "Estimado Sr. {s}:"),
    ("Dear Dr. {s}:", "Estimado Dr. {s}:"),
    ("Mr. {s} is not here.", "El señor {s} no está."), ("Good morning, Mr. {s}.", "Buenos días, señor {s}."),
]  # fmt: skip
TO_HER = [
    ("Dear {a},", "Querida {a},"), ("Dear {a}:", "Querida {a}:"), ("My dear {a},", "Mi querida {a}:"),
    ("Dear {a}:", "Estimada {a}:"),
    ("Dear Mrs. {s},", "Estimada señora {s}:"), ("Dear Ms. {s}:", "Estimada Sra. {s}:"),
    ("Dear Dr. {s}:", "Estimada Dra. {s}:"),
    ("Mrs. {s} has arrived.", "La señora {s} ha llegado."), ("Good afternoon, Mrs. {s}.", "Buenas tardes, señora {s}."),
]  # fmt: skip
TO_ALL = [
    ("Hello, {a}.", "Hola, {a}."), ("Hi, {a}!", "¡Hola, {a}!"), ("Hello {a}", "Hola {a}"), ("Bye, {a}.", "Adiós, {a}."),
    ("Goodbye, {a}!", "¡Adiós, {a}!"), ("Good morning, {a}.", "Buenos días, {a}."),
    ("Good night, {a}.", "Buenas noches, {a}."),
    ("How are you, {a}?", "¿Qué tal, {a}?"), ("Thank you, {a}.", "Gracias, {a}."),
    ("See you tomorrow, {a}.", "Hasta mañana, {a}."),
    ("You're welcome, {a}.", "De nada, {a}."), ("Happy birthday, {a}!", "¡Feliz cumpleaños, {a}!"),
    ("I miss {a}.", "Echo de menos a {a}."),
    ("I miss {a} a lot.", "Extraño mucho a {a}."), ("My name is {a}.", "Me llamo {a}."), ("Love, {a}", "Un beso, {a}"),
    ("Kisses, {a}", "Besos, {a}"), ("Regards, {a}", "Saludos, {a}"), ("Sincerely, {a} {s}", "Atentamente, {a} {s}"),
    ("Is {a} there?", "¿Está {a}?"), ("Where is {a}?", "¿Dónde está {a}?"), ("Who is {a}?", "¿Quién es {a}?"),
    ("This is {a}.", "Esta es {a}."), ("{a} and {b} are friends.", "{a} y {b} son amigos."),
    ("I'm sorry, {a}.", "Lo siento, {a}."),
    ("Welcome, {a}.", "Bienvenida, {a}."), ("Please, {a}, come here.", "Por favor, {a}, ven aquí."),
    ("Hello, I'm {a}.", "Hola, soy {a}."),
]  # fmt: skip


def in_english(n: int) -> str:
    """Write 0 to 999,999 in English words."""
    if n >= 1000:
        rest = n % 1000
        return f"{in_english(n // 1000)} thousand" + (f" {in_english(rest)}" if rest else "")
    if n >= 100:
        rest = n % 100
        return f"{EN_SMALL[n // 100]} hundred" + (f" and {in_english(rest)}" if rest else "")
    if n < 20:
        return EN_SMALL[n]
    return EN_TENS[n // 10 - 2] + (f"-{EN_SMALL[n % 10]}" if n % 10 else "")


def in_spanish(n: int, before: str = "") -> str:
    """Write 0 to 999,999 in Spanish words; before a noun ("m" or "f"), "uno" and the hundreds agree with it."""
    if n >= 1000:
        thousands = "" if n // 1000 == 1 else in_spanish(n // 1000, "m") + " "
        return f"{thousands}mil" + (f" {in_spanish(n % 1000, before)}" if n % 1000 else "")
    if n >= 100:
        if n == 100:
            return "cien"
        hundreds = ES_HUNDREDS[n // 100 - 1]
        if before == "f" and n >= 200:
            hundreds = hundreds[:-2] + "as"
        return hundreds + (f" {in_spanish(n % 100, before)}" if n % 100 else "")
    if n < 30:
        small = ES_SMALL[n]
        if before and n % 10 == 1 and n != 11:
            short = {1: "un", 21: "veintiún"}[n]
            return short if before == "m" else small[:-1] + "a"
        return small
    return ES_TENS[n // 10 - 3] + (f" y {in_spanish(n % 10, before)}" if n % 10 else "")


def ordinal(n: int) -> str:
    """Return 1st, 22nd, 13th."""
    return f"{n}{'th' if 10 < n % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def written() -> list[tuple[str, str]]:
    """Return the pairs of `own.tsv`; words also with a capital and a full stop."""
    with Path(__file__).with_name("own.tsv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(r["en"], r["es"]) for r in rows]


def as_typed(en: str, es: str, rng: random.Random) -> tuple[str, str]:
    """Return a pair with a capital, an added full stop, or neither."""
    draw = rng.random()
    if draw < 0.4:
        en, es = en[0].upper() + en[1:], es[0].upper() + es[1:]
    if en[-1].isalnum() and es[-1].isalnum() and rng.random() < 0.25:
        en, es = en + ".", es + "."
    return en, es


def _number(rng: random.Random) -> tuple[str, str]:
    n = rng.choice((rng.randint(2, 20), rng.randint(2, 99), rng.randint(20, 100), rng.randint(100, 2500)))
    draw = rng.random()
    if draw < 0.25:
        return in_english(n), in_spanish(n)
    if draw < 0.4:
        (en, es), n = rng.choice(AGES), rng.randint(2, 99)
        return en.format(n=in_english(n)), es.format(n=in_spanish(n, "m"))
    (en, es), (thing, cosa, feminine) = rng.choice(COUNTED), rng.choice(THINGS)
    los = "las" if feminine else "los"
    if rng.random() < 0.15:
        return en.format(n=n % 1000, t=thing), es.format(n=n % 1000, t=cosa, los=los)
    return en.format(n=in_english(n), t=thing), es.format(n=in_spanish(n, "f" if feminine else "m"), t=cosa, los=los)


def _unit(rng: random.Random) -> tuple[str, str]:
    en, es = rng.choice(UNITS)
    n = rng.choice((rng.randint(2, 30), rng.randint(5, 300), rng.randint(1, 99)))
    if rng.random() < 0.3:
        part = rng.randint(1, 9)
        return en.format(n=f"{n}.{part}"), es.format(n=f"{n},{part}")
    return en.format(n=n), es.format(n=n)


def _ordinal(rng: random.Random) -> tuple[str, str]:
    draw = rng.random()
    if draw < 0.4:
        (en, es), (a, b, n) = rng.choice(ORDERED), rng.choice(ORDINALS)
        if es is None:
            return en.format(a=a), f"la {b.removesuffix('o')}a vez"
        return en.format(a=a), es.format(b=b, n=n)
    if draw < 0.7:
        (en, es), n = rng.choice(CENTURY), rng.randint(5, 21)
        return en.format(o=ordinal(n)), es.format(r=ROMAN[n - 1])
    en, es, most = rng.choice(KINGS)
    values = {"r": ROMAN[rng.randrange(most)], "y": rng.randint(1500, 2020)}
    return en.format(**values), es.format(**values)


def _date(rng: random.Random) -> tuple[str, str]:
    (en, es), (month, mes), (day, dia, dias) = rng.choice(DATED), rng.choice(MONTHS), rng.choice(DAYS)
    d = rng.randint(1, 28)
    values = {"M": month, "m": mes, "d": d, "o": ordinal(d), "y": rng.randint(1800, 2030), "D": day, "e": dia}
    return en.format(**values), es.format(es=dias, **values)


def _hour(rng: random.Random) -> tuple[str, str]:
    (en, es), n = rng.choice(HOURS), rng.randint(1, 12)
    words = ("una" if n == 1 else ES_SMALL[n]) if rng.random() < 0.8 else ""
    es = es.format(Son="Son", h=words or n)
    if n == 1:
        es = es.replace("Son las", "Es la").replace("a las", "a la")
    return en.format(n=EN_SMALL[n] if words else n), es


def _name(rng: random.Random) -> tuple[str, str]:
    forms, first = rng.choice(((TO_HIM, MEN), (TO_HER, WOMEN), (TO_ALL, WOMEN), (TO_ALL, WOMEN)))
    en, es = rng.choice(forms)
    values = {"a": rng.choice(first), "b": rng.choice(MEN), "s": rng.choice(SURNAMES)}
    return en.format(**values), es.format(**values)


MAKERS = (_number, _number, _unit, _ordinal, _date, _date, _hour, _name, _name)


def made(count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Return `count` generated (en, es) pairs, some of them twice."""
    return [rng.choice(MAKERS)(rng) for _ in range(count)]
