"""Every printed equation of the worked example is true of its printed digits, in both languages."""

import json
import math
import re
from itertools import combinations_with_replacement

import numpy as np
import pytest

from gatonegro import explain
from gatonegro.glassbox.html import _data
from gatonegro.glassbox.toy import WORD_VECTORS, make_layer
from gatonegro.packing import Layout

NUMBER = r"\d+(?:\.\d+)?(?:\*10\*\*\(-?\d+\))?"
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
# Q(gato)_1, A(El, gato), W_Q, (y·W_up)(El)_2, E[El]
LABEL = re.compile(r"(?:[^\W\d_]+(?:_[A-Za-z]+)?(?:\(\w+(?:, \w+)?\))?|\([\w·+ ]+\)\(\w+\))(?:_\d)?|E\[\w+\]")
# lines that compute nothing
SENTENCES = ("The largest score", "A cada puntuación", "f(x) = ReLU(x) = max(0, x)")


def normalized(line: str, lang: str) -> str:
    """Write a line as Python would: 0.5, a*b, 10**(-5), exp, sqrt."""
    if lang == "es":
        assert not re.search(r"\d\.\d", line), line  # a decimal point
        line = re.sub(r"(?<=\d),(?=\d)", ".", line).replace("; ", ", ")
    else:
        assert not re.search(r"\d,\d|;", line), line
    assert "-" not in line and not re.search(r"[+−] −|−0(?![.,\d]|\.\d*[1-9])|\de", line), line
    line = re.sub("10([⁻⁰-⁹¹²³]+)", lambda m: f"10**({m[1].translate(SUPERSCRIPTS)})", line)
    line = line.replace("·", "*").replace("−", "-").replace("²", "**2").replace("e^", "exp").replace("√3", "sqrt(3)")
    return line.replace("√", "sqrt")


class Reader:
    """Reads lines of arithmetic, computes what can be computed, and remembers what was given a name."""

    def __init__(self, lang: str):
        self.lang, self.names, self.equations, self.given = lang, {}, 0, 0

    def value(self, text: str):
        """Compute an expression from its printed digits; None for a name that is defined by the line."""
        names = {}

        def known(match):  # V(El), and ε
            names[f"_{len(names)}"] = self.names[match[0]]
            return f"_{len(names) - 1}"

        text = re.sub(r"(?<=\*)V\(\w+\)|(?<=\+ )ε", known, text)
        text = re.sub(r"\[([^][]*)\]", r"array((\1,))", text)
        if re.search(r"[^\W\d_]", re.sub(r"\b(exp|sqrt|array|ReLU)\(", "(", text)):
            return None
        tools = {"exp": math.exp, "sqrt": math.sqrt, "array": np.array, "ReLU": lambda x: np.maximum(x, 0)}
        return np.asarray(eval(text, {"__builtins__": {}}, {**tools, **names}), dtype=float)

    def read(self, line: str) -> None:
        if any(line.startswith(sentence) for sentence in SENTENCES):
            return
        if re.match(r"W_O = ", line):
            line = line.split(": ")[0]
        for equation in normalized(line, self.lang).split(",  "):
            if not any(equation.startswith(sentence) for sentence in SENTENCES):
                self.equation(equation)

    def equation(self, equation: str) -> None:
        *before, last = equation.split(" = ")
        assert before, f"not an equation: {equation}"
        values = [self.value(side) for side in before]
        result, computed = self.value(last), [value for value in values if value is not None]
        assert result is not None, f"cannot read {last!r} in {equation!r}"
        labels = [side for side, value in zip(before, values, strict=True) if value is None]
        assert labels and values[0] is None, equation
        for label in labels:
            label = label.replace("*", "·")
            assert LABEL.fullmatch(label), f"cannot read {label!r} in {equation!r}"
            assert np.array_equal(self.names.setdefault(label, result), result), f"{label} twice: {equation}"
        for value in computed:
            assert value.shape == result.shape, equation
            digits = re.findall(NUMBER, last)
            assert len(digits) == result.size
            for mine, printed, text in zip(value.ravel(), result.ravel(), digits, strict=True):
                # a whole number is exact to the four places of all others, and what is below 1e-4 is 0
                half = 1e-4 if not printed else 0.5 * 10 ** -max(4, len(text.partition(".")[2]))
                assert abs(mine - printed) <= half + 1e-12, f"{equation}: {mine}"
        if len(computed) == 2 and " / " in before[-1] and "exp" in before[-2]:
            self.fraction(before[-2], before[-1])
        self.equations += bool(computed)
        self.given += not computed

    def fraction(self, exact: str, printed: str) -> None:
        """The exponentials and their sum are the printed numbers too."""
        for mine, text in zip(exact.split(" / ", 1), printed.split(" / "), strict=True):
            mantissa, _, power = text.partition("*10**")
            unit = 10.0 ** (int(power.strip("()") or 0) if power else 0)
            half = 0.5 * unit * 10 ** -(len(mantissa.partition(".")[2]) if power else 6)
            assert abs(self.value(mine) - self.value(text)) <= half + 1e-12, (exact, printed)


