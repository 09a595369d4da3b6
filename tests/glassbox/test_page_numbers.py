"""Tests of the numbers, bars and steps that the page shows, in a real Chromium."""

import pytest

from gatonegro import explain

pytestmark = pytest.mark.slow

BARS = """
return [...document.querySelectorAll('.bars')].map((list) => [...list.querySelectorAll('li')].map((item) => {
  const [track, bar] = ['i', 'b'].map((name) => item.querySelector(name).getBoundingClientRect());
  const line = getComputedStyle(item.querySelector('i'), '::before');
  const zero = track.left + parseFloat(line.left) + parseFloat(line.width) / 2;
  return [bar.left - zero, bar.right - zero, parseFloat(line.width), track.left - 0.5 <= bar.left && bar.right <= track.right + 2.5];
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
