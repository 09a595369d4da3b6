"""Tokenizers of the model families: a table of their differences, and a Rust tokenizer for each vocabulary format.

Sources: https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from gatonegro.tokenization.sentencepiece import BPE, CONTROL, USER_DEFINED, SentencePiece, merges

WITH_TYPE_IDS = ("input_ids", "token_type_ids", "attention_mask")
WITHOUT_TYPE_IDS = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class TokenizerFamily:
    """The special tokens, templates and model inputs that the tokenizers of a model family share."""

    kind: str  # of its files: wordpiece, bytes or pieces; json: tokenizer.json alone
    special: str  # "cls_token=[CLS] …", in the order in which missing ones are added
    single: str  # template of a text, https://huggingface.co/docs/tokenizers/api/post-processors
    pair: str  # template of a pair
    inputs: tuple[str, ...] = WITHOUT_TYPE_IDS
    accepts_type_ids: bool = True  # models of the family accept token_type_ids
    position_rule: str = "all"  # "padded": from pad_token_id + 1 on; "relative": texts have no maximum length
    splits_words: bool = False  # splits at spaces first; offsets exclude the space before a word
    has_extra_ids: bool = False  # the last tokens are <extra_id_0> and so on
    first_pieces: tuple[tuple[str, float], ...] = ()  # (token, score) of fairseq's first ids
    num_replaced: int = 0  # pieces of the file that `first_pieces` replaces

    @property
    def special_tokens(self) -> dict[str, str]:
        """The default special tokens of a model family by name, such as {"cls_token": "[CLS]"}."""
        return dict(entry.split("=") for entry in self.special.split())


_BERT = "unk_token=[UNK] sep_token=[SEP] pad_token=[PAD] cls_token=[CLS] mask_token=[MASK]"
_SEQ2SEQ = "eos_token=</s> unk_token=<unk> pad_token=<pad>"
_FAIRSEQ = f"bos_token=<s> {_SEQ2SEQ} sep_token=</s> cls_token=<s> mask_token=<mask>"
_GPT2 = "bos_token=<|endoftext|> eos_token=<|endoftext|> unk_token=<|endoftext|>"
_CLS = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
_S = ("<s> $A </s>", "<s> $A </s> </s> $B </s>")
_WORDPIECE = TokenizerFamily("wordpiece", _BERT, *_CLS, WITH_TYPE_IDS)
_ROBERTA = TokenizerFamily("bytes", _FAIRSEQ, *_S, position_rule="padded")
_T5 = TokenizerFamily(
    "pieces", _SEQ2SEQ, "$A </s>", "$A </s> $B </s>",
    accepts_type_ids=False, position_rule="relative", splits_words=True, has_extra_ids=True,
)  # fmt: skip
_XLMR = TokenizerFamily(
    "pieces", _FAIRSEQ, *_S, position_rule="padded", splits_words=True,
    first_pieces=(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)), num_replaced=3,
)  # fmt: skip
_CAMEMBERT = (("<s>NOTUSED", 0.0), ("<pad>", 0.0), ("</s>NOTUSED", 0.0), ("<unk>", 0.0), ("<unk>NOTUSED", -100.0))

TOKENIZER_FAMILIES = {  # by tokenizer class or model type, without capitals, dashes and underscores
    **dict.fromkeys(("bert", "electra", "convbert", "mobilebert"), _WORDPIECE),
    "distilbert": replace(_WORDPIECE, inputs=WITHOUT_TYPE_IDS, accepts_type_ids=False),
    "mpnet": TokenizerFamily(
        "wordpiece", _FAIRSEQ.replace("=<unk>", "=[UNK]"), *_S, accepts_type_ids=False, position_rule="padded"
    ),
    "modernbert": TokenizerFamily("json", _BERT, *_CLS, accepts_type_ids=False),
    "roberta": _ROBERTA,
    "bart": replace(_ROBERTA, accepts_type_ids=False, position_rule="all"),
    "longformer": replace(_ROBERTA, accepts_type_ids=False),
    "gpt2": TokenizerFamily("bytes", _GPT2, "$A", "$A $B:1", accepts_type_ids=False),
    "deberta": TokenizerFamily("bytes", _BERT, *_CLS, WITH_TYPE_IDS),
    "debertav2": TokenizerFamily("pieces", f"bos_token=[CLS] eos_token=[SEP] {_BERT}", *_CLS),
    "xlmroberta": _XLMR,
    "camembert": replace(_XLMR, first_pieces=_CAMEMBERT, num_replaced=1),
    **dict.fromkeys(("t5", "mt5"), _T5),
    **dict.fromkeys(("umt5", "longt5"), replace(_T5, kind="json")),
    "marian": TokenizerFamily("pieces", _SEQ2SEQ, "$A </s>", "$A $B </s>", accepts_type_ids=False),
}


def wordpiece(vocab: dict[str, int], unk: str, lower: bool | None, accents: bool | None, chinese: bool) -> Tokenizer:
    """Return BERT's WordPiece tokenizer, with options for case and accents inferred from the vocabulary if None."""
    if lower is None:
        lower = not any(token != token.lower() for token in vocab if token[:1] not in "[<")
    if accents is None and lower:  # strip accents, as BERT does, unless an uncased vocabulary has "ñ"
        accents = not any(letter in vocab or "##" + letter in vocab for letter in "áéíóúñ")
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token=unk, max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=chinese, strip_accents=accents, lowercase=lower
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def byte_level(vocab: dict[str, int], ranks: list[tuple[str, str]], prefix_space: bool) -> Tokenizer:
    """Return a byte-level BPE tokenizer, as GPT-2 and RoBERTa use it, which has no unknown tokens."""
    tokenizer = Tokenizer(models.BPE(vocab, ranks, continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def from_pieces(spm: SentencePiece, family: TokenizerFamily, lower: bool = False, extra_ids: int = 100) -> Tokenizer:
    """Return a Rust tokenizer for a SentencePiece file, with the ids of the file or those of the model family."""
    scores, unk_id = [(text, score) for text, score, _ in spm.pieces], spm.unk_id
    if family.first_pieces:
        scores, unk_id = [*family.first_pieces, *scores[family.num_replaced :], ("<mask>", 0.0)], 3
    elif family.has_extra_ids:
        scores += [(f"<extra_id_{i}>", 0.0) for i in reversed(range(extra_ids))]
    if spm.model_type == BPE:
        ids = {text: i for i, (text, _) in enumerate(scores)}
        unk = scores[unk_id][0]
        model = models.BPE(ids, merges(spm), unk_token=unk, fuse_unk=True, byte_fallback=spm.byte_fallback)
        tokenizer = Tokenizer(model)
    else:
        tokenizer = Tokenizer(models.Unigram(scores, unk_id, spm.byte_fallback))
    steps: list[Any] = [normalizers.Lowercase()] if lower else []
    steps += [normalizers.Precompiled(spm.charsmap)] if spm.charsmap else []
    scheme = "always" if spm.add_dummy_prefix else "never"
    # words are split first (which the Rust side caches), unless a piece spans several
    space = pre_tokenizers.Metaspace("▁", scheme, split=not any("▁" in text[1:] for text, _ in scores))
    if family.splits_words:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), space])
    else:
        if spm.remove_extra_whitespaces:
            steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
        elif spm.add_dummy_prefix:
            steps.append(normalizers.Prepend(" "))  # Metaspace puts none where the text itself starts with one
        tokenizer.pre_tokenizer = space
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Metaspace("▁", scheme)
    if spm.byte_fallback:
        strip = [decoders.Strip(" ", 1, 0)] if spm.add_dummy_prefix else []
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
        )
    # Unigram finds user-defined pieces, whose score of 0 is the best; BPE has no merges for them, and transformers
    # splits them off first where it splits by words
    added = (CONTROL, USER_DEFINED) if spm.model_type == BPE or family.splits_words else (CONTROL,)
    tokenizer.add_tokens(
        [
            AddedToken(text, normalized=False, special=kind == CONTROL)
            for text, _, kind in spm.pieces
            if kind in added and tokenizer.token_to_id(text) is not None
        ]
    )
    return tokenizer


def set_post_processor(
    tokenizer: Tokenizer, family: TokenizerFamily, special_tokens: dict[str, str], prefix_space: bool = False
) -> None:
    """Make a Rust tokenizer add special tokens to each text or pair, by the templates of its model family."""
    names = {default: special_tokens.get(name, default) for name, default in family.special_tokens.items()}
    ids: dict[str, Any] = {token: (token, tokenizer.token_to_id(token)) for token in names.values()}
    if family.kind == "bytes" and family.single == "<s> $A </s>":  # RoBERTa's offsets exclude spaces
        sep, cls = ids[names["</s>"]], ids[names["<s>"]]
        tokenizer.post_processor = processors.RobertaProcessing(
            sep, cls, trim_offsets=True, add_prefix_space=prefix_space
        )
        return
    single, pair = (
        [f"{names.get(token, token)}:{kind or 0}" for token, _, kind in (part.partition(":") for part in text.split())]
        for text in (family.single, family.pair)
    )
    used = [ids[token] for token in ids if f"{token}:0" in single]
    tokenizer.post_processor = processors.TemplateProcessing(single, pair, used)
