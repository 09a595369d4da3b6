"""Tests of language detection, of diagnoses, and of the pipelines' language check."""

import csv
import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest

from gatonegro import AutoTokenizer, diagnose, hub, pipeline
from gatonegro.errors import GatonegroError, InputError, LanguageMismatchError, LanguageMismatchWarning, OptionError
from gatonegro.language import Languages, detect_language, language_probabilities, match_language
from gatonegro.language.matching import MAX_OWN_RATIO, is_long_enough, languages_of, relative_fertility

SPANISH = "El profesor es bueno, todo será sencillo"

ENGLISH = "The teacher is good, everything will be easy"

built_in = pytest.mark.skipif(
    "demo-en" not in hub.built_in_models(), reason="the built-in models are not installed: pip install ./models"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("El gato negro", "es"),
        ("The black cat", "en"),
        ("Mi abuela cocina", "es"),  # Esperanto, thinks the detector
        ("EL GATO NEGRO DUERME EN CASA", "es"),
        ("no one saw us", "en"),
        ("José García lives in Málaga.", "en"),
        ("", None),
        ("12 🐈 …", None),
        ("Zorg", None),
        ("\x00\n\t", None),
        ("He vuelto.", "es"),  # the first word is English too
        # common words decide about a few words
        ("It costs 2.50 euros.", "en"),
        ("Milk costs 1.20 euros.", "en"),
        ("Hello, Marta.", "en"),
        ("Hello.", "en"),
        ("Dear Mr. Smith:", "en"),
        ("mesa", "es"),
        ("Coge.", "es"),
        ("No te guardo rencor.", "es"),
        ("Where do you live now?", "en"),
    ],
)
def test_guesses(text, expected):
    assert detect_language(text) == expected


def test_of_long_texts_only_the_front_is_read():
    assert detect_language("El gato negro duerme. " * 50 + "The black cat sleeps. " * 100_000) == "es"
    assert next(iter(language_probabilities("猫が寝ています。"))) == "ja"


@pytest.mark.parametrize(
    ("text", "codes", "fits"),
    [
        (SPANISH, ("en",), False),
        (ENGLISH, ("en",), True),
        (SPANISH, ("es", "en"), True),
        ("O profesor galego fala moi amodo na súa aula", ("es",), False),  # Galician: a relative of Spanish
        ("Der Hund schläft heute lange im Garten", ("es", "en"), False),
        ("Hola", ("en",), None),  # too little is said
        ("Tom Hanks, Boston 1999 🎬", ("es",), None),
        ("猫が寝ています。犬も寝ています。", ("es", "en"), False),
        (SPANISH, (), None),  # for many languages
        ("", ("en",), None),
    ],
)
def test_matches(text, codes, fits):
    assert match_language(text, Languages(codes, "card")).fits is fits


@built_in
@pytest.mark.parametrize("text", ["el check-in fue super smooth", "hicimos un meeting con el team y fue super cool"])
def test_mixed_text_is_a_case_of_its_own(text):
    diagnosis = diagnose(text, "demo-en")
    assert diagnosis.mixed and diagnosis.fits is None and diagnosis.language == "es"
    assert not diagnose(SPANISH, "demo-en").mixed


@built_in
def test_the_courses_sentence_under_an_english_model():
    diagnosis = diagnose(SPANISH, model="demo-en")
    assert (diagnosis.language, diagnosis.model_languages) == ("es", ("en",))
    assert (diagnosis.known_by, diagnosis.fits) == ("config", False)
    assert diagnosis.confidence > 0.9 and diagnosis.tokens_per_word > 1.5 * diagnosis.best_fertility
    assert dict(diagnosis.fragmented)["profesor"] == ("prof", "es", "or") and diagnosis.unknown == ()
    assert "sentiment-es-en" in diagnosis.advice and "Spanish" in diagnosis.advice
    report = str(diagnosis)
    assert "prof·es·or" in report and "English (by its config)" in report and "→ this model was made for" in report
    assert json.loads(diagnosis.to_json())["fits"] is False
    assert diagnose([SPANISH, ENGLISH])[0].fits is diagnose(ENGLISH).fits is True
    assert diagnose(pipeline("sentiment-analysis", "demo-en")("x") and SPANISH, model="demo-en") == diagnosis


