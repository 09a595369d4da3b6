"""Checkpoints become tensors by the model's names, without torch and as PyTorch's modules have them."""

import json

import numpy as np
import pytest
import torch
from compare import as_tensor
from small import ENCODERS, GENERATORS, config, generator_config

from gatonegro.checkpoints import Int8Rows
from gatonegro.errors import CheckpointError, ConfigError, InputError, MissingHeadError
from gatonegro.families import FAMILIES
from gatonegro.families.assembly import expected_shapes
from gatonegro.families.loading import open_checkpoint
from gatonegro.models import build, init_weights

# whose embeddings are large enough for the int8 form
CONFIGS = {name: config(name, vocab_size=200) for name in ENCODERS} | {
    kind: generator_config(kind) for kind in GENERATORS
}
CONFIGS |= {
    "labels": config("bert", id2label={i: str(i) for i in range(7)}, intermediate_size=None),
    "per layer": config("bert", num_hidden_layers=2, per_layer=({"intermediate_size": 8}, {"d_kv": 9, "bias": False})),
    "rms": config("bert", norm="rms", pre_norm=True, final_norm=True, is_gated_act=True, position_embedding="none"),
    "sinusoid": config("bert", position_embedding="sinusoid", embedding_norm=False, first_position=3),
    "gated and tied": generator_config("t5", feed_forward_proj="gated-silu"),
    "untied": generator_config("t5", tie_word_embeddings=False, num_decoder_layers=1),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_shapes_are_those_of_the_modules(name):
    sizes = CONFIGS[name]
    for head in {"none", *FAMILIES[sizes.model_type].heads}:
        with torch.device("meta"):
            state = build(sizes, head).own_state_dict()
        assert list(expected_shapes(sizes, head).items()) == [(n, tuple(t.shape)) for n, t in state.items()]


def save(folder, name, head, **options):
    torch.manual_seed(0)
    model = init_weights(build(CONFIGS[name], head), 0.3)
    model.save_pretrained(folder, **options)
    return model


CASES = [(n, h) for n in (*ENCODERS, *GENERATORS) for h in FAMILIES[CONFIGS[n].model_type].heads]


@pytest.mark.parametrize(("name", "head"), CASES)
@pytest.mark.parametrize("int8", [False, True])
def test_arrays_are_the_tensors_of_torch(name, head, int8, tmp_path):
    save(tmp_path, name, head, int8=int8)
    opened = [open_checkpoint(tmp_path, head, framework) for framework in ("pt", "np")]
    theirs, ours = (checkpoint.assemble() for checkpoint in opened)
    assert opened[0].stored_int8 == opened[1].stored_int8 == int8
    assert ours.config == theirs.config and ours.head == theirs.head == head and not ours.new
    assert list(ours.state) == list(theirs.state)
    assert all(torch.equal(as_tensor(array), theirs.state[name]) for name, array in ours.state.items())
    assert isinstance(ours.state["embeddings.tokens.weight"], Int8Rows) == int8


def test_every_family_opens_without_torch(tmp_path, python):
    """In another process, with a base model's names and with a head's."""
    places = []
    for name, head in CASES:
        if head in ("masked-lm", "seq2seq-lm", "causal-lm", "pooler"):
            save(tmp_path / f"{name}-{head}", name, head, int8=True)
            places.append((str(tmp_path / f"{name}-{head}"), head))
    code = f"""
import sys
import gatonegro.checkpoints, gatonegro.families
from gatonegro.families.loading import copy_to, head_of, open_checkpoint
for place, head in {places!r}:
    opened = open_checkpoint(place, head, "np")
    assert opened.stored_int8 and not opened.assemble().new
    assert head_of(place) == ("none" if head == "pooler" else head)
copy_to({str(tmp_path / "copy")!r}, place)
assert "torch" not in sys.modules
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("framework", ["pt", "np"])
def test_what_does_not_fit(framework, tmp_path):
    save(tmp_path, "bert", "sequence-classification")

    def assemble(head="sequence-classification", *, ignore_sizes=False, info=None, **options):
        opened = open_checkpoint(tmp_path, head, framework, **options)
        return opened.assemble(ignore_sizes=ignore_sizes, info=info)

    for head, error, message in (
        ("masked-lm", MissingHeadError, "no weights for a masked-lm head.*it has: sequence-classification"),
        ("seq2seq-lm", MissingHeadError, "a bert model has no seq2seq-lm head"),
    ):
        with pytest.raises(error, match=message) as caught:
            assemble(head)
        assert str(tmp_path) in str(caught.value)
    with pytest.raises(InputError, match="RobertaForMaskedLM needs a model of its own family, not bert"):
        open_checkpoint(tmp_path, "masked-lm", framework, model_type="roberta")
    with pytest.raises(CheckpointError, match="trained head for other labels"):
        assemble(num_labels=5)
    with pytest.raises(CheckpointError, match=r"is of shape \(40, 24\), but config.json asks for \(41, 24\)"):
        assemble(intermediate_size=41)
    with pytest.raises(CheckpointError, match="asks for 99 layers"):
        assemble(num_hidden_layers=99)
    with pytest.raises(CheckpointError, match="unexpected in a bert model"):
        assemble(num_hidden_layers=2)
    with pytest.raises(ConfigError, match="mish"):
        assemble(hidden_act="mish")
    info: dict = {}
    found = assemble(num_labels=5, ignore_sizes=True, info=info)
    assert found.new == ["head.output.weight", "head.output.bias"] and not found.state.keys() & set(found.new)
    assert info["mismatched_keys"] == {("classifier.weight", (2, 24), (5, 24)), ("classifier.bias", (2,), (5,))}
    assert assemble("token-classification", num_labels=2).new == ["head.output.weight", "head.output.bias"]


@pytest.mark.parametrize("framework", ["pt", "np"])
def test_bf16_and_ties(framework, tmp_path):
    """A tensor and its second name may be stored both, in bf16 too, but must agree."""
    from gatonegro.checkpoints import read, write
    from gatonegro.hub import locate

    save(tmp_path, "bert", "masked-lm")
    tensors = {name: tensor.bfloat16() for name, tensor in read(locate(tmp_path)).items()}
    second = tensors["bert.embeddings.word_embeddings.weight"].clone()
    second[-1, -1] = tensors["bert.embeddings.word_embeddings.weight"][-1, -1] = 0.0
    second[-1, -1] *= -1  # -0.0, which is equal
    data = json.loads((tmp_path / "config.json").read_text())
    write(tmp_path, tensors | {"cls.predictions.decoder.weight": second}, files={"config.json": data})
    state = open_checkpoint(tmp_path, "masked-lm", framework).assemble().state
    if framework == "np":
        assert all(array.dtype == np.uint16 for array in state.values())
        state = {name: as_tensor(array) for name, array in state.items()}
    assert torch.equal(state["embeddings.tokens.weight"], tensors["bert.embeddings.word_embeddings.weight"])
    second[-1, -1] = 1
    write(tmp_path, tensors | {"cls.predictions.decoder.weight": second}, files={"config.json": data})
    with pytest.raises(CheckpointError, match="untied weights"):
        open_checkpoint(tmp_path, "masked-lm", framework).assemble()
