"""Scripts as people write them, each run with `transformers` and with only its imports changed: the same output.

The vocabularies are those of the research data where it is there, and small ones of their own elsewhere.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import small_encoders
import torch
import transformers
from small import ROOT
from small_checkpoints import make
from small_encoders import NLI, POSITIONS

sys.path.insert(0, str(ROOT / "tests" / "compat"))
sys.path.insert(0, str(ROOT / "tests" / "golden"))

from make_scripts import make_checkpoints
from run_scripts import SCRIPTS

RECORDED = json.loads((ROOT / "tests" / "golden" / "scripts.json").read_text(encoding="utf-8"))["outputs"]
SHARED = ROOT.parent / "shared"
ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
SENTIMENTS = ("negative", "neutral", "positive")
CHECKPOINTS = {  # script → family, and of an encoder its head and labels
    "adding_tokens": ("distilbert", "MaskedLM"),
    "attention_maps": ("bert", "SequenceClassification", SENTIMENTS),
    "chat": ("gpt2",),
    "custom_head": ("bert", "SequenceClassification", SENTIMENTS),
    "custom_processors": ("gpt2",),
    "data_loader": ("roberta", "SequenceClassification", SENTIMENTS),
    "fill_mask": ("distilbert", "MaskedLM"),
    "freezing": ("bert", "SequenceClassification", SENTIMENTS),
    "generation": ("gpt2",),
    "key_dataset": ("distilbert", "SequenceClassification", SENTIMENTS),
    "mean_pooling": ("xlm-roberta", "MaskedLM"),
    "ner_by_hand": ("roberta", "TokenClassification", ENTITIES),
    "ner_pipeline": ("bert", "TokenClassification", ENTITIES),
    "new_tokenizer": ("roberta", "MaskedLM"),
    "past_key_values": ("gpt2",),
    "qa_long_text": ("xlm-roberta", "QuestionAnswering"),
    "saving": ("roberta", "SequenceClassification", SENTIMENTS),
    "sentiment_by_hand": ("roberta", "SequenceClassification", SENTIMENTS),
    "sentiment_pipeline": ("bert", "SequenceClassification", SENTIMENTS),
    "streaming": ("gpt2",),
    "summary_with_prefix": ("t5",),
    "training_loop": ("bert", "SequenceClassification", SENTIMENTS),
    "translation_batches": ("marian",),
    "contrastive": ("xlm-roberta", "MaskedLM"),
    "distillation": ("bert", "SequenceClassification", SENTIMENTS),
    "feature_extraction": ("distilbert", "MaskedLM"),
    "language_model_training": ("gpt2",),
    "layerwise_rates": ("roberta", "SequenceClassification", SENTIMENTS),
    "long_document": ("bert", "SequenceClassification", SENTIMENTS),
    "masked_lm_training": ("roberta", "MaskedLM"),
    "perplexity": ("gpt2",),
    "replacing_head": ("distilbert", "SequenceClassification", SENTIMENTS),
    "saliency": ("bert", "SequenceClassification", SENTIMENTS),
    "seq2seq_training": ("t5",),
    "tokenizer_tour": ("roberta", "MaskedLM"),
    "zero_shot": ("bert", "SequenceClassification", tuple(NLI.values())),
}
VOCABULARIES = {
    "bert": "data/tokenizers/beto-cased",
    "distilbert": "data/tokenizers/bert-base-uncased",
    "roberta": "data/tokenizers/roberta-base",
}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "hidden_dim": 64}
EASY = dict.fromkeys(("dropout_rate", "resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0) | {"n_positions": 128}
DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")
NUMBER = re.compile(r"-?\d+\.\d+")


def encoder(folder: Path, family: str, head: str, labels: tuple[str, ...] = ()) -> Path:
    small_encoders.TOKENIZERS[family](folder)
    if SHARED.is_dir() and family in VOCABULARIES:
        for file in (SHARED / VOCABULARIES[family]).iterdir():
            if file.name in ("vocab.txt", "vocab.json", "merges.txt"):
                shutil.copy(file, folder)
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    config = transformers.AutoConfig.for_model(
        family,
        vocab_size=len(transformers.AutoTokenizer.from_pretrained(folder)),
        max_position_embeddings=POSITIONS + 2,
        type_vocab_size=1 + (family == "bert"),
        pad_token_id=int("rob" in family),
        initializer_range=0.3,
        **SIZES,
        **dict.fromkeys(DROPOUTS, 0.0),
        **(names if labels else {}),
    )
    torch.manual_seed(0)
    getattr(transformers, f"AutoModelFor{head}").from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def printed(tmp_path_factory, python):
    """Return what the scripts print, by library and script."""
    made = {}
    for checkpoint in set(CHECKPOINTS.values()):
        folder = tmp_path_factory.mktemp(checkpoint[0])
        made[checkpoint] = encoder(folder, *checkpoint) if checkpoint[1:] else make(*checkpoint, folder, **EASY)
    folders = {name: str(made[checkpoint]) for name, checkpoint in CHECKPOINTS.items()}
    outputs = {"transformers": {name: "\n".join(lines) + "\n" for name, lines in RECORDED.items()}}
    for library, more in (("transformers", {}), ("gatonegro", make_checkpoints(tmp_path_factory.mktemp("recorded")))):
        run = python(ROOT / "tests" / "compat" / "run_scripts.py", library, json.dumps(folders | more))
        assert run.returncode == 0, run.stderr.decode()
        outputs[library] = outputs.get(library, {}) | json.loads(run.stdout)
    return outputs


@pytest.mark.parametrize("name", [path.stem for path in sorted(SCRIPTS.iterdir())])
def test_a_script_prints_the_same(printed, name):
    expected, output = (printed[library][name] for library in ("transformers", "gatonegro"))
    assert "Traceback" not in expected, expected
    assert NUMBER.sub("", output) == NUMBER.sub("", expected)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (output, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-5, abs=1.5e-4)  # the fourth digit may be rounded up or down
