"""Tests of the translator's recipe: cleaning, variation of both sides, and the vocabulary's ids."""

import gzip
import json
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from runpy import run_path

import pytest

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "translation"


@pytest.fixture(scope="module")
def recipe():
    """Return the recipe's modules under other names: another recipe has a `data` too."""
    from importlib.util import module_from_spec, spec_from_file_location

    made, others = [], sys.modules.pop("data", None)
    sys.path.insert(0, str(RECIPE))  # `data` asks for `own`
    for name in ("data", "vocabulary", "back"):
        spec = spec_from_file_location(f"translation_{name}", RECIPE / f"{name}.py")
        module = sys.modules[spec.name] = module_from_spec(spec)
        if name == "back":  # which asks for `data`
            sys.modules["data"] = made[0]
        spec.loader.exec_module(module)
        made.append(module)
    sys.modules.pop("data")
    sys.path.remove(str(RECIPE))
    if others is not None:
        sys.modules["data"] = others
    return made


@pytest.fixture(scope="module")
def data(recipe):
    return recipe[0]


@pytest.fixture(scope="module")
def vocabulary(recipe):
    return recipe[1]


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


def test_cleaning(data):
    rows = [
        ("countrys\x92 debts", "las deudas  de hoy", "tatoeba"),
        ("Hello.", "¿ Hola?", "tatoeba"),
        ("hello", "¡hola!", "tatoeba"),  # again, but for case and points
        ("-l want it.", "-Lo quiero.", "opensubtitles"),
        ("What?", "No.", "opensubtitles"),
        ("Call *f* now.", "Llama a *f* (*call*) ahora.", "python-docs"),
        ("Call *name* now.", "Llama a *nombre* ahora.", "python-docs"),
        ("", "Nada.", "tatoeba"),
        ("Yes.", "Esto no es de ninguna manera lo que dice el otro lado.", "tatoeba"),
    ]
    found = [(p.en, p.es) for p in data.clean(data.Pair(*row) for row in rows)]
    assert found == [
        ("countrys' debts", "las deudas de hoy"),
        ("Hello.", "¿Hola?"),
        ("-I want it.", "-Lo quiero."),
        ("Call *f* now.", "Llama a *f* ahora."),
    ]


def test_variation_keeps_both_sides_together(data):
    pair = data.Pair("Tom saw 25 dogs.", "Tom vio 25 perros.", "tatoeba")
    rng = random.Random(1)
    tests = (str.isupper, str.islower, lambda t: t.endswith("."))
    seen = Counter()
    for _ in range(4000):
        for direction in data.DIRECTIONS:
            new = data.vary(pair, rng, direction, [])
            for test in tests:
                assert test(new.en) == test(new.es)
                seen[test, test(new.en)] += 1
            assert re.findall(r"\d+", new.en) == re.findall(r"\d+", new.es)
            said, dicho = re.split("saw", new.en, flags=re.I)[0], re.split("vio", new.es, flags=re.I)[0]
            assert said == dicho or (direction == "es-en" and not said.isascii() and dicho.isascii())  # "Iván", "Ivan"
    assert len(seen) == 6  # each kind was met, and its absence


def test_names_are_copied_and_new_ones_are_made(data):
    pair = data.Pair("I came from Boston to see Mary.", "Vine de Boston a ver a María.", "tatoeba")
    known = data.names([pair, data.Pair("See Málaga, Tom.", "Ve Málaga, Tom.", "xquad"), pair])
    assert known == ["Boston", "Málaga", "Tom"]
    seen, rng = set(), random.Random(1)
    for _ in range(500):
        new = data.with_names(pair, rng, known)
        place, person = re.fullmatch(r"I came from (\w+) to see (\w+)\.", new.en).groups()
        there, someone = re.fullmatch(r"Vine de (\w+) a ver a (\w+)\.", new.es).groups()
        assert place == there and (person == someone or (person, someone) == ("Mary", "María"))
        seen |= {place, person}
    assert {"Boston", "Málaga", "Tom", "Bosaga", "Mary", "Ana"} <= seen


def test_accents_are_left_out_of_a_source_only(data):
    pair = data.Pair("Where is it?", "¿Dónde está mi ñandú zurdo?", "tatoeba")
    rng = random.Random(1)
    to_spanish = {data.vary(pair, rng, "en-es", []).es for _ in range(2000)}
    to_english = {data.vary(pair, rng, "es-en", []) for _ in range(2000)}
    assert not any("Donde" in text for text in to_spanish)
    assert {p.es for p in to_english} >= {
        "Donde esta mi ñandu zurdo?",
        "Donde esta mi nandu zurdo?",
        "Dónde está mi ñandú zurdo?",
    }
    assert all(p.en.startswith(("Where", "where", "WHERE")) for p in to_english if "Donde" in p.es and p.es[-1] == "?")


