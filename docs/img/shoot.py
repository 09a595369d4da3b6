"""Take screenshots of the page of an explanation, in both languages: `python docs/img/shoot.py`.

Needs Chromium with its driver, selenium and the built-in models.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from gatonegro import explain

HERE = Path(__file__).parent
TEXTS = {"en": "The food was awful, but I loved the waiter", "es": "La comida era mala, pero el camarero me encantó"}
STEP = "encoder.2.softmax"
HEAD = 4  # of twelve; it attends to neighbours
SIZE = 1060, 1320


def main() -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE[0]},{SIZE[1] + 140}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        for lang, text in TEXTS.items():
            with tempfile.TemporaryDirectory() as folder:
                browser.get(explain(text, lang=lang).save(Path(folder) / "x.html").as_uri())
                browser.execute_script(
                    "gatonegro.state.head = arguments[1];"
                    "gatonegro.go(gatonegro.data.steps.findIndex((step) => step.name === arguments[0]))",
                    STEP,
                    HEAD,
                )
                browser.save_screenshot(str(HERE / f"explain.{lang}.png"))
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
