"""Markup in texts for translation: its marks are taken out of the sentences, and put back into the translation.

Blocks and inline marks of Markdown are found by markdown-it-py. Tags are found by a pattern: html.parser reads more
than tags, "a < b" among it, and gives no end of what it read. In doubt, a character is text.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice, pairwise
from operator import itemgetter
from string import punctuation, whitespace
from typing import TYPE_CHECKING, Any

from gatonegro.documents.edits import EditedText, disjoint, edit
from gatonegro.documents.items import CODE_TAG_PATTERN, PROTECTED, TAG_PATTERN
from gatonegro.documents.sentences import Segment

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# Functions import markdown_it themselves: that takes time, and most texts have no markup.

Span = tuple[int, int]
Pair = tuple[int, int, int, int]  # start and end of an opening mark, start and end of its closing mark

VERBATIM = re.compile(r"<(?:!--|(code|kbd|math|pre|samp|script|style|svg|textarea|tt)\b[^<>]*>)", re.IGNORECASE)
# YAML between rules at the beginning of a document; its first line is a key or a comment
FRONT_MATTER = re.compile(
    r"---[ \t]*\r?\n(?:#[^\n]*\n)*[^\W\d][\w-]*:(?!\S)[^\n]*\n"
    r"(?:(?:[^\W\d][\w-]*:(?!\S)|[ \t]+\S|-[ \t]|[#\]}])[^\n]*\n|[ \t]*\r?\n)*(?:---|\.{3})[ \t]*(?:\r?\n|$)"
)
TAG, CODE = re.compile(TAG_PATTERN), re.compile(rf"{CODE_TAG_PATTERN}|{TAG_PATTERN}")
TAG_NAME, NOT_SPACE = re.compile(r"</?(\w[\w-]*)"), re.compile(r"\S")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
BLOCK_HINT = re.compile(r"```|~~~|\||\]:|^(?: {4}|\t)", re.MULTILINE)
INLINE_HINT = re.compile(r"[*_~\[<]")
NEW_BLOCK = re.compile(r"\s*(?:[-*+>#]|\d+[.)]|$)")
# an indented line is code only if it looks like code
CODE_HINT = re.compile(r"[={};\\$]|\w\(|^[ \t]*(?:cd|def|from|git|import|npm|pip|return|sudo) ", re.MULTILINE)
MARKDOWN_HINT = re.compile(r"^(?:#{1,6} |```|~~~)|\]\(|\*\*\w", re.MULTILINE)
LINE_START = re.compile(r"[ \t>]*")
# prose without a final stop; two spaces at its end are a line break of Markdown's
WRAPPED = re.compile(r"([^\s#|][^\r\n|]{18,}(?:[\w,)*_~»”’]|</\w{1,9}>)) ?[\r\n]")
ROW = re.compile(r"[^\S\r\n]*\|[^\r\n|]*\|(?:[^\r\n|]*\|)+\s*$")  # | a | b |
# [text][1], defined in another text
REFERENCE = re.compile(r"(?<!\\)\[((?=[^\[\]]*[^\W\d_])[^\[\]\r\n]+)\]\[[^\[\]\r\n]*\]")
BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Mark:
    """A stretch of a text that marks surround, as in **bold**, or that is in capitals, or a space for a line break."""

    start: int
    end: int
    opening: str = ""
    closing: str = ""
    upper: bool = False
    is_break: bool = False  # the space stands for `opening`, a line break within a sentence


def split_markup(text: str) -> tuple[list[Segment], list[Mark]]:
    """Split a document into prose without its marks and what is to copy, such as code, and return its marks apart.

    >>> split_markup("Un **gato**.")[0][0].text, split_markup("Un **gato**.")[1][0].start
    ('Un gato.', 3)

    Returns:
        Segments, with `translate` for prose, and marks with positions in the joined texts of the segments. The marks,
        put back by `insert_marks`, make the document again.
    """
    copied, pairs, breaks = _find_markup(text)
    edits = [(*span, "copied") for span in copied] + [(*span, "break") for span in breaks]
    edits += [(*mark, "mark") for a, b, c, d in pairs for mark in ((a, b), (c, d))]
    segments: list[Segment] = []
    shifts: dict[int, int] = {}  # start or end of a mark in the text → position without the marks
    prose, at, length = "", 0, 0
    for start, end, kind in sorted(edits):
        prose += text[at:start]
        length += start - at
        shifts |= {start: length, end: length}
        if kind == "copied":
            segments += [Segment(prose, True), Segment(text[start:end], False)]
            prose, length = "", length + end - start
        elif kind == "break":
            prose, length = prose + " ", length + 1
        at = end
    segments += [Segment(prose + text[at:], True)]
    marks = [Mark(shifts[b], shifts[c], text[a:b], text[c:d]) for a, b, c, d in sorted(pairs)]
    marks += [Mark(shifts[a], shifts[a] + 1, text[a:b], is_break=True) for a, b in breaks]
    return [segment for segment in segments if segment.text], marks


def cut_marks(marks: Sequence[Mark], start: int, end: int) -> list[Mark]:
    """Return the marks of a part of a text. A mark that goes on beyond the part lacks its opening or closing there."""
    return [
        replace(
            mark,
            start=max(mark.start, start) - start,
            end=min(mark.end, end) - start,
            opening=mark.opening if mark.start >= start else "",
            closing=mark.closing if mark.end <= end else "",
        )
        for mark in marks
        if mark.start < end and mark.end > start
    ]


def insert_marks(text: str, marks: Sequence[Mark]) -> EditedText:
    """Put marks, outer ones first, into a text."""
    for mark in marks:
        if mark.upper:
            text = text[: mark.start] + _raise_words(text[mark.start : mark.end]) + text[mark.end :]
    edits: list[tuple[int, int, str]] = []
    around: list[Mark] = []  # marks that are open
    pairs = (mark for mark in marks if not (mark.upper or mark.is_break))
    for mark in sorted(pairs, key=lambda mark: (mark.start, -mark.end)):
        while around and around[-1].end <= mark.start and not (mark.start == mark.end == around[-1].end):
            edits.append((around[-1].end, around[-1].end, around.pop().closing))
        edits.append((mark.start, mark.start, mark.opening))
        around.append(mark)
    edits += [(mark.end, mark.end, mark.closing) for mark in reversed(around)]
    return edit(text, edits + [(mark.start, mark.end, mark.opening) for mark in marks if mark.is_break])


def _raise_words(text: str) -> str:
    """Return a text in capitals but for its links, placeholders, tags and other items."""
    ends = [0, *(end for item in PROTECTED.finditer(text) for end in item.span()), len(text)]
    stretches = [text[start:end] for start, end in pairwise(ends)]
    return "".join(stretch if n % 2 else upper(stretch) for n, stretch in enumerate(stretches))


def upper(text: str) -> str:
    """Return a text in capitals of the same length: letters without a single capital, such as ß, stay."""
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in text)


def _find_markup(text: str) -> tuple[list[Span], list[Pair], list[Span]]:
    """Return the spans of a document to copy, such as code, the pairs of marks, and the line breaks in sentences."""
    environment: dict[str, Any] = {}
    copied = disjoint([*_verbatim(text), *(_blocks(text, environment) if BLOCK_HINT.search(text) else ())])
    pairs, between = [], []
    for start, end in _paragraphs(text, copied) if INLINE_HINT.search(text) else ():
        if INLINE_HINT.search(text, start, end):
            found, apart = _inline(text[start:end], environment)
            pairs += [(start + a, start + b, start + c, start + d) for a, b, c, d in found]
            between += [(start + a, start + b) for a, b in apart]
    copied = disjoint([*copied, *between])
    taken = disjoint([*copied, *(mark for a, b, c, d in pairs for mark in ((a, b), (c, d)))])
    line_breaks = [(a, b) for a, b in _line_breaks(text) if not (_is_inside(a, taken) or _is_inside(b - 1, taken))]
    return copied, pairs, [(a, b) for a, b in line_breaks if not _is_inside(a - 1, copied)]


def _line_breaks(text: str) -> Iterator[Span]:
    """Yield the line breaks within sentences: between a line of prose without a final stop and one in lower case.

    Lines of which the first is in lower case too, as in code, stay apart.
    """
    is_sentence = False
    for line, following in pairwise(LINE.finditer(text)):
        start, next_start = (LINE_START.match(text, found.start()).end() for found in (line, following))  # type: ignore
        end = WRAPPED.match(text, start, line.end())
        is_sentence = bool(
            end
            and (is_sentence or not text[start].islower())
            and text[next_start : next_start + 1].islower()
            and text.count(">", line.start(), start) == text.count(">", following.start(), next_start)
        )
        if end and is_sentence:
            yield end.end(1), next_start


def _verbatim(text: str) -> Iterator[Span]:
    """Yield the spans of front matter, of scripts, styles and the like, and of comments over several lines."""
    last = 0
    if front := FRONT_MATTER.match(text):
        last = front.end()
        yield front.span()
    missing: set[str] = set()  # closing tags that do not come any more
    for match in VERBATIM.finditer(text):
        closing = f"</{match[1]}>" if match[1] else "-->"
        if match.start() < last:
            continue
        at = -1 if closing in missing else text.find(closing, match.end())
        if at < 0:
            missing.add(closing)
            if not (match[1] or TAG.match(text, match.start())):
                yield match.span()  # a comment without an end: what follows may be text
        else:
            last = at + len(closing)
            if not CODE.fullmatch(text, match.start(), last):  # else an item within a sentence
                yield match.start(), last


def _blocks(text: str, environment: dict[str, Any]) -> Iterator[Span]:
    """Yield the spans of Markdown's code blocks, definitions of links, and bars and rules of tables."""
    lines = [match.span() for match in LINE.finditer(text)]
    is_markdown = MARKDOWN_HINT.search(text) is not None
    rows = {n for n, line in enumerate(lines) if ROW.match(text, *line)}
    for token in _block_parser().parse(text, environment):
        if token.map is None:
            continue
        first, last = token.map[0], min(token.map[1], len(lines)) - 1
        start, end = lines[first][0], lines[last][1]
        if token.type == "fence":
            if first < last and text[slice(*lines[last])].strip(" \t>\r\n").startswith(token.markup):
                yield start, end
        elif token.type == "code_block":
            if is_markdown and CODE_HINT.search(text, start, end) and not NEW_BLOCK.match(text, start, end):
                yield start, end
        elif token.type == "table_open":
            yield lines[first + 1]
        elif token.type == "tr_open":
            rows.add(first)
    for row in rows:
        yield from (match.span() for match in BAR.finditer(text, *lines[row]))
    for definition in environment.get("references", {}).values():
        first, last = definition["map"]
        yield lines[first][0], lines[last - 1][1]


