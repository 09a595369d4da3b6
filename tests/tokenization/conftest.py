"""Fixtures of small tokenizers, one folder per kind of vocabulary file."""

import json
import warnings

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from gatonegro import AutoTokenizer

TEXTS = [
    "El gato negro duerme en la casa.",
    "The black cat sleeps in the house.",
    "¿Dónde está el niño? ¡No lo sé!",
    "I can't believe it, they don't know what I've said.",
    "Mañana será otro día; hoy todo es sencillo y bueno.",
    "El profesor es bueno, todo será sencillo.",
    "Good mornings, bad evenings: 1234 cats and 56 dogs.",
    "Un café, por favor… ¡gracias! 😀",
] * 4
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] el gato negro es bueno todo ##s ##o , . ! ? a b c ##a ##b ##c cafe".split()


def write(folder, **files):
    """Write `name=text or JSON value`; a double underscore in a name is the dot before its ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def make(tmp_path):
    """Return `make(vocab__txt=…)`, which writes a folder with these files."""
    return lambda **files: write(tmp_path / str(len(list(tmp_path.iterdir()))), **files)


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    """Return the folder of a BERT of 8 positions."""
    config = {"model_type": "bert", "max_position_embeddings": 8, "vocab_size": len(WORDS)}
    return write(tmp_path_factory.mktemp("bert"), vocab__txt="\n".join(WORDS) + "\n", config__json=config)


@pytest.fixture(scope="session")
def bytes_folder(tmp_path_factory):
    """Return a folder with RoBERTa's files: byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    folder = tmp_path_factory.mktemp("bytes")
    tokenizer.model.save(str(folder))
    return folder


@pytest.fixture(scope="session")
def json_folder(tmp_path_factory):
    """Return a folder with the tokenizer.json of a PreTrainedTokenizerFast: 10 positions, for 8 tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
    names |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    return write(
        tmp_path_factory.mktemp("json"),
        tokenizer__json=tokenizer.to_str(),
        tokenizer_config__json={**names, "tokenizer_class": "PreTrainedTokenizerFast"},
        config__json={
            "model_type": "roberta",
            "max_position_embeddings": 10,
            "pad_token_id": 1,
            "vocab_size": tokenizer.get_vocab_size(),
        },
    )


@pytest.fixture(scope="session")
def train_spm(tmp_path_factory):
    """Return `train_spm(name, **options)`, which returns the path of a SentencePiece model trained on TEXTS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sentencepiece = pytest.importorskip("sentencepiece")

    def train(name, **options):
        path = tmp_path_factory.mktemp("spm") / name
        options = {"vocab_size": 120, "hard_vocab_limit": False, "minloglevel": 2} | options
        with path.open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(TEXTS), model_writer=file, num_threads=1, **options
            )
        return path

    return train


@pytest.fixture(scope="session")
def bert(bert_folder):
    return AutoTokenizer.from_pretrained(bert_folder)


@pytest.fixture(scope="session")
def roberta(bytes_folder):
    return AutoTokenizer.from_pretrained(bytes_folder)


@pytest.fixture
def robertuito(json_folder):
    """Return a new tokenizer, since some tests change it."""
    return AutoTokenizer.from_pretrained(json_folder)


@pytest.fixture(scope="session")
def unigram(train_spm):
    return AutoTokenizer.from_pretrained(train_spm("spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1).parent)


@pytest.fixture(scope="session")
def texts():
    return TEXTS


@pytest.fixture(scope="session")
def shared(shared):
    """Return the data in the folder of research data beside the checkout."""
    return shared / "data"


@pytest.fixture(scope="session")
def hf():
    """Return the module `transformers`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers
    return transformers
