"""Each public name of transformers is here too, or its import says what to use instead."""

import json
import re
from pathlib import Path

import pytest
import transformers as hf

import gatonegro
from gatonegro.compat import NAMES, refusal
from gatonegro.compat.border import MESSAGES
from gatonegro.families import FAMILIES

# that transformers 5.23.0 no longer has; of TensorFlow and Flax one each
DROPPED = Path(__file__).with_name("names-4.57.6.txt").read_text(encoding="utf-8").split()
# with modules: "models.bert"
OLD = json.loads(Path(__file__).with_name("arguments-4.57.6.json").read_text(encoding="utf-8"))
PUBLIC = sorted({name for name in [*dir(hf), *hf.__all__, *DROPPED] if name[0] != "_"})
# class in the tables → classes of transformers
CLASSES = {
    "PreTrainedModel": (hf.BertForSequenceClassification, hf.T5ForConditionalGeneration),
    "PreTrainedTokenizer": (hf.BertTokenizer,),
    "PreTrainedConfig": (hf.BertConfig,),
    "GenerationConfig": (hf.GenerationConfig,),
    "Pipeline": (hf.TextGenerationPipeline,),
}


def imported(name):
    """Return what `from gatonegro import name` gives, or the error's message."""
    scope = {}
    try:
        exec(f"from gatonegro import {name}", scope)
    except ImportError as error:
        return str(error)
    return scope[name]


def test_each_name_is_here_or_says_what_to_use():
    assert len(DROPPED) > 500 and len(PUBLIC) > 4000
    names = [name for name in PUBLIC if "." not in name]
    bare = [name for name in names if str(imported(name)).startswith("cannot import name")]
    assert bare == []


def test_each_module_says_what_to_use():
    for name in PUBLIC:
        if "." in name:
            assert refusal(name) is not None, name


def test_names_of_texts_are_here():
    """What people import for the supported families, some of it dropped by transformers 5."""
    for family in FAMILIES.values():
        for head in family.heads.values():
            assert imported(head.architecture).__name__ == head.architecture
    for name in ("Summarization", "Translation", "Text2TextGeneration", "QuestionAnswering", "ZeroShotClassification"):
        assert imported(f"{name}Pipeline").__name__ == f"{name}Pipeline"


@pytest.mark.parametrize("pattern", NAMES)
def test_each_row_is_needed(pattern):
    """A row matches a name that is not here, and that no row before it matches; its message exists."""
    methods = ["PreTrainedModel.dropout"] + [
        f"{table}.{name}" for table, classes in CLASSES.items() for kind in classes for name in dir(kind)
    ]
    methods += [f"{table}.{name}" for table in (*CLASSES, "BatchEncoding") for name in OLD.get(table, ())]
    assert NAMES[pattern] in MESSAGES
    before = [*NAMES][: [*NAMES].index(pattern)]
    assert any(
        re.fullmatch(pattern, name) and not any(re.fullmatch(other, name) for other in before) and not here(name)
        for name in [*PUBLIC, *methods]
    )


def here(name):
    return "." not in name and hasattr(gatonegro, name)


def test_the_sentence_on_models_names_all_families():
    for language in ("en", "es"):
        words = re.sub(r"[^\w ]", "", MESSAGES["models"].in_(language).lower()).split()
        assert {family.replace("-", "") for family in FAMILIES} <= {*words}


def test_a_name_that_is_not_here_is_no_attribute():
    """So that `hasattr` and `getattr(…, None)` answer."""
    assert not hasattr(gatonegro, "Trainer") and getattr(gatonegro, "LlamaForCausalLM", None) is None
    with pytest.raises(AttributeError, match="use a loop"):
        gatonegro.Trainer  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name"):
        from gatonegro import nothing  # noqa: F401
    with pytest.raises(ImportError, match="from gatonegro itself"):
        from gatonegro.trainer_utils import EvalPrediction  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        from gatonegro.nothing import Nothing  # noqa: F401
