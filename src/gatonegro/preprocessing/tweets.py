"""Normalization of mentions, links, hashtags, emoji and laughter in tweets, as the model RoBERTuito expects."""

from __future__ import annotations

import re

from gatonegro.checks import check_text, optional, short_repr, whole
from gatonegro.errors import OptionError
from gatonegro.preprocessing.emoji import EMOJI, EMOJI_STYLES, JOINER, MESSAGES, STYLE, check_language, spell_match

# language → replacements of a mention, a link and "#" in the training data of RoBERTuito and BERTweet
REPLACEMENTS = {"es": ("@usuario", "url", "hashtag"), "en": ("@USER", "HTTPURL", "hashtag")}
LAUGHTER = {"es": "ja", "en": "ha"}

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
        | (?<![\w@-])(?<![\w-]\.) (?i:www)\.[\w-]+ (?:\.[\w-]+)+ (?::\d+)? (?:[/?#]URL*)?
        | (?<![\w@-])(?<![\w-]\.) (?:[\w-]+\.)+ (?:
            (?:ac|au|ca|ch|co|com|edu|fr|gov|io|iq|jp|ly|net|nl|org|ru|sm|uk)(?![\w-]) (?::\d+)? (?:[/?#]URL*)?
            | (?:de|es|it|mil|no|se|us)/\w URL* ) )
    | (?P<user> @[A-Za-z0-9_]+ )
    | (?<!\w)\# (?P<tag> \w*[A-Za-z]\w* )
    """.replace("URL", r"[\w\-.~:/?\#\[\]@!$&'()*+,;=%]"),
    re.VERBOSE,
)
SENTENCE_ENDS = ".,:;!?'*]"  # these end the sentence around a link, not the link
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
    """Normalize a tweet as RoBERTuito (`lang="es"`) or its authors' English models (`lang="en"`) expect it.

    Mentions, links, hashtags and emoji become words, letters repeat at most `shorten` times, laughter has one form.

    >>> preprocess_tweet("@ana mira #UnDiaGenial 🤣 jajajajaja https://t.co/x")
    '@usuario mira hashtag un dia genial  emoji cara revolviéndose de la risa emoji  jaja url'

    A token that is None is the language's; with `hashtag_token=""` only the words of a hashtag remain. Two spaces stay
    two, since the tokenizer has a piece for the second. The differences from `preprocess_tweet` of pysentimiento 0.7.3
    (https://github.com/pysentimiento/pysentimiento) are on purpose:

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
    check_language(lang)
    user, url, hashtag = (
        default if token is None else token
        for token, default in zip((user_token, url_token, hashtag_token), REPLACEMENTS[lang], strict=True)
    )
    check_text(text)
    if not optional(whole(0, 10**6)).test(shorten):
        raise OptionError(*MESSAGES["shorten"].format(shorten=short_repr(shorten)))

    def replace(match: re.Match[str]) -> str:
        kind, chars = match.lastgroup, match[0]
        if kind == "user" and preprocess_handles:
            return user
        if kind == "tag" and preprocess_hashtags:
            return (f"{hashtag} " if hashtag else "") + CAPITALS.sub(r" \1", match["tag"]).strip().lower()
        if kind == "url" and preprocess_urls:
            gap = " " if match.start() and match.string[match.start() - 1].isalnum() else ""
            return gap + url + chars[_link_length(chars) :]
        return chars

    if char_replace:
        text = GENDER.sub("", GAPS.sub(" ", text)).translate(CHARACTERS)
    text = LINK.sub(replace, text)
    if shorten:
        text = re.sub(rf"(.)\1{{{shorten},}}", lambda run: run[1] * shorten, text)
    if demoji:
        edge = f" {emoji_wrapper} " if emoji_wrapper else " "
        text = EMOJI.sub(
            lambda m: "".join(f"{edge}{word}{edge}" if is_name else word for word, is_name in spell_match(m[0], lang)),
            text,
        ).translate(EMOJI_STYLES)
    if normalize_laughter:
        ja = LAUGHTER[lang]  # a run of these two letters is laughter if "aj" is inside it, not only at its ends
        text = re.sub(f"[{ja}]{{5,}}", lambda run: ja * 2 if ja[::-1] in run[0][2:-1] else run[0], text)
    return text.strip()


def _link_length(url: str) -> int:
    """Return the length of a link without final punctuation and without unmatched closing brackets."""
    end, closing = len(url), url.count(")") - url.count("(")
    while url[end - 1] in SENTENCE_ENDS or (url[end - 1] == ")" and closing > 0):
        closing -= url[end - 1] == ")"
        end -= 1
    return end
