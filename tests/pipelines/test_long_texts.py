"""Texts longer than the model: windows, and how they are combined."""

import pytest
from answers import LONG, PAIRS, TEXTS, label, same

from gatonegro import (
    hub,
    pipeline,
)
from gatonegro.errors import (
    GatonegroWarning,
)


def test_a_long_text_is_read_whole_with_one_warning(classify, recwarn):
    with pytest.warns(GatonegroWarning, match="item 1 is longer than the 64 tokens") as warned:
        answers = classify(["no", LONG, *["no"] * 80, LONG, LONG + "no"])
    assert len(warned) == 1
    assert same(answers[1], answers[82])
    assert not recwarn.list
    classify(["no", "el gato " * 15], top_k=1)  # and nothing of short ones: warnings are errors here


def test_the_end_of_a_long_text_counts(classify):
    with pytest.warns(GatonegroWarning):
        first, second = classify([LONG + "todo bueno", LONG + "¿ una casa ? ¿ una casa ?"], top_k=None)
    assert not same(first, second)
    assert same(*classify([LONG + "todo bueno", LONG + "¿ una casa ? ¿ una casa ?"], truncation=True, top_k=None))


@pytest.mark.slow
@pytest.mark.skipif("sentiment-es-en" not in hub.built_in_models(), reason="the built-in model is not installed")
@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("We arrived on Monday and had dinner at the restaurant. The room has two beds and a window. ",
         "In the end it was a terrible disaster, the worst trip of my life!"),
        ("Llegamos el lunes y cenamos en el restaurante. La habitación tiene dos camas y una ventana. ",
         "Al final fue un desastre horrible, el peor viaje de mi vida."),
    ],
)  # fmt: skip
def test_a_review_of_3000_tokens_is_what_its_last_sentence_says(body, end):
    classify = pipeline("sentiment-analysis")
    long = body * (3000 // len(classify.tokenizer.tokenize(body))) + end
    assert label(classify(body + end)) == "NEG" != label(classify(body * 20, truncation=True))
    with pytest.warns(GatonegroWarning, match="windows"):
        assert label(classify(long)) == "NEG" != label(classify(long, truncation=True))


def test_a_long_text_of_one_repeated_window_is_that_window(classify, tokenizer):
    """62 equal tokens fill a window, so any number of them is answered as any other that fills its windows."""
    window = "gato " * 62
    assert len(tokenizer(window)["input_ids"]) == 64
    expected = classify(window, top_k=None)
    stride = 62 // 4
    with pytest.warns(GatonegroWarning, match="in 3 overlapping windows"):
        assert same(classify("gato " * (62 + 2 * (62 - stride)), top_k=None), expected)


def test_windows_have_the_requested_length(classify):
    with pytest.warns(GatonegroWarning, match="longer than the 10 tokens"):
        ten = classify(TEXTS[0], max_length=10, top_k=None)
    assert not same(ten, classify(TEXTS[0], top_k=None))
    assert same(classify(TEXTS[0], max_length=1000, top_k=None), classify(TEXTS[0], top_k=None))


def test_a_truncated_pair_gives_a_warning(classify):
    with pytest.warns(GatonegroWarning, match="item 1"):
        classify([PAIRS[0], {"text": LONG, "text_pair": "no"}])


def test_no_windows_where_the_user_says_so(classify):
    with pytest.warns(GatonegroWarning):
        whole = classify(LONG, top_k=None)
    classify.warned_kinds.clear()
    with pytest.warns(GatonegroWarning):
        assert same(classify(LONG, truncation=False, top_k=None), whole)
    classify.warned_kinds.clear()
    with pytest.warns(GatonegroWarning):
        assert same(classify(LONG, truncation="do_not_truncate", top_k=None), whole)
