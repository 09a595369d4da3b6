"""Tests of the numbers, bars and steps that the page shows, in a real Chromium."""

import re

import pytest

from gatonegro import explain

pytestmark = pytest.mark.slow

BARS = """
return [...document.querySelectorAll('.bars')].map((list) => [...list.querySelectorAll('li')].map((item) => {
  const [track, bar] = ['i', 'b'].map((name) => item.querySelector(name).getBoundingClientRect());
  const line = getComputedStyle(item.querySelector('i'), '::before');
  const zero = track.left + parseFloat(line.left) + parseFloat(line.width) / 2;
  const inside = track.left - 0.5 <= bar.left && bar.right <= track.right + 2.5;
  return [bar.left - zero, bar.right - zero, parseFloat(line.width), inside];
}))"""


def open_at(browser, explanation, path, step: str) -> None:
    browser.get(explanation.save(path).as_uri())
    browser.execute_script("gatonegro.go(gatonegro.data.steps.findIndex((one) => one.name === arguments[0]))", step)


@pytest.mark.case("N13")
@pytest.mark.parametrize(
    ("logits", "problem"),
    [
        ((1.5, -0.4, -1.0), None),
        ((-0.5, -2.0, -3.0), None),  # all negative
        ((4.0, 2.0, 0.5), None),  # all positive
        ((0.0, 0.0, 0.0), None),
        ((1e-6, -1000.0, 0.0), None),
        ((-0.7, 2.0, 0.1), "regression"),  # whose answers are no shares
    ],
)
def test_bars_stand_on_a_zero_line(browser, make_folder, tmp_path, logits, problem):
    import torch

    from gatonegro import AutoModelForSequenceClassification, AutoTokenizer

    labels = {i: f"label {i}" for i in range(3)}
    folder = make_folder("sequence-classification", id2label=labels, problem_type=problem)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.head.output.weight.zero_()
        model.head.output.bias.copy_(torch.tensor(logits))
    explanation = explain("the cat", model, tokenizer=AutoTokenizer.from_pretrained(folder))
    open_at(browser, explanation, tmp_path / "x.html", "head")
    signed = [bars for bars in browser.execute_script(BARS) if len(bars) == 3]
    ranked = sorted(logits, reverse=True)
    assert len(signed) == 3  # the answer, logits and probabilities
    for value, (left, right, line, inside) in zip(ranked, signed[1], strict=True):
        assert line >= 1 and inside
        start, end = (left, right) if value >= 0 else (-right, -left)
        assert abs(start) < 1 and end > 0  # the bar begins at the line, and ends on the number's side of it
    for value, (left, right, *_) in zip(ranked, signed[2], strict=True):
        assert problem or abs(left) < 1 < right + 1, value  # shares begin at the left


@pytest.mark.case("N9")
def test_the_page_formats_numbers_as_python_does(browser, tmp_path):
    """`number` in web/page.js and `format_number` are one rule."""
    from gatonegro.i18n import format_number

    numbers = [
        0.0,
        3.0,
        6.9999,
        0.70710678,
        5.989,
        6.26e-6,
        9.99e-5,
        1e-4,
        5e-5,
        0.03125,
        0.125,
        0.995,
        1234.5,
        99999.5,
    ]
    numbers += [99999.99999, 123456.0, 125000.0, 1e6, 3e38, 0.004, 0.005, 1 / 3]
    numbers += [-n for n in numbers]
    browser.get(explain("El", model="toy").save(tmp_path / "x.html").as_uri())
    for lang in ("es", "en"):
        browser.execute_script("document.getElementById(arguments[0]).click()", lang)
        for decimals in (2, 4):
            for sign in (False, True):
                how = "return arguments[0].map((n) => gatonegro.number(n, arguments[1], arguments[2]))"
                mine = [format_number(n, decimals, sign).in_(lang) for n in numbers]
                assert browser.execute_script(how, numbers, decimals, sign) == mine


VISIBLE = """
const seen = [];
for (const lang of ['es', 'en']) {
  document.getElementById(lang).click();
  for (const [i, step] of gatonegro.data.steps.entries()) {
    gatonegro.go(i);
    document.querySelectorAll('details').forEach((one) => { one.open = true; });
    const names = ['#answer', '#title', '#body'];
    seen.push([lang, step.name, names.map((name) => document.querySelector(name)?.innerText ?? '').join('\\n')]);
  }
}
return seen"""


