"""`Pipeline.to_frame`: answers as tables with the index of their texts."""

import sys

import numpy as np
import pandas
import pytest
from rows import BUILT_IN, near

from gatonegro import pipeline
from gatonegro.errors import InputError, MissingExtraError, OptionError

TEXTS = ["el gato es bueno", None, "la casa no es nada", "  ", "todo"]
INDEXES = {
    "letters": list("edcba"),
    "gaps": [7, 3, 9, 1, 0],
    "duplicates": [1, 1, 2, 2, 1],
    "dates": pandas.date_range("2026-01-01", periods=5),
    "levels": pandas.MultiIndex.from_product([[0], [1, 2, 3, 4, 5]]),
}


@pytest.fixture(scope="module")
def clf(tiny):
    return pipeline("sentiment-analysis", tiny)


@pytest.mark.case("N3")
@pytest.mark.parametrize("name", INDEXES)
def test_a_frame_has_the_index_of_its_series(clf, name):
    series = pandas.Series(TEXTS, index=INDEXES[name], name="texto")
    frame = clf.to_frame(series)
    assert isinstance(frame, pandas.DataFrame) and frame.index.equals(series.index)
    assert list(frame) == ["label", "score"] and frame.score.dtype == float
    assert frame.isna().all(axis=1).tolist() == [False, True, False, True, False]
    answers = clf([TEXTS[0], TEXTS[2], TEXTS[4]])
    assert near(frame.dropna().to_dict("records"), answers, 1e-6)
    assert isinstance(clf(series), list)


@pytest.mark.case("N3")
def test_rows_that_were_dropped_before_mislabel_no_other(clf):
    table = pandas.DataFrame({"texto": TEXTS, "nota": range(5)})
    kept = table.dropna()
    joined = kept.join(clf.to_frame(kept.texto))
    expected = {text: clf(text)[0]["label"] for text in TEXTS if text and text.strip()}
    for row in joined.itertuples():
        assert (row.label == expected[row.texto]) if row.texto.strip() else pandas.isna(row.label)


@pytest.mark.parametrize(
    "inputs",
    [TEXTS, tuple(TEXTS), np.array(TEXTS, dtype=object), pandas.Index(TEXTS), iter(TEXTS), dict.fromkeys(TEXTS).keys()],
    ids=lambda inputs: type(inputs).__name__,
)
def test_other_lists_are_numbered_from_0(clf, inputs):
    frame = clf.to_frame(inputs)
    assert frame.index.tolist() == [0, 1, 2, 3, 4] and frame.label.notna().sum() == 3


def test_one_text_is_one_row(clf):
    for one in ("el gato", {"text": "el gato", "text_pair": "no"}):
        assert len(clf.to_frame(one)) == 1
    assert clf.to_frame({"text": "el gato", "text_pair": " "}).isna().all(axis=None) and clf.to_frame([]).empty
    assert clf.to_frame([None, "", pandas.NA]).shape == (3, 2)


def test_texts_that_are_all_missing_have_the_columns_of_answers(clf):
    frame = clf.to_frame(pandas.Series([None, " "], index=[7, 7]))
    assert list(frame) == ["label", "score"] and frame.index.tolist() == [7, 7] and frame.isna().all(axis=None)
    for top_k in (1, 2, None):
        assert list(clf.to_frame([None], top_k=top_k)) == list(clf.to_frame(["todo"], top_k=top_k))
    assert list(clf.to_frame([])) == ["label", "score"]


@pytest.mark.case("N3")
@pytest.mark.parametrize("top_k", [None, 2, 3])
def test_labels_are_columns_in_the_order_of_the_model(clf, top_k):
    frame = clf.to_frame(TEXTS, top_k=top_k)
    assert list(frame) == ["NEG", "NEU", "POS"] and frame.notna().sum(axis=1).tolist() == [top_k or 3, 0] * 2 + [
        top_k or 3
    ]
    assert frame.dropna(how="all").idxmax(axis=1).tolist() == clf.to_frame(TEXTS).label.dropna().tolist()
    assert list(clf.to_frame(TEXTS, top_k=1)) == ["label", "score"]


def test_marks_are_true_or_false(clf):
    score = clf("todo")[0]["score"]
    frame = clf.to_frame(["todo", None, "el gato es bueno"], min_score=score + 1e-4)
    assert frame.unsure[0] is True and frame.unsure[1] is None and frame.unsure[2] in (True, False)
    assert "unsure" not in clf.to_frame(["todo"], min_score=0.0)


