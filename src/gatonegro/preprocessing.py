"""Preprocessing of texts before tokenization, as some models need it.

A model trained on tweets whose mentions, links and emoji were replaced reads raw tweets badly, without an error.
`PREPROCESS` has the functions by name; `preprocessing_of` returns the name for a model. Every function here takes time
linear in the length of its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache

from gatonegro.checks import check_text, optional, short, whole
from gatonegro.errors import ConfigError, OptionError

# language → replacements of a mention, a link and "#" in the training data of RoBERTuito and BERTweet
TOKENS = {"es": ("@usuario", "url", "hashtag"), "en": ("@USER", "HTTPURL", "hashtag")}
LAUGHTER = {"es": "ja", "en": "ha"}

# The syntax of emoji in Unicode, not their list: a match without a name is left unchanged.
# https://unicode.org/reports/tr51/#EBNF_and_Regex
JOINER, STYLE, TONE = "\u200d", "[\ufe0e\ufe0f]", "[\U0001f3fb-\U0001f3ff]"
BASE = (
    "[\u203c\u2049\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
UNIT = f"{BASE}{STYLE}?{TONE}?{STYLE}?[\U000e0020-\U000e007f]*"  # the last are the letters in England's flag
EMOJI = re.compile(
    f"[#*0-9]\ufe0f?\u20e3|[©®™]\ufe0f|[\U0001f1e6-\U0001f1ff]{{2}}|{UNIT}(?:{JOINER}{UNIT})*"
)  # keycaps | signs that ask to be emoji | flags | all others, joined or alone
LONGEST = 16  # most characters of an emoji to look up (Unicode's longest has 10), so that others fill no cache
STYLES = dict.fromkeys(map(ord, "\ufe0e\ufe0f"))
TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))

# replacements of characters that RoBERTuito's tweets did not have
CHARACTERS: dict[int, str | None] = {
    **dict.fromkeys(map(ord, "~£¥©°´¶·º×ا–—‘’•…™●✓ー")),
    **dict.fromkeys(map(ord, "¨«»“”"), '"'),
    **dict.fromkeys(map(ord, "♡♥"), "\u2764\ufe0f"),
    ord("‼"): "!",
    ord("€"): "$",
    ord("☻"): "\U0001f603",
}
GAPS = re.compile(r"(?<=\w)[–—…•●]+(?=\w)")  # replaced by a space: "no…me" is two words
GENDER = re.compile(f"{JOINER}?[♀♂]{STYLE}?")

# Each alternative begins where no earlier match could have read the same characters, which keeps the scan linear.
# A country that is also a word (fin.no, verdad.es) makes a link only after www. or before a path.
LINK = re.compile(
    r"""
    (?<![\w.+-]) (?P<mail> [\w.+-]+ @ [\w-]+ (?:\.[\w-]+)+ )
    | (?P<url> (?i:https?)://\w URL*
        | (?<![\w@-])(?<!\w\.) (?i:www)\.[\w-]+ (?:\.[\w-]+)+ (?::\d+)? (?:[/?#]URL*)?
        | (?<![\w@-])(?<!\w\.) (?:[\w-]+\.)+ (?:
            (?:ac|au|ca|ch|co|com|edu|fr|gov|io|iq|jp|ly|net|nl|org|ru|sm|uk)(?![\w-]) (?::\d+)? (?:[/?#]URL*)?
            | (?:de|es|it|mil|no|se|us)/\w URL* ) )
    | (?P<user> @[A-Za-z0-9_]+ )
    | (?<!\w)\# (?P<tag> \w*[A-Za-z]\w* )
    """.replace("URL", r"[\w\-.~:/?\#\[\]@!$&'()*+,;=%]"),
    re.VERBOSE,
)
ENDINGS = ".,:;!?'*]"  # these end the sentence around a link, not the link
CAPITALS = re.compile("([A-ZÀ-ÖØ-Þ]+)")


def preprocess_tweet(
    text: str,
    lang: str = "es",
    *,
    user_token: str | None = None,
    url_token: str | None = None,
    hashtag_token: str | None = None,
    preprocess_handles: bool = True,
    preprocess_urls: bool = True,
    preprocess_hashtags: bool = True,
    char_replace: bool = True,
    demoji: bool = True,
    emoji_wrapper: str = "emoji",
    shorten: int | None = 3,
    normalize_laughter: bool = True,
) -> str:
    """Return a tweet as RoBERTuito (`lang="es"`) and the English models of its authors read it: mentions, links,
    hashtags and emoji in words, letters at most `shorten` times in a row, laughter in one form.

    >>> preprocess_tweet("@ana mira #UnDiaGenial 🤣 jajajajaja https://t.co/x")
    '@usuario mira hashtag un dia genial  emoji cara revolviéndose de la risa emoji  jaja url'

    Tokens that are None are the language's; with `hashtag_token=""` only the words of a hashtag remain. Two spaces stay
    two, since the tokenizer has a piece for the second. Behaves as `preprocess_tweet` of pysentimiento 0.7.3
    (https://github.com/pysentimiento/pysentimiento), with these differences, on purpose:

    - A mail address is kept; there, `ana@mail.com` becomes `ana@url`. A lone @ is no mention. A mention may have more
      than 15 letters; there, the rest of it remains.
    - A link is replaced to its end (port, query, fragment, brackets), at the beginning of a text too. Without
      `http://` or `www.`, `bien.no me gusta` and `hola.comida` are no links. A mention in a link is part of it.
    - `…`, `–`, `—`, `•` and `●` between two letters leave a space.
    - ❤ ☹ ☺ ☠ ✈ ⚰ ⛱ ⛹ 🕯 🛰 are named as all emoji are; there, they are removed. A plain ® is kept.
    - An emoji without a name in the language gets its English one; sequences that Unicode does not list are named
      part by part, without the joiners between them. ♀ and ♂ in a sequence are removed as there, with their joiner.
    - Text between two `|` is no emoji. Capitals with an accent begin a word of a hashtag. `shorten=1` works.

    Raises:
        OptionError: `lang` is neither "es" nor "en", or `shorten` is no whole number of at least 0, or None.
    """
    user, url, hashtag = (
        default if given is None else given
        for given, default in zip((user_token, url_token, hashtag_token), _tokens(lang), strict=True)
    )
    check_text(text)
    if not optional(whole(0, 10**6)).test(shorten):
        raise OptionError(
            f"shorten={short(shorten)}: give a whole number from 1 on, or None to keep all letters.",
            f"shorten={short(shorten)}: da un número entero desde 1, o None para no acortar.",
        )

    def link(found: re.Match[str]) -> str:
        kind, whole = found.lastgroup, found[0]
        if kind == "user" and preprocess_handles:
            return user
        if kind == "tag" and preprocess_hashtags:
            return (f"{hashtag} " if hashtag else "") + CAPITALS.sub(r" \1", found["tag"]).strip().lower()
        if kind == "url" and preprocess_urls:
            gap = " " if found.start() and found.string[found.start() - 1].isalnum() else ""
            return gap + url + whole[_end(whole) :]
        return whole

    if char_replace:
        text = GENDER.sub("", GAPS.sub(" ", text)).translate(CHARACTERS)
    text = LINK.sub(link, text)
    if shorten:
        text = re.sub(rf"(.)\1{{{shorten},}}", lambda run: run[1] * shorten, text)
    if demoji:
        edge = f" {emoji_wrapper} " if emoji_wrapper else " "
        text = EMOJI.sub(
            lambda m: "".join(f"{edge}{piece}{edge}" if named else piece for piece, named in _spell(m[0], lang)), text
        ).translate(STYLES)
    if normalize_laughter:
        ja = LAUGHTER[lang]  # a run of these two letters is laughter if "aj" is inside it, not only at its ends
        text = re.sub(f"[{ja}]{{5,}}", lambda run: ja * 2 if ja[::-1] in run[0][2:-1] else run[0], text)
    return text.strip()


def spell_emoji(text: str, known: Collection[str] = frozenset(), lang: str = "es") -> str:
    """Return a text with the names of its emoji, but for those in `known` (a tokenizer's, see `known_emoji`).

    >>> spell_emoji("Qué asco🤮🤮, ¡no! 👍🏽", known={"👍"})
    'Qué asco cara vomitando cara vomitando , ¡no! 👍'

    Names are separated by single spaces. Skin tones are dropped; an emoji that is known without its tone is kept
    without it. If nothing changes, the same object is returned.

    Raises:
        OptionError: `lang` is neither "es" nor "en".
    """
    _tokens(lang)
    check_text(text)
    if not EMOJI.search(text):  # most texts; saves importing the names
        return text
    pieces, end = [], 0
    for found in EMOJI.finditer(text):
        pieces += [(text[end : found.start()], False), *_spell(found[0], lang, known, tones=False)]
        end = found.end()
    out: list[str] = []
    after_name = False
    for piece, named in [*pieces, (text[end:], False)]:
        if piece:
            if out and (named or after_name) and not (out[-1][-1].isspace() or piece[0].isspace()):
                out.append(" ")
            out.append(piece)
            after_name = named
    spelled = "".join(out)
    return text if spelled == text else spelled


def known_emoji(vocabulary: Iterable[str]) -> frozenset[str]:
    """Return the emoji among a tokenizer's pieces, without the marks of pieces (▁, Ġ, ##, </w>)."""
    bare = {piece.removeprefix("##").removesuffix("</w>").strip("▁Ġ") for piece in vocabulary}
    return frozenset(piece for piece in bare if EMOJI.fullmatch(piece) and _name(piece, "en"))


PREPROCESS: dict[str, Callable[..., str]] = {"robertuito": preprocess_tweet, "spell-emoji": spell_emoji}
KEY = "gatonegro_preprocess"  # in config.json
# models of RoBERTuito's authors trained on the same tweets, whose names do not show it
ON_TWEETS = ("finiteautomata/beto-sentiment-analysis", "finiteautomata/beto-emotion-analysis")


def preprocessing_of(name_or_path: str, config_value: object = None) -> str | None:
    """Return the name in `PREPROCESS` for a model, by its config, else by its name; None if it needs none.

    Raises:
        ConfigError: the config has an unknown name.
    """
    if config_value is None:
        tweets = "robertuito" in name_or_path.lower() or name_or_path in ON_TWEETS
        return "robertuito" if tweets else None
    if isinstance(config_value, str) and config_value in PREPROCESS:
        return config_value
    known = ", ".join(PREPROCESS)
    raise ConfigError(
        f"{name_or_path}: its config asks for the preprocessing {short(config_value)}, and there is none of that "
        f"name. Without it the model would read texts in a form that it never saw. Known are {known}: correct "
        f"config.json, or remove {KEY} if the model reads plain text.",
        f"{name_or_path}: su configuración pide la preparación {short(config_value)}, y no hay ninguna que se llame "
        f"así. Sus textos llegarían al modelo en una forma que no ha visto. Hay {known}: corrige config.json, o "
        f"quita {KEY} si el modelo lee texto sin preparar.",
    )


def _tokens(lang: str) -> tuple[str, str, str]:
    if not isinstance(lang, str) or lang not in TOKENS:
        known = ", ".join(TOKENS)
        raise OptionError(
            f"lang={short(lang)}: only the names and tokens of {known} are known. Pass one of these.",
            f"lang={short(lang)}: solo se conocen los nombres y tokens de {known}. Pasa uno de estos.",
        )
    return TOKENS[lang]


def _end(url: str) -> int:
    """Return the length of a link without the punctuation at its end and a bracket that it did not open."""
    end, closing = len(url), url.count(")") - url.count("(")
    while url[end - 1] in ENDINGS or (url[end - 1] == ")" and closing > 0):
        closing -= url[end - 1] == ")"
        end -= 1
    return end


def _spell(
    chars: str, lang: str, known: Collection[str] = frozenset(), *, tones: bool = True
) -> list[tuple[str, bool]]:
    """Return the text of a match of `EMOJI` in pieces, with whether each is a name."""
    if known:
        plain = chars.translate(TONES | STYLES)
        for form in (chars, plain, plain + "\ufe0f"):
            if form in known:
                return [(form, False)]
    name = (None if tones else _name(chars.translate(TONES), lang)) or _name(chars, lang)
    if name:
        return [(name, True)]
    if JOINER in chars:
        return [piece for part in chars.split(JOINER) for piece in _spell(part, lang, known, tones=tones)]
    return [(chars, False)]


def _name(chars: str, lang: str) -> str | None:
    return _looked_up(chars, lang) if len(chars) <= LONGEST else None


@lru_cache(maxsize=8192)
def _looked_up(chars: str, lang: str) -> str | None:
    import emoji  # here, since it takes 0.1 s, and only texts with emoji need it

    for form in (chars, chars.translate(STYLES)):
        if emoji.is_emoji(form):
            for language in (lang, "en"):  # the newest emoji have only English names
                name = emoji.demojize(form, delimiters=("", ""), language=language)
                if name != form:
                    return name.replace("_", " ")
    return None
