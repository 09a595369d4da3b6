"""The sentiment recipe on a small cut of made-up data."""

import gzip
import json
import random
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from small import ROOT
from torch import nn

from gatonegro import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer, pipeline

pytestmark = pytest.mark.slow


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]


LANDS = ("es", "mx", "cr", "pe", "uy")

ROWS = {
    "es": [
        ("La clase es buena", "POS", "umsab"),
        ("El hotel es muy malo", "NEG", "opener"),
        ("Es una clase", "NEU", "umsab"),
    ],
    "en": [("good film", "POS", "sst2"), ("a bad film", "NEG", "sst2"), ("it is a film", "NEU", "semeval2017")],
}

DEV = {"es": [("un hotel muy bueno", "POS", "opener")], "en": [("a film of nothing", "NEG", "sst2")]}


def table(rows) -> str:
    return "text\tlabel\tsource\n" + "".join("\t".join(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data" / "sentiment"
    folder.mkdir(parents=True)
    for lang, rows in ROWS.items():
        (folder / f"{lang}.train.tsv.gz").write_bytes(gzip.compress(table(rows * 30).encode()))
        (folder / f"{lang}.dev.tsv").write_text(table([*rows * 3, *DEV[lang]]), encoding="utf-8")
    tweets = "text\temoji\n" + "buena clase\t😀\nmuy malo\t😡\n" * 40
    emotions = "text\tlang\temotions\tsource\n" + "qué clase\tes\tjoy\txed\nmalo\tes\tanger\temoevent\n" * 20
    for name, rows in (("es.emoji50k", tweets), ("emotions", emotions)):
        (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    (folder.parent / "parallel").mkdir()
    pairs = "en\tes\tsource\n" + "a good film\tuna buena película\ttatoeba\n" * 10
    pairs += "a bad bank\tun mal banco\tnews\n" * 10
    (folder.parent / "parallel" / "train.tsv.gz").write_bytes(gzip.compress(pairs.encode()))
    return folder.parent


@pytest.fixture
def recipe(monkeypatch):
    """Return `recipe("train")`, the recipe's modules with so few texts that they run in seconds."""
    pytest.importorskip("sklearn")
    folder = ROOT / "recipes" / "sentiment"
    monkeypatch.syspath_prepend(str(folder))
    for name in (path.stem for path in folder.glob("*.py")):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import data

    counts = {"emoji": 60, "xed": 15, "emoevent": 15, "pairs": 5}
    monkeypatch.setattr(data, "UNLABELLED", {k: replace(data.UNLABELLED[k], count=n) for k, n in counts.items()})
    monkeypatch.setattr(data, "phrases", lambda lang, rng: [("qué bien", "POS"), ("qué mal", "NEG")])
    monkeypatch.setattr(data, "REVIEWS", 9)
    monkeypatch.setattr(data, "RATINGS", {"es": 5, "en": 5})
    return import_module


def test_the_sentiment_recipe_from_data_to_pipeline_stopped_and_resumed(make_folder, data, tmp_path, recipe):
    base = make_folder("pooler", hidden_dropout_prob=0.1, max_position_embeddings=128)
    main = recipe("train").main

    def train(out, *more):
        main(["--data", str(data), "--base", str(base), "--out", str(tmp_path / out), *more])
        return AutoModelForSequenceClassification.from_pretrained(tmp_path / out / "third" / "model")

    whole = train("whole")
    for stage in ("first", "second", "third"):
        train_stopped = [*(("--stages", stage)), "--stop-after", "2"]
        before = {"first": base, "second": tmp_path / "parts" / "first", "third": tmp_path / "parts" / "second"}[stage]
        source = before if stage == "first" else before / "model"
        main(["--data", str(data), "--base", str(source), "--out", str(tmp_path / "parts"), *train_stopped])
        main(["--data", str(data), "--base", str(source), "--out", str(tmp_path / "parts"), "--stages", stage])
    parts = AutoModelForSequenceClassification.from_pretrained(tmp_path / "parts" / "third" / "model")
    assert same(parts, whole)
    assert whole.config.id2label == {0: "NEG", 1: "NEU", 2: "POS"}
    record = log(tmp_path / "whole" / "third")[-1]
    assert {"es.umsab", "en.sst2", "loss"} <= record.keys()


def test_open_data_alone(data, recipe, make_folder):
    module = recipe("data")
    rows = module.labelled(data / "sentiment", True)
    assert {r.source for r in rows} == {"umsab", "opener", "sst2", "short"}
    model = AutoModelForSequenceClassification.from_pretrained(make_folder())
    tokenizer = AutoTokenizer.from_pretrained(make_folder())
    sources = {
        only_open: module.self_labelled([model], tokenizer, data, only_open, random.Random(1))
        for only_open in (True, False)
    }
    assert {r.source for r in sources[True]} == {"emoji", "xed", "pairs"}
    assert not [r for r in sources[True] if "bank" in r.text or "banco" in r.text]  # news states no licence
    assert {r.source for r in sources[False]} == {"emoji", "xed", "pairs", "emoevent"}
    assert [r for r in sources[False] if "bank" in r.text]


def test_every_source_has_a_licence_of_the_table(recipe):
    data = recipe("data")
    table = {row["licence"]: row["allowed"] for row in data.lines(data.HERE.parent / "licences.tsv")}
    assert set(table.values()) == {"yes", "no"}
    sources = [*data.SOURCES.values(), *data.UNLABELLED.values()]
    named = [*(source.licence for source in sources), *data.PAIRS.values()]
    assert set(named) <= table.keys()
    barred = {name for (_, name), source in data.SOURCES.items() if not source.open}
    assert barred == {"turismo", "tass-general", "semeval2017", "airline", *(f"tass2020-{x}" for x in LANDS)}
    assert not data.UNLABELLED["emoevent"].open


def test_one_encoder_learns_three_tasks_stopped_and_resumed(make_folder, data, tmp_path, recipe):
    multitask = recipe("multitask")
    (data / "ner").mkdir()
    tagged = "La\tO\nclase\tO\nde\tO\nHugo\tB-PER\n\n" * 8
    (data / "ner" / "ancora.es.train.gz").write_bytes(gzip.compress(tagged.encode()))
    (data / "ner" / "ancora.es.dev").write_text(tagged, encoding="utf-8")
    (data / "ner" / "uner_ewt.en.dev").write_text("1\tHugo\tB-PER\t-\tx\n2\tis\tO\t-\tx\n\n" * 10, encoding="utf-8")
    (data / "parallel" / "dev.tsv").write_text("en\tes\tsource\na film\tuna película\ttatoeba\n", encoding="utf-8")
    base = make_folder(hidden_dropout_prob=0.1, max_position_embeddings=128)

    def train(out, *more):
        words = ["--data", data, "--base", base, "--out", tmp_path / out, "--layer", 1, "--passes", 0.1, *more]
        multitask.main([str(word) for word in words])
        return AutoModelForTokenClassification.from_pretrained(tmp_path / out / "entities")

    whole = train("whole")
    train("parts", "--stop-after", 2)
    assert same(train("parts"), whole)
    assert whole.config.num_hidden_layers == 1 and whole.config.id2label[1] == "B-PER"
    record = log(tmp_path / "whole")[-1]
    assert {"es.umsab", "entities.es", "entities.en", "retrieval"} <= record.keys()
    sentiment = AutoModelForSequenceClassification.from_pretrained(tmp_path / "whole" / "model")
    assert torch.equal(
        sentiment.encoder.layers[0].feed_forward.up.weight, whole.encoder.layers[0].feed_forward.up.weight
    )
    (entity,) = pipeline("token-classification", model=tmp_path / "whole" / "entities")("clase")
    assert entity["entity"] in whole.config.id2label.values()


def test_a_soup_is_the_mean(make_folder, tmp_path, recipe):
    folders = [make_folder(seed=seed) for seed in (1, 2)]
    recipe("soup").soup(folders, tmp_path)
    first, second, mean = (
        AutoModelForSequenceClassification.from_pretrained(f) for f in (*folders, tmp_path / "model")
    )  # fmt: skip
    for a, b, m in zip(first.parameters(), second.parameters(), mean.parameters(), strict=True):
        torch.testing.assert_close((a + b) / 2, m)


def test_reviews_say_what_their_label_says(recipe):
    reviews = recipe("reviews")
    rows = reviews.reviews(600, random.Random(1))
    assert len({text for text, _ in rows}) == 600 and all("  " not in text for text, _ in rows)
    verdicts = reviews.sentences()["verdict", "NEG"]
    ends = [label for text, label in rows if any(text.lower().endswith(v) for v in verdicts)]
    assert len(ends) > 50 and set(ends) == {"NEG"}
    assert rows == reviews.reviews(600, random.Random(1)) != reviews.reviews(600, random.Random(2))


def test_ratings_say_what_they_stand_for(recipe):
    rows = dict(recipe("reviews").ratings("es", 2500, random.Random(1)))
    for text, label in {
        "Nota: 1/10": "NEG",
        "Se merece 10/10": "POS",
        "Un 5 de 10": "NEU",
        "5 estrellas": "POS",
    }.items():
        assert rows.get(text, label) == label
    stars = {text: label for text, label in rows.items() if "estrella" in text}
    assert {label for text, label in stars.items() if "1 " in text or "una " in text} == {"NEG"}
    assert {label for text, label in stars.items() if "5 " in text or "cinco " in text} == {"POS"}


def test_a_word_is_drawn_out(recipe):
    drawn_out = recipe("data").drawn_out
    made = {drawn_out("Es muy bueno", random.Random(seed)) for seed in range(20)}
    assert all(re.fullmatch(r"Es muy b(u|u{3,9})(e|e{3,9})n(o|o{3,9})", text) for text in made) and len(made) > 5


def test_a_sign_says_what_its_texts_say(recipe):
    """Of two tweets that say nothing, each follows the emoji with which others say something."""
    with_signs = recipe("data")._with_signs
    probs = torch.tensor([[0.9, 0.05, 0.05]] * 30 + [[0.05, 0.05, 0.9]] * 30 + [[1 / 3] * 3] * 2)
    signs = ["😡"] * 30 + ["😀"] * 30 + ["😡", "😀"]
    rows = list(with_signs(probs, [("t", sign, "es", "emoji") for sign in signs]))
    assert [r.label for r in rows[-2:]] == [0, 2]
    assert all(abs(sum(r.target) - 1) < 1e-5 for r in rows)


@pytest.mark.filterwarnings("ignore:item .* is longer than the 64 tokens")
def test_a_release_says_what_it_measured(make_folder, data, tmp_path, recipe, monkeypatch):
    release = recipe("release")
    titles = {key: key for key in ("es.umsab", "es.opener", "en.sst2", "en.semeval2017")}
    monkeypatch.setattr(release, "TITLES", titles)
    monkeypatch.setattr(release, "HERE", tmp_path)
    for name in ("card.open.md", "card.research.md"):
        (tmp_path / name).write_text(
            "## Figures\n{{table}}\n{{behaviour}}\nECE {{es.ece}}, research {{research.noise}}\n"
        )
    run, beside = tmp_path / "run", make_folder(seed=3)
    run.mkdir()
    make_folder().rename(run / "model")
    (run / "log.jsonl").write_text('{"step": 1}\n')
    release.main(
        ["--data", str(data), "--run", str(run), "--research", str(beside), "--to", str(tmp_path / "out")]
    )  # fmt: skip
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["sets"].keys() == figures["research"]["sets"].keys() == titles.keys()
    assert figures["behaviour"]["all"][1] >= 450
    for folder in (tmp_path / "out", beside):
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "{{" not in card and f"ECE {figures['calibration']['es']['ece']}" in card
        assert f"research {figures['research']['noise']}" in card
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert model.config.extra["gatonegro_preprocess"] == "spell-emoji"
    assert pipeline("sentiment-analysis", model=tmp_path / "out")("buena 🤮")[0]["label"] in ("NEG", "NEU", "POS")


def test_what_is_tested_is_never_trained_on(recipe, monkeypatch):
    """No text of the behaviour suite is in the recipe's tables or generated texts."""
    data, phrases, suite = recipe("data"), recipe("phrases"), recipe("behaviour").suite_texts()
    monkeypatch.setattr(data, "phrases", phrases.phrases)
    monkeypatch.setattr(data, "REVIEWS", 300)
    monkeypatch.setattr(data, "RATINGS", {"es": 300, "en": 100})
    made = [r.text for seed in (1, 2) for r in data.own_phrases(random.Random(seed))]
    made += [r.text for lang in ("es", "en") for r in data.read(data.HERE / f"short.{lang}.tsv", lang)]
    known = {data.words(text) for text in made}
    assert len(known) > 9_000 and len(suite) >= 900
    assert not [text for text in suite if data.words(text) and data.words(text) in known]
