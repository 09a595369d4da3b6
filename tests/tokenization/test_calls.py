"""Tests of the call forms, after the cases of `transformers`' own tests, on tokenizers of a few words."""

import copy
import pickle
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from tokenizers import AddedToken

from gatonegro import AutoTokenizer
from gatonegro.errors import InputError, MissingExtraError
from gatonegro.tokenization import BatchEncoding, TruncationWarning

CAT = [2, 5, 6, 7, 3]  # [CLS] el gato negro [SEP]


def test_one_text(bert):
    batch = bert("El gato NEGRO")
    assert batch == {"input_ids": CAT, "token_type_ids": [0] * 5, "attention_mask": [1] * 5}
    assert batch.input_ids == batch["input_ids"] == bert.encode("el gato negro")
    assert bert("el gato negro", add_special_tokens=False).input_ids == [5, 6, 7]
    with pytest.raises(AttributeError, match="no 'labels'"):
        batch.labels  # noqa: B018


def test_a_list_of_texts(bert):
    assert bert(["el gato", "gatos"]).input_ids == [[2, 5, 6, 3], [2, 6, 11, 3]]
    assert bert(("el gato",)).input_ids == bert(np.array(["el gato"])).input_ids == [[2, 5, 6, 3]]


def test_a_column_of_a_table(bert):
    pandas = pytest.importorskip("pandas")
    assert bert(pandas.Series(["el gato"])).input_ids == [[2, 5, 6, 3]]


def test_pairs(bert):
    encoded = bert("el gato", "negro")
    assert encoded.input_ids == [2, 5, 6, 3, 7, 3]
    assert encoded.token_type_ids == [0, 0, 0, 0, 1, 1]
    assert encoded.sequence_ids() == [None, 0, 0, None, 1, None]
    many = bert(["el gato"], ["negro"])
    assert many.input_ids == bert([("el gato", "negro")]).input_ids == bert([["el gato", "negro"]]).input_ids
    assert many.input_ids == [encoded.input_ids]
    assert bert("el", "").input_ids == [2, 5, 3, 3]


def test_pairs_of_the_roberta_kind(roberta):
    batch = roberta("a", "b")
    assert batch.tokens() == ["<s>", "a", "</s>", "</s>", "b", "</s>"]
    assert "token_type_ids" not in batch
    assert set(roberta("a", "b", return_token_type_ids=True).token_type_ids) == {0}


def test_a_tokenizer_json_of_no_family_gives_token_types_as_transformers_4_does(robertuito):
    batch = robertuito(["el gato", "el"], padding=True)
    assert batch.token_type_ids == [[0] * len(batch.input_ids[0])] * 2


def test_words_that_are_already_split(bert):
    encoded = bert(["gatos", "el"], is_split_into_words=True)
    assert encoded.input_ids == [2, 6, 11, 5, 3]
    assert encoded.word_ids() == [None, 0, 0, 1, None]
    assert bert([["gatos"], ["el", "el"]], is_split_into_words=True).input_ids == [[2, 6, 11, 3], [2, 5, 5, 3]]
    assert bert([["el"]], [["gatos"]], is_split_into_words=True).input_ids == [[2, 5, 3, 6, 11, 3]]
    assert bert([], is_split_into_words=True).input_ids == [2, 3]


def test_padding(bert):
    batch = bert(["el", "el gato"], padding=True)
    assert batch.input_ids == [[2, 5, 3, 0], [2, 5, 6, 3]]
    assert batch.attention_mask == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch == bert(["el", "el gato"], padding="longest")
    assert bert("el", padding="max_length").input_ids == [2, 5, 3, 0, 0, 0, 0, 0]
    assert bert("el", padding="max_length", max_length=4).input_ids == [2, 5, 3, 0]
    assert bert(["el"], padding=True, pad_to_multiple_of=4).input_ids == [[2, 5, 3, 0]]
    assert bert("el", padding="max_length", max_length=4, padding_side="left").input_ids == [0, 2, 5, 3]
    assert batch.tokens(0) == ["[CLS]", "el", "[SEP]", "[PAD]"]
    assert bert("el", return_special_tokens_mask=True, padding="max_length", max_length=4).special_tokens_mask == [
        1, 0, 1, 1,
    ]  # fmt: skip


