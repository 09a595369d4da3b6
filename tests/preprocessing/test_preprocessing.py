"""Tests of preprocessing: golden cases of pysentimiento 0.7.3 with emoji 2.16, and known differences.

The sentences are ours but for the examples that the reference's README and RoBERTuito's model card print."""

import re

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatonegro.errors import ConfigError, OptionError
from gatonegro.preprocessing import EMOJI, TRANSFORMS, known_emoji, preprocess_tweet, preprocessing_name, spell_emoji

SIZE = 80_000

LAUGH = "emoji cara revolviéndose de la risa emoji"

CAKE = "emoji tarta de cumpleaños emoji"

SHRUG = "emoji persona encogida de hombros emoji"

CARD = "Esto es un tweet estoy usando #Robertuito @pysentimiento 🤣"

# text → what the reference makes of it, and so do we
SPANISH = {
    "@perezjotaeme debería cambiar esto http://bit.ly/sarasa": "@usuario debería cambiar esto url",
    "jajajajaajjajaajajaja no lo puedo creer ajajaj": "jaja no lo puedo creer jaja",
    CARD: f"Esto es un tweet estoy usando hashtag robertuito @usuario  {LAUGH}",
    "Hola @pepe_99, ¿vienes?": "Hola @usuario, ¿vienes?",
    "eh,@pepe y@lola vengan": "eh,@usuario y@usuario vengan",
    'lo dijo @pepe: "no"': 'lo dijo @usuario: "no"',
    "#UnDiaGenial": "hashtag un dia genial",
    "me voy #VamosALaPlaya ya": "me voy hashtag vamos ala playa ya",
    "feliz #2023": "feliz #2023",
    "feliz #Navidad2023 a todos": "feliz hashtag navidad2023 a todos",
    "viva #LGTBIFobia no": "viva hashtag lgtbifobia no",
    "el #covid19 sigue": "el hashtag covid19 sigue",
    "C#mayor no es hashtag": "C#mayor no es hashtag",
    "##doble": "#hashtag doble",
    "(#Entre) «comillas» y “más”": '(hashtag entre) "comillas" y "más"',
    "lean https://t.co/LvRc5JJxvJ por favor": "lean url por favor",
    "en elpais.com y en www.marca.es/futbol hay más": "en url y en url hay más",
    "mira (http://es.wikipedia.org/wiki/Foo)": "mira (url)",
    "jaja": "jaja",
    "JAJAJA qué bueno": "JAJAJA qué bueno",
    "jejejeje no": "jejejeje no",
    "jajsjs me muero": "jajsjs me muero",
    "ajajaja": "jaja",
    "jajaj": "jajaj",
    "xD jajajajaja!!!": "xD jaja!!!",
    "holaaaaaa quéééé bien!!!!!!": "holaaa quééé bien!!!",
    "coooopa nooo": "cooopa nooo",
    "1000000 de veces": "1000 de veces",
    "uno.. dos... tres.....": "uno.. dos... tres...",
    "🎂🎂": f"{CAKE}  {CAKE}",
    "🎂🎂🎂🎂🎂": f"{CAKE}  {CAKE}  {CAKE}",
    "bien👍🏽": "bien emoji pulgar hacia arriba tono de piel medio emoji",
    "👩‍👩‍👧 en 🇦🇷": "emoji familia mujer mujer niña emoji  en  emoji bandera argentina emoji",
    "opción 1️⃣": "opción  emoji teclas 1 emoji",
    "te amo ♥": "te amo  emoji corazón rojo emoji",
    "don’t pares – nunca": "dont pares  nunca",
    "cuesta 5€": "cuesta 5$",
    "  \n ": "",
}

ENGLISH = {
    "@bob should change this http://bit.ly/sarasa": "@USER should change this HTTPURL",
    "hahahhahaha can't believe it ahahahahahah": "haha can't believe it haha",
    "jajajaja is not English": "jajajaja is not English",
    "🎉🎉": "emoji party popper emoji  emoji party popper emoji",
    "so #HappyToday 👍🏽": "so hashtag happy today  emoji thumbs up medium skin tone emoji",
}

OPTIONS = [
    ("no entiendo naaaaaaaadaaaaaaaa", {"shorten": 2}, "no entiendo naadaa"),
    ("siiiiii", {"shorten": None}, "siiiiii"),
    ("siiiiii", {"shorten": 0}, "siiiiii"),
    ("esto es #UnaGenialidad", {"hashtag_token": "etiqueta"}, "esto es etiqueta una genialidad"),
    ("esto es #UnaGenialidad", {"preprocess_hashtags": False}, "esto es #UnaGenialidad"),
    ("@ana hola", {"preprocess_handles": False}, "@ana hola"),
    ("qué risa 🤣", {"demoji": False}, "qué risa 🤣"),
    ("qué risa 🤣", {"emoji_wrapper": ""}, "qué risa  cara revolviéndose de la risa"),
    ("jajajaja", {"normalize_laughter": False}, "jajajaja"),
    ("“así”…", {"char_replace": False}, "“así”…"),
    ("@ana en https://t.co/a", {"user_token": "[USER]", "url_token": "[URL]"}, "[USER] en [URL]"),
]

