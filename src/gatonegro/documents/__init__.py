"""Documents for translation: their markup and sentences, and the items that no translation may lose."""

from gatonegro.documents.capitals import lower, lower_capitals
from gatonegro.documents.items import PROTECTED, keeps_text_between, lost_items, preserves_items, protected_items
from gatonegro.documents.markup import Mark, cut_marks, insert_marks, shifted, split_markup, upper
from gatonegro.documents.sentences import Segment, split_at_items, split_sentences

__all__ = [
    "PROTECTED", "Mark", "Segment", "cut_marks", "insert_marks", "keeps_text_between", "lost_items", "lower",
    "lower_capitals", "preserves_items", "protected_items", "shifted", "split_at_items", "split_markup",
    "split_sentences", "upper",
]  # fmt: skip
