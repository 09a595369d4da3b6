"""Tests of texts in a language that is related to one of the model's, such as Catalan for a Spanish model."""

import csv
import json
import warnings

import pytest

from gatonegro import pipeline
from gatonegro.errors import LanguageMismatchError, LanguageMismatchWarning
from gatonegro.language import Languages, match_language

RELATIVES = {
    "ca": ["El professor és molt bo i tot serà senzill", "Aquesta pel·lícula m'ha agradat molt, la recomano a tothom",
           "No vull anar a l'escola demà al matí perquè estic cansada"],
    "gl": ["O hotel está moi ben e a xente é moi amable connosco",
    "Non quero ir á escola mañá pola mañá porque estou cansa",
           "Os nenos xogan na praia e as nais falan á sombra dunha árbore"],
    "pt": ["O professor é muito bom e tudo vai ser fácil",
    "Não quero ir à escola amanhã de manhã porque estou cansada"],
    "it": ["Il professore è molto bravo e tutto sarà semplice", "Non voglio andare a scuola domani mattina"],
}  # fmt: skip
SPANISH = [
    "El profesor es bueno, todo será sencillo", "que os den, buenas noches a todos",
    "no se que haria sin vosotros la verdad",
    "me voy pa casa que no puedo mas", "Esto es una porqueria, no lo compreis",
    "vaya tela con la película de ayer macho",
    "Ana y Jordi viven en Girona con su perro", "A Coruña y Ourense son ciudades de Galicia",
    "estoy harta de esta m... de servicio",
]  # fmt: skip


@pytest.mark.case("N8")
@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in RELATIVES.items() for text in texts])
def test_relatives_are_told(language, text):
    matched = match_language(text, Languages(("es", "en"), "card"))
    assert matched.language in (language, "pt" if language == "gl" else language) and matched.fits is False
    assert match_language(text, Languages((language,), "card")).fits is not False


@pytest.mark.case("N8")
@pytest.mark.parametrize("text", SPANISH)
def test_spanish_is_not_taken_for_a_relative(text):
    assert match_language(text, Languages(("es", "en"), "card")).fits is not False


@pytest.mark.case("N8")
def test_what_is_said_of_a_relative(make_folder):
    folder = make_folder()
    data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(data | {"languages": ["es"]}))
    classify = pipeline(model=folder)
    with pytest.warns(
        LanguageMismatchWarning, match="Catalan is related to Spanish, so its answer may be right"
    ) as caught:
        classify(RELATIVES["ca"][0])
    assert "catalán es pariente de español" in caught[0].message.in_("es")
    with pytest.warns(LanguageMismatchWarning, match="its answer is unreliable. Use a model for French"):
        pipeline(model=folder)("Le professeur est très bon et tout sera simple")
    with pytest.raises(LanguageMismatchError, match=r"Galician|Portuguese"):
        classify(RELATIVES["gl"][0], language_check="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classify(SPANISH)


@pytest.mark.shared
@pytest.mark.case("N8")
def test_how_many_relatives_are_told_and_how_many_are_not_relatives(shared):
    texts: dict[str, list[str]] = {}
    for name in ("sentences", "unaccented-spanish", "word-pairs"):
        with (shared / "data" / "langid" / f"{name}.tsv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                texts.setdefault(row["lang"], []).append(row["text"])
    told = {
        code: sum(match_language(text, Languages(("es", "en"), "card")).fits is False for text in texts[code])
        for code in ("es", "en", "ca", "gl", "pt")
    }
    assert told["es"] <= 1 and told["en"] == 0
    of_sentences = {code: told[code] / 500 for code in ("ca", "gl", "pt")}
    assert of_sentences["ca"] > 0.85 and of_sentences["gl"] > 0.5 and of_sentences["pt"] > 0.9