def test_truncation(bert):
    assert bert("el gato negro", truncation=True, max_length=4).input_ids == [2, 5, 6, 3]
    assert bert("el gato negro", max_length=4).input_ids == [2, 5, 6, 3], "max_length alone cuts"
    assert bert("el gato negro", max_length=4, truncation=False).input_ids == CAT
    assert bert("el " * 20, truncation=True).input_ids == [2, *[5] * 6, 3], "the model's own length"
    assert bert("el gato negro", truncation=True, max_length=2).input_ids == [2, 3]
    assert bert("el gato negro", truncation=True, max_length=2, add_special_tokens=False).input_ids == [5, 6]
    long = ("el gato negro", "es bueno")
    assert bert(*long, truncation=True, max_length=6).input_ids == [2, 5, 6, 3, 8, 3]
    assert bert(*long, truncation="only_first", max_length=6).input_ids == [2, 5, 3, 8, 9, 3]
    assert bert(*long, truncation="only_second", max_length=7).input_ids == [2, 5, 6, 7, 3, 8, 3]
    left = copy.deepcopy(bert)
    left.truncation_side = "left"
    assert left("el gato negro", truncation=True, max_length=4).input_ids == [2, 6, 7, 3]


def test_windows(bert):
    options = {"truncation": True, "max_length": 4, "stride": 1, "return_overflowing_tokens": True}
    batch = bert(["el gato negro", "el"], **options, return_length=True)
    assert batch.input_ids == [[2, 5, 6, 3], [2, 6, 7, 3], [2, 5, 3]]
    assert batch.overflow_to_sample_mapping == [0, 0, 1]
    assert batch.length == [4, 4, 3]
    assert bert(["el gato negro", "el"], **options, return_offsets_mapping=False).input_ids == batch.input_ids
    padded = bert(["el gato negro", "el"], **options, padding=True, return_tensors="pt")
    assert padded.input_ids.tolist() == [[2, 5, 6, 3], [2, 6, 7, 3], [2, 5, 3, 0]]
    assert padded.overflow_to_sample_mapping.tolist() == [0, 0, 1]
    assert bert("el gato negro", **options).input_ids == [[2, 5, 6, 3], [2, 6, 7, 3]]
    with_offsets = bert("el gato negro", **options, return_offsets_mapping=True)
    assert with_offsets.offset_mapping == [[(0, 0), (0, 2), (3, 7), (0, 0)], [(0, 0), (3, 7), (8, 13), (0, 0)]]


def test_offsets_and_the_way_back_to_characters(bert):
    batch = bert(["¡El café!"], return_offsets_mapping=True)
    assert batch.tokens() == ["[CLS]", "[UNK]", "el", "cafe", "!", "[SEP]"]
    assert batch.offset_mapping == [[(0, 0), (0, 1), (1, 3), (4, 8), (8, 9), (0, 0)]]
    assert batch.char_to_token(5) == batch.char_to_token(0, 5) == 3
    assert batch.char_to_token(3) is None
    assert batch.token_to_chars(3) == batch.token_to_chars(0, 3) == (4, 8)
    assert batch.token_to_chars(0, 0) is None
    assert batch[0].ids == batch.input_ids[0]
    for row in (1, -2):
        with pytest.raises(InputError, match=f"1 rows; there is no row {row}"):
            batch.tokens(row)


def test_the_fast_way_gives_the_same_ids(bert, roberta, robertuito, unigram, texts):
    for tokenizer in (bert, roberta, robertuito, unigram):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)
            fast = tokenizer(texts, return_offsets_mapping=False)
            assert fast == tokenizer(texts)
        with pytest.raises(InputError, match="return_offsets_mapping=False"):
            fast.tokens(0)
    with pytest.raises(InputError, match="keeps no encodings"):
        BatchEncoding({}).word_ids()


def test_tensors(bert):
    encoded = bert("el gato", return_tensors="pt")
    assert encoded.input_ids.tolist() == [[2, 5, 6, 3]]
    assert encoded.input_ids.dtype == torch.int64
    assert encoded.to("cpu") is encoded
    assert encoded.to("meta").input_ids.device.type == "meta"
    assert bert("el", return_tensors="np").input_ids.dtype == np.int64
    assert bert([], return_tensors="pt").input_ids.shape == (0, 0)
    assert bert(["el", "el gato"], padding=True, return_tensors="np", return_offsets_mapping=True)[
        "offset_mapping"
    ].shape == (2, 4, 2)
    with pytest.raises(InputError, match=r"3 to 4 tokens.*padding=True"):
        bert(["el", "el gato"], return_tensors="pt")
    with pytest.raises(InputError, match="'jax' is not supported"):
        bert("el", return_tensors="jax")


