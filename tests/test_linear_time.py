"""Tests that no regular expression of the package, and no function that reads texts, takes more than linear time."""

import ast
import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gatonegro
from gatonegro import AutoTokenizer, diagnose, pipeline
from gatonegro.cli.input import ENCODING_STARTS, find_columns
from gatonegro.compat.border import refusal
from gatonegro.documents import (
    Direction,
    last_block,
    lost_items,
    lower_capitals,
    preserves_items,
    protected_items,
    remove_invisible,
    split_at_items,
    split_markup,
    split_sentences,
)
from gatonegro.documents.items import find_numbers
from gatonegro.documents.localization import EXPANSION_DATA, expansions
from gatonegro.glassbox.attribution import group_tokens
from gatonegro.language import Languages, detect_language, match_language
from gatonegro.language.matching import is_long_enough
from gatonegro.preprocessing import preprocess_tweet, spell_emoji
from gatonegro.tasks.doubt import sentence_doubts

SOURCE = Path(gatonegro.__file__).parent
ENOUGH = 0.01  # seconds, below which no growth is measured; a quadratic scan of 2**13 characters takes more
# what patterns look for, and texts of nothing else but one of them
PUMPS = [
    *("a", "A", "ñ", "1", " ", "\n", "\t", "_", "-", ".", ",", ":", "/", "@", "#", "&", "<", "(", "[", "{", "`", "'",
    '"'),
    *("%", "$", "€", "*", "!", "?", "…", ">", "]", "|", "+", "😂", "\u200d", "\ufe0f", "😂\u200d", "🇪", "\u0301", "文",
    "。"),
    *("a ", "A ", "1 ", "a.", "A.", "a-", "a'", "1.", "1,", "1:", "1 2", "000 ", "a@", "@a", "#a", "a@b.", "www.",
    "://"),
    *("https://", "a://", "&a", "&#1", "<a", "<!--", ">>a", "${", "{{", "{{ ", "%(", "[ ]", "[x] ", ":a", ":a_", "ja",
    "- ", "1) "),
    *(". ", "! ", '." ', "EE. UU. ", "a\n", "\n\n", "  \n", " - ", "\n- ", "| ", "language:\n", "---\n", "com/",
    "a.com", "B-"),
    *("a\\", "./", "C:", "a/b/", "x1", "X1-", "AB1", "°", "º ", "p. m. ", "[1]", "«", "es_", "es-"),
]  # fmt: skip


def compiled() -> dict[str, re.Pattern]:
    """Return the patterns that are attributes of the package's modules, by name."""
    found = {}
    for info in pkgutil.walk_packages([str(SOURCE)], "gatonegro."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            for i, pattern in enumerate(patterns_in(value)):
                found[f"{info.name.removeprefix('gatonegro.')}.{name}{i or ''}"] = pattern
    for language in EXPANSION_DATA:
        for i, pattern in enumerate(patterns_in(expansions(language))):
            found[f"documents.expansions.json {language}{i}"] = pattern
    return {name: pattern for pattern, name in {pattern: name for name, pattern in found.items()}.items()}


def patterns_in(value: object) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from patterns_in(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from patterns_in(part)


def inline() -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of `re`'s functions in the package, each with its place."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            function = node.func if isinstance(node, ast.Call) else None
            if (
                isinstance(function, ast.Attribute)
                and isinstance(function.value, ast.Name)
                and function.value.id == "re"
            ):
                yield f"{path.relative_to(SOURCE)}:{node.lineno} {function.attr}", node


def is_at_top(place: str) -> bool:
    path, line = place.partition(" ")[0].rsplit(":", 1)
    tree = ast.parse((SOURCE / path).read_text(encoding="utf-8"))
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]
    return not any(node.lineno <= int(line) <= (node.end_lineno or 0) for node in functions)


METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "split")
TEXTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py")))
PATTERNS = compiled()
USES = {}  # name of a pattern → the methods that the package calls
for full in PATTERNS:
    called = re.findall(rf"\b{full.rpartition('.')[2].rstrip('0123456789')}\b(?:\[[^]]*\])?\.(\w+)\(", TEXTS)
    USES[full] = set(METHODS).intersection(called) or {"search", "fullmatch"}
