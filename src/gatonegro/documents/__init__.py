"""Documents for translation: markup, sentences, and the items and numbers that no translation may lose."""

from gatonegro.documents.capitals import lower, lower_capitals
from gatonegro.documents.edits import EditedText, remove_invisible
from gatonegro.documents.items import (
    DATE,
    PROTECTED,
    changed_numbers,
    has_words,
    lost_items,
    number_values,
    preserves_items,
    protected_items,
)
from gatonegro.documents.localization import Direction, decimal_symbol
from gatonegro.documents.markup import Mark, cut_marks, insert_marks, last_block, split_markup, upper
from gatonegro.documents.numbers import MONTHS
from gatonegro.documents.sentences import Segment, split_at_items, split_sentences

__all__ = [
    "DATE", "MONTHS", "PROTECTED", "Direction", "EditedText", "Mark", "Segment", "changed_numbers", "cut_marks",
    "decimal_symbol", "has_words", "insert_marks", "last_block", "lost_items", "lower", "lower_capitals",
    "number_values", "preserves_items", "protected_items", "remove_invisible", "split_at_items", "split_markup",
    "split_sentences", "upper",
]  # fmt: skip
