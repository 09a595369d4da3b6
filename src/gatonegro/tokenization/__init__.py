"""Tokenizers that wrap the Rust library `tokenizers` in the interface of `transformers`."""

from tokenizers import AddedToken

from gatonegro.tokenization.batch import BatchEncoding, CharSpan, TokenSpan
from gatonegro.tokenization.classes import CLASSES, AutoTokenizer
from gatonegro.tokenization.lengths import TruncationWarning
from gatonegro.tokenization.loading import TOKENIZER_FILES
from gatonegro.tokenization.tokenizer import Tokenizer

__all__ = [
    "TOKENIZER_FILES", "AddedToken", "AutoTokenizer", "BatchEncoding", "CharSpan", "TokenSpan", "Tokenizer",
    "TruncationWarning",
]  # fmt: skip
globals().update(CLASSES)  # such as BertTokenizer
find_class = CLASSES.get