# text, what the reference makes of it, what we do: each is told in the docstring
DIFFERENT = [
    ("escribe a ana@mail.com", "escribe a ana@url", "escribe a ana@mail.com"),
    ("ana.p+x@mi-casa.com.ar", "ana.p+x@usuario-url.ar", "ana.p+x@mi-casa.com.ar"),
    ("nos vemos @ casa", "nos vemos @usuario casa", "nos vemos @ casa"),
    ("@superlongusernamemorethan15", "@usuariomemorethan15", "@usuario"),
    ("https://t.co/AbC123 fin", "https://url fin", "url fin"),
    ("google.com es útil", "google.com es útil", "url es útil"),
    ("ve https://ejemplo.com/a-b_c?x=1&y=2#Fin.", "ve url-b_c?x=1&y=2#Fin.", "ve url."),
    ("(http://es.wikipedia.org/wiki/Foo_(bar))", "(url_(bar))", "(url)"),
    ("en http://localhost:80/x", "en http://localhost:80/x", "en url"),
    ("mira:http://medium.com/@ana", "mira:url/@usuario", "mira:url"),
    ("miraHTTP://A.B", "miraHTTP://A.B", "mira url"),
    ("está bien.no me gusta", "está url me gusta", "está bien.no me gusta"),
    ("dijo hola.comida rica", "dijo urlida rica", "dijo hola.comida rica"),
    ("no…me gusta", "nome gusta", "no me gusta"),
    ("te amo ❤️", "te amo", "te amo  emoji corazón rojo emoji"),
    ("qué mal ☹", "qué mal", "qué mal  emoji cara con el ceño fruncido emoji"),
    ("Marca® mía", "Marca emoji marca registrada emoji  mía", "Marca® mía"),
    ("🤷‍♀️ no sé", f"{SHRUG} \u200d no sé", f"{SHRUG}  no sé"),
    ("🎂‍🤣", f"{CAKE} \u200d {LAUGH}", f"{CAKE}  {LAUGH}"),
    ("hola|mundo|cruel", "hola emoji mundo emoji cruel", "hola|mundo|cruel"),
    ("#MañanaÚnica", "hashtag mañanaúnica", "hashtag mañana única"),
]  # fmt: skip


@pytest.mark.parametrize("text", SPANISH)
def test_spanish_is_as_the_reference(text):
    assert preprocess_tweet(text) == SPANISH[text]


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_as_the_reference(text):
    assert preprocess_tweet(text, lang="en") == ENGLISH[text]


@pytest.mark.parametrize(("text", "options", "expected"), OPTIONS)
def test_options_are_as_the_reference(text, options, expected):
    assert preprocess_tweet(text, **options) == expected


@pytest.mark.parametrize(("text", "theirs", "ours"), DIFFERENT)
def test_differs_on_purpose(text, theirs, ours):
    assert theirs != ours
    assert preprocess_tweet(text) == ours


def test_options_that_the_reference_lacks():
    assert (
        preprocess_tweet("esto es #UnaGenialidad", hashtag_token="") == "esto es una genialidad"
    )  # as its README has it
    assert preprocess_tweet("@ana en t.co/x#A", preprocess_urls=False) == "@usuario en t.co/x#A"
    assert preprocess_tweet("siiiiii no", shorten=1) == "si no"


def test_links_end_where_the_sentence_goes_on():
    for after in (".", "...", "?!", ":)", ", y", "'", ")", "🎂"):
        text = preprocess_tweet(f"ve https://t.co/a{after}", demoji=False)
        assert text == f"ve url{after}"
    assert preprocess_tweet("(ve www.a.com:80/b_(c).)", demoji=False) == "(ve url.)"
    assert preprocess_tweet("http:// y https://🎂", demoji=False) == "http:// y https://🎂"


@pytest.mark.shared
def test_the_tokens_are_those_of_the_model_card(shared):
    from gatonegro import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shared / "data" / "tokenizers" / "robertuito-base-uncased")
    assert tokenizer.tokenize(preprocess_tweet(CARD)) == (  # the card is the cased model's: ▁Esto, ▁ro bert uito
        "▁esto ▁es ▁un ▁tweet ▁estoy ▁usando ▁ ▁hashtag ▁ ▁robert uito ▁@usuario ▁ ▁emoji ▁cara ▁revolviéndose ▁de "
        "▁la ▁risa ▁emoji"
    ).split(" ")


