"""Tests of the page of an explanation, in a real Chromium, from disk and without a network."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
from small import ROOT
from small_checkpoints import KINDS

from gatonegro import explain, hub

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install '.[test]'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("demo-en" not in hub.built_in_models(), reason="no built-in models: pip install ./models"),
]

TEXT = "El profesor es bueno, pero <script>alert(1)</script> era horrible"


@pytest.fixture(scope="module")
def explanation():
    return explain(TEXT, lang="es")


@pytest.fixture
def page(browser, explanation, tmp_path):
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    yield browser
    errors = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not errors


def step(browser) -> str:
    """Return the current position and the step's title."""
    return " ".join(browser.find_element("id", name).text for name in ("where", "title")).strip()


def go(browser, name: str) -> None:
    browser.execute_script("gatonegro.go(gatonegro.data.steps.findIndex((step) => step.name === arguments[0]))", name)


def test_it_asks_no_one_for_anything(browser, explanation, tmp_path):
    browser.get_log("performance")
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [m["params"]["request"]["url"] for m in requests if m["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith("file://") for url in requests) and len(requests) == 1
    source = (tmp_path / "x.html").read_text(encoding="utf-8")
    source = re.sub(r"http://www\.w3\.org/[\w/]+", "", source)  # names of kinds of elements, that no one asks for
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
    assert [re.findall(r"(\d)\.", title) for title in titles] == [[n] for n in "234567"]
    assert titles[2].startswith("layer 1 4. Softmax")
    assert step(page).startswith("layer 2 2.")
    page.find_element("css selector", "body").send_keys(webdriver.Keys.SHIFT + webdriver.Keys.ARROW_RIGHT)
    assert step(page).startswith("layer 3 2.")
    chip = page.find_element("css selector", "[data-step='encoder.2.norm']")
    chip.click()
    assert step(page).startswith("layer 3 6.") and page.switch_to.active_element == chip
    page.find_element("id", "after").click()
    page.find_element("css selector", "#layers button:nth-of-type(6)").click()
    assert step(page).startswith("layer 5 7.")
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(paper)
    page.find_element("id", "theme").click()
    assert page.execute_script(paper) != light


def test_its_numbers_are_the_tensors(page, explanation):
    go(page, "encoder.5.softmax")
    probs = explanation["encoder.5.softmax"].tensors["probs"]
    cells = """const number = (cell) => Number(cell.textContent.replace('−', '-').replace(',', '.'));
        const rows = [...document.querySelectorAll('.heat tbody tr')];
        return rows.map((row) => [...row.querySelectorAll('td')].map(number))"""
    np.testing.assert_allclose(page.execute_script(cells), probs.mean(0), atol=0.0061)
    page.find_element("css selector", "[data-head='3']").click()
    np.testing.assert_allclose(page.execute_script(cells), probs[3], atol=0.0056)
    row = page.find_element("css selector", ".heat tbody tr:nth-child(3)")
    webdriver.ActionChains(page).move_to_element(row).perform()
    marked = page.execute_script("return [...document.querySelectorAll('.heat thead th.on')].map((h) => h.dataset.c)")
    assert str(probs[3][2].argmax()) in marked
    go(page, "encoder.5.attention")
    scores = explanation["encoder.5.attention"].tensors["scores"]
    np.testing.assert_allclose(page.execute_script(cells), scores[3], atol=0.011)
    shown = page.execute_script("return gatonegro.data.answer")
    assert [(label, pytest.approx(score, abs=1e-4)) for label, score in explanation.answer] == [*map(tuple, shown)]
    strip = page.execute_script(
        """const step = gatonegro.data.steps.find((step) => step.name === 'encoder.5.feed_forward');
        return gatonegro.data.strips[step.tensors.find((tensor) => tensor.name === 'z').strip]"""
    )
    z = explanation["encoder.5.feed_forward"].tensors["z"]
    bytes_ = np.frombuffer(base64.b64decode(strip["bytes"]), np.uint8).reshape(z.shape)
    np.testing.assert_allclose(strip["first"], z[:, :4], rtol=1e-5)
    np.testing.assert_allclose((bytes_ - 128.0) / 127 * np.abs(z).max(), z, atol=np.abs(z).max() / 127)


def axe(browser) -> list[dict]:
    module = pytest.importorskip("axe_core_python.selenium", reason="axe is not installed: pip install '.[test]'")
    return module.Axe().run(browser)["violations"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_used_by_everyone(browser, explanation, tmp_path, theme):
    encoder = (
        "vectorization",
        "encoder.2.attention",
        "encoder.2.softmax",
        "encoder.2.feed_forward",
        "head",
        "attribution",
    )
    pages = [
        (explanation, encoder),
        (explain("El gato negro", model="toy"), ("encoder.0.linear", "encoder.0.softmax")),
        (explain("El gato negro", model="translate-es-en"), ("decoder.1.cross.softmax", "next")),
        (explain("El profesor es bueno, todo será sencillo", model="demo-en"), ("head",)),
    ]
    for shown, names in pages:
        browser.get(shown.save(tmp_path / "x.html").as_uri())
        browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        for name in names:
            go(browser, name)
            serious = [v for v in axe(browser) if v["impact"] in ("serious", "critical")]
            assert not serious, [(name, v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in serious]


def test_generative_models_and_the_toy(browser, tmp_path):
    explanation = explain(">>en<< El gato negro", model="translate-es-en", lang="es")
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    go(browser, "decoder.1.cross.softmax")
    rows = [th.text for th in browser.find_elements("css selector", ".heat tbody th")]
    columns = [th.text for th in browser.find_elements("css selector", ".heat thead th")]
    assert rows == list(explanation.written[1:]) and columns == list(explanation.tokens)
    aligned = browser.find_element("css selector", ".alignment tbody").text
    assert "▁cat\n▁gato" in aligned and "▁black\n▁negro" in aligned
    go(browser, "next")
    assert "▁cat" in browser.find_element("id", "step").text
    browser.get(explain("El gato negro", model="toy", lang="es").save(tmp_path / "toy.html").as_uri())
    go(browser, "encoder.0.linear")
    assert "Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4" in browser.find_element("id", "step").text
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def phone(browser, on: bool) -> None:
    how = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride" if on else "Emulation.clearDeviceMetricsOverride",
                            how if on else {})  # fmt: skip


def wide(browser) -> list[int]:
    return browser.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")


def test_on_a_phone_nothing_sticks_out(browser, explanation, tmp_path):
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    phone(browser, True)
    try:
        for name in ("vectorization", "encoder.1.attention", "encoder.1.softmax", "encoder.1.add", "attribution"):
            go(browser, name)
            assert wide(browser) == [360, 360], name
            for term in browser.find_elements("css selector", "#step .term"):
                browser.execute_script("arguments[0].focus()", term)
                assert wide(browser) == [360, 360], term.text
        serious = [v for v in axe(browser) if v["impact"] in ("serious", "critical")]
        assert not serious, [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in serious]
        long = "Internationalisierungsmaßnahmenkoordinierungsausschussvorsitzender ist heute nicht da"
        browser.get(explain(long, model="demo-en").save(tmp_path / "long.html").as_uri())
        assert wide(browser) == [360, 360]
    finally:
        phone(browser, False)


SHOWN = """
const seen = [], text = (names) => [...document.querySelectorAll(names)].map((node) => node.textContent);
for (const [i, step] of gatonegro.data.steps.entries()) {
  gatonegro.go(i);
  const strips = [...document.querySelectorAll('.strip')];
  const counts = strips.map((box) => ['span', 'canvas'].map((kind) => box.querySelectorAll(kind).length));
  seen.push([step.name, counts, text('.strip span, .heat th, .likeliest th, .tokens li'), text('#title')[0]]);
}
return seen"""


@pytest.mark.parametrize("kind", [*KINDS, "token-classification", "masked-lm", "pooler", "regression", "roberta"])
def test_every_step_of_every_kind_of_model(browser, parts, make_folder, tmp_path, kind):
    if kind in parts:
        model, tokenizer = parts[kind]
        explanation = explain("El gato negro", model, tokenizer=tokenizer, max_new_tokens=5)
    else:
        more = {
            "regression": {"problem_type": "regression"},
            "roberta": {"model_type": "roberta", "position_rule": "count", "type_vocab_size": 1},
        }
        head = kind if kind not in more else "sequence-classification"
        explanation = explain("the black cat", str(make_folder(head, **more.get(kind, {}))))
    browser.get_log("browser")
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    for name, strips, names, title in browser.execute_script(SHOWN):
        step = explanation[name]
        assert title[0] == str(step.number) and "undefined" not in " ".join(names), name
        assert all(labels == drawn for labels, drawn in strips), (name, strips)
        mine = {*step.rows, *step.columns, *explanation.words.values(), *explanation.written}
        assert {n for n in names if n in explanation.tokens} <= mine
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_word_is_followed_from_step_to_step(browser, tmp_path):
    explanation = explain("El gato negro", model="translate-es-en", lang="es")
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    go(browser, "decoder.1.cross.softmax")
    word = explanation.written.index("▁cat") - 1  # which is written at the place before
    browser.find_element("css selector", f".words [data-word='{word}']").click()
    rows = [th.text for th in browser.find_elements("css selector", ".heat tbody th, .alignment tbody th")]
    assert rows == ["▁cat", "▁cat"] and browser.switch_to.active_element.get_attribute("data-word") == str(word)
    go(browser, "next")
    (row,) = browser.find_elements("css selector", ".likeliest tr")
    assert row.text.startswith("▁black → ▁cat") and "chosen" in row.get_attribute("innerHTML")
    go(browser, "decoder.0.cross.linear")
    counts = [
        len(box.find_elements("css selector", "canvas")) for box in browser.find_elements("css selector", ".strip")
    ]
    read = len(explanation.tokens)
    assert counts == [1, read, 1, read, read]  # x, M, Q, K, V
    browser.find_element("css selector", ".words [data-word='-1']").click()
    assert len(browser.find_element("css selector", ".strip").find_elements("css selector", "canvas")) > 1


def test_labels_and_names_are_text_too(browser, make_folder, tmp_path):
    bad = "</script><script>alert(1)</script>"
    folder = make_folder("sequence-classification", id2label={0: bad, 1: "<b>x</b>", 2: "{{css}}"})
    folder = folder.rename(folder.with_name("<img src=x onerror=alert(1)>"))
    browser.get_log("browser")
    browser.get(explain("the <b>cat</b>", str(folder)).save(tmp_path / "x.html").as_uri())
    labels = [node.text for node in browser.find_elements("css selector", "#answer .bars li > span:first-child")]
    assert {bad, "<b>x</b>", "{{css}}"} <= set(labels) and "<img" in browser.find_element("id", "model").text
    assert browser.execute_script("return [document.scripts.length, document.images.length]") == [2, 0]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_twice_in_one_notebook_and_each_answers_for_itself(browser, tmp_path):
    shown = [explain(text, model="demo-en", lang="en")._repr_html_() for text in ("good", "It was <i>bad</i>")]
    (tmp_path / "x.html").write_text("<meta charset=utf-8>" + "<hr>".join(shown), encoding="utf-8")
    browser.get((tmp_path / "x.html").as_uri())
    titles = []
    for frame in browser.find_elements("css selector", "iframe"):
        browser.switch_to.frame(frame)
        browser.find_element("id", "after").click()
        titles.append([browser.find_element("id", name).text for name in ("text", "title")])
        browser.switch_to.default_content()
    assert titles == [["good", "2. Linear maps: Q, K, V"], ["It was <i>bad</i>", "2. Linear maps: Q, K, V"]]


def test_motion_is_left_out_where_that_is_wished(browser, explanation, tmp_path):
    how = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    go(browser, "encoder.0.softmax")
    lasts = "return getComputedStyle(document.querySelector('.links path')).transitionDuration"
    assert browser.execute_script(lasts) != "0s"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", how)
    assert browser.execute_script(lasts) == "0s"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_words_of_the_glossary_are_explained_on_focus(page):
    go(page, "encoder.0.softmax")
    terms = page.find_elements("css selector", "#step .term")
    assert terms
    hint = terms[0].find_element("css selector", ".gloss")
    assert not hint.is_displayed()
    page.execute_script("arguments[0].focus()", terms[0])
    glossary = page.execute_script("return gatonegro.data.glossary.es")
    meanings = {name.split(" (")[0]: meaning for name, meaning in glossary.items()}
    assert hint.is_displayed() and hint.text == meanings[terms[0].text.split("\n")[0].lower()]


def test_both_glossaries_are_whole():
    from gatonegro.glassbox.html import _data

    for terms in _data(explain("El gato", model="toy"))["glossary"].values():
        assert len(terms) >= 50 and all(text.endswith((".", "!")) for text in terms.values())


def test_a_language_mismatch_is_shown_with_its_evidence(browser, tmp_path):
    explanation = explain("El profesor es bueno, todo será sencillo", model="demo-en", lang="en")
    browser.get(explanation.save(tmp_path / "x.html").as_uri())
    banner = browser.find_element("id", "diagnosis")
    assert "2.29 per word" in banner.text and "Spanish" in banner.text
    words = [w.find_elements("css selector", "b") for w in banner.find_elements("css selector", ".fragmented > span")]
    assert ["prof", "es", "or"] in [[piece.text for piece in word] for word in words]


def test_less_of_a_long_text_is_drawn_with_a_note(tmp_path):
    explanation = explain("El profesor es bueno y todo será sencillo. " * 30, lang="es")
    source = explanation.save(tmp_path / "x.html").read_text(encoding="utf-8")
    assert len(source) < 12_000_000 and "guárdala como .safetensors" in source


def test_the_page_is_built_from_its_source(tmp_path):
    """The committed file is the output of `npm run build` from web/page.js."""
    import subprocess

    from gatonegro.glassbox.html import PAGE

    web = ROOT / "web"
    if not (web / "node_modules").exists() or not shutil.which("node"):
        pytest.skip("web/node_modules is not there: npm ci --prefix web")
    there = shutil.copytree(web, tmp_path / "web", symlinks=True)
    made = tmp_path / "src/gatonegro/glassbox/page/page.js"
    subprocess.run(["node", "build.mjs"], cwd=there, check=True)
    assert made.read_bytes() == (PAGE / "page.js").read_bytes()


@pytest.mark.case("S15")
@pytest.mark.parametrize("where", ["file", "notebook"])
def test_no_script_but_its_own_may_run(browser, explanation, tmp_path, where):
    """Inline scripts, handlers, javascript: links, bases and forms that a text could bring in do nothing."""
    if where == "file":
        path = explanation.save(tmp_path / "x.html")
    else:
        path = tmp_path / "notebook.html"
        path.write_text(f'<!doctype html><meta charset="utf-8">{explanation._repr_html_()}', encoding="utf-8")
    browser.get(path.as_uri())
    if where == "notebook":
        browser.switch_to.frame(browser.find_element("css selector", "iframe"))
    assert browser.find_element("id", "title").text, "the page's own script ran"
    policy = browser.find_element("css selector", "meta[http-equiv]").get_attribute("content")
    assert "base-uri 'none'; form-action 'none'" in policy and "script-src 'sha256-" in policy
    browser.get_log("browser")
    browser.execute_script(
        """
        window.ran = [];
        const put = (html) => document.body.insertAdjacentHTML('beforeend', html);
        const script = document.createElement("script");
        script.textContent = "window.ran.push('script')";
        document.body.append(script);
        put('<img src="data:x" onerror="window.ran.push(1)"><svg onload="window.ran.push(2)"></svg>');
        put('<button id="b" onclick="window.ran.push(3)">x</button>');
        put('<a id="a" href="javascript:window.ran.push(4)">x</a>');
        put('<base href="https://example.org/"><form id="f" action="https://example.org/"><input name="x"></form>');
        document.getElementById("b").click();
        document.getElementById("a").click();
        document.getElementById("f").submit();
        """
    )
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    assert browser.execute_script("return [window.ran, document.baseURI.startsWith('https')]") == [[], False]
    browser.switch_to.default_content()
    assert browser.current_url == path.as_uri()
    browser.get_log("browser")
