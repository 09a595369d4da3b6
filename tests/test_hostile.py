"""Tests of hostile input and files: an error that names the item, without loss of other rows."""

import json
import sys
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file

from gatonegro import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline
from gatonegro.cli import input as cli_input
from gatonegro.errors import CheckpointError, ConfigError, GatonegroError, InputError, MissingHeadError, OptionError


@pytest.fixture(scope="module")
def model(tiny):
    return AutoModelForSequenceClassification.from_pretrained(tiny)


@pytest.fixture
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)


def copy_of(folder, to, weights=None, **values):
    """Return a copy of a checkpoint with other weights and other values in its config.json."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (to / "config.json").write_text(json.dumps(data | values))
    if weights is not None:
        save_file(weights(load_file(folder / "model.safetensors")), to / "model.safetensors")
    return to


IDS = torch.tensor([[2, 30, 31, 3], [2, 40, 3, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_ids": IDS.tolist()}, "input_ids must be an ordinary torch tensor, not a list"),
        ({"input_ids": "hola"}, "input_ids"),
        ({"input_ids": {"input_ids": IDS}}, r"two stars: model\(\*\*batch\)"),
        ({"input_ids": IDS.numpy()}, "ndarray"),
        ({"input_ids": IDS.bool()}, "whole numbers"),
        ({"input_ids": IDS.to(torch.uint16)}, "whole numbers"),
        ({"input_ids": IDS.to_sparse()}, "sparse"),
        ({"input_ids": IDS.to("meta")}, "meta"),
        ({"input_ids": IDS, "attention_mask": True}, "attention_mask"),
        ({"input_ids": IDS, "attention_mask": torch.tensor([[0, 0, 0, 0], [0, 0, 0, -1e4]])}, "attention_mask"),
        ({"input_ids": IDS, "attention_mask": torch.full((2, 4), float("nan"))}, "attention_mask"),
        ({"input_ids": IDS, "position_ids": torch.full((2, 4), float("nan"))}, "position_ids"),
        ({"input_ids": IDS, "position_ids": torch.full((2, 4), 99)}, "position_ids holds 99"),
        ({"input_ids": IDS, "token_type_ids": IDS.float()}, "token_type_ids"),
        ({"inputs_embeds": torch.ones(2, 4, 32, dtype=torch.long)}, "inputs_embeds"),
        ({"input_ids": IDS, "labels": [0, 1]}, "labels must be a torch tensor"),
        ({"input_ids": IDS, "labels": torch.tensor([[0, 1]])}, "labels"),
    ],
)
def test_batches_of_the_wrong_kind(model, arguments, message):
    with pytest.raises(InputError, match=message):
        model(**arguments)


@pytest.mark.parametrize("kind", [torch.int32, torch.int16, torch.uint8, torch.int8])
def test_ids_of_fewer_bits_are_ids(model, kind):
    with torch.no_grad():
        assert torch.equal(model(IDS.to(kind)).logits, model(IDS).logits)


def test_embeddings_of_more_bits_are_embeddings(model):
    x = torch.randn(2, 4, 32)
    with torch.no_grad():
        assert torch.equal(model(inputs_embeds=x.double()).logits, model(inputs_embeds=x).logits)


def test_labels_that_lie_across_are_refused(make_folder):
    words = AutoModelForMaskedLM.from_pretrained(make_folder("masked-lm"))
    with pytest.raises(InputError, match=r"of shape \(2, 4\)"):
        words(IDS, labels=IDS.T)


@pytest.mark.parametrize(
    "values",
    [
        {"num_hidden_layers": 10_000_000},
        {"num_hidden_layers": 2**31 - 1},
        {"id2label": None, "num_labels": 2**24 - 1},
        {"id2label": ["A", "B", "C"]},
        {"id2label": {"0": None, "1": "B", "2": "C"}},
        {"id2label": {"0": "\ud800", "1": "B", "2": "C"}},
        {"model_type": "roberta", "max_position_embeddings": 5, "pad_token_id": 5},
    ],
    ids=str,
)
def test_configurations_that_would_hang_or_lie(tiny, tmp_path, values):
    folder = copy_of(tiny, tmp_path / "wrong", **values)
    with pytest.raises(ConfigError):
        AutoModelForSequenceClassification.from_pretrained(folder)


def test_numbers_of_labels_that_no_model_has(tiny):
    with pytest.raises(GatonegroError, match="labels"):
        AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=10**9)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.bool])
@pytest.mark.parametrize("dtype", [None, "auto"])
def test_weights_that_another_program_has_quantised(tiny, tmp_path, kind, dtype):
    name = "bert.embeddings.word_embeddings.weight"
    folder = copy_of(tiny, tmp_path / "wrong", lambda t: t | {name: t[name].to(kind)})
    with pytest.raises(CheckpointError, match="quantised"):
        AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)


def test_an_answer_that_is_no_number_is_none(tiny, tmp_path):
    name = "bert.embeddings.LayerNorm.weight"
    folder = copy_of(tiny, tmp_path / "wrong", lambda t: t | {name: torch.full_like(t[name], 3e38)})
    with pytest.raises(CheckpointError, match=r"item 0: .* NaN"):
        pipeline("text-classification", model=folder)(["hola"])


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", torch.float8_e5m2, torch.int8, 0, False, [], "bogus"], ids=str)
def test_precisions_that_nothing_runs_in(tiny, dtype):
    with pytest.raises(InputError, match="dtype"):
        AutoModelForSequenceClassification.from_pretrained(tiny, dtype=dtype)


@pytest.mark.parametrize("folder", ["", None, 5, b"x", [], "a\0b"], ids=repr)
def test_places_that_are_none(model, tokenizer, folder):
    for loaded in (model, tokenizer):
        with pytest.raises(GatonegroError, match="folder"):
            loaded.save_pretrained(folder)


def test_sizes_of_shards_that_are_none(model, tmp_path):
    for size in ("9" * 400, "9" * 400 + "GB", 10**400):
        with pytest.raises(OptionError, match="max_shard_size"):
            model.save_pretrained(tmp_path, max_shard_size=size)


def test_a_long_pair_is_cut_in_little_memory_and_as_a_shorter_one(tokenizer):
    """Uncut, 20,000 words per side would be 1.6 million windows in the Rust tokenizer."""
    first, second = (["gato", "perro", "hotel"] * 7000)[:20_000], (["clase", "bueno"] * 10_000)
    for side in ("right", "left"):
        tokenizer.truncation_side = side
        for a, b in ((20_000, 20_000), (20_000, 5), (5, 20_000)):
            ends = slice(None, 400) if side == "right" else slice(-400, None)
            whole = tokenizer(" ".join(first[:a]), " ".join(second[:b]), truncation=True, max_length=48)
            short = tokenizer(" ".join(first[:a][ends]), " ".join(second[:b][ends]), truncation=True, max_length=48)
            assert whole == short and len(whole.input_ids) == 48


@pytest.mark.parametrize("options", [{"max_length": 2**40}, {"pad_to_multiple_of": 10**10}, {"pad_to_multiple_of": -3}])
def test_padding_without_end(tokenizer, options):
    way = "max_length" if "max_length" in options else True
    with pytest.raises(InputError, match=r"max_length|pad_to_multiple_of"):
        tokenizer(["hola"], padding=way, **options)


@pytest.mark.parametrize(
    "wrong",
    [None, [], "x", {"pad_token": ""}, {"pad_token": "zz", "foo": 1}, {"additional_special_tokens": "abc"},
     {"additional_special_tokens": None}, {"additional_special_tokens": ["zz", ""]}],
    ids=repr,
)  # fmt: skip
def test_special_tokens_are_added_all_or_none(tokenizer, wrong):
    before = tokenizer.special_tokens_map, len(tokenizer)
    with pytest.raises(InputError):
        tokenizer.add_special_tokens(wrong)
    assert (tokenizer.special_tokens_map, len(tokenizer)) == before


def test_a_pair_keeps_a_token_of_each_text(tiny):
    classify = pipeline(model=tiny)
    pair = {"text": "el gato es bueno", "text_pair": "el perro es malo"}
    with pytest.raises(OptionError, match="max_length=4"):
        classify(pair, max_length=4)
    ways = {way: classify(pair, max_length=8, truncation=way, top_k=None)[0]["score"] for way in
            ("longest_first", "only_first", "only_second")}  # fmt: skip
    assert len(set(ways.values())) == 3, "which text is cut is for the user to say"


def test_numbers_too_long_to_print(tiny):
    classify = pipeline(model=tiny)
    for wrong in (10**5000, -(10**5000)):
        with pytest.raises(InputError, match="item 1"):
            classify(["hola", wrong])


def test_revisions_and_names_that_are_none(tiny):
    with pytest.raises(OptionError, match="revision"):
        AutoTokenizer.from_pretrained("autor/modelo", revision=5)
    with pytest.raises(GatonegroError, match="characters"):
        AutoTokenizer.from_pretrained("/" + "x" * 5000)


def test_a_long_line_of_standard_input_is_read_in_linear_time(monkeypatch):
    """Each chunk is visited once when it arrives and once when its line ends."""

    class Pieces:
        left = [b"a" * 1000] * 300 + [b"\nfin"]
        buffer = property(lambda self: self)
        isatty = staticmethod(lambda: False)

        def read1(self, size):
            return self.left.pop(0) if self.left else b""

    monkeypatch.setattr(sys, "stdin", Pieces())
    assert [line for part in cli_input._lines(keep_ends=False) for line in part] == ["a" * 300_000, "fin"]


def test_new_heads_are_for_classification_alone(tiny, make_folder):
    assert AutoModel.from_pretrained(tiny, num_labels=4).config.num_labels == 4  # and nothing else
    with pytest.raises(MissingHeadError):
        AutoModelForMaskedLM.from_pretrained(tiny, num_labels=3)


def test_another_thread_is_not_watched(model):
    """Hooks are on the model; calls from another thread at the same time must not be recorded."""
    stop, other = threading.Event(), torch.randint(5, 60, (3, 11))

    @torch.no_grad()
    def work():
        while not stop.is_set():
            model(other)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with torch.no_grad():
            for _ in range(60):
                assert model(IDS, output_attentions=True).attentions[0].shape == (2, 4, 4, 4)
    finally:
        stop.set()
        thread.join()


def test_outputs_are_accessed_like_those_of_transformers(model):
    out = model(IDS, labels=torch.tensor([0, 1]))
    assert "logits" in out and "attentions" not in out and out.get("attentions") is None
    assert dict(out.items()).keys() == {"loss", "logits"} and list(out.values())[1] is out.logits
    loss, logits = model(IDS, labels=torch.tensor([0, 1]), return_dict=False)
    assert torch.equal(loss, out.loss) and torch.equal(logits, out.logits)


# and a model that is given more tokens


@pytest.mark.parametrize("head", ["sequence-classification", "masked-lm"])
def test_a_model_grows_with_its_tokenizer(make_folder, tmp_path, head):
    folder = make_folder(head)
    auto = AutoModelForMaskedLM if head == "masked-lm" else AutoModelForSequenceClassification
    model, tokenizer = auto.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        before = model(IDS).logits
    with pytest.warns(UserWarning, match="resize_token_embeddings"):
        tokenizer.add_tokens(["zampabollos", "correveidile"])
    assert model.resize_token_embeddings(len(tokenizer)).weight.shape == (len(tokenizer), 32)
    with torch.no_grad():
        after = model(IDS).logits
        assert torch.equal(after[..., : before.shape[-1]], before)
        new = model(**tokenizer("el zampabollos", return_tensors="pt")).logits
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        again = auto.from_pretrained(tmp_path)(**tokenizer("el zampabollos", return_tensors="pt")).logits
    assert torch.equal(again, new)
    model.embeddings.tokens.weight.requires_grad_(False)
    assert not model.resize_token_embeddings(len(tokenizer) + 1).weight.requires_grad, "what was frozen stays so"
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="vocabulary"):
            model.resize_token_embeddings(wrong)
