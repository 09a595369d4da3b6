"""Models as objects: classes, names of tensors and parts, outputs and caches are those of `transformers`."""

import copy
import io
import pickle
from functools import cache

import pytest
import torch
import transformers
from small import GENERATORS, config, generator_config

import gatonegro
from gatonegro.errors import InputError
from gatonegro.families import FAMILIES
from gatonegro.models import build, init_weights

NAMES = [head.architecture for family in FAMILIES.values() for head in family.heads.values()]
SPLIT = ("GPT2Model", "GPT2LMHeadModel")  # one tensor there is three here
COMPUTED = "embed_positions.weight"  # Marian's, a frozen parameter there


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """`both(name)` → a model of the reference, ours with the same weights, and their folder."""

    @cache
    def make(name):
        model_type, head = next(
            (kind, h) for kind, f in FAMILIES.items() for h, each in f.heads.items() if each.architecture == name
        )
        torch.manual_seed(0)
        types = {"type_vocab_size": {"bert": 2, "distilbert": 0}.get(model_type, 1)}
        sizes = (
            generator_config(model_type, classifier_dropout=0.0, decoder_start_token_id=2)
            if model_type in GENERATORS
            else config(model_type, **types)
        )
        folder = tmp_path_factory.mktemp(name)
        init_weights(build(sizes, head), 0.2).save_pretrained(folder)
        theirs = getattr(transformers, name).from_pretrained(folder, attn_implementation="eager").eval()
        return theirs, getattr(gatonegro, name).from_pretrained(folder), folder

    return make


def batch(model):
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 55, (3, 7), generator=random)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    target = {"decoder_input_ids": torch.randint(5, 55, (3, 4), generator=random)}
    ids[mask.bool().logical_not().roll(-1, 1) & mask.bool()] = 2  # ends of texts, which BART's classifier reads
    ids[[0, 2], -1] = 2
    wants_target = model.config.decoder and model.task_head != "sequence-classification"
    return {"input_ids": ids, "attention_mask": mask, **(target if wants_target else {})}


def real(x):
    return torch.ones(3, 4, dtype=torch.bool) if "decoder_input_ids" in x else x["attention_mask"].bool()


@pytest.mark.parametrize("name", NAMES)
def test_a_class_has_its_name(both, name):
    _, ours, folder = both(name)
    kind = getattr(gatonegro, name)
    assert type(ours) is kind is type(kind(ours.config)) and type(ours).__name__ == name
    assert f"{name}(" in repr(ours) and isinstance(ours, gatonegro.PreTrainedModel)
    assert kind.__mro__[1] is getattr(gatonegro, kind.__mro__[1].__name__)
    assert kind.__mro__[1].__name__.endswith("PreTrainedModel")
    other = gatonegro.RobertaModel if name.startswith("Bert") else gatonegro.BertModel
    with pytest.raises(InputError, match=other.__name__):
        other.from_pretrained(folder)
    with pytest.raises(InputError, match=other.__name__):
        other(ours.config)


@pytest.mark.parametrize("name", NAMES)
def test_copies_of_a_model(both, name):
    _, ours, _ = both(name)
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    x = batch(ours)
    expected = ours(**x)[0]
    for model in (pickle.loads(pickle.dumps(ours)), copy.deepcopy(ours), torch.load(file, weights_only=False)):
        assert type(model) is type(ours) and torch.equal(model(**x)[0], expected)


