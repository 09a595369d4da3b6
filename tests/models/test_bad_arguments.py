"""Arguments of models, generation, training and explanations that are none: named errors, never raw ones."""

import numpy as np
import pytest
import small_checkpoints
import torch

from gatonegro import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    explain,
    pipeline,
)
from gatonegro.errors import GatonegroError, InputError, OptionError
from gatonegro.generation import Extras
from gatonegro.training import fit

IDS = torch.tensor([[5, 6, 1]])
NONE_LONG = torch.zeros(1, 0, dtype=torch.long)
ARRAYS = (np.array([1, 2]), torch.tensor([1, 2]), np.array(["auto", "x"]))


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    return AutoModelForSeq2SeqLM.from_pretrained(small_checkpoints.make("t5", tmp_path_factory.mktemp("t5")))


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory):
    return small_checkpoints.make("gpt2", tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def gpt2(gpt2_folder):
    return AutoModelForCausalLM.from_pretrained(gpt2_folder)


@pytest.mark.parametrize("kind", ["t5", "gpt2"])
@pytest.mark.parametrize(
    "labels",
    [[[1, 2]], torch.tensor([1, 2]), torch.tensor([[1, 10**6, 2]]), torch.tensor([[1, -1, 2]]), "x", 5,
     torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[True, False, True]]), torch.zeros(1, 3, 2, dtype=torch.long)],
    ids=repr,
)  # fmt: skip
def test_labels(request, kind, labels):
    with pytest.raises(InputError, match="labels"):
        request.getfixturevalue(kind)(IDS, labels=labels)


def test_labels_of_which_some_do_not_count(t5, gpt2):
    for model in (t5, gpt2):
        assert model(IDS, labels=torch.tensor([[1, -100, 3]], dtype=torch.int32)).loss.isfinite()


def test_targets_without_a_token(t5):
    with pytest.raises(InputError, match="a prompt of 0 tokens"):
        t5(IDS, decoder_input_ids=NONE_LONG)
    with pytest.raises(GatonegroError):
        t5(IDS, labels=NONE_LONG)


@pytest.mark.parametrize(
    "ids",
    [None, " ", [[10**6]], [[-1]], ["a"], 5, [None], [[None]], [[2**70]], {"a": 1}, [[[1]]], [["1"]]],
    ids=repr,
)
def test_ids_to_predict(gpt2, ids):
    with pytest.raises(InputError, match="input_ids"):
        gpt2.predict(ids)


@pytest.mark.parametrize(
    "options",
    [{"queried": "x"}, {"queried": [[99]]}, {"queried": [[-1]]}, {"queried": [[None]]}, {"queried": 5},
     {"token_types": [[5, 5]]}, {"token_types": None, "pad_to_multiple_of": 0}, {"pad_to_multiple_of": 1.5}],
    ids=str,
)  # fmt: skip
def test_options_of_predict(gpt2, options):
    with pytest.raises(GatonegroError):
        gpt2.predict([[1, 2]], **options)


def test_what_predict_takes(gpt2):
    assert gpt2.predict([]) == [] and gpt2.predict([], queried=[]) == []
    one = gpt2.predict([[1, 2], [3]], queried=[[1], [0]])
    both = gpt2.predict(np.array([[1, 2]]))
    np.testing.assert_allclose(one[0], both[0][1:], atol=1e-5)


@pytest.mark.parametrize("value", ARRAYS, ids=["ints", "tensor", "texts"])
@pytest.mark.parametrize("option", ["dtype", "local_files_only", "allow_pickle", "num_labels"])
def test_arrays_as_options_of_loading(tiny, option, value):
    with pytest.raises(GatonegroError, match=r"dtype|local_files_only|labels|allow_pickle|must be"):
        AutoModelForSequenceClassification.from_pretrained(tiny, **{option: value})


@pytest.mark.parametrize("value", ARRAYS, ids=["ints", "tensor", "texts"])
@pytest.mark.parametrize(
    "option",
    ["device", "dtype", "precision", "local_files_only", "batch_size", "preprocess", "language_check", "model"],
)
def test_arrays_as_options_of_a_pipeline(tiny, option, value):
    with pytest.raises(GatonegroError):
        pipeline(**{"task": "text-classification", "model": tiny, option: value})


@pytest.mark.parametrize("value", ARRAYS, ids=["ints", "tensor", "texts"])
def test_arrays_as_other_arguments(tmp_path, gpt2, value):
    for work in (
        lambda: explain("hola", value),
        lambda: explain("hola", "toy", lang=value),
        lambda: gpt2.optimize(value),
        lambda: gpt2(IDS, output_attentions=value),
        lambda: gpt2(IDS, output_hidden_states=value),
        lambda: gpt2.save_pretrained(tmp_path, int8=value),
        lambda: gpt2.save_pretrained(tmp_path, max_shard_size=value),
        lambda: gpt2.resize_token_embeddings(value),
        lambda: gpt2.generate(IDS, num_beams=value),
        lambda: gpt2.generate(IDS, do_sample=value),
        lambda: AutoConfig.from_pretrained(value),
    ):
        with pytest.raises(GatonegroError):
            work()


@pytest.mark.parametrize(
    "options",
    [{"seed": "x"}, {"seed": -1}, {"warmup_ratio": 2}, {"warmup_ratio": None}, {"max_grad_norm": -1}, {"rdrop": "x"},
     {"save_every": 0}, {"evaluate_every": 0}, {"ema_decay": 1.5}, {"stop_after": -1}, {"save_every": np.array([1])}],
    ids=str,
)  # fmt: skip
def test_options_of_fit(tmp_path, options):
    model = torch.nn.Linear(1, 1)
    groups = [{"params": list(model.parameters()), "lr": 0.1}]
    with pytest.raises(OptionError, match=next(iter(options))):
        fit(model, [1], lambda batch: model.weight.sum(), groups, **{"out": tmp_path / "out", "seed": 0, **options})
    assert not (tmp_path / "out").exists()


def test_sampled_sequences_come_in_the_order_in_which_they_were_started(t5):
    """Sequences that end early came first, so that a source's second sequence could be its first."""
    options = {"do_sample": True, "seed": 3, "num_return_sequences": 6, "max_length": 12, "temperature": 3.0}
    chosen = []

    class Streamer:
        def put(self, ids):
            chosen.append(ids.tolist())

        def end(self):
            pass

    config = t5.generation_config.resolve().with_options(options)
    (found,) = t5.generate_ids([[5, 6, 1]], options=config, extras=Extras(streamer=Streamer()))
    assert [sequence.new_ids[0] for sequence in found] == chosen[1]
    lengths = [len(sequence.ids) for sequence in found]
    assert lengths != sorted(lengths)
