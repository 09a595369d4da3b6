"""The translator's recipe: vocabulary, training, release."""

import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from runpy import run_path

import pytest
from small import ROOT

pytestmark = pytest.mark.slow

RECIPE = ROOT / "recipes" / "translation"


TEXTS = ["el gato negro duerme", "the black cat sleeps", "el gato y el perro", "the cat and the dog", "¿dónde está?"]

PIECES = ["▁el", "▁gato", "▁negro", "▁the", "▁cat", "▁black", "▁perro", "▁dog", "▁y", "▁and", "▁du", "erme", "ga", "to"]

RARE = ["▁never", "▁nunca", "▁jamás"]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """Return a tokenizer.json like the base model's: special tokens first, scores, Metaspace."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *PIECES, *sorted(set("".join(TEXTS)) - {" "}), *RARE, "न", "க"]
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    made = {
        "version": "1.0",
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": space,
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": [[p, -0.1 * i] for i, p in enumerate(pieces)]},
    }
    folder = tmp_path_factory.mktemp("base")
    (folder / "tokenizer.json").write_text(json.dumps(made), encoding="utf-8")
    return folder


def test_ids_of_the_cut_are_the_same_pieces(vocabulary, base):
    old = [p for p, _ in json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]]
    tokenizer, ids = vocabulary.cut(base, TEXTS, size=len(old) - len(RARE))
    assert tokenizer.get_vocab_size() == len(ids) == len(old) - len(RARE)
    assert ids[:4] == [0, 1, 2, 3] and ids[-2:] == [-1, -1]
    assert [tokenizer.id_to_token(i) for i in range(len(ids) - 2)] == [old[i] for i in ids[:-2]]
    kept = set(tokenizer.get_vocab())
    assert not kept & {*RARE, "न", "க"} and set("".join(TEXTS)) - {" "} <= kept

    encoded = tokenizer.encode(">>en<<el gato negro")
    assert encoded.tokens == [">>en<<", "▁el", "▁gato", "▁negro", "</s>"]
    assert tokenizer.encode(">>en<< el gato negro").tokens == encoded.tokens
    assert tokenizer.decode(encoded.ids) == "el gato negro"


def test_sampling_is_seeded_and_spells_the_same(vocabulary, base):
    tokenizer, ids = vocabulary.cut(base, TEXTS, size=60)
    assert len(ids) <= 60
    sampler = vocabulary.Sampler(tokenizer, alpha=0.1)
    texts = TEXTS * 20
    plain = [e.ids for e in tokenizer.encode_batch(texts)]
    assert vocabulary.sampled(sampler, texts) == plain
    first, again, other = (vocabulary.sampled(sampler, texts, random.Random(seed)) for seed in (1, 1, 2))
    assert first == again != other and first != plain
    assert tokenizer.decode_batch(first) == texts
    assert sampler("gato 漢字") == tokenizer.encode("gato 漢字", add_special_tokens=False).ids


def test_a_run_from_pairs_to_a_model_that_is_shipped(vocabulary, base, tmp_path):
    """Real processes: train, be stopped, go on, translate back, train with that, and release."""
    pytest.importorskip("sacrebleu", reason="the recipe measures with it: pip install sacrebleu")
    from gatonegro import AutoModelForSeq2SeqLM, pipeline
    from gatonegro.families import family_of
    from gatonegro.families.configuration import read_config

    tokenizer, ids = vocabulary.cut(base, TEXTS, size=70)
    sizes = {"d_model": 32, "max_position_embeddings": 512, "vocab_size": len(ids)}
    for side in ("encoder", "decoder"):
        sizes |= {f"{side}_layers": 1, f"{side}_attention_heads": 2, f"{side}_ffn_dim": 32}
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
    config = read_config(family_of("bart"), {"model_type": "bart", "languages": ["es", "en"], **sizes, **special})
    start = tmp_path / "start"
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(start)
    tokenizer.save(str(start / "tokenizer.json"))
    (start / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
        "additional_special_tokens": [">>es<<", ">>en<<"], "model_max_length": 512,
    }))  # fmt: skip

    shared = tmp_path / "data"
    (shared / "parallel").mkdir(parents=True)
    rows = [f"the {a} cat and the dog {i}\tel gato {a} y el perro {i}\ttatoeba" for i in range(400) for a in "abc"]
    with gzip.open(shared / "parallel" / "train.tsv.gz", "wt", encoding="utf-8") as f:
        f.write("\n".join(["en\tes\tsource", *rows]))
    dev = [f"the cat {name}\tel gato {name}\t{name}" for name in ("tatoeba", "flores-dev", "wmt12", "opensubtitles")]
    (shared / "parallel" / "dev.tsv").write_text("\n".join(["en\tes\tsource", *dev]), encoding="utf-8")

    def run(*words):
        command = [sys.executable, *map(str, words), "--data", str(shared)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done

    train = (RECIPE, "--base", base, "--start", start, "--out", tmp_path / "run", "--passes", 1, "--own", 0)
    run(*train, "--stop-after", 2)
    run(*train)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert next(record["step"] for record in log) == 2 and log[-1]["step"] > 2 and "chrf_es" in log[-1]

    measured = tmp_path / "measured.json"
    run(RECIPE / "release.py", "--measure", tmp_path / "run" / "model", "-o", measured)
    figures = json.loads(measured.read_text())
    assert figures["everyday"]["all"][1] == 300 and "tatoeba.es-en" in figures["beam 4"]
    released = tmp_path / "released"
    done = run(RECIPE / "release.py", "--run", tmp_path / "run", "--to", released)
    assert "tatoeba es en" in done.stdout
    assert pipeline("translation", released, num_beams=1)("el gato", src_lang="es", max_new_tokens=3)
    missing = subprocess.run([sys.executable, RECIPE, "--data", shared, "--base", base, "--start", tmp_path / "none",
                              "--out", tmp_path / "other"], capture_output=True, text=True, check=False)  # fmt: skip
    assert missing.returncode and "none" in missing.stderr


def test_what_was_translated_back(recipe, tmp_path):
    """Loops, losses and copies are left out."""
    rows = [
        ("El gato duerme.", "The cat sleeps.", "en"),
        ("la la la la la la la la", "The.", "en"),
        ("Same.", "Same.", "es"),
    ]
    path = tmp_path / "back.tsv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as f:
        f.write("\n".join(map("\t".join, [("source", "target", "to"), *rows])))
    data, _, back, variation = recipe
    (example,) = back.read(path)
    assert (example.source, example.target, example.to) == rows[0]
    pairs = [data.Pair(f"One {i}.", f"Uno {i}.", "tatoeba") for i in range(5)]
    assert example in variation.one_pass(pairs, random.Random(1), back=[example])


def test_the_suite_says_what_is_adequate():
    suite = run_path(str(RECIPE / "everyday.py"))
    rows, adequate = suite["rows"](), suite["adequate"]
    assert len(rows) == 300 and len({(r["to"], r["text"]) for r in rows}) == 300
    assert Counter(r["to"] for r in rows) == {"en": 150, "es": 150}
    assert all(adequate(r, answer) for r in rows for answer in r["accepted"].split("|"))
    hola = {"kind": "greeting", "accepted": "Hello|Hi"}
    assert adequate(hola, "hello!") and not adequate(hola, "Hola") and not adequate(hola, "")
    shout = {"kind": "capitals", "accepted": "DON'T SMOKE"}
    assert adequate(shout, "DON’T SMOKE.") and not adequate(shout, "Don't smoke")


def test_the_card_has_a_place_for_each_figure(data, monkeypatch):
    # another recipe has a `data` and a `train` too
    names = ("data", "train", "back_translation", "everyday", "vocabulary", "variation")
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    monkeypatch.syspath_prepend(RECIPE)
    try:
        release = run_path(str(RECIPE / "release.py"))
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)
    ways = {f"{name}.{way}": {"bleu": 12.3, "chrf": 0.456} for name in release["TITLES"] for way in data.DIRECTIONS}
    ways |= {name: measured | {"texts": 7} for name, measured in ways.items()}
    figures = {
        "beam 4": ways, "parameters": 28e6, "bytes": 28e6, "training": {"steps": 1234},
        "everyday": {"word": [9, 10, 0.9], "all": [9, 12, 0.75]},
    }  # fmt: skip
    card = release["card"](figures)
    assert "{{" not in card and "| word | 10 | 0.90 |" in card and "about 75 in 100" in card and "1,234 steps" in card


@pytest.mark.shared
def test_on_the_research_data(data, vocabulary, shared):
    folder = shared / "data"
    if not (folder / "parallel").is_dir():
        pytest.skip("no pairs")
    pairs = list(data.licensed(folder))
    assert len(pairs) > 400_000 and not {p.source for p in pairs} & {"news", "wesnoth", "freeciv", "po/calibre"}
    every = {row["licence"] for row in data.lines(data.HERE.parent / "licences.tsv")}
    assert {row["licence"] for row in data.lines(folder / "parallel" / "more.tsv.gz")} <= every
    # a few pairs of dev, as they are and a little changed
    dev = data.dev_pairs(folder)
    near = data.Near(p.es for p in dev)
    assert all(
        i in near(dev[i].es) and i in near(f"Y {dev[i].es}") for i in range(0, len(dev), 300) if len(dev[i].es) > 30
    )
