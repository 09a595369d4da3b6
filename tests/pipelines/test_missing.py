"""Missing rows: None, NaN, NaT and pandas' NA in, None out."""

import decimal
from itertools import chain

import numpy as np
import pandas
import pytest
from rows import BUILT_IN, near

from gatonegro import pipeline
from gatonegro.checks import is_missing
from gatonegro.errors import InputError
from gatonegro.pipelines import Answer

MISSING = {
    "None": None, "NaN": float("nan"), "float64": np.float64("nan"), "float32": np.float32("nan"), "NA": pandas.NA,
    "masked": np.ma.masked, "NaT": pandas.NaT, "datetime64": np.datetime64("NaT"), "Decimal": decimal.Decimal("nan"),
}  # fmt: skip


class Incomparable:
    def __eq__(self, other):
        raise ValueError

    __hash__ = None


@pytest.mark.parametrize("name", MISSING)
def test_values_that_are_missing(name):
    assert is_missing(MISSING[name])


@pytest.mark.parametrize(
    "value",
    ["", " ", "nan", "None", "<NA>", 0, 0.0, False, float("inf"), b"", [], [None], {}, {None: None},
     object(), Incomparable(), np.array([]), np.array([np.nan]), np.array(np.nan), pandas.Series([None]),
     decimal.Decimal("snan")],
    ids=repr,
)  # fmt: skip
def test_values_that_are_not_missing(value):
    assert is_missing(value) is False


@pytest.mark.case("N2")
@pytest.mark.parametrize("name", MISSING)
def test_missing_in_missing_out(tiny, name):
    clf, value = pipeline("sentiment-analysis", tiny), MISSING[name]
    rows = ["el gato", value, "la casa", {"text": value}, {"text": "no", "text_pair": value}, value]
    good = clf(["el gato", "la casa"])
    expected = [good[0], None, good[1], None, None, None]
    assert clf(value) is None and clf({"text": value}) is None
    for answers in (clf(rows), list(clf(iter(rows))), list(clf.stream([rows[:2], rows[2:]])), clf(tuple(rows))):
        assert near(answers, expected)
    results = list(clf.run([(rows, {}), ([value], {"top_k": 2})]))
    assert near([result.value for result in results], [*expected, None])
    assert not any(result.error or result.notices for result in results)
    assert clf([value] * 3) == [None] * 3 and clf(np.array([value], dtype=object)) == [None]


@pytest.mark.case("N2")
@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_missing_values_of_a_series(tiny, dtype):
    clf = pipeline("sentiment-analysis", tiny)
    answers = clf(pandas.Series(["hola", None, "no"], dtype=dtype))
    assert answers[1] is None and near([answers[0], answers[2]], clf(["hola", "no"]))
    assert clf(pandas.Series([np.nan, np.nan])) == [None, None]


@pytest.mark.case("N2")
@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.parametrize(
    "name", ["classes", "all scores", "tokens", "words", "masks", "vectors", "translation", "T5", "prompts"]
)
def test_missing_rows_of_every_task(make_pipeline, name):
    pipe, good, bad = make_pipeline(name)
    rows = [None, good[0], float("nan"), good[1], pandas.NA]
    values = list(pipe(iter(rows)))
    assert [value is None for value in values] == [True, False, True, False, True]
    assert near([values[1], values[3]], list(pipe(iter(good[:2]))))
    called = pipe(rows)
    assert [called[0], called[2], called[4]] == [None] * 3 and called[1] is not None is not called[3]
    if name != "words":
        assert pipe(None) is None
    with pytest.raises(InputError, match="item 1"):
        pipe([None, bad[0]])


def test_blank_texts_of_a_call_are_answered_as_transformers_does(tiny, theirs):
    clf = pipeline("sentiment-analysis", tiny)
    assert near(clf(["", "   "]), theirs(tiny)(["", "   "]))


@pytest.mark.parametrize("check", ["warn", "error", "route", "off"])
@BUILT_IN
def test_missing_rows_have_no_language(check):
    clf = pipeline("sentiment-analysis", "demo-en", language_check=check)
    spanish = {"text": "El profesor es bueno, todo será sencillo", "text_pair": None}
    answers = clf([None, "The teacher is good", spanish])
    assert answers[0] is answers[2] is None and answers[1]["label"] == "POSITIVE"


def test_a_missing_row_is_answered_before_the_next_is_requested(tiny):
    clf, requested = pipeline("sentiment-analysis", tiny), []

    def rows():
        for row in (None, "uno", None):
            requested.append(row)
            yield row

    answers = clf(rows())
    assert next(answers) is None and len(requested) == 1
    assert next(answers)["label"] and len(list(answers)) == 1


@pytest.mark.case("N2")
@pytest.mark.parametrize("method", ["run", "stream"])
@pytest.mark.parametrize("parts", [None, 3, "hola", b"hola", {"text": "hola"}, [None], [3], ["hola"], [{"text": "a"}]])
def test_what_is_no_list_of_rows(tiny, method, parts):
    with pytest.raises(InputError, match=r"a list of rows|a part is a tuple of rows"):
        list(getattr(pipeline("sentiment-analysis", tiny), method)(parts))


def test_no_message_advises_an_empty_text(tiny, make_pipeline):
    tagger, _, _ = make_pipeline("words")
    (answer,) = tagger.run([([["el", None]], {})])
    assert answer.error is not None and "''" not in "".join(chain(*answer.error.args))
    assert Answer() == Answer(value=None)
