"""Tensor names and configurations convert in both directions without loss (hypothesis)."""

from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import ENCODERS, GENERATORS, config, generator_config

from gatonegro.config import Config
from gatonegro.errors import CheckpointError
from gatonegro.families import FAMILIES
from gatonegro.families.configuration import read_config, write_config
from gatonegro.families.conversion import from_checkpoint, name_map, normalize_names, to_checkpoint
from gatonegro.families.family import Family, Head
from gatonegro.models import Model, build, init_weights


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def fields_of(config: Config, **others) -> dict:
    """Return the fields of a configuration, without `extra`."""
    return {field.name: getattr(config, field.name) for field in fields(Config)} | {"extra": {}, **others}


def checkpoint(family: Family, sizes: Config, head: str) -> dict[str, torch.Tensor]:
    """Return a model's tensors under a family's checkpoint names."""
    torch.manual_seed(0)
    model = init_weights(build(sizes, head), 0.3)
    return to_checkpoint(family, sizes, head, model.own_state_dict())


@pytest.mark.parametrize(("name", "head"), [(n, h) for n in FAMILIES for h in sorted({"none", *FAMILIES[n].heads})])
def test_to_checkpoint_undoes_from_checkpoint(name, head):
    family = FAMILIES[name]
    sizes = config(name) if name in ENCODERS else generator_config(name)
    tensors = checkpoint(family, sizes, head)
    expected = set(build(sizes, head).own_state_dict())
    ours = from_checkpoint(family, sizes, head, normalize_names(family, sizes, tensors), expected)
    assert ours.keys() == expected
    assert same(to_checkpoint(family, sizes, head, ours), tensors)
    assert len({name.checkpoint_name for name in name_map(family, sizes, head)}) == len(name_map(family, sizes, head))


@pytest.mark.parametrize("kind", GENERATORS)
def test_configurations_of_decoders_come_back(kind):
    name, values = GENERATORS[kind][0], generator_config(kind)
    for head in FAMILIES[name].heads:
        again = read_config(FAMILIES[name], write_config(FAMILIES[name], values, head))
        if values.decoder is not None:
            assert fields_of(again.decoder) == fields_of(values.decoder)
        assert fields_of(again, decoder=None) == fields_of(values, decoder=None)


@pytest.mark.parametrize("name", ENCODERS)
def test_configurations_come_back(name):
    labels = {"id2label": {0: "no", 1: "sí"}, "problem_type": "multi_label_classification"}
    own = {"sequence_dropout": 0.2, "span_dropout": 0.1} if name == "distilbert" else {}
    values = config(name, hidden_act="relu", classifier_dropout=0.3, **labels, **own)
    for head in FAMILIES[name].heads:
        again = read_config(FAMILIES[name], write_config(FAMILIES[name], values, head))
        assert fields_of(again) == fields_of(values)
        assert write_config(FAMILIES[name], again, head) == write_config(FAMILIES[name], values, head)


@pytest.mark.parametrize("name", ENCODERS)
def test_dropout_that_was_left_to_the_rest_of_the_model_is_the_same_after_saving(name):
    head = "sequence-classification"
    values = config(name, classifier_dropout=None, hidden_dropout_prob=0.35)
    again = read_config(FAMILIES[name], write_config(FAMILIES[name], values, head))
    assert Model(again, head).head.dropout.p == Model(values, head).head.dropout.p == 0.35


MADE_UP = Family(
    prefix="cat.",
    rows=(
        ("wte.weight", "embeddings.tokens.weight"),
        ("h.{i}.c_fc.weight", "layers.{i}.up.weight", "transpose"),
        ("h.{i}.c_fc.bias", "layers.{i}.up.bias"),
        (
            "h.{i}.qkv.*",
            ("layers.{i}.query.*", "layers.{i}.key.*", "layers.{i}.value.*"),
            "split",
        ),
        ("h.{i}.saved_mask", None),
        ("norm.*", "norm.*"),
    ),
    heads={
        "none": Head("CatModel"),
        "masked-lm": Head(
            "CatForMaskedLM",
            (("lm.bias", "head.bias"), ("lm.weight", "embeddings.tokens.weight", "tie"), ("lm.old", None, "tie")),
        ),
    },
    defaults={},
)


