"""The story of an answer: every number between a text and its label, in Spanish or English."""

from gatonegro.glassbox.explanation import Explanation, Step
from gatonegro.glassbox.tell import explain

__all__ = ["Explanation", "Step", "explain"]