# patterns that functions put together, with a usual value in the place of each variable, in the order of the file
PUT_TOGETHER = {
    "documents/localization.py": [r"(?<![\w.,])1º\.?(?!\w)"],  # all of them are in `expansions`
    "cli/input.py": ["|".join(ENCODING_STARTS.values())],
    "compat/border.py": ["Callback"],  # those of names.json read names of bounded length, see `refusal`
    "checkpoints/reading.py": [r"[^/\\:\0]+\.safetensors"],
    "preprocessing/tweets.py": [r"(.)\1{3,}", "[ja]{5,}"],
}
for call_place, call in inline():
    if is_at_top(call_place) or call_place.endswith("escape"):
        continue
    parts = PUT_TOGETHER.get(call_place.partition(":")[0])
    source = call.args[0].value if isinstance(call.args[0], ast.Constant) else parts.pop(0) if parts else None
    if isinstance(call.args[0], ast.Name) and source is None:  # a text of the module, compiled when it is needed
        name = call_place.partition(":")[0].removesuffix(".py").replace("/", ".")
        source = getattr(importlib.import_module(f"gatonegro.{name}"), call.args[0].id, None)
    if source is not None:
        PATTERNS[call_place] = re.compile(source)
        USES[call_place] = {call_place.rpartition(" ")[2].replace("compile", "search")}
BOUNDED = {"documents.sentences.BEFORE_STOP"}  # reads 20 characters before a stop


@pytest.mark.case("S4")
def test_every_pattern_is_seen():
    """A pattern that a function compiles from other than a literal would be in no list."""
    unseen = [p for p, node in inline() if not p.endswith("escape") and not is_at_top(p)]
    unseen = [place for place in unseen if place not in PATTERNS]
    assert not unseen, "make it an attribute of its module"
    assert len(PATTERNS) > 30


def seconds(function: Callable[[str], object], text: str, best_of: int = 1) -> float:
    times = []
    for _ in range(best_of):
        begun = time.thread_time()
        function(text)
        times.append(time.thread_time() - begun)
    return min(times)