# 80,000 of each: a pattern that tried every start to the end would need minutes for most of these
@pytest.mark.parametrize(
    ("unit", "times", "expected"),
    [
        ("a", SIZE, "aaa"),
        ("ja", SIZE, "jaja"),
        ("#", SIZE, "###"),
        ("@", SIZE, "@@@"),
        ("_", SIZE, "___"),
        (".", SIZE, "..."),
        ("🎂", SIZE, f"{CAKE}  {CAKE}  {CAKE}"),
        ("http://", 10_000, "url"),
        ("a-", SIZE, "a-" * SIZE),
        ("a.", SIZE, "a." * SIZE),
        ("a…", SIZE, "a " * (SIZE - 1) + "a"),
        ("@a", SIZE, "@usuario" * SIZE),
        ("#1", SIZE, "#1" * SIZE),
        ("x@y ", SIZE, ("x@usuario " * SIZE).strip()),
        ("http://a) ", SIZE, ("url) " * SIZE).strip()),
        ("🎂\u200d", SIZE, f" {CAKE} " * (SIZE - 1) + f" {CAKE} \u200d"),
        ("🇦", SIZE, "🇦" * 3),
        ("\u200d", SIZE, "\u200d" * 3),
    ],
    ids=lambda value: None if isinstance(value, int) else ascii(value[:12]),
)
def test_long_texts_take_one_pass(unit, times, expected):
    assert preprocess_tweet(unit * times) == expected.strip()


@pytest.mark.parametrize("letter", ["a", "j", "ja", "aj"])
def test_long_runs_of_letters_that_are_kept(letter):
    laughs = len(letter) == 2
    assert preprocess_tweet(letter * SIZE, shorten=None) == ("jaja" if laughs else letter * SIZE)


def test_closing_brackets_of_a_link_are_counted_once():
    assert preprocess_tweet("http://a" + ")" * SIZE, shorten=None) == "url" + ")" * SIZE


@given(st.text(st.one_of(st.characters(), st.sampled_from("@#.:/a|ja🎂❤️\u200d🏽🇦1\u20e3")), max_size=60))
def test_any_text_gives_a_text(text):
    for lang in ("es", "en"):
        assert isinstance(preprocess_tweet(text, lang), str)
        assert isinstance(spell_emoji(text, {"❤"}, lang), str)


@given(
    st.lists(
        st.sampled_from("El gato negro, ¿duerme? ¡Sí! (a las 10:30) no es-así; 3.5 o 1,000 cañas y/o té #1".split(" "))
    )
)
def test_plain_text_stays(words):
    text = " ".join(words)
    assert preprocess_tweet(text) == text
    assert spell_emoji(text) is text


PIECES = [*SPANISH, *(text for text, _, _ in DIFFERENT), "ana@mail.com", "hola", "❤️‍🔥"]


@given(st.lists(st.sampled_from([piece for piece in PIECES if "##" not in piece]), max_size=4))
def test_a_second_time_changes_nothing(pieces):
    once = preprocess_tweet(" ".join(pieces))
    assert preprocess_tweet(once) == once


def test_spelled_emoji_are_set_apart():
    assert spell_emoji("🎂") == "tarta de cumpleaños"
    assert spell_emoji("hola🎂🤣, ¡no!\n🎂 y") == (
        "hola tarta de cumpleaños cara revolviéndose de la risa , ¡no!\ntarta de cumpleaños y"
    )
    assert spell_emoji("🎂 🎂  ya") == "tarta de cumpleaños tarta de cumpleaños  ya"
    assert spell_emoji("so 🎂", lang="en") == "so birthday cake"


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("👍🏽", "pulgar hacia arriba"),
        ("👩‍👩‍👧", "familia mujer mujer niña"),
        ("👩🏽‍🚀", "astronauta mujer"),
        ("🤷🏻‍♀️", "mujer encogida de hombros"),
        ("🇦🇷", "bandera argentina"),
        ("🇦🇷🇪🇸", "bandera argentina bandera españa"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "bandera inglaterra"),
        ("1️⃣", "teclas 1"),
        ("❤️", "corazón rojo"),
        ("❤", "corazón rojo"),
        ("❤\ufe0e", "corazón rojo"),
        ("☝️🏽", "dedo índice hacia arriba"),
        ("🎂‍🤣", "tarta de cumpleaños cara revolviéndose de la risa"),
        ("🏽", "tono de piel medio"),
    ],
)
def test_a_sequence_is_one_emoji(text, spelled):
    assert spell_emoji(text) == spelled


