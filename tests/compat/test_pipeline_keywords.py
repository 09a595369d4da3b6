"""Keywords of `pipeline` and of its calls, and datasets as inputs, do what they do in transformers."""

import pytest
import torch
import transformers as hf
from torch.utils.data import Dataset, IterableDataset
from transformers.pipelines.pt_utils import KeyDataset as TheirKeyDataset

from gatonegro import AutoConfig, pipeline
from gatonegro.errors import GatonegroWarning, MissingHeadError, OptionError
from gatonegro.pipelines.pt_utils import KeyDataset

TEXTS = ["el gato es bueno", "la película es mala", "nada"]
IDLE = {
    "framework": "pt", "num_workers": 0, "use_fast": True, "trust_remote_code": False, "model_kwargs": {},
    "token": None, "feature_extractor": None, "image_processor": None, "binary_output": False, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def classifier(make_folder):
    return make_folder()


@pytest.fixture(scope="module")
def theirs(classifier):
    return hf.pipeline("text-classification", str(classifier))


def same(ours, theirs) -> bool:
    return [(a["label"], round(a["score"], 4)) for a in ours] == [(b["label"], round(b["score"], 4)) for b in theirs]


class Rows(Dataset):
    """A dataset as people write them: items by number, and a length."""

    def __init__(self, rows):
        self.rows, self.read = rows, 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        self.read += 1
        return self.rows[i]


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield from TEXTS


@pytest.mark.case("F11")
@pytest.mark.parametrize("name", IDLE)
def test_a_keyword_that_changes_nothing(classifier, theirs, name):
    ours = pipeline("text-classification", classifier, **{name: IDLE[name]})
    assert same(ours(TEXTS), theirs(TEXTS))


@pytest.mark.case("F11")
@pytest.mark.parametrize(
    ("name", "value"),
    [("framework", "tf"), ("trust_remote_code", True), ("feature_extractor", "x"), ("pipeline_class", dict)],
)
def test_a_keyword_that_is_not_supported_is_refused_by_name(classifier, name, value):
    with pytest.raises(OptionError, match=rf"^{name}=.* is not supported: "):
        pipeline("text-classification", classifier, **{name: value})


def test_keywords_of_the_model(classifier, tmp_path):
    options = {"id2label": {0: "a", 1: "b", 2: "c"}}
    expected = hf.pipeline("text-classification", str(classifier), model_kwargs=options)(TEXTS)
    assert same(pipeline("text-classification", classifier, model_kwargs=options)(TEXTS), expected)
    config = AutoConfig.from_pretrained(classifier, **options)
    assert same(pipeline("text-classification", classifier, config=config)(TEXTS), expected)
    with pytest.raises(OptionError, match="model_kwargs has dtype"):
        pipeline("text-classification", classifier, dtype="float32", model_kwargs={"dtype": "float32"})
    with pytest.raises(MissingHeadError):  # no random head
        pipeline("token-classification", classifier, config=config)
    assert pipeline(model=classifier, model_kwargs={"torch_dtype": "bfloat16"}).model.dtype == torch.bfloat16
    with pytest.raises(OptionError, match="takes no argument colour"):
        pipeline("text-classification", classifier, model_kwargs={"colour": "red"})


def test_a_device_map_names_the_device(classifier):
    for options in ({"device_map": "cpu"}, {"device_map": {"": "cpu"}}, {"model_kwargs": {"device_map": "cpu"}}):
        assert pipeline("text-classification", classifier, **options).device == torch.device("cpu")
    with pytest.raises(OptionError, match="device_map"):
        pipeline("text-classification", classifier, device_map={"a": "cpu", "b": "cuda"})


@pytest.mark.parametrize("task", ["text-classification", "fill-mask", "feature-extraction"])
def test_options_of_the_tokenizer(task, make_folder):
    folder = make_folder(
        {"fill-mask": "masked-lm", "feature-extraction": "pooler"}.get(task, "sequence-classification")
    )
    pipe, text = pipeline(task, folder), "el gato [MASK] es muy bueno, nada malo"
    plain = {"truncation": True, "max_length": 6}
    for name in ("tokenizer_kwargs", "tokenize_kwargs"):
        assert pipe(text, **{name: {**plain, "padding": True}}) == pipe(text, **plain) != pipe(text)
    assert pipeline(task, folder, tokenizer_kwargs=plain)(text) == pipe(text, **plain)
    with pytest.raises(OptionError, match="no argument colour"):
        pipe(text, tokenizer_kwargs={"colour": 1})


@pytest.mark.case("F9")
def test_a_dataset_is_answered_item_by_item(classifier, theirs):
    ours, rows = pipeline("text-classification", classifier), Rows(TEXTS * 400)
    answers = ours(rows, batch_size=8, num_workers=0)
    assert len(answers) == len(theirs(rows)) == len(rows)
    assert not isinstance(answers, list) and rows.read == 0
    first = next(iter(answers))
    assert rows.read < len(rows) and same([first], theirs(TEXTS[:1]))
    for _ in range(2):
        assert same(list(answers), list(theirs(Rows(TEXTS))) * 400)


@pytest.mark.case("F9")
def test_a_column_of_a_dataset_of_dicts(classifier, theirs):
    items = [{"text": text, "pair": "el perro", "label": i} for i, text in enumerate(TEXTS)]
    ours = pipeline("text-classification", classifier)
    expected = list(theirs(TheirKeyDataset(items, "text")))
    for rows in (KeyDataset(items, "text"), TheirKeyDataset(items, "text"), KeyDataset(Rows(items), "text")):
        assert same(ours(rows), expected)
    assert same(ours(Rows(items)), theirs(Rows(items)))


@pytest.mark.case("F9")
def test_a_dataset_without_end(classifier, theirs):
    answers = iter(pipeline("text-classification", classifier)(Endless()))
    assert same([next(answers) for _ in range(5)], theirs([*TEXTS, *TEXTS[:2]]))


@pytest.mark.case("F9")
def test_datasets_of_other_tasks(folders, make_folder):
    ner = make_folder("token-classification", id2label={0: "O", 1: "B-PER", 2: "I-PER"})
    theirs, ours = hf.pipeline("ner", str(ner)), pipeline("ner", ner)
    assert [[e["word"] for e in row] for row in ours(Rows(TEXTS))] == [
        [e["word"] for e in row] for row in theirs(Rows(TEXTS))
    ]
    write = pipeline("text2text-generation", folders["t5"], max_new_tokens=3)
    with pytest.warns(GatonegroWarning, match="cut at max_new_tokens"):
        assert list(write(Rows(TEXTS))) == [write(text) for text in TEXTS]