@pytest.mark.parametrize("name", NAMES)
def test_state_dicts_in_both_directions(both, name):
    theirs, ours, _ = both(name)
    a, b = theirs.state_dict(), ours.state_dict()
    assert a.keys() == b.keys() and all(torch.allclose(a[key], b[key], atol=1e-6) for key in a)
    fresh = type(ours)(ours.config).eval()
    report = fresh.load_state_dict(a)
    assert not report.missing_keys and not report.unexpected_keys
    assert all(torch.equal(x, fresh.own_state_dict()[key]) for key, x in ours.own_state_dict().items())
    fresh.load_state_dict(ours.own_state_dict())  # as in older checkpoints of a training
    key = next(key for key in a if ("layer" in key or "h." in key) and key.endswith(("bias", "norm.weight")))
    broken = {name: tensor for name, tensor in a.items() if name != key} | {"odd.weight": a[key]}
    report = fresh.load_state_dict(broken, strict=False)
    assert report.missing_keys == [key] and report.unexpected_keys == ["odd.weight"]
    with pytest.raises(RuntimeError, match=key):
        fresh.load_state_dict(broken)


def test_a_state_dict_inside_of_another_module(both):
    theirs, ours, _ = both("BertModel")
    state = torch.nn.ModuleDict({"a": theirs, "b": torch.nn.Linear(2, 2)}).state_dict()
    outer = torch.nn.ModuleDict({"a": type(ours)(ours.config), "b": torch.nn.Linear(2, 2)})
    assert outer.state_dict().keys() == state.keys()
    outer.load_state_dict(state)
    assert torch.equal(outer["a"].embeddings.tokens.weight, ours.embeddings.tokens.weight)


@pytest.mark.parametrize("name", NAMES)
def test_named_parameters(both, name):
    theirs, ours, _ = both(name)
    a, b = (dict(model.named_parameters(remove_duplicate=False)) for model in (theirs, ours))
    if name in SPLIT:
        assert b.keys() == dict(torch.nn.Module.named_parameters(ours, remove_duplicate=False)).keys()
    else:
        assert {key for key in a if not (name.startswith("Marian") and key.endswith(COMPUTED))} == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in b)
    assert [id(p) for p in ours.parameters()] == [id(p) for _, p in ours.named_parameters()]
    assert all(key.startswith("x.") for key, _ in ours.named_parameters("x"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SPLIT])
def test_parts_by_name(both, name):
    theirs, ours, _ = both(name)
    outside = ("embed_tokens", "embed_positions", "layernorm_embedding")  # of an encoder–decoder's two stacks
    for key, expected in theirs.named_parameters(remove_duplicate=False):
        part = ours
        if not any(word in key for word in outside):
            for step in key.split("."):
                part = getattr(part, step)
            assert torch.equal(part, expected), key


@pytest.mark.parametrize("name", NAMES)
def test_base_models_and_outputs(both, name):
    theirs, ours, _ = both(name)
    assert type(ours.base_model).__name__ == type(theirs.base_model).__name__
    assert ours.base_model_prefix in ("", theirs.base_model_prefix)
    x = batch(ours)
    flags = {"output_attentions": True, "output_hidden_states": True}
    for a, b in ((theirs, ours), (theirs.base_model, ours.base_model)):
        for more in ({}, flags):
            with torch.no_grad():
                expected, out = a(**x, **more), b(**x, **more)
            assert type(out).__name__ == type(expected).__name__
            assert [*out] == [*expected] == [*out.keys()]
        first, wanted = out[0], expected[0]
        rows = real(x) if first.shape[:2] == x["input_ids"].shape else slice(None)  # padding has no meaning
        assert torch.allclose(first[rows], wanted[rows], atol=1e-4)


def test_freezing_and_replacing(both):
    ours = copy.deepcopy(both("BertForSequenceClassification")[1])
    for p in ours.bert.parameters():
        p.requires_grad = False
    assert {key.split(".")[0] for key, p in ours.named_parameters() if p.requires_grad} == {"classifier"}
    for p in ours.bert.encoder.layer[1:].parameters():
        p.requires_grad = True
    trained = {key.split(".")[3] for key, p in ours.named_parameters() if p.requires_grad and "layer." in key}
    assert trained == {"1", "2"} and len(ours.bert.encoder.layer) == 3
    ours.classifier = torch.nn.Linear(24, 5)
    assert ours(**batch(ours)).logits.shape == (3, 5) and ours.head.output is ours.classifier
    roberta = copy.deepcopy(both("RobertaForSequenceClassification")[1])
    roberta.classifier.out_proj = torch.nn.Linear(24, 7)
    assert roberta(**batch(roberta)).logits.shape == (3, 7)
    layers = ours.bert.encoder.layer
    with pytest.raises(InputError, match="layer"):
        ours.bert.encoder.layer = layers[:2]
    with pytest.raises(InputError, match="hidden"):
        layers[0].register_forward_hook(print)
    assert not hasattr(ours, "odd") and not hasattr(layers, "odd")
    with pytest.raises(AttributeError, match="peft"):
        ours.add_adapter("lora")


