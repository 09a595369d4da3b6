"""Tokenizers that wrap the Rust library `tokenizers` in the interface of `transformers`."""

from gatonegro.tokenization.batch import BatchEncoding
from gatonegro.tokenization.lengths import TruncationWarning
from gatonegro.tokenization.loading import TOKENIZER_FILES, AutoTokenizer
from gatonegro.tokenization.tokenizer import Tokenizer

__all__ = ["TOKENIZER_FILES", "AutoTokenizer", "BatchEncoding", "Tokenizer", "TruncationWarning"]