@pytest.mark.case("N3")
@pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning")
@pytest.mark.parametrize(
    ("name", "options", "columns"),
    [
        ("tokens", {}, ["entities"]),
        ("words", {}, ["entities"]),
        ("masks", {}, ["score", "token", "token_str", "sequence"]),
        ("masks", {"top_k": 1}, ["score", "token", "token_str", "sequence"]),
        ("vectors", {}, ["embedding"]),
        ("translation", {}, ["translation_text", "doubtful", "doubt"]),
        (
            "translation",
            {"num_return_sequences": 2, "return_scores": True, "doubt": False},
            ["translation_text", "score", "doubtful", "doubt"],
        ),
        (
            "translation",
            {"return_scores": True, "return_languages": True, "return_alignments": True},
            ["translation_text", "score", "src_lang", "tgt_lang", "alignments", "doubtful", "doubt"],
        ),
        ("translation", {"return_tensors": True}, ["translation_token_ids", "doubtful", "doubt"]),
        ("T5", {}, ["generated_text"]),
        ("T5", {"return_tensors": True, "return_scores": True}, ["generated_token_ids", "score"]),
        ("prompts", {}, ["generated_text"]),
    ],
)
def test_columns_of_every_task(make_pipeline, name, options, columns):
    pipe, good, _ = make_pipeline(name)
    frame = pipe.to_frame(pandas.Series([good[0], None, good[-1]], index=[5, 4, 3]), **options)
    assert {*frame} - {"unfinished"} == {*columns} and frame.index.tolist() == [5, 4, 3]
    assert frame.loc[4].isna().all()
    assert list(pipe.to_frame([None], **options)) == [column for column in frame if column != "unfinished"]
    (expected,) = pipe(iter([good[0]]), **options)
    if columns in (["entities"], ["embedding"]):
        assert near(frame.loc[5, columns[0]], expected, 1e-5)
    elif len(expected) == 1:
        assert frame.loc[5, columns[0]] == pytest.approx(expected[0][columns[0]])
    else:
        assert frame.loc[5, columns[0]] == pytest.approx([answer[columns[0]] for answer in expected])


def test_values_of_columns():
    from gatonegro.pipelines.frames import frame

    records = [{"a": None, "flag": True}, None, {"a": None}, {}]
    table = frame([], records)
    assert table.a.isna().all() and table.flag.tolist() == [True, None, False, None]
    assert frame([], [{"a": 1.5}, {}, None]).a.isna().tolist() == [False, True, True]


@BUILT_IN
def test_the_model_of_a_routed_row_is_a_column():
    english = pipeline("sentiment-analysis", "demo-en", language_check="route")
    frame = english.to_frame(["The teacher is good", None, "El profesor es bueno, todo será sencillo"])
    assert frame.model.tolist()[::2] == ["demo-en", "sentiment-es-en"] and pandas.isna(frame.model[1])


@pytest.mark.case("N3")
def test_a_polars_series_gives_a_polars_frame(make_pipeline, clf):
    polars = pytest.importorskip("polars")
    frame = clf.to_frame(polars.Series("texto", TEXTS))
    assert isinstance(frame, polars.DataFrame) and frame.columns == ["label", "score"]
    assert frame["label"].is_null().to_list() == [False, True, False, True, False]
    assert near(frame.drop_nulls().to_dicts(), clf([TEXTS[0], TEXTS[2], TEXTS[4]]), 1e-6)
    assert clf(polars.Series(TEXTS[:3]))[1] is None
    for name in ("tokens", "vectors"):
        pipe, good, _ = make_pipeline(name)
        (column,) = pipe.to_frame(polars.Series([good[0], None])).get_columns()
        assert column.is_null().to_list() == [False, True] and near(column[0].to_list(), pipe(good[0]), 1e-5)


def test_what_is_no_list_has_no_table(clf, tiny):
    for wrong in (3, pandas.DataFrame({"texto": TEXTS}), b"hola", np.array([["a"]])):
        with pytest.raises(InputError):
            clf.to_frame(wrong)
    with pytest.raises(InputError, match="item 1"):
        clf.to_frame(["hola", 3])
    with pytest.raises(OptionError, match="topk"):
        clf.to_frame(["hola"], topk=1)


def test_without_pandas(clf, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        clf.to_frame(["hola"])


@pytest.mark.slow
def test_calls_import_no_pandas(python, tiny):
    code = "import sys, gatonegro; gatonegro.pipeline('sentiment-analysis', sys.argv[1])(['a', None, float('nan')]); "
    done = python("-c", code + "print({'pandas', 'polars'} & {*sys.modules})", tiny)
    assert done.stdout == b"set()\n", done.stderr
