"""Replacement of emoji in texts by their names in Spanish or English."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

from gatonegro.checks import check_text, short_repr
from gatonegro.errors import OptionError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
NAME_LANGUAGES = ("es", "en")  # of the names
# The syntax of emoji in Unicode, not their list: a match without a name stays unchanged.
# https://unicode.org/reports/tr51/#EBNF_and_Regex
JOINER, STYLE, TONE = "\u200d", "[\ufe0e\ufe0f]", "[\U0001f3fb-\U0001f3ff]"
EMOJI_BASE = (
    "[\u203c\u2049\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
EMOJI_UNIT = f"{EMOJI_BASE}{STYLE}?{TONE}?{STYLE}?[\U000e0020-\U000e007f]*"  # the last: letters in England's flag
EMOJI = re.compile(
    f"[#*0-9]\ufe0f?\u20e3|[©®™]\ufe0f|[\U0001f1e6-\U0001f1ff]{{2}}|{EMOJI_UNIT}(?:{JOINER}{EMOJI_UNIT})*"
)  # keycaps | signs that ask to be emoji | flags | all others, joined or alone
MAX_EMOJI_CHARS = 16  # longest sequence to look up (Unicode's longest has 10), so that others fill no cache
EMOJI_STYLES = dict.fromkeys(map(ord, "\ufe0e\ufe0f"))  # for `str.translate`, as `EMOJI_TONES`
EMOJI_TONES = dict.fromkeys(range(0x1F3FB, 0x1F400))


def spell_emoji(text: str, known: Collection[str] = frozenset(), lang: str = "es") -> str:
    """Replace emoji in a text by their Spanish or English names, except those in the set `known`.

    >>> spell_emoji("Qué asco🤮🤮, ¡no! 👍🏽", known={"👍"})
    'Qué asco cara vomitando cara vomitando , ¡no! 👍'

    Names are separated by single spaces. Skin tones are dropped; an emoji that is known without its tone is kept
    without it. If nothing changes, the same object is returned. `known_emoji` returns a tokenizer's emoji.

    Raises:
        OptionError: `lang` is neither "es" nor "en".
    """
    check_language(lang)
    check_text(text)
    if not EMOJI.search(text):  # most texts; saves importing the names
        return text
    pieces, end = [], 0
    for match in EMOJI.finditer(text):
        pieces += [(text[end : match.start()], False), *spell_match(match[0], lang, known, tones=False)]
        end = match.end()
    out: list[str] = []
    after_name = False
    for piece, is_name in [*pieces, (text[end:], False)]:
        if piece:
            if out and (is_name or after_name) and not (out[-1][-1].isspace() or piece[0].isspace()):
                out.append(" ")
            out.append(piece)
            after_name = is_name
    spelled = "".join(out)
    return text if spelled == text else spelled


def known_emoji(vocabulary: Iterable[str]) -> frozenset[str]:
    """Return the emoji in a tokenizer's vocabulary, stripped of subword markers such as ▁, Ġ and ##."""
    bare = {piece.removeprefix("##").removesuffix("</w>").strip("▁Ġ") for piece in vocabulary}
    return frozenset(piece for piece in bare if EMOJI.fullmatch(piece) and _name(piece, "en"))


def check_language(lang: str) -> None:
    """Raise OptionError unless the language of emoji names or tweets is "es" or "en"."""
    if not isinstance(lang, str) or lang not in NAME_LANGUAGES:
        raise OptionError(*MESSAGES["lang"].format(lang=short_repr(lang), known=", ".join(NAME_LANGUAGES)))


def spell_match(
    chars: str, lang: str, known: Collection[str] = frozenset(), *, tones: bool = True
) -> list[tuple[str, bool]]:
    """Return the name that replaces an emoji, or the emoji's characters unchanged, as a list of pieces."""
    if known:
        plain = chars.translate(EMOJI_TONES | EMOJI_STYLES)
        for form in (chars, plain, plain + "\ufe0f"):
            if form in known:
                return [(form, False)]
    name = (None if tones else _name(chars.translate(EMOJI_TONES), lang)) or _name(chars, lang)
    if name:
        return [(name, True)]
    if JOINER in chars:
        return [piece for part in chars.split(JOINER) for piece in spell_match(part, lang, known, tones=tones)]
    return [(chars, False)]


def _name(chars: str, lang: str) -> str | None:
    """Return the name of an emoji in a language, or None if it has no name."""
    return _look_up(chars, lang) if len(chars) <= MAX_EMOJI_CHARS else None


@lru_cache(maxsize=8192)
def _look_up(chars: str, lang: str) -> str | None:
    import emoji  # takes 0.1 s, and only texts with emoji need it

    for form in (chars, chars.translate(EMOJI_STYLES)):
        if emoji.is_emoji(form):
            for language in (lang, "en"):  # the newest emoji have only English names
                name = emoji.demojize(form, delimiters=("", ""), language=language)
                if name != form:
                    return name.replace("_", " ")
    return None
