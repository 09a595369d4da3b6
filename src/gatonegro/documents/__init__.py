"""Documents for translation: their sentences, and the items and numbers that no translation may lose."""

from gatonegro.documents.items import (
    has_words,
    lost_items,
    lost_numbers,
    number_values,
    preserves_items,
    protected_items,
)
from gatonegro.documents.localization import EditedText, decimal_symbol, localize_numbers, lost_units, readings
from gatonegro.documents.sentences import Segment, split_at_items, split_sentences

__all__ = [
    "EditedText",
    "Segment",
    "decimal_symbol",
    "has_words",
    "localize_numbers",
    "lost_items",
    "lost_numbers",
    "lost_units",
    "number_values",
    "preserves_items",
    "protected_items",
    "readings",
    "split_at_items",
    "split_sentences",
]