def growth(function: Callable[[str], object], unit: str, end: str, length: int) -> str | None:
    """Return a description of a growth that is more than linear, for a text of one repeated unit, or None.

    It is more than linear at two doublings, since a garbage collection may slow down one.
    """
    text = unit * (4 * length // len(unit))
    if seconds(function, text[:length] + end) < ENOUGH or (t := seconds(function, text[:length] + end, 3)) < ENOUGH:
        return None
    times = [t]
    while len(times) < 3:
        times.append(seconds(function, text[: length << len(times)] + end, 3))
        if times[-1] < 3 * times[-2]:
            return None
    return f"{unit[:40]!r}, {length} characters, double, fourfold: {times} s"


@pytest.mark.slow
@pytest.mark.case("S4")
@pytest.mark.parametrize("name", sorted(PATTERNS.keys() - BOUNDED))
def test_patterns_take_linear_time(name):
    pattern = PATTERNS[name]

    def use(text: str) -> None:
        for method in USES[name]:
            if method in ("search", "finditer", "findall", "sub", "split"):  # of the same cost
                for _ in pattern.finditer(text):
                    pass
            else:
                getattr(pattern, method)(text)

    literals = re.findall(r"[\w:/@.#<&-]{2,12}", pattern.pattern)[:20]
    slow = [found for unit in [*PUMPS, *literals] if (found := growth(use, unit, "\0", 2**13))]
    assert not slow


DIRECTION = Direction("es", "en", ",")
FUNCTIONS = {
    "split_sentences": split_sentences,
    "split_at_items": split_at_items,
    "protected_items": protected_items,
    "lost_items": lambda text: lost_items(text, text[1:]),
    "preserves_items": lambda text: preserves_items(text, text[1:]),
    "split_markup": split_markup,
    "lower_capitals": lower_capitals,
    "remove_invisible": remove_invisible,
    "find_numbers": find_numbers,
    "readings": DIRECTION.readings,
    "localize": lambda text: DIRECTION.localize(text, text[1:]),
    "preserves": lambda text: DIRECTION.preserves(text, text[1:]),
    "sentence_doubts": lambda text: sentence_doubts(text, text[::-1].title(), ("es", "en")),  # other names
    "group_tokens": lambda text: group_tokens(text, [5] * len(text), [(i, i + 1) for i in range(len(text))], set()),
    "find_columns": lambda text: find_columns(text.splitlines()),
    "detect_language": detect_language,
    "last_block": last_block,
    "is_long_enough": is_long_enough,
    "match_language": lambda text: match_language(text, Languages(("en",), "card")),
    "preprocess_tweet": preprocess_tweet,
    "spell_emoji": spell_emoji,
    "refusal": refusal,
}
LETTERS = str.maketrans("0123456789", "bcdfgklmnp")
UNITS = ["a", "a ", "ja", "1", "1.", "1 000 ", "¡", "😂", "👩\u200d", "<b>", "</", "@a ", "#aB", "https://a.es/b ",
"www.a.", "a@b.",
         "- ", "\n", "EE. UU. ", "[x] ", "A. ", "a://", "S", "\u0301", "{a} ", "(", "`a", "&a", "12:",
         "Ana ", "ANA ", "3 y media ", "mil ", "XX ", "2 l ", "12/03/2020 ", "8 pm ", "**a** ", "*", "[a](b) ", "a,b\n",
         "no ", "\u00ad", "".join(f"Zo{n} ".translate(LETTERS) for n in range(2**13)),  # names that differ
         "".join(f"{n} " for n in range(2**13))]  # fmt: skip


@pytest.mark.slow
@pytest.mark.case("S4")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_linear_time(name):
    FUNCTIONS[name]("hola 😂")  # loads what it needs
    slow = [found for unit in UNITS for end in ("", "\0") if (found := growth(FUNCTIONS[name], unit, end, 2**13))]
    assert not slow


@pytest.mark.slow
@pytest.mark.case("S4")
def test_tokenizers_and_diagnoses_take_linear_time(folders, tiny):
    """Of a word, and of many, without a space or with; what the diagnosis reads has an end."""
    found = []
    for folder in (tiny, *folders.values()):
        tokenizer = AutoTokenizer.from_pretrained(folder)

        def use(text: str, tokenizer=tokenizer) -> None:
            tokenizer.decode(tokenizer(text, truncation=False)["input_ids"])

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found += [(folder.name, slow) for unit in UNITS[::2] if (slow := growth(use, unit, "", 2**13))]
    diagnose("hola", model=tiny)
    found += [slow for unit in UNITS[::2] if (slow := growth(lambda text: diagnose(text, model=tiny), unit, "", 2**13))]
    assert not found


# documents of n marks and n parts or numbers
DOCUMENTS = {
    "nested over lines": lambda n: "<i>" * n + " (5.)\n" * n + "</i>" * n,
    "nested over a number": lambda n: "<i>" * n + " 1.000,5 " + "</i>" * n,
    "nested over spaces": lambda n: "<i>" * n + " " * n + "5" + "</i>" * n,
    "one after another": lambda n: "<b>1.000,5</b>, " * n,
    "front matter": lambda n: "---\n" + "a5: 5\n" * n + "---\n",
    "comments": lambda n: "<!-- 5 " * n,
}


@pytest.mark.slow
@pytest.mark.case("S4")
@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_translation_of_marks_takes_linear_time(folders, name):
    """Of documents without words: what a model reads is bounded elsewhere."""
    translate = pipeline(
        "translation", folders["marian"], src_lang="es", tgt_lang="en", max_new_tokens=2, language_check="off"
    )
    translate("5")  # loads what it needs
    assert not growth(lambda text: translate(DOCUMENTS[name](len(text))), "x", "", 2**8)
