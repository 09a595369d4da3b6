"""Keywords of `AutoTokenizer.from_pretrained` and of saving do what they do in transformers."""

import json
import shutil

import pytest
import transformers as hf
from tokenizers import AddedToken

from gatonegro import AutoConfig, AutoTokenizer
from gatonegro.compat import ARGUMENTS
from gatonegro.errors import GatonegroError, OptionError

TEXT = "El gato [MASK] </s> es <nuevo> muy bueno, será sencillo."


@pytest.fixture(scope="module")
def bert(make_folder):
    folder = make_folder("pooler")
    words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in dict.fromkeys(words)), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize(
    "options",
    [
        {"pad_token": "<nuevo>"},
        {"bos_token": "<nuevo>", "eos_token": AddedToken("</s>", special=True)},
        {"mask_token": "[MASK]", "sep_token": "</s>", "cls_token": "<s>"},
        {"additional_special_tokens": ["<nuevo>"]},
        {"extra_special_tokens": ["<nuevo>"]},
        {"legacy": False},
        {"src_lang": "es", "tgt_lang": "en"},
        {"use_fast": True, "trust_remote_code": False},
        {"padding_side": "left", "model_max_length": 50},
        {"model_input_names": ["input_ids"]},
        {"split_special_tokens": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_a_keyword_changes_what_it_changes_in_transformers(kind, options, bert, folders):
    folder = bert if kind == "bert" else folders[kind]
    theirs, ours = (auto.from_pretrained(folder, **options) for auto in (hf.AutoTokenizer, AutoTokenizer))
    assert ours(TEXT)["input_ids"] == theirs(TEXT)["input_ids"]
    for name in (*ours.SPECIAL_TOKEN_NAMES, "padding_side", "model_input_names", "model_max_length"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert len(ours) == len(theirs)


@pytest.mark.parametrize(
    "options", [{"strip_accents": True}, {"do_lower_case": False}, {"tokenize_chinese_chars": False}]
)
def test_keywords_of_wordpiece(bert, options, tmp_path):
    text = "Será 猫猫 ¡NIÑO!"
    AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path)  # as tokenizer.json
    theirs = hf.BertTokenizer.from_pretrained(bert, **options)(text)["input_ids"]
    for folder in (bert, tmp_path):
        assert AutoTokenizer.from_pretrained(folder, **options)(text)["input_ids"] == theirs


@pytest.mark.parametrize("name", [n for n, row in ARGUMENTS["AutoTokenizer.from_pretrained"].items() if "idle" in row])
def test_idle_keywords_change_no_answer(bert, name):
    row = ARGUMENTS["AutoTokenizer.from_pretrained"][name]
    values = row["idle"] if isinstance(row["idle"], list) else ["x", "y"]
    if name in ("chat_control_tokens", "response_schema", "response_template", "files_loaded", "processor_class"):
        values = [None]
    expected = hf.AutoTokenizer.from_pretrained(bert)(TEXT)["input_ids"]
    for value in values:
        if name not in ("name_or_path", "backend"):  # which transformers passes itself
            assert hf.AutoTokenizer.from_pretrained(bert, **{name: value})(TEXT)["input_ids"] == expected
        assert AutoTokenizer.from_pretrained(bert, **{name: value})(TEXT)["input_ids"] == expected


def test_split_special_tokens_holds_for_truncated_texts_and_saved_tokenizers(bert, tmp_path):
    split = AutoTokenizer.from_pretrained(bert, split_special_tokens=True)
    split.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for tokenizer in (split, again):
        assert tokenizer.mask_token_id not in tokenizer(TEXT, truncation=True, max_length=20)["input_ids"]
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["split_special_tokens"] is True


def test_the_family_of_a_tokenizer_without_a_configuration(bert, tmp_path):
    shutil.copy(bert / "vocab.txt", tmp_path)
    expected = AutoTokenizer.from_pretrained(bert)(TEXT)["input_ids"]
    config = AutoConfig.from_pretrained(bert)
    for options in ({"tokenizer_type": "bert"}, {"config": config}, {"config": bert}):
        tokenizer = AutoTokenizer.from_pretrained(tmp_path, **options, strip_accents=False, do_lower_case=True)
        assert tokenizer(TEXT)["input_ids"] == expected, options
    assert AutoTokenizer.from_pretrained(tmp_path, config=config).position_limit == 64
    with pytest.raises(OptionError, match="tokenizer_type must be"):
        AutoTokenizer.from_pretrained(tmp_path, tokenizer_type="nothing")


def test_files_in_a_subfolder(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "sub")
    theirs, ours = (auto.from_pretrained(tmp_path, subfolder="sub") for auto in (hf.AutoTokenizer, AutoTokenizer))
    assert ours(TEXT)["input_ids"] == theirs(TEXT)["input_ids"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("trust_remote_code", True), ("add_bos_token", True), ("vocab_file", "x"), ("colour", 1)],
)
def test_keywords_that_are_not_supported_are_refused_by_name(bert, name, value):
    with pytest.raises(OptionError, match=rf"{name}=.* is not supported: |no argument {name}"):
        AutoTokenizer.from_pretrained(bert, **{name: value})


def test_special_tokens_of_a_wrong_type_are_refused(bert):
    for options in ({"pad_token": 3}, {"additional_special_tokens": [3]}):
        with pytest.raises(GatonegroError):
            AutoTokenizer.from_pretrained(bert, **options)


def test_keywords_of_saving(bert, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokenizer.save_pretrained(save_directory=tmp_path, push_to_hub=False, legacy_format=None, filename_prefix=None)
    assert (tmp_path / "tokenizer.json").exists()
    for options in ({"push_to_hub": True}, {"legacy_format": True}, {"filename_prefix": "x"}):
        with pytest.raises(OptionError, match="is not supported"):
            tokenizer.save_pretrained(tmp_path, **options)
