"""What `differences.json` says differs from transformers differs still, where one call shows it."""

import pytest
import torch
import transformers as hf

import gatonegro
from gatonegro.compat.border import HERE
from gatonegro.errors import ConfigError, MissingHeadError, OptionError
from gatonegro.i18n import catalog

IDS, MASK = torch.tensor([[5, 6, 7], [5, 6, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])


def missing_head(library, folder):
    return library.AutoModelForSequenceClassification.from_pretrained(folder).num_labels > 0


def padding(library, folder):
    hidden = library.AutoModel.from_pretrained(folder)(input_ids=IDS, attention_mask=MASK)[0]  # (b, s, hidden)
    return bool(hidden[1, 2].any())


def labels(library, folder):
    config = library.BertConfig()
    config.id2label = {0: "a", 1: "b", 2: "c"}
    return config.label2id != {"a": 0, "b": 1, "c": 2}


def checks(library, folder):
    config = library.BertConfig()
    config.hidden_size = -1
    return config.hidden_size == -1


def modules(library, folder):
    return "embeddings.word_embeddings" in dict(library.AutoModel.from_pretrained(folder).named_modules())


@pytest.mark.parametrize("show", [missing_head, padding, labels, checks, modules])
def test_transformers_does_and_we_do_not(show, make_folder):
    folder = make_folder("pooler")
    assert show.__name__ in catalog(HERE / "differences.json")
    assert show(hf, folder)
    try:
        assert not show(gatonegro, folder)
    except (ConfigError, MissingHeadError, OptionError):
        assert show in (missing_head, checks)