def foreign(text: str, lang: str) -> list[str]:
    """Return what is no number of a language in a text."""
    separator = r"\d\.\d" if lang == "es" else r"\d,\d"
    return re.findall(rf"{separator}|(?<![\w–])-\d|\de[-+]\d|−0(?![.,\d]|[.,]\d*[1-9])|[+−] −|NaN|undefined", text)


@pytest.mark.case("N9")
@pytest.mark.parametrize("kind", ["toy", "bert", "bart", "t5", "gpt2"])
def test_all_numbers_have_the_format_of_their_language(browser, parts, make_folder, tmp_path, kind):
    if kind == "toy":
        explanations = [explain("El gato negro", model="toy", lang=lang) for lang in ("es", "en")]
    elif kind == "bert":
        folder = str(make_folder("sequence-classification"))
        explanations = [explain("the black cat", folder, lang=lang) for lang in ("es", "en")]
    else:
        model, tok = parts[kind]
        explanations = [
            explain("El gato negro", model, tokenizer=tok, max_new_tokens=5, lang=lang) for lang in ("es", "en")
        ]
    browser.get(explanations[0].save(tmp_path / "x.html").as_uri())
    for lang, name, text in browser.execute_script(VISIBLE):
        assert not foreign(text, lang), (lang, name, foreign(text, lang))
    for explanation in explanations:
        for shown in (str(explanation), re.sub("<[^>]*>", "", explanation._repr_html_().split("<iframe")[0])):
            assert not foreign(shown, explanation.lang), foreign(shown, explanation.lang)


@pytest.mark.case("N15")
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_captions_are_whole_and_the_glossary_is_in_line(browser, parts, tmp_path, width):
    model, tokenizer = parts["bart"]
    explanation = explain("El gato negro " * 4, model, tokenizer=tokenizer, max_new_tokens=5, lang="es")
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for name in ("encoder.0.attention", "encoder.0.softmax", "decoder.1.cross.softmax", "next"):
            browser.execute_script(
                "gatonegro.go(gatonegro.data.steps.findIndex((one) => one.name === arguments[0]))", name
            )
            edges = """return [...document.querySelectorAll('.captioned p')].map((caption) => {
                const range = document.createRange();
                range.selectNodeContents(caption);
                return [range.getBoundingClientRect().right, caption.closest('.card').getBoundingClientRect().right];
            })"""
            captions = browser.execute_script(edges)
            assert captions and all(right < edge for right, edge in captions), name
        lefts = "return ['#glossary', '#step'].map((name) => document.querySelector(name).getBoundingClientRect().left)"
        assert len(set(browser.execute_script(lefts))) == 1
        footer = browser.find_element("css selector", "footer").text
        assert "se cuentan desde 1; en Python, desde 0" in footer
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.case("N15")
def test_logits_are_in_the_glossary_wherever_they_are_named(browser, make_folder, tmp_path):
    open_at(
        browser, explain("the cat", str(make_folder("sequence-classification")), lang="es"), tmp_path / "x.html", "head"
    )
    for place, name in (("#answer", "log-odds"), ("#body", "logit")):
        terms = [term.text.split("\n")[0].lower() for term in browser.find_elements("css selector", f"{place} .term")]
        assert any(term.startswith(name) for term in terms), place
    title = "return document.querySelector('#title').textContent"
    browser.execute_script("gatonegro.go(gatonegro.data.steps.findIndex((one) => one.kind === 'softmax'))")
    assert "vectores de contexto" in browser.execute_script(title)
    assert any("vectores de contexto" in term.text for term in browser.find_elements("css selector", "#title .term"))


@pytest.mark.parametrize("width", [320, 390])
def test_long_equations_do_not_stick_out(browser, tmp_path, width):
    browser.get(explain("El gato negro " * 4, model="toy", lang="es").save(tmp_path / "x.html").as_uri())
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for i in range(7):
            browser.execute_script("gatonegro.go(arguments[0])", i)
            assert browser.execute_script("return document.documentElement.scrollWidth") == width, i
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