@built_in
def test_a_pipeline_can_be_diagnosed():
    assert diagnose(SPANISH, pipeline("sentiment-analysis", "demo-en")).fits is False
    with pytest.raises(InputError, match="item 1 is int") as raised:
        diagnose(["a", 1])
    assert raised.value.item == 1 and raised.value.in_("es").startswith("el elemento 1 es int")
    with pytest.raises(GatonegroError):
        diagnose("a", model="./there-is-none")
    with pytest.raises(InputError, match="not SimpleNamespace"):  # what looks like a pipeline is none
        diagnose("a", SimpleNamespace(tokenizer=None, model=None, languages=None))


@built_in
def test_a_diagnosis_is_printed_in_the_requested_language(monkeypatch):
    monkeypatch.setenv("GATONEGRO_LANG", "en")
    diagnosis = diagnose(SPANISH, "demo-en")
    assert diagnosis.to_dict("es")["advice"].startswith("este modelo se hizo para inglés, y su respuesta al español")
    assert diagnosis.to_dict()["advice"].startswith("this model was made for English, and its answer to Spanish")
    assert {"fragmented", "best_fertility"} < diagnosis.to_dict().keys() and "advice_message" not in diagnosis.to_dict()


def folder_of(path, sample, **config):
    """Write a tokenizer that keeps the words of some sentences whole, and splits others into letters."""
    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    letters = "abcdefghijklmnopqrstuvwxyzáéíóúñç.,¿?'-"
    for piece in (*letters, *("##" + c for c in letters), *" ".join(sample).lower().replace(".", "").split()):
        words.setdefault(piece, len(words))
    path.mkdir()
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (path / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    (path / "tokenizer_config.json").write_text('{"do_lower_case": true, "strip_accents": false}')
    return path


def test_a_models_languages(tmp_path):
    from gatonegro.language.matching import samples

    spanish = samples()["es"]["sentences"]
    folder = folder_of(tmp_path / "es", spanish)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    languages = languages_of(tokenizer, {}, str(folder))
    assert languages == Languages(("es",), "tokenizer")
    assert next(iter(relative_fertility(tokenizer))) == "es"

    (folder / "README.md").write_text("---\nlanguage: gl\n---\n# x\n", encoding="utf-8")
    assert languages_of(tokenizer, {}, str(folder)) == Languages(("gl",), "card")
    (folder / "README.md").write_text("---\nlanguage:\n- multilingual\n---\n", encoding="utf-8")
    assert languages_of(tokenizer, {}, str(folder)) == Languages((), "card")
    (folder / "README.md").write_text("---\nlanguage: [\n---\n", encoding="utf-8")  # damaged
    assert languages_of(tokenizer, {}, str(folder)).source == "tokenizer"
    assert languages_of(tokenizer, {"languages": ["fr"]}, str(folder)) == Languages(("fr",), "config")
    for strange in ("fr", [1], {}, None):
        assert languages_of(tokenizer, {"languages": strange}, str(folder)).source == "tokenizer"

    nothing = folder_of(tmp_path / "none", [])
    assert languages_of(AutoTokenizer.from_pretrained(nothing), {}, None).codes == ()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "known", "unknown"),
    [
        ("bert-base-uncased", "en", "es fr de pt ca it"),
        ("roberta-base", "en", "es fr de pt ca it"),
        ("beto-cased", "es", "en fr de pt"),
        ("robertuito-base-uncased", "es", "de fr nl tr"),
        ("bert-base-multilingual-cased", "es en fr de pt it ca nl", ""),
        ("t5-small", "en de ro", "es tr ru"),
    ],
)
def test_real_tokenizers_are_distinguished(shared, name, known, unknown):
    tokenizer = AutoTokenizer.from_pretrained(shared / "data" / "tokenizers" / name)
    codes = set(languages_of(tokenizer, {}).codes)
    assert set(known.split()) <= codes and not codes & set(unknown.split())
    assert MAX_OWN_RATIO < 1.4


@pytest.fixture(scope="module")
def english():
    return pipeline("sentiment-analysis", "demo-en")


