"""Tests of entities and sentence vectors in the sentiment recipe."""

import gzip
import sys
from importlib import import_module

import pytest
import torch
from small import ROOT

from gatonegro import AutoTokenizer

pytestmark = pytest.mark.slow

RECIPE = ROOT / "recipes" / "sentiment"

ANCORA = "El\tO\nRubio\tB-PER\nde\tI-PER\nel\tO\n25\tB-NUM\n.\tO\n\nMadrid\tB-LOC\n\n"

UNER = "# sent_id = 1\n1\tTampa\tB-LOC\t-\tx\n2\tBay\tI-LOC\t-\tx\n3\t#\tO\t-\t-\n\n# text = b\n1\tno\tO\t-\t-\n\n"


@pytest.fixture(scope="module")
def entities():
    return _module("entities")


@pytest.fixture(scope="module")
def vectors():
    return _module("vectors")


def _module(name: str):
    sys.path.insert(0, str(RECIPE))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(RECIPE))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ancora.es.train.gz").write_bytes(gzip.compress(ANCORA.encode()))
    (tmp_path / "ancora.es.dev").write_text(ANCORA, encoding="utf-8")
    (tmp_path / "uner_ewt.en.dev").write_text(UNER * 5, encoding="utf-8")
    return tmp_path


def test_tagged_sentences_are_read(entities, folder):
    train, dev = entities.sentences(folder)
    names = [[entities.TAGS[i] for i in s.tags] for s in train if s.lang == "es"]
    assert names == [["O", "B-PER", "I-PER", "O", "O", "O"], ["B-LOC"]]  # numbers are no entities
    assert (len([s for s in train if s.lang == "en"]), len([s for s in dev if s.lang == "en"])) == (8, 2)
    assert ("Tampa", "Bay", "#") in {s.words for s in train}


def test_a_sentence_is_spaced_as_people_write(entities):
    text, starts = entities.spaced(["¿", "Y", "Ana", "(", "Madrid", ")", "?"])
    assert text == "¿Y Ana (Madrid)?" and [text[i] for i in starts] == list("¿YA(M)?")


def test_the_first_piece_of_a_word_bears_its_tag(entities, make_folder):
    tokenizer = AutoTokenizer.from_pretrained(make_folder())
    sentence = entities.Tagged(("el", "rubio", ",", "gato"), (0, 1, 0, 3), "es")
    ids, tags = entities.encode(tokenizer, sentence)
    tokens = tokenizer.convert_ids_to_tokens(ids)
    assert len(ids) == len(tags) and tokens[0] == "[CLS]" and tags[0] == tags[-1] == entities.SKIPPED
    assert [t for t in tags if t != entities.SKIPPED] == [0, 1, 0, 3]
    assert all(t == entities.SKIPPED for token, t in zip(tokens, tags, strict=True) if token.startswith("##"))


def test_an_english_o_may_be_misc(entities):
    misc, person = entities.TAGS.index("B-MISC"), entities.TAGS.index("B-PER")
    scores = torch.full((2, len(entities.TAGS)), -20.0)
    scores[:, misc] = 20.0
    tags = torch.tensor([0, entities.SKIPPED])
    right, wrong = (float(entities.loss(scores, tags, torch.tensor([lang] * 2))) for lang in (True, False))
    assert right < 1e-3 and wrong > 30
    assert float(entities.loss(scores, torch.tensor([person] * 2), torch.tensor([True] * 2))) > 30


def test_spans_count_whole(entities):
    number = entities.TAGS.index
    gold = [number(t) for t in ("O", "B-PER", "I-PER", "B-PER", "O", "I-LOC")]
    assert entities.spans(gold) == {(1, 3, "PER"), (3, 4, "PER"), (5, 6, "LOC")}
    found = [number(t) for t in ("O", "B-PER", "O", "B-PER", "O", "B-LOC")]
    assert entities.span_f1([gold], [found]) == pytest.approx(2 / 3)
    assert entities.span_f1([gold], [found], ("LOC",)) == 1 and entities.span_f1([[0]], [[0]]) == 0


def test_vectors_find_their_translations(vectors):
    torch.manual_seed(1)
    one = torch.nn.functional.normalize(torch.randn(50, 32), dim=1)
    near = torch.nn.functional.normalize(one + 0.05 * torch.randn(50, 32), dim=1)
    far = torch.nn.functional.normalize(torch.randn(50, 32), dim=1)
    assert vectors.retrieval(one, near) == 1 and vectors.retrieval(one, far) < 0.2
    assert float(vectors.loss(one, near)) < 0.1 < float(vectors.loss(one, far))
    x = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    assert torch.equal(vectors.means(x, (2, 1)), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))


def test_pairs_are_those_that_are_allowed(vectors, tmp_path):
    rows = "en\tes\tsource\nA dog.\tUn perro.\ttatoeba\nThe bank.\tEl banco.\tnews\n"
    (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    (tmp_path / "dev.tsv").write_text(rows + "A dog.\tUn can.\ttatoeba\n", encoding="utf-8")
    assert vectors.pairs(tmp_path, {"tatoeba": "CC BY 2.0 FR"}) == [("A dog.", "Un perro.")]
    assert vectors.dev_pairs(tmp_path) == [("A dog.", "Un perro."), ("The bank.", "El banco.")]