def test_a_question_loses_both_its_marks(data):
    question = data.without_stop(data.Pair("Where is it?", "¿Dónde está mi ñandú?", "tatoeba"))
    assert (question.en, question.es) == ("Where is it", "Dónde está mi ñandú")
    half = data.Pair("Is it, Tom?", "Tom, ¿lo es?", "tatoeba")
    assert data.without_stop(half) == half


def test_what_is_copied_stands_on_both_sides(data):
    rng = random.Random(2)
    for _ in range(500):
        new = data.with_copy(data.Pair("It rains.", "Llueve.", "tatoeba"), rng)
        left = [re.split(word, text)[0] for word, text in (("It", new.en), ("Llueve", new.es))]
        right = [re.split(word, text)[1] for word, text in (("rains", new.en), ("Llueve", new.es))]
        assert left[0] == left[1] and right[0] == right[1] and left[0] + right[0] != "."


def test_a_pass_has_every_pair_both_ways_and_is_seeded(data):
    rows = [data.Pair(f"Sentence number {i}.", f"Frase número {i}.", "tatoeba") for i in range(10, 60)]
    one, again, other = (data.one_pass(rows, random.Random(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert Counter(e.to for e in one) == {"es": 50, "en": 50}
    glued = [e for e in one if len(e.source.split(". ")) > 1]
    assert glued and all(re.findall(r"\d+", e.source) == re.findall(r"\d+", e.target) for e in glued)


def test_tokens_become_text(data):
    assert data.detokenise('dijo ( EFE ) : " ¿ qué ? " , y no .') == 'dijo (EFE): "¿qué?", y no.'
    assert data.detokenise("it 's n't") == "it'sn't" and data.detokenise("i do n't .") == "i don't."
    text = "El Sr. Gómez llegó. ¿Y qué? Nada en EE. UU. cambió."
    assert list(data.sentences(text))[:2] == ["El Sr. Gómez llegó.", "¿Y qué?"]


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
    one, again, other = (vocabulary.sampled(sampler, texts, random.Random(seed)) for seed in (1, 1, 2))
    assert one == again != other and one != plain
    assert tokenizer.decode_batch(one) == texts
    assert sampler("gato 漢字") == tokenizer.encode("gato 漢字", add_special_tokens=False).ids


def test_a_run_from_pairs_to_a_model_that_is_shipped(vocabulary, base, tmp_path):
    """Real processes: train, be stopped, go on, translate back, train with that, and release."""
    pytest.importorskip("sacrebleu", reason="the recipe measures with it: pip install sacrebleu")
    from gatonegro import AutoModelForSeq2SeqLM, pipeline
    from gatonegro.families import family_of
    from gatonegro.families.family import read_config

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
    data, back = recipe[0], recipe[2]
    (found,) = back.read(path)
    assert (found.source, found.target, found.to) == rows[0]
    pairs = [data.Pair(f"One {i}.", f"Uno {i}.", "tatoeba") for i in range(5)]
    assert found in data.one_pass(pairs, random.Random(1), back=[found])


def write_pairs(folder: Path, train: list, more: list, dev: list) -> Path:
    (folder / "parallel").mkdir(parents=True)
    for name, head, rows in (("train", "en es source", train), ("more", "en es source kind licence", more)):
        table = "\n".join("\t".join(row) for row in [head.split(), *rows])
        (folder / "parallel" / f"{name}.tsv.gz").write_bytes(gzip.compress(table.encode()))
    table = "\n".join("\t".join(row) for row in [("en", "es", "source"), *dev])
    (folder / "parallel" / "dev.tsv").write_text(table, encoding="utf-8")
    return folder


def test_only_what_a_licence_allows_is_learned(data, tmp_path):
    train = [
        ("The dog eats an old bone.", "El perro come un hueso viejo.", "tatoeba"),
        ("The bank closed.", "El banco cerró.", "news"),
    ]
    more = [
        ("A force acts on the body.", "Una fuerza actúa sobre el cuerpo.", "openstax", "science", "CC BY 4.0"),
        ("The orc attacks.", "El orco ataca.", "wesnoth", "game", "GPL-2+"),
        ("Print the page.", "Imprima la página.", "po/x", "manual", "GPL-2+ or as the program"),
        ("A new licence.", "Una licencia nueva.", "x", "web", "one that the table does not know"),
    ]
    folder = write_pairs(tmp_path, train, more, [("Far away.", "Muy lejos de aquí.", "tatoeba")])
    assert [(p.source, p.kind) for p in data.pairs(folder)] == [("tatoeba", ""), ("openstax", "science")]
    assert "GPL-2+" not in data.allowed_licences() and "CC BY-SA 4.0" in data.allowed_licences()
    every = {row["licence"] for row in data.lines(data.HERE.parent / "licences.tsv")}
    named = set(data.PAIRS.values()) | {one.licence for table in data.MONO.values() for one in table}
    assert named <= every


def test_what_is_nearly_in_dev_is_left_out(data, tmp_path):
    dev = [("He told me that he was going to the market.", "Me dijo que iba al mercado.", "tatoeba")]
    train = [
        ("She told me that she was going to the market.", "Me dijo que iba al mercado ella.", "tatoeba"),
        ("Nothing of it.", "Me dijo que iba al mercado", "tatoeba"),
        ("He told me nothing of the market.", "No me dijo nada.", "tatoeba"),
    ]
    assert [p.es for p in data.pairs(write_pairs(tmp_path, train, [], dev))] == ["No me dijo nada."]
    assert data.unseen_pairs(tmp_path) == []  # for what was learned from all of these
    near = data.Near(["abcdefghij", "klmnopq"])  # six sequences, and three
    found = [near(text) for text in ("Abcdefghi", "abcdefg", "xabcdefghij", "klmnopq", "")]
    assert found == [{0}, set(), {0}, {1}, set()]


def test_what_the_suite_asks_is_never_trained_on(data, tmp_path):
    asked = data.everyday_texts()
    assert len(asked) >= 295
    train = [
        ("Hello.", "¡Hola!", "tatoeba"),
        ("Water", "El agua", "tatoeba"),
        ("A big dog.", "Un perro grande.", "tatoeba"),
    ]
    folder = write_pairs(tmp_path, train, [], [("Far away.", "Muy lejos.", "tatoeba")])
    assert [p.en for p in data.pairs(folder)] == ["A big dog."]
    own = data.own_pairs(3000, random.Random(1))
    assert len(own) > 4000 and not [p for p in own if data.key(p.en) in asked or data.key(p.es) in asked]


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
    names = ("data", "train", "back", "everyday", "vocabulary")  # another recipe has a `data` and a `train` too
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    monkeypatch.syspath_prepend(RECIPE)
    try:
        release = run_path(str(RECIPE / "release.py"))
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)
    ways = {f"{name}.{way}": {"bleu": 12.3, "chrf": 0.456} for name in release["TITLES"] for way in data.DIRECTIONS}
    ways |= {name: one | {"texts": 7} for name, one in ways.items()}
    figures = {
        "beam 4": ways, "parameters": 28e6, "bytes": 28e6, "training": {"steps": 1234},
        "everyday": {"word": [9, 10, 0.9], "all": [9, 12, 0.75]},
    }  # fmt: skip
    card = release["card"](figures)
    assert "{{" not in card and "| word | 10 | 0.90 |" in card and "about 75 in 100" in card and "1,234 steps" in card


def test_numbers_in_words(recipe):
    own = sys.modules["own"]
    assert [own.in_spanish(n) for n in (1, 16, 21, 31, 100, 101, 515, 1000, 2021)] == [
        "uno", "dieciséis", "veintiuno", "treinta y uno", "cien", "ciento uno", "quinientos quince", "mil",
        "dos mil veintiuno",
    ]  # fmt: skip
    assert own.in_spanish(21, "m") == "veintiún" and own.in_spanish(231, "f") == "doscientas treinta y una"
    assert own.in_spanish(21000) == "veintiún mil"
    assert [own.in_english(n) for n in (0, 13, 42, 100, 999)] == [
        "zero", "thirteen", "forty-two", "one hundred", "nine hundred and ninety-nine",
    ]  # fmt: skip


def test_what_is_made_agrees_on_both_sides(recipe):
    made = sys.modules["own"].made(4000, random.Random(3))
    for en, es in made:
        numbers = [re.findall(r"\d+", re.sub(r"(\d)[.,](\d)", r"\1 \2", text)) for text in (en, es)]
        if "siglo" in es or " s. " in es or ".º" in es:  # Roman there, words here
            continue
        assert sorted(numbers[0]) == sorted(numbers[1]), (en, es)
        assert "{" not in en + es and "  " not in en + es
    assert len(set(made)) > 2500


def test_prepared_pairs_are_kept(data, tmp_path):
    rows = [data.Pair('He said "no".', "Dijo «no».", "tatoeba"), data.Pair("A", "B", "openstax", "science")]
    data.keep(rows, tmp_path / "pairs.tsv.gz")
    assert data.kept(tmp_path / "pairs.tsv.gz") == rows


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
