"""Names that `transformers.utils` has too."""

from gatonegro.utils import logging

__all__ = ["logging"]