def test_tensorflow_where_it_is_installed(bert, monkeypatch):
    class TensorFlow:
        constant = staticmethod(lambda array: ("tensor", array.tolist()))

    monkeypatch.setitem(sys.modules, "tensorflow", TensorFlow)
    assert bert("el", return_tensors="tf").input_ids == ("tensor", [[2, 5, 3]])
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match="TensorFlow"):
        bert("el", return_tensors="tf")


def test_a_model_of_eight_positions_cuts_to_eight_and_says_so(robertuito):
    assert robertuito.model_max_length == robertuito.position_limit == 8  # 10 positions - pad_token_id - 1
    with pytest.warns(TruncationWarning, match=r"1 of 2 texts were cut to 8 tokens, not to max_length=512"):
        batch = robertuito(["el gato " * 9, "el"], truncation=True, max_length=512)
    assert [len(row) for row in batch.input_ids] == [8, 3]
    assert len(robertuito("el", padding="max_length", truncation=True, max_length=512).input_ids) == 8
    robertuito(["el gato", "el"], truncation=True, max_length=512)  # nothing is lost, nothing is said
    robertuito("el gato " * 9, truncation=True)  # cut to what was asked for


def test_a_text_that_is_too_long_is_left_whole_with_one_warning(robertuito):
    with pytest.warns(TruncationWarning, match="tokens and the model takes 8: it was not truncated"):
        assert len(robertuito("el gato " * 9).input_ids) > 8
    robertuito("el gato " * 9)


def test_what_a_call_cannot_do_gives_an_error_or_a_warning(bert, roberta):
    with pytest.warns(TruncationWarning, match="has no maximum length"):
        assert len(roberta("el gato " * 900, truncation=True).input_ids) > 900
    with pytest.raises(InputError, match="has no maximum length"):
        roberta("el", padding="max_length")
    with pytest.warns(TruncationWarning, match="max_length does nothing"):
        bert("el", padding=True, max_length=4)
    with pytest.raises(InputError, match="not a multiple of pad_to_multiple_of=3"):
        bert("el", padding=True, truncation=True, max_length=4, pad_to_multiple_of=3)
    with pytest.raises(InputError, match='"longest_first"'):
        bert("el", "gato " * 9, truncation="only_first", max_length=6)
    with pytest.raises(TypeError, match="trunkation"):
        bert("el", trunkation=True)


def test_tokens_and_ids(bert):
    assert bert.tokenize("Gatos negros") == ["gato", "##s", "negro", "##s"]
    assert bert.tokenize("el", "gato", add_special_tokens=True) == ["[CLS]", "el", "[SEP]", "gato", "[SEP]"]
    assert bert.convert_tokens_to_ids(["el", "perro"]) == [5, 1]
    assert bert.convert_tokens_to_ids("gato") == 6
    assert bert.convert_ids_to_tokens([2, 6, 99]) == ["[CLS]", "gato", None]
    assert bert.convert_ids_to_tokens(6) == "gato"
    assert bert.convert_ids_to_tokens(torch.tensor([2, 6]), skip_special_tokens=True) == ["gato"]
    assert bert.convert_tokens_to_string(["gato", "##s"]) == "gatos"
    assert bert.num_special_tokens_to_add() == 2
    assert bert.num_special_tokens_to_add(pair=True) == 3


def test_decode(bert):
    ids = bert.encode("el gato, es bueno!")
    assert bert.decode(ids) == "[CLS] el gato, es bueno! [SEP]"
    assert bert.decode(ids, skip_special_tokens=True) == "el gato, es bueno!"
    assert bert.decode(6) == bert.decode(np.array([6])) == bert.decode(torch.tensor(6)) == "gato"
    assert bert.decode([]) == ""
    assert bert.decode([[5], [6]]) == bert.batch_decode([[5], [6]]) == ["el", "gato"]
    assert bert.batch_decode(torch.tensor([[5, 0], [6, 7]]), skip_special_tokens=True) == ["el", "gato negro"]
    assert bert.batch_decode([]) == []
    assert bert.decode([5, 99]) == "el", "an id beyond the vocabulary has no text, as in transformers"


def test_decode_cleans_up_spaces_on_request(roberta):
    ids = roberta.encode("a . b n't 'm it 's c ?", add_special_tokens=False)
    assert roberta.decode(ids) == "a . b n't 'm it 's c ?"
    assert roberta.decode(ids, clean_up_tokenization_spaces=True) == "a. bn't'm it's c?"


