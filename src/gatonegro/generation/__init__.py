"""Text generation, token by token, with a key–value cache: greedy search, sampling and beam search."""

from gatonegro.generation.config import GenerationConfig
from gatonegro.generation.decoding import generate
from gatonegro.generation.extras import Extras
from gatonegro.generation.hypothesis import Generated, is_repeating
from gatonegro.generation.options import OPTION_CHECKS, OUTPUT_OPTIONS, UNSUPPORTED_OPTIONS, GenerationOptions
from gatonegro.generation.processors import LogitsProcessor, LogitsProcessorList, RuleProcessor, find_processor
from gatonegro.generation.stopping import (
    EosTokenCriteria,
    MaxLengthCriteria,
    MaxTimeCriteria,
    StoppingCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
    criteria_of,
)
from gatonegro.generation.streamers import BaseStreamer, TextIteratorStreamer, TextStreamer

__all__ = [
    "OPTION_CHECKS", "OUTPUT_OPTIONS", "UNSUPPORTED_OPTIONS", "BaseStreamer", "EosTokenCriteria", "Extras", "Generated",
    "GenerationConfig", "GenerationOptions", "LogitsProcessor", "LogitsProcessorList",
    "MaxLengthCriteria", "MaxTimeCriteria", "RuleProcessor", "StopStringCriteria", "StoppingCriteria",
    "StoppingCriteriaList", "TextIteratorStreamer", "TextStreamer", "criteria_of", "find_class", "generate",
    "is_repeating",
]  # fmt: skip


def find_class(name: str) -> type | None:
    """Return a class of streamers, stopping criteria or logits processors by its name in `transformers`, or None."""
    name = "LogitsProcessor" if name == "LogitsWarper" else name
    return globals()[name] if name in __all__ else find_processor(name)