@pytest.mark.parametrize("text", ["", "hola", "1 # *", "→ año—«tú» 5€", "Marca® ™ ©", "🇦", "日本ー", "\u200d\ufe0f"])
def test_what_is_no_emoji_comes_back_itself(text):
    assert spell_emoji(text) is text


def test_known_emoji_stay():
    text = "bien👍👍, 🎂"
    assert spell_emoji(text, known={"👍", "🎂"}) is text
    assert spell_emoji(text, known={"👍"}) == "bien👍👍, tarta de cumpleaños"
    assert spell_emoji("👍🏽🎂", known={"👍"}) == "👍 tarta de cumpleaños"
    assert spell_emoji("❤️", known={"❤"}) == "❤"
    assert spell_emoji("❤", known={"❤️"}) == "❤️"
    assert spell_emoji("👩‍🚀", known={"👩", "🚀"}) == "astronauta mujer"
    assert spell_emoji("👩🏽‍🚀", known={"👩‍🚀"}) == "👩‍🚀"
    assert spell_emoji("🎂‍🤣", known={"🎂"}) == "🎂 cara revolviéndose de la risa"  # no sequence of Unicode's


def test_every_emoji_of_unicode_is_spelled():
    for chars in emoji.EMOJI_DATA:
        if chars not in "©®™":
            assert EMOJI.fullmatch(chars), ascii(chars)
            assert re.fullmatch(r"a \S+( \S+)* b", spelled := spell_emoji(f"a{chars}b")), ascii(chars)
            assert not emoji.emoji_count(spelled), ascii(chars)


@given(st.text(st.sampled_from("ab .🎂👍🏽❤️\u200d♀🇦🇷1\u20e3→®"), max_size=30))
def test_spelling_twice_is_spelling_once(text):
    for known in (frozenset(), {"👍", "❤"}):
        once = spell_emoji(text, known)
        assert spell_emoji(once, known) == once


def test_long_texts_are_spelled_in_one_pass():
    assert spell_emoji("🎂" * SIZE) == "tarta de cumpleaños " * (SIZE - 1) + "tarta de cumpleaños"
    assert spell_emoji("🎂\u200d" * SIZE + "🎂", known={"🎂"}) == "🎂" * (SIZE + 1)
    for kept in ("a", "\ufe0f", "\u200d", "1\ufe0f", "→\u200d", "🇦🇦"):
        assert spell_emoji(kept * SIZE) in (kept * SIZE, (kept * SIZE).replace("→\u200d", "→") + "\u200d")


def test_known_emoji_are_read_from_a_vocabulary():
    pieces = {"▁hola": 0, "▁👍": 1, "🎂": 2, "##❤": 3, "Ġ🤣</w>": 4, "→": 5, "🎂🎂": 6, "1": 7, "": 8, "▁": 9, "🏽": 10}
    assert known_emoji(pieces) == {"👍", "🎂", "❤", "🤣", "🏽"}


def test_names_are_only_read_when_a_text_has_emoji(python):
    code = """
import sys
from gatonegro.preprocessing import known_emoji, preprocess_tweet, spell_emoji
preprocess_tweet("¡hola @ana! #UnDia… http://a.es jajajaja")
spell_emoji("¿qué “tal”…? 5 € — ©"), known_emoji(["▁hola", "##a"])
assert "emoji" not in sys.modules and "torch" not in sys.modules
assert spell_emoji("🎂") and "emoji" in sys.modules
"""
    ended = python("-c", code)
    assert ended.returncode == 0, ended.stderr.decode()


def test_options_that_cannot_be_taken_say_what_to_do():
    for call in (preprocess_tweet, spell_emoji):
        with pytest.raises(OptionError, match=r"lang='fr'.*es, en.*Pass one"):
            call("hola", lang="fr")
    with pytest.raises(OptionError, match=r"shorten=-1.*None"):
        preprocess_tweet("hola", shorten=-1)


def test_which_preprocessing_a_model_wants():
    assert list(TRANSFORMS.items()) == [("robertuito", preprocess_tweet), ("spell-emoji", spell_emoji)]
    assert preprocessing_name("pysentimiento/robertuito-sentiment-analysis", None) == "robertuito"
    assert preprocessing_name("/modelos/RoBERTuito-mio", None) == "robertuito"
    assert preprocessing_name("sentiment-es-en", None) is None
    assert preprocessing_name("ana/pysentimiento", None) is None
    assert preprocessing_name("sentiment-es-en", "spell-emoji") == "spell-emoji"
    assert preprocessing_name("pysentimiento/robertuito-base-uncased", "spell-emoji") == "spell-emoji"
    for unknown in ("Robertuito", ""):
        with pytest.raises(ConfigError, match=r"^\./modelo: .*Supported: robertuito, spell-emoji. Correct config.json"):
            preprocessing_name("./modelo", unknown)