def test_attributes(bert):
    assert (bert.pad_token, bert.pad_token_id) == ("[PAD]", 0)
    assert (bert.cls_token_id, bert.sep_token_id, bert.mask_token_id, bert.unk_token_id) == (2, 3, 4, 1)
    assert bert.bos_token is None
    assert bert.eos_token_id is None
    assert set(bert.all_special_tokens) == {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    assert sorted(bert.all_special_ids) == [0, 1, 2, 3, 4]
    assert bert.special_tokens_map["mask_token"] == "[MASK]"
    assert len(bert) == bert.vocab_size == len(bert.get_vocab()) == 24
    assert bert.is_fast
    assert (bert.padding_side, bert.truncation_side, bert.model_max_length) == ("right", "right", 8)
    assert "24 tokens" in repr(bert)


def test_special_tokens_can_be_set(bert_folder):
    tokenizer = AutoTokenizer.from_pretrained(bert_folder)
    tokenizer.pad_token = "el"
    assert tokenizer(["el", "el gato"], padding=True).input_ids[0] == [2, 5, 3, 5]
    tokenizer.pad_token_id = 0
    assert tokenizer.pad_token == "[PAD]"
    tokenizer.pad_token = None
    with pytest.raises(InputError, match="no padding token"):
        tokenizer("el", padding=True)
    for name, value in {"pad_token": "perro", "pad_token_id": 99}.items():
        with pytest.raises(InputError, match="24 tokens does not have it"):
            setattr(tokenizer, name, value)


def test_added_tokens_are_not_split(bert_folder):
    tokenizer = AutoTokenizer.from_pretrained(bert_folder, model_max_length=6)
    assert tokenizer("gatonegro", truncation=True).input_ids == [2, 1, 3]
    assert tokenizer.add_tokens("gato") == 0, "it is there already: no note, nothing to resize"
    with pytest.warns(UserWarning, match=r"26 tokens and the model 24 embeddings: call model.resize_token_embeddings"):
        assert tokenizer.add_tokens(["gatonegro", AddedToken("<tag>", lstrip=True), "el"]) == 2
    assert (len(tokenizer), tokenizer.vocab_size) == (26, 24)
    assert tokenizer("gatonegro", truncation=True).input_ids == [2, 24, 3]
    assert tokenizer.decode([24, 25], skip_special_tokens=True) == "gatonegro <tag>"


def test_added_special_tokens(make, bert_folder):
    vocab = (bert_folder / "vocab.txt").read_text(encoding="utf-8")
    folder = make(vocab__txt=vocab, config__json={"model_type": "bert", "vocab_size": 32})
    tokenizer = AutoTokenizer.from_pretrained(folder)  # 24 tokens and 32 embeddings: no note below 33
    assert tokenizer.add_special_tokens({"bos_token": "[BOS]", "additional_special_tokens": ["[X]", "[Y]"]}) == 3
    assert tokenizer.bos_token_id == 24
    assert tokenizer.additional_special_tokens == ["[X]", "[Y]"]
    assert tokenizer.convert_tokens_to_ids("[Y]") == 26
    assert tokenizer.decode(tokenizer.encode("el [X] gato"), skip_special_tokens=True) == "el gato"
    with pytest.raises(InputError, match="'colour_token' is not the name of a special token"):
        tokenizer.add_special_tokens({"colour_token": "[C]"})


def test_many_threads_each_get_their_own_truncation_and_padding(roberta, texts):
    alone = {n: roberta(texts, truncation=True, max_length=n, padding=True).input_ids for n in range(4, 40)}
    wrong = []

    def work(lengths):
        cut = {n: roberta(texts, truncation=True, max_length=n, padding=True).input_ids for n in lengths}
        wrong.extend(n for n in cut if cut[n] != alone[n])

    threads = [threading.Thread(target=work, args=(list(alone)[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_copies_and_pickles(bert):
    bert("el gato negro", truncation=True, max_length=4)
    for copied in (copy.deepcopy(bert), pickle.loads(pickle.dumps(bert))):
        assert copied("el gato negro", truncation=True, max_length=4).input_ids == [2, 5, 6, 3]
    batch = bert(["el"], return_tensors="pt")
    assert pickle.loads(pickle.dumps(batch)).tokens(0) == ["[CLS]", "el", "[SEP]"]


@pytest.mark.slow
def test_importing_it_does_not_import_torch():
    import subprocess

    code = "import sys, gatonegro.tokenization; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