def read_all(steps, lang: str) -> Reader:
    """Read the lines of all steps; vectors that are printed number by number are remembered whole too."""
    reader = Reader(lang)
    for lines in steps:
        # of r in one step, and of y + f·W_down in another
        reader.names = {
            label: n for label, n in reader.names.items() if not re.match("mean|media|variance|varianza", label)
        }
        for line in lines:
            reader.read(line)
        for name in {label[:-2] for label in reader.names if label.endswith("_3")}:
            whole = np.array([reader.names[f"{name}_{j}"] for j in (1, 2, 3)])
            assert np.array_equal(reader.names.setdefault(name, whole), whole), name
    return reader


def steps_of_text(text: str) -> list[list[str]]:
    """Return each step's lines of arithmetic in the text of an explanation."""
    steps = re.split(r"^(?:Capa 1, p|P|Layer 1, s|S)(?:aso|tep) \d\. .*", text, flags=re.MULTILINE)[1:]
    return [[line.strip() for line in step.splitlines() if line.startswith("     ")] for step in steps]


@pytest.mark.case("N9")
@pytest.mark.parametrize("lang", ["es", "en"])
@pytest.mark.parametrize("shown", ["work", "json", "page", "text"])
def test_every_printed_equation_is_true(lang, shown):
    toy = explain("El gato negro", model="toy", lang=lang)
    if shown == "work":
        steps = [[line.in_(lang) for line in step.work] for step in toy.steps]
    elif shown == "json":
        steps = [step["work"] for step in json.loads(toy.to_json())["steps"]]
    elif shown == "page":
        steps = [[line[lang == "es"] for line in step["work"]] for step in json.loads(json.dumps(_data(toy)))["steps"]]
    else:
        from gatonegro.glassbox.text import to_text

        steps = steps_of_text(to_text(toy, width=500))  # so wide that no line is broken
        assert len(steps) == 7
    reader = read_all(steps, lang)
    # 27 numbers of Q, K, V; 9 scores; 9 shares; 3 + 9 of the context; 3 sums; 3·5 norms; 3·(3 + 1 + 3 + 1 + 5)
    assert (reader.equations, reader.given) == (27 + 9 + 9 + 12 + 3 + 15 + 39, 3 + 2 + 1 + 3 + 3)


@pytest.mark.case("N9")
@pytest.mark.parametrize("lang", ["es", "en"])
def test_printed_numbers_are_those_of_the_tables(lang):
    """A number has one rounding, in equations and in tensors."""
    toy = explain("El gato negro", model="toy", lang=lang)
    names = read_all([[line.in_(lang) for line in step.work] for step in toy.steps], lang).names
    context = "contexto" if lang == "es" else "context"
    words, of = toy.tokens, {step.kind: step.tensors for step in toy.steps}
    tensors = {"Q": of["linear"]["Q"][0], "K": of["linear"]["K"][0], context: of["softmax"]["context"][0]}
    tensors |= {"r": of["add"]["sum"], "y": of["norm"]["y"], "z": of["feed_forward"]["z"]}
    for name, tensor in tensors.items():
        for word, row in zip(words, tensor, strict=True):
            np.testing.assert_array_equal(names[f"{name}({word})"], row)
    for name, kind, tensor in (("S", "attention", "scores"), ("A", "softmax", "probs")):
        for a, row in zip(words, toy[kind].tensors[tensor][0], strict=True):
            assert [names[f"{name}({a}, {b})"] for b in words] == row.tolist()
    page = _data(toy)
    (shown,) = [step["tensors"][-1] for step in page["steps"] if step["kind"] == "add"]
    first = page["strips"][shown["strip"]]["first"]
    assert first == of["add"]["sum"].tolist() and [7, 5, 9] in first


TEXTS = [words for n in range(1, 5) for words in combinations_with_replacement(WORD_VECTORS, n)]
TEXTS += [("El",) * n + ("gato",) * m + ("negro",) * (12 - n - m) for n in range(0, 13, 3) for m in range(0, 13 - n, 3)]


@pytest.mark.parametrize("words", TEXTS, ids="-".join)
def test_equations_are_true_of_other_texts(words):
    distinct = explain(" ".join(words), model="toy", lang="es")
    for lang in ("es", "en"):
        assert read_all([[line.in_(lang) for line in step.work] for step in distinct.steps], lang).equations >= 26


@pytest.mark.parametrize("words", TEXTS, ids="-".join)
def test_a_board_computes_what_the_layer_computes(words):
    import torch

    from gatonegro.glassbox.toy import board_arithmetic

    x = torch.tensor([WORD_VECTORS[word] for word in words], dtype=torch.float64)
    with torch.no_grad():
        z = make_layer()(x, Layout((len(words),), (len(words),)))
    np.testing.assert_allclose(board_arithmetic(x.numpy())["z"], z, atol=1e-3)