def made_up(layers: int, width: int, head: str, seed: int) -> dict[str, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    shapes = {"wte.weight": (5, width), "norm.weight": (width,), "norm.bias": (width,)}
    for i in range(layers):
        shapes |= {
            f"h.{i}.c_fc.weight": (width, 2 * width + 1),
            f"h.{i}.c_fc.bias": (2 * width + 1,),
            f"h.{i}.qkv.weight": (3 * width, width),
            f"h.{i}.qkv.bias": (3 * width,),
        }
    shapes = {"cat." + name: shape for name, shape in shapes.items()} | (
        {"lm.bias": (5,)} if head == "masked-lm" else {}
    )
    return {name: torch.randn(shape, generator=made) for name, shape in shapes.items()}


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from(["none", "masked-lm"]), st.integers(0, 100))
def test_to_checkpoint_undoes_from_checkpoint_for_rows_of_every_kind(layers, width, head, seed):
    sizes = config("bert", num_hidden_layers=layers)
    tensors = made_up(layers, width, head, seed)
    there = tensors | {"cat.h.0.saved_mask": torch.ones(1)}
    if head == "masked-lm":
        there["lm.weight"] = tensors["cat.wte.weight"]
    ours = from_checkpoint(MADE_UP, sizes, head, there, {"layers.0.query.bias"})
    assert torch.equal(ours["layers.0.up.weight"], tensors["cat.h.0.c_fc.weight"].T)
    for part, name in zip(tensors["cat.h.0.qkv.weight"].chunk(3), ("query", "key", "value"), strict=True):
        assert torch.equal(ours[f"layers.0.{name}.weight"], part)
    back = to_checkpoint(MADE_UP, sizes, head, ours)
    assert same({name if head != "none" else "cat." + name: tensor for name, tensor in back.items()}, tensors)


def test_a_shared_tensor_may_stand_under_its_second_name_alone_and_must_agree_where_both_are():
    sizes = config("bert")
    tensors = made_up(2, 3, "masked-lm", 0)
    second = {name.replace("cat.wte", "lm"): tensor for name, tensor in tensors.items()}
    ours = from_checkpoint(MADE_UP, sizes, "masked-lm", second, {"embeddings.tokens.weight"})
    assert same(to_checkpoint(MADE_UP, sizes, "masked-lm", ours), tensors)
    with pytest.raises(CheckpointError, match=r"lm\.weight.*differs"):
        from_checkpoint(MADE_UP, sizes, "masked-lm", tensors | {"lm.weight": tensors["cat.wte.weight"] + 1}, set())


@pytest.mark.parametrize("rows", [1, 2, 4, 7, 8])
def test_what_cannot_be_split_evenly_is_refused(rows):
    tensors = made_up(1, 3, "none", 0) | {"cat.h.0.qkv.bias": torch.zeros(rows)}
    with pytest.raises(CheckpointError, match=r"h\.0\.qkv\.bias"):
        from_checkpoint(MADE_UP, config("bert", num_hidden_layers=1), "none", tensors, set())


def test_a_layer_that_all_layers_share_is_stored_once():
    """As in ALBERT: one tensor of the checkpoint is shared by all our layers."""
    family = Family("", (("shared.*", "layers.{i}.up.*"), ("norm.*", "norm.*")), {"none": Head("Cat")}, {})
    sizes = config("bert", num_hidden_layers=3)
    tensors = {"shared.weight": torch.randn(3, 3), "shared.bias": torch.randn(3), "norm.weight": torch.randn(3)}
    ours = from_checkpoint(family, sizes, "none", tensors, {f"layers.{i}.up.weight" for i in range(3)})
    assert all(torch.equal(ours[f"layers.{i}.up.bias"], tensors["shared.bias"]) for i in range(3))
    assert same(to_checkpoint(family, sizes, "none", ours), tensors)