def last_block(text: str) -> int:
    """Return where the last block of a document begins, such as a paragraph, a list or a code block without its end."""
    starts = [0, *(token.map[0] for token in _block_parser().parse(text) if token.map and not token.level)]
    return next(islice(LINE.finditer(text), starts[-1], None)).start() if text else 0


def _paragraphs(text: str, copied: Sequence[Span]) -> Iterator[Span]:
    """Yield the spans of a document in which pairs of marks are looked for: paragraphs, items of lists, cells."""
    lines = (match.start() for match in LINE.finditer(text) if NEW_BLOCK.match(text, *match.span()))
    cuts = sorted({0, len(text), *lines, *(at for span in copied for at in span)})
    for start, end in pairwise(cuts):
        if not _is_inside(start, copied):
            yield start, end


def _is_inside(position: int, spans: Sequence[Span]) -> bool:
    """Return True if one of several spans, which are in order and disjoint, contains a position."""
    before = bisect(spans, position, key=itemgetter(0)) - 1
    return before >= 0 and position < spans[before][1]


def _inline(text: str, environment: dict[str, Any]) -> tuple[list[Pair], list[Span]]:
    """Return the pairs of marks in a paragraph, and the spans between its sentences, such as an image's brackets."""
    pairs: list[Pair] = []
    breaks: list[Span] = []
    skipped: list[Span] = []  # code, and targets of links, where no tag is a tag
    tokens: list[Token] = []
    parser = _inline_parser()
    parser.inline.parse(text, parser, {**environment, "found": (pairs, breaks, skipped)}, tokens)
    open_: list[Span] = []
    items = [(match.start() + 1, match.end()) for match in PROTECTED.finditer(text)]
    for token in tokens:
        at = token.meta.get("at")
        if at is None:
            continue
        width = len(token.markup)
        if token.nesting == 1:  # the second star of a pair opens, the first one closes
            open_.append((at + 1 - width, at + 1) if token.tag == "strong" else (at, at + width))
        elif token.nesting == -1 and open_:
            start, end = open_.pop()
            has_text = text[end:at].strip(punctuation + whitespace)
            if has_text and not (_is_inside(start, items) or _is_inside(at, items)):  # as in https://a.es/_b_
                pairs.append((start, end, at, at + width))
    others = disjoint([*skipped, *items])
    links = [(*link.span(), *link.span(1)) for link in REFERENCE.finditer(text)]
    pairs += [(a, b, c, d) for a, d, b, c in links if not (_is_inside(a, others) or _is_inside(c, others))]
    # in "2*3*4" or "a[i](x)", the marks are text
    edges = f" {text} "
    pairs = [p for p in pairs if not (edges[p[0]].isalnum() or edges[p[3] + 1].isalnum())]
    code = [match.span() for match in CODE.finditer(text) if not TAG.fullmatch(match[0])]
    skipped = disjoint([*skipped, *code])
    tags = [(named[1].lower(), tag) for tag in TAG.finditer(text) if (named := TAG_NAME.match(tag[0]))]
    tags = [(name, tag) for name, tag in tags if not _is_inside(tag.start(), skipped)]
    breaks += [tag.span() for name, tag in tags if name in _break_tags()]
    inline = [(name, tag) for name, tag in tags if name not in _break_tags() and not tag[0].endswith("/>")]
    pairs += [p for p in _tag_pairs(inline) if not (_is_in_word(text, p[0], p[1]) or _is_in_word(text, p[2], p[3]))]
    return list(_nested(p for p in pairs if NOT_SPACE.search(text, p[1], p[2]))), breaks


