"""Documents for translation: their sentences, and the items and numbers that no translation may lose."""

from gatonegro.documents.items import (
    has_words,
    lost_items,
    lost_numbers,
    number_values,
    preserves_items,
    protected_items,
)
from gatonegro.documents.localization import Direction, EditedText, decimal_symbol
from gatonegro.documents.sentences import Segment, split_at_items, split_sentences

__all__ = [
    "Direction",
    "EditedText",
    "Segment",
    "decimal_symbol",
    "has_words",
    "lost_items",
    "lost_numbers",
    "number_values",
    "preserves_items",
    "protected_items",
    "split_at_items",
    "split_sentences",
]
