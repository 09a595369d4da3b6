"""Outputs of models are ordered dicts with the classes and fields of `transformers`."""

import copy
import inspect
import pickle

import pytest
import torch
from small import model
from torch.utils import _pytree
from transformers import modeling_outputs
from transformers.generation import utils as generation

import gatonegro
from gatonegro.models.output import CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_fields(name):
    kind = getattr(gatonegro, name)
    reference = getattr(generation, name, None) or getattr(modeling_outputs, name)
    theirs = [*inspect.signature(reference).parameters]
    assert {*kind.fields} == {*theirs}
    some = {field: torch.ones(1) for field in theirs if field not in ("past_key_values", "cross_attentions")}
    assert [*kind(**some)] == [*reference(**some)] == [*some]


@pytest.mark.case("N17")
def test_an_output_is_a_dict_of_what_is_there():
    out = model()(torch.tensor([[5, 6, 7]]), labels=torch.tensor([1]))
    assert [*out] == ["loss", "logits"] and len(out) == 2 and "logits" in out and "attentions" not in out
    assert out[0] is out["loss"] is out.loss and out[:2] == out.to_tuple() and out.attentions is None
    assert repr(out).startswith("SequenceClassifierOutput(loss=tensor(") and "None" not in repr(out)
    assert isinstance(out, dict) and {**out}.keys() == {"loss", "logits"}
    with pytest.raises(AttributeError):
        out.odd  # noqa: B018
    with pytest.raises(KeyError):
        out["attentions"]
    out.loss = None
    assert [*out] == ["logits"]
    out["loss"] = torch.zeros(())
    assert out.loss is out["loss"]


def test_copies_and_pytorchs_nested_values():
    out = CLASSES["SequenceClassifierOutput"](logits=torch.ones(2, 3), hidden_states=(torch.ones(1), torch.ones(2)))
    for other in (pickle.loads(pickle.dumps(out)), copy.deepcopy(out), copy.copy(out), type(out)(out.items())):
        assert type(other) is type(out) and [*other] == [*out] and torch.equal(other.logits, out.logits)
    double = _pytree.tree_map(lambda x: 2 * x, out)
    assert type(double) is type(out) and bool((double.logits == 2).all()) and bool((double.hidden_states[1] == 2).all())


def test_flags_of_config_json_are_obeyed():
    encoder = model()
    ids = torch.tensor([[5, 6, 7]])
    encoder.config.extra.update(output_hidden_states=True, output_attentions=True)
    assert [*encoder(ids)] == ["logits", "hidden_states", "attentions"]
    assert [*encoder(ids, output_attentions=False)] == ["logits", "hidden_states"]
    encoder.config.extra["return_dict"] = False
    assert isinstance(encoder(ids), tuple) and len(encoder(ids, return_dict=True)) == 3
    encoder.config.extra.clear()


@pytest.mark.case("N21")
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of PyTorch's compiler
def test_a_compiled_model_runs_as_it_is():
    encoder, ids = model(), torch.tensor([[5, 6, 7]])
    expected = encoder(ids).logits
    assert torch.equal(torch.compile(encoder)(ids).logits, expected)
    encoder.compile()
    assert torch.equal(encoder(ids).logits, expected)
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(ids).logits, expected)
