"""How the page shows which words made the decision, in a real Chromium."""

import pytest

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, explain

pytestmark = [pytest.mark.slow, pytest.mark.case("N12")]

SIDES = """
const lists = [...document.querySelectorAll(arguments[0] + ' .bars')];
return lists.map((list) => [...list.querySelectorAll('li')].map((item) => {
  const [track, bar] = ['i', 'b'].map((name) => item.querySelector(name).getBoundingClientRect());
  const zero = track.left + parseFloat(getComputedStyle(item.querySelector('i'), '::before').left) + 1;
  const [name, value] = item.querySelectorAll('span');
  return [name.textContent, value.textContent, bar.left - zero, bar.right - zero];
}))"""


def opened(browser, make_folder, path, text: str):
    folder = make_folder()
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    explanation = explain(text, model, tokenizer=tokenizer, lang="es")
    browser.get(explanation.save(path).as_uri())
    browser.execute_script("gatonegro.go(gatonegro.data.steps.length - 1)")
    return explanation["attribution"]


def test_words_stand_on_a_zero_line_and_punctuation_apart(browser, make_folder, tmp_path):
    step = opened(browser, make_folder, tmp_path / "x.html", "The cat, the black cat; a profesor sleeps in the sun!")
    words, rest = browser.execute_script(SIDES, "#body")
    _, strongest = browser.execute_script(SIDES, "#answer")
    assert [name for name, *_ in words] == list(step.rows) and len(strongest) == 8 < len(words)
    assert [name for name, *_ in rest] == ["puntuación", "tokens especiales", "todo junto"]
    values = step.tensors["attribution"].tolist()
    assert min(values) < 0 < max(values)
    for value, (_, _, left, right) in zip(values, words, strict=True):
        start, end = (left, right) if value >= 0 else (-right, -left)
        assert abs(start) < 1.5 and end > 0
    assert (
        "estima" in browser.find_element("id", "answer").text and "Shapley" in browser.find_element("id", "body").text
    )


def test_what_is_not_known_is_said_beside_the_answer(browser, make_folder, tmp_path):
    step = opened(browser, make_folder, tmp_path / "x.html", "¡!")
    assert step.notes and step.notes[0].es in browser.find_element("id", "answer").text
    browser.find_element("id", "en").click()
    assert step.notes[0].en in browser.find_element("id", "answer").text