def _tag_pairs(tags: Iterable[tuple[str, re.Match[str]]]) -> Iterator[Pair]:
    open_: dict[str, list[Span]] = {}
    for name, tag in tags:
        if tag[0][1] != "/":
            open_.setdefault(name, []).append(tag.span())
        elif open_.get(name):
            yield (*open_[name].pop(), *tag.span())


def _is_in_word(text: str, start: int, end: int) -> bool:
    return text[max(0, start - 1) : start].isalnum() and text[end : end + 1].isalnum()


def _nested(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield pairs of marks, outer ones first, without those that overlap an earlier one and do not lie inside it."""
    around: list[Pair] = []
    for pair in sorted(pairs):
        while around and around[-1][3] <= pair[0]:
            around.pop()
        if not around or (around[-1][1] <= pair[0] and pair[3] <= around[-1][2]):
            around.append(pair)
            yield pair


@cache
def _break_tags() -> frozenset[str]:
    """Return the names of tags that stand between sentences; <link> does not, since placeholders have its name."""
    from markdown_it.common.html_blocks import block_names

    return frozenset((*block_names, "br")) - {"link"}


@cache
def _block_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table").disable("inline")


@cache
def _inline_parser() -> MarkdownIt:
    """Return a parser whose rules tell where they found something: markdown-it-py keeps no positions within a line."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("strikethrough")
    for rule, name in zip(parser.inline.ruler.getRules(""), parser.get_active_rules()["inline"], strict=True):
        if name in ("autolink", "backticks", "emphasis", "image", "link", "strikethrough"):
            parser.inline.ruler.at(name, partial(_locate, rule, name))
    return parser


def _locate(rule: Callable[[StateInline, bool], bool], name: str, state: StateInline, silent: bool) -> bool:
    """Apply a rule of the inline parser, and record the place of what it finds."""
    found = pairs, breaks, skipped = state.env["found"]
    if name == "image":
        state.env["found"] = ([], [], [])  # its label is parsed by itself
    start, count = state.pos, len(state.tokens)
    is_found = rule(state, silent)
    state.env["found"] = found
    if not is_found or silent:
        return is_found
    end, new = state.pos, state.tokens[count:]
    if name in ("emphasis", "strikethrough"):  # a token for each mark, behind the text before them
        width = 1 if name == "emphasis" else 2
        for i, token in enumerate(reversed(new), 1):
            token.meta["at"] = end - i * width
    elif name in ("autolink", "backticks"):
        skipped.append((start, end))
    else:
        label = start + (2 if name == "image" else 1)
        label_end = state.md.helpers.parseLinkLabel(state, label - 1, name == "link")
        skipped.append((label_end, end))
        if name == "link":
            pairs.append((start, label, label_end, end))
        else:
            breaks += [(start, label), (label_end, end)]
    return True