@built_in
class TestPipelines:
    def test_one_warning_a_call_with_counts_and_an_example(self, english):
        texts = [ENGLISH, SPANISH, "ok", "Me encanta este curso tan bonito", "🐈"] * 3
        with pytest.warns(LanguageMismatchWarning) as seen:
            english(texts)
        (warning,) = seen
        message = str(warning.message)
        assert "item 1 ('El profesor es bueno" in message
        assert "Spanish" in message and "demo-en was made for English" in message
        assert "6 of 15" in message

    @pytest.mark.parametrize(
        "texts",
        [
            ENGLISH,
            "",
            "Juan Pérez, Bogotá",
            "2024-11-27",
            "😀😀😀",
            "hola",
            [ENGLISH] * 300,
            "María José García Hernández, Juan Carlos Rodríguez Fernández",
            "https://www.elpais.com/deportes/futbol/resultados",
            "@mariajosegarcia #buenosdias juan.carlos.rodriguez@correo.es",
        ],
    )
    def test_silence(self, english, texts):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            english(texts)
            english(SPANISH, language_check="off")

    def test_an_error_names_the_item(self, english):
        with pytest.raises(LanguageMismatchError, match=r"item 1 .*Spanish"):
            english([ENGLISH, SPANISH], language_check="error")
        strict = pipeline("sentiment-analysis", "demo-en", language_check="error")
        with pytest.raises(LanguageMismatchError):
            strict(SPANISH)
        assert strict(ENGLISH)[0]["label"] == "POSITIVE"

    def test_each_text_is_sent_to_a_model_that_fits(self, english):
        texts = [SPANISH, ENGLISH, "Me encanta este curso tan bonito", "Zut"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answers = english(texts, language_check="route")
            assert list(english(iter(texts), language_check="route")) == answers
        assert [answer["model"] for answer in answers] == ["sentiment-es-en", "demo-en", "sentiment-es-en", "demo-en"]
        assert answers[0]["label"] == "POS" and answers[1]["label"] == "POSITIVE"
        routed = english([SPANISH], language_check="route", top_k=2)
        assert [[answer["model"] for answer in top_two] for top_two in routed] == [["sentiment-es-en"] * 2]
        numbers = pipeline("feature-extraction", "demo-en", language_check="route")
        with pytest.raises(OptionError, match="name their model"):
            numbers([ENGLISH])

    def test_where_no_model_fits_there_is_a_warning(self, english):
        texts = ["Das Wetter ist heute sehr schlecht in Berlin", ENGLISH]
        with pytest.warns(LanguageMismatchWarning, match=r"item 0 .*German.*1 of 2"):
            answers = english(texts, language_check="route")
        assert [answer["model"] for answer in answers] == ["demo-en", "demo-en"]

    def test_items_keep_their_numbers_when_they_are_sent_elsewhere(self, english):
        from gatonegro.errors import GatonegroWarning

        with pytest.warns(GatonegroWarning, match="item 2 is longer"):
            english([ENGLISH, SPANISH, SPANISH + " " + SPANISH * 200], language_check="route")

    def test_the_warning_names_the_line_of_the_call(self, english):
        with pytest.warns(LanguageMismatchWarning) as seen:
            english([SPANISH])
            english.warned_kinds.clear()
            english(SPANISH)
            english.warned_kinds.clear()
            next(english(iter([SPANISH])))
            english([SPANISH] * 3)  # no more
        assert [warning.filename for warning in seen] == [__file__] * 3

    def test_a_generator_is_warned_of_at_its_first_answer(self, english):
        answers = english(text for text in [SPANISH] + [ENGLISH] * 5000)
        with pytest.warns(LanguageMismatchWarning):
            next(answers)

    def test_wrong_modes(self, english):
        for mode in ("loud", True, 1, ["warn"]):
            with pytest.raises(OptionError, match="language_check must be 'warn'"):
                english(ENGLISH, language_check=mode)
        with pytest.raises(OptionError, match="language_check"):
            pipeline("sentiment-analysis", "demo-en", language_check="loud")

    def test_long_inputs_are_sampled(self, english, monkeypatch):
        from gatonegro.pipelines import language_check

        looked = []
        monkeypatch.setattr(
            language_check, "match_language", lambda text, *more: looked.append(text) or match_language(text, *more)
        )
        english([ENGLISH[:40]] * 1000)
        assert 64 <= len(looked) <= 64 + 1000 // 32
        assert all(len(text) <= 300 for text in looked)


@built_in
def test_codes_are_read_as_people_write_them():
    from gatonegro.language.diagnosis import load_tokenizer_and_languages
    from gatonegro.language.matching import two_letter_code

    assert [two_letter_code(code) for code in ("pt-BR", "en_US", "eng", "ES", "gl")] == ["pt", "en", "en", "es", "gl"]
    tokenizer, *_ = load_tokenizer_and_languages("demo-en")
    assert languages_of(tokenizer, {"languages": ["spa", "pt-br"]}) == Languages(("es", "pt"), "config")
    # of what was not measured nothing is said
    swedish = "Huset ligger vid havet och barnen leker i trädgården varje dag"
    assert match_language(swedish, Languages(("en",), "tokenizer"), tokenizer).fits is None
    assert match_language(swedish, Languages(("en",), "card"), tokenizer).fits is False


@built_in
def test_fragmented_and_unknown_words_are_reported_as_in_the_text():
    diagnosis = diagnose("The cat 🐈 sleeps 🐈", "demo-en")
    assert diagnosis.unknown == ("🐈",) and diagnosis.tokens_per_word < 2.5
    diagnosis = diagnose("El profesor, mañana", "demo-en")
    assert all("".join(pieces) == word for word, pieces in diagnosis.fragmented)
    assert dict(diagnosis.fragmented)["profesor"] == ("prof", "es", "or")
    assert diagnose("El profesor es bueno, todo será sencillo", "translate-es-en").fits is not False
    advice = diagnose("El profesor es bueno, todo será sencillo", "demo-en").advice_message[0]
    assert "sentiment-es-en" in advice and "translate-es-en" not in advice
    assert diagnose("hola", "demo-en", revision=None, local_files_only=True).model == "demo-en"
    for wrong in (None, 5, {"text": "hola"}, b"hola"):
        with pytest.raises(InputError):
            diagnose(wrong)
    with pytest.raises(InputError, match="not object"):
        diagnose("hola", object())
    with pytest.raises(InputError, match="surrogate"):
        diagnose("a\ud800b hola", "demo-en")


@pytest.mark.slow
@built_in
def test_the_detector_is_loaded_when_first_needed():
    code = (
        "import sys, gatonegro; from gatonegro import diagnose; assert 'fasttext' not in sys.modules; "
        "diagnose('El gato', 'demo-en'); assert 'fasttext' in sys.modules and 'torch' not in sys.modules; "
        "assert 'requests' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.shared
def test_hardly_a_false_warning_and_hardly_a_miss(shared):
    """On long enough sentences of the research data; benchmarks/results/languages.md has the figures."""
    with (shared / "data" / "langid" / "sentences.tsv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = {lang: [r["text"] for r in rows if r["lang"] == lang] for lang in ("es", "en")}
    for lang in ("es", "en"):
        wrong = [t for t in texts[lang] if match_language(t, Languages(("es", "en"), "card")).fits is False]
        assert len(wrong) < 0.005 * len(texts[lang]), wrong
    tokenizer = AutoTokenizer.from_pretrained(shared / "data" / "tokenizers" / "bert-base-uncased")
    long = [t for t in texts["es"] if is_long_enough(t)]
    missed = [t for t in long if match_language(t, Languages(("en",), "card"), tokenizer).fits is not False]
    assert len(missed) < 0.01 * len(long), missed


@pytest.mark.slow
@built_in
def test_the_command_line():
    run = [sys.executable, "-m", "gatonegro", "diagnose", "-m", "demo-en"]
    done = subprocess.run([*run, SPANISH, "hola"], capture_output=True, text=True, check=True)
    first, second = done.stdout.split("\n\n")
    assert first.startswith(SPANISH + "\n  language  Spanish (p = 0.9") and "\n  → this model" in first
    assert second.startswith("hola\n")
    done = subprocess.run([*run, "--json"], input=f"{SPANISH}\n", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["fragmented"][0] == ["profesor", ["prof", "es", "or"]]