@pytest.mark.parametrize("name", ["BertForMaskedLM", "GPT2LMHeadModel", "T5ForConditionalGeneration", "BertModel"])
def test_embeddings(both, name):
    theirs, ours, _ = both(name)
    for method in ("get_input_embeddings", "get_output_embeddings"):
        a, b = getattr(theirs, method)(), getattr(ours, method)()
        assert (a is None) == (b is None) and (a is None or torch.equal(a.weight, b.weight))
    ours = copy.deepcopy(ours)
    count = ours.config.vocab_size + 100 * ("Masked" not in name)  # whose bias has one size
    ours.set_input_embeddings(torch.nn.Embedding(count, ours.config.hidden_size))
    assert ours.config.vocab_size == ours.get_input_embeddings().num_embeddings == count
    assert ours.num_labels == 2 and ours(**batch(ours))


CHECKPOINTED = "BertForSequenceClassification BartForConditionalGeneration GPT2LMHeadModel T5ForConditionalGeneration"


@pytest.mark.parametrize("name", CHECKPOINTED.split())
def test_gradient_checkpointing(both, name):
    ours = copy.deepcopy(both(name)[1]).train()
    for part in ours.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    grads = []
    for enable in (False, True):
        if enable:
            ours.gradient_checkpointing_enable()
        assert ours.is_gradient_checkpointing is enable
        ours.zero_grad()
        x = {k: v for k, v in batch(ours).items() if k != "decoder_input_ids"}
        labels = torch.tensor([0, 1, 1]) if "Classification" in name else x["input_ids"]
        torch.manual_seed(0)
        ours(**x, labels=labels).loss.backward()
        grads.append([p.grad.clone() for p in ours.parameters()])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*grads, strict=True))
    ours.gradient_checkpointing_disable()
    assert not ours.is_gradient_checkpointing
    ours.gradient_checkpointing_enable()
    assert ours.is_gradient_checkpointing


@pytest.mark.parametrize("kind", ["Bert", "T5", "GPT2"])
def test_a_new_model_has_random_weights(kind):
    model = getattr(gatonegro, f"{kind}Model")(getattr(gatonegro, f"{kind}Config")(num_hidden_layers=1, vocab_size=50))
    std = model.config.initializer_range
    assert model.get_input_embeddings().weight.std().item() == pytest.approx(std, rel=0.05)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_resized_embeddings_keep_their_mean():
    model = gatonegro.BertModel(gatonegro.BertConfig(num_hidden_layers=1, vocab_size=50))
    before = model.get_input_embeddings().weight.detach().mean(0)
    assert torch.allclose(model.resize_token_embeddings(500).weight.mean(0), before, atol=1e-4)
    assert model.resize_token_embeddings(new_num_tokens=61, pad_to_multiple_of=8).weight.shape == (64, 768)


def test_attributes_of_classes():
    kind = gatonegro.BertForMaskedLM
    assert kind.config_class is gatonegro.BertConfig and kind.base_model_prefix == "bert"
    assert gatonegro.GPT2LMHeadModel.can_generate() and not kind.can_generate()
    assert kind.config_class().get_text_config(decoder=True).sub_configs == {}
    model = kind._from_config(kind.config_class(num_hidden_layers=1, vocab_size=9, gradient_checkpointing=True))
    assert type(model) is kind and model.is_gradient_checkpointing
