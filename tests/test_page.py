"""The page of an explanation, in a real Chromium, from disk and without a network."""

import base64
import json
import re
import shutil

import numpy as np
import pytest

from gatonegro import explain, hub

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install '.[test]'")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no chromium with its driver (Debian: chromium chromium-driver)"
    ),
    pytest.mark.skipif("demo-en" not in hub.built_in_models(), reason="no built-in models: pip install ./models"),
]
TEXT = "El profesor es bueno, pero <script>alert(1)</script> era horrible"


@pytest.fixture(scope="module")
def browser():
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1100,1400",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield made
    made.quit()


@pytest.fixture(scope="module")
def found():
    return explain(TEXT, lang="es")


@pytest.fixture
def page(browser, found, tmp_path):
    browser.get(found.save(tmp_path / "x.html").as_uri())
    yield browser
    said = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not said


def step(browser) -> str:
    return browser.find_element("css selector", "#step h2").text


def go(browser, name: str) -> None:
    browser.execute_script("go(data.steps.findIndex((step) => step.name === arguments[0]))", name)


def test_it_asks_no_one_for_anything(browser, found, tmp_path):
    browser.get_log("performance")
    browser.get(found.save(tmp_path / "x.html").as_uri())
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith("file://") for url in asked) and len(asked) == 1
    source = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']|https?://|@import|url\(""", source) and len(source) < 3_000_000


def test_text_is_text(page):
    assert page.find_element("css selector", "h1").text == TEXT
    assert page.execute_script("return document.scripts.length") == 2


def test_steps_languages_and_themes(page):
    assert step(page).startswith("1. Vectorización")
    page.find_element("id", "en").click()
    assert step(page).startswith("1. Vectorization")
    assert page.execute_script("return document.documentElement.lang") == "en"
    go(page, "encoder.0.linear")
    titles = []
    for _ in range(6):
        titles.append(step(page))
        page.find_element("css selector", "body").send_keys(webdriver.Keys.ARROW_RIGHT)
    assert [title[0] for title in titles] == list("234567") and titles[2].startswith("4. Softmax")
    assert step(page).startswith("2.") and "layer 2" in step(page)
    page.find_element("css selector", "body").send_keys(webdriver.Keys.PAGE_DOWN)
    assert step(page).startswith("2.") and "layer 3" in step(page)
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(paper)
    page.find_element("id", "theme").click()
    assert page.execute_script(paper) != light


def test_its_numbers_are_the_tensors(page, found):
    go(page, "encoder.5.softmax")
    probs = found["encoder.5.softmax"].tensors["probs"]
    cells = """return [...document.querySelectorAll('#step tbody tr')].map(
        (row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent)))"""
    np.testing.assert_allclose(page.execute_script(cells), probs.mean(0), atol=0.0061)
    from selenium.webdriver.support.select import Select

    picker = page.find_element("css selector", "#step select")
    Select(picker).select_by_value("3")
    np.testing.assert_allclose(page.execute_script(cells), probs[3], atol=0.0056)
    row = page.find_element("css selector", "#step tbody tr:nth-child(3)")
    webdriver.ActionChains(page).move_to_element(row).perform()
    marked = page.execute_script("return [...document.querySelectorAll('#step thead th.on')].map((h) => h.dataset.c)")
    assert str(probs[3][2].argmax()) in marked
    shown = page.execute_script("return data.answer")
    assert [(label, pytest.approx(score, abs=1e-4)) for label, score in found.answer] == [tuple(one) for one in shown]
    strip = page.execute_script("return data.steps.find((s) => s.name === 'encoder.5.feed_forward').tensors.z")
    z = found["encoder.5.feed_forward"].tensors["z"]
    bytes_ = np.frombuffer(base64.b64decode(strip["bytes"]), np.uint8).reshape(z.shape)
    np.testing.assert_allclose((bytes_ - 128.0) / 127 * np.abs(z).max(), z, atol=np.abs(z).max() / 127)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["vectorization", "encoder.2.softmax", "encoder.2.feed_forward", "head", "attribution"]
)
def test_it_can_be_used_by_everyone(page, theme, name):
    axe = pytest.importorskip("axe_core_python.selenium", reason="axe is not installed: pip install '.[test]'")
    page.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
    go(page, name)
    serious = [v for v in axe.Axe().run(page)["violations"] if v["impact"] in ("serious", "critical")]
    assert not serious, [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in serious]


def test_models_that_write_and_the_toy(browser, tmp_path):
    found = explain(">>en<< El gato negro", model="translate-es-en", lang="es")
    browser.get(found.save(tmp_path / "x.html").as_uri())
    go(browser, "decoder.1.cross.softmax")
    rows = [th.text for th in browser.find_elements("css selector", "#step tbody th")]
    columns = [th.text for th in browser.find_elements("css selector", "#step thead th")]
    assert rows == list(found.written[1:]) and columns == list(found.tokens)
    go(browser, "next")
    assert "▁cat" in browser.find_element("id", "step").text
    browser.get(explain("El gato negro", model="toy", lang="es").save(tmp_path / "toy.html").as_uri())
    go(browser, "linear")
    assert "Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4" in browser.find_element("id", "step").text
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_on_a_phone_nothing_sticks_out(browser, found, tmp_path):
    browser.get(found.save(tmp_path / "x.html").as_uri())
    browser.set_window_size(500, 900)
    try:
        for name in ("vectorization", "encoder.1.softmax", "encoder.1.add", "attribution"):
            go(browser, name)
            wide = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
            assert wide[0] <= wide[1], name
    finally:
        browser.set_window_size(1100, 1400)


def test_words_of_the_glossary_are_told_on_focus(page):
    go(page, "encoder.0.softmax")
    terms = page.find_elements("css selector", "#step .term")
    assert terms
    hint = terms[0].find_element("css selector", ".gloss")
    assert not hint.is_displayed()
    page.execute_script("arguments[0].focus()", terms[0])
    assert (
        hint.is_displayed()
        and hint.text == page.execute_script("return data.glossary.es")[terms[0].text.split("\n")[0].lower()]
    )


def test_both_glossaries_are_whole():
    from gatonegro.glassbox.html import PAGE

    for lang in ("es", "en"):
        terms = json.loads((PAGE / f"glossary.{lang}.json").read_text(encoding="utf-8"))
        assert len(terms) >= 50 and all(text.endswith((".", "!")) for text in terms.values())
