"""Model cards and texts of many kinds."""

from __future__ import annotations

from random import Random

from fuzzing.damage import damage_bytes

YAML = [
    "5", "no", "es", "[es, en]", "[[[[", "{", "- a", "'", '"', "|", "!!int ''", "!!timestamp x", "!!binary x",
    "&a [*a]", "*a", "!!python/object:os.system x", "1: 2", "? x", "~", "2024-01-01", "!!set {a, b}", "es\tb", "null",
    "@", "`", "é", "\0", "[1, 2]", "{a: b}", "!!float x", "0x", "1e400", "<<: *x", "<<: 3", "!!omap [1]", "en-US", "%",
]  # fmt: skip


def card(r: Random) -> bytes:
    """Make a model card, whose front matter is random YAML."""
    keys = ["language", "languages", "tags", "license", "model-index", "datasets", "metrics", "eval_results", "x", "1"]
    lines = []
    for _ in range(r.choice([1, 1, 1, 2, 2, 4])):
        key = "language" if r.random() < 0.4 else r.choice(keys)
        lines.append(f"{key}: {r.choice(YAML)}" if r.random() < 0.9 else r.choice(YAML))
        for _ in range(r.choice([0, 0, 0, 0, 1, 3])):
            lines += [r.choice(["- ", "  - ", "    ", "  x: "]) + r.choice(YAML)]
    if r.random() < 0.05:
        lines.append("language: " + r.choice(["[", "{a: ", "- "]) * r.choice([10, 1000, 20_000]))
    text = (
        r.choice(["", "---\n"] * 1 + ["---\n"] * 8)
        + "\n".join(lines)
        + r.choice(["\n---\n", "\n---\n", "", "\n--"])
        + "# x"
    )
    data = text.encode(errors="surrogatepass")
    return damage_bytes(r, data) if r.random() < 0.2 else data


ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz     ", "ABCDEFG HIJKLMNÑOPQRSTUVWXYZ  ", "áéíóúüñ¿¡ aeiou.,", "0123456789.,:-/ %€$ ",
    "!?.…()[]{}<>«»\"'`*_#@~|\\/&%$ ", " \t\n\r\v\f\x1c\x85\u2028\u00a0\u200b\u200d\ufeff", "🐈😂👍🏽🇪🇸👩‍👩‍👧❤️1️⃣ a",
    "中文日本語한국어 ।॥ عربى עברית", "\x00\x01\x7f\x80\xad\u0300\u0301\u202e\ufffd\U0010ffff\ud800a",
]  # fmt: skip
FRAGMENTS = [
    *("El gato negro duerme. ", "¿Qué tal? ", "¡No! ", "The cat sleeps. ", "https://a.es/b?c=d ", "@ana ", "#UnDía "),
    *("<b>hola</b> ", "{x} ", "%s ", "1.000,50 € ", "3 p. m. ", "EE. UU. ", "jajajaja ", "s. XV ", "&amp; ", "`code` "),
    *("a@b.com ", "www.a.com ", "[MASK] ", "<s> ", "</s> ", "<pad> ", ">>es<< ", "\n\n", "- ", "1. ", " 2.º "),
    *(
        "doce ",
        "mil dos ",
        "a hundred and ",
        "1.111.111.",
        "2 l ",
        "3,5 % ",
        "+34 91 555 12 34 ",
        "1 000 ",
        "VI ",
        "siglo XX ",
    ),
    *(
        "EL GATO NEGRO ",
        "LA {x} DE ",
        "**",
        "_",
        "~~",
        "[a](b) ",
        "![a](b) ",
        "<i>",
        "</i>",
        "<p>\n\t",
        "|a|b|\n",
        "```\n",
    ),
    *('"Sí" ', "— dijo — ", "😂😂 ", "(c) ", "http:// ", "ñandú ", "<extra_id_0> ", " ", "\u0301"),
]


def text(r: Random) -> str:
    """Make a text of words, signs and characters of many kinds; some are long."""
    parts: list[str] = []
    length = r.choice([0, 1, 5, 20, 60, 60, 200])
    if r.random() < 0.003:
        length = 5000
    while sum(map(len, parts)) < length:
        kind = r.randrange(3)
        if kind == 0:
            parts.append(r.choice(FRAGMENTS))
        elif kind == 1:
            parts.append("".join(r.choices(r.choice(ALPHABETS), k=r.randrange(1, 9))))
        else:
            parts.append(r.choice(FRAGMENTS) * r.choice([1, 1, 1, 2, 20]))
    if r.random() < 0.01:
        parts.insert(r.randrange(len(parts) + 1), r.choice("1920") * r.choice([29, 300, 5000]))
    made = "".join(parts)
    return made if r.random() < 0.2 else made.encode(errors="ignore").decode()
